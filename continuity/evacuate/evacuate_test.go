package evacuate

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// postures remembers what was set.
type postures struct {
	mu     sync.Mutex
	set    map[string]route.Posture
	shares []float64
	states []route.TargetState
}

func (p *postures) SetPosture(id string, to route.Posture, share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set[id] = to
	p.shares = append(p.shares, share)
}

func (p *postures) Snapshot() []route.TargetState { return p.states }

func (p *postures) now(id string) (route.Posture, float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set[id], p.shares[len(p.shares)-1]
}

// memory is a data folder, which may be full.
type memory struct {
	text map[string][]byte
	full bool
}

func (m *memory) Read(name string) ([]byte, error) {
	if content, ok := m.text[name]; ok {
		return content, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Write(name string, content []byte) error {
	if m.full {
		return errors.New("no space left")
	}
	m.text[name] = content
	return nil
}

func price(in, out float64) *provider.Price { return &provider.Price{Input: in, Output: out} }

// house is a gateway with three providers: acme leads, other stands in, third has the same embedding model.
type house struct {
	*Evacuations
	postures *postures
	files    *memory
	routes   []route.Route
}

func newHouse() *house {
	no := false
	acme := &provider.Provider{ID: "acme", Facts: provider.Facts{
		Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat"},
		Relays:   map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: {dialect.Files, dialect.Images, dialect.Audio}},
		Models: []provider.Model{
			{ID: "large", Window: 400, MaxOutput: 100, Price: price(1, 4), Modalities: provider.Modalities{Input: []string{"text", "image"}}, Thinking: "effort"},
			{ID: "vectors", Operation: dialect.Embed},
		},
	}}
	other := &provider.Provider{ID: "other", Concurrency: 8, Facts: provider.Facts{
		Dialects: map[dialect.Name]string{dialect.AnthropicMessages: "/messages"},
		Models: []provider.Model{
			{ID: "big", Window: 200, MaxOutput: 100, Price: price(2, 10), Modalities: provider.Modalities{Input: []string{"text"}}, Tools: &no, Thinking: llm.ThinkingNone},
		},
	}}
	third := &provider.Provider{ID: "third", Facts: provider.Facts{
		Relays: map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: {dialect.Files, dialect.Images}},
	}}
	at := func(p *provider.Provider, model, same string) route.Target {
		return route.Target{Provider: p, Model: model, SameAs: same}
	}
	h := &house{postures: &postures{set: map[string]route.Posture{}}, files: &memory{text: map[string][]byte{}}}
	h.routes = []route.Route{
		{Model: "assistant", Loss: llm.LossReport, Targets: []route.Target{at(acme, "large", ""), at(other, "big", "")}},
		{Model: "solo", Targets: []route.Target{at(acme, "large", "")}},
		{Model: "writer", Targets: []route.Target{at(other, "big", ""), at(acme, "large", "")}},
		{Model: "vectors", Targets: []route.Target{at(acme, "vectors", "v/1"), at(other, "big", ""), at(third, "vectors-1", "v/1")}},
		{Model: "lonely-vectors", Targets: []route.Target{at(acme, "vectors", "v/1"), at(other, "big", "")}},
		{Model: "elsewhere", Targets: []route.Target{at(other, "big", "")}},
	}
	h.Evacuations = h.open()
	return h
}

