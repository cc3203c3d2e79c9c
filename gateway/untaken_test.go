package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// withReasoner has chat1 serve a model that refuses stop sequences, as its vendor is known to, to routes of a policy.
func withReasoner(policy llm.LossPolicy) worldOption {
	return withRoutes(func(r *route.Route) {
		r.Loss = policy
		for i := range r.Targets {
			if r.Targets[i].Provider.ID == "chat1" {
				r.Targets[i].Model, r.Targets[i].Facts = "o4-mini", llm.ModelFacts{NoSampling: true, NoStop: true}
			}
		}
	})
}

var reasonerClients = []struct {
	api   api
	lead  string
	stop  string
	limit string // whose name OpenAI's reasoning models have anew
}{
	{messagesAPI, "claude1", "stop_sequences", "max_tokens"}, // translated
	{chatAPI, "chat2", "stop", "max_completion_tokens"},      // relayed
}

// asks is a body that sets stop sequences.
func asks(model string, client int) map[string]any {
	b, c := body(model, "Hello", false), reasonerClients[client]
	delete(b, "max_tokens")
	b[c.limit], b[c.stop] = 512, []string{"sea"}
	return b
}

// TestStandInWithoutStops: a model that refuses stop sequences is no stand-in for who sets them. It is not asked, the
// log says why, and the next target is, whether the lead has failed in this call or is left alone.
func TestStandInWithoutStops(t *testing.T) {
	t.Parallel()
	for i, client := range reasonerClients {
		w := newWard(t, withReasoner(llm.LossReport))
		w.fail(client.lead, "rate-429-seconds")
		for call := range 2 {
			got := w.post(client.api, asks(client.lead+">chat1>claude2", i), nil)
			if target := got.header.Get(gateway.HeaderTarget); !got.whole() || !strings.HasPrefix(target, "claude2/") {
				t.Errorf("%s, call %d: got %v from %q, want the next target's answer", client.lead, call, got, target)
			}
			if r := w.record().Refused; len(r) != 1 || r[0].Target != "chat1/o4-mini" || r[0].Param != "stop" || r[0].Code != llm.CodeUnsupported {
				t.Errorf("%s, call %d: got %+v in the log, want chat1 and why", client.lead, call, r)
			}
		}
		if n := w.count("chat1"); n != 0 {
			t.Errorf("%s: got %d requests at a model that refuses them, want none", client.lead, n)
		}
		plain := asks(client.lead+">chat1>claude2", i)
		delete(plain, client.stop)
		got := w.post(client.api, plain, nil)
		if target := got.header.Get(gateway.HeaderTarget); !got.whole() || target != "chat1/o4-mini" {
			t.Errorf("%s, without them: got %v from %q, want chat1's answer", client.lead, got, target)
		}
		w.close()
	}
}

// TestStopsMayBeLost: who takes a loss of the contract has an answer of a stand-in that was not sent them, and is told.
func TestStopsMayBeLost(t *testing.T) {
	t.Parallel()
	for i, client := range reasonerClients {
		w := newWorld(t, withTimeouts(patient()), withReasoner(llm.LossLenient))
		w.fail(client.lead, "unavailable-503")
		got := w.post(client.api, asks(client.lead+">chat1", i), nil)
		if loss := got.header.Get(gateway.HeaderLoss); !got.whole() || loss != "stop=dropped(contract)" {
			t.Errorf("%s: got %v with loss %q, want an answer and the loss", client.lead, got, loss)
		}
		if sent := w.sent("chat1"); !sent.Get("stop").IsNull() {
			t.Errorf("%s: got %s sent, want no stop", client.lead, sent)
		}
		w.close()
	}
}

// TestLeadWithoutStops: what a client asks of a model in the model's own dialect goes there as it is, and the vendor's
// word comes back.
func TestLeadWithoutStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withReasoner(llm.LossReport))
	got := w.post(chatAPI, asks("chat1>claude1", 1), nil)
	if got.status != 400 || at(got.body, "error", "code") != `"unsupported_parameter"` || w.count("chat1") != 1 || w.count("claude1") != 0 {
		t.Errorf("got %v, want the vendor's own error", got)
	}
	if w.sent("chat1").Get("stop").IsNull() {
		t.Errorf("got %s sent, want it as the client wrote it", w.sent("chat1"))
	}
	// Translated, it is refused here.
	if got := w.post(messagesAPI, asks("chat1", 0), nil); got.status != 400 || w.count("chat1") != 1 || !strings.Contains(string(got.body), "cannot carry: stop") {
		t.Errorf("got %v, want it refused for its stop sequences", got)
	}
}
