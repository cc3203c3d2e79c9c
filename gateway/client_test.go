package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// TestHeartbeatBesideEvents: heartbeats that fall between the events of a stream
// that is being written disturb nothing, and none comes before the start.
func TestHeartbeatBesideEvents(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Heartbeat = 100 * time.Microsecond
	w := newWorld(t, withLimits(limits))
	text := strings.Repeat("wave ", 2000)
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			w.vendors[lead].Enqueue(fakeprovider.Reply{Text: text, FirstDelay: 5 * time.Millisecond})
			got := w.post(a, body(lead, "Hello", true, map[string]any{"max_tokens": 8000}), nil)
			if !got.whole() || got.text != text {
				t.Errorf("%s from %s: got %d bytes of text, ended %q; want %d", a.name, lead, len(got.text), got.ended, len(text))
			}
			start := bytes.Index(got.body, []byte("event: message_start"))
			if ping := bytes.Index(got.body, []byte("event: ping")); start >= 0 && ping >= 0 && ping < start {
				t.Errorf("%s from %s: got a ping before the start: %.200s", a.name, lead, got.body)
			}
		}
	}
}

// TestGoneBeforeContent: a client that leaves before it has anything ends the
// call: nobody else is asked, and the vendor is not blamed.
func TestGoneBeforeContent(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		for _, stream := range []bool{false, true} {
			w := newWorld(t, withTimeouts(route.Timeouts{Connect: time.Second, FirstToken: 20 * time.Second, Answer: 20 * time.Second, Stall: 20 * time.Second, Total: time.Minute}))
			raw, _ := json.Marshal(body(a.own[0]+">"+a.own[1]+"|+first-30s", "Hello", stream))
			ctx, leave := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+a.path, bytes.NewReader(raw))
			for k, v := range a.header {
				req.Header.Set(k, v)
			}
			go func() {
				eventually(t, "the vendor to have the request", func() bool { return w.count(a.own[0]) == 1 })
				leave()
			}()
			if resp, err := http.DefaultClient.Do(req); err == nil {
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				t.Fatalf("%s, stream %v: got status %d, %s; want no answer", a.name, stream, resp.StatusCode, text)
			}
			rec := w.record()
			if len(rec.Attempts) != 1 || rec.Code != llm.CodeClientGone || rec.Attempts[0].Code != llm.CodeClientGone {
				t.Errorf("%s, stream %v: got record %+v, want one attempt, ended by the client", a.name, stream, rec)
			}
			if n := w.count(a.own[1]); n != 0 {
				t.Errorf("%s, stream %v: got %d requests to the understudy, want none", a.name, stream, n)
			}
		}
	}
}

// panicking is a sender with a fault of ours.
type panicking struct{}

func (panicking) Send(context.Context, transport.Request) (*transport.Response, error) {
	panic("BUG: for the test")
}

// TestPanic costs one call, which is settled with the attempt that it happened in.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *gateway.Options, _ *world) { o.Sender = panicking{} })
	for _, a := range apis {
		w.wantError(t, a.name, a, w.post(a, body(a.own[0], "Hello", true), nil), 500)
		rec := w.record()
		if rec.Code != llm.CodeInternal || len(rec.Attempts) != 1 || rec.Attempts[0].Code != llm.CodeInternal {
			t.Errorf("%s: got record %+v, want the attempt in it, as a failure of the gateway", a.name, rec)
		}
	}
}
