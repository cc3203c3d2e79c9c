package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// sent is a request with an Idempotency-Key, and what came of it.
type sent struct {
	status   int
	header   http.Header
	body     string
	replayed string
}

func send(t *testing.T, a *App, key, body string) sent {
	t.Helper()
	return sendAs(t, a, "", key, body)
}

// sendAs sends with a client's key.
func sendAs(t *testing.T, a *App, as, key, body string) sent {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if as != "" {
		req.Header.Set("Authorization", "Bearer "+as)
	}
	client := newClient(t)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return sent{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return sent{resp.StatusCode, resp.Header, string(text), resp.Header.Get("X-Understudy-Replayed")}
}

func replayStores(t *testing.T, test func(t *testing.T, store string)) {
	t.Run("file", func(t *testing.T) { test(t, "") })
	t.Run("database", func(t *testing.T) {
		url := os.Getenv("UNDERSTUDY_POSTGRES")
		if url == "" {
			t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
		}
		test(t, url)
	})
}

// TestOnce sends one request a hundred times at once: one goes to the vendor and is charged, the others are told to come
// back or have its answer. The answer outlives the gateway; another request by the same key is refused (I10, S86).
func TestOnce(t *testing.T) {
	t.Parallel()
	replayStores(t, func(t *testing.T, store string) {
		v := newTill(t)
		name := fmt.Sprintf("v%d", time.Now().UnixNano())
		c := tillConfig(t, v, store, name, "most: 1 USD")
		a := start(t, c, &lockedBuffer{})
		ask := `{"model": "` + name + `/m", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}`
		key := "order-" + name
		var all sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		for range 100 {
			all.Go(func() {
				s := send(t, a, key, ask)
				mu.Lock()
				defer mu.Unlock()
				got[s.status]++
				if s.status == http.StatusConflict && s.header.Get("Retry-After") == "" {
					t.Errorf("got %v, want it said when to come back", s.header)
				}
			})
		}
		for until := time.Now().Add(patience); time.Now().Before(until) && !t.Failed(); time.Sleep(time.Millisecond) {
			mu.Lock()
			conflicts := got[http.StatusConflict]
			mu.Unlock()
			if v.had.Load() > 0 && conflicts == 99 {
				break
			}
		}
		close(v.open)
		all.Wait()
		if got[http.StatusOK] != 1 || got[http.StatusConflict] != 99 {
			t.Errorf("got %v, want one answer, and 99 told to come back", got)
		}
		first := awaitReplay(t, a, key, ask)
		if first.status != http.StatusOK || !strings.Contains(first.body, `"hi"`) || first.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %+v, want the answer again", first)
		}
		if s := send(t, a, key, strings.Replace(ask, "hi", "ho", 1)); s.status != http.StatusUnprocessableEntity || !strings.Contains(s.body, `"key_reused"`) {
			t.Errorf("another request: got status %d and %s, want 422", s.status, s.body)
		}
		if err := errors.Join(a.SyncLedger(t.Context()), a.Stop(context.Background())); err != nil {
			t.Fatal(err)
		}
		again := start(t, c, &lockedBuffer{})
		if s := send(t, again, key, ask); s.body != first.body || s.replayed != first.replayed {
			t.Errorf("after a start: got %+v, want the same answer", s)
		}
		if s := send(t, again, key+"2", ask); s.status != http.StatusOK || s.replayed != "" {
			t.Errorf("another key: got %+v, want an answer of its own", s)
		}
		if n := v.had.Load(); n != 2 {
			t.Errorf("got %d requests at the vendor, want one for each key", n)
		}
		spentIs(t, again, "0.02")
	})
}

func awaitReplay(t *testing.T, a *App, key, ask string) sent {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if s := send(t, a, key, ask); s.status != http.StatusConflict || s.header.Get("X-Should-Retry") == "false" || time.Now().After(until) {
			return s
		}
	}
}

// spentIs waits until so much is spent of the only budget.
func spentIs(t *testing.T, a *App, want string) {
	t.Helper()
	eventually(t, want+" spent", func() bool { // a call is settled after its answer
		if err := a.SyncLedger(t.Context()); err != nil {
			t.Fatal(err)
		}
		list := a.books.budgets.List(t.Context())
		return len(list) > 0 && list[0].Spent == want
	})
}

