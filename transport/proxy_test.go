package transport

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

func through(proxy string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
}

// tunnel is a proxy for CONNECT to one address, whatever is asked for.
func tunnel(t *testing.T, to string) string {
	return listen(t, func(conn net.Conn, _ int) {
		br := bufio.NewReader(conn)
		r, err := http.ReadRequest(br)
		if err != nil || r.Method != http.MethodConnect {
			return
		}
		onward, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer onward.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(onward, br)
			onward.Close()
		}()
		io.Copy(conn, onward)
		conn.Close()
	})
}

// TestProxy reaches a provider by a name that only the proxy knows, over a proxy at
// a private address.
func TestProxy(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto+" "+r.Host) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	var log strings.Builder
	tr := newTransport(t, Options{
		RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Proxy:   through("http://user:secret@" + tunnel(t, s.Listener.Addr().String())),
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
	})
	p := &provider.Provider{ID: "p", Key: provider.NewSecret(testKey)}
	for range 2 {
		if _, got, err := send(t, tr, Request{Provider: p, URL: "https://example.com"}); err != nil || got != "HTTP/2.0 example.com" {
			t.Errorf("got %q, %v, want the provider's answer", got, err)
		}
	}
	if n := strings.Count(log.String(), "through a proxy"); n != 1 || strings.Contains(log.String(), "secret") {
		t.Errorf("log: got %q, want the proxy told once, without its password", log.String())
	}
}

func TestProxyFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	answer := func(text string) string {
		return "http://" + listen(t, func(conn net.Conn, _ int) {
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, text)
			conn.Close()
		})
	}
	for name, proxy := range map[string]string{
		"refused": "http://" + closed.Addr().String(),
		"407":     answer("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
		"502":     answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
		"closes":  answer(""),
		"silence": "http://" + listen(t, func(conn net.Conn, _ int) { io.Copy(io.Discard, conn) }),
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTransport(t, Options{Proxy: through(proxy)})
			e := failingSend(t, tr, Request{URL: "https://example.com", Connect: 200 * time.Millisecond})
			check(t, e, PhaseProxy, false, false)
		})
	}
	t.Run("setting", func(t *testing.T) {
		tr := newTransport(t, Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("http://user:secret@") }})
		e := failingSend(t, tr, Request{URL: "https://example.com"})
		check(t, e, PhaseProxy, false, false)
		if strings.Contains(e.Error(), "secret") {
			t.Errorf("got %v, want it without the setting", e)
		}
	})
}

// TestProxySlowAnswer gives a provider behind a proxy its time once it is reached.
func TestProxySlowAnswer(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect, _ := time.ParseDuration(strings.TrimPrefix(r.URL.Path, "/"))
		time.Sleep(connect * 3 / 2)
		io.WriteString(w, "slow")
	}))
	defer s.Close()
	var got string
	var err error
	for _, connect := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 10 * time.Second} { // a busy machine takes longer to connect
		tr := newTransport(t, Options{
			RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
			Proxy:   through("http://" + tunnel(t, s.Listener.Addr().String())),
		})
		if _, got, err = send(t, tr, Request{URL: "https://example.com/" + connect.String(), Connect: connect}); err == nil {
			break
		}
	}
	if err != nil || got != "slow" {
		t.Errorf("got %q, %v, want the answer", got, err)
	}
}
