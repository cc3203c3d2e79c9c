package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestClientsThatLeave: the vendor hears within moments that nobody wants its answer any more, streamed or whole.
func TestClientsThatLeave(t *testing.T) {
	t.Parallel()
	asked, left := make(chan struct{}), make(chan time.Time, 1)
	vendor := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
		left <- time.Now()
	}))
	defer vendor.Close()
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: "+vendor.URL+"/v1, key: env:TEST_KEY}}", nil), io.Discard)
	const half, most = 100 * time.Millisecond, time.Second
	var took []time.Duration
	for range 5 { // the machine's other work makes some of them late, and not all of them
		took = nil
		for i := range 20 {
			took = append(took, leave(t, a, i, asked, left))
		}
		if slices.Sort(took); took[len(took)/2] <= half && took[len(took)-1] <= most {
			t.Logf("the vendor was told within %v half of the times and %v at most", took[len(took)/2], took[len(took)-1])
			return
		}
	}
	t.Errorf("got the vendor told within %v half of the times and %v at most, want %v and %v", took[len(took)/2], took[len(took)-1], half, most)
}

// leave is a client that leaves some time after the vendor was asked, and says how long the vendor was not told.
func leave(t *testing.T, a *App, i int, asked chan struct{}, left chan time.Time) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := []string{"false", "true"}[i%2]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions",
		strings.NewReader(`{"model":"v/m","stream":`+stream+`,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	<-asked
	time.Sleep(time.Duration(i) * 2 * time.Millisecond)
	begun := time.Now()
	cancel()
	took := (<-left).Sub(begun)
	<-done
	return took
}
