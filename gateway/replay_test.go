package gateway_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// mute is a store of requests that says nothing until it is told to.
type mute struct{ speak chan struct{} }

func (m mute) Claim(ctx context.Context, _ *gateway.Replay) (*gateway.Replay, error) {
	select {
	case <-m.speak:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
func (m mute) Keep(context.Context, *gateway.Replay) error   { return nil }
func (m mute) Forget(context.Context, *gateway.Replay) error { return nil }

// cutOff is a store of requests that does what it is told and does not say so, or does nothing at all.
type cutOff struct {
	mu                     sync.Mutex
	kept                   map[[sha256.Size]byte]gateway.Replay
	claims, keeps, forgets int // so many fail
}

var errCutOff = errors.New("the store is cut off")

func (s *cutOff) Claim(_ context.Context, r *gateway.Replay) (*gateway.Replay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, is := s.kept[r.ID]; is {
		return &before, nil
	}
	s.kept[r.ID] = *r
	if s.claims > 0 {
		s.claims--
		return nil, errCutOff
	}
	return nil, nil
}

func (s *cutOff) Keep(_ context.Context, r *gateway.Replay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeps > 0 {
		s.keeps--
		return errCutOff
	}
	if s.kept[r.ID].Call == r.Call {
		kept := *r
		kept.Request = s.kept[r.ID].Request
		s.kept[r.ID] = kept
	}
	return nil
}

func (s *cutOff) Forget(_ context.Context, r *gateway.Replay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgets > 0 {
		s.forgets--
		return errCutOff
	}
	if s.kept[r.ID].Call == r.Call {
		delete(s.kept, r.ID)
	}
	return nil
}

// TestStoreOfRequestsIsCutOff tells a store later what became of a request when it could not be told then (K6): that one
// is not said to run for ever.
func TestStoreOfRequestsIsCutOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		store         *cutOff
		model         string
		first, second int
		retry, code   string
		asked         int
	}{
		{"when it is claimed", &cutOff{claims: 1}, "chat1", 503, 200, "", "", 1},
		{"and again before it", &cutOff{claims: 1, forgets: 1}, "chat1", 503, 503, "", "ledger_unavailable", 0},
		{"when it is answered", &cutOff{keeps: 1}, "chat1", 200, 409, "false", "conflict", 1},
		{"when it was refused", &cutOff{forgets: 1}, "nowhere", 404, 404, "", "model_not_found", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.store.kept = map[[sha256.Size]byte]gateway.Replay{}
			w := newWorld(t, func(o *gateway.Options, _ *world) { o.Replays = tc.store })
			ask := func(key string) *answer {
				return w.post(chatAPI, body(tc.model, "Who is there?", false), map[string]string{gateway.HeaderIdempotency: key})
			}
			if got := ask("order"); got.status != tc.first {
				t.Errorf("got status %d and %s, want %d", got.status, got.body, tc.first)
			}
			got := ask("order")
			if got.status != tc.second || got.header.Get("X-Should-Retry") != tc.retry || !strings.Contains(string(got.body), tc.code) {
				t.Errorf("again: got status %d, %v and %s, want %d and %s", got.status, got.header, got.body, tc.second, tc.code)
			}
			if n := w.vendors["chat1"].Count(); n != tc.asked {
				t.Errorf("got %d requests at the vendor, want %d", n, tc.asked)
			}
			if got := ask("another"); got.status == 503 || got.status == 409 {
				t.Errorf("another: got status %d and %s, want it made", got.status, got.body)
			}
		})
	}
}

// TestStoreOfRequestsIsSilent refuses requests with an Idempotency-Key while their store says nothing. Only one at a time
// waits for it.
func TestStoreOfRequestsIsSilent(t *testing.T) {
	t.Parallel()
	const more = 20
	var refused, served int64
	var took time.Duration
	atOnce := func() bool { return refused == more-1 && served == 1 && took <= 4*time.Second }
	for try := 0; try < 3 && !atOnce(); try++ { // other work of the machine makes some longer, and not all
		refused, served, took = askSilently(t, more)
	}
	if !atOnce() {
		t.Errorf("got %d refused and %d served after %v, want one that waits for the store, and all others refused at once", refused, served, took)
	}
}

// askSilently has some requests made at once after one that has waited for the store in vain, and the store speak when all but
// one are refused. It returns how many were refused and served, and after what time.
func askSilently(t *testing.T, more int64) (refused, served int64, took time.Duration) {
	t.Helper()
	m := mute{make(chan struct{})}
	speak := sync.OnceFunc(func() { close(m.speak) })
	w := newWorld(t, func(o *gateway.Options, _ *world) { o.Replays = m })
	ask := func(key string) *answer {
		return w.post(chatAPI, body("chat1", "Who is there?", false), map[string]string{gateway.HeaderIdempotency: key})
	}
	if got := ask("first"); got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "ledger_unavailable") {
		t.Errorf("got status %d and %s, want it refused", got.status, got.body)
	}
	var no, yes atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for i := range more {
		all.Go(func() {
			switch got := ask(fmt.Sprint("more", i)); got.status {
			case http.StatusServiceUnavailable:
				if no.Add(1) == more-1 {
					speak()
				}
			case http.StatusOK:
				yes.Add(1)
			default:
				t.Errorf("got status %d and %s, want an answer or a refusal", got.status, got.body)
			}
		})
	}
	all.Wait()
	took = time.Since(begun)
	speak()
	if got := ask("later"); got.status != http.StatusOK {
		t.Errorf("when it speaks again: got status %d and %s, want an answer", got.status, got.body)
	}
	return no.Load(), yes.Load(), took
}
