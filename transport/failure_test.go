package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long anything may take that only a failure keeps from coming.
const patience = time.Minute

// failingSend sends a request that is to fail, and not only when the other side has had enough.
func failingSend(t *testing.T, tr *Transport, r Request) *SendError {
	t.Helper()
	begun := time.Now()
	resp, _, err := send(t, tr, r)
	var e *SendError
	if !errors.As(err, &e) {
		t.Fatalf("got %+v, %v, want a SendError", resp, err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("got the error after %v, want it sooner", took)
	}
	if strings.Contains(err.Error(), testKey) {
		t.Errorf("got the key in %v", err)
	}
	return e
}

func check(t *testing.T, got *SendError, phase Phase, wrote, mayRepeat bool) {
	t.Helper()
	if got.Phase != phase || got.Wrote != wrote || got.MayRepeat() != mayRepeat || got.Local {
		t.Errorf("got phase %s, wrote %v, may repeat %v, local %v (%v), want %s, %v, %v, false",
			got.Phase, got.Wrote, got.MayRepeat(), got.Local, got.Err, phase, wrote, mayRepeat)
	}
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	e := failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + l.Addr().String()})
	check(t, e, PhaseConnect, false, false)
	if !errors.Is(e, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want connection refused", e)
	}
}

// A peer that cannot show that it is the provider gets nothing of a request (S97, S108).
func TestTLSFailures(t *testing.T) {
	ca := newAuthority(t)
	now := time.Now()
	for _, tc := range []struct {
		name  string
		cert  tls.Certificate
		roots *x509.CertPool
		max   uint16
		want  any
	}{
		{"expired", ca.issue(t, "127.0.0.1", now.Add(-time.Hour)), ca.pool, 0, new(x509.CertificateInvalidError)},
		{"wrong host", ca.issue(t, "other.example", now.Add(time.Hour)), ca.pool, 0, new(x509.HostnameError)},
		{"unknown CA", ca.issue(t, "127.0.0.1", now.Add(time.Hour)), newAuthority(t).pool, 0, new(x509.UnknownAuthorityError)},
		{"TLS 1.1", ca.issue(t, "127.0.0.1", now.Add(time.Hour)), ca.pool, tls.VersionTLS11, new(*net.OpError)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got atomic.Int32
			at := listen(t, func(conn net.Conn, _ int) {
				c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{tc.cert}, MinVersion: tls.VersionTLS10, MaxVersion: tc.max})
				n, _ := c.Read(make([]byte, 1))
				got.Add(int32(n))
				conn.Close()
			})
			e := failingSend(t, newTransport(t, Options{RootCAs: tc.roots}), Request{URL: "https://" + at})
			check(t, e, PhaseTLS, false, false)
			if !errors.As(e, tc.want) {
				t.Errorf("got %T %v, want %T", e.Err, e.Err, tc.want)
			}
			if got.Load() != 0 {
				t.Error("got a byte of the request at a peer that is not the provider, want none")
			}
		})
	}
}

// TestBadCertificateForAMoment: while a certificate is bad nothing is sent, and once it is good all is (S108).
func TestBadCertificateForAMoment(t *testing.T) {
	ca := newAuthority(t)
	good, bad := ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour)), ca.issue(t, "127.0.0.1", time.Now().Add(-time.Hour))
	var now atomic.Pointer[tls.Certificate]
	now.Store(&good)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*now.Load()}, SessionTicketsDisabled: true}, nil
	}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := newTransport(t, Options{RootCAs: ca.pool})
	for i, cert := range []*tls.Certificate{&good, &bad, &bad, &good, &bad, &good} {
		now.Store(cert)
		_, _, err := send(t, tr, Request{URL: s.URL})
		if (err == nil) != (cert == &good) {
			t.Errorf("request %d: got %v, want it to fail as long as the certificate is bad", i, err)
		}
	}
}

func TestHandshakeStall(t *testing.T) {
	t.Parallel()
	at := listen(t, func(conn net.Conn, _ int) { io.Copy(io.Discard, conn) })
	// So long that the connection itself is there by then, also where another process has the machine for a while.
	e := failingSend(t, newTransport(t, Options{}), Request{URL: "https://" + at, Connect: 500 * time.Millisecond})
	check(t, e, PhaseTLS, false, false)
	if !errors.Is(e, errConnectTimeout) {
		t.Errorf("got %v, want that it took too long", e)
	}
}

