package app

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRatesTogether has two gateways count together, and each for itself when Redis is gone.
func TestRatesTogether(t *testing.T) {
	address := os.Getenv("UNDERSTUDY_REDIS")
	if address == "" {
		t.Skip("skipped: no Redis server; its URL would be in UNDERSTUDY_REDIS, as `.ci/run store` sets it")
	}
	vendor := newVendor(t)
	for _, tc := range []struct {
		redis string
		want  int
	}{{address, 5}, {"redis://127.0.0.1:1", 10}} {
		got := 0
		for range 5 { // Redis may take too long on a busy machine: then each counts for itself
			if got = answered(t, tc.redis, vendor.RootURL()); got >= tc.want && got <= tc.want+1 { // the minute goes on meanwhile
				break
			}
		}
		if got < tc.want || got > tc.want+1 {
			t.Errorf("%s: got %d answers from two gateways, want %d", tc.redis, got, tc.want)
		}
	}
}

// answered is how many of 20 calls by a key two gateways answer.
func answered(t *testing.T, redis, vendor string) (n int) {
	t.Helper()
	shown, _ := env("WEB_KEY")
	var apps []*App
	id := fmt.Sprintf("web-%d", time.Now().UnixNano())
	for range 2 {
		c := parse(t, fmt.Sprintf(`data: ./data
redis: %s
providers: {v: {use: openai, base_url: %s/v1, key: env:TEST_KEY}}
access: {keys: {%s: {key: env:WEB_KEY, models: ["*"], limits: {requests_per_minute: 5}}}}`, redis, vendor, id), nil)
		apps = append(apps, start(t, c, &lockedBuffer{}))
	}
	for i := range 20 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+apps[i%2].Addr()+"/v1/chat/completions",
			strings.NewReader(`{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+shown)
		resp, err := newClient(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			n++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("got status %d, want an answer, or the limit's refusal", resp.StatusCode)
		}
	}
	return n
}
