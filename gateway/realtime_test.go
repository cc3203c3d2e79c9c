package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestRealtime(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(1 << 20)
		for {
			kind, b, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if string(b) == "bye" {
				conn.Close(4001, "so long")
				return
			}
			conn.Write(r.Context(), kind, b)
			conn.Write(r.Context(), websocket.MessageText, []byte(`{"type":"response.done","response":{"usage":{"input_tokens":3,"output_tokens":4}}}`))
		}
	}
	w := newRelayWorld(t, fails(503), echo)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, w.url+"/v1/realtime?model=both", &websocket.DialOptions{
		Subprotocols: []string{"realtime", "openai-insecure-api-key.secret"}, HTTPHeader: http.Header{"Openai-Beta": {"realtime=v1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != "realtime" || resp.Header.Get("X-Understudy-Target") != "b/model-b" {
		t.Errorf("got subprotocol %q from %s, want realtime from the understudy", conn.Subprotocol(), resp.Header.Get("X-Understudy-Target"))
	}
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		message := bytes.Repeat([]byte("x"), 100<<10)
		conn.SetReadLimit(1 << 20)
		if err := conn.Write(ctx, kind, message); err != nil {
			t.Fatal(err)
		}
		if gotKind, got, err := conn.Read(ctx); err != nil || gotKind != kind || !bytes.Equal(got, message) {
			t.Errorf("got %d bytes of kind %v, %v, want the echo", len(got), gotKind, err)
		}
		conn.Read(ctx) // response.done
	}
	conn.Write(ctx, websocket.MessageText, []byte("bye"))
	_, _, err = conn.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "so long" {
		t.Errorf("got %v, want the provider's own close", err)
	}
	rec := <-w.settle
	if rec.Status != 101 || rec.Code != "" || len(rec.Attempts) != 2 || rec.Attempts[1].Usage.Total() != 14 {
		t.Errorf("got %+v, want a session with two answers counted", rec)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.asked, ", "); got != "a GET /v1/realtime?model=model-a, b GET /v1/realtime?model=model-b" {
		t.Errorf("the vendors were asked %s, want each for its own model", got)
	}
}

// TestRealtimeNotRead: a client that reads nothing does not hold a session for ever, and is to blame for its end.
func TestRealtimeNotRead(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	defer close(over)
	floods := func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		piece := make([]byte, 1<<20)
		for n := 0; n < 64 && err == nil; n++ { // more than there is room for on the way
			err = conn.Write(r.Context(), websocket.MessageBinary, piece)
		}
		<-over // nor does it answer when the session is closed
	}
	w := newRelayWorld(t, floods, fails(500))
	conn, _, err := websocket.Dial(t.Context(), w.url+"/v1/realtime?model=both", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	select {
	case rec := <-w.settle:
		if rec.Code != "" {
			t.Errorf("got code %q, want none: the provider did nothing wrong", rec.Code)
		}
	case <-time.After(time.Minute):
		t.Error("got a session that goes on, want it ended")
	}
}
