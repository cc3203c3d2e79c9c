package fakeprovider

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// anthropic speaks Messages.
type anthropic struct{}

// noSamplingVersion is the version of the API that has no sampling parameters, nor citations in user
// turns (https://platform.claude.com/docs/en/api/versioning).
const noSamplingVersion = "2026-10-21"

// sign makes the signature of a thinking text. Whoever changes the text breaks it.
func sign(thinking string) string {
	sum := sha256.Sum256([]byte("fake provider thinking\x00" + thinking))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// issue remembers opaque values a scripted reply hands out, so that they are accepted back.
func (s *Server) issue(r *Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range []string{r.Signature, r.Redacted} {
		if v != "" {
			s.issued[v] = true
		}
	}
}

func (s *Server) wasIssued(v string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued[v]
}

func (anthropic) authorize(s *Server, r *http.Request) *Error {
	key := r.Header.Get("X-Api-Key")
	fail := func(status int, kind, message string) *Error {
		return &Error{Status: status, Type: kind, Message: message}
	}
	switch {
	case key == "":
		return fail(http.StatusUnauthorized, "authentication_error", "x-api-key header is required")
	case s.opts.Key != "" && key != s.opts.Key:
		return fail(http.StatusUnauthorized, "authentication_error", "invalid x-api-key")
	case r.Header.Get("Anthropic-Version") == "":
		return fail(http.StatusBadRequest, "invalid_request_error", "anthropic-version: header is required")
	case !slices.Contains([]string{"2023-01-01", "2023-06-01", noSamplingVersion}, r.Header.Get("Anthropic-Version")):
		return fail(http.StatusBadRequest, "invalid_request_error", "anthropic-version: \""+r.Header.Get("Anthropic-Version")+"\" is not a valid version")
	}
	return nil
}

func (anthropic) chatPath() string { return "/v1/messages" }

func (anthropic) noRoute(_, _ string, known bool) *Error {
	if known {
		return &Error{Status: http.StatusMethodNotAllowed, Type: "invalid_request_error", Message: "Method Not Allowed"}
	}
	return &Error{Status: http.StatusNotFound, Type: "not_found_error", Message: "Not Found"}
}

func (anthropic) notJSON(err error) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: "The request body is not valid JSON: " + err.Error()}
}

func requestID(number int64) string { return fmt.Sprintf("req_011C%020d", number) }

func (anthropic) header(h http.Header, number int64) {
	h.Set("Request-Id", requestID(number))
	h.Set("Anthropic-Organization-Id", "00000000-0000-4000-8000-000000000001")
	h.Set("Anthropic-Ratelimit-Requests-Limit", "4000")
	h.Set("Anthropic-Ratelimit-Requests-Remaining", "3999")
	h.Set("Anthropic-Ratelimit-Requests-Reset", time.Now().UTC().Add(time.Minute).Format(time.RFC3339))
}

func (anthropic) errorBody(e *Error, number int64) []byte {
	details := ""
	if e.Code != "" {
		details = `,"details":{"error_code":` + quote(e.Code) + `}`
	}
	return fmt.Appendf(nil, `{"type":"error","error":{"type":%s,"message":%s%s},"request_id":%s}`, quote(e.Type), quote(e.Message), details, quote(requestID(number)))
}

func (anthropic) errorFrame(e *Error, number int64) frame {
	return frame{name: "error", data: string(anthropic{}.errorBody(e, number)), kind: frameError}
}

func (anthropic) models(names []string, id string) (string, *Error) {
	one := func(name string) string {
		return fmt.Sprintf(`{"type":"model","id":%s,"display_name":%s,"created_at":"2026-01-01T00:00:00Z","max_input_tokens":200000,"max_tokens":64000}`, quote(name), quote(name))
	}
	var all []string
	for _, n := range names {
		if n == id {
			return one(n), nil
		}
		all = append(all, one(n))
	}
	if id != "" {
		return "", anthropic{}.missingModel(id)
	}
	first, last := "null", "null"
	if len(names) > 0 {
		first, last = quote(names[0]), quote(names[len(names)-1])
	}
	return fmt.Sprintf(`{"data":[%s],"first_id":%s,"last_id":%s,"has_more":false}`, strings.Join(all, ","), first, last), nil
}

// stop returns stop_reason and stop_sequence as JSON.
func (anthropic) stop(r *Reply) (reason, sequence string) {
	sequence = "null"
	switch {
	case r.Stop != "":
		reason = r.Stop
	case r.Refusal != "":
		reason = "refusal"
	case r.StopText != "":
		reason = "stop_sequence"
	case len(r.ToolCalls) > 0:
		reason = "tool_use"
	default:
		reason = "end_turn"
	}
	if r.StopText != "" {
		sequence = quote(r.StopText)
	}
	return quote(reason), sequence
}

