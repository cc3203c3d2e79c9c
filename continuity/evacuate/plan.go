package evacuate

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Plan says what an evacuation of a provider would do.
type Plan struct {
	Provider string `json:"provider"`
	Minutes  int64  `json:"minutes" doc:"How many minutes of traffic the figures are of, at most 60."`
	// Models are the names of which the provider serves a target, or was asked lately.
	Models []ModelPlan `json:"models"`
	// Operations are those that nobody translates.
	Operations   []OperationPlan   `json:"operations" doc:"What nobody translates: files, batches and the like."`
	Destinations []DestinationPlan `json:"destinations" doc:"Who takes over, and whether it can."`
	CallsNow     float64           `json:"calls_per_minute" doc:"What the provider answers now."`
	CallsStay    float64           `json:"calls_per_minute_stay" doc:"What of that cannot be moved."`
	CostNow      float64           `json:"usd_per_hour" doc:"What the moved traffic costs now, as far as prices are known."`
	CostThen     float64           `json:"usd_per_hour_then" doc:"What it will cost."`
}

// ModelPlan is what becomes of a model.
type ModelPlan struct {
	Model string   `json:"model"`
	From  string   `json:"from" doc:"The target at the provider."`
	Role  string   `json:"role" doc:"lead, understudy, or direct for a name that is no configured model."`
	To    []string `json:"to" doc:"The targets that take over, in order."`
	Moves bool     `json:"moves"`
	Why   string   `json:"why,omitempty" doc:"Why it does not move."`
	Calls float64  `json:"calls_per_minute"`
	// Lost is of the first of To.
	Lost    []LostPlan `json:"lost" doc:"What requests may lose at the first of them, and did not before."`
	Lacks   []string   `json:"lacks" doc:"What the model that takes over cannot do, and the one before can."`
	PriceIn float64    `json:"usd_in,omitempty" doc:"Of a million tokens of prompts now, and usd_in_then with the first of them."`
	Then    float64    `json:"usd_in_then,omitempty"`
	Out     float64    `json:"usd_out,omitempty"`
	OutThen float64    `json:"usd_out_then,omitempty"`
}

// LostPlan is a loss that clients of a dialect would newly have.
type LostPlan struct {
	Dialect  string `json:"dialect"`
	Loss     string `json:"loss" doc:"As in X-Understudy-Loss, if a request has it."`
	Severity string `json:"severity" doc:"harmless, tuning or contract."`
	Refused  bool   `json:"refused" doc:"The route's policy refuses such a request there."`
	Note     string `json:"note,omitempty"`
}

// OperationPlan is what becomes of an operation that nobody translates.
type OperationPlan struct {
	Operation string   `json:"operation"`
	To        []string `json:"to" doc:"The providers that serve it in the same API."`
	Why       string   `json:"why" doc:"What stays, and why."`
}

// DestinationPlan is a target that takes over.
type DestinationPlan struct {
	Target  string  `json:"target"`
	State   string  `json:"state" doc:"As in GET /v1/health; unknown if it was never asked."`
	Calls   float64 `json:"calls_per_minute" doc:"What it answers now."`
	More    float64 `json:"calls_per_minute_more" doc:"What comes on top."`
	AtOnce  float64 `json:"at_once" doc:"How many calls will run there at a time, by what they take now."`
	Limit   int     `json:"limit" doc:"How many it takes at a time, as far as it has let on; 0 if that is not known."`
	Verdict string  `json:"verdict" doc:"room, unknown, tight or out."`
}

