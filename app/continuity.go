package app

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/continuity/drill"
	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// newDrills stands between the gateway and the transport.
func (a *App) newDrills() *drill.Drills {
	return drill.New(drill.Options{
		Sender: a.transport, Files: &a.files, Providers: a.providers, Pick: a.pick, Routes: a.configured, IsCaller: a.isCaller,
		Price: a.price, Usual: a.usual, Log: a.opts.Log, Now: time.Now,
	})
}

// isCaller reports whether calls can be of a caller of this name.
func (a *App) isCaller(name string) bool {
	isNamed := func(k access.Key) bool { return cmp.Or(k.Name, k.ID) == name }
	return name == access.Anonymous || slices.ContainsFunc(a.access.Keys("", math.MaxInt), isNamed)
}

// usual is how long a provider's models took of late, on average.
func (a *App) usual(provider string) (first, whole time.Duration) {
	var firsts, wholes time.Duration
	for _, s := range a.health.Snapshot() {
		if s.Provider != provider || s.Model == "" {
			continue
		}
		if s.FirstToken > 0 {
			first += s.FirstToken
			firsts++
		}
		if s.Latency > 0 {
			whole += s.Latency
			wholes++
		}
	}
	return first / max(firsts, 1), whole / max(wholes, 1)
}

// newEvacuations works on the routes' health.
func (a *App) newEvacuations() *evacuate.Evacuations {
	return evacuate.New(evacuate.Options{
		Postures: a.health, Files: &a.files, Routes: a.configured, Providers: a.providers, Pick: a.pick, Losses: losses,
		Log: a.opts.Log, Now: time.Now,
	})
}

func (a *App) providers() []*provider.Provider { return a.routes.Load().providers }

// configured lists the routes of the models that the config names.
func (a *App) configured() []route.Route {
	r := a.routes.Load()
	var all []route.Route
	for _, name := range r.Names() {
		if found, ok := r.Pick(name); ok {
			all = append(all, found)
		}
	}
	return all
}

// losses lists what a request of a dialect may lose at a target, whatever it holds: by the
// tables, and by what the provider's facts take away. It is false for a target that cannot
// take such requests at all.
func losses(from dialect.Name, at route.Target) ([]llm.Loss, bool) {
	client, to := dialectsBetween(from, at)
	if client == nil || to == nil {
		return nil, false
	}
	var all []llm.Loss
	if client != to {
		seen := map[llm.Feature]bool{}
		for _, field := range client.Fields { // of another operation's features no such request has any
			if field.Feature == "" {
				all = append(all, dialect.FieldLoss(field))
			} else if l, lost := dialect.Verdict(client, to, field.Feature); lost && !seen[field.Feature] {
				seen[field.Feature] = true
				all = append(all, l)
			}
		}
	}
	for _, path := range slices.Concat(at.Provider.Facts.Edits[to.Name].Drop, to.Untaken(at.Facts)) {
		if l, lost := to.EditLoss(path, llm.ActionDropped); lost {
			all = append(all, l)
		}
	}
	return all, true
}

// dialectsBetween are the client's dialect and the one in which the gateway asks a target for
// it, as it does in planning an attempt; nil where there is none.
func dialectsBetween(from dialect.Name, at route.Target) (client, to *dialect.Dialect) {
	all := dialects()
	for _, d := range all {
		if d.Name == from {
			client = d
		}
	}
	if client == nil {
		return nil, nil
	}
	if at.Provider.Facts.Speaks(client.Name, at.Model) {
		return client, client
	}
	for _, d := range all {
		if d.Does() != client.Does() || !at.Provider.Facts.Speaks(d.Name, at.Model) {
			continue
		}
		if to == nil || d.Name == at.Provider.Facts.Prefer {
			to = d
		}
	}
	return client, to
}

func (a *App) pick(model string) (route.Route, bool) { return a.routes.Load().Pick(model) }

// price is what an attempt has cost in USD, by the catalog.
func (a *App) price(of *drill.Attempt) (usd float64, known bool) {
	id, name, _ := strings.Cut(of.Target, "/")
	p, ok := a.routes.Load().provider(id)
	if !ok {
		return 0, false
	}
	m, _ := p.Model(name)
	if m.Price == nil {
		return 0, false
	}
	rates := budget.RatesAt(&p.Facts, m.Price, of.ServiceTier)
	cost, err := rates.Cost(budget.TokensOf(of.Usage))
	return float64(cost) / float64(budget.USD), err == nil
}

// settled hands what a call came to to everybody who wants to know.
func (a *App) settled(rec gateway.Record) {
	a.metrics.Observe(&rec)
	if len(rec.Over) > 0 {
		a.books.budgets.refused(&rec)
	}
	if a.traces != nil {
		a.traces.Observe(&rec)
	}
	if a.drills.IsWatching() {
		a.drills.Observe(toDrill(&rec))
	}
	c := a.toEvacuation(&rec)
	a.evacuations.Observe(&c)
}

func (a *App) toEvacuation(rec *gateway.Record) evacuate.Call {
	c := evacuate.Call{
		Model: rec.Model, Dialect: string(rec.Dialect), Operation: string(rec.Operation), Code: rec.Code,
		Over: rec.Start.Add(rec.Duration), Duration: rec.Duration,
	}
	if last := rec.Last(); last != nil && last.Code == "" {
		c.Answered, c.Input, c.Output = last.Target, last.Usage.Input(), last.Usage.Output()
	}
	if a.evacuations.IsActive() {
		for i := range rec.Attempts {
			c.Asked = append(c.Asked, rec.Attempts[i].Target)
		}
	}
	return c
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
			Rescue: a.Rescue, Status: a.Status, Usage: a.Usage, ServiceTier: a.ServiceTier, Losses: a.Losses,
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
