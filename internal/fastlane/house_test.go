package fastlane

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Those that are parallel wait for most of their time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("BUG: " + err.Error())
	}
	goleak.VerifyTestMain(m)
}

// house is a server on a port of its own.
type house struct {
	*Server
	address string
	log     lockedText
	open    atomic.Int64 // connections
	left    atomic.Int64 // handed over
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func openHouse(t *testing.T, h http.HandlerFunc, changes ...func(*http.Server)) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &house{address: l.Addr().String()}
	under := quiet(h)
	under.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&s.log, nil), slog.LevelInfo)
	under.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateHijacked:
			s.left.Add(1)
			s.open.Add(-1)
		case http.StateClosed:
			s.open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	for _, change := range changes {
		change(under)
	}
	s.Server = New(under)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("got %v, want %v", err, http.ErrServerClosed)
		}
		s.wantNoneOpen(t)
	})
	return s
}

// wantNoneOpen waits until every connection has been told closed. Some are closed half a second after their client has
// heard of it, and net/http, too, says so only after its Shutdown may have returned.
func (s *house) wantNoneOpen(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(ample); s.open.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("got %d connections counted, want none", s.open.Load())
		}
	}
}

func (s *house) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(ample))
	return conn, bufio.NewReader(conn)
}

func send(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// want reads an answer and looks at its body.
func want(t *testing.T, r *bufio.Reader, body string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)); string(got) != body || err != nil {
		t.Errorf("got %.100q, %v, want %.100q", got, err, body)
	}
}

// ample is time for all that only a failure keeps from coming, on a machine that stands still for seconds, too.
const ample = time.Minute

// wantClosed waits until the connection is closed by the server, and says when it was.
func wantClosed(t *testing.T, r io.Reader) time.Time {
	t.Helper()
	_, err := io.Copy(io.Discard, r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("got a connection that stays open, want it closed")
	}
	return time.Now()
}

// soon is for what comes at once.
const soon = time.Second

// wantClosedSoon is wantClosed for a connection that ends now.
func wantClosedSoon(t *testing.T, r io.Reader) {
	t.Helper()
	start := time.Now()
	if took := wantClosed(t, r).Sub(start); took > soon {
		t.Errorf("got the connection closed after %v, want it at once", took)
	}
}

// closedWithin holds for how long a connection stays open after a moment: never for less than least, nor for more than
// most, for which a busy machine has some tries.
func closedWithin(t *testing.T, least, most time.Duration, open func() (r io.Reader, since time.Time)) {
	t.Helper()
	took := ample
	for try := 0; try < 5 && took > most; try++ {
		r, since := open()
		now := wantClosed(t, r).Sub(since)
		if now < least {
			t.Errorf("got the connection closed after %v, want it open for %v", now, least)
		}
		took = min(took, now)
	}
	if took > most {
		t.Errorf("got the connection closed after %v, want it within %v", took, most)
	}
}

const get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

func path(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }
