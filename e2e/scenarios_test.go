//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// These are the sixteen scenarios of Failover Bench
// (https://github.com/failoverbench/failoverbench), with what a caller should get
// and what the vendor should see.

// benchHouse has a route of either dialect with an understudy, and one without.
func benchHouse(t *testing.T) *house {
	t.Helper()
	return benchHouseWith(t, 20*time.Second)
}

// waitingHouse is a benchHouse in which silence is soon too long.
func waitingHouse(t *testing.T) *house {
	t.Helper()
	return benchHouseWith(t, 3*time.Second)
}

func benchHouseWith(t *testing.T, silence time.Duration) *house {
	t.Helper()
	times := fmt.Sprintf("timeouts: {answer: %[1]v, first_token: %[1]v, stall: %[1]v, total: 1m}", silence)
	return openHouse(t, `models:
  assistant: {lead: chat/small, understudies: [claude/small], `+times+`}
  author: {lead: claude/small, understudies: [chat/small], `+times+`}
  alone: {lead: chat/small, `+times+`}
  patient: {lead: chat/small+first-5s, understudies: [claude/small]}
`)
}

// early is sooner than a benchHouse has had enough of silence, and later than a waitingHouse has.
const early = 6 * time.Second

// led is an API with a model, and the vendor that leads it.
type led struct {
	path, model string
	lead, other *fakeprovider.Server
}

func (h *house) leds() []led {
	return []led{
		{chatPath, "assistant", h.chat, h.claude},
		{messagesPath, "assistant", h.chat, h.claude},
		{messagesPath, "author", h.claude, h.chat},
		{chatPath, "author", h.claude, h.chat},
	}
}

// wantFailover breaks one lead after the other by kind, sends calls by both APIs at
// once, and wants the understudy's answers after at most most calls of the lead for
// each.
func (h *house) wantFailover(kind string, most int) {
	h.t.Helper()
	all := fakeprovider.Faults()
	info := all[slices.IndexFunc(all, func(f fakeprovider.Info) bool { return f.Kind == kind })]
	for i, lead := range []*fakeprovider.Server{h.chat, h.claude} {
		if i > 0 { // the gateway remembers how its targets fared
			h.stop()
			h.start()
		}
		h.chat.Forget()
		h.claude.Forget()
		if err := lead.SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
			h.t.Fatal(err)
		}
		var calls sync.WaitGroup
		n := 0
		for _, l := range h.leds() {
			for _, stream := range []bool{false, true} {
				if l.lead != lead || stream && !info.Stream || !stream && !info.Unary {
					continue // the fault exists only for the other
				}
				n++
				calls.Go(func() {
					name := fmt.Sprintf("%s, %s to %s, stream %v", kind, l.path, l.model, stream)
					start := time.Now()
					a := h.post(l.path, ask(l.model, stream))
					wantWhole(h.t, name, a, "Ada")
					h.wantCleanEnd(name, a, stream)
					if took := time.Since(start); took > early {
						h.t.Errorf("%s: got an answer after %v, want it early", name, took)
					}
				})
			}
		}
		calls.Wait()
		if understudy := h.seen() - lead.Count(); lead.Count() > most*n || understudy != n {
			h.t.Errorf("%s: got %d calls of the lead and %d of the understudy for %d, want at most %d and %d", kind, lead.Count(), understudy, n, most*n, n)
		}
		if err := lead.SetFault(nil); err != nil {
			h.t.Fatal(err)
		}
	}
}

// wantCleanEnd checks that a stream ends with its API's terminator.
func (h *house) wantCleanEnd(name string, a got, stream bool) {
	h.t.Helper()
	if stream && (a.err != nil || !strings.Contains(a.body, "data: [DONE]") && !strings.Contains(a.body, "event: message_stop") || strings.Contains(a.body, "event: error")) {
		h.t.Errorf("%s: got a stream that ends with %.300q (%v), want a clean end", name, a.body[max(0, len(a.body)-300):], a.err)
	}
}

// wantRescue sends streams to all routes at once while f breaks the leads after
// content, and wants the whole answer, of which the understudies said the end.
func (h *house) wantRescue(f fakeprovider.Fault) {
	h.t.Helper()
	for _, lead := range []*fakeprovider.Server{h.chat, h.claude} { // or a fault would strike an understudy
		h.chat.Forget()
		h.claude.Forget()
		var calls sync.WaitGroup
		n := 0
		for _, l := range h.leds() {
			if l.lead != lead {
				continue
			}
			n++
			lead.Queue(f)
			calls.Go(func() {
				name := fmt.Sprintf("%s, %s to %s", f.Kind, l.path, l.model)
				start := time.Now()
				a := h.post(l.path, ask(l.model, true))
				wantWhole(h.t, name, a, "Ada")
				h.wantCleanEnd(name, a, true)
				if n := strings.Count(a.body, ": understudy rescue from="); n != 1 || strings.Contains(a.body, "\"error\":") {
					h.t.Errorf("%s: got %d rescues announced in %.600q, want one and no error", name, n, a.body)
				}
				if took := time.Since(start); took > early {
					h.t.Errorf("%s: got an end after %v, want it early", name, took)
				}
			})
		}
		calls.Wait()
		if h.seen() != 2*n {
			h.t.Errorf("%s: got %d calls of the vendors, want %d", f.Kind, h.seen(), 2*n)
		}
	}
}