// TestKeepAliveRace closes a kept connection as the next request arrives. The
// request is sent once; a second one, on a fresh connection, is the caller's to
// send.
func TestKeepAliveRace(t *testing.T) {
	for _, size := range []int{10, 8 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var seen atomic.Int32
			at := listen(t, func(conn net.Conn, n int) {
				br := bufio.NewReader(conn)
				for i := 1; ; i++ {
					if _, err := br.Peek(1); err != nil {
						return
					}
					seen.Add(1)
					if n == 1 && i == 2 {
						rst(conn)
						return
					}
					if readRequest(br) != nil {
						return
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			tr := newTransport(t, Options{})
			r := Request{URL: "http://" + at}
			if _, _, err := send(t, tr, r); err != nil { // a small one: whether the connection is kept is no question of time then
				t.Fatal(err)
			}
			r.Body = make([]byte, size)
			e := failingSend(t, tr, r)
			if !e.Reused || !e.MayRepeat() || e.Phase != PhaseHeaders && e.Phase != PhaseWrite {
				t.Errorf("got %+v, want it found to be a stale connection", e)
			}
			r.Fresh = true
			if _, got, err := send(t, tr, r); err != nil || got != "ok" {
				t.Errorf("on a fresh connection: got %q, %v, want the answer", got, err)
			}
			if got := seen.Load(); got != 3 {
				t.Errorf("got %d requests at the provider, want the 3 that were sent", got)
			}
		})
	}
}

// TestClosedWhileIdle closes kept connections while nobody uses them.
func TestClosedWhileIdle(t *testing.T) {
	var conns atomic.Int32
	at := listen(t, func(conn net.Conn, _ int) {
		conns.Add(1)
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		conn.Close()
	})
	tr := newTransport(t, Options{})
	failed := 0
	for range 50 {
		begun := time.Now()
		_, _, err := send(t, tr, Request{URL: "http://" + at})
		var e *SendError
		if errors.As(err, &e) && !e.MayRepeat() && time.Since(begun) < raceWindow { // a busy machine may miss it
			t.Fatalf("got %+v, want what may be repeated", e)
		}
		if err != nil {
			failed++
		}
	}
	if got := int(conns.Load()); got+failed != 50 {
		t.Errorf("got %d requests at the provider and %d failed, want 50 together", got, failed)
	}
}

// TestResetAfterRequest breaks connections that were new, or that broke late: the
// provider may have run the request.
func TestResetAfterRequest(t *testing.T) {
	t.Run("new connection", func(t *testing.T) {
		at := listen(t, func(conn net.Conn, _ int) {
			readRequest(bufio.NewReader(conn))
			rst(conn)
		})
		check(t, failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at}), PhaseHeaders, true, false)
	})
	t.Run("closed", func(t *testing.T) {
		at := listen(t, func(conn net.Conn, _ int) {
			readRequest(bufio.NewReader(conn))
			conn.Close()
		})
		check(t, failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at}), PhaseHeaders, true, false)
	})
	t.Run("after the first byte of the answer", func(t *testing.T) {
		at := listen(t, func(conn net.Conn, n int) {
			br := bufio.NewReader(conn)
			readRequest(br)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			readRequest(br)
			io.WriteString(conn, "HTTP/1.1 200 O")
			conn.Close()
		})
		tr := newTransport(t, Options{})
		if _, _, err := send(t, tr, Request{URL: "http://" + at}); err != nil {
			t.Fatal(err)
		}
		check(t, failingSend(t, tr, Request{URL: "http://" + at}), PhaseHeaders, true, false)
	})
	t.Run("after a while", func(t *testing.T) {
		s := &sending{idle: true, wrote: true, at: time.Now().Add(-2 * raceWindow)}
		check(t, s.failure(t.Context(), io.EOF, false), PhaseHeaders, true, false)
		s.at = time.Now().Add(patience)
		check(t, s.failure(t.Context(), io.EOF, false), PhaseHeaders, true, true)
	})
}

// TestResetInRequest breaks off while the body is sent.
func TestResetInRequest(t *testing.T) {
	at := listen(t, func(conn net.Conn, _ int) {
		io.ReadFull(conn, make([]byte, 1000))
		rst(conn)
	})
	e := failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at, Body: make([]byte, 16<<20)})
	check(t, e, PhaseWrite, false, false)
}

func TestBadHeaders(t *testing.T) {
	for name, answer := range map[string]string{
		"too large":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader) + "\r\n\r\n",
		"too many":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxHeader/6+1) + "\r\n",
		"endless 1xx": strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 100000),
		"no HTTP":     "SSH-2.0-OpenSSH_9.7\r\n",
		"half":        "HTTP/1.1 200 OK\r\nX: y",
	} {
		t.Run(name, func(t *testing.T) {
			at := listen(t, func(conn net.Conn, _ int) {
				readRequest(bufio.NewReader(conn))
				io.WriteString(conn, answer)
				conn.Close()
			})
			check(t, failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at}), PhaseHeaders, true, false)
		})
	}
}

