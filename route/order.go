package route

import (
	"slices"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// Ask is what of a request matters to the order in which targets are tried.
type Ask struct {
	Session uint64 // tells sessions apart; 0 if the request is of none
	Stream  bool
	// Input and Output are about how many tokens go in, and how many may come out at most; 0 if that
	// is not known.
	Input, Output int64
	// Tokens is how long the prompt is at least, if somebody has counted; targets that take fewer are
	// skipped, and so are those that lack any of Needs. Where all would be, none is: catalogs err.
	Tokens int64
	Needs  Need
	// Tags are what the target's provider must be.
	Tags []string
}

// Choice is a target of a route, and whether a call may try it.
type Choice struct {
	Target *Target // of the route's own
	// Provider is the target's, with that of its keys which it is to be asked with.
	Provider *provider.Provider
	// Skip says why it is not tried; empty if it may be.
	Skip Reason
	// Wait is how long until a target that is skipped for its health may be tried again.
	Wait time.Duration
	// Behind is what keeps the target behind all others that are well.
	Behind Reason
	// Last is why the target is out, if it is to be tried all the same when no other has answered.
	Last Reason

	rank rank
	away bool   // evacuated
	lack Reason // what of the request it does not take
	idle bool   // it does not think, and is asked to
	cost float64
}

// rank is how willingly a target is tried.
type rank uint8

const (
	rankFirst  rank = iota
	rankLater       // it has its share of the traffic already: only where nothing else is left
	rankBehind      // it has not all that is asked, though what an answer can be had without
	rankLast        // it is out: if nothing else has answered
	rankOut         // not now
	rankNever       // not by this call
)

// Order appends to dst the targets that a call may try, in order, and behind them those that it may
// not, with the reasons. Those that are out come after those that are well: it may be that they are
// back, and a target is never ejected for having failed while no other is left. What its vendor has
// said to leave alone, is.
func (h *Health) Order(dst []Choice, r *Route, ask Ask) []Choice {
	now, draw := h.now(), h.draw(ask.Session)
	for i := range r.Targets {
		dst = append(dst, h.choose(r, &r.Targets[i], now, &ask, draw))
	}
	exclude(dst)
	sortChoices(dst)
	h.stay(dst, r, ask.Session, now)
	h.lastResorts(dst, now)
	return dst
}

// draw is a number from 0 to 1: of a session always the same, so that a share of the traffic is one
// of sessions.
func (h *Health) draw(session uint64) float64 {
	if session == 0 {
		return h.opts.Random()
	}
	return float64(mix(session)>>11) / (1 << 53)
}

// mix spreads a number's bits; it is splitmix64's last step.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// choose looks at one target.
func (h *Health) choose(r *Route, t *Target, now instant, ask *Ask, draw float64) Choice {
	c := Choice{Target: t, Provider: t.Provider, lack: t.lack(ask), idle: t.Lacks&ask.Needs&NeedThinking != 0}
	for _, tag := range ask.Tags {
		if !t.Is(tag) {
			c.Skip, c.rank = ReasonTags, rankNever
			return c
		}
	}
	at := h.standingOf(t.Provider.ID)
	if at != usual && draw >= at.share {
		c.rank, c.away = rankLater, at.posture == PostureEvacuated
	}
	c.Provider = h.pickKey(t, now, draw)
	s := h.site(c.Provider)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.model(t.Model, now)
	refusal := s.blocked(m, now, t.Provider.Concurrency, false)
	switch {
	case refusal.Reason != "":
		c.Skip, c.Wait, c.rank = refusal.Reason, refusal.Wait, rankOut
	case c.rank == rankFirst && draw >= s.share(m, now):
		c.rank = rankLater
	}
	if r.Order != "" && r.Order != PolicyOrdered {
		c.cost = r.cost(t, m, now, ask, draw)
	}
	return c
}

// share is the share of its traffic that a target may have after an outage.
func (s *site) share(m *model, now instant) float64 {
	share := 1.0
	for _, b := range s.breakers(m) {
		share = min(share, b.share(now))
	}
	return share
}

// exclude takes targets out of a route that has others: those that lack something, since catalogs err,
// and those that are evacuated, since an evacuation moves what can be moved. Those that do not think it
// puts behind those that do.
func exclude(choices []Choice) {
	whole, near := 0, 0
	for i := range choices {
		if c := &choices[i]; c.rank != rankNever && c.lack == "" {
			whole++
		}
	}
	for i := range choices {
		c := &choices[i]
		if c.rank != rankNever && c.lack != "" && whole > 0 {
			c.Skip, c.Wait, c.rank = c.lack, 0, rankNever
		}
		if c.rank != rankNever && !c.away {
			near++
		}
	}
	for i := range choices {
		if c := &choices[i]; c.rank != rankNever && c.away && near > 0 {
			c.Skip, c.Wait, c.rank = ReasonEvacuated, 0, rankNever
		}
	}
	if !slices.ContainsFunc(choices, func(c Choice) bool { return c.rank <= rankLater && !c.idle }) {
		return
	}
	for i := range choices {
		if c := &choices[i]; c.rank <= rankLater && c.idle {
			c.Behind, c.rank = ReasonThinking, rankBehind
		}
	}
}

// sortChoices puts targets in the order of their ranks, and within one of their costs. There are few,
// and mostly nothing to do.
func sortChoices(choices []Choice) {
	less := func(a, b *Choice) bool { return a.rank < b.rank || a.rank == b.rank && a.cost < b.cost }
	for i := 1; i < len(choices); i++ {
		for j := i; j > 0 && less(&choices[j], &choices[j-1]); j-- {
			choices[j], choices[j-1] = choices[j-1], choices[j]
		}
	}
}

// stay brings the target first that the session is used to, if it is well.
func (h *Health) stay(choices []Choice, r *Route, session uint64, now instant) {
	if session == 0 || r.Affinity == 0 {
		return
	}
	name := h.affinity.get(stayKey{r.Model, session}, now)
	for i := 0; i < len(choices) && name != "" && choices[i].rank == rankFirst; i++ {
		if choices[i].Target.Name() == name {
			c := choices[i]
			copy(choices[1:], choices[:i])
			choices[0] = c
			return
		}
	}
}

// lastResorts lets targets be tried that are out, the first to come back first; those that asking
// again does not mend only where there is nothing else at all. Where nothing but what is full is well,
// it is left at that: a full target is alive.
func (h *Health) lastResorts(choices []Choice, now instant) {
	first := slices.IndexFunc(choices, func(c Choice) bool { return c.rank >= rankOut })
	if first < 0 || first == 0 && slices.ContainsFunc(choices, func(c Choice) bool { return c.Skip == ReasonFull }) {
		return
	}
	out := choices[first:]
	some := first > 0
	for i := range out {
		some = h.lastResort(&out[i], now, false, first == 0) || some
	}
	for i := range out {
		if !some {
			h.lastResort(&out[i], now, true, true)
		}
	}
	sortChoices(out)
}

// lastResort reports whether a target may be tried as one; none says that no target is well.
func (h *Health) lastResort(c *Choice, now instant, hopeless, none bool) bool {
	if c.rank != rankOut || c.Skip == ReasonFull {
		return false
	}
	s := h.site(c.Provider)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.model(c.Target.Model, now)
	refusal := s.blocked(m, now, c.Target.Provider.Concurrency, true)
	switch {
	case refusal.Reason == "" && (hopeless || !s.isHopeless(m)):
		c.Last, c.Skip, c.rank, c.cost = c.Skip, "", rankLast, float64(c.Wait)
		return true
	case refusal.Reason == ReasonCooling && none:
		c.Skip, c.Wait = refusal.Reason, refusal.Wait
	}
	return false
}
