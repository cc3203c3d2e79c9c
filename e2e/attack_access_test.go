//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestAttackS16WhileAStreamIsOpen takes from keys what they may do while an answer comes, in every way there is: no request
// begins a second later, and the answer comes to its end.
func TestAttackS16WhileAStreamIsOpen(t *testing.T) {
	t.Parallel()
	const more = `access:
  anonymous: false
  teams: {shop: {models: ["*"]}, desk: {models: ["*"]}}
` + priced
	h := openHouse(t, more)
	ask := taggedAsk("chat/small+chunks-60+delay-50ms", "s16", true)
	change := func(method, path, body string) func() {
		return func() { h.operate(method, path, body, nil) }
	}
	var all sync.WaitGroup
	defer all.Wait()
	for name, tc := range map[string]struct {
		change func()
		status int
	}{
		"revoked":  {change("DELETE", "/v1/keys/revoked", ""), http.StatusUnauthorized},
		"disabled": {change("PATCH", "/v1/keys/disabled", `{"disabled":true}`), http.StatusUnauthorized},
		"expired":  {change("PATCH", "/v1/keys/expired", `{"expires":"`+time.Now().UTC().Format(time.RFC3339)+`"}`), http.StatusUnauthorized},
		"rotated":  {change("PUT", "/v1/keys/rotated/rotations/a", `{"overlap_seconds":0}`), http.StatusUnauthorized},
		"narrowed": {change("PATCH", "/v1/keys/narrowed", `{"models":["assistant"]}`), http.StatusForbidden},
		"unpaid":   {change("PUT", "/v1/budgets/key:unpaid/ever", `{"most_usd":"0"}`), http.StatusTooManyRequests},
		"suspended": {func() {
			text, err := os.ReadFile(h.config)
			if err == nil {
				err = os.WriteFile(h.config, []byte(strings.Replace(string(text), `shop: {models: ["*"]}`, `shop: {models: ["*"], disabled: true}`, 1)), 0o600)
			}
			if err != nil {
				t.Error(err)
			}
			h.signal(syscall.SIGHUP)
		}, http.StatusUnauthorized},
	} {
		var made struct{ Key string }
		team := map[bool]string{true: "shop", false: "desk"}[name == "suspended"]
		h.operate("PUT", "/v1/keys/"+name, `{"models":["*"],"team":"`+team+`"}`, &made)
		lines := h.stream(ask, "s16", "X-Api-Key", made.Key)
		until(t, lines, "content", 2)
		all.Go(func() {
			tc.change()
			changed := time.Now()
			var a got
			var begun time.Duration // of the latest, which may take its time
			for a.status != tc.status && begun < patience {
				begun = time.Since(changed)
				a = h.post(chatPath, taggedAsk("chat/small", "s16", false), "X-Api-Key", made.Key)
			}
			if begun > time.Second || !json.Valid([]byte(a.body)) {
				t.Errorf("%s: got status %d and %.200s of a request %v later, want %d within a second", name, a.status, a.body, begun, tc.status)
			}
			rest := fmt.Sprint(name, ":")
			for line := range lines {
				rest += line
			}
			if !strings.HasSuffix(rest, "data: [DONE]") {
				t.Errorf("got %.300s…, want the answer that had begun whole", rest)
			}
		})
	}
}