// TestQuotedHeads has peers that say what they should not in heads that cannot be read, such as our key: no error repeats it.
func TestQuotedHeads(t *testing.T) {
	const key = "sk-canary-0123456789"
	for _, answer := range []string{
		key + "\r\n\r\n", "HTTP/1.1 " + key + "\r\n\r\n", key + " 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n" + key + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\n " + key + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: " + key + "\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + key + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + key + "\r\n\r\n", "HTTP/1.1 20" + key + " OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \x00" + key + "\r\n\r\n",
	} {
		at := listen(t, func(conn net.Conn, _ int) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, answer)
			conn.Close()
		})
		e := failingSend(t, newTransport(t, Options{}), Request{URL: "http://" + at})
		check(t, e, PhaseHeaders, true, false)
		if strings.Contains(e.Error(), "canary") || len(e.Error()) <= len("headers: ") {
			t.Errorf("%q: got the error %q, want what is wrong, without what was sent", answer, e)
		}
	}
}

// TestContextEnds ends the context in each phase, when the provider has had what is sent in it; its cause is the error.
func TestContextEnds(t *testing.T) {
	late := errors.New("too late")
	for _, name := range []string{"handshake", "headers"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			stall := listen(t, func(conn net.Conn, _ int) {
				_, _ = conn.Read(make([]byte, 1))
				cancel(late)
				io.Copy(io.Discard, conn)
			})
			r := Request{Provider: local("none"), URL: "http://" + stall, Body: []byte("{}"), Connect: patience}
			if name == "handshake" {
				r.URL = "https://" + stall
			}
			_, err := newTransport(t, Options{}).Send(ctx, r)
			var e *SendError
			if !errors.As(err, &e) || !errors.Is(err, late) || e.MayRepeat() || e.Wrote != (name == "headers") {
				t.Errorf("got %+v, want the context's cause, and written only where it was", err)
			}
		})
	}
}

func TestWriteBound(t *testing.T) { synctest.Test(t, writeBounds) }

func writeBounds(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	w := &writeBound{Conn: near, limit: 20 * time.Millisecond}
	for range 3 { // each write has its own time
		go far.Read(make([]byte, 8))
		if _, err := w.Write([]byte("progress")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	begun := time.Now()
	var timeout net.Error
	if _, err := w.Write([]byte("stuck")); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begun) != w.limit {
		t.Errorf("got %v after %v, want a timeout at once", err, time.Since(begun))
	}
}

func TestLocal(t *testing.T) {
	op := func(err error) error {
		return &dialError{PhaseConnect, &net.OpError{Op: "dial", Err: err}}
	}
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{op(syscall.EMFILE), true},
		{op(syscall.ENFILE), true},
		{op(syscall.EADDRNOTAVAIL), true},
		{op(syscall.ENOBUFS), true},
		{op(&net.DNSError{Err: "dial udp 127.0.0.1:53: socket: too many open files", Name: "h"}), true},
		{op(&net.DNSError{Err: "too many open files"}), true},
		{op(syscall.ECONNREFUSED), false},
		{op(syscall.ECONNRESET), false},
		{op(&net.DNSError{Err: "no such host", Name: "socket.example", IsNotFound: true}), false},
		{op(&net.DNSError{Err: "server misbehaving"}), false},
		{errConnectTimeout, false},
	} {
		s := &sending{}
		if got := s.failure(t.Context(), tc.err, false); got.Local != tc.want || got.MayRepeat() {
			t.Errorf("%v: got local %v, may repeat %v, want %v and not", tc.err, got.Local, got.MayRepeat(), tc.want)
		}
	}
}

// TestGuardAtTheSocket refuses what a name turns out to mean, however it means it (S31, S32, S34, S38).
func TestGuardAtTheSocket(t *testing.T) {
	var hits atomic.Int32
	at := listen(t, func(conn net.Conn, _ int) {
		hits.Add(1)
		conn.Close()
	})
	_, port, _ := net.SplitHostPort(at)
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "2130706433", "0x7f.1", "017700000001", "127.1",
		"169.254.169.254", "rebound.test", "[fe80::1%25lo]",
	} {
		t.Run(host, func(t *testing.T) {
			p := local("bearer")
			p.Private = false
			// What a system's resolver makes of such numbers, and an attacker of a name.
			tr := newTransport(t, Options{Resolver: &resolver{answers: []func(context.Context) ([]netip.Addr, error){addresses("127.0.0.1", "::1", "10.0.0.1")}}})
			e := failingSend(t, tr, Request{Provider: p, URL: "https://" + host + ":" + port})
			check(t, e, PhaseConnect, false, false)
			if !errors.Is(e, ErrAddress) {
				t.Errorf("got %v, want the guard's refusal", e)
			}
		})
	}
	if hits.Load() != 0 {
		t.Errorf("got %d connections, want none", hits.Load())
	}
}
