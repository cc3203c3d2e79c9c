package llm

import "strings"

// Action is what happened to a feature that a target's dialect lacks.
type Action string

// The actions. Only ActionRefused ends the attempt.
const (
	ActionMapped       Action = "mapped"       // carried whole; never a loss
	ActionEmulated     Action = "emulated"     // same meaning, done by other means
	ActionRepaired     Action = "repaired"     // an illegal spelling made legal, and mapped back in the answer
	ActionApproximated Action = "approximated" // carried with a changed meaning
	ActionDropped      Action = "dropped"      // removed
	ActionRefused      Action = "refused"      // the target is not asked at all
)

// Severity is how much a loss matters.
type Severity string

// The severities, from least to most.
const (
	Harmless Severity = "harmless" // cost, speed or bookkeeping; the answer is the same
	Tuning   Severity = "tuning"   // the answer may differ in style or quality
	Contract Severity = "contract" // the application's code depends on it
)

// Loss is one feature of a request or reply that a target's dialect could not
// carry as it was.
type Loss struct {
	Feature  Feature
	Path     string // where in the client's body; the feature's name if empty
	Action   Action
	Severity Severity
	// Absolute losses would remove prompt content, safety controls or state:
	// they are refused in every mode.
	Absolute bool
	Detail   string
}

// Name is how the loss is named in headers and logs.
func (l Loss) Name() string {
	if l.Path != "" {
		return l.Path
	}
	return string(l.Feature)
}

// String formats the loss as in X-Understudy-Loss: logprobs=dropped(tuning).
func (l Loss) String() string {
	return l.Name() + "=" + string(l.Action) + "(" + string(l.Severity) + ")"
}

// LossPolicy says which losses a route accepts.
type LossPolicy string

// The loss policies of the config key "loss".
const (
	LossStrict  LossPolicy = "strict"  // only harmless, emulated and repaired ones
	LossReport  LossPolicy = "report"  // tuning losses are reported, contract losses refused
	LossLenient LossPolicy = "lenient" // contract losses are dropped and reported, unless absolute
)

// Valid reports whether p is one of the policies.
func (p LossPolicy) Valid() bool {
	return p == LossStrict || p == LossReport || p == LossLenient
}

// Narrower returns the stricter of two policies: a request may narrow what its
// route allows, never widen it.
func (p LossPolicy) Narrower(q LossPolicy) LossPolicy {
	for _, s := range []LossPolicy{LossStrict, LossReport} {
		if p == s || q == s {
			return s
		}
	}
	return LossLenient
}

// Refuses reports whether the policy forbids l.
func (p LossPolicy) Refuses(l Loss) bool {
	switch {
	case l.Absolute:
		return true
	case l.Action == ActionMapped, l.Action == ActionEmulated, l.Action == ActionRepaired, l.Severity == Harmless:
		return false
	case l.Severity == Contract:
		return p != LossLenient
	default:
		return p == LossStrict
	}
}

// Apply splits losses by the policy: those refused, and those to report. A
// refused action that the policy lets through is reported as dropped.
func (p LossPolicy) Apply(losses []Loss) (refused, reported []Loss) {
	for _, l := range losses {
		if p.Refuses(l) {
			refused = append(refused, l)
			continue
		}
		if l.Action == ActionRefused {
			l.Action = ActionDropped
		}
		reported = append(reported, l)
	}
	return refused, reported
}

// FormatLosses joins losses for a header, each once, in at most limit bytes: what
// does not fit is counted.
func FormatLosses(losses []Loss, limit int) string {
	const more = ", and 9999999 more"
	var b strings.Builder
	seen := make(map[string]bool, len(losses))
	left := 0
	for _, l := range losses {
		s := headerSafe(l.String())
		if seen[s] {
			continue
		}
		seen[s] = true
		if left > 0 || b.Len()+len(s)+len(more) > limit {
			left++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s)
	}
	switch {
	case left == 0:
	case b.Len() == 0:
		b.WriteString(itoa(left) + " with long names")
	default:
		b.WriteString(", and " + itoa(left) + " more")
	}
	return b.String()
}

// headerSafe replaces what may not stand in a header: a path can hold the
// client's own member names.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f || r == ',' {
			return '_'
		}
		return r
	}, s)
}
