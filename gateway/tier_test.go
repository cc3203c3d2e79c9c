package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// tiered has every target cost 1 and 2 dollars, half of it as flex, and 3 and 5 as priority.
func tiered(_ *gateway.Options, w *world) {
	price := &provider.Price{Input: 1, Output: 2, ServiceTiers: []provider.ServiceTier{
		{Name: "flex", Times: 0.5}, {Name: "priority", Input: 3, Output: 5}, {Name: "fast-us", Input: 7, Output: 9}, {Name: "us", Times: 1.1},
	}}
	w.adjust = func(r *route.Route) {
		for i := range r.Targets {
			r.Targets[i].Price = price
		}
	}
}

// tiersOf are the rates that the attempts of the latest call were reserved and settled at.
func (l *notebook) tiersOf(t *testing.T, attempts int) (reserved, settled []budget.Rates, kinds []budget.Kind) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.reserved) - attempts; i < len(l.reserved); i++ {
		s := l.settled[int64(i+1)]
		if len(s) != 1 {
			t.Fatalf("attempt %d: got %d settlements, want one", i+1, len(s))
		}
		line := l.reserved[i].Line
		reserved = append(reserved, line.Rates)
		if s[0].Line != nil {
			line = s[0].Line
		}
		settled, kinds = append(settled, line.Rates), append(kinds, s[0].Outcome.Kind)
	}
	return reserved, settled, kinds
}

// want holds a call of one attempt to what it is reserved and settled at: the tier, and dollars for a million tokens.
func (w *world) wantTier(l *notebook, what string, reserved, settled string, input, output float64) {
	w.t.Helper()
	if n := len(w.record().Attempts); n != 1 {
		w.t.Errorf("%s: got %d attempts, want one", what, n)
		return
	}
	first, last, kinds := l.tiersOf(w.t, 1)
	if first[0].ServiceTier != reserved || last[0].ServiceTier != settled {
		w.t.Errorf("%s: got it reserved at the tier %q and settled at %q, want %q and %q", what, first[0].ServiceTier, last[0].ServiceTier, reserved, settled)
	}
	if in, out := float64(last[0].Input)/1e12, float64(last[0].Output)/1e12; in != input || out != output {
		w.t.Errorf("%s: got it settled at %v and %v USD, want %v and %v", what, in, out, input, output)
	}
	kind := budget.Posted
	if last[0].Guessed {
		kind = budget.Estimated
	}
	if kinds[0] != kind {
		w.t.Errorf("%s: got it %v, want %v", what, kinds[0], kind)
	}
	if got := w.record().Attempts[0].ServiceTier; got != settled {
		w.t.Errorf("%s: got the tier %q in the record, want %q", what, got, settled)
	}
}

// TestServiceTiers reserves a call at the dearest tier at which it may be served, and settles it at the one at which it was,
// whoever speaks which dialect; a tier that a translation leaves out costs nothing (A08).
func TestServiceTiers(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := matrixWorld(t, withLedger(l), tiered)
	dialects := matrixDialects()
	for _, client := range matrixVendors {
		for _, target := range matrixVendors {
			for _, tier := range []string{"", "auto", "flex", "priority", "scale"} {
				can := func(d dialect.Name) bool {
					switch d {
					case dialect.OpenAIChat, dialect.OpenAIResponses:
						return true
					case dialect.GeminiGenerate, dialect.BedrockConverse:
						return tier != "scale"
					default:
						return false
					}
				}
				for _, stream := range []bool{false, true} {
					req := &llm.Request{
						Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Kind: llm.PartText, Text: "Who is there?"}}}},
						Tier:     tier, Stream: stream,
					}
					most := int64(100)
					req.MaxTokens = &most
					w.ask(dialects[client.dialect], target.id, req)
					what := string(client.dialect) + " to " + target.id + " at " + tier
					switch asked := can(client.dialect) && can(target.dialect); {
					case asked && tier == "flex": // a vendor may answer at the usual price
						w.wantTier(l, what, "", "flex", 0.5, 1)
					case asked && tier == "priority":
						w.wantTier(l, what, "priority", "priority", 3, 5)
					case asked && tier == "scale":
						w.wantTier(l, what, "scale", "scale", 1, 2)
					default:
						w.wantTier(l, what, "", "", 1, 2)
					}
				}
			}
		}
	}
}

// TestServiceTierThatIsServed settles at the tier that the vendor names, though another was asked for.
func TestServiceTierThatIsServed(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := matrixWorld(t, withLedger(l), tiered)
	for _, target := range []string{"chat1", "resp1", "gemini1", "aws1"} {
		for _, a := range []api{chatAPI, responsesAPI} {
			for _, stream := range []bool{false, true} {
				at := func(tier string) map[string]any { return map[string]any{"service_tier": tier} }
				w.post(a, body(target+"|+tier-default", "Who?", stream, at("priority")), nil)
				w.wantTier(l, a.name+" to "+target+", not as dear", "priority", "", 1, 2)
				w.post(a, body(target+"|+tier-default", "Who?", stream, at("flex")), nil)
				w.wantTier(l, a.name+" to "+target+", not as cheap", "", "", 1, 2)
				w.post(a, body(target+"|+tier-priority", "Who?", stream), nil)
				w.wantTier(l, a.name+" to "+target+", as the account has it", "", "priority", 3, 5)
			}
		}
	}
}