// TestOnceStreams gives a stream again, byte for byte, and what failed, and lets be made again what no vendor has had.
func TestOnceStreams(t *testing.T) {
	t.Parallel()
	replayStores(t, func(t *testing.T, store string) {
		vendor := newVendor(t)
		text := fmt.Sprintf("data: ./data\nproviders: {v: {use: openai, base_url: %s/v1, key: env:TEST_KEY}, gone: {use: openai, base_url: 'http://127.0.0.1:1/v1', key: env:TEST_KEY}}", vendor.RootURL())
		if store != "" {
			text += "\nstore: " + store
		}
		c := parse(t, text, nil)
		a := start(t, c, &lockedBuffer{})
		key := fmt.Sprintf("stream-%d", time.Now().UnixNano())
		ask := func(model string) string {
			return `{"model": "` + model + `", "stream": true, "messages": [{"role": "user", "content": "hi"}]}`
		}
		first := send(t, a, key, ask("v/m"))
		second := awaitReplay(t, a, key, ask("v/m"))
		if first.status != http.StatusOK || !strings.Contains(first.body, "[DONE]") || second.body != first.body || second.replayed != first.header.Get("X-Understudy-Call") {
			t.Errorf("got %+v, want %+v again", second, first)
		}
		broken := send(t, a, key+"b", ask("v/m|+reset-stream"))
		if again := awaitReplay(t, a, key+"b", ask("v/m|+reset-stream")); again.body != broken.body {
			t.Errorf("got %+v, want what failed again: %+v", again, broken)
		}
		had := len(vendor.Requests())
		if s := send(t, a, key+"c", ask("gone/m")); s.status != http.StatusBadGateway {
			t.Errorf("got %+v, want it not reached", s)
		}
		if s := awaitReplay(t, a, key+"c", ask("v/m")); s.status != http.StatusOK {
			t.Errorf("got %+v, want an answer: nobody has had the first request", s)
		}
		if n := len(vendor.Requests()); n != had+1 {
			t.Errorf("got %d requests at the vendor, want %d", n, had+1)
		}
		for _, key := range []string{"ä", strings.Repeat("x", 256)} {
			if s := send(t, a, key, ask("v/m")); s.status != http.StatusBadRequest {
				t.Errorf("key %q: got status %d, want 400", key, s.status)
			}
		}
	})
}

