package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// resolver answers from a list, one for each question.
type resolver struct {
	answers []func(context.Context) ([]netip.Addr, error)
	asked   int
}

func (r *resolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	answer := r.answers[min(r.asked, len(r.answers)-1)]
	r.asked++
	return answer(ctx)
}

func addresses(texts ...string) func(context.Context) ([]netip.Addr, error) {
	return func(context.Context) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, text := range texts {
			found = append(found, netip.MustParseAddr(text))
		}
		return found, nil
	}
}

func noAnswer(err error) func(context.Context) ([]netip.Addr, error) {
	return func(context.Context) ([]netip.Addr, error) { return nil, err }
}

func TestResolveFailures(t *testing.T) {
	notFound := &net.DNSError{Err: "no such host", IsNotFound: true}
	for _, tc := range []struct {
		name   string
		answer func(context.Context) ([]netip.Addr, error)
		want   error
	}{
		{"not found", noAnswer(notFound), notFound},
		{"no addresses", addresses(), errNoAddress},
		{"silence", func(ctx context.Context) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := newTransport(t, Options{Resolver: &resolver{answers: []func(context.Context) ([]netip.Addr, error){tc.answer}}})
			e := failingSend(t, tr, Request{URL: "http://api.test", Connect: 50 * time.Millisecond})
			check(t, e, PhaseResolve, false, false)
			if !errors.Is(e, tc.want) {
				t.Errorf("got %v, want %v", e, tc.want)
			}
		})
	}
}

// TestStaleNames goes on with the last good addresses, for five minutes.
func TestStaleNames(t *testing.T) {
	at := listen(t, func(conn net.Conn, _ int) {
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
		conn.Close()
	})
	_, port, _ := net.SplitHostPort(at)
	now := time.Unix(1e9, 0)
	r := &resolver{answers: []func(context.Context) ([]netip.Addr, error){addresses("::ffff:127.0.0.1"), noAnswer(errNoAddress)}}
	tr := newTransport(t, Options{Resolver: r, Now: func() time.Time { return now }})
	for _, step := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {time.Second, true}, {staleFor, true}, {staleFor + 1, false}} {
		now = time.Unix(1e9, 0).Add(step.after)
		_, got, err := send(t, tr, Request{URL: "http://api.test:" + port})
		if (err == nil && got == "ok") != step.ok {
			t.Errorf("after %v: got %q, %v, want an answer %v", step.after, got, err, step.ok)
		}
	}
	if _, err := tr.names.lookup(t.Context(), "other.test"); err == nil {
		t.Error("another name: got addresses, want none")
	}
}

// TestAddressesAreTried passes over refused, dead and superfluous addresses (S34, S41).
func TestAddressesAreTried(t *testing.T) {
	at := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(at, "http://"))
	many := make([]string, 10000)
	for i := range many {
		many[i] = "127.0.0.1"
	}
	for name, answer := range map[string][]string{
		"refused first": {"169.254.169.254", "127.0.0.1"},
		"dead first":    {"::1", "127.0.0.1"},
		"last in turn":  {"169.254.1.1", "169.254.1.2", "169.254.1.3", "169.254.1.4", "169.254.1.5", "169.254.1.6", "169.254.1.7", "127.0.0.1"},
		"ten thousand":  many,
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTransport(t, Options{Resolver: &resolver{answers: []func(context.Context) ([]netip.Addr, error){addresses(answer...)}}})
			if _, _, err := send(t, tr, Request{URL: "http://api.test:" + port}); err != nil {
				t.Errorf("got %v, want an answer from the address that works", err)
			}
		})
	}
}

func TestAlternate(t *testing.T) {
	var addrs []netip.Addr
	for _, text := range []string{"2001::1", "2001::2", "2001::3", "1.0.0.1", "1.0.0.2", "2001::4", "2001::5", "2001::6", "2001::7"} {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	var got bytes.Buffer
	for _, a := range alternate(addrs) {
		fmt.Fprintf(&got, "%s ", a)
	}
	if want := "2001::1 1.0.0.1 2001::2 1.0.0.2 2001::3 2001::4 2001::5 2001::6 "; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}
