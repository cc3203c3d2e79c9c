package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// Frames of HTTP/2 (RFC 9113 section 6), as far as the tests need them.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway = 0, 1, 3, 4, 7

	endStream, endHeaders, ack = 1, 4, 1

	noError, internalError, refusedStream, enhanceYourCalm = 0, 2, 7, 11
)

func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

func goAway(last, code uint32) []byte {
	return frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)...)
}

func resetStream(stream, code uint32) []byte {
	return frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

// ok answers a stream with status 200 (HPACK's static entry 8) and a body.
func ok(stream uint32) []byte {
	return append(frame(frameHeaders, endHeaders, stream, 0x88), frame(frameData, endStream, stream, 'o', 'k')...)
}

// h2server speaks HTTP/2 by hand. For each request that has come whole, answer says
// what is written; nil closes the connection. It counts the requests.
func h2server(t *testing.T, answer func(n int, stream uint32) []byte) (at string, o Options, seen *atomic.Int32) {
	t.Helper()
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}, NextProtos: []string{"h2"}}
	seen = new(atomic.Int32)
	at = listen(t, func(raw net.Conn, _ int) {
		conn := tls.Server(raw, config)
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
			return
		}
		conn.Write(frame(frameSettings, 0, 0))
		for {
			head := make([]byte, 9)
			if _, err := io.ReadFull(conn, head); err != nil {
				return
			}
			payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
			if _, err := io.ReadFull(conn, payload); err != nil {
				return
			}
			kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
			switch {
			case kind == frameSettings && flags&ack == 0:
				conn.Write(frame(frameSettings, ack, 0))
			case (kind == frameData || kind == frameHeaders) && flags&endStream != 0:
				out := answer(int(seen.Add(1)), stream)
				if out == nil {
					return
				}
				conn.Write(out)
			}
		}
	})
	return "https://" + at, Options{RootCAs: ca.pool}, seen
}

// TestHTTP2 sends over one connection at once, and the body whole.
func TestHTTP2(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto+" ")
		io.Copy(w, r.Body)
	}))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, Options{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	body := bytes.Repeat([]byte("x"), 300<<10)
	var wg sync.WaitGroup
	for i := range 20 {
		if i == 1 {
			wg.Wait() // the first makes the connection
		}
		wg.Go(func() {
			if _, got, err := send(t, tr, Request{URL: s.URL, Body: body}); err != nil || got != "HTTP/2.0 "+string(body) {
				t.Errorf("got %d bytes, %v, want the body echoed over HTTP/2", len(got), err)
			}
		})
	}
	wg.Wait()
	if got := conns.Load(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	if _, _, err := send(t, tr, Request{URL: s.URL, Fresh: true}); err != nil || conns.Load() != 2 {
		t.Errorf("fresh: got %d connections, %v, want 2", conns.Load(), err)
	}
}

// TestHTTP2Windows: a vendor sends no more ahead of the reader than may wait in memory, and all of an answer comes.
func TestHTTP2Windows(t *testing.T) {
	t.Parallel()
	const size = 4 * answerWindow
	for isStream, window := range map[bool]int64{false: answerWindow, true: streamWindow} {
		var sent atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			piece := make([]byte, 1<<10)
			for range size / len(piece) {
				w.Write(piece)
				if http.NewResponseController(w).Flush() != nil {
					return
				}
				sent.Add(int64(len(piece)))
			}
		}))
		s.EnableHTTP2 = true
		s.StartTLS()
		tr := newTransport(t, Options{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
		resp, err := tr.Send(t.Context(), Request{Provider: local("bearer"), URL: s.URL, Stream: isStream, Connect: patience})
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); sent.Load() < window && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		if got := sent.Load(); got != window {
			t.Errorf("stream %v: got %d bytes sent ahead, want %d", isStream, got, window)
		}
		if got, err := io.ReadAll(resp.Body); len(got) != size || err != nil {
			t.Errorf("stream %v: got %d bytes, %v, want %d", isStream, len(got), err, size)
		}
		resp.Body.Close()
		s.Close()
	}
}