func (h *house) open() *Evacuations {
	acme := h.routes[0].Targets[0].Provider
	return New(Options{
		Postures: h.postures, Files: h.files, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Routes: func() []route.Route { return h.routes },
		Providers: func() []*provider.Provider {
			return []*provider.Provider{acme, h.routes[0].Targets[1].Provider, h.routes[3].Targets[2].Provider}
		},
		Pick: func(model string) (route.Route, bool) {
			for _, r := range h.routes {
				if r.Model == model {
					return r, true
				}
			}
			if name, ok := strings.CutPrefix(model, "acme/"); ok {
				return route.Route{Model: model, Targets: []route.Target{{Provider: acme, Model: name}}}, true
			}
			return route.Route{}, false
		},
		Losses: func(from dialect.Name, t route.Target) ([]llm.Loss, bool) {
			user := llm.Loss{Feature: "user", Action: llm.ActionDropped, Severity: llm.Harmless}
			if t.Provider == acme {
				return []llm.Loss{user}, from == dialect.OpenAIChat
			}
			return []llm.Loss{
				user,
				{Feature: "seed", Action: llm.ActionDropped, Severity: llm.Tuning},
				{Feature: "logit_bias", Action: llm.ActionRefused, Severity: llm.Contract},
				{Feature: "tools", Action: llm.ActionEmulated},
			}, from == dialect.OpenAIChat
		},
	})
}

func (h *house) call(model string, asked ...string) {
	c := Call{Model: model, Dialect: "openai-chat", Operation: "generate", Over: time.Now(), Duration: 2 * time.Second, Asked: asked, Input: 1000, Output: 100}
	c.Answered = asked[len(asked)-1]
	h.Observe(&c)
}

// Traffic moves step by step, there and back (F33).
func TestRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		defer h.Close()
		want := func(when string, p route.Posture, share float64, phase Phase) {
			t.Helper()
			got, at := h.postures.now("acme")
			st, err := h.Get("acme")
			if got != p || math.Abs(at-share) > 0.02 || err != nil || st.Phase != phase || math.Abs(st.Share-share) > 0.02 {
				t.Errorf("%s: got %s of %v and %+v, want %s of %v in phase %s", when, got, at, st, p, share, phase)
			}
		}
		if _, err := h.Start("acme", 100); err != nil {
			t.Fatal(err)
		}
		want("at once", route.PostureDraining, 1, PhaseEvacuating)
		time.Sleep(25 * time.Second)
		want("after a quarter", route.PostureDraining, 0.75, PhaseEvacuating)
		if st, err := h.Start("acme", 100); err != nil || math.Abs(st.Share-0.75) > 0.02 {
			t.Errorf("again: got %+v and error %v, want the ramp left as it is", st, err)
		}
		time.Sleep(76 * time.Second)
		want("at the end", route.PostureEvacuated, 0, PhaseEvacuated)
		if st, err := h.Start("acme", 5); err != nil || st.Phase != PhaseEvacuated {
			t.Errorf("again at the end: got %+v and error %v, want it left as it is", st, err)
		}
		if _, err := h.Restore("acme", 10); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		want("half restored", route.PostureDraining, 0.5, PhaseRestoring)
		if _, err := h.Start("acme", 10); err != nil { // another change of mind
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		want("evacuated again, from where it was", route.PostureDraining, 0.25, PhaseEvacuating)
		if _, err := h.Restore("acme", 0); err != nil {
			t.Fatal(err)
		}
		want("restored at once", route.PostureNormal, 1, PhaseNone)
		if st, err := h.Restore("acme", 10); err != nil || st.Phase != PhaseNone {
			t.Errorf("restored again: got %+v and error %v, want nothing changed", st, err)
		}
		if text := string(h.files.text[fileName]); text != "[]\n" {
			t.Errorf("got %s kept, want nothing", text)
		}
	})
}

// TestRemoved: a provider that the config does not have any more gets no traffic that could grow step by step.
func TestRemoved(t *testing.T) {
	h := newHouse()
	defer h.Close()
	if _, err := h.Start("acme", 0); err != nil {
		t.Fatal(err)
	}
	h.opts.Providers = func() []*provider.Provider { return nil }
	if st, err := h.Get("acme"); err != nil || st.Phase != PhaseEvacuated {
		t.Errorf("got %+v and error %v, want it evacuated for when it comes again", st, err)
	}
	if st, err := h.Restore("acme", 60); err != nil || st.Phase != PhaseNone {
		t.Errorf("got %+v and error %v, want it restored at once", st, err)
	}
	if _, err := h.Restore("acme", 60); err == nil {
		t.Error("got no error for a provider that nobody knows")
	}
}

