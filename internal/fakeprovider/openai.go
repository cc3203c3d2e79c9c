package fakeprovider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// created is the "created" time of everything; a fixed one keeps answers deterministic.
const created = 1767225600

// openai speaks Chat Completions.
type openai struct{}

// quote writes s as a JSON string, without the HTML escapes of encoding/json. Most pieces of streams, of which there
// are many, need no escape at all.
func quote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		return compact(s)
	}
	return `"` + s + `"`
}

func (openai) authorize(s *Server, r *http.Request) *Error {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || key == "" {
		return &Error{
			Status: http.StatusUnauthorized, Type: "invalid_request_error",
			Message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
		}
	}
	if s.opts.Key != "" && key != s.opts.Key {
		return &Error{
			Status: http.StatusUnauthorized, Type: "invalid_request_error", Code: "invalid_api_key",
			Message: "Incorrect API key provided: " + key[:min(3, len(key))] + "***. You can find your API key at https://platform.openai.com/account/api-keys.",
		}
	}
	return nil
}

func (openai) chatPath() string { return "/v1/chat/completions" }

func (openai) noRoute(method, path string, known bool) *Error {
	if known {
		return &Error{Status: http.StatusMethodNotAllowed, Type: "invalid_request_error", Code: "method_not_supported", Message: "Not allowed to " + method + " on " + path + "."}
	}
	return &Error{Status: http.StatusNotFound, Type: "invalid_request_error", Message: "Invalid URL (" + method + " " + path + ")"}
}

func (openai) notJSON(err error) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: "invalid_request_error",
		Message: "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON: " + err.Error() + ")",
	}
}

func (openai) header(h http.Header, number int64) {
	h.Set("X-Request-Id", fmt.Sprintf("req_%032x", number))
	h.Set("Openai-Organization", "fake-org")
	h.Set("Openai-Processing-Ms", "12")
	h.Set("Openai-Version", "2020-10-01")
	h.Set("X-Ratelimit-Limit-Requests", "10000")
	h.Set("X-Ratelimit-Remaining-Requests", "9999")
	h.Set("X-Ratelimit-Reset-Requests", "6ms")
}

func (openai) errorBody(e *Error, _ int64) []byte {
	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return quote(s)
	}
	return fmt.Appendf(nil, "{\n    \"error\": {\n        \"message\": %s,\n        \"type\": %s,\n        \"param\": %s,\n        \"code\": %s\n    }\n}\n",
		quote(e.Message), quote(e.Type), null(e.Param), null(e.Code))
}

func (openai) errorFrame(e *Error, number int64) frame {
	var b map[string]any
	if err := json.Unmarshal(openai{}.errorBody(e, number), &b); err != nil {
		panic("BUG: fake provider wrote a bad error: " + err.Error())
	}
	return frame{data: compact(b), kind: frameError}
}

func (openai) models(names []string, id string) (string, *Error) {
	one := func(name string) string {
		return fmt.Sprintf(`{"id":%s,"object":"model","created":%d,"owned_by":"fake"}`, quote(name), created)
	}
	var all []string
	for _, n := range names {
		if n == id {
			return one(n), nil
		}
		all = append(all, one(n))
	}
	if id != "" {
		return "", openai{}.missingModel(id)
	}
	return `{"object":"list","data":[` + strings.Join(all, ",") + `]}`, nil
}

// finish returns the finish reason of a reply.
func (openai) finish(r *Reply) string {
	switch {
	case r.Stop != "":
		return r.Stop
	case len(r.ToolCalls) > 0:
		return "tool_calls"
	}
	return "stop"
}

func (openai) usage(u Usage) string {
	prompt := u.Input + u.CacheRead + u.CacheWrite
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		prompt, u.Output, prompt+u.Output, u.CacheRead, u.CacheWrite, u.Reasoning)
}

func (openai) callID(number int64, choice, i int) string {
	return fmt.Sprintf("call_%016d%04d%04d", number, choice, i)
}

// logprobs writes token probabilities of the text parts.
func (openai) logprobs(a Ask, parts ...string) string {
	if !a.Logprobs {
		return "null"
	}
	var tokens []string
	for _, p := range parts {
		var top []string
		for i := range a.TopLogprobs {
			tok := p
			if i > 0 {
				tok = fmt.Sprintf("alt%d", i)
			}
			top = append(top, token(tok, -0.25-float64(i)))
		}
		t := token(p, -0.25)
		tokens = append(tokens, t[:len(t)-1]+`,"top_logprobs":[`+strings.Join(top, ",")+`]}`)
	}
	return `{"content":[` + strings.Join(tokens, ",") + `],"refusal":null}`
}

func token(tok string, logprob float64) string {
	bytes := make([]int, 0, len(tok))
	for _, b := range []byte(tok) {
		bytes = append(bytes, int(b))
	}
	return fmt.Sprintf(`{"token":%s,"logprob":%g,"bytes":%s}`, quote(tok), logprob, compact(bytes))
}

