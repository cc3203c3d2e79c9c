package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var anthropicFields = []string{
	"cache_control", "container", "context_management", "inference_geo", "max_tokens", "mcp_servers", "messages", "metadata", "model",
	"output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream", "system", "temperature", "thinking", "thread", "tool_choice",
	"tools", "top_k", "top_p",
}

// Families of models by what they refuse.
var (
	noPrefill  = regexp.MustCompile(`^claude-(opus|sonnet)-(4-[6-9]|[5-9])`)
	noSampling = regexp.MustCompile(`^claude-opus-(4-[7-9]|[5-9])`)
	noBudget   = regexp.MustCompile(`^claude-opus-(4-[7-9]|[5-9])`)
	midSystem  = regexp.MustCompile(`^claude-opus-[5-9]`) // these take the role system inside messages
)

// anthropicReader validates a Messages request and reads what the model is asked.
type anthropicReader struct {
	*check
	s      *Server
	body   object
	newest bool // the request is of noSamplingVersion
	ask    Ask
	marks  int // cache_control markers
	budget bool
	tooled bool // the history has tool blocks
}

// turn is one turn after neighbours of the same role were merged.
type turn struct {
	role   string
	at     string // of its first message
	blocks []object
}

func (anthropic) read(s *Server, h http.Header, body object) (Ask, *Error) {
	a := &anthropicReader{newest: h.Get("Anthropic-Version") == noSamplingVersion, check: &check{lax: s.opts.Lax}, s: s, body: body, ask: Ask{Dialect: Messages, ToolChoice: "auto", Parallel: true, N: 1, Usage: true, Tokens: len(compact(body))/4 + 1}}
	a.ask.Model, a.ask.markers = splitModel(str(body, "model"))
	for _, key := range []string{"model", "max_tokens", "messages"} {
		if _, ok := body[key]; !ok {
			a.say(key, "Field required")
		}
	}
	if key := unknown(body, anthropicFields...); key != "" {
		a.extra(key)
	}
	a.params()
	a.thread()
	a.system()
	a.thinking()
	a.tools()
	turns := a.turns()
	a.pairing(turns)
	a.last(turns)
	if a.marks > 4 {
		a.fail("", "", "A maximum of 4 blocks with cache_control may be provided. Found %d.", a.marks)
	}
	if a.tooled && len(a.ask.Tools) == 0 {
		a.fail("", "", "Requests which include `tool_use` or `tool_result` blocks must define tools.")
	}
	return a.ask, a.err
}

// say complains about a field in the vendor's form.
func (a *anthropicReader) say(at, format string, args ...any) {
	a.fail("", "", "%s: "+format, append([]any{at}, args...)...)
}

func (a *anthropicReader) extra(at string) {
	if !a.lax {
		a.say(at, "Extra inputs are not permitted")
	}
}

// thread takes what shall be kept of a conversation. All of it is lost at once, as the vendor may lose it at any time.
func (a *anthropicReader) thread() {
	switch thread := obj(a.body, "thread"); {
	case !has(a.body, "thread"):
	case str(thread, "type") == "create" && len(thread) == 1:
	case str(thread, "type") == "continue" && str(thread, "previous_message_id") != "" && len(thread) == 2:
		if a.err == nil {
			a.err = &Error{Status: http.StatusNotFound, Type: "not_found_error", Code: "thread_not_found", Message: "No usable thread was found for `previous_message_id`."}
		}
	default:
		a.say("thread", "Input should be a thread to create or to continue")
	}
}

func (a *anthropicReader) params() {
	n, ok := count(a.body, "max_tokens")
	switch {
	case !ok:
		a.say("max_tokens", "Input should be a valid integer")
	case n < 1:
		a.say("max_tokens", "Input should be greater than or equal to 1")
	}
	a.ask.MaxTokens = n
	a.within("temperature", 1)
	a.within("top_p", 1)
	if k, ok := count(a.body, "top_k"); !ok || k < 0 {
		a.say("top_k", "Input should be greater than or equal to 0")
	}
	for i, v := range list(a.body, "stop_sequences") {
		s, ok := v.(string)
		if !ok || strings.TrimSpace(s) == "" {
			a.say(fmt.Sprintf("stop_sequences.%d", i), "each stop sequence must contain non-whitespace")
		}
		a.ask.Stops = append(a.ask.Stops, s)
	}
	switch v := a.body["stream"].(type) {
	case nil:
	case bool:
		a.ask.Stream = v
	default:
		a.say("stream", "Input should be a valid boolean")
	}
	if key := unknown(obj(a.body, "metadata"), "user_id"); key != "" {
		a.extra("metadata." + key)
	}
	a.account()
	a.mark(a.body)
	a.output()
	for _, key := range []string{"temperature", "top_p", "top_k"} {
		switch {
		case a.lax || !has(a.body, key):
		case a.newest:
			a.extra(key)
		case noSampling.MatchString(a.ask.Model):
			a.fail("", "", "`%s` is deprecated for this model.", key)
		}
	}
}

