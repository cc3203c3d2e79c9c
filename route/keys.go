package route

import (
	"math"
	"slices"

	"github.com/understudy-ai/understudy/provider"
)

// pickKey chooses with which of a provider's keys a model is asked: each as often as its weight says,
// of those that may be asked now; if none may, the one that would be.
func (h *Health) pickKey(t *Target, now instant, draw float64) *provider.Provider {
	keys := t.Provider.Keys
	if len(keys) < 2 || t.Pinned {
		return t.Provider
	}
	best, least, isBlocked := t.Provider, math.Inf(1), true
	for _, p := range keys {
		blocked := h.isKeyOut(p, t.Model, now)
		// The least of such numbers is each one's as often as its weight says.
		u := float64(mix(math.Float64bits(draw)^nameHash(p.ID, t.Model)^mix(uint64(p.Slot)+1))>>11+1) / (1 << 53) //nolint:gosec // a slot is no less than 0
		cost := -math.Log(u) / max(p.Weight, math.SmallestNonzeroFloat64)
		if isBlocked && !blocked || isBlocked == blocked && cost < least {
			best, least, isBlocked = p, cost, blocked
		}
	}
	return best
}

func (h *Health) isKeyOut(p *provider.Provider, model string, now instant) bool {
	s := h.site(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked(s.model(model, now), now, p.Concurrency, false).Reason != ""
}

// OtherKey returns another of a provider's keys with which a target may be asked now, that is not among
// those; nil if there is none. Those with more weight come first.
func (h *Health) OtherKey(t Target, tried []*provider.Provider) *provider.Provider {
	if t.Pinned {
		return nil
	}
	now := h.now()
	var best *provider.Provider
	for _, p := range t.Provider.Keys {
		if p != t.Provider && !slices.Contains(tried, p) && !h.isKeyOut(p, t.Model, now) && (best == nil || p.Weight > best.Weight) {
			best = p
		}
	}
	return best
}
