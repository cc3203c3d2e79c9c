package fakeprovider

import (
	"fmt"
	"net/http"
	"strings"
)

// cohere speaks Cohere's Chat API, version 2.
type cohere struct{}

// statusDenied is the status for a prompt or an answer with a token on the deny list.
const statusDenied = 498

func (cohere) authorize(s *Server, r *http.Request) *Error {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || key == "":
		return &Error{Status: http.StatusUnauthorized, Message: "no api key supplied"}
	case s.opts.Key != "" && key != s.opts.Key:
		return &Error{Status: http.StatusUnauthorized, Message: "invalid api token"}
	}
	return nil
}

func (cohere) chatPath() string { return "/v2/chat" }

func (cohere) noRoute(method, path string, known bool) *Error {
	if known {
		return &Error{Status: http.StatusMethodNotAllowed, Message: "method " + method + " not allowed on " + path}
	}
	return &Error{Status: http.StatusNotFound, Message: "page not found"}
}

func (cohere) missingModel(model string) *Error {
	return &Error{
		Status:  http.StatusNotFound,
		Message: "model '" + model + "' not found, make sure the correct model ID was used and that you have access to the model.",
	}
}

func (cohere) notJSON(err error) *Error {
	return &Error{Status: http.StatusBadRequest, Message: "invalid request: the body is not JSON: " + err.Error()}
}

func (cohere) header(h http.Header, number int64) {
	h.Set("X-Debug-Trace-Id", fmt.Sprintf("%032x", number))
	h.Set("X-Endpoint-Monthly-Call-Limit", "1000")
	h.Set("X-Trial-Endpoint-Call-Limit", "20")
	h.Set("X-Trial-Endpoint-Call-Remaining", "19")
}

func (c cohere) errorBody(e *Error, number int64) []byte {
	return fmt.Appendf(nil, `{"id":%s,"message":%s}`, quote(c.id(number)), quote(e.Message))
}

func (cohere) id(number int64) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", number) }

// errorFrame ends a stream: the dialect has no event of its own for errors.
func (c cohere) errorFrame(e *Error, _ int64) frame {
	f := c.event("message-end", -1, `"delta":{"finish_reason":"ERROR","usage":{},"error":`+quote(e.Message)+`}`)
	f.kind = frameError
	return f
}

// message is an error in the vendor's words.
func (cohere) message(e vendorError) string {
	switch e.name {
	case "context-400":
		return "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs."
	case "quota-429":
		return "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits."
	case "concurrency-429":
		return "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits."
	case "auth-401":
		return "invalid api token"
	}
	return "invalid request: " + e.openai.message
}

func (c cohere) models(names []string, id string) (string, *Error) {
	one := func(name string) string {
		return fmt.Sprintf(`{"name":%s,"is_deprecated":false,"endpoints":["chat"],"finetuned":false,"context_length":128000}`, quote(name))
	}
	var all []string
	for _, n := range names {
		if n == id {
			return one(n), nil
		}
		all = append(all, one(n))
	}
	if id != "" {
		return "", c.missingModel(id)
	}
	return `{"models":[` + strings.Join(all, ",") + `]}`, nil
}

// finish returns the finish reason of a reply.
func (cohere) finish(r *Reply) string {
	switch {
	case r.Stop != "":
		return r.Stop
	case len(r.ToolCalls) > 0:
		return "TOOL_CALL"
	case r.StopText != "":
		return "STOP_SEQUENCE"
	}
	return "COMPLETE"
}

// usage writes token counts. The vendor's own preamble is counted and not billed.
func (cohere) usage(u Usage) string {
	const preamble = 480
	in := u.Input + u.CacheRead + u.CacheWrite
	return fmt.Sprintf(`{"billed_units":{"input_tokens":%d,"output_tokens":%d},"tokens":{"input_tokens":%d,"output_tokens":%d},"cached_tokens":%d}`,
		in, u.Output, in+preamble, u.Output, u.CacheRead)
}