// Plan makes the plan for a provider.
func (e *Evacuations) Plan(id string) (Plan, error) {
	if !e.isKnown(id) {
		return Plan{}, e.unknownProvider(id)
	}
	now := e.opts.Now()
	all, _ := e.traffic.sum(now, func(k flowKey) bool { return isOf(k.target, id) })
	p := Plan{
		Provider: id, Minutes: int64(all.over.Minutes()), CallsNow: all.perMinute(),
		Models: []ModelPlan{}, Operations: []OperationPlan{}, Destinations: []DestinationPlan{},
	}
	leaving := e.leaving(id)
	load := map[string]volume{}
	targets := map[string]route.Target{}
	for _, r := range e.namesOf(id) {
		to := takers(r, id, leaving)
		m, moved := e.planModel(id, r, to)
		p.Models = append(p.Models, m)
		if !m.Moves {
			p.CallsStay += m.Calls
			continue
		}
		for i, share := range shares(r, to) {
			if share == 0 {
				continue
			}
			name, part := to[i].Name(), moved.part(share)
			v := load[name]
			v.add(part)
			v.over = part.over
			load[name], targets[name] = v, to[i]
			was, wasKnown := costOf(modelOf(*atProvider(r.Targets, id)), part)
			then, thenKnown := costOf(modelOf(to[i]), part)
			if wasKnown && thenKnown {
				p.CostNow += was / part.over.Hours()
				p.CostThen += then / part.over.Hours()
			}
		}
	}
	p.Operations = e.planOperations(id, leaving)
	for _, name := range slices.Sorted(maps.Keys(load)) {
		p.Destinations = append(p.Destinations, e.planDestination(targets[name], load[name]))
	}
	return p, nil
}

// namesOf lists the routes with a target at the provider: of the configured models, then of
// other names that it has answered lately.
func (e *Evacuations) namesOf(id string) []route.Route {
	var found []route.Route
	seen := map[string]bool{}
	for _, r := range e.opts.Routes() {
		if atProvider(r.Targets, id) != nil {
			seen[r.Model] = true
			found = append(found, r)
		}
	}
	asked := e.traffic.models(e.opts.Now(), func(k flowKey) bool { return isOf(k.target, id) })
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if r, ok := e.opts.Pick(name); ok && name != "" && !seen[name] && atProvider(r.Targets, id) != nil {
			found = append(found, r)
		}
	}
	return found
}

func (e *Evacuations) isConfigured(model string) bool {
	return slices.ContainsFunc(e.opts.Routes(), func(r route.Route) bool { return r.Model == model })
}

// planModel says what becomes of a model, which targets can take over, and of how much traffic.
func (e *Evacuations) planModel(id string, r route.Route, to []route.Target) (ModelPlan, volume) {
	from := *atProvider(r.Targets, id)
	m := ModelPlan{Model: r.Model, From: from.Name(), Role: "understudy", To: []string{}, Lost: []LostPlan{}, Lacks: []string{}}
	switch {
	case !e.isConfigured(r.Model):
		m.Role = "direct"
	case r.Targets[0].Provider.ID == id:
		m.Role = "lead"
	}
	moved, dialects := e.traffic.sum(e.opts.Now(), func(k flowKey) bool { return k.model == r.Model && isOf(k.target, id) })
	m.Calls = moved.perMinute()
	was := modelOf(from)
	switch {
	case len(to) > 0:
		m.Moves = true
	case len(takers(r, id, nil)) > 0:
		m.Why = "traffic moves off its understudies' providers, too"
	case was.Operation == dialect.Embed && len(r.Targets) > 1:
		m.Why = "vectors of another model are of no use in its place, and nobody else is known to have this one"
	case m.Role == "direct":
		m.Why = "clients ask for it by the provider's name: they must ask for a configured model, or the config must give this name understudies"
	default:
		m.Why = "it has no understudy at another provider"
	}
	for _, t := range to {
		m.To = append(m.To, t.Name())
	}
	if !m.Moves {
		return m, moved
	}
	next := modelOf(to[0])
	m.Lacks = lacks(was, next)
	if was.Price != nil && next.Price != nil {
		m.PriceIn, m.Out, m.Then, m.OutThen = was.Price.Input, was.Price.Output, next.Price.Input, next.Price.Output
	}
	m.Lost = e.planLosses(r, from, to[0], dialects)
	return m, moved
}

