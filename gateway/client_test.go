package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
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
// call: nobody else is asked, and the vendor is not blamed (F26).
func TestGoneBeforeContent(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		for _, stream := range []bool{false, true} {
			w := newWorld(t, withTimeouts(patient()))
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

// TestPanic costs one call, which is settled with the attempt that it happened in (I9).
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

// TestManyCancelledStreams: what 200 streams took is given back when their clients
// have left.
func TestManyCancelledStreams(t *testing.T) {
	w := newWorld(t)
	warm := w.post(chatAPI, body("claude1", "Hello", true), nil)
	if !warm.whole() {
		t.Fatalf("got %v, want an answer", warm)
	}
	files := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc to count open files in")
		}
		return len(open)
	}
	goroutines, before := runtime.NumGoroutine(), files()
	client := &http.Client{Transport: &http.Transport{}}
	var wg sync.WaitGroup
	for i := range 200 {
		a := apis[i%2]
		lead := []string{a.own[0], a.other[0]}[i/2%2]
		raw, _ := json.Marshal(body(lead+">"+a.own[1]+"|+chunks-500+delay-10ms", "Hello", true))
		wg.Go(func() {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+a.path, bytes.NewReader(raw))
			for k, v := range a.header {
				req.Header.Set(k, v)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = resp.Body.Read(make([]byte, 100))
			leave()
			_ = resp.Body.Close()
		})
	}
	wg.Wait()
	w.record()
	const slack = 10 // connections of the first call, and what runs besides
	client.CloseIdleConnections()
	w.pool.Close()
	streaming := func() (ids []string) {
		for id := range w.vendors {
			if w.vendors[id].OpenStreams() > 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		nowRunning, nowOpen, open := runtime.NumGoroutine(), files(), streaming()
		if nowRunning <= goroutines+slack && nowOpen <= before+slack && len(open) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d goroutines, %d files and streams open at %v, want about %d and %d as before, and none", nowRunning, nowOpen, open, goroutines, before)
		}
	}
}

// TestOldClients: a client of HTTP/1.0 gets a stream that ends with the connection,
// and the error in it; one that wants the connection closed gets it closed; and
// requests that come together are answered in order.
func TestOldClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	talk := func(requests ...string) string {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, strings.Join(requests, ""))
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("got %v after %q, want the end of the connection", err, got)
		}
		return string(got)
	}
	request := func(proto, header, model string) string {
		raw, _ := json.Marshal(body(model, "Hello", true))
		return fmt.Sprintf("POST /v1/chat/completions %s\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", proto, header, len(raw), raw)
	}
	for _, lead := range []string{"chat1", "claude1"} {
		if got := talk(request("HTTP/1.0", "", lead)); strings.Contains(got, "Transfer-Encoding") || !strings.HasSuffix(got, "data: [DONE]\n\n") {
			t.Errorf("HTTP/1.0 from %s: got %q, want a whole stream, not in chunks", lead, got)
		}
		w.fail(lead, "reset-stream")
		if got := talk(request("HTTP/1.0", "", lead+"|+chunks-40")); strings.Contains(got, "[DONE]") || !strings.Contains(got, `data: {"error":`) {
			t.Errorf("HTTP/1.0 from %s, broken: got %q, want an error event", lead, got)
		}
		w.mend(lead)
		got := talk(request("HTTP/1.1", "", lead), request("HTTP/1.1", "Expect: 100-continue\r\nConnection: close\r\n", lead))
		if n := strings.Count(got, "data: [DONE]\n\n"); n != 2 || strings.Count(got, "HTTP/1.1 200 OK") != 2 {
			t.Errorf("two together from %s: got %q, want two whole streams and the end", lead, got)
		}
	}
}

// TestManyChoices: the limit of a reply holds for each of its choices.
func TestManyChoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.post(chatAPI, body("chat1|+chunks-300", "Hello", true, map[string]any{"n": 16, "max_tokens": 400}), nil)
	if !got.whole() {
		t.Errorf("got status %d, ended %q (%s), want all choices whole", got.status, got.ended, got.errTyp)
	}
	stream := recordStream(t, chatAPI, fakeprovider.Reply{Text: "Hello."})
	gw := cutGateway(t, chatAPI, senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
		return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(bytes.NewReader(stream))}, nil
	}))
	r := cutRequest(t, chatAPI, "http://understudy")
	raw, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(raw, []byte("512"), []byte("9223372036854775807"), 1)))
	rec := httptest.NewRecorder()
	gw.ServeHTTP(rec, r)
	if _, clean, _, _ := ends(chatAPI, rec.Body.Bytes()); clean != 1 {
		t.Errorf("got %s, want a limit beyond all bounds to be none", rec.Body)
	}
}

// panickingBody panics after its first bytes.
type panickingBody struct{ begun bool }

func (b *panickingBody) Read(p []byte) (int, error) {
	if b.begun {
		panic("BUG: for the test")
	}
	b.begun = true
	return copy(p, "half a sound"), nil
}

func (*panickingBody) Close() error { return nil }

// TestPanicIsNoEnd: an answer in which the gateway fails is not passed off as whole where nothing but its end says so.
func TestPanicIsNoEnd(t *testing.T) {
	t.Parallel()
	relays := func(f *provider.Facts) {
		f.Relays = map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: dialect.RelayedOperations()}
	}
	w := newWorld(t, withFacts(relays, "chat1"), func(o *gateway.Options, _ *world) {
		o.Sender = senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
			return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"audio/mpeg"}}, Body: &panickingBody{}}, nil
		})
	})
	resp, err := http.Post(w.url+"/v1/audio/speech", "application/json", strings.NewReader(`{"model":"chat1","input":"Hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if sound, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got %q as a whole answer, want it broken off", sound)
	}
	if rec := w.record(); rec.Code != llm.CodeInternal {
		t.Errorf("got record %+v, want a failure of the gateway", rec)
	}
}
