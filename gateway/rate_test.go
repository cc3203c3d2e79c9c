package gateway_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
)

const limitedKey = "us-limited-0123456789abcdefghijklmnopqrstuvwxyz"

// withKey lets only the holder of a key call, who has limits.
func withKey(t *testing.T, limits access.Limits) worldOption {
	t.Helper()
	r := access.NewRegistry(access.Options{})
	err := r.Open(t.Context(), access.NewSecret(), &access.Memory{}, false, access.Declared{
		Keys: []access.DeclaredKey{{ID: "web", Text: limitedKey, Spec: access.Spec{Models: []string{"*"}, Team: "search", Limits: limits}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *gateway.Options, _ *world) { o.Access = r }
}

// withShown shows the key as SDKs of all vendors may.
func withShown() map[string]string { return map[string]string{"Authorization": "Bearer " + limitedKey} }

// TestRequestsPerMinute refuses with what SDKs need to come back in time.
func TestRequestsPerMinute(t *testing.T) {
	for _, tc := range []struct {
		api       api
		route     string
		left, all string
	}{
		{chatAPI, "chat1", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Limit-Requests"},
		{messagesAPI, "claude1", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Limit"},
	} {
		l := &notebook{}
		w := newWorld(t, withLedger(l), withKey(t, access.Limits{RequestsPerMinute: 2}))
		for i, left := range []string{"1", "0"} {
			got := w.post(tc.api, body(tc.route, "Who is there?", i == 1), withShown())
			if got.status != http.StatusOK || got.header.Get(tc.left) != left || got.header.Get(tc.all) != "2" {
				t.Errorf("%s: got status %d and %v, want an answer and %s of 2 left", tc.api.name, got.status, got.header, left)
			}
		}
		begun := time.Now()
		got := w.post(tc.api, body(tc.route, "Who is there?", false), withShown())
		if got.status != http.StatusTooManyRequests || !isSoon(got.header.Get("Retry-After"), 30) || got.header.Get("X-Should-Retry") == "false" {
			t.Errorf("%s: got status %d, %v and %s, want 429 that says when to come back", tc.api.name, got.status, got.header, got.body)
		}
		if rec := w.record(); rec.Denied != "requests" || rec.Code != llm.CodeRateLimit || len(rec.Attempts) > 0 {
			t.Errorf("%s: got %+v, want a denial on record", tc.api.name, rec)
		}
		if len(l.reserved) != 2 {
			t.Errorf("%s: got %d reservations, want none for what was denied", tc.api.name, len(l.reserved))
		}
		for range 20 {
			w.post(tc.api, body(tc.route, "Who is there?", false), withShown())
		}
		w.record()
		// Beside the two that were answered a denial each second.
		if n, most := strings.Count(w.log.String(), "msg=call "), 3+int(time.Since(begun)/time.Second); n < 3 || n > most {
			t.Errorf("%s: got %d lines of calls, want 3 to %d: a sample of denials", tc.api.name, n, most)
		}
	}
}

// isSoon reports whether a time to come back is at most so many seconds, some of which have gone on a busy machine.
func isSoon(text string, most int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n <= most
}

// TestTokensPerMinute charges what was used, and refuses a key that owes some.
func TestTokensPerMinute(t *testing.T) {
	w := newWorld(t, withKey(t, access.Limits{TokensPerMinute: 100}))
	status, n := http.StatusOK, 0
	var got *answer
	for ; status == http.StatusOK && n < 50; n++ {
		got = w.post(chatAPI, body("chat1", "Who is there?", false), withShown())
		status = got.status
		w.record()
	}
	if status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || got.header.Get("X-Ratelimit-Limit-Tokens") != "100" || !strings.Contains(string(got.body), "tokens") {
		t.Errorf("got status %d, %v and %s after %d calls, want a refusal for tokens", status, got.header, got.body, n)
	}
	if n < 2 || n > 10 {
		t.Errorf("got %d calls, want as many as have 100 tokens", n)
	}
}

// TestConcurrent lets a key have so many calls at once, and frees their places.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withKey(t, access.Limits{Concurrent: 3}), withTimeouts(patient()))
	var yes, no atomic.Int64
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			switch got := w.post(chatAPI, body("chat1|+delay-1s", "Who is there?", false), withShown()); got.status {
			case http.StatusOK:
				yes.Add(1)
			case http.StatusTooManyRequests:
				no.Add(1)
			default:
				t.Errorf("got status %d and %s, want an answer or a denial", got.status, got.body)
			}
		})
	}
	all.Wait()
	if yes.Load() < 3 || no.Load() == 0 {
		t.Errorf("got %d answers and %d denials, want three at a time", yes.Load(), no.Load())
	}
	eventually(t, "the places free again when no call runs", func() bool {
		return w.post(chatAPI, body("chat1", "Who is there?", false), withShown()).status == http.StatusOK
	})
}

// TestTokensOfUntrueCounts: a vendor's count that cannot be true does not keep a key out for hours (S104).
func TestTokensOfUntrueCounts(t *testing.T) {
	w := newWorld(t, withKey(t, access.Limits{TokensPerMinute: 6000}))
	w.fail("chat1", "usage-huge")
	for range 10 {
		if got := w.post(chatAPI, body("chat1", "Who is there?", false), withShown()); got.status != http.StatusOK {
			t.Fatalf("got status %d and %s, want an answer: the key has used a few hundred tokens", got.status, got.body)
		}
		w.record()
	}
}
