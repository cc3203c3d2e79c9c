package llm

// RescuePolicy says whether a streamed answer whose vendor fails after its first content
// is gone on with on another target.
type RescuePolicy string

// The policies of the config key "rescue".
const (
	RescueText RescuePolicy = "text" // an answer of plain text is
	RescueOff  RescuePolicy = "off"  // none is: it ends in an error
)

// Valid reports whether p is one of the policies.
func (p RescuePolicy) Valid() bool { return p == RescueText || p == RescueOff }
