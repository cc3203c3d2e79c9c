package app

import (
	"cmp"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/continuity/drill"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// newDrills stands between the gateway and the transport.
func (a *App) newDrills() *drill.Drills {
	return drill.New(drill.Options{
		Sender: a.transport, Files: &a.files, HasProvider: a.hasProvider, Pick: a.pick, Price: a.price,
		Log: a.opts.Log, Now: time.Now,
	})
}

func (a *App) hasProvider(id string) bool {
	_, ok := a.routes.Load().provider(id)
	return ok
}

func (a *App) pick(model string) (route.Route, bool) { return a.routes.Load().Pick(model) }

// price is what an attempt has cost in USD, by the catalog.
func (a *App) price(target string, u llm.Usage) (usd float64, known bool) {
	id, name, _ := strings.Cut(target, "/")
	p, ok := a.routes.Load().provider(id)
	if !ok {
		return 0, false
	}
	m, _ := p.Model(name)
	if m.Price == nil {
		return 0, false
	}
	return costOf(m.Price, u), true
}

// costOf is an estimate for reports: what the tokens cost by the prices that hold for a
// prompt of this length. The books are the ledger's business.
func costOf(p *provider.Price, u llm.Usage) float64 {
	in, out, cached, kept := p.Input, p.Output, p.CacheRead, p.CacheWrite
	for _, t := range p.Tiers {
		if u.Input() > t.Above {
			in, out = cmp.Or(t.Input, in), cmp.Or(t.Output, out)
			cached, kept = cmp.Or(t.CacheRead, cached), cmp.Or(t.CacheWrite, kept)
		}
	}
	kept = cmp.Or(kept, in)
	sum := float64(u.InFresh)*in + float64(u.InCacheRead)*cmp.Or(cached, in) + float64(u.InCacheWrite)*kept +
		float64(u.InCache1h)*cmp.Or(p.CacheWrite1h, kept) + float64(u.OutVisible)*out + float64(u.OutReasoning)*cmp.Or(p.Reasoning, out)
	const million = 1e6
	return sum / million
}

// settled hands what a call came to to everybody who wants to know.
func (a *App) settled(rec gateway.Record) {
	if a.drills.IsWatching() {
		a.drills.Observe(toDrill(&rec))
	}
}

func toDrill(rec *gateway.Record) *drill.Call {
	c := &drill.Call{
		ID: rec.Call, Caller: rec.Caller, Model: rec.Model, Operation: string(rec.Operation), Code: rec.Code,
		Start: rec.Start, Duration: rec.Duration,
	}
	for i := range rec.Attempts {
		a := &rec.Attempts[i]
		c.Attempts = append(c.Attempts, drill.Attempt{
			Target: a.Target, Start: a.Start, FirstContent: a.FirstContent, Code: a.Code, Committed: a.Committed,
			Rescue: a.Rescue, Status: a.Status, Usage: a.Usage, Losses: a.Losses,
		})
	}
	for _, t := range rec.Refused {
		c.Refused = append(c.Refused, drill.Refusal{Target: t.Target, Param: t.Param, Code: t.Code})
	}
	return c
}

// provider finds a provider by its name.
func (r *routes) provider(id string) (*provider.Provider, bool) {
	for _, p := range r.providers {
		if p.ID == id {
			return p, true
		}
	}
	return nil, false
}
