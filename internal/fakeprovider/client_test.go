package fakeprovider

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start returns a running server that the test closes.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s := New(o)
	if _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// client returns a client with its own connections.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

var paths = map[string]string{Chat: "/v1/chat/completions", Messages: "/v1/messages"}

// bodyFor is a request of the given vendor.
func bodyFor(vendor, model string, stream bool) string {
	b := object{"model": model, "messages": []any{object{"role": "user", "content": "Tell me something nice about Oslo please"}}}
	if stream {
		b["stream"] = true
	}
	if vendor == Messages {
		b["max_tokens"] = 1000
	} else if stream {
		b["stream_options"] = object{"include_usage": true}
	}
	return compact(b)
}

func request(ctx context.Context, t *testing.T, s *Server, vendor, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.RootURL()+paths[vendor], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer k")
	if vendor == Messages {
		r.Header.Set("X-Api-Key", "k")
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	return r
}

// heard is what a client learned from one exchange.
type heard struct {
	status int
	header http.Header
	body   string
	err    error // of the connection
}

func (h heard) timedOut() bool { return errors.Is(h.err, context.DeadlineExceeded) }

// send makes one request and reads at most 4 MiB of the answer.
func send(t *testing.T, c *http.Client, s *Server, vendor, body string, patience time.Duration, change func(*http.Request)) heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := request(ctx, t, s, vendor, body)
	if change != nil {
		change(r)
	}
	resp, err := c.Do(r)
	if err != nil {
		return heard{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return heard{resp.StatusCode, resp.Header, string(b), err}
}

// ask sends a well-formed request and wants a 200.
func ask(t *testing.T, s *Server, vendor, body string) heard {
	t.Helper()
	h := send(t, client(t), s, vendor, body, patience, nil)
	if h.status != 200 || h.err != nil {
		t.Fatalf("%s: got %d %q %v want 200", vendor, h.status, h.body, h.err)
	}
	return h
}

// events splits an event stream as the standard says, and returns the data of each event.
func events(body string) []string {
	body = strings.TrimPrefix(body, "\xef\xbb\xbf")
	body = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body)
	var out []string
	for _, blk := range strings.Split(body, "\n\n") {
		var data []string
		for _, line := range strings.Split(blk, "\n") {
			if v, ok := strings.CutPrefix(line, "data:"); ok {
				data = append(data, strings.TrimPrefix(v, " "))
			}
		}
		if data != nil {
			out = append(out, strings.Join(data, "\n"))
		}
	}
	return out
}

// reply is an answer as a client understands it, whatever the vendor and whether streamed or not.
type reply struct {
	text, thinking, stop string
	calls                map[string]string // arguments by id
	order                []string          // ids
	started, done        bool
	content              int // deltas with content
	in, out              int64
	bad                  string // what was wrong
	errorType            string
}

func (r *reply) fail(why string) {
	if r.bad == "" {
		r.bad = why
	}
}

// decode is a strict JSON reading of one event.
func decode(s string) (object, error) {
	return decodeObject([]byte(s))
}

func at(o any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := o.(object)
			o = m[k]
		case int:
			l, _ := o.([]any)
			if k >= len(l) {
				return nil
			}
			o = l[k]
		}
	}
	return o
}

func textAt(o any, path ...any) string {
	s, _ := at(o, path...).(string)
	return s
}

func intAt(o any, path ...any) int64 {
	n, _ := at(o, path...).(json.Number)
	i, _ := n.Int64()
	return i
}

// readStream understands a stream; an unfinished one has done and stop empty.
func readStream(vendor, body string) *reply {
	r := &reply{calls: map[string]string{}}
	ids := map[int64]string{}
	for _, data := range events(body) {
		if r.done {
			break
		}
		if data == "[DONE]" {
			r.done = true
			continue
		}
		o, err := decode(data)
		if err != nil {
			r.fail("not JSON: " + data)
			return r
		}
		if at(o, "error") != nil {
			r.errorType = textAt(o, "error", "type")
			r.fail("error event")
			return r
		}
		if vendor == Chat {
			r.chunk(o, ids)
		} else {
			r.event(o, ids)
		}
	}
	return r
}

