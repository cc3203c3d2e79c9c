package llm

import "slices"

// ModelFacts is what is known about a model beyond its name. The zero value
// knows nothing and assumes that the model takes what its dialect allows.
type ModelFacts struct {
	// Window and MaxOutput are token limits; 0 when unknown.
	Window, MaxOutput int64
	// NoSampling models refuse temperature, top_p and top_k.
	NoSampling bool
	// NoStop models refuse stop sequences.
	NoStop bool
	// Prefill models continue an assistant message that stands last.
	Prefill bool
	// MidSystem models accept system messages in mid-conversation.
	MidSystem bool
	// Thinking is how the model's reasoning is controlled.
	Thinking ThinkingControl
	// Efforts are the words the model takes for how hard to think.
	Efforts EffortSet
}

// Efforts are the words for how hard a model shall think, from not at all on.
var Efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// EffortSet is a set of Efforts; empty where nothing is known.
type EffortSet uint8

// EffortsOf is the set of some words; those that are none of Efforts are left out.
func EffortsOf(words []string) EffortSet {
	var s EffortSet
	for i, effort := range Efforts {
		if slices.Contains(words, effort) {
			s |= 1 << i
		}
	}
	return s
}

// Nearest is the effort to ask for where asked is wanted: the nearest below it in the set, else the nearest.
// Where thinking is wanted, not to think is none of them; it is empty if there is no other.
func (s EffortSet) Nearest(asked string) string {
	at := slices.Index(Efforts, asked)
	if at < 0 || s == 0 {
		return asked
	}
	nearest := ""
	for i, effort := range Efforts {
		if s&(1<<i) != 0 && (i > 0 || at == 0) && (i <= at || nearest == "") {
			nearest = effort
		}
	}
	return nearest
}

// ThinkingControl is how a model's reasoning is asked for.
type ThinkingControl string

// The ways to control reasoning.
const (
	ThinkingUnknown  ThinkingControl = ""         // assume what the dialect's newest models take
	ThinkingNone     ThinkingControl = "none"     // the model does not reason
	ThinkingEffort   ThinkingControl = "effort"   // by effort only
	ThinkingBudget   ThinkingControl = "budget"   // by a number of tokens only
	ThinkingAdaptive ThinkingControl = "adaptive" // adaptive mode and effort
	ThinkingBoth     ThinkingControl = "both"     // by budget, and adaptive with effort
	ThinkingToggle   ThinkingControl = "toggle"   // on or off only
	ThinkingAlways   ThinkingControl = "always"   // the model reasons, and no way to control it is known
)
