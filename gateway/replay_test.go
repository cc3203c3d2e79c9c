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
	m := mute{make(chan struct{})}
	w := newWorld(t, func(o *gateway.Options, _ *world) { o.Replays = m })
	ask := func(key string) *answer {
		return w.post(chatAPI, body("chat1", "Who is there?", false), map[string]string{gateway.HeaderIdempotency: key})
	}
	if got := ask("first"); got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "ledger_unavailable") {
		t.Errorf("got status %d and %s, want it refused", got.status, got.body)
	}
	const more = 20
	var refused, served atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for i := range more {
		all.Go(func() {
			switch got := ask(fmt.Sprint("more", i)); got.status {
			case http.StatusServiceUnavailable:
				if refused.Add(1) == more-1 {
					close(m.speak)
				}
			case http.StatusOK:
				served.Add(1)
			default:
				t.Errorf("got status %d and %s, want an answer or a refusal", got.status, got.body)
			}
		})
	}
	all.Wait()
	if refused.Load() != more-1 || served.Load() != 1 || time.Since(begun) > 4*time.Second {
		t.Errorf("got %d refused and %d served after %v, want one that waits for the store, and all others refused at once", refused.Load(), served.Load(), time.Since(begun))
	}
	if got := ask("later"); got.status != http.StatusOK {
		t.Errorf("when it speaks again: got status %d and %s, want an answer", got.status, got.body)
	}
}
