package fastlane

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestShutdown(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	var running sync.WaitGroup
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			running.Done()
			<-goOn
		}
		path(w, r)
	})
	idle, idleReader := s.dial(t)
	send(t, idle, get)
	want(t, idleReader, "/a")
	_, fresh := s.dial(t)
	running.Add(2)
	busy, busyReader := s.dial(t)
	send(t, busy, strings.Replace(get, "/a", "/slow", 1))
	odd, oddReader := s.dial(t)
	send(t, odd, "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	running.Wait()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	wantClosedSoon(t, idleReader)
	wantClosedSoon(t, fresh)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the time to be over", err)
	}
	select {
	case err := <-down:
		t.Fatalf("got shut down (%v) while requests run, want it to wait", err)
	default:
	}
	close(goOn)
	for _, r := range []*bufio.Reader{busyReader, oddReader} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(io.LimitReader(resp.Body, 100)); string(body) != "/slow" || err != nil || !resp.Close {
			t.Errorf("got %q, %v, close %v, want an answer that is the last", body, err, resp.Close)
		}
		resp.Body.Close()
		wantClosedSoon(t, r)
	}
	if err := <-down; err != nil {
		t.Errorf("got %v, want it shut down", err)
	}
	s.wantNoneOpen(t)
}

// TestShutdownIsTold: what is told of a connection that Shutdown has waited for is told before that returns.
func TestShutdownIsTold(t *testing.T) {
	t.Parallel()
	goOn, running := make(chan struct{}), make(chan struct{})
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-goOn
		path(w, r)
	}, func(s *http.Server) {
		tell := s.ConnState
		s.ConnState = func(nc net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				time.Sleep(20 * time.Millisecond) // longer than Shutdown looks away
			}
			tell(nc, state)
		}
	})
	conn, r := s.dial(t)
	send(t, conn, get)
	<-running
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	for !s.over.Load() {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	want(t, r, "/a")
	if err := <-down; err != nil || s.open.Load() != 0 {
		t.Errorf("got %v and %d connections counted, want it shut down and none", err, s.open.Load())
	}
}

// TestFarewell: while the server is shut down, a client whose connection is new, or whose answer had begun before, may be
// sending a request. It is answered, and told that it was the last.
func TestFarewell(t *testing.T) {
	t.Parallel()
	goOn, running := make(chan struct{}), make(chan struct{})
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush() // its header says nothing of an end
			close(running)
			<-goOn
		}
		path(w, r)
	})
	fresh, freshReader := s.dial(t)
	busy, busyReader := s.dial(t)
	send(t, busy, strings.Replace(get, "/a", "/slow", 1))
	<-running
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	for !s.over.Load() {
		time.Sleep(time.Millisecond)
	}
	last := func(r *bufio.Reader, body string, isLast bool) {
		t.Helper()
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(resp.Body, 100))
		resp.Body.Close()
		if string(got) != body || err != nil || resp.Close != isLast {
			t.Errorf("got %q, %v, the last: %v, want %q and %v", got, err, resp.Close, body, isLast)
		}
	}
	send(t, fresh, get)
	last(freshReader, "/a", true)
	close(goOn)
	last(busyReader, "/slow", false)
	send(t, busy, get)
	last(busyReader, "/a", true)
	if err := <-down; err != nil {
		t.Errorf("got %v, want it shut down", err)
	}
}