func (r *reply) chunk(o object, ids map[int64]string) {
	if u := at(o, "usage"); u != nil {
		r.in, r.out = intAt(u, "prompt_tokens"), intAt(u, "completion_tokens")
	}
	d := at(o, "choices", 0, "delta")
	if at(d, "role") != nil {
		r.started = true
	}
	for _, key := range []string{"content", "refusal"} {
		if s := textAt(d, key); s != "" {
			r.content++
			r.text += s
		}
	}
	r.thinking += textAt(d, "reasoning_content")
	if c := at(d, "tool_calls", 0); c != nil {
		i := intAt(c, "index")
		if id := textAt(c, "id"); id != "" {
			ids[i] = id
			r.order = append(r.order, id)
		}
		if ids[i] == "" {
			r.fail("fragment of an unknown call")
		}
		r.content++
		r.calls[ids[i]] += textAt(c, "function", "arguments")
	}
	if s := textAt(o, "choices", 0, "finish_reason"); s != "" {
		r.stop = s
	}
}

func (r *reply) event(o object, ids map[int64]string) {
	i := intAt(o, "index")
	switch textAt(o, "type") {
	case "message_start":
		r.started = true
		r.in = intAt(o, "message", "usage", "input_tokens")
	case "content_block_start":
		ids[i] = "open"
		if id := textAt(o, "content_block", "id"); id != "" {
			ids[i] = id
			r.order = append(r.order, id)
			r.calls[id] = ""
		}
	case "content_block_delta":
		if !r.started || ids[i] == "" {
			r.fail("delta without its start")
			return
		}
		r.content++
		r.text += textAt(o, "delta", "text")
		r.thinking += textAt(o, "delta", "thinking")
		if s := textAt(o, "delta", "partial_json"); s != "" {
			r.calls[ids[i]] += s
		}
	case "content_block_stop":
		delete(ids, i)
	case "message_delta":
		r.out = max(r.out, intAt(o, "usage", "output_tokens"))
		if s := textAt(o, "delta", "stop_reason"); s != "" {
			r.stop = s
		}
	case "message_stop":
		r.done = true
	}
}

// readUnary understands a unary answer.
func readUnary(vendor, body string) *reply {
	r := &reply{calls: map[string]string{}}
	o, err := decode(strings.TrimPrefix(body, "\xef\xbb\xbf"))
	if err != nil {
		r.fail("not JSON")
		return r
	}
	if at(o, "error") != nil {
		r.errorType = textAt(o, "error", "type")
		r.fail("error body")
		return r
	}
	if vendor == Chat {
		m := at(o, "choices", 0, "message")
		r.text = textAt(m, "content") + textAt(m, "refusal")
		r.thinking = textAt(m, "reasoning_content")
		r.stop = textAt(o, "choices", 0, "finish_reason")
		r.in, r.out = intAt(o, "usage", "prompt_tokens"), intAt(o, "usage", "completion_tokens")
		calls, _ := at(m, "tool_calls").([]any)
		for _, c := range calls {
			r.order = append(r.order, textAt(c, "id"))
			r.calls[textAt(c, "id")] = textAt(c, "function", "arguments")
		}
		return r
	}
	r.stop = textAt(o, "stop_reason")
	r.in, r.out = intAt(o, "usage", "input_tokens"), intAt(o, "usage", "output_tokens")
	blocks, _ := at(o, "content").([]any)
	for _, b := range blocks {
		r.text += textAt(b, "text")
		r.thinking += textAt(b, "thinking")
		if textAt(b, "type") == "tool_use" {
			r.order = append(r.order, textAt(b, "id"))
			r.calls[textAt(b, "id")] = compact(at(b, "input"))
		}
	}
	return r
}
