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
	shown, _ := env("WEB_KEY")
	for _, tc := range []struct {
		redis string
		want  int
	}{{address, 5}, {"redis://127.0.0.1:1", 10}} {
		var apps []*App
		id := fmt.Sprintf("web-%d", time.Now().UnixNano())
		for range 2 {
			c := parse(t, fmt.Sprintf(`data: ./data
redis: %s
providers: {v: {use: openai, base_url: %s/v1, key: env:TEST_KEY}}
access: {keys: {%s: {key: env:WEB_KEY, models: ["*"], limits: {requests_per_minute: 5}}}}`, tc.redis, vendor.RootURL(), id), nil)
			apps = append(apps, start(t, c, &lockedBuffer{}))
		}
		answered := 0
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
				answered++
			case http.StatusTooManyRequests:
			default:
				t.Errorf("got status %d, want an answer, or the limit's refusal", resp.StatusCode)
			}
		}
		if answered < tc.want || answered > tc.want+1 { // the minute goes on meanwhile
			t.Errorf("%s: got %d answers from two gateways, want %d", tc.redis, answered, tc.want)
		}
	}
}
