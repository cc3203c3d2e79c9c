package fastlane

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestConnectionsAreKept(t *testing.T) {
	s := openHouse(t, path)
	conn, r := s.dial(t)
	for range 3 {
		send(t, conn, get)
		want(t, r, "/a")
	}
	send(t, conn, get+get+"GET /b HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\n\r\n")
	want(t, r, "/a")
	want(t, r, "/a")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusExpectationFailed || s.left.Load() != 1 {
		t.Errorf("got %d by net/http %d times, want %d by it", resp.StatusCode, s.left.Load(), http.StatusExpectationFailed)
	}
	wantClosedSoon(t, r)
}

// TestHandedOver: what is not plain gets net/http's server, for good.
func TestHandedOver(t *testing.T) {
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	conn, r := s.dial(t)
	for range 2 {
		send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		time.Sleep(5 * time.Millisecond)
		send(t, conn, "0\r\n\r\n")
		want(t, r, "hello")
	}
	send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
	want(t, r, "hi")
	if s.left.Load() != 1 || s.open.Load() != 1 {
		t.Errorf("got %d handed over and %d open, want one", s.left.Load(), s.open.Load())
	}
}

func TestHijack(t *testing.T) {
	s := openHouse(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(conn, "mine")
		conn.Close()
	})
	conn, r := s.dial(t)
	send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if got, err := io.ReadAll(io.LimitReader(r, 100)); string(got) != "mine" || err != nil {
		t.Errorf("got %q, %v, want the connection taken over", got, err)
	}
	conn, r = s.dial(t)
	send(t, conn, get)
	want(t, r, http.ErrNotSupported.Error()+"\n")
}

func TestSlowHeads(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	s := openHouse(t, path, func(s *http.Server) { s.ReadHeaderTimeout, s.IdleTimeout = limit, 2*ample })
	for name, text := range map[string]string{"nothing": "", "a piece": "GET / HT", "a field": "GET / HTTP/1.1\r\nHost: x\r\nA: ", "handed over": "GET / HTTP/1.1\nHost: x\nA: "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closedWithin(t, limit, 2*limit, func() (io.Reader, time.Time) {
				start := time.Now()
				conn, r := s.dial(t)
				send(t, conn, text)
				if text != "" {
					go func() { // drip, for as long as it is taken
						for {
							time.Sleep(limit / 10)
							if _, err := io.WriteString(conn, "a"); err != nil {
								return
							}
						}
					}()
				}
				return r, start
			})
		})
	}
	t.Run("handed over late", func(t *testing.T) {
		t.Parallel()
		closedWithin(t, 0, limit*2/3, func() (io.Reader, time.Time) {
			conn, r := s.dial(t)
			time.Sleep(limit * 2 / 3)
			start := time.Now()
			send(t, conn, "GET / HTTP/1.1\nHost: x\nA: ")
			return r, start
		})
	})
	t.Run("between requests", func(t *testing.T) {
		t.Parallel()
		closedWithin(t, limit, 2*limit, func() (io.Reader, time.Time) {
			conn, r := s.dial(t)
			send(t, conn, get)
			want(t, r, "/a")
			time.Sleep(2 * limit)
			send(t, conn, get)
			want(t, r, "/a")
			time.Sleep(2 * limit)
			start := time.Now()
			send(t, conn, get[:10])
			return r, start
		})
	})
	for name, text := range map[string]string{
		"idle": get, "idle behind line ends": "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openHouse(t, path, func(s *http.Server) { s.ReadHeaderTimeout, s.IdleTimeout = ample, 3*limit })
			closedWithin(t, 3*limit, 5*limit, func() (io.Reader, time.Time) {
				conn, r := s.dial(t)
				start := time.Now()
				send(t, conn, text)
				want(t, r, "/a")
				return r, start
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		switch r.URL.Path {
		case "/slow":
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		case "/aborted":
			time.AfterFunc(100*time.Millisecond, func() { _ = c.SetReadDeadline(time.Now()) })
		}
		_, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		got.Store(err)
		w.Header().Set("Connection", "close")
		_ = c.SetReadDeadline(time.Now())
	})
	for _, p := range []string{"/slow", "/aborted"} {
		closedWithin(t, 100*time.Millisecond, 2*time.Second, func() (io.Reader, time.Time) {
			conn, r := s.dial(t)
			start := time.Now()
			send(t, conn, "POST "+p+" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
			return r, start
		})
		if err, _ := got.Load().(error); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: got %v, want a deadline exceeded", p, err)
		}
	}
}

// TestWriteDeadline: a client that does not read is left, and its handler hears of it.
func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		for {
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				<-r.Context().Done()
				left <- err
				return
			}
		}
	})
	conn, _ := s.dial(t)
	send(t, conn, get)
	select {
	case err := <-left:
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("got %v, want a deadline exceeded", err)
		}
	case <-time.After(ample):
		t.Error("got a handler that writes on, want it told")
	}
}

