package fakeprovider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var cohereFields = []string{
	"citation_options", "documents", "frequency_penalty", "k", "logprobs", "max_tokens", "messages", "model", "p", "presence_penalty",
	"priority", "response_format", "safety_mode", "seed", "stop_sequences", "stream", "strict_tools", "temperature", "thinking",
	"tool_choice", "tools",
}

var cohereName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// cohereReader validates a chat request and reads what the model is asked.
type cohereReader struct {
	*check
	body object
	ask  Ask
}

func (cohere) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	c := &cohereReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: CohereChat, ToolChoice: "auto", Parallel: true, N: 1, Tokens: len(compact(body))/4 + 1}}
	c.ask.Model, c.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		c.bad("model is required")
	}
	if key := unknown(body, cohereFields...); key != "" && !c.lax {
		c.bad("unknown field: parameter '%s' is not a valid field", key)
	}
	c.tools()
	c.messages()
	c.documents()
	c.sampling()
	c.output()
	return c.ask, c.err
}

// bad complains in the vendor's form.
func (c *cohereReader) bad(format string, args ...any) {
	c.fail("", "", "%s", "invalid request: "+fmt.Sprintf(format, args...))
}

func (c *cohereReader) messages() {
	msgs := list(c.body, "messages")
	if len(msgs) == 0 {
		c.bad("messages must not be empty")
	}
	open, known := []string{}, map[string]bool{}
	role := ""
	for i, v := range msgs {
		m, _ := v.(object)
		role = str(m, "role")
		if len(open) > 0 && role != "tool" {
			c.bad("all tool calls must be followed by their results: %s", strings.Join(open, ", "))
		}
		switch role {
		case "system":
			if i > 0 {
				c.fail("", "", "system turn must be the first in the list")
			}
			c.content(m, "text")
			c.ask.System = text(m["content"])
		case "user":
			c.ask.Media, c.ask.Results = nil, nil
			c.content(m, "text", "image_url")
			c.ask.Text = text(m["content"])
		case "assistant":
			c.ask.Results = nil
			open = c.assistant(m, known)
		case "tool":
			if len(c.ask.Results) == 0 {
				c.ask.Rounds++
			}
			at := slices.Index(open, str(m, "tool_call_id"))
			if at < 0 {
				c.bad("tool call id %s not found in previous tool calls", quote(str(m, "tool_call_id")))
				continue
			}
			open = slices.Delete(slices.Clone(open), at, at+1)
			c.content(m, "text", "document")
			c.ask.Results = append(c.ask.Results, text(m["content"]))
			c.ask.Media = nil
		default:
			c.bad("invalid role in message at index %d. Role must be one of the following: user, assistant, system, tool", i)
		}
	}
	if len(open) > 0 || role == "assistant" || role == "system" {
		c.bad("the last message must be from the user or a tool")
	}
}

// content checks a message's content and notes its images.
func (c *cohereReader) content(m object, kinds ...string) {
	if s, ok := m["content"].(string); ok {
		if s == "" {
			c.fail("", "", "message must not be empty in a turn")
		}
		return
	}
	blocks := list(m, "content")
	if len(blocks) == 0 {
		c.fail("", "", "message must not be empty in a turn")
	}
	for _, v := range blocks {
		b, _ := v.(object)
		kind := str(b, "type")
		if !slices.Contains(kinds, kind) {
			c.bad("content of type %s is not supported in a message of role %s", quote(kind), str(m, "role"))
		}
		if key := unknown(b, "type", kind); key != "" && !c.lax {
			c.bad("unknown field: parameter '%s' is not a valid field", key)
		}
		switch kind {
		case "image_url":
			c.image(str(obj(b, "image_url"), "url"))
		case "document":
			if len(obj(obj(b, "document"), "data")) == 0 {
				c.bad("a document must have data")
			}
		default:
			if _, ok := b[kind].(string); !ok {
				c.bad("content of type %s has none", quote(kind))
			}
		}
	}
}

func (c *cohereReader) image(url string) {
	if strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		c.ask.Media = append(c.ask.Media, Media{Type: "image", Ref: url})
		return
	}
	kind, b, err := dataURI(url)
	if err != nil || !slices.Contains(imageTypes, kind) || len(b) == 0 {
		c.bad("image is not a valid URL or data URI")
	}
	c.ask.Media = append(c.ask.Media, Media{Type: kind, Size: len(b)})
}

