package cohere

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

// DecodeRequest reads a chat request. The raw members it keeps alias body.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	d := requestDecoder{req: &llm.Request{}}
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	if err := v.Object(d.member); err != nil {
		return nil, invalid(err)
	}
	if err := d.finish(); err != nil {
		return nil, invalid(err)
	}
	d.req.Unread = insides.Unread(v)
	return d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(nil, [][2]string{
	{"documents[]", "id data"},
	{"response_format", "type json_schema"},
	{"messages[].content[].document", "id data"},
	{"messages[].content[].image_url", "url detail"},
	{"messages[].tool_calls[]", "id type index function"},
	{"messages[].tool_calls[].function", "name arguments"},
}...)

// invalid turns an error with a path into the client's error.
func invalid(err error) *llm.Error { return forms.InvalidAt(err, "invalid request: '%s': %v.") }

// requestDecoder reads one request, member by member.
type requestDecoder struct {
	req         *llm.Request
	hasMessages bool
	strictTools *bool
	documents   jsontext.Value
	mode        jsontext.Value // citation_options.mode
}

func (d *requestDecoder) member(key string, v jsontext.Value) error {
	if v.IsNull() && key != "model" && key != "messages" {
		return nil
	}
	if done, err := d.prompt(key, v); done {
		return err
	}
	if done, err := d.sampling(key, v); done {
		return err
	}
	var err error
	switch r := d.req; key {
	case "stream":
		r.Stream, err = v.Bool()
		r.StreamUsage = r.Stream // a stream always ends with it
	case "response_format":
		r.Format, err = formatOf(v)
	case typeThinking:
		r.Reasoning, err = d.thinking(v)
	case "safety_mode":
		return d.safety(v)
	case "citation_options":
		return v.Object(d.citationOptions)
	default:
		r.Extra = r.Extra.Add(self, key, v)
	}
	return err
}

// prompt reads what the model is given.
func (d *requestDecoder) prompt(key string, v jsontext.Value) (done bool, err error) {
	r := d.req
	switch key {
	case "model":
		r.Model, err = v.Text()
	case "messages":
		d.hasMessages = true
		r.Messages, err = decodeMessages(v)
	case "documents":
		if v.Kind() != jsontext.Array {
			return true, jsontext.Mismatch("array", v)
		}
		d.documents = v
	case "tools":
		r.Tools, err = decodeTools(v)
	case "strict_tools":
		d.strictTools, err = forms.BoolOf(v)
	case "tool_choice":
		r.ToolChoice, err = toolChoiceOf(v)
	default:
		return false, nil
	}
	return true, err
}

// sampling reads how the answer is drawn, and how much of it.
func (d *requestDecoder) sampling(key string, v jsontext.Value) (done bool, err error) {
	r := d.req
	switch key {
	case "max_tokens":
		r.MaxTokens, err = forms.IntBetween(v, 0, 1<<53)
	case "temperature":
		r.Temperature, err = fraction(v)
	case "p":
		r.TopP, err = fraction(v) // 0 and 1 are taken, and mean the nearest value allowed
	case "k":
		r.TopK, err = forms.IntBetween(v, 0, maxK)
	case "frequency_penalty":
		r.FrequencyPenalty, err = fraction(v)
	case "presence_penalty":
		r.PresencePenalty, err = fraction(v)
	case "seed":
		if r.Seed, err = forms.IntBetween(v, 0, 1<<63-1); err != nil && v.Kind() == jsontext.Number && len(v) <= 20 && v[0] != '-' {
			r.Extra, err = r.Extra.Add(self, key, v), nil // of 64 bits, which no other dialect has
		}
	case "stop_sequences":
		r.Stop, err = stopsOf(v)
	case "logprobs":
		r.LogProbs, err = v.Bool()
	default:
		return false, nil
	}
	return true, err
}

// finish checks and joins what concerns several members.
func (d *requestDecoder) finish() error {
	r := d.req
	switch {
	case r.Model == "":
		return llm.Invalid("model", "invalid request: a model is required.")
	case !d.hasMessages:
		return llm.Invalid("messages", "invalid request: messages are required.")
	}
	if d.strictTools != nil {
		for i := range r.Tools {
			r.Tools[i].Strict = d.strictTools
		}
	}
	return d.placeDocuments()
}

