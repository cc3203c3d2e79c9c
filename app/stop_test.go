package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// streams opens n streams of a model, waits until each has begun, and returns what
// collects their bodies.
func streams(t *testing.T, a *App, model string, n int) (wait func() []string) {
	t.Helper()
	client := newClient(t)
	bodies := make([]string, n)
	var begun, ended sync.WaitGroup
	begun.Add(n)
	for i := range n {
		ended.Go(func() {
			resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
				strings.NewReader(`{"model": "`+model+`", "stream": true, "messages": [{"role": "user", "content": "hi"}]}`))
			if err != nil {
				t.Errorf("got %v, want a stream", err)
				begun.Done()
				return
			}
			defer resp.Body.Close()
			first := make([]byte, 1)
			_, _ = io.ReadFull(resp.Body, first)
			begun.Done()
			rest, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			if err != nil {
				t.Errorf("got a stream cut by %v, want it ended", err)
			}
			bodies[i] = string(first) + string(rest)
		})
	}
	begun.Wait()
	return func() []string { ended.Wait(); return bodies }
}

func stage(t *testing.T, vendor string) *App {
	t.Helper()
	c := parse(t, "providers: {v: {use: openai, base_url: "+vendor+"/v1, key: env:TEST_KEY}}\ndrain: 1m", nil)
	a, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestStopCutsNothing stops while streams run: every one comes to its own end, and
// nobody new gets in.
func TestStopCutsNothing(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	end := sync.OnceFunc(func() { close(goOn) })
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		chunk := func(delta, finish string) {
			_, _ = fmt.Fprintf(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", delta, finish)
			_ = http.NewResponseController(w).Flush()
		}
		chunk(`{"role":"assistant","content":"begun"}`, "null")
		<-goOn
		chunk(`{"content":", and ended"}`, `"stop"`)
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer vendor.Close()
	defer end()
	a := stage(t, vendor.URL)
	wait := streams(t, a, "v/m", 40)
	address := a.Addr()
	stopped := make(chan error, 1)
	go func() { stopped <- a.Stop(context.Background()) }()
	eventually(t, "nobody let in while stopping", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil // the listener is closed, and the streams still run
	})
	select {
	case err := <-stopped:
		t.Fatalf("got stopped with %v while streams run, want it to wait", err)
	default:
	}
	end()
	for i, body := range wait() {
		if !strings.HasSuffix(body, "data: [DONE]\n\n") || strings.Contains(body, `"error"`) {
			t.Errorf("stream %d: got %q, want it whole", i, body)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("got %v, want it stopped", err)
	}
}

// TestStopAtOnce ends what runs within five seconds, in error events.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	vendor := newVendor(t).RootURL()
	const most = 5 * time.Second
	if took := best(most, func() time.Duration { return stopAtOnce(t, vendor) }); took > most {
		t.Errorf("got it stopped after %v, want at most %v", took, most)
	}
}

func stopAtOnce(t *testing.T, vendor string) (took time.Duration) {
	t.Helper()
	a := stage(t, vendor)
	wait := streams(t, a, "v/m+chunks-10000+delay-30ms", 20)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	start := time.Now()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("got %v, want it stopped", err)
	}
	took = time.Since(start)
	for i, body := range wait() {
		if !strings.Contains(body, `data: {"error":`) || strings.Contains(body, "[DONE]") {
			t.Errorf("stream %d: got %q, want it ended in an error", i, body)
		}
	}
	return took
}

// TestStopEndsSessions: a realtime session has the time to drain like every call, and is then closed in order.
func TestStopEndsSessions(t *testing.T) {
	t.Parallel()
	const drain = 3 * time.Second
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	}))
	defer vendor.Close()
	c := parse(t, "providers: {v: {use: openai, base_url: "+vendor.URL+"/v1, key: env:TEST_KEY}}\ndrain: "+drain.String(), nil)
	a, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+a.Addr()+"/v1/realtime?model=v/m", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	stopped := make(chan error, 1)
	begun := time.Now()
	go func() { stopped <- a.Stop(context.Background()) }()
	time.Sleep(100 * time.Millisecond)
	if err := conn.Write(ctx, websocket.MessageText, []byte("still there?")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.Read(ctx); string(got) != "still there?" || err != nil {
		t.Errorf("got %q, %v, want the session to run on for the time to drain", got, err)
	}
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("got %v, want the session closed with %v", err, websocket.StatusGoingAway)
	}
	if err := <-stopped; err != nil || time.Since(begun) < drain {
		t.Errorf("got stopped with %v after %v, want it to wait for the session", err, time.Since(begun))
	}
}

// TestSlowHeader closes the connection of a client that sends its header too slowly.
func TestSlowHeader(t *testing.T) {
	c := parse(t, "providers: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}", nil)
	a, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	a.clients.http.ReadHeaderTimeout = 100 * time.Millisecond
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("tcp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /v1/models HTTP/1.1\r\nHos"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("got status %d, want the connection closed", resp.StatusCode)
		}
		return
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("got a connection that stays open, want it closed")
	}
}
