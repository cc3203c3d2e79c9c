package fakeprovider

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var responsesFields = []string{
	"background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
	"model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
	"prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text",
	"tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}

// responsesReader validates a request to create a response and reads what the model is asked.
type responsesReader struct {
	*openaiReader
	s       *Server
	pending []string // calls not yet answered
	last    string   // the type of the item before
}

func (responses) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	o := &openaiReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: Responses, ToolChoice: "auto", Parallel: true, N: 1, Usage: true, Tokens: len(compact(body))/4 + 1}}
	v := &responsesReader{openaiReader: o, s: s}
	v.ask.Model, v.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		v.missing("model")
	}
	if key := unknown(body, responsesFields...); key != "" && !v.lax {
		v.fail(key, "unknown_parameter", "Unknown parameter: '%s'.", key)
	}
	v.tools()
	v.input()
	v.sampling()
	v.output()
	v.account()
	v.model()
	return v.ask, v.err
}

func (v *responsesReader) input() {
	v.ask.System = str(v.body, "instructions")
	if id := str(v.body, "previous_response_id"); id != "" {
		v.fail("previous_response_id", "previous_response_not_found", "Previous response with id '%s' not found.", id)
	}
	switch in := v.body["input"].(type) {
	case nil:
		v.fail("", "missing_required_parameter", "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided.")
	case string:
		v.ask.Text = in
	case []any:
		for i, el := range in {
			at := fmt.Sprintf("input[%d]", i)
			item, ok := el.(object)
			if !ok {
				v.wrongType(at, "an object", el)
				return
			}
			v.item(at, item)
		}
		if len(v.pending) > 0 {
			v.fail("input", "", "No tool output found for function call %s.", v.pending[0])
		}
	default:
		v.wrongType("input", "one of a string or array of objects", in)
	}
}

// itemKinds are the items taken in a request, each with what its id begins with.
var itemKinds = map[string]string{
	"message": "msg", "function_call": "fc", "function_call_output": "fc", "reasoning": "rs", "custom_tool_call": "ctc",
	"custom_tool_call_output": "ctc", "web_search_call": "ws", "item_reference": "", "shell_call": "sh", "shell_call_output": "sh",
}

func (v *responsesReader) item(at string, m object) {
	kind := str(m, "type")
	if kind == "" {
		kind = "message"
	}
	prefix, ok := itemKinds[kind]
	if !ok {
		v.fail(at, "invalid_value", "Invalid value: '%s'.", kind)
		return
	}
	if id := str(m, "id"); id != "" && prefix != "" && !strings.HasPrefix(id, prefix) {
		v.fail(at+".id", "invalid_value", "Invalid '%s.id': '%s'. Expected an ID that begins with '%s'.", at, id, prefix)
	}
	if v.last == "reasoning" && (kind == "message" && str(m, "role") != "assistant" || strings.HasSuffix(kind, "_output")) {
		v.fail("input", "", "Item of type 'reasoning' was provided without its required following item.")
	}
	v.last = kind
	switch kind {
	case "message":
		v.message(at, m)
	case "function_call", "custom_tool_call":
		v.call(at, kind, m)
	case "function_call_output", "custom_tool_call_output":
		v.result(at, m)
	case "reasoning":
		v.reasoning(at, m)
	case "item_reference":
		v.fail("input", "", "Item with id '%s' not found.", str(m, "id"))
	}
}

