//go:build !race

package access_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// crowd is a store of many keys, which it makes up again whenever it is asked.
type crowd struct {
	access.Memory
	secret access.Secret
	n      int
}

func (c *crowd) shown(i int) string { return fmt.Sprintf("us-%052d", i) }

// KeysVersion is another one after each change, and not the first.
func (c *crowd) KeysVersion(ctx context.Context) (int64, error) {
	v, err := c.Memory.KeysVersion(ctx)
	return v + 1, err
}

// Keys makes up the crowd, and has what was changed since.
func (c *crowd) Keys(ctx context.Context, since int64, each func(text []byte) error) (int64, error) {
	for i := range c.n {
		if since > 0 {
			break
		}
		sum := c.secret.Sum(c.shown(i))
		text := fmt.Sprintf(`{"id":"key-%08d","name":"Service %d","user":"user-%d","team":"search","models":["assistant","openai/*"],"tags":["nightly"],`+
			`"limits":{"requests_per_minute":600},"ending":"%04d","created":"2026-11-26T12:00:00.123Z","revision":1,"hash":"%s"}`,
			i, i, i, i%10_000, hex.EncodeToString(sum[:]))
		if err := each([]byte(text)); err != nil {
			return 0, err
		}
	}
	v, err := c.Memory.Keys(ctx, max(since-1, 0), each)
	return v + 1, err
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // it is no more
}

// openCrowd reads a store of n keys, and says how many bytes each takes when one in a hundred was shown.
func openCrowd(tb testing.TB, n int) (r *access.Registry, c *crowd, bytes float64) {
	tb.Helper()
	c = &crowd{secret: access.NewSecret(), n: n}
	r = access.NewRegistry(access.Options{})
	before := heap()
	if err := r.Open(tb.Context(), c.secret, c, true, access.Declared{}); err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < n; i += 100 {
		if g, err := r.Check(bearer(c.shown(i)), "192.0.2.1:1"); err != nil || g.Name != fmt.Sprint("Service ", i) {
			tb.Fatalf("got %v, %v; want key %d taken", g, err, i)
		}
	}
	bytes = float64(heap()-before) / float64(n)
	runtime.KeepAlive(r)
	return r, c, bytes
}

// TestManyKeysL12 holds what a key takes in memory to 500 bytes, and finds each of many, and each change, and no other.
func TestManyKeysL12(t *testing.T) {
	r, c, bytes := openCrowd(t, 50_000)
	if bytes > 500 {
		t.Errorf("got %.0f bytes a key, want 500 at most", bytes)
	}
	if _, err := r.Check(bearer(c.shown(c.n)), "192.0.2.1:1"); err == nil {
		t.Error("got a key taken that there is not")
	}
	_, text, err := r.Create(t.Context(), "key-00025000a", access.Spec{Models: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := r.Check(bearer(text), "192.0.2.1:1"); err != nil || g.Key != "key-00025000a" {
		t.Errorf("made: got %v, %v; want it taken", g, err)
	}
	if _, err := r.Revoke(t.Context(), "key-00025000a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(bearer(text), "192.0.2.1:1"); err == nil {
		t.Error("revoked: got it taken")
	}
	var ids []string
	for after := ""; ; {
		page := r.Keys(after, 500)
		for _, k := range page {
			ids = append(ids, k.ID)
		}
		if len(page) < 500 {
			break
		}
		after = page[len(page)-1].ID
	}
	if len(ids) != c.n+1 || !slices.IsSorted(ids) || ids[25001] != "key-00025000a" {
		t.Errorf("got %d keys, in order %v, want %d", len(ids), slices.IsSorted(ids), c.n+1)
	}
}

// BenchmarkManyKeys reads UNDERSTUDY_KEYS keys, of which one in a hundred is shown, and tells how many bytes each takes, how
// long the slowest in a hundred of checks takes, and how long a change.
func BenchmarkManyKeys(b *testing.B) {
	n := 20_000
	if text := os.Getenv("UNDERSTUDY_KEYS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	begun := time.Now()
	r, c, bytes := openCrowd(b, n)
	opened := time.Since(begun)
	headers := make([]http.Header, n/100)
	for i := range headers {
		headers[i] = bearer(c.shown(100 * i))
	}
	took := make([]time.Duration, 0, 1_000_000)
	for b.Loop() {
		for i := range cap(took) {
			at := time.Now()
			_, _ = r.Check(headers[i*7919%len(headers)], "192.0.2.1:1")
			took = append(took, time.Since(at))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		took = took[:0]
		at := time.Now()
		if _, _, err := r.Create(b.Context(), fmt.Sprint("key-more-", time.Now().UnixNano()), access.Spec{Models: []string{"*"}}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(at).Microseconds())/1000, "ms-to-change")
	}
	b.ReportMetric(opened.Seconds(), "s-to-open")
	b.ReportMetric(bytes, "B/key")
}
