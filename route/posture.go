package route

import "maps"

// Posture is how a provider is treated, by its operator's will.
type Posture string

// The postures.
const (
	PostureNormal Posture = "normal"
	// PostureDraining keeps new calls away while another target can take them.
	PostureDraining Posture = "draining"
	// PostureEvacuated keeps new calls away from every route that has another provider, whether or
	// not that one is well.
	PostureEvacuated Posture = "evacuated"
)

// Valid reports whether p is one of the postures.
func (p Posture) Valid() bool {
	return p == PostureNormal || p == PostureDraining || p == PostureEvacuated
}

// ReasonEvacuated is that of a provider that is evacuated.
const ReasonEvacuated Reason = "evacuated"

// standing is a provider's posture and the share of its traffic that it still gets.
type standing struct {
	posture Posture
	share   float64
}

var usual = standing{PostureNormal, 1}

// SetPosture changes how a provider is treated from now on. share, 0 to 1, is what it still gets of
// its traffic while it is drained or evacuated step by step; a normal one gets all of it. Calls that
// run go on. A posture is kept for a name, whether or not there is such a provider now.
func (h *Health) SetPosture(provider string, p Posture, share float64) {
	if p == PostureNormal {
		share = 1
	}
	h.mu.Lock()
	was := h.standingOf(provider)
	now := standing{p, min(max(share, 0), 1)}
	postures := maps.Clone(*h.postures.Load())
	if now == usual {
		delete(postures, provider)
	} else {
		postures[provider] = now
	}
	h.postures.Store(&postures)
	h.mu.Unlock()
	if now != was {
		h.tell([]Change{{Provider: provider, Posture: now.posture, Share: now.share, IsStep: now.posture == was.posture}})
	}
}

// Posture is how a provider is treated, and the share of its traffic that it gets.
func (h *Health) Posture(provider string) (Posture, float64) {
	s := h.standingOf(provider)
	return s.posture, s.share
}

func (h *Health) standingOf(provider string) standing {
	if s, ok := (*h.postures.Load())[provider]; ok {
		return s
	}
	return usual
}