func (v *responsesReader) message(at string, m object) {
	role := str(m, "role")
	if !slices.Contains([]string{"user", "assistant", "system", "developer"}, role) {
		v.fail(at+".role", "invalid_value", "Invalid value: '%s'. Supported values are: 'assistant', 'system', 'developer', and 'user'.", role)
	}
	if key := unknown(m, "type", "role", "content", "id", "status", "phase"); key != "" && !v.lax {
		v.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	if role == "user" {
		v.ask.Media, v.ask.Results, v.ask.Text = nil, nil, ""
	}
	v.content(at+".content", role, m["content"])
	switch said := text(m["content"]); role {
	case "user":
		v.ask.Text = said
	case "system", "developer":
		v.ask.System = strings.TrimPrefix(v.ask.System+"\n"+said, "\n")
	case "assistant":
		v.ask.Results = nil
	}
}

// content checks the content of a message, or the output of a call, and notes the media of a user.
func (v *responsesReader) content(at, role string, content any) {
	allowed := []string{"input_text"}
	switch role {
	case "user":
		allowed = []string{"input_text", "input_image", "input_file"}
	case "assistant":
		allowed = []string{"output_text", "refusal"}
	}
	parts, ok := content.([]any)
	if _, isText := content.(string); !ok && !isText {
		v.wrongType(at, "one of an array of objects or string", content)
	}
	for i, el := range parts {
		at := fmt.Sprintf("%s[%d]", at, i)
		p, _ := el.(object)
		kind := str(p, "type")
		if !slices.Contains(allowed, kind) {
			v.fail(at, "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", kind, strings.Join(allowed, "', '"))
			return
		}
		switch kind {
		case "input_image":
			v.picture(at, p)
		case "input_file":
			v.document(at, p)
		case "refusal":
			if str(p, "refusal") == "" {
				v.missing(at + ".refusal")
			}
		default:
			if _, ok := p["text"].(string); !ok {
				v.missing(at + ".text")
			}
		}
		if key := unknown(p, "type", "text", "refusal", "annotations", "logprobs", "image_url", "file_id", "detail", "file_data", "file_url", "filename", "prompt_cache_breakpoint"); key != "" && !v.lax {
			v.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
		}
	}
}

// picture checks an image; its URL is a string here.
func (v *responsesReader) picture(at string, p object) {
	if id := str(p, "file_id"); id != "" {
		v.ask.Media = append(v.ask.Media, Media{Type: "image", Ref: id})
		return
	}
	if _, ok := p["image_url"].(string); !ok {
		v.wrongType(at+".image_url", "an image URL", p["image_url"])
		return
	}
	image := object{"url": p["image_url"]}
	if has(p, "detail") {
		image["detail"] = p["detail"]
	}
	v.image(at+".image_url", image)
}

func (v *responsesReader) document(at string, p object) {
	if url := str(p, "file_url"); url != "" {
		if has(p, "filename") {
			v.fail(at, "mutually_exclusive_parameters", "Mutually exclusive parameters: 'filename' and 'file_url'.")
		}
		v.ask.Media = append(v.ask.Media, Media{Type: "file", Ref: url})
		return
	}
	file := object{}
	for _, key := range []string{"filename", "file_data", "file_id"} {
		if has(p, key) {
			file[key] = p[key]
		}
	}
	v.file(at, file)
}

func (v *responsesReader) callID(at string, m object) string {
	id := str(m, "call_id")
	switch {
	case id == "":
		v.missing(at + ".call_id")
	case len(id) > 64:
		v.fail(at+".call_id", "string_above_max_length", "Invalid '%s.call_id': string too long. Expected a string with maximum length 64, but got a string with length %d instead.", at, len(id))
	}
	return id
}

func (v *responsesReader) call(at, kind string, m object) {
	id, key := v.callID(at, m), "arguments"
	if kind == "custom_tool_call" {
		key = "input"
	}
	if _, ok := m[key].(string); !ok {
		v.wrongType(at+"."+key, "a string", m[key])
	}
	if !isName(str(m, "name"), 128) {
		v.fail(at+".name", "invalid_value", "Invalid '%s.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", at)
	}
	if other := unknown(m, "type", "id", "status", "call_id", "name", key, "namespace", "caller"); other != "" && !v.lax {
		v.fail(at+"."+other, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, other)
	}
	v.pending = append(v.pending, id)
	v.ask.Results = nil
}

func (v *responsesReader) result(at string, m object) {
	id := v.callID(at, m)
	i := slices.Index(v.pending, id)
	if i < 0 {
		v.fail("input", "", "No tool call found for function call output with call_id %s.", id)
		return
	}
	v.pending = slices.Delete(v.pending, i, i+1)
	if len(v.ask.Results) == 0 {
		v.ask.Rounds++
	}
	v.ask.Media = nil
	v.content(at+".output", "user", m["output"])
	v.ask.Results = append(v.ask.Results, text(m["output"]))
}

// reasoning checks that what is encrypted is the vendor's own.
func (v *responsesReader) reasoning(at string, m object) {
	id, encrypted := str(m, "id"), str(m, "encrypted_content")
	if id == "" {
		v.missing(at + ".id")
	}
	if _, ok := m["summary"].([]any); !ok {
		v.missing(at + ".summary")
	}
	switch isOwn := strings.HasPrefix(encrypted, "gAAAAAB") || v.s.wasIssued(encrypted); {
	case encrypted == "":
		v.fail("input", "", "Item with id '%s' not found. Items are not persisted when `store` is set to false.", id)
	case !isOwn && !v.lax:
		v.fail("", "invalid_encrypted_content", "The encrypted content for item %s could not be verified.", id)
	}
}

// hosted are tools that the vendor runs.
var hosted = regexp.MustCompile(`^(web_search|file_search|code_interpreter|mcp|image_generation|computer|local_shell|shell|apply_patch)`)

func (v *responsesReader) tools() {
	for i, el := range list(v.body, "tools") {
		at := fmt.Sprintf("tools[%d]", i)
		t, _ := el.(object)
		switch kind := str(t, "type"); {
		case kind == "function":
			if key := unknown(t, "type", "name", "description", "parameters", "strict", "defer_loading", "allowed_callers", "output_schema"); key != "" && !v.lax {
				v.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
			}
			v.function(at, t)
		case kind == "custom":
			v.ask.Tools = append(v.ask.Tools, Tool{Name: str(t, "name"), Schema: object{"type": "object"}, FreeForm: true})
		case hosted.MatchString(kind):
		case kind == "":
			v.missing(at + ".type")
		default:
			v.fail(at+".type", "invalid_value", "Invalid value: '%s'.", kind)
		}
	}
	v.choice()
}

// function checks a function, whose name may be longer here than in Chat Completions, and which is strict unless it
// says otherwise.
func (v *responsesReader) function(at string, t object) {
	name := str(t, "name")
	if !isName(name, 128) {
		v.fail(at+".name", "invalid_value", "Invalid '%s.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", at)
	}
	schema := t["parameters"]
	if schema == nil {
		schema = object{"type": "object", "properties": object{}}
	} else if m, ok := schema.(object); !ok || len(m) > 0 && m["type"] != "object" {
		v.fail(at+".parameters", "invalid_function_parameters", "Invalid schema for function '%s': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"%v\"'.", name, m["type"])
	}
	if t["strict"] == true {
		if why := strictness(schema, true, false); why != "" {
			v.fail(at+".parameters", "invalid_function_parameters", "Invalid schema for function '%s': In context=(), %s", name, why)
		}
	}
	v.ask.Tools = append(v.ask.Tools, Tool{Name: name, Schema: schema})
}

func (v *responsesReader) choice() {
	if p, ok := v.body["parallel_tool_calls"].(bool); ok {
		v.ask.Parallel = p
	}
	switch c := v.body["tool_choice"].(type) {
	case nil:
	case string:
		switch {
		case c == "none", c == "auto":
			v.ask.ToolChoice = c
		case c != "required":
			v.fail("tool_choice", "invalid_value", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", c)
		case len(list(v.body, "tools")) == 0:
			v.fail("tool_choice", "", "Tool choice 'required' must be specified with 'tools' parameter.")
		default:
			v.ask.ToolChoice = "any"
		}
	case object:
		v.chosen(c)
	default:
		v.wrongType("tool_choice", "one of a string or object", c)
	}
}

func (v *responsesReader) chosen(c object) {
	switch kind := str(c, "type"); kind {
	case "allowed_tools":
		var allowed []Tool
		for _, el := range list(c, "tools") {
			t, _ := el.(object)
			i := slices.IndexFunc(v.ask.Tools, func(have Tool) bool { return have.Name == str(t, "name") })
			if i < 0 {
				v.fail("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", str(t, "name"))
				return
			}
			allowed = append(allowed, v.ask.Tools[i])
		}
		v.ask.Tools = allowed
		if str(c, "mode") == "required" {
			v.ask.ToolChoice = "any"
		}
	case "function", "custom":
		name := str(c, "name")
		v.ask.ToolChoice = ":" + name
		if !slices.ContainsFunc(v.ask.Tools, func(t Tool) bool { return t.Name == name }) {
			v.fail("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", name)
		}
	default:
		if !hosted.MatchString(kind) {
			v.fail("tool_choice.type", "invalid_value", "Invalid value: '%s'.", kind)
		}
	}
}

func (v *responsesReader) sampling() {
	v.within("temperature", 0, 2)
	v.within("top_p", 0, 1)
	v.whole("top_logprobs", 0, 20, &v.ask.TopLogprobs)
	v.whole("max_output_tokens", 16, 1<<31, &v.ask.MaxTokens)
	v.ask.Logprobs = v.ask.TopLogprobs > 0
	known := []string{
		"file_search_call.results", "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
		"computer_call_output.output.image_url", "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs",
	}
	for i, el := range list(v.body, "include") {
		switch name, _ := el.(string); {
		case name == "reasoning.encrypted_content":
			v.ask.Sealed = true
		case name == "message.output_text.logprobs":
			v.ask.Logprobs = true
		case !slices.Contains(known, name):
			v.fail(fmt.Sprintf("include[%d]", i), "invalid_value", "Invalid value: '%v'. Supported values are: '%s'.", el, strings.Join(known, "', '"))
		}
	}
}

func (v *responsesReader) output() {
	switch s := v.body["stream"].(type) {
	case nil:
	case bool:
		v.ask.Stream = s
	default:
		v.wrongType("stream", "a boolean", s)
	}
	for _, key := range []string{"store", "background"} {
		if _, ok := v.body[key].(bool); has(v.body, key) && !ok {
			v.wrongType(key, "a boolean", v.body[key])
		}
	}
	if id := str(v.body, "safety_identifier"); len(id) > 64 {
		v.fail("safety_identifier", "string_above_max_length", "Invalid 'safety_identifier': string too long. Expected a string with maximum length 64, but got a string with length %d instead.", len(id))
	}
	form := obj(obj(v.body, "text"), "format")
	switch kind := str(form, "type"); {
	case form == nil || kind == "text":
	case kind == "json_object":
		v.ask.JSON = true
		if !strings.Contains(strings.ToLower(compact(v.body["input"])+v.ask.System), "json") {
			v.fail("input", "", "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.")
		}
	case kind == "json_schema":
		v.form(form)
	default:
		v.fail("text.format.type", "invalid_value", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', and 'text'.", kind)
	}
}

func (v *responsesReader) form(form object) {
	switch name := str(form, "name"); {
	case name == "":
		v.missing("text.format.name")
	case !isName(name, 64):
		v.badName("text.format.name", name)
	case obj(form, "schema") == nil:
		v.missing("text.format.schema")
	}
	if key := unknown(form, "type", "name", "description", "schema", "strict"); key != "" && !v.lax {
		v.fail("text.format."+key, "unknown_parameter", "Unknown parameter: 'text.format.%s'.", key)
	}
	v.ask.Schema = form["schema"]
	if form["strict"] == true {
		if why := strictness(form["schema"], true, false); why != "" {
			v.fail("text.format.schema", "invalid_json_schema", "Invalid schema for response_format '%s': In context=(), %s", str(form, "name"), why)
		}
	}
}

// model checks what the model itself refuses.
func (v *responsesReader) model() {
	reasoning := obj(v.body, "reasoning")
	v.ask.Thinking = has(reasoning, "summary")
	if key := unknown(reasoning, "effort", "summary", "generate_summary", "mode", "context"); key != "" && !v.lax {
		v.fail("reasoning."+key, "unknown_parameter", "Unknown parameter: 'reasoning.%s'.", key)
	}
	efforts := []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
	if e := str(reasoning, "effort"); has(reasoning, "effort") && !slices.Contains(efforts, e) {
		v.fail("reasoning.effort", "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", e, strings.Join(efforts, "', '"))
	}
	switch {
	case v.lax:
	case openaiPlain.MatchString(v.ask.Model):
		if has(reasoning, "effort") || has(reasoning, "summary") {
			v.fail("reasoning.effort", "unsupported_parameter", "Unsupported parameter: 'reasoning.effort' is not supported with this model.")
		}
		if v.ask.Sealed {
			v.fail("include", "", "Encrypted content is not supported with this model.")
		}
	case openaiReasoning.MatchString(v.ask.Model) && !strings.Contains(v.ask.Model, "-chat"):
		for _, key := range []string{"temperature", "top_p"} {
			if has(v.body, key) && number(v.body[key]) != 1 {
				v.fail(key, "unsupported_parameter", "Unsupported parameter: '%s' is not supported with this model.", key)
			}
		}
		if v.ask.Logprobs {
			v.fail("top_logprobs", "unsupported_parameter", "logprobs are not supported with reasoning models.")
		}
	}
}