// TestOnceBreaksOff does not make a request again whose client left, nor one during which the gateway ended.
func TestOnceBreaksOff(t *testing.T) {
	t.Parallel()
	v := newTill(t)
	c := tillConfig(t, v, "", "v", "most: 1 USD")
	a := start(t, c, &lockedBuffer{})
	ask := `{"model": "v/m", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}`
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions", strings.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "left")
	left := make(chan struct{})
	go func() {
		defer close(left)
		if resp, err := newClient(t).Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	for v.had.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	<-left
	if s := awaitReplay(t, a, "left", ask); s.status != http.StatusConflict || s.header.Get("X-Should-Retry") != "false" || !strings.Contains(s.body, "not made again") {
		t.Errorf("got %+v, want it said that the request was made and its answer is not kept", s)
	}
	close(v.open)
	if n := v.had.Load(); n != 1 {
		t.Errorf("got %d requests at the vendor, want one", n)
	}
}

// TestOnceForWhoMayStill gives no answer again to a key that may no longer have it: by its model, the provider or the region that
// gave it or went on with it, or at all. The same key has it back when it may again.
func TestOnceForWhoMayStill(t *testing.T) {
	t.Parallel()
	lead, second := newVendor(t), newVendor(t)
	c := parse(t, fmt.Sprintf(`data: ./data
providers:
  lead: {use: openai, base_url: %s/v1, key: env:TEST_KEY, region: eu}
  second: {use: openai, base_url: %s/v1, key: env:TEST_KEY, region: us}
models: {show: {lead: lead/m, understudies: [second/m]}, other: {lead: second/m}}
access: {anonymous: false}`, lead.RootURL(), second.RootURL()), nil)
	a := start(t, c, &lockedBuffer{})
	wide := access.Spec{Models: []string{"*"}}
	for name, tc := range map[string]struct {
		model string // with the lead's faults
		spec  access.Spec
		want  int
	}{
		"model":                {"show", access.Spec{Models: []string{"other"}}, http.StatusForbidden},
		"direct":               {"lead/m", access.Spec{Models: []string{"show", "second/*"}}, http.StatusForbidden},
		"provider":             {"show", access.Spec{Models: []string{"*"}, Providers: []string{"second"}}, http.StatusForbidden},
		"provider that failed": {"show|lead+internal-500", access.Spec{Models: []string{"*"}, Providers: []string{"second"}}, http.StatusOK},
		"provider of the end":  {"show|lead+reset-stream", access.Spec{Models: []string{"*"}, Providers: []string{"lead"}}, http.StatusForbidden},
		"provider of a start":  {"show|lead+reset-stream", access.Spec{Models: []string{"*"}, Providers: []string{"second"}}, http.StatusForbidden},
		"region":               {"show", access.Spec{Models: []string{"*"}, Regions: []string{"us"}}, http.StatusForbidden},
		"disabled":             {"show", access.Spec{Models: []string{"*"}, Disabled: true}, http.StatusUnauthorized},
		"expired":              {"show", access.Spec{Models: []string{"*"}, Expires: time.Now().Add(-time.Second)}, http.StatusUnauthorized},
		"enough":               {"show", access.Spec{Models: []string{"show"}, Providers: []string{"lead"}, Regions: []string{"eu"}}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			_, text, err := a.access.Create(t.Context(), id, wide)
			if err != nil {
				t.Fatal(err)
			}
			change := func(to access.Spec) {
				t.Helper()
				if _, err := a.access.Change(t.Context(), id, func(s *access.Spec) { *s = to }); err != nil {
					t.Fatal(err)
				}
			}
			model, fault, _ := strings.Cut(tc.model, "|lead")
			ask := `{"model": "` + model + `", "stream": true, "messages": [{"role": "user", "content": "Where is Ada?"}]}`
			if fault != "" {
				lead.Queue(fakeprovider.Fault{Kind: fault[1:]})
			}
			first := sendAs(t, a, text, "order", ask)
			if first.status != http.StatusOK || first.replayed != "" || !strings.Contains(first.body, "[DONE]") {
				t.Fatalf("got %+v, want an answer", first)
			}
			again := func() (s sent) {
				for until := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
					if s = sendAs(t, a, text, "order", ask); s.status != http.StatusConflict || time.Now().After(until) {
						return s
					}
				}
			}
			if s := again(); s.body != first.body || s.replayed == "" || s.header.Get("Targets") != "" {
				t.Fatalf("got %+v, want the answer again", s)
			}
			change(tc.spec)
			s := again()
			if s.status != tc.want || (s.body == first.body) != (tc.want == http.StatusOK) {
				t.Errorf("got %+v, want status %d", s, tc.want)
			}
			change(wide)
			if s := again(); s.body != first.body {
				t.Errorf("got %+v, want the answer again when the key may have it", s)
			}
			if _, err := a.access.Revoke(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if s := again(); s.status != http.StatusUnauthorized {
				t.Errorf("revoked: got %+v, want status 401", s)
			}
		})
	}
	if n := len(lead.Requests()) + len(second.Requests()); n != 10+3 {
		t.Errorf("got %d requests at the vendors, want one for each key, and one more for each that failed", n)
	}
}

// TestOnceNeedsData refuses the promise where nothing is kept.
func TestOnceNeedsData(t *testing.T) {
	v := newVendor(t)
	c := parse(t, fmt.Sprintf("providers: {v: {use: openai, base_url: %s/v1, key: env:TEST_KEY}}", v.RootURL()), nil)
	a := start(t, c, &lockedBuffer{})
	if s := send(t, a, "x", `{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`); s.status != http.StatusNotImplemented {
		t.Errorf("got %+v, want 501", s)
	}
}
