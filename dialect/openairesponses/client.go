package openairesponses

import (
	"errors"
	"slices"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

// DecodeRequest reads a request to create a response. The raw members it keeps alias body.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	d := requestDecoder{req: &llm.Request{}}
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	if err := v.Object(d.member); err != nil {
		return nil, forms.OpenAIInvalid(err)
	}
	if err := d.finish(); err != nil {
		return nil, forms.OpenAIInvalid(err)
	}
	d.req.Unread = append(d.req.Unread, insides.Unread(v)...)
	return d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(nil, [][2]string{
	{"text.format", "type name description schema strict"},
	{"tool_choice", "type name mode tools server_label"},
	{"tool_choice.tools[]", "type name server_label"},
	{"input[].summary[]", "type text"},
}...)

// requestDecoder reads one request, member by member.
type requestDecoder struct {
	req          *llm.Request
	instructions string
	input        []llm.Message
	tools        []llm.Tool // of items of the input
	hasInput     bool
	isKept       bool   // the input is the end of what the vendor keeps
	user         string // user, the old name of safety_identifier
	userRaw      jsontext.Value
}

func (d *requestDecoder) member(key string, v jsontext.Value) error {
	if v.IsNull() && key != "model" {
		return nil // the dialect takes null for unset
	}
	if done, err := d.prompt(key, v); done {
		return err
	}
	if done, err := d.answer(key, v); done {
		return err
	}
	var err error
	switch r := d.req; key {
	case "stream":
		r.Stream, err = v.Bool()
		r.StreamUsage = r.Stream // it always comes
	case "stream_options":
		return d.nested("stream_options.", v)
	case "safety_identifier":
		r.User, err = v.Text()
	case "user":
		d.userRaw = v
		d.user, err = v.Text()
	case "service_tier":
		r.Tier, err = v.Text()
	case "prompt_cache_key":
		r.CacheKey, err = v.Text()
	case "metadata":
		err = d.metadata(v)
	case "store", "background":
		err = d.flag(key, v)
	case "truncation":
		var word string
		if word, err = forms.OneOf(v, "auto", "disabled"); word == "auto" {
			r.Extra = r.Extra.Add(self, key, v)
		}
	case "previous_response_id", "conversation":
		d.isKept = true
		r.Extra = r.Extra.Add(self, key, v)
	default:
		if key == "prompt" {
			d.isKept = true
		}
		r.Extra = r.Extra.Add(self, key, v)
	}
	return err
}

// metadata reads labels.
func (d *requestDecoder) metadata(v jsontext.Value) error {
	labels, odd, err := forms.ReadLabels(v)
	d.req.Metadata = labels
	if odd {
		d.req.Unread = append(d.req.Unread, "metadata[]")
	}
	return err
}

// flag reads a switch that concerns what the vendor keeps. Off is what others do anyway.
func (d *requestDecoder) flag(key string, v jsontext.Value) error {
	on, err := v.Bool()
	if err == nil && on {
		d.req.Extra = d.req.Extra.Add(self, key, v)
	}
	return err
}

// nested keeps the members of an object that only this dialect has.
func (d *requestDecoder) nested(prefix string, v jsontext.Value) error {
	return v.Object(func(key string, v jsontext.Value) error {
		if !v.IsNull() && key != "include_obfuscation" { // padding is never sent by this gateway
			d.req.Extra = d.req.Extra.Add(self, prefix+key, v)
		}
		return nil
	})
}

// prompt reads what the model is given.
func (d *requestDecoder) prompt(key string, v jsontext.Value) (done bool, err error) {
	r := d.req
	switch key {
	case "model":
		r.Model, err = v.Text()
		if err == nil && r.Model == "" {
			err = errors.New("you must provide a model")
		}
	case "input":
		d.hasInput = true
		d.input, d.tools, err = decodeInput(v)
	case "instructions":
		d.instructions, err = v.Text()
	case "tools":
		r.Tools, err = decodeTools(v)
	case "tool_choice":
		err = d.toolChoice(v)
	case "parallel_tool_calls":
		r.ParallelCalls, err = forms.BoolOf(v)
	default:
		return false, nil
	}
	return true, err
}

// answer reads what the answer shall be like.
func (d *requestDecoder) answer(key string, v jsontext.Value) (done bool, err error) {
	r := d.req
	switch key {
	case "max_output_tokens":
		r.MaxTokens, err = forms.IntBetween(v, 1, 1<<53)
	case "temperature":
		r.Temperature, err = forms.FloatBetween(v, 0, 2)
	case "top_p":
		r.TopP, err = forms.FloatBetween(v, 0, 1)
	case "top_logprobs":
		r.TopLogProbs, err = forms.IntBetween(v, 0, maxTopLogProbs)
		r.LogProbs = r.LogProbs || err == nil && *r.TopLogProbs > 0
	case "include":
		err = d.include(v)
	case "text":
		err = v.Object(d.text)
	case "reasoning":
		err = d.reasoning(v)
	default:
		return false, nil
	}
	return true, err
}

// include reads what the answer shall hold beside what it always does. Encrypted reasoning is asked for without the
// client's saying so, and shown to every client.
func (d *requestDecoder) include(v jsontext.Value) error {
	var rest []byte
	err := v.Array(func(_ int, v jsontext.Value) error {
		switch {
		case is(v, includeLogProbs):
			d.req.LogProbs = true
		case is(v, includeSealed):
		case v.Kind() != jsontext.String:
			return jsontext.Mismatch("string", v)
		case rest == nil:
			rest = append(append(rest, '['), v...)
		default:
			rest = append(append(rest, ','), v...)
		}
		return nil
	})
	if rest != nil {
		d.req.Extra = d.req.Extra.Add(self, "include", append(rest, ']'))
	}
	return err
}

// text reads openai.yaml, ResponseTextParam.
func (d *requestDecoder) text(key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "verbosity":
		d.req.Verbosity, err = forms.OneOf(v, "low", "medium", "high")
	case key == "format":
		return d.format(v)
	default:
		d.req.Extra = d.req.Extra.Add(self, "text."+key, v)
	}
	return err
}

