//go:build linux

package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestPostgresFaults serves while the database is refused, stopped, killed, cut off and slow. No client notices; when it is
// back, every attempt that the vendor had is in it, once, over no more connections than there may be, and nothing is left
// running (K5). What was committed when the answer was lost is not written twice (K6).
func TestPostgresFaults(t *testing.T) {
	c := openCluster(t)
	for _, tc := range []struct {
		name   string
		during func(l *link)
	}{
		{"refused", func(l *link) {
			l.refuse.Store(true)
			l.cut()
			time.Sleep(2 * time.Second)
			l.refuse.Store(false)
		}},
		{"stopped", func(*link) {
			c.signal(syscall.SIGSTOP)
			time.Sleep(2 * time.Second)
			c.signal(syscall.SIGCONT)
		}},
		{"killed and started again", func(*link) {
			for range 2 {
				c.kill()
				time.Sleep(500 * time.Millisecond)
				c.start()
				time.Sleep(500 * time.Millisecond)
			}
		}},
		{"cut when commits were sent", func(l *link) {
			for range 4 { // each is the second from then on: not only that of the first connection
				l.cutAt.Store(2)
				time.Sleep(1100 * time.Millisecond)
			}
			l.cutAt.Store(0)
			if n := l.cuts.Load(); n < 2 {
				t.Errorf("got %d commits cut off, want some", n)
			}
		}},
		{"silent, then cut", func(l *link) {
			l.held.Store(true)
			time.Sleep(2 * time.Second)
			l.cut()
			l.held.Store(false)
		}},
		{"slow", func(l *link) {
			l.delay.Store(int64(300 * time.Millisecond))
			time.Sleep(4 * time.Second)
			l.delay.Store(0)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { c.fault(t, tc.during) })
	}
}

func (c *cluster) fault(t *testing.T, during func(*link)) {
	v := fakeprovider.New(fakeprovider.Options{Key: canary, Keep: 1 << 20})
	if _, err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	l := c.link()
	t.Cleanup(l.close)
	conf := parse(t, "data: ./data\nstore: "+l.url(c.database())+"\nproviders: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}",
		map[string]*fakeprovider.Server{"V": v})
	a := start(t, conf, io.Discard)
	client := newClient(t)
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 8 //nolint:forcetypeassert // it is
	load(t, a, client, 300*time.Millisecond, func() { time.Sleep(200 * time.Millisecond) })
	before := runtime.NumGoroutine()
	const most = time.Second // the machine has other work, too
	if slowest := best(most, func() time.Duration { return load(t, a, client, 300*time.Millisecond, func() { during(l) }) }); slowest > most {
		t.Errorf("got an answer after %v, want no client to notice", slowest)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := a.SyncLedger(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a journal that does not say that the store is behind", func() bool { return !a.books.journal.Behind() })
	if most := l.most.Load(); most > 16 {
		t.Errorf("got %d connections at a time, want 16 at most", most)
	}
	const slack = 12 // of the connections of clients and the pool
	eventually(t, fmt.Sprintf("no more goroutines than the %d before", before), func() bool { return runtime.NumGoroutine() <= before+slack })
	r, err := VerifyLedger(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	if had := int64(v.Count()); r.Entries != had || len(r.Problems) > 0 {
		t.Errorf("got %d entries and problems %v, want the %d that the vendor had, once each", r.Entries, r.Problems, had)
	}
}

// TestBudgetsInDoubt cuts the database off again and again when commits of draws, holds and what is given back were sent (K6).
// Nothing of a budget is spent twice, and when it is over nothing is left reserved that nobody uses.
func TestBudgetsInDoubt(t *testing.T) {
	c := openCluster(t)
	v := fakeprovider.New(fakeprovider.Options{Key: canary})
	if _, err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	l := c.link()
	t.Cleanup(l.close)
	conf := parse(t, "data: ./data\nstore: "+l.url(c.database())+`
providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY, models: [{id: m, price: {input: 1, output: 1}}]}}
budgets: [{account: provider:v, period: ever, most: 100 USD}, {account: key:anonymous, period: ever, most: 100 USD, strict: true}]`,
		map[string]*fakeprovider.Server{"V": v})
	a := start(t, conf, io.Discard)
	client := newClient(t)
	ask := func() int {
		resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
			strings.NewReader(`{"model": "v/m", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		l.cutAt.CompareAndSwap(0, 3)
		if s := ask(); s != http.StatusOK && s != http.StatusServiceUnavailable {
			t.Fatalf("got status %d, want an answer, or to hear that the ledger cannot be reached", s)
		}
	}
	l.cutAt.Store(0)
	if n := l.cuts.Load(); n < 2 {
		t.Errorf("got %d commits cut off, want some", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := a.SyncLedger(ctx); err != nil {
		t.Fatal(err)
	}
	var windows []budget.Window
	eventually(t, "nothing reserved", func() bool {
		var err error
		windows, err = a.books.store.Windows(t.Context())
		return err == nil && !slices.ContainsFunc(windows, func(w budget.Window) bool { return w.Pending != 0 })
	})
	r, err := VerifyLedger(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range windows {
		if w.Posted != r.Amount || w.Soft {
			t.Errorf("got %+v, want the %v of all entries posted under a limit that holds", w, r.Amount)
		}
	}
	if had := int64(v.Count()); r.Entries != had || len(r.Problems) > 0 {
		t.Errorf("got %d entries and problems %v, want the %d that the vendor had, once each", r.Entries, r.Problems, had)
	}
}

// load sends requests of eight clients for as long as during takes, and some time more, and returns how long the slowest took.
func load(t *testing.T, a *App, client *http.Client, more time.Duration, during func()) (slowest time.Duration) {
	t.Helper()
	var clients sync.WaitGroup
	var mu sync.Mutex
	stop := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				begun := time.Now()
				resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
					strings.NewReader(`{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("got status %d, want an answer whatever the database does", resp.StatusCode)
					return
				}
				mu.Lock()
				slowest = max(slowest, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	during()
	time.Sleep(more)
	close(stop)
	clients.Wait()
	return slowest
}