// TestHTTP2Failures lets the first or the second request of a connection fail. What
// net/http would repeat by itself is seen once.
func TestHTTP2Failures(t *testing.T) {
	for _, tc := range []struct {
		name      string
		fail      func(stream uint32) []byte
		mayRepeat bool
	}{
		{"refused stream", func(stream uint32) []byte { return resetStream(stream, refusedStream) }, true},
		{"goaway below ours", func(stream uint32) []byte { return goAway(stream-1, noError) }, true},
		{"goaway, ours included, then reset", func(stream uint32) []byte {
			return append(goAway(stream, noError), resetStream(stream, internalError)...)
		}, false},
		{"closed", func(uint32) []byte { return nil }, false},
		{"internal error", func(stream uint32) []byte { return resetStream(stream, internalError) }, false},
		{"enhance your calm", func(stream uint32) []byte { return resetStream(stream, enhanceYourCalm) }, false},
	} {
		for _, failing := range []int{1, 2} {
			t.Run(tc.name, func(t *testing.T) {
				at, o, seen := h2server(t, func(n int, stream uint32) []byte {
					if n == failing {
						return tc.fail(stream)
					}
					return ok(stream)
				})
				tr := newTransport(t, o)
				for range failing - 1 {
					if _, got, err := send(t, tr, Request{URL: at}); err != nil || got != "ok" {
						t.Fatalf("got %q, %v, want the answer", got, err)
					}
				}
				e := failingSend(t, tr, Request{URL: at})
				// An idle connection that breaks as it is used looks like one that the peer had
				// closed before.
				want := tc.mayRepeat || failing == 2
				if e.Phase != PhaseHeaders || !e.Wrote || e.MayRepeat() != want || e.Refused != tc.mayRepeat {
					t.Errorf("got %+v, may repeat %v, want it written, and %v", e, e.MayRepeat(), want)
				}
				if got := int(seen.Load()); got != failing {
					t.Errorf("got %d requests at the provider, want the %d that were sent", got, failing)
				}
				if _, got, err := send(t, tr, Request{URL: at, Fresh: true}); err != nil || got != "ok" {
					t.Errorf("on a fresh connection: got %q, %v, want the answer", got, err)
				}
			})
		}
	}
}

// TestHTTP2GoAwayLetsStreamsRun finishes what the peer still serves, and goes on
// elsewhere (T099).
func TestHTTP2GoAwayLetsStreamsRun(t *testing.T) {
	at, o, seen := h2server(t, func(_ int, stream uint32) []byte {
		return append(goAway(stream, noError), ok(stream)...)
	})
	tr := newTransport(t, o)
	for range 3 {
		if _, got, err := send(t, tr, Request{URL: at}); err != nil || got != "ok" {
			t.Fatalf("got %q, %v, want the answer", got, err)
		}
	}
	if got := seen.Load(); got != 3 {
		t.Errorf("got %d requests at the provider, want 3", got)
	}
}

// TestHTTP2BrokenMidStream breaks an answer that has begun.
func TestHTTP2BrokenMidStream(t *testing.T) {
	at, o, _ := h2server(t, func(_ int, stream uint32) []byte {
		begun := append(frame(frameHeaders, endHeaders, stream, 0x88), frame(frameData, 0, stream, 'h', 'a')...)
		return append(begun, resetStream(stream, internalError)...)
	})
	resp, got, err := send(t, newTransport(t, o), Request{URL: at, Stream: true})
	if resp == nil || resp.Status != 200 || got != "ha" || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v, want the half and an error", got, err)
	}
}

// TestHTTP2Shared: answers on one connection tell so, in HTTP/2 alone, and the loss of the connection
// can be told from that of a stream.
func TestHTTP2Shared(t *testing.T) {
	for _, isHTTP2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			if r.URL.Path == "/wait" {
				<-r.Context().Done()
			}
			if r.URL.Path == "/reset" {
				panic(http.ErrAbortHandler)
			}
		}))
		s.EnableHTTP2 = isHTTP2
		s.StartTLS()
		tr := newTransport(t, Options{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
		ask := func(path string) *Response {
			t.Helper()
			resp, err := tr.Send(t.Context(), Request{Provider: &provider.Provider{ID: "p", Private: true}, URL: s.URL + path, Stream: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
			return resp
		}
		first, second, reset := ask("/wait"), ask("/wait"), ask("/reset")
		if isHTTP2 != (first.Conn != nil) || first.Conn != second.Conn || second.Conn != reset.Conn {
			t.Errorf("HTTP/2 %v: got the connections %p, %p and %p, want the same one in HTTP/2 and none otherwise", isHTTP2, first.Conn, second.Conn, reset.Conn)
		}
		if isHTTP2 {
			if _, err := io.ReadAll(reset.Body); err == nil || IsLost(err) {
				t.Errorf("got %v for a stream that was reset, want an error that is not a connection's", err)
			}
			s.CloseClientConnections()
			for _, resp := range []*Response{first, second} {
				if _, err := io.ReadAll(resp.Body); !IsLost(err) {
					t.Errorf("got %v when the connection was closed, want it lost", err)
				}
			}
		}
		s.CloseClientConnections()
		s.Close()
	}
}

// TestHandedOver: of the connections that turn out to be HTTP/2 at once, none is left over, and none is used that has
// waited for long.
func TestHandedOver(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	tr := newTransport(t, Options{RootCAs: roots})
	p, _, err := tr.pool(local("bearer"), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *tls.Conn {
		conn, err := p.dialer.dialTLS(t.Context(), "tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*tls.Conn)
	}
	closed := func(conn *tls.Conn) bool { return errors.Is(conn.SetDeadline(time.Time{}), net.ErrClosed) }

	first := dial()
	p.handOver(first)
	p.handed.Load().since = time.Now().Add(-time.Minute)
	if _, got, err := send(t, tr, Request{URL: s.URL}); got != "ok" || err != nil {
		t.Errorf("got %q, %v, want ok", got, err)
	}
	if !closed(first) {
		t.Error("a connection that has waited for long: got it used, want it closed")
	}
	late := dial()
	p.handOver(late)
	if left := p.handed.Load(); left != nil || !closed(late) {
		t.Errorf("got %v left over, want nothing", left)
	}
}