// annotations writes the citations, each over the whole text.
func (openai) annotations(r *Reply) string {
	var all []string
	for _, c := range r.Citations {
		all = append(all, fmt.Sprintf(`{"type":"url_citation","url_citation":{"start_index":0,"end_index":%d,"url":%s,"title":%s}}`, len([]rune(r.Text)), quote(c.URL), quote(c.Title)))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (o openai) unary(a Ask, r *Reply, number int64) []byte {
	var choices []string
	for i := range a.N {
		choices = append(choices, o.choice(a, r, number, i))
	}
	u := r.usage(a)
	u.Output *= a.N
	return fmt.Appendf(nil, `{"id":"chatcmpl-%d","object":"chat.completion","created":%d,"model":%s,"choices":[%s],"usage":%s,"service_tier":%s,"system_fingerprint":"fp_fake"}`,
		number, created, quote(a.Model), strings.Join(choices, ","), o.usage(u), quote(a.served("default")))
}

func (o openai) choice(a Ask, r *Reply, number int64, index int) string {
	content, refusal := "null", "null"
	if r.Text != "" || len(r.ToolCalls) == 0 && r.Refusal == "" {
		content = quote(r.Text)
	}
	if r.Refusal != "" {
		refusal = quote(r.Refusal)
	}
	extra := ""
	if r.Thinking != "" {
		extra += `,"reasoning_content":` + quote(r.Thinking)
	}
	var calls []string
	for i, c := range r.ToolCalls {
		args := c.Arguments
		if args == "" {
			args = "{}"
		}
		calls = append(calls, fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, quote(or(c.ID, o.callID(number, index, i))), quote(c.Name), quote(args)))
	}
	if calls != nil {
		extra += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	logprobs := "null"
	if r.Text != "" {
		logprobs = o.logprobs(a, r.Parts...)
	}
	return fmt.Sprintf(`{"index":%d,"message":{"role":"assistant","content":%s,"refusal":%s,"annotations":%s%s},"logprobs":%s,"finish_reason":%s}`,
		index, content, refusal, o.annotations(r), extra, logprobs, quote(o.finish(r)))
}

// stream writes a whole streamed answer.
func (o openai) stream(a Ask, r *Reply, number int64) []frame {
	head := fmt.Sprintf(`{"id":"chatcmpl-%d","object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":%s,"system_fingerprint":"fp_fake"`, number, created, quote(a.Model), quote(a.served("default")))
	tail := "}"
	if a.Usage {
		tail = `,"usage":null}`
	}
	var fs []frame
	for i := range a.N {
		add := func(kind frameKind, delta, logprobs, finish string) {
			fs = append(fs, frame{kind: kind, data: fmt.Sprintf(`%s,"choices":[{"index":%d,"delta":%s,"logprobs":%s,"finish_reason":%s}]%s`, head, i, delta, logprobs, finish, tail)})
		}
		o.deltas(a, r, number, i, add)
	}
	if a.Usage {
		u := r.usage(a)
		u.Output *= a.N
		fs = append(fs, frame{kind: frameUsage, data: head + `,"choices":[],"usage":` + o.usage(u) + "}"})
	}
	return append(fs, frame{kind: frameDone, data: "[DONE]"})
}

// deltas writes the chunks of one choice.
func (o openai) deltas(a Ask, r *Reply, number int64, choice int, add func(kind frameKind, delta, logprobs, finish string)) {
	start := `""`
	if len(r.Parts) == 0 {
		start = "null"
	}
	add(frameStart, `{"role":"assistant","content":`+start+`,"refusal":null}`, "null", "null")
	for _, w := range words(r.Thinking) {
		add(frameThinking, `{"reasoning_content":`+quote(w)+`}`, "null", "null")
	}
	for _, w := range r.Parts {
		add(frameText, `{"content":`+quote(w)+`}`, o.logprobs(a, w), "null")
	}
	for _, w := range words(r.Refusal) {
		add(frameText, `{"refusal":`+quote(w)+`}`, "null", "null")
	}
	for i, c := range r.ToolCalls {
		add(frameTool, fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]}`, i, quote(or(c.ID, o.callID(number, choice, i))), quote(c.Name)), "null", "null")
		for _, f := range fragments(or(c.Arguments, "{}")) {
			add(frameTool, fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, i, quote(f)), "null", "null")
		}
	}
	if len(r.Citations) > 0 {
		add(frameText, `{"annotations":`+o.annotations(r)+`}`, "null", "null")
	}
	add(frameFinish, `{}`, "null", quote(o.finish(r)))
}

// fragments cuts JSON arguments into pieces of six characters, never inside one.
func fragments(args string) []string {
	var out []string
	for r := []rune(args); len(r) > 0; r = r[min(6, len(r)):] {
		out = append(out, string(r[:min(6, len(r))]))
	}
	return out
}

// or returns s, or def when s is empty.
func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
