package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/config"
)

// till is a vendor that keeps every request until it is opened, and then counts as many tokens as the request
// allows.
type till struct {
	server *httptest.Server
	had    atomic.Int64
	open   chan struct{}
}

func newTill(t *testing.T) *till {
	v := &till{open: make(chan struct{})}
	v.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		v.had.Add(1)
		<-v.open
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":10,"total_tokens":11}}`)
	}))
	t.Cleanup(v.server.Close)
	return v
}

// tillConfig is a config in which each call costs exactly a cent of the provider's budget.
func tillConfig(t *testing.T, v *till, store, name, budget string) *config.Config {
	t.Helper()
	if store != "" {
		store = "\nstore: " + store
	}
	return parse(t, fmt.Sprintf(`data: ./data%s
providers:
  %s: {base_url: %s/v1, key: none, auth: none, dialects: {openai-chat: /chat/completions}, models: [{id: m, price: {input: 0, output: 1000}}]}
budgets: [{account: "provider:%s", period: ever, %s}]`, store, name, v.server.URL, name, budget), nil)
}

// stampede has clients call gateways at once. It returns how many are admitted, and how many are refused as they
// must be; the rest is told as failures.
func stampede(t *testing.T, v *till, apps []*App, model string, clients int) (admitted, refused int64) {
	t.Helper()
	var yes, no atomic.Int64
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: patience}
	defer client.CloseIdleConnections()
	for i := range clients {
		all.Go(func() {
			resp, err := client.Post("http://"+apps[i%len(apps)].Addr()+"/v1/chat/completions", "application/json",
				strings.NewReader(`{"model": "`+model+`", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}`))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			switch {
			case resp.StatusCode == http.StatusOK:
				yes.Add(1)
			case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("X-Should-Retry") == "false" && strings.Contains(string(text), `"insufficient_quota"`):
				no.Add(1)
			default:
				t.Errorf("got status %d, %v and %s, want an answer, or the budget's refusal", resp.StatusCode, resp.Header, text)
			}
		})
	}
	for until := time.Now().Add(patience); no.Load()+v.had.Load() < int64(clients) && time.Now().Before(until) && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	close(v.open)
	all.Wait()
	return yes.Load(), no.Load()
}

// TestExact has 512 clients where there is room for a few: so many are admitted, no more and no fewer (S80).
func TestExact(t *testing.T) {
	const clients = 512
	postgres := os.Getenv("UNDERSTUDY_POSTGRES")
	for _, tc := range []struct {
		name, store, more string
		nodes             int
	}{
		{"file", "", "", 1},
		{"file-strict", "", ", strict: true", 1},
		{"database", postgres, "", 1},
		{"three-strict", postgres, ", strict: true", 3},
		{"three-leased", postgres, "", 3},
	} {
		for _, room := range []int64{1, 7, 100} {
			t.Run(fmt.Sprintf("%s-%d", tc.name, room), func(t *testing.T) {
				if tc.store == "" { // each has a ledger of its own
					t.Parallel()
				}
				if tc.store == "" && !strings.HasPrefix(tc.name, "file") {
					t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
				}
				v := newTill(t)
				name := fmt.Sprintf("v%d", time.Now().UnixNano())
				var apps []*App
				var c *config.Config
				for range tc.nodes {
					c = tillConfig(t, v, tc.store, name, fmt.Sprintf("most: %d.%02d9 USD%s", room/100, room%100, tc.more))
					apps = append(apps, start(t, c, &lockedBuffer{}))
				}
				admitted, refused := stampede(t, v, apps, name+"/m", clients)
				if admitted != room || refused != clients-room || v.had.Load() != room {
					t.Errorf("got %d admitted, %d refused and %d at the vendor, want %d, %d and %d", admitted, refused, v.had.Load(), room, clients-room, room)
				}
				for _, a := range apps {
					if err := errors.Join(a.SyncLedger(t.Context()), a.Stop(context.Background())); err != nil {
						t.Fatal(err)
					}
				}
				r, err := VerifyLedger(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Problems) > 0 {
					t.Errorf("verify: got %v, want no problem", r.Problems)
				}
			})
		}
	}
}

// TestBudgetsAsTheyStand shows what a call that runs has reserved, and what one that is over has cost, to whoever asks, not only
// when accounts are looked at again.
func TestBudgetsAsTheyStand(t *testing.T) {
	t.Parallel()
	v := newTill(t)
	a := start(t, tillConfig(t, v, "", "v", "most: 1 USD"), &lockedBuffer{})
	of := a.books.budgets
	b := openBudgets(of.journal, of.store, of.file, slog.New(slog.DiscardHandler))
	b.close() // it looks no more by itself
	shows := func(reserved, spent string) {
		t.Helper()
		eventually(t, reserved+" reserved and "+spent+" spent", func() bool { // a call is settled after its answer
			got := b.List(t.Context())
			return len(got) == 1 && got[0].Reserved == reserved && got[0].Spent == spent
		})
	}
	shows("0.00", "0.00")
	var call sync.WaitGroup
	call.Go(func() {
		send(t, a, "", `{"model": "v/m", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}`)
	})
	eventually(t, "the call is at the vendor", func() bool { return v.had.Load() > 0 })
	shows("0.01", "0.00")
	close(v.open)
	call.Wait()
	shows("0.00", "0.01")
}