func (cohere) call(i int, number int64, c ToolCall, args string) string {
	return fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`,
		quote(or(c.ID, fmt.Sprintf("%s_%08d%04d", c.Name, number, i))), quote(c.Name), quote(args))
}

// citation writes a citation of the whole text.
func (cohere) citation(r *Reply, c Citation, index int) string {
	return fmt.Sprintf(`{"start":0,"end":%d,"text":%s,"sources":[{"type":"document","id":%s,"document":{"id":%s,"title":%s,"url":%s,"snippet":%s}}],"type":"TEXT_CONTENT","content_index":%d}`,
		len([]rune(r.Text)), quote(r.Text), quote(c.Title), quote(c.Title), quote(c.Title), quote(c.URL), quote(c.Quote), index)
}

func (cohere) logprob(part string) string {
	return fmt.Sprintf(`{"text":%s,"token_ids":[%d],"logprobs":[-0.25]}`, quote(part), len(part))
}

// said is the text of a reply; the vendor refuses in plain words.
func (cohere) said(r *Reply) []string {
	if r.Refusal != "" {
		return words(r.Refusal)
	}
	return r.Parts
}

func (c cohere) unary(a Ask, r *Reply, number int64) []byte {
	var content, calls, cites []string
	if r.Thinking != "" {
		content = append(content, `{"type":"thinking","thinking":`+quote(r.Thinking)+`}`)
	}
	said, plan := strings.Join(c.said(r), ""), ""
	switch {
	case len(r.ToolCalls) > 0 && said != "":
		plan = `,"tool_plan":` + quote(said)
	case len(r.ToolCalls) == 0:
		content = append(content, `{"type":"text","text":`+quote(said)+`}`)
	}
	for i, call := range r.ToolCalls {
		calls = append(calls, c.call(i, number, call, or(call.Arguments, "{}")))
	}
	for _, cite := range r.Citations {
		cites = append(cites, c.citation(r, cite, max(len(content)-1, 0)))
	}
	list := func(key string, items []string) string {
		if len(items) == 0 {
			return ""
		}
		return `,"` + key + `":[` + strings.Join(items, ",") + `]`
	}
	logprobs := ""
	if a.Logprobs && said != "" {
		logprobs = `,"logprobs":[` + c.logprob(said) + `]`
	}
	return fmt.Appendf(nil, `{"id":%s,"message":{"role":"assistant"%s%s%s%s},"finish_reason":%s,"usage":%s%s}`,
		quote(c.id(number)), list("content", content), plan, list("tool_calls", calls), list("citations", cites), quote(c.finish(r)), c.usage(r.usage(a)), logprobs)
}

// nothing is an answer without content and without a reason.
func (c cohere) nothing(number int64, content string) []byte {
	return fmt.Appendf(nil, `{"id":%s,"message":{"role":"assistant","content":%s},"usage":%s}`, quote(c.id(number)), content, c.usage(Usage{Input: 9}))
}

// event writes an event; an index below zero is none.
func (cohere) event(kind string, index int, rest string) frame {
	at := ""
	if index >= 0 {
		at = fmt.Sprintf(`,"index":%d`, index)
	}
	if rest != "" {
		rest = "," + rest
	}
	return frame{name: kind, data: `{"type":` + quote(kind) + at + rest + `}`}
}

// stream writes a whole streamed answer. Contents and calls are counted apart; each kind of content from 0.
func (c cohere) stream(a Ask, r *Reply, number int64) []frame {
	var fs []frame
	add := func(kind frameKind, event string, index int, message string) {
		rest := ""
		if message != "" {
			rest = `"delta":{"message":{` + message + `}}`
		}
		f := c.event(event, index, rest)
		f.kind = kind
		fs = append(fs, f)
	}
	fs = append(fs, frame{
		name: "message-start", kind: frameStart,
		data: `{"id":` + quote(c.id(number)) + `,"type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`,
	})
	if r.Thinking != "" {
		add(frameOpen, "content-start", 0, `"content":{"type":"thinking","thinking":""}`)
		for _, w := range words(r.Thinking) {
			add(frameThinking, "content-delta", 0, `"content":{"thinking":`+quote(w)+`}`)
		}
		add(frameShut, "content-end", 0, "")
	}
	said := c.said(r)
	if len(r.ToolCalls) > 0 {
		for _, w := range said {
			add(frameText, "tool-plan-delta", -1, `"tool_plan":`+quote(w))
		}
	} else {
		fs = c.text(fs, a, r, said)
	}
	for i, call := range r.ToolCalls {
		add(frameTool, "tool-call-start", i, `"tool_calls":`+c.call(i, number, call, ""))
		for _, f := range fragments(or(call.Arguments, "{}")) {
			add(frameTool, "tool-call-delta", i, `"tool_calls":{"function":{"arguments":`+quote(f)+`}}`)
		}
		add(frameShut, "tool-call-end", i, "")
	}
	end := c.event("message-end", -1, `"delta":{"finish_reason":`+quote(c.finish(r))+`,"usage":`+c.usage(r.usage(a))+`}`)
	end.kind = frameFinish
	return append(fs, end, frame{data: "[DONE]", kind: frameDone})
}

// text writes the content that is text, with its citations before its end.
func (c cohere) text(fs []frame, a Ask, r *Reply, said []string) []frame {
	add := func(kind frameKind, event string, index int, rest string) {
		f := c.event(event, index, rest)
		f.kind = kind
		fs = append(fs, f)
	}
	add(frameOpen, "content-start", 0, `"delta":{"message":{"content":{"type":"text","text":""}}}`)
	for _, w := range said {
		rest := `"delta":{"message":{"content":{"text":` + quote(w) + `}}}`
		if a.Logprobs {
			rest += `,"logprobs":` + c.logprob(w)
		}
		add(frameText, "content-delta", 0, rest)
	}
	index := 0
	if r.Thinking != "" {
		index = 1
	}
	for i, cite := range r.Citations {
		add(frameText, "citation-start", i, `"delta":{"message":{"citations":`+c.citation(r, cite, index)+`}}`)
		add(frameShut, "citation-end", i, "")
	}
	add(frameShut, "content-end", 0, "")
	return fs
}
