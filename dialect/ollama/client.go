package ollama

import (
	"errors"
	"fmt"
	"slices"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

// DecodeRequest reads a chat request. The raw members it keeps alias body.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	d := requestDecoder{req: &llm.Request{Stream: true, StreamUsage: true}}
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	if err := v.Object(d.member); err != nil {
		return nil, invalid(err)
	}
	switch {
	case d.req.Model == "":
		return nil, llm.Invalid("model", "model is required")
	case !d.hasMessages:
		return nil, llm.Invalid("messages", "messages are required")
	}
	d.req.Unread = insides.Unread(v)
	return d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(nil, [][2]string{
	{"messages[].tool_calls[]", "id type function"},
	{"messages[].tool_calls[].function", "name arguments index description"}, // the last two say nothing more
}...)

// invalid turns an error with a path into the client's error.
func invalid(err error) *llm.Error { return forms.InvalidAt(err, "invalid value for %s: %v") }

// requestDecoder reads one request, member by member.
type requestDecoder struct {
	req         *llm.Request
	hasMessages bool
}

func (d *requestDecoder) member(key string, v jsontext.Value) (err error) {
	r := d.req
	if v.IsNull() {
		return nil
	}
	switch key {
	case "model":
		r.Model, err = v.Text()
	case "messages":
		d.hasMessages = true
		r.Messages, err = decodeMessages(v)
	case "tools":
		r.Tools, err = decodeTools(v)
	case "stream":
		r.Stream, err = v.Bool()
		r.StreamUsage = r.Stream // a stream always ends with it
	case "format":
		r.Format, err = formatOf(v)
	case "think":
		r.Reasoning, err = thinkOf(v)
	case "logprobs":
		r.LogProbs, err = v.Bool()
	case "top_logprobs":
		r.TopLogProbs, err = intBetween(v, 0, 1<<31)
	case "options":
		return v.Object(d.option)
	default:
		r.Extra = r.Extra.Add(self, key, v)
	}
	return err
}

// option reads one of options [oll:ModelOptions].
func (d *requestDecoder) option(key string, v jsontext.Value) (err error) {
	r := d.req
	if v.IsNull() {
		return nil
	}
	switch key {
	case "num_predict":
		var n int64
		if n, err = v.Int(); err == nil && n > 0 { // else there is no limit
			r.MaxTokens = &n
		}
	case "temperature":
		r.Temperature, err = floatOf(v)
	case "top_p":
		r.TopP, err = floatOf(v)
	case "top_k":
		r.TopK, err = intBetween(v, -1<<31, 1<<31)
	case "frequency_penalty":
		r.FrequencyPenalty, err = floatOf(v)
	case "presence_penalty":
		r.PresencePenalty, err = floatOf(v)
	case "seed":
		r.Seed, err = intBetween(v, -1<<63, 1<<63-1)
	case "stop":
		r.Stop, err = stopsOf(v)
	default:
		r.Extra = r.Extra.Add(self, "options."+key, v)
	}
	return err
}

// formatOf reads format: "json" or a schema. An empty one is none.
func formatOf(v jsontext.Value) (*llm.Format, error) {
	if v.Kind() == jsontext.Object {
		return &llm.Format{Kind: llm.FormatSchema, Schema: v, Strict: new(true)}, nil
	}
	switch word, err := v.Text(); {
	case err != nil:
		return nil, err
	case word == "":
		return nil, nil //nolint:nilnil // plain text is no format
	case word == "json":
		return &llm.Format{Kind: llm.FormatJSON}, nil
	}
	return nil, errors.New(`expected "json" or a JSON schema`)
}

// thinkOf reads think: whether to think, or how much.
func thinkOf(v jsontext.Value) (*llm.Reasoning, error) {
	if v.Kind() == jsontext.String {
		word, err := v.Text()
		if err == nil && !slices.Contains([]string{"low", "medium", "high", "max"}, word) {
			err = errors.New("expected true, false, low, medium, high or max")
		}
		return &llm.Reasoning{Effort: word}, err
	}
	on, err := v.Bool()
	if on {
		return &llm.Reasoning{Mode: llm.ReasoningAdaptive}, err
	}
	return &llm.Reasoning{Mode: llm.ReasoningOff}, err
}

// decodeTools reads tools [oll:ToolDefinition].
func decodeTools(v jsontext.Value) ([]llm.Tool, error) {
	var tools []llm.Tool
	err := v.Array(func(_ int, v jsontext.Value) error {
		t, err := forms.FunctionTool(v, self)
		tools = append(tools, t)
		return err
	})
	return tools, err
}

// stopsOf reads stop: a string or a list of them.
func stopsOf(v jsontext.Value) (stops []string, err error) {
	if v.Kind() == jsontext.String {
		s, err := v.Text()
		return []string{s}, err
	}
	err = v.Array(func(_ int, v jsontext.Value) error {
		s, err := v.Text()
		stops = append(stops, s)
		return err
	})
	return stops, err
}

func floatOf(v jsontext.Value) (*float64, error) {
	f, err := v.Float()
	return &f, err
}

// intBetween reads an integer of a range, both ends included.
func intBetween(v jsontext.Value, low, high int64) (*int64, error) {
	n, err := v.Int()
	if err == nil && (n < low || n > high) {
		err = fmt.Errorf("expected a value between %d and %d, but got %d", low, high, n)
	}
	return &n, err
}
