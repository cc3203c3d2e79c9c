package gateway_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// TestPanicsApart: what panics in a goroutine of its own, of a realtime session or of the signs of life in a stream, costs
// that call alone, as a panic of the call's own goroutine does.
func TestPanicsApart(t *testing.T) {
	t.Parallel()
	t.Run("realtime", func(t *testing.T) {
		t.Parallel()
		for _, side := range []string{"client", "vendor"} {
			vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer conn.CloseNow()
				for err == nil {
					var b []byte
					if _, b, err = conn.Read(r.Context()); err == nil {
						err = conn.Write(r.Context(), websocket.MessageText, b)
					}
				}
			}))
			t.Cleanup(vendor.Close)
			var far atomic.Bool
			w := newWorld(t, func(o *gateway.Options, _ *world) {
				o.Sender = fusedSender{o.Sender, vendor.URL, &far}
			}, withFacts(func(f *provider.Facts) {
				f.Relays = map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: {dialect.Realtime}}
			}, "chat1"))
			far.Store(side == "vendor")
			front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.handler.ServeHTTP(&fusedWriter{ResponseWriter: rw, conn: side == "client"}, r)
			}))
			t.Cleanup(front.Close)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			conn, _, err := websocket.Dial(ctx, front.URL+"/v1/realtime?model=chat1", nil)
			if err != nil {
				t.Fatalf("%s: %v", side, err)
			}
			defer conn.CloseNow()
			if err := conn.Write(ctx, websocket.MessageText, []byte("hi")); err != nil {
				t.Fatalf("%s: %v", side, err)
			}
			if _, b, err := conn.Read(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("%s: got %q, %v want the session to end", side, b, err)
			}
			w.wantPanicked(t, side)
		}
	})
	t.Run("heartbeat", func(t *testing.T) {
		t.Parallel()
		limits := gateway.DefaultLimits()
		limits.Heartbeat = 5 * time.Millisecond
		w := newWorld(t, withLimits(limits))
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.handler.ServeHTTP(&fusedWriter{ResponseWriter: rw, left: 1}, r)
		}))
		t.Cleanup(front.Close)
		next := w.url
		w.url = front.URL
		a := w.post(chatAPI, body("chat1|+first-30s", "Hello", true), nil)
		w.url = next
		if !strings.Contains(string(a.body), "The gateway failed on this request.") {
			t.Errorf("got %d %s want a stream that ends in an error", a.status, a.body)
		}
		w.wantPanicked(t, "heartbeat")
	})
}

// wantPanicked holds that the latest call ended in the gateway's own failure, and that another is served.
func (w *world) wantPanicked(t *testing.T, what string) {
	t.Helper()
	if rec := w.record(); rec.Code != llm.CodeInternal {
		t.Errorf("%s: got code %q want %q", what, rec.Code, llm.CodeInternal)
	}
	if got := strings.Count(w.log.String(), "msg=panic"); got != 1 {
		t.Errorf("%s: got %d panics in the log want 1", what, got)
	}
	if a := w.post(chatAPI, body("chat1", "Hello", false), nil); a.status != http.StatusOK {
		t.Errorf("%s: got %d %s want the next call served", what, a.status, a.body)
	}
}

// fusedSender opens all WebSockets at one place. Once the far side has sent something, reading it panics.
type fusedSender struct {
	gateway.Sender
	url string
	far *atomic.Bool
}

func (s fusedSender) Upgrade(ctx context.Context, _ transport.Request, _ []string) (*websocket.Conn, *transport.Response, error) {
	var fuse atomic.Bool
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return fusedConn{conn, &fuse}, err
	}}}
	conn, _, err := websocket.Dial(ctx, s.url, &websocket.DialOptions{HTTPClient: client})
	fuse.Store(s.far.Load())
	return conn, &transport.Response{Status: http.StatusSwitchingProtocols}, err
}

// fusedConn panics once something was read from it, if its fuse is in.
type fusedConn struct {
	net.Conn
	fuse *atomic.Bool
}

func (c fusedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.fuse.Load() {
		panic("BUG: for the test")
	}
	return n, err
}

// fusedWriter panics at its first writes, or gives out a connection that does when it is read.
type fusedWriter struct {
	http.ResponseWriter
	left int
	conn bool
}

func (w *fusedWriter) Write(b []byte) (int, error) {
	if w.left--; w.left >= 0 {
		panic("BUG: for the test")
	}
	return w.ResponseWriter.Write(b)
}

func (w *fusedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *fusedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil || !w.conn {
		return conn, rw, err
	}
	var fuse atomic.Bool
	fuse.Store(true)
	fused := fusedConn{conn, &fuse}
	return fused, bufio.NewReadWriter(bufio.NewReader(fused), rw.Writer), nil
}