// TestServiceTierOfAnthropic tells apart how fast an answer is, and of which country: all in one name.
func TestServiceTierOfAnthropic(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := newWorld(t, withLedger(l), tiered)
	for _, stream := range []bool{false, true} {
		post := func(more map[string]any) { w.post(messagesAPI, body("claude1", "Who?", stream, more), nil) }
		post(map[string]any{"speed": "fast", "inference_geo": "us"})
		w.wantTier(l, "fast, in one country", "fast-us", "fast-us", 7, 9)
		post(map[string]any{"inference_geo": "us"})
		w.wantTier(l, "in one country", "us", "us", 1.1, 2.2)
		post(map[string]any{"speed": "standard", "service_tier": "auto"})
		w.wantTier(l, "as usual", "", "", 1, 2)
		post(map[string]any{"speed": "fast"}) // of which this price says nothing, but of priority
		w.wantTier(l, "fast", "fast", "fast", 3, 5)
	}
}

// TestServiceTierOfTheAccount reserves what asks for no tier at the one that the account has; and what an edit drops or
// sets is what is asked for.
func TestServiceTierOfTheAccount(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := newWorld(t, withLedger(l), tiered, func(_ *gateway.Options, w *world) {
		w.edits = provider.Edits{Set: map[string]any{"service_tier": "flex"}}
	})
	w.post(chatAPI, body("chat2", "Who?", false), nil)
	w.wantTier(l, "set", "", "flex", 0.5, 1)
	w.post(messagesAPI, body("chat2", "Who?", true, map[string]any{"service_tier": "auto"}), nil)
	w.wantTier(l, "set in a translation", "", "flex", 0.5, 1)
	dropping := *w.providers["chat2"]
	dropping.Facts.Edits = map[dialect.Name]provider.Edits{dialect.OpenAIChat: {Drop: []string{"service_tier"}}}
	w.providers["chat2"] = &dropping
	w.post(chatAPI, body("chat2", "Who?", false, map[string]any{"service_tier": "priority"}), nil)
	w.wantTier(l, "dropped", "", "", 1, 2)

	w.providers["chat1"].ServiceTier = "fast"
	for _, asked := range []string{"", "auto"} {
		w.post(chatAPI, body("chat1|+tier-priority", "Who?", false, map[string]any{"service_tier": asked}), nil)
		w.wantTier(l, "of the account, for "+asked, "fast", "priority", 3, 5)
	}
	w.post(chatAPI, body("chat1", "Who?", false, map[string]any{"service_tier": "default"}), nil)
	w.wantTier(l, "not of the account", "", "", 1, 2)
}

// TestServiceTierOfNoPrice reserves and counts a tier of which nobody knows the price as dear as any is, as an estimate, and
// says so; words that clients make up are one tier.
func TestServiceTierOfNoPrice(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := newWorld(t, withLedger(l), func(_ *gateway.Options, w *world) {
		w.adjust = func(r *route.Route) { r.Targets[0].Price = &provider.Price{Input: 1, Output: 2} }
	})
	for asked, tier := range map[string]string{"priority": "priority", "fast": "fast"} {
		w.post(chatAPI, body("chat1", "Who?", false, map[string]any{"service_tier": asked}), nil)
		w.wantTier(l, asked, tier, tier, 2.5, 5)
		if log := w.log.String(); !strings.Contains(log, "nobody knows what the service tier costs") || !strings.Contains(log, "tier="+tier) {
			t.Errorf("%s: got the log %s, want it said", asked, log)
		}
	}
	w.post(chatAPI, body("chat1|+tier-gold", "Who?", false), nil)
	w.wantTier(l, "made up", "", provider.TierOther, 2.5, 5)
	w.post(chatAPI, body("chat1|+tier-reserved", "Who?", false), nil)
	w.wantTier(l, "bought beforehand", "", "reserved", 1, 2)
}

// TestServiceTierOfEachAttempt has each attempt of a call at the tier that its own target was asked for: the next vendor, one
// that goes on with a stream, and one beside a lead that takes long.
func TestServiceTierOfEachAttempt(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	w := newWorld(t, withLedger(l), tiered)
	priority := map[string]any{"service_tier": "priority"}
	tiers := func(what string, attempts int, want ...string) {
		t.Helper()
		reserved, _, _ := l.tiersOf(t, attempts)
		for i, r := range reserved {
			if r.ServiceTier != want[i] {
				t.Errorf("%s: got attempt %d reserved at the tier %q, want %q", what, i+1, r.ServiceTier, want[i])
			}
		}
	}
	w.fail("chat1", "overloaded-529")
	got := w.post(chatAPI, body("chat1>claude1", "Who?", false, priority), nil)
	if n := len(w.record().Attempts); got.status != http.StatusOK || n != 2 || !strings.Contains(got.header.Get("X-Understudy-Loss"), "service_tier") {
		t.Fatalf("got %v after %d attempts, want an answer of the second, and the tier reported lost", got, n)
	}
	tiers("fail-over", 2, "priority", "")

	w.fail("chat1", "eof-stream")
	got = w.post(chatAPI, body("chat1>chat2", "Tell me a long story, please.", true, priority), nil)
	if rec := w.record(); !got.whole() || len(rec.Attempts) != 2 || !rec.Attempts[1].Rescue {
		t.Fatalf("got %v, want it gone on with", got)
	}
	tiers("rescue", 2, "priority", "priority")
	if _, settled, _ := l.tiersOf(t, 2); settled[1].ServiceTier != "priority" {
		t.Errorf("rescue: got it settled at %q, want priority", settled[1].ServiceTier)
	}
}