func (a *anthropicReader) output() {
	oc := obj(a.body, "output_config")
	if key := unknown(oc, "effort", "format", "task_budget"); key != "" {
		a.extra("output_config." + key)
	}
	if e := str(oc, "effort"); e != "" && !slices.Contains([]string{"low", "medium", "high", "xhigh", "max"}, e) {
		a.say("output_config.effort", "Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
	}
	format := obj(oc, "format")
	if format == nil {
		return
	}
	if str(format, "type") != "json_schema" || obj(format, "schema") == nil {
		a.say("output_config.format", "Input should be a json_schema format with a schema")
	}
	if key := unknown(format, "type", "schema"); key != "" {
		a.extra("output_config.format." + key)
	}
	a.ask.Schema = format["schema"]
	if why := strictness(format["schema"], false, true); why != "" {
		a.say("output_config.format.schema", "%s", why)
	}
}

func (a *anthropicReader) within(key string, high float64) {
	v, ok := a.body[key]
	if !ok || v == nil {
		return
	}
	f := number(v)
	switch {
	case jsonType(v) != "a number":
		a.say(key, "Input should be a valid number")
	case f > high:
		a.say(key, "Input should be less than or equal to %g", high)
	case f < 0:
		a.say(key, "Input should be greater than or equal to 0")
	}
}

// mark counts a cache marker.
func (a *anthropicReader) mark(o object) {
	cc := obj(o, "cache_control")
	if cc == nil {
		return
	}
	a.marks++
	if ttl := str(cc, "ttl"); str(cc, "type") != "ephemeral" || ttl != "" && ttl != "5m" && ttl != "1h" {
		a.say("cache_control", "Input should be {\"type\": \"ephemeral\"} with a ttl of '5m' or '1h'")
	}
}

func (a *anthropicReader) system() {
	switch v := a.body["system"].(type) {
	case nil:
	case string:
	case []any:
		for i, e := range v {
			b, _ := e.(object)
			at := fmt.Sprintf("system.%d", i)
			if str(b, "type") != "text" {
				a.say(at+".type", "Input should be 'text'")
			}
			a.textBlock("system", at, b)
		}
	default:
		a.say("system", "Input should be a valid string or list")
	}
	a.ask.System = text(a.body["system"])
}

func (a *anthropicReader) textBlock(where, at string, b object) {
	s, ok := b["text"].(string)
	switch {
	case !ok:
		a.say(at+".text.text", "Field required")
	case s == "":
		a.say(where, "text content blocks must be non-empty")
	case strings.TrimSpace(s) == "":
		a.say(where, "text content blocks must contain non-whitespace text")
	}
	if key := unknown(b, "type", "text", "cache_control", "citations"); key != "" {
		a.extra(at + "." + key)
	}
	a.mark(b)
}

func (a *anthropicReader) thinking() {
	th := obj(a.body, "thinking")
	if th == nil {
		return
	}
	switch kind := str(th, "type"); kind {
	case "disabled":
		return
	case "adaptive":
	case "enabled":
		a.budget = true
		n, ok := count(th, "budget_tokens")
		switch {
		case !a.lax && noBudget.MatchString(a.ask.Model):
			a.fail("", "", "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.")
		case !ok || n < 1024:
			a.say("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024")
		case n >= a.ask.MaxTokens:
			a.fail("", "", "`max_tokens` must be greater than `thinking.budget_tokens`.")
		case has(a.body, "temperature") && number(a.body["temperature"]) != 1:
			a.fail("", "", "`temperature` may only be set to 1 when thinking is enabled.")
		case has(a.body, "top_k"):
			a.fail("", "", "`top_k` must be unset when thinking is enabled.")
		}
		if kind := str(obj(a.body, "tool_choice"), "type"); kind == "any" || kind == "tool" {
			a.fail("", "", "Thinking may not be enabled when tool_choice forces tool use.")
		}
	default:
		a.say("thinking.type", "Input tag '%s' found using 'type' does not match any of the expected tags: 'enabled', 'disabled', 'adaptive'", kind)
	}
	if key := unknown(th, "type", "budget_tokens", "display"); key != "" {
		a.extra("thinking." + key)
	}
	a.ask.Thinking = true
}

func (a *anthropicReader) tools() {
	names := map[string]bool{}
	for i, v := range list(a.body, "tools") {
		t, _ := v.(object)
		if kind := str(t, "type"); kind != "" && kind != "custom" {
			continue // run by the vendor
		}
		at, name := fmt.Sprintf("tools.%d.custom", i), str(t, "name")
		if !isName(name, 128) {
			a.say(at+".name", "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
		}
		if names[name] {
			a.say("tools", "Tool names must be unique.")
		}
		names[name] = true
		if key := unknown(t, "type", "name", "description", "input_schema", "cache_control", "strict", "eager_input_streaming", "defer_loading", "input_examples", "allowed_callers"); key != "" {
			a.extra(at + "." + key)
		}
		a.mark(t)
		a.inputSchema(at+".input_schema", t)
		a.ask.Tools = append(a.ask.Tools, Tool{Name: name, Schema: t["input_schema"]})
	}
	tc := obj(a.body, "tool_choice")
	if tc == nil {
		return
	}
	if len(list(a.body, "tools")) == 0 {
		a.fail("", "", "tool_choice may only be specified while providing tools.")
	}
	a.ask.Parallel = tc["disable_parallel_tool_use"] != true
	switch kind := str(tc, "type"); kind {
	case "auto", "any", "none":
		a.ask.ToolChoice = kind
	case "tool":
		a.ask.ToolChoice = ":" + str(tc, "name")
		if !names[str(tc, "name")] {
			a.fail("", "", "Tool '%s' not found in provided tools", str(tc, "name"))
		}
	default:
		a.say("tool_choice", "Input tag '%s' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'", kind)
	}
	if key := unknown(tc, "type", "name", "disable_parallel_tool_use"); key != "" {
		a.extra("tool_choice." + key)
	}
	if str(tc, "type") == "none" && has(tc, "disable_parallel_tool_use") {
		a.extra("tool_choice.none.disable_parallel_tool_use")
	}
}

func (a *anthropicReader) inputSchema(at string, t object) {
	schema := obj(t, "input_schema")
	switch {
	case schema == nil:
		a.say(at, "Field required")
	case schema["type"] != "object":
		a.say(at+".type", "Input should be 'object'")
	}
	for _, key := range []string{"oneOf", "allOf", "anyOf"} {
		if has(schema, key) {
			a.say(at, "input_schema does not support oneOf, allOf, or anyOf at the top level")
		}
	}
	if t["strict"] == true {
		if why := strictness(schema, false, true); why != "" {
			a.say(at, "%s", why)
		}
	}
}

// turns checks the messages and merges neighbours of the same role.
func (a *anthropicReader) turns() []turn {
	msgs, ok := a.body["messages"].([]any)
	if !ok && has(a.body, "messages") {
		a.say("messages", "Input should be a valid list")
	}
	if len(msgs) == 0 {
		a.say("messages", "at least one message is required")
	}
	var out []turn
	for i, v := range msgs {
		at := fmt.Sprintf("messages.%d", i)
		m, _ := v.(object)
		role := str(m, "role")
		if role == "system" && i > 0 && midSystem.MatchString(a.ask.Model) {
			a.blocks(at, role, m["content"], false)
			continue
		}
		if role != "user" && role != "assistant" {
			a.say(at+".role", "Input should be 'user' or 'assistant'")
		}
		if key := unknown(m, "role", "content"); key != "" {
			a.extra(at + "." + key)
		}
		blocks := a.blocks(at, role, m["content"], i == len(msgs)-1)
		if n := len(out); n > 0 && out[n-1].role == role {
			out[n-1].blocks = append(out[n-1].blocks, blocks...)
		} else {
			out = append(out, turn{role, at, blocks})
		}
	}
	return out
}

func (a *anthropicReader) blocks(at, role string, content any, last bool) []object {
	switch c := content.(type) {
	case string:
		if c == "" && (role == "user" || !last) {
			a.say(at, "%s messages must have non-empty content", role)
		}
		return []object{{"type": "text", "text": c}}
	case []any:
		if len(c) == 0 && (role == "user" || !last) {
			a.say(at, "%s messages must have non-empty content", role)
		}
		var blocks []object
		for i, v := range c {
			b, _ := v.(object)
			a.block(fmt.Sprintf("%s.content.%d", at, i), role, b)
			blocks = append(blocks, b)
		}
		return blocks
	case nil:
		a.say(at+".content", "Field required")
	default:
		a.say(at+".content", "Input should be a valid string or list")
	}
	return nil
}

var anthropicBlocks = map[string][]string{
	"system":    {"text"},
	"user":      {"text", "image", "document", "tool_result", "search_result", "container_upload"},
	"assistant": {"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result"},
}

func (a *anthropicReader) block(at, role string, b object) {
	kind := str(b, "type")
	if !slices.Contains(anthropicBlocks[role], kind) {
		a.say(at, "Input tag '%s' found using 'type' does not match any of the expected tags: '%s'", kind, strings.Join(anthropicBlocks[role], "', '"))
		return
	}
	switch kind {
	case "text":
		a.textBlock("messages", at, b)
		if a.newest && role == "user" && len(list(b, "citations")) > 0 {
			a.extra(at + ".text.citations")
		}
	case "image", "document":
		a.source(at, kind, b)
	case "thinking", "redacted_thinking":
		a.signed(at, kind, b)
	case "tool_use":
		a.tooled = true
		if !idChars.MatchString(str(b, "id")) {
			a.say(at+".tool_use.id", "String should match pattern '^[a-zA-Z0-9_-]+$'")
		}
		if _, ok := b["input"].(object); !ok {
			a.say(at+".tool_use.input", "Input should be a valid dictionary")
		}
		if !isName(str(b, "name"), 128) {
			a.say(at+".tool_use.name", "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
		}
		if key := unknown(b, "type", "id", "name", "input", "cache_control", "caller"); key != "" {
			a.extra(at + ".tool_use." + key)
		}
		a.mark(b)
	case "tool_result":
		a.tooled = true
		a.result(at, b)
	}
}

func (a *anthropicReader) result(at string, b object) {
	if key := unknown(b, "type", "tool_use_id", "content", "is_error", "cache_control"); key != "" {
		a.extra(at + ".tool_result." + key)
	}
	a.mark(b)
	switch c := b["content"].(type) {
	case nil, string:
	case []any:
		for i, v := range c {
			at := fmt.Sprintf("%s.tool_result.content.%d", at, i)
			inner, _ := v.(object)
			switch kind := str(inner, "type"); kind {
			case "text":
				a.textBlock("messages", at, inner)
			case "image", "document":
				a.source(at, kind, inner)
			case "search_result", "tool_reference":
			default:
				a.say(at, "Input tag '%s' found using 'type' does not match any of the expected tags: 'text', 'image', 'document', 'search_result', 'tool_reference'", kind)
			}
		}
	default:
		a.say(at+".tool_result.content", "Input should be a valid string or list")
	}
}

// signed checks that a thinking block comes back as it was made.
func (a *anthropicReader) signed(at, kind string, b object) {
	if has(b, "cache_control") {
		a.say(at+"."+kind+".cache_control", "Extra inputs are not permitted")
	}
	if a.lax {
		return
	}
	if kind == "thinking" {
		if sig := str(b, "signature"); sig != sign(str(b, "thinking")) && !a.s.wasIssued(sig) {
			a.say(at, "Invalid `signature` in `thinking` block")
		}
		return
	}
	if raw, err := base64.StdEncoding.DecodeString(str(b, "data")); (err != nil || !strings.HasPrefix(string(raw), "redacted: ")) && !a.s.wasIssued(str(b, "data")) {
		a.say(at, "Invalid `data` in `redacted_thinking` block")
	}
}

// missingModel is the vendor's 404 for a model it does not serve.
func (anthropic) missingModel(model string) *Error {
	return &Error{Status: http.StatusNotFound, Type: "not_found_error", Message: "model: " + model}
}
