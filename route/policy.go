package route

import (
	"math"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// Policy is by what the targets of a route are put in order, of those that are well.
type Policy string

// The policies.
const (
	PolicyOrdered  Policy = "ordered"  // the lead first, then the understudies as they are listed
	PolicyWeighted Policy = "weighted" // each first as often as its weight says
	PolicyFastest  Policy = "fastest"  // the one that answers soonest, for how much it has to do
	PolicyCheapest Policy = "cheapest" // the one at which the request costs least
)

// usualAnswer is how many tokens an answer is taken to have where its request sets no limit.
const usualAnswer = 500

// usualLatency is that of a target that has not been asked of late, in nanoseconds: low, so that it
// is, and not none, so that not everybody asks it at once.
const usualLatency = 50e6

// cost is what a policy puts targets in order by, the least first. The site's lock is held.
func (r *Route) cost(t *Target, m *model, now instant, ask *Ask, draw float64) float64 {
	switch r.Order {
	case PolicyWeighted:
		// The least of such numbers is each target's as often as its weight says, and what is left when
		// one is taken away is in proportion, too.
		u := float64(mix(math.Float64bits(draw)^nameHash(t.Provider.ID, t.Model))>>11+1) / (1 << 53)
		return -math.Log(u) / max(t.Weight, math.SmallestNonzeroFloat64)
	case PolicyFastest:
		a := &m.whole
		if ask.Stream {
			a = &m.first
		}
		latency := a.value
		if m.running == 0 { // one call finds out whether a slow target is faster now, not all of them
			latency = a.now(now)
		}
		return max(latency, usualLatency) * float64(m.running+1)
	case PolicyCheapest:
		return price(t.Price, ask)
	default:
		return 0
	}
}

// price is what a request costs at most, in millionths of a dollar; nobody knows what has no price.
func price(p *provider.Price, ask *Ask) float64 {
	if p == nil {
		return math.Inf(1)
	}
	input, output := p.Input, p.Output
	for _, tier := range p.Tiers {
		if ask.Input > tier.Above {
			input, output = tier.Input, tier.Output
		}
	}
	answer := float64(ask.Output)
	if answer == 0 {
		answer = usualAnswer
	}
	return float64(ask.Input)*input + answer*output
}

// nameHash is FNV-1a of a target's name.
func nameHash(id, model string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{id, "/", model} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return h
}

// Need is something that a request wants of a model.
type Need uint16

// The needs.
const (
	NeedImages Need = 1 << iota
	NeedAudio
	NeedFiles
	NeedTools
	NeedSchema
	NeedThinking // which an answer can be had without: who does not think is asked after those who do
)

// Reasons that come of what a request wants.
const (
	ReasonWindow Reason = "window"   // the prompt is too long
	ReasonTags   Reason = "tags"     // the provider is not what the request requires
	ReasonImages Reason = "no_image" // the model is known not to take images; likewise the others
	ReasonAudio  Reason = "no_audio"
	ReasonFiles  Reason = "no_file"
	ReasonTools  Reason = "no_tools"
	ReasonSchema Reason = "no_schema"

	ReasonThinking Reason = "no_thinking"
)

// lack says what of a request a target is known not to take.
func (t *Target) lack(ask *Ask) Reason {
	if t.MaxInput > 0 && ask.Tokens > t.MaxInput {
		return ReasonWindow
	}
	for _, l := range [...]struct {
		need   Need
		reason Reason
	}{
		{NeedImages, ReasonImages},
		{NeedAudio, ReasonAudio},
		{NeedFiles, ReasonFiles},
		{NeedTools, ReasonTools},
		{NeedSchema, ReasonSchema},
	} {
		if t.Lacks&ask.Needs&l.need != 0 {
			return l.reason
		}
	}
	return ""
}

// Know fills in what a catalog knows of the target's model.
func (t *Target) Know(m *provider.Model) {
	t.Facts = m.Facts()
	t.MaxInput = m.MaxInput
	if t.MaxInput == 0 {
		t.MaxInput = m.Window
	}
	t.Price = m.Price
	no := func(b *bool) bool { return b != nil && !*b }
	takes := func(kind string) bool {
		for _, k := range m.Modalities.Input {
			if k == kind {
				return true
			}
		}
		return len(m.Modalities.Input) == 0
	}
	for need, lacks := range map[Need]bool{
		NeedTools: no(m.Tools), NeedSchema: no(m.Structured), NeedImages: !takes("image"),
		NeedAudio: !takes("audio"), NeedFiles: !takes("pdf"), NeedThinking: m.Thinking == llm.ThinkingNone,
	} {
		if lacks {
			t.Lacks |= need
		}
	}
}

// Is reports whether the target's provider is what a tag says: one that the user gave it, or its
// region.
func (t *Target) Is(tag string) bool {
	for _, has := range t.Provider.Tags {
		if has == tag {
			return true
		}
	}
	return tag != "" && tag == t.Provider.Facts.Region
}