// safety keeps safety_mode: a mode stricter than the default must not be lost, the others may.
func (d *requestDecoder) safety(v jsontext.Value) error {
	mode, err := v.Text()
	key := keyUsualSafety
	if mode == "STRICT" {
		key = "safety_mode"
	}
	d.req.Extra = d.req.Extra.Add(self, key, v)
	return err
}

func (d *requestDecoder) citationOptions(key string, v jsontext.Value) error {
	if key == "mode" {
		d.mode = v
		_, err := v.Text()
		return err
	}
	d.req.Extra = d.req.Extra.Add(self, "citation_options."+key, v)
	return nil
}

// thinking reads [coh:Thinking].
func (d *requestDecoder) thinking(v jsontext.Value) (*llm.Reasoning, error) {
	r := &llm.Reasoning{Mode: llm.ReasoningAdaptive}
	err := v.Object(func(key string, v jsontext.Value) error {
		switch {
		case key == "type":
			word, err := v.Text()
			switch {
			case err != nil:
				return err
			case word == "disabled":
				r.Mode = llm.ReasoningOff
			case word != "enabled":
				return errors.New("supported values are enabled and disabled")
			}
		case key == "token_budget" && !v.IsNull():
			n, err := forms.IntBetween(v, 1, 1<<53)
			if err != nil {
				return err
			}
			r.Budget = *n
		case !v.IsNull():
			d.req.Extra = d.req.Extra.Add(self, "thinking."+key, v)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case r.Mode == llm.ReasoningOff:
		r.Budget = 0
	case r.Budget > 0:
		r.Mode = llm.ReasoningBudget
	}
	return r, nil
}

// formatOf reads response_format [coh:ResponseFormatV2]. The vendor also takes the type json_schema.
func formatOf(v jsontext.Value) (*llm.Format, error) {
	if v.Kind() != jsontext.Object {
		return nil, jsontext.Mismatch("object", v)
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		return nil, jsontext.At("type", err)
	}
	switch schema := v.Get("json_schema"); {
	case kind == typeText:
		return nil, nil //nolint:nilnil // plain text is no format
	case kind != "json_object" && kind != "json_schema":
		return nil, jsontext.At("type", errors.New("supported values are text and json_object"))
	case schema.IsNull():
		return &llm.Format{Kind: llm.FormatJSON}, nil
	case schema.Kind() != jsontext.Object:
		return nil, jsontext.At("json_schema", jsontext.Mismatch("object", schema))
	default:
		return &llm.Format{Kind: llm.FormatSchema, Schema: schema, Strict: new(true)}, nil
	}
}

// decodeTools reads tools [coh:ToolV2]. One that is no function stays as it is.
func decodeTools(v jsontext.Value) ([]llm.Tool, error) {
	tools := []llm.Tool{}
	err := v.Array(func(_ int, v jsontext.Value) error {
		t, err := forms.FunctionTool(v, self)
		tools = append(tools, t)
		return err
	})
	return tools, err
}

// toolChoiceOf reads tool_choice. The vendor takes its words in lower case too.
func toolChoiceOf(v jsontext.Value) (llm.ToolChoice, error) {
	word, err := v.Text()
	switch {
	case err != nil:
		return llm.ToolChoice{}, err
	case strings.EqualFold(word, "REQUIRED"):
		return llm.ToolChoice{Mode: llm.ChoiceRequired}, nil
	case strings.EqualFold(word, "NONE"):
		return llm.ToolChoice{Mode: llm.ChoiceNone}, nil
	}
	return llm.ToolChoice{}, errors.New("supported values are REQUIRED and NONE")
}

func stopsOf(v jsontext.Value) (stops []string, err error) {
	err = v.Array(func(_ int, v jsontext.Value) error {
		s, err := v.Text()
		stops = append(stops, s)
		return err
	})
	if err == nil && len(stops) > maxStops {
		err = errors.New("at most 5 stop sequences are supported")
	}
	return stops, err
}

// fraction reads a number from 0 to 1.
func fraction(v jsontext.Value) (*float64, error) {
	f, err := v.Float()
	if err != nil {
		return nil, err
	}
	if f < 0 || f > 1 {
		return nil, fmt.Errorf("expected a value between 0 and 1, but got %g", f)
	}
	return &f, nil
}

// oneOf reads one of a list of words.
func oneOf(v jsontext.Value, words ...string) (string, error) {
	s, err := v.Text()
	if err == nil && !slices.Contains(words, s) {
		err = errors.New("supported values are " + strings.Join(words, ", "))
	}
	return s, err
}
