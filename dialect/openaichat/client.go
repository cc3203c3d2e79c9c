package openaichat

import (
	"cmp"
	"errors"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

// DecodeRequest reads a chat completion request. The raw members it keeps alias body.
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
	{"response_format", "type json_schema"},
	{"tool_choice", "type function custom allowed_tools"},
	{"tool_choice.function", "name"},
	{"tool_choice.custom", "name"},
	{"tool_choice.allowed_tools", "mode tools"},
	{"tool_choice.allowed_tools.tools[]", "type function custom"},
	{"tool_choice.allowed_tools.tools[].function", "name"},
	{"function_call", "name"},
	{"tools[].cache_control", "type ttl"},
	{"tools[].function.cache_control", "type ttl"},
	{"messages[].cache_control", "type ttl"},
	{"messages[].function_call", "name arguments"},
	{"messages[].tool_calls[]", "id type index function custom"},
	{"messages[].tool_calls[].function", "name arguments parsed_arguments"}, // the last is a library's own
	{"messages[].content[].cache_control", "type ttl"},
	{"messages[].content[].image_url", "url detail"},
	{"messages[].content[].file", "filename file_data file_id"},
	{"messages[].content[].input_audio", "data format"},
}...)

// requestDecoder reads one request, member by member.
type requestDecoder struct {
	req            *llm.Request
	maxTokens      *int64 // max_tokens, the old name
	randomSeed     *int64 // another name of seed
	user           string // user, the old name of safety_identifier
	userRaw        jsontext.Value
	hasMessages    bool
	functions      []llm.Tool // functions and function_call, the old names of tools and tool_choice
	functionChoice llm.ToolChoice
	tools          bool
}

func (d *requestDecoder) member(key string, v jsontext.Value) error {
	if v.IsNull() && key != "messages" {
		return nil // the dialect takes null for unset
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
	case "stream_options":
		return v.Object(d.streamOptions)
	case "response_format":
		return d.format(v)
	case "reasoning_effort":
		r.Reasoning, err = effortOf(v)
	case "verbosity":
		r.Verbosity, err = forms.OneOf(v, "low", "medium", "high")
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
	case "store":
		err = d.store(v)
	case "modalities":
		if isTextOnly(v) {
			return nil
		}
		r.Extra = r.Extra.Add(self, key, v)
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
		r.Model, err = v.Text() // who needs it misses it: Azure's paths name it
	case "messages":
		d.hasMessages = true
		r.Messages, err = decodeMessages(v)
	case "tools":
		d.tools = true
		r.Tools, err = decodeTools(v)
	case "tool_choice":
		r.ToolChoice, err = toolChoiceOf(v)
	case "functions":
		d.functions, err = decodeFunctions(v)
	case "function_call":
		d.functionChoice, err = functionChoiceOf(v)
	case "parallel_tool_calls":
		r.ParallelCalls, err = forms.BoolOf(v)
	default:
		return false, nil
	}
	return true, err
}

// sampling reads how the answer is drawn, and how much of it.
func (d *requestDecoder) sampling(key string, v jsontext.Value) (done bool, err error) {
	r := d.req
	switch key {
	case "max_completion_tokens":
		r.MaxTokens, err = forms.IntBetween(v, 1, 1<<53)
	case "max_tokens":
		d.maxTokens, err = forms.IntBetween(v, 1, 1<<53)
	case "temperature":
		r.Temperature, err = forms.FloatBetween(v, 0, 2)
	case "top_p":
		r.TopP, err = forms.FloatBetween(v, 0, 1)
	case "frequency_penalty":
		r.FrequencyPenalty, err = forms.FloatBetween(v, -2, 2)
	case "presence_penalty":
		r.PresencePenalty, err = forms.FloatBetween(v, -2, 2)
	case "seed":
		r.Seed, err = forms.IntBetween(v, -1<<63, 1<<63-1)
	case "random_seed": // Mistral's word for it
		d.randomSeed, err = forms.IntBetween(v, 0, 1<<63-1)
	case "n":
		var n *int64
		if n, err = forms.IntBetween(v, 1, maxChoices); err == nil {
			r.N = int(*n)
		}
	case "stop":
		r.Stop, err = stopsOf(v)
	case "logprobs":
		r.LogProbs, err = v.Bool()
	case "top_logprobs":
		r.TopLogProbs, err = forms.IntBetween(v, 0, maxTopLogProbs)
	case "logit_bias":
		if v.Kind() != jsontext.Object {
			return true, jsontext.Mismatch("object", v)
		}
		r.LogitBias = v
	default:
		return false, nil
	}
	return true, err
}

