package fakeprovider

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

var ollamaFields = []string{"format", "keep_alive", "logprobs", "messages", "model", "options", "shift", "stream", "think", "tools", "top_logprobs", "truncate"}

var ollamaOptions = []string{
	"frequency_penalty", "min_p", "num_batch", "num_ctx", "num_gpu", "num_keep", "num_predict", "num_thread", "presence_penalty",
	"repeat_last_n", "repeat_penalty", "seed", "stop", "temperature", "top_k", "top_p", "typical_p",
}

// ollamaReader validates a chat request and reads what the model is asked.
type ollamaReader struct {
	*check
	body object
	ask  Ask
}

func (ollama) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	o := &ollamaReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{
		Dialect: OllamaChat, ToolChoice: "auto", Parallel: true, N: 1, Usage: true, Stream: body["stream"] != false, Tokens: len(compact(body))/4 + 1,
	}}
	o.ask.Model, o.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		o.fail("", "", "model is required")
	}
	o.known(body, ollamaFields...)
	for _, v := range list(body, "tools") {
		t, _ := v.(object)
		fn := obj(t, "function")
		o.known(t, "type", "function")
		o.known(fn, "name", "description", "parameters")
		if str(fn, "name") == "" || obj(fn, "parameters") == nil {
			o.fail("", "", "invalid tool")
		}
		o.ask.Tools = append(o.ask.Tools, Tool{Name: str(fn, "name"), Schema: fn["parameters"]})
	}
	o.messages()
	o.format()
	o.options()
	return o.ask, o.err
}

// known complains about members that a server would ignore.
func (o *ollamaReader) known(m object, names ...string) {
	if key := unknown(m, names...); key != "" && !o.lax {
		o.fail("", "", "json: unknown field %q", key)
	}
}

func (o *ollamaReader) messages() {
	var system []string
	for _, v := range list(o.body, "messages") {
		m, _ := v.(object)
		o.known(m, "role", "content", "images", "thinking", "tool_calls", "tool_name", "tool_call_id")
		content, isText := m["content"].(string)
		if !isText && m["content"] != nil { // without one it is empty
			o.fail("", "", "json: cannot unmarshal into Go struct field ChatRequest.messages.content of type string")
		}
		switch role := str(m, "role"); role {
		case "system":
			system = append(system, content)
		case "user":
			o.ask.Text, o.ask.Results, o.ask.Media = content, nil, nil
		case "assistant":
			o.ask.Results = nil
			for _, v := range list(m, "tool_calls") {
				call, _ := v.(object)
				o.known(call, "id", "function")
				if _, ok := obj(call, "function")["arguments"].(object); !ok {
					o.fail("", "", "json: cannot unmarshal into Go struct field ChatRequest.messages.tool_calls.function.arguments")
				}
			}
		case "tool":
			if len(o.ask.Results) == 0 {
				o.ask.Rounds++
			}
			o.ask.Results, o.ask.Media = append(o.ask.Results, content), nil
		default:
			o.fail("", "", "invalid role: %s", role)
		}
		o.images(m)
	}
	o.ask.System = strings.Join(system, "\n")
}

func (o *ollamaReader) images(m object) {
	for _, v := range list(m, "images") {
		data, _ := v.(string)
		b, err := base64.StdEncoding.DecodeString(data)
		kind := imageType(b)
		switch {
		case err != nil:
			o.fail("", "", "illegal base64 data at input byte 0")
		case kind == "" || kind == "image/gif":
			o.fail("", "", "Failed to create new sequence: failed to process inputs: image: unknown format")
			o.err.Status = http.StatusInternalServerError
		}
		o.ask.Media = append(o.ask.Media, Media{Type: kind, Size: len(b)})
	}
}

func (o *ollamaReader) format() {
	switch f := o.body["format"].(type) {
	case nil:
	case string:
		o.ask.JSON = f == "json"
		if f != "json" && f != "" {
			o.fail("", "", `invalid format: %q; expected "json" or a valid JSON Schema object`, f)
		}
	case object:
		o.ask.Schema = f
	default:
		o.fail("", "", "invalid format")
	}
	switch t := o.body["think"].(type) {
	case nil:
	case bool:
		o.ask.Thinking = t
	case string:
		o.ask.Thinking = true
		if !slices.Contains([]string{"low", "medium", "high", "max"}, t) {
			o.fail("", "", "invalid think value: %q (must be \"high\", \"medium\", \"low\", \"max\", true, or false)", t)
		}
	default:
		o.fail("", "", "think must be a boolean or string")
	}
}

func (o *ollamaReader) options() {
	options := obj(o.body, "options")
	o.known(options, ollamaOptions...)
	for key, v := range options {
		if _, ok := v.(json.Number); !ok && v != nil && key != "stop" { // null is as good as left out
			o.fail("", "", "option %q must be of type number", key)
		}
	}
	o.ask.MaxTokens, _ = count(options, "num_predict")
	o.ask.MaxTokens = max(o.ask.MaxTokens, 0)
	for _, v := range list(options, "stop") {
		s, _ := v.(string)
		o.ask.Stops = append(o.ask.Stops, s)
	}
	o.ask.Logprobs = o.body["logprobs"] == true
	o.ask.TopLogprobs, _ = count(o.body, "top_logprobs")
}
