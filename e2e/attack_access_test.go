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

// TestAttackS10ToS13AtTheClients shows the clients' listener what is no key: an answer tells what the client can see for itself,
// whether it has shown none, one that cannot be read, or one that is not taken, and nothing else; it comes soon, and no vendor is
// asked. Two keys that differ are refused, whichever of them is good.
func TestAttackS10ToS13AtTheClients(t *testing.T) {
	t.Parallel()
	h := openHouse(t, "access: {anonymous: false}\n"+standard)
	var made struct{ Key string }
	h.operate("PUT", "/v1/keys/web", `{"models":["*"]}`, &made)
	key := made.Key
	send := func(header ...string) got { return h.post(chatPath, ask("assistant", false), header...) }
	for form, cases := range map[string][][]string{
		"wants a key":                       {nil, {"Authorization", "Bearer"}, {"Authorization", "Bearer     "}, {"X-Api-Key", ""}},
		"cannot be read: the Authorization": {{"Authorization", ""}, {"Authorization", "Basic " + key}, {"Authorization", key}},
		"cannot be read: the credential":    {{"X-Api-Key", "' OR 1=1--"}, {"X-Api-Key", "us-é\u202e"}, {"X-Api-Key", strings.Repeat("a", 24<<10)}},
		"does not take this key": {
			{"X-Api-Key", "%"},
			{"X-Api-Key", "_"},
			{"X-Api-Key", "us-*"},
			{"Api-Key", key[:len(key)-1] + "0"},
			{"Api-Key", strings.ToUpper(key)},
			{"X-Goog-Api-Key", key + "a"},
			{"X-Goog-Api-Key", key[:20]},
			{"X-Api-Key", h.token()},
		},
	} {
		said := ""
		for _, header := range cases {
			a := send(header...)
			h.wantError(fmt.Sprintf("%.80q", header), chatPath, a, http.StatusUnauthorized)
			if said == "" {
				said = a.body
			}
			if a.body != said || !strings.Contains(said, form) {
				t.Errorf("%.80q: got %s, want %q, the same as for all others of its form, %s", header, a.body, form, said)
			}
		}
	}
	for name, header := range map[string]string{
		"NUL": "X-Api-Key: us-\x00", "a line": "X-Api-Key: us-a\rb", "a megabyte": "X-Api-Key: " + strings.Repeat("a", 1<<20),
	} {
		if answer, _ := h.raw(request(chatPath, header+"\r\n", ask("assistant", false))); status(answer) != 400 && status(answer) != 431 && status(answer) != 401 {
			t.Errorf("%s: got %.100q, want it refused", name, answer)
		}
	}
	for name, header := range map[string][]string{
		"two headers": {"X-Api-Key", key, "Authorization", "Bearer other"}, "the good one last": {"Authorization", "Bearer other", "X-Api-Key", key}, "one header twice": {"Authorization", "Bearer " + key, "Authorization", "Bearer other"},
		"two of two": {"Api-Key", key, "X-Goog-Api-Key", key[:30]},
	} {
		h.wantError(name, chatPath, send(header...), http.StatusBadRequest)
	}
	h.wantNothingSent()
	wantWhole(t, "the same key twice", send("X-Api-Key", key, "Authorization", "Bearer "+key), "Where is Ada?")
	const most = 5 * time.Millisecond
	took := patience
	for n := 0; n < 100 && took > most; n++ { // the machine has other work, too
		begun := time.Now()
		send()
		took = min(took, time.Since(begun))
	}
	if took > most {
		t.Errorf("got a refusal after %v, want it within %v", took, most)
	}
}