// planLosses lists what clients would lose: those of the dialects that were seen, or, where
// none was, of those that the provider speaks.
func (e *Evacuations) planLosses(r route.Route, from, to route.Target, seen map[string]int64) []LostPlan {
	names := slices.Sorted(maps.Keys(seen))
	if len(names) == 0 {
		for _, d := range dialect.All() {
			if from.Provider.Facts.Speaks(d, from.Model) {
				names = append(names, string(d))
			}
		}
	}
	lost := []LostPlan{}
	for _, name := range names {
		then, can := e.opts.Losses(dialect.Name(name), to)
		if !can {
			continue
		}
		now, _ := e.opts.Losses(dialect.Name(name), from)
		for _, l := range then {
			isOld := slices.ContainsFunc(now, func(old llm.Loss) bool { return old.Name() == l.Name() && old.Action == l.Action })
			if isOld || l.Action == llm.ActionMapped || l.Action == llm.ActionEmulated || l.Action == llm.ActionRepaired {
				continue
			}
			lost = append(lost, LostPlan{Dialect: name, Loss: l.String(), Severity: string(l.Severity), Refused: r.Loss.Refuses(l), Note: l.Detail})
		}
	}
	rank := func(l LostPlan) int { return slices.Index([]string{"contract", "tuning", "harmless"}, l.Severity) }
	slices.SortStableFunc(lost, func(a, b LostPlan) int {
		return cmp.Or(cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(rank(a), rank(b)))
	})
	return lost
}

// planOperations says what becomes of operations that nobody translates.
func (e *Evacuations) planOperations(id string, leaving map[string]bool) []OperationPlan {
	var at *provider.Provider
	for _, p := range e.opts.Providers() {
		if p.ID == id {
			at = p
		}
	}
	plans := []OperationPlan{}
	for _, o := range dialect.RelayedOperations() {
		plan := OperationPlan{Operation: string(o), To: []string{}}
		serves := false
		for _, d := range dialect.All() {
			if !at.Relays(d, o) {
				continue
			}
			serves = true
			for _, p := range e.opts.Providers() {
				if p.ID != id && !leaving[p.ID] && p.Relays(d, o) && !slices.Contains(plan.To, p.ID) {
					plan.To = append(plan.To, p.ID)
				}
			}
		}
		if !serves {
			continue
		}
		switch {
		case o.Keeps() && len(plan.To) > 0:
			plan.Why = "new ones can be made elsewhere; what the provider keeps stays there, and is asked of it as before"
		case o.Keeps():
			plan.Why = "it cannot move: what the provider keeps stays there, and nobody else here serves this API"
		case len(plan.To) > 0:
			plan.Why = "it moves where the model's route has such a target"
		default:
			plan.Why = "it cannot move: nobody else here serves this API"
		}
		plans = append(plans, plan)
	}
	return plans
}

// planDestination says whether a target can take what comes.
func (e *Evacuations) planDestination(t route.Target, more volume) DestinationPlan {
	have, _ := e.traffic.sum(e.opts.Now(), func(k flowKey) bool { return k.target == t.Name() })
	d := DestinationPlan{
		Target: t.Name(), State: "unknown", Calls: have.perMinute(), More: more.perMinute(), AtOnce: have.atOnce() + more.atOnce(), Verdict: "unknown",
	}
	d.Limit = t.Provider.Concurrency
	for _, s := range e.opts.Postures.Snapshot() {
		if s.Provider != t.Provider.ID || s.Model != t.Model {
			continue
		}
		d.State = string(s.State)
		if s.Limit > 0 && (d.Limit == 0 || s.Limit < d.Limit) {
			d.Limit = s.Limit
		}
	}
	// Calls come in heaps: half of a limit is what can be counted on.
	const usable = 0.5
	switch {
	case d.State == string(route.StateOut) || d.State == string(route.StateCooling):
		d.Verdict = "out"
	case d.Limit > 0 && d.AtOnce > usable*float64(d.Limit):
		d.Verdict = "tight"
	case d.Limit > 0, have.calls > 0 && have.calls >= more.calls:
		d.Verdict = "room"
	}
	return d
}

