package llm

// ModelFacts is what is known about a model beyond its name. The zero value
// knows nothing and assumes that the model takes what its dialect allows.
type ModelFacts struct {
	// Window and MaxOutput are token limits; 0 when unknown.
	Window, MaxOutput int64
	// NoSampling models refuse temperature, top_p and top_k.
	NoSampling bool
	// Prefill models continue an assistant message that stands last.
	Prefill bool
	// MidSystem models accept system messages in mid-conversation.
	MidSystem bool
	// Thinking is how the model's reasoning is controlled.
	Thinking ThinkingControl
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