// TestRestart kills the gateway in the middle of a ramp, and at its end.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		if _, err := h.Start("acme", 100); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		h.Close()
		if _, err := h.Start("other", 1); err == nil {
			t.Error("got an evacuation that began after the end")
		}
		time.Sleep(20 * time.Second)
		h.Evacuations = h.open()
		if err := h.Load(); err != nil {
			t.Fatal(err)
		}
		if p, share := h.postures.now("acme"); p != route.PostureDraining || math.Abs(share-0.6) > 0.02 {
			t.Errorf("got %s of %v, want the ramp where the clock has it", p, share)
		}
		time.Sleep(70 * time.Second)
		h.Close()
		h.Evacuations = h.open()
		if err := h.Load(); err != nil {
			t.Fatal(err)
		}
		if st, _ := h.Get("acme"); st.Phase != PhaseEvacuated || !h.IsActive() {
			t.Errorf("got %+v, want it evacuated still", st)
		}
		h.Close()
		h.files.text[fileName] = []byte("{")
		if err := h.open().Load(); err == nil || !strings.Contains(err.Error(), fileName) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("got %v of what is kept and broken, want an error that names the file and says what to do", err)
		}
	})
}

func TestFullDisk(t *testing.T) {
	h := newHouse()
	h.files.full = true
	if _, err := h.Start("acme", 10); err == nil || h.IsActive() || len(h.postures.shares) != 0 {
		t.Errorf("got error %v and shares %v, want nothing begun that would be forgotten", err, h.postures.shares)
	}
}

func TestRefusals(t *testing.T) {
	h := newHouse()
	for _, ramp := range []float64{-1, maxRamp + 1, math.NaN(), math.Inf(1)} {
		if _, err := h.Start("acme", ramp); err == nil {
			t.Errorf("a ramp of %v: got no error", ramp)
		}
	}
	for name, do := range map[string]func() error{
		"start":   func() error { _, err := h.Start("nobody", 1); return err },
		"restore": func() error { _, err := h.Restore("nobody", 1); return err },
		"get":     func() error { _, err := h.Get("nobody"); return err },
		"plan":    func() error { _, err := h.Plan("nobody"); return err },
	} {
		var e *llm.Error
		if err := do(); !errors.As(err, &e) || e.Code != llm.CodePathNotFound {
			t.Errorf("%s of nobody: got error %v, want not found", name, err)
		}
	}
}

// TestVerification counts what still goes to an evacuated provider.
func TestVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		defer h.Close()
		h.call("assistant", "acme/large") // before
		if _, err := h.Start("acme", 0); err != nil {
			t.Fatal(err)
		}
		h.call("assistant", "acme/large") // had begun before
		time.Sleep(2 * time.Second)
		h.postures.states = []route.TargetState{{Provider: "acme", Running: 3}, {Provider: "acme", Model: "large", Running: 2}}
		for range 8 {
			h.call("assistant", "other/big")
		}
		h.call("solo", "acme/large")
		h.call("solo", "acme/large")
		h.call("elsewhere", "other/big") // no concern
		h.Observe(&Call{Model: "assistant", Operation: "generate", Over: time.Now(), Code: llm.CodeOverloaded, Asked: []string{"other/big"}})
		h.Observe(&Call{Model: "assistant", Operation: "generate", Over: time.Now(), Code: llm.CodeInvalidRequest, Asked: []string{"other/big"}})
		st, err := h.Get("acme")
		if err != nil || st.Calls != 12 || st.There != 2 || st.Failed != 1 || st.Running != 3 || st.Recent != 12 || st.RecentThere != 2 {
			t.Errorf("got %+v and error %v, want 12 calls, 2 of them there, 1 failed, 3 running", st, err)
		}
		if want := []Still{{"solo", "generate", 2, "no other provider serves it"}}; !slices.Equal(st.Still, want) {
			t.Errorf("got %v, want %v", st.Still, want)
		}
		time.Sleep(2 * time.Minute)
		h.call("assistant", "other/big")
		if st, _ := h.Get("acme"); st.Recent != 1 || st.RecentThere != 0 || st.Calls != 13 {
			t.Errorf("got %+v, want the last minute told apart", st)
		}
		if all := h.List(); len(all) != 3 || all[0].Provider != "acme" || all[1].Phase != PhaseNone || all[1].Share != 1 {
			t.Errorf("got %+v, want all three providers", all)
		}
	})
}