// wantBroken sends streams to all routes at once, which nobody may go on with, while f
// breaks the leads after content, and wants an error event and no call of an understudy.
func (h *house) wantBroken(f fakeprovider.Fault) {
	h.t.Helper()
	h.chat.Forget()
	h.claude.Forget()
	var calls sync.WaitGroup
	for _, l := range h.leds() {
		l.lead.Queue(f)
		calls.Go(func() {
			name := fmt.Sprintf("%s, %s to %s", f.Kind, l.path, l.model)
			start := time.Now()
			a := h.post(l.path, ask(l.model, true), "X-Understudy-Rescue", "off")
			failed := strings.Contains(a.body, "\ndata: {\"error\":") || strings.Contains(a.body, "event: error\n")
			if a.status != 200 || a.err != nil || !failed || strings.Contains(a.body, "[DONE]") || strings.Contains(a.body, "message_stop") || strings.Contains(a.body, `"finish_reason":"stop"`) {
				h.t.Errorf("%s: got %d and %.600q (%v), want a stream that ends in an error", name, a.status, a.body, a.err)
			}
			if took := time.Since(start); took > early {
				h.t.Errorf("%s: got an end after %v, want it early", name, took)
			}
		})
	}
	calls.Wait()
	if n := len(h.leds()); h.seen() != n {
		h.t.Errorf("%s: got %d calls of the vendors, want %d: none of an understudy", f.Kind, h.seen(), n)
	}
	for _, l := range h.leds() {
		wantWhole(h.t, "after "+f.Kind, h.post(l.path, ask(l.model, true)), "Ada")
	}
}

func rateLimit(header map[string]string) fakeprovider.Reply {
	return fakeprovider.Reply{Error: &fakeprovider.Error{Status: 429, Type: "rate_limit_error", Code: "rate_limit_exceeded", Message: "Slow down.", Header: header}}
}

func TestS01RetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		h := benchHouse(t)
		l := h.leds()[i]
		l.lead.Enqueue(rateLimit(map[string]string{"Retry-After": "30"}))
		for range 2 { // the second leaves the lead alone
			wantWhole(t, l.path+" to "+l.model, h.post(l.path, ask(l.model, true)), "Ada")
		}
		if l.lead.Count() != 1 || l.other.Count() != 2 {
			t.Errorf("got %d calls of the lead and %d of the understudy, want one and two", l.lead.Count(), l.other.Count())
		}
	}
	h := benchHouse(t)
	h.chat.Enqueue(rateLimit(map[string]string{"Retry-After": "30"}))
	for range 2 {
		a := h.post(chatPath, ask("alone", false))
		h.wantError("alone", chatPath, a, 429)
		if n, _ := strconv.Atoi(a.header.Get("Retry-After")); n < 1 || n > 30 || h.chat.Count() != 1 {
			t.Errorf("got Retry-After %q after %d calls, want some seconds after one", a.header.Get("Retry-After"), h.chat.Count())
		}
	}
}

func TestS02PersistentLimitIsNotHammered(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.wantFailover("rate-429-none", 1)
	if err := h.chat.SetFault(&fakeprovider.Fault{Kind: "rate-429-none"}); err != nil {
		t.Fatal(err)
	}
	h.chat.Forget()
	h.wantError("alone", chatPath, h.post(chatPath, ask("alone", true)), 429)
	if h.chat.Count() > 2 {
		t.Errorf("got %d calls, want at most 2", h.chat.Count())
	}
}

func TestS03OneFailureIsRetried(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.chat.Queue(fakeprovider.Fault{Kind: "internal-500"})
	wantWhole(t, "alone", h.post(chatPath, ask("alone", false)), "Ada")
	if h.chat.Count() != 2 {
		t.Errorf("got %d calls, want 2", h.chat.Count())
	}
	h.wantFailover("internal-500", 2)
}

func TestS04PersistentOverload(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.wantFailover("unavailable-503", 2)
	if err := h.chat.SetFault(&fakeprovider.Fault{Kind: "unavailable-503"}); err != nil {
		t.Fatal(err)
	}
	h.chat.Forget()
	h.wantError("alone", messagesPath, h.post(messagesPath, ask("alone", false)), 529)
	if h.chat.Count() > 2 {
		t.Errorf("got %d calls, want at most 2", h.chat.Count())
	}
}

func TestS05Reset(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.wantFailover("reset", 2)
	h.wantFailover("reset-early", 2)
}

func TestS06SilenceIsNotRetried(t *testing.T) {
	t.Parallel()
	waitingHouse(t).wantFailover("hang", 1)
}

