package gateway_test

import (
	"context"
	"crypto/sha256"
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
func (m mute) Keep(context.Context, *gateway.Replay) error     { return nil }
func (m mute) Forget(context.Context, [sha256.Size]byte) error { return nil }

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
