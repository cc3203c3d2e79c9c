package llm

// EventKind is the kind of a stream event.
type EventKind uint8

// The events of a stream. A legal stream is
//
//	Start (PartStart PartDelta* PartEnd | LogProbs | Usage | Ping)* Finish+ Usage? End
//
// where parts of one choice may overlap, every part that starts ends before the
// choice's Finish, and each choice finishes once. A stream that breaks has no
// End: the reader returns an error instead.
const (
	EventStart     EventKind = iota + 1 // ID, Model, Created, Usage if known
	EventPartStart                      // Choice, Index, Part: its kind, and what is known at its start
	EventPartDelta                      // Choice, Index, Delta
	EventPartEnd                        // Choice, Index
	EventLogProbs                       // Choice, LogProbs
	EventFinish                         // Choice, Stop
	EventUsage                          // Usage: cumulative, it replaces what was said before
	EventPing                           // the vendor is alive; no progress
	EventEnd                            // the stream is whole; Model if the vendor named another than at its start
)

// Event is one step of a streamed answer. The fields set depend on Kind.
type Event struct {
	Kind    EventKind
	ID      string
	Model   string
	Created int64
	// Tier is on EventStart, and on EventFinish or EventUsage where the vendor says it only then,
	// or otherwise than before.
	Tier string

	Choice int
	// Index numbers the parts of a choice in the order they started: 0, 1, 2...
	Index    int
	Part     Part
	Delta    Delta
	Stop     Stop
	LogProbs []TokenLogProb
	Usage    Usage
	Extra    Extra
}

// Delta is an addition to an open part. One or more fields are set.
type Delta struct {
	Text      string // of a text, refusal or thinking part
	Args      string // of a tool call: the next fragment of the arguments' JSON
	Signature string // of a thinking part; comes once, whole
	Citation  *Citation
}

// IsContent reports whether the client would see or act on the event: the
// gateway is committed to a target when it has passed one on.
func (e *Event) IsContent() bool {
	switch e.Kind {
	case EventPartDelta:
		return e.Delta.Text != "" || e.Delta.Args != "" || e.Delta.Signature != "" || e.Delta.Citation != nil
	case EventPartStart:
		switch e.Part.Kind {
		case PartText, PartRefusal:
			return e.Part.Text != ""
		case PartThinking:
			return e.Part.Text != "" || e.Part.Thinking != nil && e.Part.Thinking.Sealed != ""
		default:
			return true
		}
	case EventLogProbs:
		return len(e.LogProbs) > 0
	default:
		return false
	}
}