func (anthropic) usage(a Ask, u Usage, output int) string {
	details := ""
	if u.Reasoning > 0 && output >= u.Reasoning {
		details = fmt.Sprintf(`,"output_tokens_details":{"thinking_tokens":%d}`, u.Reasoning)
	}
	for _, said := range [][2]string{{"speed", a.Speed}, {"inference_geo", a.Place}} {
		if said[1] != "" {
			details += `,"` + said[0] + `":` + quote(said[1])
		}
	}
	return fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,`+
		`"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":0},"output_tokens":%d%s,"service_tier":%s}`,
		u.Input, u.CacheWrite, u.CacheRead, u.CacheWrite, output, details, quote(a.served("standard")))
}

// block is a content block and the deltas that make it, in the order of a stream.
type block struct {
	start  string   // content_block_start's content_block
	deltas []string // content_block_delta's delta
	whole  string   // as it stands in a unary answer
	kind   frameKind
}

// content writes the blocks of a reply.
func (an anthropic) content(r *Reply, number int64) []block {
	var out []block
	if r.Thinking != "" {
		sig := quote(or(r.Signature, sign(r.Thinking)))
		b := block{kind: frameThinking, start: `{"type":"thinking","thinking":"","signature":""}`}
		for _, w := range words(r.Thinking) {
			b.deltas = append(b.deltas, `{"type":"thinking_delta","thinking":`+quote(w)+`}`)
		}
		b.deltas = append(b.deltas, `{"type":"signature_delta","signature":`+sig+`}`)
		b.whole = `{"type":"thinking","thinking":` + quote(r.Thinking) + `,"signature":` + sig + `}`
		out = append(out, b)
	}
	if r.Redacted != "" {
		whole := `{"type":"redacted_thinking","data":` + quote(r.Redacted) + `}`
		out = append(out, block{kind: frameThinking, start: whole, whole: whole})
	}
	if len(r.Parts) > 0 || r.Refusal != "" {
		out = append(out, an.textContent(r))
	}
	for i, c := range r.ToolCalls {
		head := fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":`, quote(or(c.ID, fmt.Sprintf("toolu_%020d%04d", number, i))), quote(c.Name))
		b := block{kind: frameTool, start: head + "{}}", whole: head + or(c.Arguments, "{}") + "}"}
		b.deltas = append(b.deltas, `{"type":"input_json_delta","partial_json":""}`)
		for _, f := range fragments(c.Arguments) {
			b.deltas = append(b.deltas, `{"type":"input_json_delta","partial_json":`+quote(f)+`}`)
		}
		out = append(out, b)
	}
	return out
}

func (an anthropic) textContent(r *Reply) block {
	parts := r.Parts
	if r.Refusal != "" {
		parts = words(r.Refusal)
	}
	b := block{kind: frameText, start: `{"type":"text","text":""}`}
	for _, w := range parts {
		b.deltas = append(b.deltas, `{"type":"text_delta","text":`+quote(w)+`}`)
	}
	var cites []string
	for _, c := range r.Citations {
		cites = append(cites, fmt.Sprintf(`{"type":"web_search_result_location","url":%s,"title":%s,"encrypted_index":"ZmFrZQ==","cited_text":%s}`, quote(c.URL), quote(c.Title), quote(c.Quote)))
	}
	for _, c := range cites {
		b.deltas = append(b.deltas, `{"type":"citations_delta","citation":`+c+`}`)
	}
	b.whole = `{"type":"text","text":` + quote(strings.Join(parts, ""))
	if cites != nil {
		b.whole += `,"citations":[` + strings.Join(cites, ",") + `]`
	}
	b.whole += `}`
	return b
}

func (an anthropic) unary(a Ask, r *Reply, number int64) []byte {
	var whole []string
	for _, b := range an.content(r, number) {
		whole = append(whole, b.whole)
	}
	reason, sequence := an.stop(r)
	u := r.usage(a)
	return fmt.Appendf(nil, `{"id":"msg_%020d","type":"message","role":"assistant","model":%s,"content":[%s],"stop_reason":%s,"stop_sequence":%s,"usage":%s}`,
		number, quote(a.Model), strings.Join(whole, ","), reason, sequence, an.usage(a, u, u.Output))
}

// stream writes a whole streamed answer.
func (an anthropic) stream(a Ask, r *Reply, number int64) []frame {
	u := r.usage(a)
	var fs []frame
	add := func(kind frameKind, name, rest string) {
		fs = append(fs, frame{name: name, kind: kind, data: `{"type":"` + name + `"` + rest + `}`})
	}
	add(frameStart, "message_start", fmt.Sprintf(`,"message":{"id":"msg_%020d","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":%s}`,
		number, quote(a.Model), an.usage(a, u, 1)))
	for i, b := range an.content(r, number) {
		add(frameOpen, "content_block_start", fmt.Sprintf(`,"index":%d,"content_block":%s`, i, b.start))
		if i == 0 {
			add(framePing, "ping", "")
		}
		for _, d := range b.deltas {
			add(b.kind, "content_block_delta", fmt.Sprintf(`,"index":%d,"delta":%s`, i, d))
		}
		add(frameShut, "content_block_stop", fmt.Sprintf(`,"index":%d`, i))
	}
	reason, sequence := an.stop(r)
	details := ""
	if u.Reasoning > 0 {
		details = fmt.Sprintf(`,"output_tokens_details":{"thinking_tokens":%d}`, u.Reasoning)
	}
	add(frameFinish, "message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%s,"stop_sequence":%s},"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d%s}`,
		reason, sequence, u.Input, u.CacheWrite, u.CacheRead, u.Output, details))
	add(frameDone, "message_stop", "")
	return fs
}