// TestTrafficIsBounded: clients choose the names of models.
func TestTrafficIsBounded(t *testing.T) {
	var tr traffic
	now := time.Now()
	for i := range 10 * maxFlows {
		tr.add(now, &Call{Model: strings.Repeat("x", i%50) + string(rune(i)), Answered: "acme/large"})
	}
	if len(tr.flows) > maxFlows {
		t.Errorf("got %d flows, want at most %d", len(tr.flows), maxFlows)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := newHouse()
	c := Call{Model: "assistant", Dialect: "openai-chat", Operation: "generate", Answered: "acme/large", Input: 10, Output: 10}
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(&c)
	}
}

// TestTwoEvacuations: nothing can move to a provider that traffic moves off as well.
func TestTwoEvacuations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		defer h.Close()
		find := func(id, model string) ModelPlan {
			t.Helper()
			p, err := h.Plan(id)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.Models {
				if m.Model == model {
					return m
				}
			}
			t.Fatalf("got no %s in the plan %+v", model, p)
			return ModelPlan{}
		}
		if _, err := h.Start("other", 60); err != nil { // and is on its way
			t.Fatal(err)
		}
		h.call("assistant", "acme/large")
		m := find("acme", "assistant")
		if want := "traffic moves off its understudies' providers, too"; m.Moves || m.Why != want || len(m.To) > 0 || m.Then != 0 {
			t.Errorf("got %+v, want it to stay, since %q", m, want)
		}
		p, err := h.Plan("acme")
		if err != nil || p.CallsStay != p.CallsNow || p.CostThen != 0 {
			t.Errorf("got %+v and error %v, want all calls to stay", p, err)
		}
		for _, d := range p.Destinations {
			if d.Target == "other/big" {
				t.Errorf("got %+v, want no calls to go there", d)
			}
		}
		if m := find("acme", "vectors"); !m.Moves || !slices.Equal(m.To, []string{"third/vectors-1"}) {
			t.Errorf("got %+v, want it to move to the third", m)
		}
		if _, err := h.Start("third", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Start("acme", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		h.call("assistant", "acme/large")
		st, err := h.Get("acme")
		if want := []Still{{"assistant", "generate", 1, "traffic moves off every other provider that serves it, too"}}; err != nil || !slices.Equal(st.Still, want) {
			t.Errorf("got %v and error %v, want %v", st.Still, err, want)
		}
		if m := find("acme", "vectors"); m.Why != "traffic moves off its understudies' providers, too" {
			t.Errorf("got %+v, want it to stay for the other evacuation's sake", m)
		}
		if p, _ := h.Plan("acme"); len(p.Operations) != 3 || len(p.Operations[0].To) != 0 || !strings.HasPrefix(p.Operations[0].Why, "it cannot move") {
			t.Errorf("got %+v, want nothing to move to an evacuated provider", p.Operations)
		}
		if _, err := h.Restore("other", 60); err != nil {
			t.Fatal(err)
		}
		if m := find("acme", "assistant"); !m.Moves {
			t.Errorf("got %+v, want it to move to a provider that comes back", m)
		}
	})
}
