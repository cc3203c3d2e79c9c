package admin

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/route"
)

// Health is what the API shows of how targets fare.
type Health interface {
	Snapshot() []route.TargetState
	// Keys lists how the keys of providers fare that have several.
	Keys() []route.TargetState
	Posture(provider string) (p route.Posture, share float64)
	// Forget drops what is known of a provider's failures.
	Forget(provider string) bool
}

var _ Health = (*route.Health)(nil)

// TargetHealth is how a target fares: a model of a provider's or, where there is no model, the
// provider itself.
type TargetHealth struct {
	Target       string  `json:"target" doc:"provider/model, or the provider; or one of its keys, if it has several, as provider#1."`
	Provider     string  `json:"provider"`
	Key          int     `json:"key,omitempty" doc:"Which of the provider's keys it is about, from 1, if it has several."`
	Model        string  `json:"model,omitempty"`
	State        string  `json:"state" doc:"up, ramping, probing, cooling or out; untried if it was not asked since the gateway began."`
	Why          string  `json:"why,omitempty" doc:"In words; missing if it is up."`
	Scope        string  `json:"scope,omitempty" doc:"What is at fault: the endpoint, the model or the credential."`
	Code         string  `json:"code,omitempty" doc:"How it failed: one of docs/errors.md."`
	WaitMS       float64 `json:"wait_ms,omitempty" doc:"Until it is tried again."`
	Posture      string  `json:"posture" doc:"Its provider's: normal, draining or evacuated."`
	Share        float64 `json:"share" doc:"The share of its traffic that it gets."`
	Running      int     `json:"running" doc:"Requests it works on."`
	Limit        int     `json:"limit,omitempty" doc:"How many it takes at a time, as far as it has let on."`
	LatencyMS    float64 `json:"latency_ms,omitempty" doc:"How long answers took of late."`
	FirstTokenMS float64 `json:"first_token_ms,omitempty" doc:"How long streams took to their first content of late."`
}

// untried is the state of what was not asked yet.
const untried route.State = "untried"

func healthEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/health", "Every target's state, and why it is so.", (*api).listHealth)),
		write("POST", "/v1/health/{provider}/forget", "Forget a provider's failures, so that it is tried again at once.", (*api).forget),
	}
}

func (a *api) forget(r *request, _ None) (TargetHealth, error) {
	id := r.PathValue("provider")
	var ids []string
	for _, p := range a.opts.Providers() {
		ids = append(ids, p.ID)
	}
	if !slices.Contains(ids, id) {
		return TargetHealth{}, notFound("No provider %q is configured. There are: %s.", clip(id), strings.Join(ids, ", "))
	}
	a.opts.Health.Forget(id)
	return a.neverAsked(id), nil
}

func (a *api) neverAsked(provider string) TargetHealth {
	posture, share := a.opts.Health.Posture(provider)
	return toHealth(route.TargetState{Provider: provider, State: untried, Posture: posture, Share: share})
}

func (a *api) listHealth(r *request) (List[TargetHealth], error) {
	var all []TargetHealth
	seen := map[string]bool{}
	for _, s := range a.opts.Health.Snapshot() {
		seen[s.Provider] = true
		all = append(all, toHealth(s))
	}
	for _, s := range a.opts.Health.Keys() {
		all = append(all, toHealth(s))
	}
	for _, p := range a.opts.Providers() {
		if !seen[p.ID] {
			all = append(all, a.neverAsked(p.ID))
		}
	}
	slices.SortFunc(all, func(s, t TargetHealth) int {
		return cmp.Or(cmp.Compare(s.Provider, t.Provider), cmp.Compare(s.Model, t.Model), cmp.Compare(s.Key, t.Key))
	})
	if id, drilled := a.opts.Drills.Current(); id != "" {
		for i := range all {
			if t := &all[i]; t.Provider == drilled {
				t.Why = and(t.Why, "the drill "+id+" makes it seem to fail")
			}
		}
	}
	return page(r, all, func(t TargetHealth) string { return t.Target })
}

// and joins two reasons.
func and(one, other string) string {
	if one == "" {
		return other
	}
	return one + "; " + other
}

func toHealth(s route.TargetState) TargetHealth {
	t := TargetHealth{
		Target: s.Provider, Provider: s.Provider, Key: s.Key, Model: s.Model, State: string(s.State), Scope: string(s.Scope), Code: string(s.Code),
		WaitMS: milliseconds(s.Wait), Posture: string(s.Posture), Share: s.Share, Running: s.Running, Limit: s.Limit,
		LatencyMS: milliseconds(s.Latency), FirstTokenMS: milliseconds(s.FirstToken),
	}
	if s.Model != "" {
		t.Target += "/" + s.Model
	}
	if s.Key > 0 {
		t.Target += "#" + strconv.Itoa(s.Key)
	}
	t.Why = why(s)
	return t
}

// why words a state.
func why(s route.TargetState) string {
	text := ""
	switch s.State {
	case route.StateUp, untried:
	case route.StateOut:
		text = "it failed"
	case route.StateCooling:
		text = "its vendor wants to be left alone"
	case route.StateProbing:
		text = "it failed, and one request finds out whether it is back"
	case route.StateRamping:
		text = "it is back, and gets its traffic again step by step"
	}
	if s.Code != "" {
		text += " (" + string(s.Scope) + ": " + string(s.Code) + ")"
	}
	if s.Wait > 0 {
		text += "; tried again in " + s.Wait.Round(100*time.Millisecond).String()
	}
	if s.Posture != route.PostureNormal {
		text = and(text, "its provider is "+string(s.Posture)+" and gets "+strconv.FormatFloat(s.Share*100, 'f', 0, 64)+"% of its traffic")
	}
	return text
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond).Microseconds()) / 1000
}
