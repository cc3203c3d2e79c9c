package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

var openaiFields = []string{
	"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
	"messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
	"prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier",
	"stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
	"web_search_options", "moderation",
}

// openaiReader validates a Chat Completions request and reads what the model is asked.
type openaiReader struct {
	*check
	body object
	ask  Ask
}

func (openai) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	o := &openaiReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: Chat, ToolChoice: "auto", Parallel: true, N: 1, Tokens: len(compact(body))/4 + 1}}
	o.ask.Model, o.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		o.fail("", "", "you must provide a model parameter")
	}
	if key := unknown(body, openaiFields...); key != "" && !o.lax {
		o.fail(key, "unknown_parameter", "Unknown parameter: '%s'.", key)
	}
	o.tools()
	o.messages()
	o.sampling()
	o.output()
	o.account()
	o.kept()
	o.model()
	return o.ask, o.err
}

func (o *openaiReader) wrongType(param, want string, got any) {
	o.fail(param, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.", param, want, jsonType(got))
}

func (o *openaiReader) missing(param string) {
	o.fail(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
}

func (o *openaiReader) messages() {
	if _, ok := o.body["messages"]; !ok {
		o.missing("messages")
		return
	}
	msgs, ok := o.body["messages"].([]any)
	if !ok {
		o.wrongType("messages", "an array of objects", o.body["messages"])
		return
	}
	if len(msgs) == 0 {
		o.fail("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	var system []string
	pending := []string{} // calls not yet answered
	for i, v := range msgs {
		at := fmt.Sprintf("messages[%d]", i)
		m, ok := v.(object)
		if !ok {
			o.wrongType(at, "an object", v)
			return
		}
		role := str(m, "role")
		if len(pending) > 0 && role != "tool" {
			o.unanswered(pending)
		}
		media := o.ask.Media
		o.message(at, role, m)
		switch role {
		case "system", "developer":
			system = append(system, text(m["content"]))
		case "user":
			if o.ask.Quoted = quotesEnd(text(m["content"]), o.ask.Said); o.ask.Quoted {
				o.ask.Media = media
				break
			}
			o.ask.Text, o.ask.Said, o.ask.Results = text(m["content"]), "", nil
		case "assistant":
			o.ask.Said = text(m["content"])
			pending = o.calls(at, m)
			o.ask.Results = nil
		case "tool":
			if len(o.ask.Results) == 0 {
				o.ask.Rounds++
			}
			pending = o.toolResult(at, m, pending)
		}
	}
	if len(pending) > 0 {
		o.unanswered(pending)
	}
	if !o.ask.Quoted {
		o.ask.Said = "" // an answer that stands last is answered
	}
	o.ask.System = strings.Join(system, "\n")
}

func (o *openaiReader) unanswered(ids []string) {
	o.fail("messages", "", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", "))
}

func (o *openaiReader) message(at, role string, m object) {
	roles := []string{"system", "assistant", "user", "function", "tool", "developer"}
	switch {
	case !has(m, "role"):
		o.missing(at + ".role")
	case !slices.Contains(roles, role):
		o.fail(at+".role", "invalid_value", "Invalid value: '%v'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", m["role"])
	}
	known := []string{"role", "content", "name"}
	switch role {
	case "assistant":
		known = append(known, "refusal", "tool_calls", "function_call", "audio", "annotations")
	case "tool":
		known = append(known, "tool_call_id")
	}
	if key := unknown(m, known...); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	if name, ok := m["name"]; ok && name != nil && (str(m, "name") == "" || strings.ContainsAny(str(m, "name"), " <|\\/>")) {
		o.fail(at+".name", "invalid_value", "Invalid '%s.name': string does not match pattern. Expected a string that matches the pattern '^[^\\s<|\\\\/>]+$'.", at)
	}
	o.content(at, role, m)
}

// content checks a message's content and notes the media of a user turn.
func (o *openaiReader) content(at, role string, m object) {
	content := m["content"]
	if role == "user" {
		o.ask.Media = nil
	}
	switch c := content.(type) {
	case nil:
		if role != "assistant" || !has(m, "tool_calls") && !has(m, "refusal") && !has(m, "function_call") && !has(m, "audio") {
			o.fail(at+".content", "invalid_type", "Invalid value for 'content': expected a string, got null.")
		}
	case string:
	case []any:
		if len(c) == 0 {
			o.fail(at+".content", "empty_array", "Invalid '%s.content': empty array. Expected an array with minimum length 1, but got an empty array instead.", at)
		}
		for i, v := range c {
			part, ok := v.(object)
			if !ok {
				o.wrongType(fmt.Sprintf("%s.content[%d]", at, i), "an object", v)
				return
			}
			o.part(fmt.Sprintf("%s.content[%d]", at, i), role, part)
		}
	default:
		o.wrongType(at+".content", "one of a string or array of objects", content)
	}
}

func (o *openaiReader) part(at, role string, p object) {
	allowed := map[string][]string{
		"user":      {"text", "image_url", "input_audio", "file"},
		"assistant": {"text", "refusal"},
	}[role]
	if allowed == nil {
		allowed = []string{"text"}
	}
	kind := str(p, "type")
	if !slices.Contains(allowed, kind) {
		o.fail(at+".type", "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", kind, strings.Join(allowed, "', '"))
		return
	}
	if key := unknown(p, "type", kind, "prompt_cache_breakpoint"); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	switch kind {
	case "text", "refusal":
		if _, ok := p[kind].(string); !ok {
			o.wrongType(at+"."+kind, "a string", p[kind])
		}
	case "image_url":
		o.image(at+".image_url", obj(p, "image_url"))
	case "file":
		o.file(at+".file", obj(p, "file"))
	case "input_audio":
		a := obj(p, "input_audio")
		b, err := base64.StdEncoding.DecodeString(str(a, "data"))
		if format := str(a, "format"); err != nil || format != "wav" && format != "mp3" {
			o.fail(at+".input_audio", "invalid_value", "Invalid value: '%s'. Supported values are: 'wav' and 'mp3'.", format)
		}
		o.ask.Media = append(o.ask.Media, Media{Type: "audio/" + str(a, "format"), Size: len(b)})
	}
}

func (o *openaiReader) image(at string, image object) {
	url := str(image, "url")
	if key := unknown(image, "url", "detail"); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	if d := str(image, "detail"); has(image, "detail") && !slices.Contains([]string{"auto", "low", "high", "original"}, d) {
		o.fail(at+".detail", "invalid_value", "Invalid value: '%s'. Supported values are: 'low', 'high', and 'auto'.", d)
	}
	switch {
	case url == "":
		o.missing(at + ".url")
	case strings.HasPrefix(url, "https://"), strings.HasPrefix(url, "http://"):
		o.ask.Media = append(o.ask.Media, Media{Type: "image", Ref: url})
	default:
		kind, b, err := dataURI(url)
		if err != nil {
			o.fail(at+".url", "invalid_base64", "Invalid base64 image_url.")
		} else if !slices.Contains(imageTypes, kind) || len(b) == 0 {
			o.fail("", "invalid_image_format", "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].")
		}
		o.ask.Media = append(o.ask.Media, Media{Type: kind, Size: len(b)})
	}
}

func (o *openaiReader) file(at string, file object) {
	if key := unknown(file, "filename", "file_data", "file_id"); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	if id := str(file, "file_id"); id != "" {
		o.ask.Media = append(o.ask.Media, Media{Type: "file", Ref: id})
		return
	}
	if str(file, "file_data") == "" || str(file, "filename") == "" {
		o.missing(at + ".file_id")
		return
	}
	kind, b, err := dataURI(str(file, "file_data"))
	if err != nil {
		o.fail(at+".file_data", "invalid_value", "Invalid '%s.file_data'. Expected a base64-encoded data URL with an application/pdf MIME type, but got a value without the 'data:' prefix.", at)
	} else if kind != "application/pdf" && !strings.HasPrefix(kind, "text/") {
		o.fail(at+".file_data", "unsupported_file", "Invalid file data: '%s.file_data'. Expected a base64-encoded data URL with an application/pdf MIME type, but got unsupported MIME type '%s'.", at, kind)
	}
	o.ask.Media = append(o.ask.Media, Media{Type: kind, Size: len(b)})
}

// calls checks an assistant's tool calls and returns their ids.
func (o *openaiReader) calls(at string, m object) []string {
	if !has(m, "tool_calls") {
		return nil
	}
	calls := list(m, "tool_calls")
	if len(calls) == 0 {
		o.fail(at+".tool_calls", "empty_array", "Invalid '%s.tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.", at)
	}
	var ids []string
	for i, v := range calls {
		at := fmt.Sprintf("%s.tool_calls[%d]", at, i)
		call, _ := v.(object)
		id, fn := str(call, "id"), obj(call, "function")
		switch {
		case id == "":
			o.missing(at + ".id")
		case len(id) > 40:
			o.fail(at+".id", "string_above_max_length", "Invalid '%s.id': string too long. Expected a string with maximum length 40, but got a string with length %d instead.", at, len(id))
		}
		if kind := str(call, "type"); kind == "custom" {
			ids = append(ids, id)
			continue
		} else if kind != "function" {
			o.fail(at+".type", "invalid_value", "Invalid value: '%s'. Supported values are: 'function' and 'custom'.", kind)
		}
		if _, ok := fn["arguments"].(string); !ok {
			o.wrongType(at+".function.arguments", "a string", fn["arguments"])
		}
		if !isName(str(fn, "name"), 64) {
			o.badName(at+".function.name", str(fn, "name"))
		}
		if key := unknown(call, "id", "type", "function"); key != "" && !o.lax {
			o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
		}
		ids = append(ids, id)
	}
	return ids
}

func (o *openaiReader) badName(at, name string) {
	o.fail(at, "invalid_value", "Invalid '%s': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$' with at most 64 characters, but got '%s'.", at, name)
}

// toolResult notes one result and returns the ids that still want one.
func (o *openaiReader) toolResult(at string, m object, pending []string) []string {
	id := str(m, "tool_call_id")
	if id == "" {
		o.missing(at + ".tool_call_id")
	}
	i := slices.Index(pending, id)
	if i < 0 {
		o.fail(at+".role", "", "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
		return pending
	}
	o.ask.Results = append(o.ask.Results, text(m["content"]))
	o.ask.Media = nil
	return slices.Delete(slices.Clone(pending), i, i+1)
}

func (o *openaiReader) tools() {
	if !has(o.body, "tools") {
		for _, key := range []string{"tool_choice", "parallel_tool_calls"} {
			if has(o.body, key) {
				o.fail(key, "", "Invalid value for '%s': '%s' is only allowed when 'tools' are specified.", key, key)
			}
		}
		return
	}
	tools := list(o.body, "tools")
	switch {
	case len(tools) == 0:
		o.fail("tools", "empty_array", "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case len(tools) > 128:
		o.fail("tools", "array_above_max_length", "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length %d instead.", len(tools))
	}
	for i, v := range tools {
		at := fmt.Sprintf("tools[%d]", i)
		t, _ := v.(object)
		switch kind := str(t, "type"); kind {
		case "function":
			o.tool(at+".function", obj(t, "function"))
		case "custom":
			o.ask.Tools = append(o.ask.Tools, Tool{Name: str(obj(t, "custom"), "name"), Schema: object{}})
		case "":
			o.missing(at + ".type")
		default:
			o.fail(at+".type", "invalid_value", "Invalid value: '%s'. Supported values are: 'function' and 'custom'.", kind)
		}
		if key := unknown(t, "type", "function", "custom"); key != "" && !o.lax {
			o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
		}
	}
	o.choice()
}

func (o *openaiReader) tool(at string, fn object) {
	name := str(fn, "name")
	if fn == nil {
		o.missing(at)
	} else if !isName(name, 64) {
		o.badName(at+".name", name)
	}
	if key := unknown(fn, "name", "description", "parameters", "strict"); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	schema := fn["parameters"]
	if schema == nil {
		schema = object{"type": "object", "properties": object{}}
	} else if m, ok := schema.(object); !ok || len(m) > 0 && m["type"] != "object" {
		o.fail(at+".parameters", "invalid_function_parameters", "Invalid schema for function '%s': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"%v\"'.", name, m["type"])
	}
	if fn["strict"] == true {
		if why := strictness(schema, true, false); why != "" {
			o.fail(at+".parameters", "invalid_function_parameters", "Invalid schema for function '%s': In context=(), %s", name, why)
		}
	}
	o.ask.Tools = append(o.ask.Tools, Tool{Name: name, Schema: schema})
}

func (o *openaiReader) choice() {
	if v, ok := o.body["parallel_tool_calls"].(bool); ok {
		o.ask.Parallel = v
	}
	switch c := o.body["tool_choice"].(type) {
	case nil:
	case string:
		switch c {
		case "required":
			o.ask.ToolChoice = "any"
		case "none", "auto":
			o.ask.ToolChoice = c
		default:
			o.fail("tool_choice", "invalid_value", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", c)
		}
	case object:
		if str(c, "type") == "allowed_tools" {
			return
		}
		name := str(obj(c, str(c, "type")), "name")
		o.ask.ToolChoice = ":" + name
		if !slices.ContainsFunc(o.ask.Tools, func(t Tool) bool { return t.Name == name }) {
			o.fail("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", name)
		}
	default:
		o.wrongType("tool_choice", "one of a string or object", c)
	}
}

// jsonType names a value's type as the vendor's messages do.
func jsonType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case object:
		return "an object"
	}
	return "a number"
}

// missingModel is the vendor's 404 for a model it does not serve.
func (openai) missingModel(model string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: "invalid_request_error", Code: "model_not_found",
		Message: "The model `" + model + "` does not exist or you do not have access to it.",
	}
}
