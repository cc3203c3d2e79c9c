package fakeprovider

import (
	"fmt"
	"net/http"
	"strings"
)

// ollama speaks Ollama's chat API. A local server asks for no key.
type ollama struct{}

func (ollama) authorize(s *Server, r *http.Request) *Error {
	if s.opts.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.opts.Key {
		return &Error{Status: http.StatusUnauthorized, Message: "unauthorized"}
	}
	return nil
}

func (ollama) chatPath() string { return "/api/chat" }

func (ollama) noRoute(_, _ string, known bool) *Error {
	if known {
		return &Error{Status: http.StatusMethodNotAllowed, Message: "405 method not allowed"}
	}
	return &Error{Status: http.StatusNotFound, Message: "404 page not found"}
}

func (ollama) missingModel(model string) *Error {
	return &Error{Status: http.StatusNotFound, Message: "model '" + model + "' not found"}
}

func (ollama) notJSON(err error) *Error {
	return &Error{Status: http.StatusBadRequest, Message: err.Error()}
}

func (ollama) header(http.Header, int64) {}

func (ollama) errorBody(e *Error, _ int64) []byte {
	return fmt.Appendf(nil, `{"error":%s}`, quote(e.Message))
}

func (o ollama) errorFrame(e *Error, number int64) frame {
	return frame{data: string(o.errorBody(e, number)), kind: frameError, form: formLine}
}

// message is an error in the server's words.
func (ollama) message(e vendorError) string {
	if e.name == "context-400" {
		return "the input length exceeds the context length"
	}
	return strings.ToLower(e.openai.message)
}

func (o ollama) models(names []string, _ string) (string, *Error) {
	var all []string
	for _, n := range names {
		all = append(all, fmt.Sprintf(`{"name":%s,"model":%s,"modified_at":%q,"size":1000,"digest":"0000","details":{"format":"gguf","family":"fake"}}`, quote(n), quote(n), o.time()))
	}
	return `{"models":[` + strings.Join(all, ",") + `]}`, nil
}

// time is that of everything.
func (ollama) time() string { return "2026-01-01T00:00:00.000000001Z" }

// line writes an answer or a piece of one: the members of its message, and what follows that.
func (o ollama) line(a Ask, message, rest string) string {
	return fmt.Sprintf(`{"model":%s,"created_at":%q,"message":{"role":"assistant",%s},%s}`, quote(a.Model), o.time(), message, rest)
}

// done is what the last line has beside its message.
func (ollama) done(a Ask, r *Reply) string {
	u := r.usage(a)
	return fmt.Sprintf(`"done":true,"done_reason":%s,"total_duration":1000000,"load_duration":1000,"prompt_eval_count":%d,"prompt_eval_duration":1000,"eval_count":%d,"eval_duration":1000`,
		quote(or(r.Stop, "stop")), u.Input+u.CacheRead+u.CacheWrite, u.Output)
}

func (ollama) call(c ToolCall, index int) string {
	return fmt.Sprintf(`{"function":{"index":%d,"name":%s,"arguments":%s}}`, index, quote(c.Name), or(c.Arguments, "{}"))
}

// logprobs writes token probabilities, and a comma after them.
func (ollama) logprobs(a Ask, parts ...string) string {
	if !a.Logprobs || len(parts) == 0 {
		return ""
	}
	var tokens []string
	for _, p := range parts {
		var top []string
		for i := range a.TopLogprobs {
			top = append(top, token(p, -0.25-float64(i)))
		}
		t := token(p, -0.25)
		tokens = append(tokens, t[:len(t)-1]+`,"top_logprobs":[`+strings.Join(top, ",")+`]}`)
	}
	return `"logprobs":[` + strings.Join(tokens, ",") + `],`
}

func (o ollama) unary(a Ask, r *Reply, _ int64) []byte {
	said := r.Parts
	if r.Refusal != "" {
		said = words(r.Refusal)
	}
	message := `"content":` + quote(strings.Join(said, ""))
	if r.Thinking != "" {
		message += `,"thinking":` + quote(r.Thinking)
	}
	var calls []string
	for i, c := range r.ToolCalls {
		calls = append(calls, o.call(c, i))
	}
	if calls != nil {
		message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	return []byte(o.line(a, message, o.logprobs(a, said...)+o.done(a, r)))
}

// stream writes a whole streamed answer.
func (o ollama) stream(a Ask, r *Reply, _ int64) []frame {
	var fs []frame
	add := func(kind frameKind, message, rest string) {
		fs = append(fs, frame{data: o.line(a, message, rest), kind: kind, form: formLine})
	}
	add(frameStart, `"content":""`, `"done":false`)
	for _, w := range words(r.Thinking) {
		add(frameThinking, `"content":"","thinking":`+quote(w), `"done":false`)
	}
	said := r.Parts
	if r.Refusal != "" {
		said = words(r.Refusal)
	}
	for _, w := range said {
		add(frameText, `"content":`+quote(w), o.logprobs(a, w)+`"done":false`)
	}
	for i, c := range r.ToolCalls {
		add(frameTool, `"content":"","tool_calls":[`+o.call(c, i)+`]`, `"done":false`)
	}
	add(frameFinish, `"content":""`, o.done(a, r))
	return fs
}