// A route has its own time for the first content (F08).
func TestS07SlowFirstToken(t *testing.T) {
	t.Parallel()
	t.Run("a patient route", func(t *testing.T) {
		t.Parallel()
		h := waitingHouse(t)
		a := h.post(chatPath, ask("patient", true))
		wantWhole(t, "a patient route", a, "Ada")
		if a.header.Get("X-Understudy-Target") != "chat/small+first-5s" || h.seen() != 1 {
			t.Errorf("got %s after %d calls, want the lead", a.header.Get("X-Understudy-Target"), h.seen())
		}
	})
	t.Run("signs of life alone", func(t *testing.T) {
		t.Parallel()
		waitingHouse(t).wantFailover("pings-only", 1)
	})
}

func TestS08S14CutStream(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"reset-stream", "drop-stream", "eof-stream"} {
		h := benchHouse(t) // where no breaker is near its limit
		h.wantRescue(fakeprovider.Fault{Kind: kind, After: 3})
		h.wantBroken(fakeprovider.Fault{Kind: kind, After: 3})
	}
}

func TestS09StalledStream(t *testing.T) {
	t.Parallel()
	t.Run("rescued", func(t *testing.T) {
		t.Parallel()
		waitingHouse(t).wantRescue(fakeprovider.Fault{Kind: "stall", After: 3})
	})
	t.Run("broken", func(t *testing.T) {
		t.Parallel()
		waitingHouse(t).wantBroken(fakeprovider.Fault{Kind: "stall", After: 3})
	})
}

func TestS10MalformedChunk(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.wantBroken(fakeprovider.Fault{Kind: "not-json"})
	h.wantFailover("not-json-first", 2)
}

func TestS11NoTerminator(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	for _, l := range h.leds() {
		l.lead.Queue(fakeprovider.Fault{Kind: "no-done"})
		body := withMembers(`"stream_options":{"include_usage":true}`, ask(l.model, true))
		if l.path == messagesPath {
			body = ask(l.model, true)
		}
		start := time.Now()
		a := h.post(l.path, body)
		name := l.path + " to " + l.model
		wantWhole(t, name, a, "Ada")
		h.wantCleanEnd(name, a, true)
		if took := time.Since(start); took > 3*time.Second || !strings.Contains(a.body, `_tokens":`) {
			t.Errorf("%s: got an end after %v and %.600q, want it promptly, with usage", name, took, a.body)
		}
	}
}

func TestS12S13TheRequestsFault(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	for kind, code := range map[string]string{"context-400": "context_length_exceeded", "content-filter-400": "content_policy_violation"} {
		for _, l := range h.leds() {
			for _, stream := range []bool{false, true} {
				h.chat.Forget()
				h.claude.Forget()
				l.lead.Queue(fakeprovider.Fault{Kind: kind})
				a := h.post(l.path, ask(l.model, stream))
				h.wantError(kind+", "+l.path+" to "+l.model, l.path, a, http.StatusBadRequest)
				if l.path == chatPath && !strings.Contains(a.body, code) {
					t.Errorf("%s to %s: got %s, want the code %s", l.path, l.model, a.body, code)
				}
				if l.lead.Count() != 1 || l.other.Count() != 0 {
					t.Errorf("%s: got %d and %d calls, want one of the lead alone", kind, l.lead.Count(), l.other.Count())
				}
			}
		}
	}
}

func TestS15OutageAndReturn(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	if err := h.chat.SetFault(&fakeprovider.Fault{Kind: "refused"}); err != nil {
		t.Fatal(err)
	}
	tried := 0
	post := func(i int) string {
		a := h.post(chatPath, ask("assistant", i%2 == 0))
		wantWhole(t, fmt.Sprint("request ", i), a, "Ada")
		n, _ := strconv.Atoi(a.header.Get("X-Understudy-Attempts"))
		tried += n
		return a.header.Get("X-Understudy-Target")
	}
	for i := range 15 {
		if got := post(i); got != "claude/small" {
			t.Errorf("request %d: got %s, want the understudy", i, got)
		}
	}
	if tried > 15+5 {
		t.Errorf("got %d attempts for 15 requests, want at most 5 at the lead in its outage", tried)
	}
	if err := h.chat.SetFault(nil); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for i := 0; post(i) != "chat/small"; i++ {
		if time.Since(back) > 10*time.Second {
			t.Fatal("got the understudy for more than ten seconds after the lead came back")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestS16FailoverIsAccounted(t *testing.T) {
	t.Parallel()
	h := benchHouse(t)
	h.chat.Queue(fakeprovider.Fault{Kind: "overloaded-529"})
	h.claude.Enqueue(fakeprovider.Reply{Text: "In London.", Usage: &fakeprovider.Usage{Input: 1234, Output: 56}})
	a := h.post(chatPath, ask("assistant", false))
	wantWhole(t, "answer", a, `"prompt_tokens":1234`)
	wantWhole(t, "answer", a, `"completion_tokens":56`)
	wantWhole(t, "answer", a, `"model":"small"`)
	for name, want := range map[string]string{"X-Understudy-Target": "claude/small", "X-Understudy-Attempts": "2", "X-Understudy-Mode": "translate"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("got %s: %q, want %q", name, got, want)
		}
	}
	if _, err := h.log.find(`"msg":"call".*"attempts":2.*"target":"claude/small".*"in":1234,"out":56`); err != nil {
		t.Error(err)
	}
}