// format reads openai.yaml, TextResponseFormatConfiguration.
func (d *requestDecoder) format(v jsontext.Value) error {
	kind, err := v.Get("type").Text()
	if err != nil {
		return jsontext.At("type", err)
	}
	switch kind {
	case typeText:
		return nil
	case "json_object":
		d.req.Format = &llm.Format{Kind: llm.FormatJSON}
		return nil
	case "json_schema":
		f := &llm.Format{Kind: llm.FormatSchema}
		d.req.Format = f
		err := v.Object(func(key string, v jsontext.Value) error { return d.schema(f, key, v) })
		if err == nil && f.Schema == nil {
			err = jsontext.At("schema", errors.New("missing required parameter"))
		}
		return err
	}
	return jsontext.At("type", errors.New("supported values are 'text', 'json_object' and 'json_schema'"))
}

func (d *requestDecoder) schema(f *llm.Format, key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull() || key == "type":
	case key == "name":
		f.Name, err = v.Text()
	case key == "description":
		f.Description, err = v.Text()
	case key == "strict":
		f.Strict, err = forms.BoolOf(v)
	case key == "schema":
		if v.Kind() != jsontext.Object {
			return jsontext.Mismatch("object", v)
		}
		f.Schema = v
	default:
		d.req.Extra = d.req.Extra.Add(self, "text.format."+key, v)
	}
	return err
}

// reasoning reads openai.yaml, Reasoning.
func (d *requestDecoder) reasoning(v jsontext.Value) error {
	r := &llm.Reasoning{}
	err := v.Object(func(key string, v jsontext.Value) error { return d.reasoningMember(r, key, v) })
	if *r != (llm.Reasoning{}) {
		d.req.Reasoning = r
	}
	return err
}

func (d *requestDecoder) reasoningMember(r *llm.Reasoning, key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "effort":
		r.Effort, err = forms.OneOf(v, "none", "minimal", "low", "medium", "high", "xhigh", "max")
		if r.Effort == "none" {
			r.Mode, r.Effort = llm.ReasoningOff, ""
		}
	case key == "summary" || key == "generate_summary": // the latter is the former name
		var length string
		length, err = forms.OneOf(v, "auto", "concise", "detailed")
		r.Display = displaySummary
		if err == nil && length != "auto" {
			d.req.Extra = d.req.Extra.Add(self, "reasoning.summary.length", v)
		}
	default:
		d.req.Extra = d.req.Extra.Add(self, "reasoning."+key, v)
	}
	return err
}

// The words of llm.Reasoning.Display.
const (
	displaySummary = "summarized"
	displayNone    = "omitted"
)

// finish checks what concerns several members.
func (d *requestDecoder) finish() error {
	r := d.req
	switch {
	case r.Model == "":
		return llm.Invalid("model", "Missing required parameter: 'model'.")
	case !d.hasInput && !d.isKept && d.instructions == "":
		return llm.Invalid("input", "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided.")
	}
	if d.instructions != "" {
		r.Messages = append(r.Messages, llm.Message{Role: llm.RoleSystem, Parts: []llm.Part{llm.Text(d.instructions)}})
	}
	r.Messages = append(r.Messages, d.input...)
	d.addTools(d.tools)
	if len(d.tools) > 0 {
		r.Unread = append(r.Unread, "input[]."+itemTools)
	}
	if slices.ContainsFunc(r.Tools, isInNamespace) {
		r.Unread = append(r.Unread, "tools[]."+typeNamespace)
	}
	switch {
	case r.User == "":
		r.User = d.user
	case d.user == "" || d.user == r.User || d.user == r.CacheKey:
	case r.CacheKey == "":
		r.CacheKey = d.user // the other use that the old name has: openai.yaml, ModelResponseProperties.user
	default:
		r.Extra = r.Extra.Add(self, "user", d.userRaw)
	}
	return d.checkChoice()
}
