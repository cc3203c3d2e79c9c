package transport

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
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