// finish checks what concerns several members.
func (d *requestDecoder) finish() error {
	r := d.req
	switch {
	case !d.hasMessages:
		return llm.Invalid("messages", "Missing required parameter: 'messages'.")
	case d.maxTokens != nil && r.MaxTokens != nil:
		return llm.Invalid("max_tokens", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	case d.randomSeed != nil && r.Seed != nil:
		return llm.Invalid("random_seed", "Setting 'seed' and 'random_seed' at the same time is not supported.")
	case r.TopLogProbs != nil && !r.LogProbs:
		return llm.Invalid("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is enabled.")
	case d.tools && d.functions != nil:
		return llm.Invalid("functions", "'functions' and 'tools' are not allowed in one request.")
	case d.functions == nil && d.functionChoice.IsForced():
		return llm.Invalid("function_call", "'function_call' says that a function must be called, and there are no 'functions'.")
	}
	r.Seed = cmp.Or(r.Seed, d.randomSeed)
	if d.maxTokens != nil {
		r.MaxTokens = d.maxTokens
	}
	switch {
	case r.User == "":
		r.User = d.user
	case d.user == "" || d.user == r.User || d.user == r.CacheKey:
	case r.CacheKey == "":
		r.CacheKey = d.user // the other use that the old name has: openai.yaml, ModelResponseProperties.user
	default:
		r.Extra = r.Extra.Add(self, keyUser, d.userRaw)
	}
	if d.functions != nil {
		r.Tools, r.OldCalls = d.functions, true
		if r.ToolChoice.Mode == llm.ChoiceUnset {
			r.ToolChoice = d.functionChoice
		}
	}
	return d.checkChoice()
}

// checkChoice refuses a choice of a tool that is not there, as the vendor does: without tools nobody is told of it.
func (d *requestDecoder) checkChoice() error {
	if len(d.req.Tools) == 0 {
		if d.req.ToolChoice.IsForced() {
			return llm.Invalid("tool_choice", "'tool_choice' says that a tool must be called, and 'tools' has none.")
		}
		return nil
	}
	names := make(map[string]bool, len(d.req.Tools))
	for i := range d.req.Tools {
		names[d.req.Tools[i].Name] = true
	}
	for _, name := range d.req.ToolChoice.Names {
		if !names[name] {
			return llm.Invalid("tool_choice", "Tool choice %q is not among 'tools'.", name)
		}
	}
	return nil
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

// store reads whether the vendor keeps the answer. No is what every dialect does.
func (d *requestDecoder) store(v jsontext.Value) error {
	on, err := v.Bool()
	if on {
		d.req.Extra = d.req.Extra.Add(self, keyStore, v)
	}
	return err
}

func (d *requestDecoder) streamOptions(key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "include_usage":
		d.req.StreamUsage, err = v.Bool()
	case key == "include_obfuscation": // padding is never sent by this gateway
	default:
		d.req.Extra = d.req.Extra.Add(self, "stream_options."+key, v)
	}
	return err
}

// format reads response_format: openai.yaml, ResponseFormatText, ...JsonObject, ...JsonSchema.
func (d *requestDecoder) format(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		return jsontext.At("type", err)
	}
	switch kind {
	case "text":
		return nil
	case "json_object":
		d.req.Format = &llm.Format{Kind: llm.FormatJSON}
		return nil
	case "json_schema":
		f := &llm.Format{Kind: llm.FormatSchema}
		d.req.Format = f
		err := v.Get("json_schema").Object(func(key string, v jsontext.Value) error { return d.schema(f, key, v) })
		if err == nil && f.Schema == nil {
			err = jsontext.At("schema", errors.New("missing required parameter"))
		}
		return jsontext.At("json_schema", err)
	}
	return jsontext.At("type", errors.New("supported values are 'text', 'json_object' and 'json_schema'"))
}

func (d *requestDecoder) schema(f *llm.Format, key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
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
		d.req.Extra = d.req.Extra.Add(self, "response_format."+key, v)
	}
	return err
}

// effortOf reads reasoning_effort: openai.yaml, ReasoningEffort.
func effortOf(v jsontext.Value) (*llm.Reasoning, error) {
	effort, err := forms.OneOf(v, "none", "minimal", "low", "medium", "high", "xhigh", "max")
	if err != nil {
		return nil, err
	}
	if effort == "none" {
		return &llm.Reasoning{Mode: llm.ReasoningOff}, nil
	}
	return &llm.Reasoning{Effort: effort}, nil
}

// isTextOnly reports whether modalities ask for what every answer is anyway.
func isTextOnly(v jsontext.Value) bool {
	n, text := 0, false
	err := v.Array(func(_ int, v jsontext.Value) error {
		n++
		s, err := v.Text()
		text = s == "text"
		return err
	})
	return err == nil && n == 1 && text
}

// stopsOf reads stop: a string or a list of them.
func stopsOf(v jsontext.Value) ([]string, error) {
	if v.Kind() == jsontext.String {
		s, err := v.Text()
		return []string{s}, err
	}
	var stops []string
	err := v.Array(func(_ int, v jsontext.Value) error {
		s, err := v.Text()
		stops = append(stops, s)
		return err
	})
	if err == nil && len(stops) > maxStops {
		err = errors.New("at most 4 stop sequences are supported")
	}
	return stops, err
}
