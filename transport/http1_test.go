package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// collecting holds back what is written while it collects.
type collecting struct {
	net.Conn
	collects bool
	held     bytes.Buffer
}

// Write writes, or holds back.
func (c *collecting) Write(b []byte) (int, error) {
	if c.collects {
		return c.held.Write(b)
	}
	return c.Conn.Write(b)
}

// TestStrayRecord: what TLS has received beyond an answer, in a record of its own, is seen neither by the kernel nor
// by the reader of answers, and answers nobody's request.
func TestStrayRecord(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	at := listen(t, func(conn net.Conn, n int) {
		held := &collecting{Conn: conn}
		secure := tls.Server(held, config)
		br := bufio.NewReader(secure)
		for i := 0; readRequest(br) == nil; i++ {
			held.collects = true
			fmt.Fprintf(secure, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%d.%d", n, i)
			io.WriteString(secure, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
			held.collects = false
			conn.Write(held.held.Next(held.held.Len()))
		}
	})
	tr := newTransport(t, Options{RootCAs: ca.pool})
	for n := range 3 {
		_, got, err := send(t, tr, Request{URL: "https://" + at})
		if want := fmt.Sprintf("%d.0", n+1); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// TestTLSIsReused: looking for what TLS holds leaves a connection as it was.
func TestTLSIsReused(t *testing.T) {
	ca := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}, MaxVersion: version}
		var conns atomic.Int32
		at := listen(t, func(conn net.Conn, _ int) {
			conns.Add(1)
			secure := tls.Server(conn, config)
			br := bufio.NewReader(secure)
			for readRequest(br) == nil {
				io.WriteString(secure, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		tr := newTransport(t, Options{RootCAs: ca.pool})
		for range 5 {
			if _, got, err := send(t, tr, Request{URL: "https://" + at}); got != "ok" || err != nil {
				t.Fatalf("got %q, %v, want ok", got, err)
			}
		}
		if conns.Load() != 1 {
			t.Errorf("TLS %x: got %d connections, want 1", version, conns.Load())
		}
	}
}

// TestKept says after which answers a connection carries another request.
func TestKept(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, tc := range []struct {
		name, answer string
		fails, kept  bool
	}{
		{"whole", ok, false, true},
		{"chunked with a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", false, true},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, true},
		{"no content with content", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", false, false},
		{"no content in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false, false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, false},
		{"HTTP/1.0 that is kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", false, true},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, false},
		{"bytes behind", ok + "x", false, false},
		{"informational", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", maxInformational) + ok, false, true},
		{"too much of it", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", maxInformational+1) + ok, true, false},
		{"switching", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + ok, true, false},
		{"status of no class", "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n" + ok, true, false},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", true, false},
		{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nok", true, false},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\nok\r\n0\r\n\r\n", true, false},
		{"headers without end", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", maxHeader), true, false},
		{"trailers without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 1<<16), true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			at := listen(t, func(conn net.Conn, n int) {
				conns.Add(1)
				br := bufio.NewReader(conn)
				for i := 0; readRequest(br) == nil; i++ {
					answer := ok
					if n == 1 && i == 0 {
						answer = tc.answer
					}
					io.WriteString(conn, answer)
				}
			})
			tr := newTransport(t, Options{})
			if _, got, err := send(t, tr, Request{URL: "http://" + at}); err != nil != tc.fails {
				t.Errorf("got %q, %v, want an error %v", got, err, tc.fails)
			}
			if _, got, err := send(t, tr, Request{URL: "http://" + at}); got != "ok" || err != nil {
				t.Errorf("the next request: got %q, %v, want ok", got, err)
			}
			if kept := conns.Load() == 1; kept != tc.kept {
				t.Errorf("got kept %v, want %v", kept, tc.kept)
			}
		})
	}
}

// TestRefusedInRequest: what is wrong with an answer that came before its request was out is told, and not that the
// connection was closed for it.
func TestRefusedInRequest(t *testing.T) {
	at := listen(t, func(conn net.Conn, _ int) {
		io.WriteString(conn, "no HTTP\r\n\r\n")
		conn.SetReadDeadline(time.Now().Add(patience))
		for b := make([]byte, 1); ; { // it reads, but not to the end
			if _, err := conn.Read(b); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	e := failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at, Body: make([]byte, 32<<20)})
	check(t, e, PhaseWrite, false, false)
	if errors.Is(e, net.ErrClosed) || !strings.Contains(e.Error(), "malformed") {
		t.Errorf("got %v, want what is wrong with the answer", e)
	}
}

// FuzzAnswer has a provider send whatever it likes. Nothing breaks or hangs, and the next request has an answer of its own
// connection.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nok",
		"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08", "HTTP/1.1 099 Odd\r\n\r\n", "HTTP/1.1 101 S\r\n\r\n\x00",
	} {
		f.Add([]byte(seed))
	}
	const own = "the answer to the second request"
	var answers sync.Map // by path; each is given once
	var count atomic.Int64
	at := listen(f, func(conn net.Conn, _ int) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if answer, first := answers.LoadAndDelete(r.URL.Path); first {
			conn.Write(answer.([]byte))
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		} else {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(own), own)
		}
		conn.Close()
	})
	f.Fuzz(func(t *testing.T, answer []byte) {
		path := fmt.Sprintf("/%d", count.Add(1))
		answers.Store(path, answer)
		tr := New(Options{Proxy: noProxy, MaxBody: 1 << 20})
		defer tr.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r := Request{Provider: local("none"), URL: "http://" + at + path, Body: []byte("{}"), Stream: len(answer)%2 == 0}
		if resp, err := tr.Send(ctx, r); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			resp.Body.Close()
		}
		for again := 0; ; again++ {
			resp, err := tr.Send(ctx, r)
			if err != nil {
				var failed *SendError
				if again == 0 && errors.As(err, &failed) && failed.MayRepeat() {
					continue // the provider's close was not here yet
				}
				t.Fatalf("got %v, want an answer", err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != own || resp.Status != http.StatusOK || err != nil {
				t.Fatalf("got %d %q, %v, want %q", resp.Status, got, err, own)
			}
			return
		}
	})
}

// stuck is a connection that takes no more than some bytes, and notes by when an answer is waited for.
type stuck struct {
	net.Conn
	left int
	by   time.Time
}

func (c *stuck) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return len(p), nil
}

func (c *stuck) SetReadDeadline(t time.Time) error { c.by = t; return nil }

// TestAnswerIsNotWaitedForInVain: an answer to a request that the provider takes no more of is waited for a moment only,
// whichever piece it is that is not taken.
func TestAnswerIsNotWaitedForInVain(t *testing.T) {
	t.Parallel()
	body := make([]byte, inOne+inOne/2)
	for _, left := range []int{0, 10, inOne, inOne + 10, 2 * inOne} {
		conn := &stuck{left: left}
		head := make([]byte, 10)
		w := &writing{done: make(chan struct{})}
		w.run(conn, &head, body)
		if isWhole := left >= len(head)+len(body); (w.wait() == nil) != isWhole || conn.by.IsZero() != isWhole {
			t.Errorf("%d bytes taken: got %v, and an answer waited for until %v", left, w.err, conn.by)
		}
	}
}
