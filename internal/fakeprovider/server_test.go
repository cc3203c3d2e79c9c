package fakeprovider

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// Those that are parallel wait for most of their time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("BUG: " + err.Error())
	}
	os.Exit(m.Run())
}

// patience is how long anything may take that only a failure keeps from coming.
const patience = time.Minute

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: still not so after %v", what, patience)
		}
	}
}

func TestJournalSeesCancellation(t *testing.T) {
	s := start(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := client(t).Do(request(ctx, t, s, Messages, bodyFor(Messages, "m+fault-stall", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if got := s.OpenStreams(); got != 1 {
		t.Errorf("open streams: got %d want 1", got)
	}
	if !s.Last().Cancelled.IsZero() {
		t.Error("cancelled before the client left")
	}
	before := time.Now()
	cancel()
	eventually(t, "cancelled", func() bool { return !s.Last().Cancelled.IsZero() })
	if got := s.Last().Cancelled.Sub(before); got < 0 || got > patience/2 {
		t.Errorf("cancelled after %v want at once", got)
	}
	eventually(t, "no open stream", func() bool { return s.OpenStreams() == 0 })
}

func TestJournalRecordsRequests(t *testing.T) {
	s := start(t, Options{})
	c := client(t)
	body := bodyFor(Chat, "m", true)
	for range 2 {
		send(t, c, s, Chat, body, patience, func(r *http.Request) { r.Header.Set("X-Mark", "here") })
	}
	eventually(t, "done", func() bool { return !s.Last().Done.IsZero() })
	seen := s.Requests()
	if len(seen) != 2 || s.Count() != 2 {
		t.Fatalf("got %d requests, count %d want 2", len(seen), s.Count())
	}
	e := seen[1]
	if e.Method != "POST" || e.Path != "/v1/chat/completions" || string(e.Body) != body || e.Header.Get("X-Mark") != "here" ||
		e.Model != "m" || !e.Stream || e.Status != 200 || e.ConnTurn != 2 || e.Conn != seen[0].Conn || e.Sent == 0 || !e.Cancelled.IsZero() {
		t.Errorf("got %+v", e)
	}
	s.Forget()
	if s.Count() != 0 || len(s.Requests()) != 0 {
		t.Error("forgotten requests are still there")
	}
}

func TestJournalKeepsTheLast(t *testing.T) {
	s := start(t, Options{Keep: 4})
	c := client(t)
	for range 9 {
		send(t, c, s, Chat, bodyFor(Chat, "m", false), patience, nil)
	}
	if got := len(s.Requests()); got < 2 || got > 4 || s.Count() != 9 {
		t.Errorf("got %d kept of %d want 2 to 4 of 9", got, s.Count())
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	s := start(t, Options{})
	c := client(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			vendor := []string{Chat, Messages}[i%2]
			for range 5 {
				h := send(t, c, s, vendor, bodyFor(vendor, "m+chunks-20", i%3 == 0), patience, nil)
				if h.status != 200 || h.err != nil {
					t.Errorf("got %d %v want 200", h.status, h.err)
				}
				s.Requests()
				s.OpenStreams()
			}
		})
	}
	wg.Wait()
	if got := s.Count(); got != 80 {
		t.Errorf("count: got %d want 80", got)
	}
}

func TestCloseEndsWaitingFaults(t *testing.T) {
	s := New(Options{})
	if _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	for _, kind := range []string{"hang", "deaf", "endless-1xx"} {
		go func() {
			resp, err := client(t).Do(request(t.Context(), t, s, Chat, bodyFor(Chat, "m+fault-"+kind, true)))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			done <- err
		}()
	}
	eventually(t, "all there", func() bool { return s.Count() == 3 })
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close still waits")
	}
	for range 3 {
		<-done
	}
	s.Close() // a second time does nothing
}

func TestTLSSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	if _, err := s.StartTLS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CAPool()}, ForceAttemptHTTP2: proto == "HTTP/2.0"}
		c := &http.Client{Transport: tr}
		h := send(t, c, s, Messages, bodyFor(Messages, "m", true), patience, nil)
		if r := readStream(Messages, h.body); !r.done || h.err != nil || s.Last().Proto != proto {
			t.Errorf("%s: got %q %v over %s", proto, h.body, h.err, s.Last().Proto)
		}
		for _, kind := range []string{"reset", "reset-stream", "drop-stream", "close", "hang"} {
			h := send(t, c, s, Messages, bodyFor(Messages, "m+fault-"+kind, true), 300*time.Millisecond, nil)
			if h.err == nil {
				t.Errorf("%s %s: got a clean end, %q", proto, kind, h.body)
			}
		}
		tr.CloseIdleConnections()
	}
}
