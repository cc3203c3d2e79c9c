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
	asked, left := make(chan struct{}), make(chan time.Time)
	vendor := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
		left <- time.Now()
	}))
	defer vendor.Close()
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: "+vendor.URL+"/v1, key: env:TEST_KEY}}", nil), io.Discard)
	var took []time.Duration
	for i := range 20 {
		ctx, leave := context.WithCancel(t.Context())
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
		leave()
		took = append(took, (<-left).Sub(begun))
		<-done
	}
	slices.Sort(took)
	if half, last := took[len(took)/2], took[len(took)-1]; half > 100*time.Millisecond || last > time.Second {
		t.Errorf("got the vendor told within %v half of the times and %v at most, want 100ms and 1s", half, last)
	} else {
		t.Logf("the vendor was told within %v half of the times and %v at most", half, last)
	}
}
