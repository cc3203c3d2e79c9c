package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The members that the vendor knows, in camelCase.
var (
	geminiFields = []string{
		"cachedContent", "contents", "generationConfig", "labels", "model", "safetySettings", "serviceTier", "store", "systemInstruction", "toolConfig", "tools",
	}
	geminiConfig = []string{
		"candidateCount", "frequencyPenalty", "imageConfig", "logprobs", "maxOutputTokens", "mediaResolution", "presencePenalty", "responseJsonSchema",
		"responseLogprobs", "responseMimeType", "responseModalities", "responseSchema", "seed", "speechConfig", "stopSequences", "temperature",
		"thinkingConfig", "topK", "topP",
	}
	geminiParts    = []string{"codeExecutionResult", "executableCode", "fileData", "functionCall", "functionResponse", "inlineData", "text"}
	geminiKeywords = []string{
		"$anchor", "$defs", "$id", "$ref", "additionalProperties", "anyOf", "description", "enum", "format", "items", "maxItems", "maximum", "minItems",
		"minimum", "oneOf", "prefixItems", "properties", "propertyOrdering", "required", "title", "type",
	}
	geminiName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:-]*$`)
	snakeCase  = regexp.MustCompile(`_[a-z]`)
)

// isGeminiName counts by itself: a pattern that does so is a hundred times as large, and is compiled at each start.
func isGeminiName(s string) bool { return len(s) <= 128 && geminiName.MatchString(s) }

// inCamel spells the members of an object in camelCase: the vendor takes both spellings. Arguments, results and schemas
// are the client's.
func inCamel(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = inCamel(v[i])
		}
		return out
	case object:
		out := object{}
		for key, inner := range v {
			name := snakeCase.ReplaceAllStringFunc(key, func(s string) string { return strings.ToUpper(s[1:]) })
			switch name {
			case "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels":
				out[name] = inner
			default:
				out[name] = inCamel(inner)
			}
		}
		return out
	}
	return v
}

// inJSONSchema reads a schema in the vendor's other form, whose types are in capitals.
func inJSONSchema(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = inJSONSchema(v[i])
		}
		return out
	case object:
		out := object{}
		for key, inner := range v {
			out[key] = inJSONSchema(inner)
			if name, isText := inner.(string); isText && key == "type" {
				out[key] = strings.ToLower(name)
			}
		}
		return out
	}
	return v
}

// geminiReader validates a request and reads what the model is asked.
type geminiReader struct {
	*check
	body object
	ask  Ask
	// thinks is how the model takes its thinking: "level" from the third generation on, "budget" before.
	thinks string
	asJSON bool
}

func (g gemini) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	body, _ = inCamel(body).(object)
	c := &geminiReader{
		check: &check{lax: s.opts.Lax}, body: body, thinks: "level",
		ask: Ask{Dialect: Generate, Stream: g.isStream, ToolChoice: "auto", Parallel: true, N: 1, Usage: true, Tokens: len(compact(body))/4 + 1},
	}
	c.ask.Model, c.ask.markers = splitModel(g.model)
	if strings.HasPrefix(c.ask.Model, "gemini-2") {
		c.thinks = "budget"
	}
	c.known("", body, geminiFields...)
	c.config(obj(body, "generationConfig"))
	c.account()
	c.tools()
	c.system()
	c.contents()
	if c.asJSON && len(c.ask.Tools) > 0 && c.thinks == "budget" {
		c.bad("Function calling with a response mime type: 'application/json' is unsupported")
	}
	return c.ask, c.err
}

// bad complains in the vendor's form.
func (c *geminiReader) bad(format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Message: fmt.Sprintf(format, args...)}
	}
}

// known complains of a member that is not known.
func (c *geminiReader) known(at string, o object, names ...string) {
	if key := unknown(o, names...); key != "" && !c.lax {
		if at != "" {
			at = " at '" + at + "'"
		}
		c.bad("Invalid JSON payload received. Unknown name \"%s\"%s: Cannot find field.", key, at)
	}
}

func (c *geminiReader) system() {
	for _, v := range list(obj(c.body, "systemInstruction"), "parts") {
		p, _ := v.(object)
		if _, ok := p["text"].(string); !ok {
			c.bad("systemInstruction: only text is supported")
		}
		c.ask.System += str(p, "text")
	}
}

func (c *geminiReader) contents() {
	contents := list(c.body, "contents")
	if len(contents) == 0 {
		c.bad("* GenerateContentRequest.contents: contents is not specified\n")
	}
	current := 0 // the turn in which signatures are looked for
	for i, v := range contents {
		content, _ := v.(object)
		if len(list(content, "parts")) > 0 && !holds(content, "functionResponse") && str(content, "role") != "model" {
			current = i
		}
	}
	var open []string // names of calls without a response
	before := ""
	for i, v := range contents {
		content, _ := v.(object)
		at := fmt.Sprintf("contents[%d]", i)
		c.known(at, content, "parts", "role")
		role := or(str(content, "role"), "user")
		if !slices.Contains([]string{"user", "model", "function"}, role) {
			c.bad("Please use a valid role: user, model.")
		}
		if len(list(content, "parts")) == 0 {
			c.bad("* GenerateContentRequest.%s.parts: contents.parts must not be empty.\n", at)
		}
		open = c.content(at, content, open, before, i >= current)
		before = role
	}
	if len(open) > 0 {
		c.bad(wrongCount)
	}
}

const wrongCount = "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."

// holds reports whether a content has a part with a member.
func holds(content object, key string) bool {
	return slices.ContainsFunc(list(content, "parts"), func(v any) bool {
		p, _ := v.(object)
		return has(p, key)
	})
}

// content checks a turn and returns the names of the calls that wait for a response after it.
func (c *geminiReader) content(at string, content object, open []string, before string, isCurrent bool) []string {
	isModel := str(content, "role") == "model"
	responds := holds(content, "functionResponse")
	if len(open) > 0 && (isModel || !responds) {
		c.bad(wrongCount)
	}
	if !isModel {
		c.ask.Text, c.ask.Media, c.ask.Results = "", nil, nil
	}
	var calls []string
	responses := 0
	for j, v := range list(content, "parts") {
		p, _ := v.(object)
		where := at + ".parts[" + strconv.Itoa(j) + "]"
		kind := c.part(where, p)
		switch kind {
		case "functionCall":
			c.call(where, p, len(calls) == 0 && isCurrent)
			calls = append(calls, str(obj(p, "functionCall"), "name"))
		case "functionResponse":
			if responses >= len(open) || open[responses] != str(obj(p, "functionResponse"), "name") {
				c.bad(wrongCount)
			}
			responses++
			c.response(where, obj(p, "functionResponse"))
		case "text":
			if !isModel {
				c.ask.Text = strings.TrimPrefix(c.ask.Text+"\n"+str(p, "text"), "\n")
			}
		case "inlineData", "fileData":
			c.media(where, p)
		}
	}
	switch {
	case responds && responses != len(open), responds && len(list(content, "parts")) != responses:
		c.bad(wrongCount)
	case len(calls) > 0 && before != "user" && before != "function":
		c.bad("Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
	}
	if responds {
		c.ask.Rounds++
	}
	return calls
}

// part checks that a part is one thing and returns which.
func (c *geminiReader) part(at string, p object) (kind string) {
	c.known(at, p, append([]string{"thought", "thoughtSignature", "mediaResolution", "videoMetadata", "partMetadata"}, geminiParts...)...)
	if has(p, "mediaResolution") && c.thinks == "budget" && !c.lax {
		c.bad("Per part media resolution is not supported for this Model.")
	}
	for _, name := range geminiParts {
		if !has(p, name) {
			continue
		}
		if kind != "" {
			c.bad("Invalid value at '%s': oneof field 'data' is already set. Cannot set '%s'", at, name)
		}
		kind = name
	}
	if kind == "" {
		c.bad("* GenerateContentRequest.%s.data: required oneof field 'data' must have one initialized field\n", at)
	}
	return kind
}

// call checks a call: models of the third generation want their signature on the first call of each step.
func (c *geminiReader) call(at string, p object, isFirst bool) {
	f := obj(p, "functionCall")
	c.known(at+".functionCall", f, "args", "id", "name")
	if !isGeminiName(str(f, "name")) {
		c.bad("Invalid function name %s", quote(str(f, "name")))
	}
	signature := str(p, "thoughtSignature")
	signed, err := base64.StdEncoding.DecodeString(signature)
	isPlaceholder := false // as it is documented, or in base64, as SDKs send it
	for _, known := range []string{"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"} {
		isPlaceholder = isPlaceholder || signature == known || string(signed) == known
	}
	switch {
	case signature == "" && isFirst && c.thinks == "level":
		c.bad("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly. Additional data, function call `default_api:%s`.", str(f, "name"))
	case signature != "" && !isPlaceholder && (err != nil || !strings.HasPrefix(string(signed), signatureMark)):
		c.bad("Corrupted thought signature.")
	}
}

func (c *geminiReader) response(at string, f object) {
	c.known(at+".functionResponse", f, "id", "name", "parts", "response", "scheduling", "willContinue")
	r := obj(f, "response")
	if r == nil {
		c.bad("* GenerateContentRequest.%s.function_response.response: required\n", at)
	}
	said := compact(r)
	for _, key := range []string{"output", "error"} {
		if s, ok := r[key].(string); ok && len(r) == 1 {
			said = s
		}
	}
	c.ask.Results = append(c.ask.Results, said)
	for _, v := range list(f, "parts") {
		p, _ := v.(object)
		c.media(at, p)
	}
}

func (c *geminiReader) media(at string, p object) {
	if file := obj(p, "fileData"); file != nil {
		c.known(at+".fileData", file, "fileUri", "mimeType")
		c.ask.Media = append(c.ask.Media, Media{Type: or(str(file, "mimeType"), "file"), Ref: str(file, "fileUri")})
		return
	}
	blob := obj(p, "inlineData")
	c.known(at+".inlineData", blob, "data", "mimeType")
	b, err := base64.StdEncoding.DecodeString(str(blob, "data"))
	switch {
	case err != nil || len(b) == 0:
		c.bad("Invalid value at '%s.inline_data.data' (TYPE_BYTES), Base64 decoding failed", at)
	case str(blob, "mimeType") == "":
		c.bad("Unsupported MIME type: ")
	case strings.HasPrefix(str(blob, "mimeType"), "image/") && imageType(b) != "" && imageType(b) != str(blob, "mimeType"):
		c.bad("Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting")
	}
	c.ask.Media = append(c.ask.Media, Media{Type: str(blob, "mimeType"), Size: len(b)})
}

func (c *geminiReader) tools() {
	var names []string
	for _, v := range list(c.body, "tools") {
		t, _ := v.(object)
		c.known("tools", t, "codeExecution", "functionDeclarations", "googleSearch", "urlContext")
		for _, v := range list(t, "functionDeclarations") {
			f, _ := v.(object)
			c.known("tools[0].functionDeclarations", f, "behavior", "description", "name", "parameters", "parametersJsonSchema", "response", "responseJsonSchema")
			if !isGeminiName(str(f, "name")) {
				c.bad("Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.")
			}
			if has(f, "parameters") && has(f, "parametersJsonSchema") {
				c.bad("Only one of parameters and parametersJsonSchema can be set.")
			}
			c.schema(f["parametersJsonSchema"])
			names = append(names, str(f, "name"))
			schema := f["parametersJsonSchema"]
			if has(f, "parameters") {
				schema = inJSONSchema(f["parameters"])
			}
			c.ask.Tools = append(c.ask.Tools, Tool{Name: str(f, "name"), Schema: schema})
		}
	}
	config := obj(obj(c.body, "toolConfig"), "functionCallingConfig")
	allowed := list(config, "allowedFunctionNames")
	switch mode := str(config, "mode"); mode {
	case "", "AUTO":
		if len(allowed) > 0 {
			c.bad("allowed_function_names should only be set when the function calling mode is ANY.")
		}
	case "VALIDATED":
	case "NONE":
		c.ask.ToolChoice = "none"
	case "ANY":
		c.ask.ToolChoice = "any"
	default:
		c.bad("Invalid value at 'tool_config.function_calling_config.mode', %s", quote(mode))
	}
	for _, v := range allowed {
		name, _ := v.(string)
		if !slices.Contains(names, name) {
			c.bad("allowed_function_names contains %s, which is no declared function.", quote(name))
		}
	}
	if len(allowed) > 0 {
		c.ask.Tools = slices.DeleteFunc(c.ask.Tools, func(t Tool) bool { return !slices.Contains(allowed, any(t.Name)) })
	}
}

// schema complains of a keyword that the vendor does not take.
func (c *geminiReader) schema(v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	c.known("schema", m, geminiKeywords...)
	for key, inner := range m {
		switch key {
		case "properties", "$defs":
			for _, s := range obj(m, key) {
				c.schema(s)
			}
		case "items", "additionalProperties":
			c.schema(inner)
		case "anyOf", "oneOf", "prefixItems":
			for _, s := range list(m, key) {
				c.schema(s)
			}
		}
	}
	if has(m, "$ref") && len(m) > 1 {
		for key := range m {
			if !strings.HasPrefix(key, "$") {
				c.bad("schema: nothing may stand beside $ref: %s", key)
			}
		}
	}
}

func (c *geminiReader) config(o object) {
	c.known("generation_config", o, geminiConfig...)
	for key, between := range map[string][2]float64{
		"temperature": {0, 2}, "topP": {0, 1}, "maxOutputTokens": {1, 1 << 20}, "candidateCount": {1, 8}, "seed": {-1 << 31, 1<<31 - 1},
		"presencePenalty": {-2, 2}, "frequencyPenalty": {-2, 2}, "logprobs": {0, 20},
	} {
		if n := number(o[key]); has(o, key) && (n < between[0] || n > between[1]) {
			c.bad("Invalid value at 'generation_config.%s': must be in the range [%v, %v]", key, between[0], between[1])
		}
	}
	c.ask.MaxTokens, _ = count(o, "maxOutputTokens")
	if n, _ := count(o, "candidateCount"); n > 1 {
		c.ask.N = n
	}
	for _, v := range list(o, "stopSequences") {
		s, _ := v.(string)
		c.ask.Stops = append(c.ask.Stops, s)
	}
	if len(c.ask.Stops) > 5 {
		c.bad("The stop_sequences field has %d values, but at most 5 are allowed.", len(c.ask.Stops))
	}
	c.ask.Logprobs = o["responseLogprobs"] == true
	if has(o, "logprobs") && !c.ask.Logprobs {
		c.bad("Logprobs should only be set when response_logprobs is true.")
	}
	c.thinking(obj(o, "thinkingConfig"))
	schema := o["responseJsonSchema"]
	if schema == nil && has(o, "responseSchema") {
		schema = inJSONSchema(o["responseSchema"])
	}
	switch mime := or(str(o, "responseMimeType"), "text/plain"); {
	case mime == "application/json":
		c.asJSON, c.ask.JSON, c.ask.Schema = true, true, schema
		c.schema(o["responseJsonSchema"])
	case schema != nil:
		c.bad("Response schema with mime type: '%s' is unsupported", mime)
	}
}

func (c *geminiReader) thinking(o object) {
	c.known("generation_config.thinking_config", o, "includeThoughts", "thinkingBudget", "thinkingLevel")
	c.ask.Thinking = o["includeThoughts"] == true
	switch {
	case has(o, "thinkingBudget") && has(o, "thinkingLevel"):
		c.bad("You can only set one of thinking budget and thinking level.")
	case has(o, "thinkingLevel") && c.thinks == "budget":
		c.bad("Thinking level is not supported for this model.")
	case has(o, "thinkingLevel") && !slices.Contains([]string{"LOW", "MEDIUM", "HIGH"}, strings.ToUpper(str(o, "thinkingLevel"))):
		c.bad("Thinking level %s is not supported for this model.", str(o, "thinkingLevel"))
	}
}
