package fastlane

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a connection whose client has sent all it will, piece by piece, and leaves then.
type wire struct {
	pieces [][]byte
	mu     sync.Mutex
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func newWire(pieces ...[]byte) *wire { return &wire{pieces: pieces, closed: make(chan struct{})} }

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pieces) > 0 && len(w.pieces[0]) == 0 {
		w.pieces = w.pieces[1:]
	}
	if len(w.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.pieces[0])
	w.pieces[0] = w.pieces[0][n:]
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func (w *wire) Close() error                     { w.once.Do(func() { close(w.closed) }); return nil }
func (w *wire) LocalAddr() net.Addr              { return address{} }
func (w *wire) RemoteAddr() net.Addr             { return address{} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

type address struct{}

func (address) Network() string { return "wire" }
func (address) String() string  { return "wire:1" }

// one is a listener with one connection.
type one struct {
	rest
}

func listen(nc net.Conn) *one {
	l := &one{rest{conns: make(chan net.Conn, 1), done: make(chan struct{}), address: address{}}}
	l.conns <- nc
	return l
}

type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// play serves one connection to its end and returns all that was answered, less the time of day.
func play(t testing.TB, s server, w *wire) string {
	t.Helper()
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(listen(w)) }()
	select {
	case <-w.closed:
	case <-time.After(ample):
		t.Error("got a connection that stays open, want it closed")
	}
	_ = s.Close()
	<-served
	w.mu.Lock()
	defer w.mu.Unlock()
	return dates.ReplaceAllString(w.out.String(), "Date: now")
}

var dates = regexp.MustCompile(`Date: [A-Z][a-z]{2}, [^\r]* GMT`)

// seen collects what a handler was asked.
type seen struct {
	mu       sync.Mutex
	requests []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	names := make([]string, 0, len(r.Header))
	for name, values := range r.Header {
		names = append(names, fmt.Sprintf("%s=%q", name, values))
	}
	slices.Sort(names)
	s.mu.Lock()
	s.requests = append(s.requests, fmt.Sprintf("%s %q %q host=%q %#v length=%d te=%q close=%v from=%s body=%q %v %v %q trailer=%v",
		r.Method, r.RequestURI, r.Proto, r.Host, r.URL, r.ContentLength, r.TransferEncoding, r.Close, r.RemoteAddr, body, err, r.ProtoMajor, names, r.Trailer))
	s.mu.Unlock()
	_, _ = w.Write(body)
}

func quiet(h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: h, Protocols: &protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), MaxHeaderBytes: 32 << 10, ReadHeaderTimeout: 10 * time.Second}
}

// same holds the two servers against each other: what handlers are asked, and what clients get.
func same(t testing.TB, pieces ...[]byte) {
	t.Helper()
	cloned := func() *wire {
		var c [][]byte
		for _, p := range pieces {
			c = append(c, bytes.Clone(p))
		}
		return newWire(c...)
	}
	var got, want seen
	gotAnswer, wantAnswer := play(t, New(quiet(&got)), cloned()), play(t, quiet(&want), cloned())
	if !slices.Equal(got.requests, want.requests) {
		t.Errorf("%q:\ngot requests\n%s\nwant\n%s", pieces, strings.Join(got.requests, "\n"), strings.Join(want.requests, "\n"))
	}
	// What HTTP/2 says to who leaves is a matter of luck. After a body that was cut short we say that
	// the connection is closed, and net/http only closes it.
	if isHTTP2 := bytes.HasPrefix(bytes.Join(pieces, nil), []byte("PRI")); isHTTP2 || strings.Contains(strings.Join(got.requests, ""), io.ErrUnexpectedEOF.Error()) {
		return
	}
	if gotAnswer != wantAnswer {
		t.Errorf("%q:\ngot answered %q\nwant %q", pieces, gotAnswer, wantAnswer)
	}
}

var heads = []string{
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /v1/chat/completions?a=b&c=%20#f HTTP/1.1\r\nHost: [::1]:80\r\ncontent-length: 5\r\nX-a:  b \t\r\nx-A: c\r\n\r\nhello",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /d HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0002\r\n\r\n{}", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2_0\r\n\r\n{}", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nhell",
	"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/#@b\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / x HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET //a/../b%2f%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a%00b?%zz? HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a;b:c?d=e HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "G\xc3T / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA B: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: a\x00b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: \xff\x80\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB:\t\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nTrailer: A\r\nTE: trailers\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: a, close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"", "GET", "GET / HT", "GET / HTTP/1.1\r\nHos", "GET / HTTP/1.1\r\nHost: x\r\n\r", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 5000) + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 50_000) + "\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("b", 5000) + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
}

func TestRequestsAsNetHTTP(t *testing.T) {
	t.Parallel()
	for _, text := range heads {
		same(t, []byte(text))
		for _, at := range []int{1, 3, 20, len(text) / 2, len(text) - 1} {
			if 0 < at && at < len(text) && len(text) < 32<<10 {
				same(t, []byte(text[:at]), []byte(text[at:]))
			}
		}
	}
}

func FuzzRequests(f *testing.F) {
	for _, text := range heads {
		f.Add([]byte(text), uint16(len(text)/2))
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		n := min(int(at), len(text))
		same(t, text[:n], text[n:])
	})
}