// assistant checks a turn of the model and returns the ids of its calls.
func (c *cohereReader) assistant(m object, known map[string]bool) []string {
	if has(m, "content") {
		c.content(m, "text", "thinking")
	} else if !has(m, "tool_calls") {
		c.fail("", "", "message must not be empty in a turn")
	}
	if has(m, "tool_plan") && !has(m, "tool_calls") {
		c.bad("tool_plan must come with tool_calls")
	}
	ids := []string{}
	for _, v := range list(m, "tool_calls") {
		call, _ := v.(object)
		id, fn := str(call, "id"), obj(call, "function")
		var args object
		switch err := json.Unmarshal([]byte(str(fn, "arguments")), &args); {
		case id == "" || known[id]:
			c.bad("tool call ids must not be empty or duplicated: %s", quote(id))
		case !cohereName.MatchString(str(fn, "name")):
			c.bad("tool call name %s is not valid", quote(str(fn, "name")))
		case err != nil:
			c.bad("tool call arguments must be a JSON object")
		}
		known[id] = true
		ids = append(ids, id)
	}
	return ids
}

func (c *cohereReader) tools() {
	strict := c.body["strict_tools"] == true
	for _, v := range list(c.body, "tools") {
		t, _ := v.(object)
		fn := obj(t, "function")
		params := obj(fn, "parameters")
		switch {
		case str(t, "type") != "function":
			c.bad("tool type must be function")
		case !cohereName.MatchString(str(fn, "name")):
			c.bad("tool name %s is not valid: it can only contain letters, digits and underscores, and must not begin with a digit", quote(str(fn, "name")))
		case params == nil:
			c.bad("tool parameters are required")
		case strict && len(list(params, "required")) == 0:
			c.bad("strict tools must have at least one required parameter")
		}
		if key := unknown(fn, "name", "description", "parameters"); key != "" && !c.lax {
			c.bad("unknown field: parameter '%s' is not a valid field", key)
		}
		c.ask.Tools = append(c.ask.Tools, Tool{Name: str(fn, "name"), Schema: params})
	}
	if !has(c.body, "tool_choice") {
		return
	}
	switch strings.ToUpper(str(c.body, "tool_choice")) {
	case "NONE":
		c.ask.ToolChoice = "none"
	case "REQUIRED":
		c.ask.ToolChoice = "any"
		if len(c.ask.Tools) == 0 {
			c.bad("tool_choice REQUIRED needs tools")
		}
	default:
		c.bad("tool_choice must be one of REQUIRED, NONE")
	}
}

// documents notes the documents, each as a medium whose reference is its id.
func (c *cohereReader) documents() {
	for i, v := range list(c.body, "documents") {
		d, isObject := v.(object)
		id := fmt.Sprintf("doc:%d", i)
		if isObject {
			id = or(str(d, "id"), id)
			if len(obj(d, "data")) == 0 {
				c.bad("a document must have data")
			}
		}
		c.ask.Media = append(c.ask.Media, Media{Type: "document", Ref: id})
	}
	if has(c.body, "response_format") && (len(list(c.body, "documents")) > 0 || len(c.ask.Tools) > 0) {
		c.bad("response_format is not supported with RAG.")
	}
}

func (c *cohereReader) sampling() {
	for key, between := range map[string][2]float64{
		"temperature": {0, 1}, "p": {0.01, 0.99}, "k": {0, 500}, "frequency_penalty": {0, 1}, "presence_penalty": {0, 1},
		"seed": {0, 1 << 64}, "max_tokens": {1, 1 << 31}, "priority": {0, 999},
	} {
		if n := number(c.body[key]); has(c.body, key) && (n < between[0] || n > between[1]) {
			c.bad("%s must be between %v and %v inclusive", key, between[0], between[1])
		}
	}
	c.ask.MaxTokens, _ = count(c.body, "max_tokens")
	stops := list(c.body, "stop_sequences")
	if len(stops) > 5 {
		c.bad("at most 5 stop_sequences are allowed")
	}
	for _, v := range stops {
		s, _ := v.(string)
		c.ask.Stops = append(c.ask.Stops, s)
	}
	c.ask.Logprobs = c.body["logprobs"] == true
	if mode := str(c.body, "safety_mode"); has(c.body, "safety_mode") && !slices.Contains([]string{"CONTEXTUAL", "STRICT", "OFF"}, mode) {
		c.bad("safety_mode %s is not supported", quote(mode))
	}
}

func (c *cohereReader) output() {
	c.ask.Stream, c.ask.Usage = c.body["stream"] == true, true
	if t := obj(c.body, "thinking"); has(c.body, "thinking") {
		c.ask.Thinking = str(t, "type") == "enabled"
		if budget, ok := count(t, "token_budget"); !ok || has(t, "token_budget") && budget < 1 || !slices.Contains([]string{"enabled", "disabled"}, str(t, "type")) {
			c.bad("thinking is not valid")
		}
	}
	if !has(c.body, "response_format") {
		return
	}
	rf := obj(c.body, "response_format")
	switch str(rf, "type") {
	case "json_object":
		c.ask.JSON, c.ask.Schema = true, rf["json_schema"]
	case "text":
	default:
		c.bad("response_format type must be text or json_object")
	}
}
