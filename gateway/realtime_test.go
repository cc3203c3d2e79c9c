package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
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

// room is a ledger with room for so much more, beside what is reserved at first.
type room struct {
	notebook
	left budget.Money
}

func (l *room) Extend(_ context.Context, attempt int64, most budget.Tokens) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	cost, err := l.reserved[attempt-1].Line.Rates.Cost(most)
	if err == nil && cost > l.left {
		err = &budget.LimitError{Account: "key:anonymous", Period: budget.Ever}
	}
	return err
}

// TestRealtimeIsPaid charges all answers of a session, however many, but for what cannot be true, and ends it when there
// is too little left for what it has used: a budget is passed by one answer at most.
func TestRealtimeIsPaid(t *testing.T) {
	t.Parallel()
	const usual = `{"input_tokens":15000,"output_tokens":500,"output_token_details":{"audio_tokens":400}}` // 0.056 dollars
	for _, tc := range []struct {
		name    string
		left    budget.Money
		last    string // of 40 answers
		kind    budget.Kind
		answers int64
		closed  websocket.StatusCode
	}{
		{"a long session", 100 * budget.USD, usual, budget.Posted, 40, websocket.StatusNormalClosure},
		{"a count that cannot be true", 100 * budget.USD, `{"input_tokens":1000000000000,"output_tokens":5}`, budget.Estimated, 39, websocket.StatusNormalClosure},
		{"too little left", 28 * budget.USD / 100, usual, budget.Posted, 6, websocket.StatusPolicyViolation},
	} {
		l := &room{left: tc.left}
		answers := func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer conn.CloseNow()
			for n := 1; n <= 40; n++ {
				if _, _, err := conn.Read(r.Context()); err != nil {
					return
				}
				u := usual
				if n == 40 {
					u = tc.last
				}
				conn.Write(r.Context(), websocket.MessageText, []byte(`{"type":"response.done","response":{"usage":`+u+`}}`))
			}
			conn.Read(r.Context())
		}
		w := newPaidRelayWorld(t, l, answers, fails(503))
		conn, _, err := websocket.Dial(t.Context(), w.url+"/v1/realtime?model=both", nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 40 && err == nil; n++ {
			if err = conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"response.create"}`)); err == nil {
				_, _, err = conn.Read(t.Context())
			}
		}
		closed := websocket.StatusNormalClosure
		if err != nil {
			closed = websocket.CloseStatus(err)
		}
		conn.Close(websocket.StatusNormalClosure, "")
		<-w.settle
		s := l.settled[1][0]
		if s.Outcome.Kind != tc.kind || s.Outcome.Tokens.Input() != 15000*tc.answers || s.Outcome.Tokens.All() != 500*tc.answers || closed != tc.closed {
			t.Errorf("%s: got %v of %+v, and %v at the end, want %v of %d answers, and %v", tc.name, s.Outcome.Kind, s.Outcome.Tokens, closed, tc.kind, tc.answers, tc.closed)
		}
		first := l.reserved[0]
		if cost, err := first.Line.Rates.Cost(first.Most); err != nil || cost < 16384*100*budget.USD/1e6 {
			t.Errorf("%s: got %v reserved at first, %v, want an answer that is all sound", tc.name, cost, err)
		}
	}
}

// TestBackgroundIsPaid charges what an answer may cost at most that nobody may ever look up.
func TestBackgroundIsPaid(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	queued := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"resp_1","object":"response","status":"queued","model":"model-a","background":true,"output":[],"usage":null}`)
	}
	w := newPaidRelayWorld(t, l, queued, fails(503))
	resp, text := w.do(t, http.MethodPost, "/v1/responses", "application/json", `{"model":"both","input":"Write a book.","background":true,"max_output_tokens":5000}`)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got status %d and %s, want the vendor's answer", resp.StatusCode, text)
	}
	<-w.settle
	if got := l.settled[1][0].Outcome; got.Kind != budget.Uncertain || got.Tokens != l.reserved[0].Most || got.Tokens.All() != 5000 {
		t.Errorf("got %v of %+v, want it uncertain with all that was reserved, %+v", got.Kind, got.Tokens, l.reserved[0].Most)
	}
}

// TestRealtimeOfARevokedKey ends behind the answer that is under way: the next would be one of nobody's.
func TestRealtimeOfARevokedKey(t *testing.T) {
	t.Parallel()
	keys := access.NewRegistry(access.Options{})
	declared := access.Declared{Keys: []access.DeclaredKey{{ID: "web", Text: limitedKey, Spec: access.Spec{Models: []string{"*"}}}}}
	if err := keys.Open(t.Context(), access.NewSecret(), &access.Memory{}, false, declared); err != nil {
		t.Fatal(err)
	}
	answers := func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for err == nil {
			if _, _, err = conn.Read(r.Context()); err == nil {
				err = conn.Write(r.Context(), websocket.MessageText, []byte(`{"type":"response.done","response":{"usage":{"input_tokens":3,"output_tokens":4}}}`))
			}
		}
	}
	l := &notebook{}
	w := newRelayWorldOf(t, func(o *gateway.Options) { o.Ledger, o.Access = l, keys }, answers, fails(503))
	conn, _, err := websocket.Dial(t.Context(), w.url+"/v1/realtime?model=both", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + limitedKey}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	got := 0
	for range 5 {
		if err = conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"response.create"}`)); err != nil {
			break
		}
		if _, _, err = conn.Read(t.Context()); err != nil {
			break
		}
		if got++; got == 2 {
			keys.Declare(access.Declared{})
		}
	}
	if got != 3 || websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("got %d answers and %v, want one more than the two before the key was taken away, and a close that says so", got, err)
	}
	<-w.settle
	if s := l.settled[1][0]; s.Outcome.Kind != budget.Posted || s.Outcome.Tokens.All() != 12 {
		t.Errorf("got %v of %+v, want three answers posted", s.Outcome.Kind, s.Outcome.Tokens)
	}
}