// atProvider is the first target at a provider; nil if there is none.
func atProvider(targets []route.Target, id string) *route.Target {
	for i := range targets {
		if targets[i].Provider.ID == id {
			return &targets[i]
		}
	}
	return nil
}

// takers are the targets of a route that can take over from a provider, as its order has them, without
// those at providers that traffic moves off, too. Vectors are those of one model only.
func takers(r route.Route, id string, leaving map[string]bool) []route.Target {
	from := *atProvider(r.Targets, id)
	to := slices.DeleteFunc(others(r.Targets, id), func(t route.Target) bool {
		return leaving[t.Provider.ID] || modelOf(from).Operation == dialect.Embed && !t.IsModelOf(from)
	})
	slices.SortStableFunc(to, func(a, b route.Target) int {
		switch r.Order {
		case route.PolicyWeighted:
			return cmp.Compare(b.Weight, a.Weight)
		case route.PolicyCheapest:
			return cmp.Compare(listed(a), listed(b))
		default:
			return 0
		}
	})
	return to
}

// shares is how much of what moves each of those that take over gets at first.
func shares(r route.Route, to []route.Target) []float64 {
	all, sum := make([]float64, len(to)), 0.0
	for _, t := range to {
		sum += t.Weight
	}
	if r.Order != route.PolicyWeighted || sum == 0 {
		all[0] = 1
		return all
	}
	for i, t := range to {
		all[i] = t.Weight / sum
	}
	return all
}

// listed is what a model's prices come to, for comparison; nobody knows what has none.
func listed(t route.Target) float64 {
	if t.Price == nil {
		return math.Inf(1)
	}
	return t.Price.Input + t.Price.Output
}

// others are the targets at other providers.
func others(targets []route.Target, id string) []route.Target {
	return slices.DeleteFunc(slices.Clone(targets), func(t route.Target) bool { return t.Provider.ID == id })
}

func modelOf(t route.Target) provider.Model {
	m, _ := t.Provider.Model(t.Model)
	return m
}

// costOf is what traffic costs by a model's prices, caches left aside.
func costOf(m provider.Model, v volume) (usd float64, known bool) {
	if m.Price == nil {
		return 0, false
	}
	const million = 1e6
	return (float64(v.input)*m.Price.Input + float64(v.output)*m.Price.Output) / million, true
}

// lacks words what one model can do that another cannot, as far as both are known.
func lacks(was, next provider.Model) []string {
	missing := []string{}
	add := func(isLess bool, text string) {
		if isLess {
			missing = append(missing, text)
		}
	}
	no := func(was, next *bool) bool { return (was == nil || *was) && next != nil && !*next }
	add(next.Window > 0 && next.Window < was.Window, "window of "+count(next.Window)+" tokens instead of "+count(was.Window))
	add(next.MaxOutput > 0 && next.MaxOutput < was.MaxOutput, "answers of "+count(next.MaxOutput)+" tokens instead of "+count(was.MaxOutput))
	if len(next.Modalities.Input) > 0 {
		for _, kind := range was.Modalities.Input {
			add(!slices.Contains(next.Modalities.Input, kind), "no "+kind+" in prompts")
		}
	}
	add(no(was.Tools, next.Tools), "no tools")
	add(no(was.ParallelTools, next.ParallelTools), "no parallel tools")
	add(no(was.Structured, next.Structured), "no JSON schema for answers")
	add(next.Thinking == llm.ThinkingNone && was.Thinking != llm.ThinkingNone && was.Thinking != llm.ThinkingUnknown, "no thinking")
	add(next.NoSampling && !was.NoSampling, "no temperature, top_p or top_k")
	add(next.NoStop && !was.NoStop, "no stop sequences")
	return missing
}

// count writes a number of tokens.
func count(n int64) string { return strconv.FormatInt(n, 10) }
