package evacuate

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.call("assistant", "acme/large")
		time.Sleep(10 * time.Minute)
		for range 99 {
			h.call("assistant", "acme/large")
		}
		for range 20 {
			h.call("solo", "acme/large")
			h.call("acme/large", "acme/large")
			h.call("writer", "other/big")
		}
		h.postures.states = []route.TargetState{{Provider: "other", Model: "big", State: route.StateUp, Limit: 100}}
		p, err := h.Plan("acme")
		if err != nil {
			t.Fatal(err)
		}
		near := func(name string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > want/100 {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		near("calls", p.CallsNow, 14)
		near("calls that stay", p.CallsStay, 4)
		near("cost now", p.CostNow, 100*(1000*1+100*4)/1e6*6)
		near("cost then", p.CostThen, 100*(1000*2+100*10)/1e6*6)
		if p.Minutes != 10 {
			t.Errorf("got %d minutes, want 10", p.Minutes)
		}
		var got []string
		for _, m := range p.Models {
			got = append(got, m.Model+" "+m.Role+" "+strings.Join(m.To, ","))
		}
		want := []string{
			"assistant lead other/big", "solo lead ", "writer understudy other/big", "vectors lead third/vectors-1", "lonely-vectors lead ", "acme/large direct ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, m := range p.Models {
			if m.Moves != (len(m.To) > 0) || m.Moves != (m.Why == "") {
				t.Errorf("got %+v, want it to move or a reason", m)
			}
		}
		first := p.Models[0]
		near("calls of the first", first.Calls, 10)
		if want := []string{"window of 200 tokens instead of 400", "no image in prompts", "no tools", "no thinking"}; !slices.Equal(first.Lacks, want) {
			t.Errorf("got %q, want %q", first.Lacks, want)
		}
		wantLost := []LostPlan{
			{"openai-chat", "logit_bias=refused(contract)", "contract", true, ""}, {"openai-chat", "seed=dropped(tuning)", "tuning", false, ""},
		}
		if !slices.Equal(first.Lost, wantLost) {
			t.Errorf("got %v, want %v", first.Lost, wantLost)
		}
		if first.PriceIn != 1 || first.Then != 2 || first.Out != 4 || first.OutThen != 10 {
			t.Errorf("got prices %+v, want those of both", first)
		}
		var operations []string
		for _, o := range p.Operations {
			operations = append(operations, o.Operation+" "+strings.Join(o.To, ",")+" "+strings.Fields(o.Why)[0])
		}
		if want := []string{"images third it", "audio  it", "files third new"}; !slices.Equal(operations, want) {
			t.Errorf("got %q, want %q", operations, want)
		}
		if len(p.Destinations) != 2 || p.Destinations[0].Target != "other/big" {
			t.Fatalf("got %+v, want other and third", p.Destinations)
		}
		d := p.Destinations[0]
		near("what it answers", d.Calls, 2)
		near("what comes", d.More, 10)
		near("at once", d.AtOnce, 12*2.0/60)
		if d.State != "up" || d.Limit != 8 || d.Verdict != "room" || p.Destinations[1].Verdict != "unknown" {
			t.Errorf("got %+v, want room under the lower limit, and nothing known of the other", p.Destinations)
		}
	})
}

func TestVerdicts(t *testing.T) {
	h := newHouse()
	t2 := h.routes[0].Targets[1]
	t2.Provider = &provider.Provider{ID: "other"}
	busy := volume{calls: 1000, took: 100 * time.Second, over: 10 * time.Second} // ten at a time
	for want, state := range map[string]route.TargetState{
		"out":   {Provider: "other", Model: "big", State: route.StateCooling},
		"tight": {Provider: "other", Model: "big", State: route.StateUp, Limit: 12},
		"room":  {Provider: "other", Model: "big", State: route.StateUp, Limit: 40},
	} {
		h.postures.states = []route.TargetState{state}
		if got := h.planDestination(t2, busy); got.Verdict != want {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
	h.postures.states = nil
	if got := h.planDestination(t2, busy); got.Verdict != "unknown" || got.State != "unknown" {
		t.Errorf("got %+v, want nothing known", got)
	}
}

// TestPlanOfAnOrder: who takes over is as the route orders its targets.
func TestPlanOfAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		acme, other, third := h.routes[0].Targets[0], h.routes[0].Targets[1], h.routes[3].Targets[2]
		third.Provider.Facts.Models = []provider.Model{{ID: "cheap", Price: price(1, 2)}}
		third.Model, third.SameAs, third.Price, other.Price = "cheap", "", price(1, 2), price(2, 10)
		acme.Weight = 6
		for _, c := range []struct {
			order   route.Policy
			weights [2]float64
			to      string
			more    map[string]float64
			then    float64 // USD an hour
		}{
			{route.PolicyOrdered, [2]float64{1, 1}, "other/big,third/cheap", map[string]float64{"other/big": 100}, 18},
			{route.PolicyWeighted, [2]float64{3, 1}, "other/big,third/cheap", map[string]float64{"other/big": 75, "third/cheap": 25}, 15.3},
			{route.PolicyWeighted, [2]float64{1, 3}, "third/cheap,other/big", map[string]float64{"third/cheap": 75, "other/big": 25}, 9.9},
			{route.PolicyWeighted, [2]float64{0, 9}, "third/cheap,other/big", map[string]float64{"third/cheap": 100}, 7.2},
			{route.PolicyWeighted, [2]float64{0, 0}, "other/big,third/cheap", map[string]float64{"other/big": 100}, 18},
			{route.PolicyCheapest, [2]float64{1, 1}, "third/cheap,other/big", map[string]float64{"third/cheap": 100}, 7.2},
		} {
			other.Weight, third.Weight = c.weights[0], c.weights[1]
			h.routes = []route.Route{{Model: "assistant", Order: c.order, Targets: []route.Target{acme, other, third}}, h.routes[1], h.routes[2], {Targets: []route.Target{third, third, third}}}
			h.Evacuations = h.open()
			for range 100 {
				h.call("assistant", "acme/large")
			}
			p, err := h.Plan("acme")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.Models[0].To, ","); got != c.to {
				t.Errorf("%s %v: got %s, want %s", c.order, c.weights, got, c.to)
			}
			more := map[string]float64{}
			for _, d := range p.Destinations {
				if d.More > 0 {
					more[d.Target] = d.More
				}
			}
			if !maps.Equal(more, c.more) || math.Abs(p.CostThen-c.then) > 0.001 {
				t.Errorf("%s %v: got %v for $%v an hour, want %v for $%v", c.order, c.weights, more, p.CostThen, c.more, c.then)
			}
		}
	})
}
