package route

import (
	"slices"
	"sync"
	"time"
)

// Hedge says when a model's next target is asked beside one that takes long. The zero value is never.
type Hedge struct {
	// After is how long a target may take to the first content, or to an answer that is not streamed.
	After time.Duration
	// Percentile puts in its place what so many of a hundred of the target's answers take no longer
	// than; 0 if it does not. Until enough are known nothing is hedged.
	Percentile int
	// Most is what hedges may cost, as a share of what the calls cost without them.
	Most float64
}

// IsOn reports whether there is any hedging.
func (h Hedge) IsOn() bool { return h.Most > 0 }

// hedges is what is left for the hedges of models, by the name that clients ask for.
type hedges struct {
	mu   sync.Mutex
	left map[string]float64 // in calls
}

// maxHedges is how much is saved up: a long time of peace pays for no storm.
const maxHedges = 5

// EarnHedge puts by, for a call that may be hedged, what it is worth.
func (h *Health) EarnHedge(r *Route) {
	h.hedges.mu.Lock()
	defer h.hedges.mu.Unlock()
	if h.hedges.left == nil {
		h.hedges.left = map[string]float64{}
	}
	h.hedges.left[r.Model] = min(h.hedges.left[r.Model]+r.Hedge.Most, maxHedges)
}

// MayHedge spends what a hedge costs, in calls, from what is put by for the model, and a retry from
// the budget of the target that takes long: for vendors it is one. While anything is left, a hedge
// may cost more than that; the calls that follow pay it back.
func (h *Health) MayHedge(r *Route, slow Target, cost float64) bool {
	h.hedges.mu.Lock()
	defer h.hedges.mu.Unlock()
	if h.hedges.left[r.Model] <= 0 || !h.MayRetry(slow) {
		return false
	}
	h.hedges.left[r.Model] -= cost
	return true
}

// HedgeAfter is when a target takes long enough for a hedge; not if that is not known.
func (h *Health) HedgeAfter(t Target, stream bool, g Hedge) (time.Duration, bool) {
	if g.Percentile == 0 {
		return g.After, true
	}
	s, now := h.site(t.Provider), h.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.model(t.Model, now)
	if stream {
		return m.firsts.percentile(g.Percentile)
	}
	return m.wholes.percentile(g.Percentile)
}

// recent is how long the latest answers took.
type recent struct {
	took [recentSize]uint32 // milliseconds
	n    int                // all there ever were
}

const (
	recentSize  = 100
	recentLeast = 20 // less say nothing of a percentile
)

func (r *recent) add(d time.Duration) {
	r.took[r.n%recentSize] = uint32(min(max(d, 0), 24*time.Hour) / time.Millisecond)
	r.n++
}

func (r *recent) percentile(p int) (time.Duration, bool) {
	n := min(r.n, recentSize)
	if n < recentLeast {
		return 0, false
	}
	sorted := r.took
	slices.Sort(sorted[:n])
	return time.Duration(sorted[min(n*p/100, n-1)])*time.Millisecond + time.Millisecond, true
}