// TestClientsLeave: a handler hears of it within a few hundredths of a second, also when the body came late.
func TestClientsLeave(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan time.Time, 1)
	s := openHouse(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			time.Sleep(3 * patience)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- time.Now()
	})
	for _, p := range []string{"/", "/late"} {
		for _, wait := range []time.Duration{0, 5 * patience} {
			const most = 500 * time.Millisecond
			took := ample
			for try := 0; try < 5 && took > most; try++ { // as above
				conn, _ := s.dial(t)
				send(t, conn, "POST "+p+" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
				<-begun
				time.Sleep(wait)
				left := time.Now()
				conn.Close()
				select {
				case at := <-ended:
					took = min(took, at.Sub(left))
				case <-time.After(ample):
					t.Fatalf("%s: got a handler that waits on, want it told", p)
				}
			}
			if took > most {
				t.Errorf("%s: got told after %v, want at once", p, took)
			}
		}
	}
}

// TestPipelinedWhileWatched: what comes while a slow answer is made is the next requests.
func TestPipelinedWhileWatched(t *testing.T) {
	t.Parallel()
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * patience)
		if r.Context().Err() != nil {
			t.Error("got a request that is over, want it to run on")
		}
		path(w, r)
	})
	conn, r := s.dial(t)
	send(t, conn, get)
	time.Sleep(3 * patience)
	send(t, conn, get[:10])
	time.Sleep(patience / 2)
	send(t, conn, strings.Repeat(get, 4)[10:])
	for range 5 {
		want(t, r, "/a")
	}
	if s.left.Load() != 0 {
		t.Error("got the connection handed over, want it kept")
	}
}

// TestOpenAnswersAreSmall: answers that have begun and go on later have no buffers meanwhile, of which each connection
// would have ten KiB otherwise.
func TestOpenAnswersAreSmall(t *testing.T) { // not in parallel: it measures
	const n, most = 200, 4 << 10
	over := make(chan struct{})
	s := openHouse(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one")
		_ = http.NewResponseController(w).Flush()
		<-over
		_, _ = io.WriteString(w, "two")
	})
	alive := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := alive()
	var conns []net.Conn
	for range n {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		send(t, conn, get)
		conns = append(conns, conn)
	}
	first := make([]byte, 512)
	for _, conn := range conns { // all of the head, which comes with the first piece
		if m, err := conn.Read(first); err != nil || !bytes.HasSuffix(first[:m], []byte("one\r\n")) {
			t.Fatalf("got %q, %v, want the beginning of an answer", first[:m], err)
		}
	}
	each := int64(math.MaxInt64)
	for begun := time.Now(); each > most && time.Since(begun) < 10*time.Second; time.Sleep(patience) { // until they are watched
		each = (alive() - before) / n
	}
	if each > most {
		t.Errorf("got %d bytes for each answer that has begun, want at most %d", each, most)
	}
	close(over)
	const end = "3\r\ntwo\r\n0\r\n\r\n"
	for _, conn := range conns {
		rest := first[:len(end)]
		if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != end {
			t.Fatalf("got %q, %v, want the end of the answer", rest, err)
		}
	}
}

// TestHandlersKeepRequests: what a handler was given is its own, also after its return.
func TestHandlersKeepRequests(t *testing.T) {
	t.Parallel()
	var kept []*http.Request
	s := openHouse(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Err() != nil || r.Context().Value(http.ServerContextKey) == nil || r.Context().Value(http.LocalAddrContextKey) == nil {
			t.Error("got a request without a context, want one that lives and knows its server")
		}
		kept = append(kept, r)
	})
	conn, r := s.dial(t)
	for _, p := range []string{"/a", "/b", "/c"} {
		send(t, conn, strings.Replace(get, "/a", p, 1))
		want(t, r, "")
	}
	for i, p := range []string{"/a", "/b", "/c"} {
		if kept[i].URL.Path != p || !errors.Is(context.Cause(kept[i].Context()), context.Canceled) {
			t.Errorf("got %s, %v, want %s, over", kept[i].URL.Path, kept[i].Context().Err(), p)
		}
		select {
		case <-kept[i].Context().Done():
		default:
			t.Error("got a context that is not done, want it over with the handler")
		}
	}
}

func TestPanics(t *testing.T) {
	s := openHouse(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			panic("oh no")
		}
		panic(http.ErrAbortHandler)
	})
	for _, p := range []string{"/a", "/b"} {
		conn, r := s.dial(t)
		send(t, conn, strings.Replace(get, "/a", p, 1))
		wantClosedSoon(t, r)
	}
	if got := s.log.String(); strings.Count(got, "panic serving") != 1 || !strings.Contains(got, "oh no") || !strings.Contains(got, "conn_test.go") {
		t.Errorf("got %q, want one panic logged, with its stack", got)
	}
}
