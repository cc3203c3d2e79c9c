package llm

// Request is one call to generate text, in no vendor's form; with Embed or Rerank, it
// is one for vectors or a ranking, and has no messages.
type Request struct {
	Model    string
	Messages []Message

	Embed  *Embed
	Rerank *Rerank

	Tools      []Tool
	ToolChoice ToolChoice
	// ParallelCalls is nil when the client did not say; false forbids more
	// than one call in a turn.
	ParallelCalls *bool

	// MaxTokens limits the reply, reasoning included, in tokens; nil when the
	// client set no limit.
	MaxTokens *int64

	// Sampling. Nil means not set: the target's own default applies.
	// Temperature 1 is the model's own distribution in every dialect; only the
	// permitted ranges differ.
	Temperature      *float64
	TopP             *float64
	TopK             *int64
	FrequencyPenalty *float64
	PresencePenalty  *float64
	Seed             *int64

	// N is the number of choices asked for; 0 and 1 both mean one.
	N    int
	Stop []string
	// LogProbs asks for token probabilities; TopLogProbs for that many
	// alternatives a token (0 to 20).
	LogProbs    bool
	TopLogProbs *int64
	// LogitBias is the client's JSON object of token id to bias. Token ids
	// belong to one tokenizer, so it is never rewritten.
	LogitBias []byte

	Format    *Format
	Reasoning *Reasoning
	Verbosity string // low, medium or high; empty when not set

	Stream bool
	// StreamUsage is set when a streaming client asked for usage at the end.
	StreamUsage bool
	// OldCalls is set when the client knows one call a turn only, and by its old name.
	OldCalls bool

	// User identifies the end user to the vendor for abuse tracking.
	User string
	// Tier is the service tier asked for, in the client dialect's own word.
	Tier string
	// Metadata are labels for the vendor's own log or dashboard; the model is not given them.
	Metadata []Label
	// CacheKey brings requests that begin alike to where the vendor has their prompt in its cache.
	CacheKey string
	// Cache is a mark for the whole prompt (automatic caching of the longest prefix).
	Cache *CacheMark

	// Extra holds what the client's dialect said and this vocabulary has no
	// word for.
	Extra Extra
	// Unread are the paths of what it said beside that, inside of values that
	// this vocabulary has words for: lost wherever the request is written anew.
	Unread []string
}

// Role says who a message is from.
type Role string

// The roles. A tool message holds ToolResult parts and nothing else;
// consecutive results of one turn are in one message.
const (
	RoleSystem    Role = "system"
	RoleDeveloper Role = "developer"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Message is one turn, or a part of one: consecutive messages of one role are
// legal here and merged or kept as the target demands. System and developer
// messages stay where the client put them.
type Message struct {
	Role  Role
	Name  string // who of several users or assistants; empty mostly
	Parts []Part
	Extra Extra
}

// Tool is a function the model may ask the client to run.
type Tool struct {
	Name        string
	Description string
	// Schema is the JSON Schema of the arguments as the client wrote it: key
	// order matters to models and caches. Nil means no arguments.
	Schema []byte
	Strict *bool
	Cache  *CacheMark
	// Opaque is set for a tool that only its own dialect knows (run by the
	// vendor, or of free form); then Name is informative only.
	Opaque *Opaque
	Extra  Extra
}

// ChoiceMode says whether the model must call a tool.
type ChoiceMode string

// The tool choice modes; the empty mode means the client did not say.
const (
	ChoiceUnset    ChoiceMode = ""
	ChoiceAuto     ChoiceMode = "auto"
	ChoiceNone     ChoiceMode = "none"
	ChoiceRequired ChoiceMode = "required" // at least one call
	ChoiceNamed    ChoiceMode = "named"    // a call of Names[0]
)

// ToolChoice is a mode and, for ChoiceNamed, one name. With ChoiceAuto or
// ChoiceRequired a non-empty Names is the subset of tools allowed.
type ToolChoice struct {
	Mode  ChoiceMode
	Names []string
}

// IsForced reports whether the model must call a tool.
func (c ToolChoice) IsForced() bool { return c.Mode == ChoiceRequired || c.Mode == ChoiceNamed }

// FormatKind is the kind of a structured answer.
type FormatKind string

// The answer formats. Plain text is a nil Format.
const (
	FormatJSON   FormatKind = "json"        // any JSON object
	FormatSchema FormatKind = "json_schema" // JSON that satisfies Schema
)

// Format asks for a structured answer.
type Format struct {
	Kind        FormatKind
	Name        string
	Description string
	Schema      []byte // as the client wrote it
	Strict      *bool
}

// ReasoningMode is how much say the client wants over reasoning.
type ReasoningMode string

// The reasoning modes.
const (
	ReasoningUnset    ReasoningMode = ""         // an effort may still be set
	ReasoningOff      ReasoningMode = "off"      // none at all
	ReasoningBudget   ReasoningMode = "budget"   // at most Budget tokens
	ReasoningAdaptive ReasoningMode = "adaptive" // the model decides
)

// Reasoning asks for thinking before the answer.
type Reasoning struct {
	Mode   ReasoningMode
	Effort string // none, minimal, low, medium, high, xhigh, max; empty when not set
	Budget int64  // tokens, with ReasoningBudget
	// Display is "summarized" or "omitted"; empty when not set.
	Display string
}

// Label is one entry of Request.Metadata.
type Label struct{ Key, Value string }

// CacheMark asks the vendor to cache the prompt up to and including the part
// that carries it.
type CacheMark struct {
	TTL string // "5m", "1h", or empty for the vendor's default
}

// Extra is what a dialect said beyond this vocabulary: raw members keyed by
// that dialect's name. Only the same dialect restores them.
type Extra map[string][]Member

// Member is one member of a JSON object as it was received.
type Member struct {
	Key string
	Raw []byte
}

// Add appends a member kept for dialect and returns the extended map, which it
// makes when e is nil.
func (e Extra) Add(dialect, key string, raw []byte) Extra {
	if e == nil {
		e = make(Extra, 1)
	}
	e[dialect] = append(e[dialect], Member{Key: key, Raw: raw})
	return e
}

// Opaque is a value that only one dialect understands: kept whole with its
// issuer, given back only to it.
type Opaque struct {
	Dialect string
	Type    string // the dialect's own name for the kind of value
	Raw     []byte
}

// Prompt returns what of r the model is given: a request to count tokens has no more. It
// shares r's values.
func (r *Request) Prompt() *Request {
	return &Request{
		Model: r.Model, Messages: r.Messages, Tools: r.Tools, ToolChoice: r.ToolChoice, ParallelCalls: r.ParallelCalls,
		Format: r.Format, Reasoning: r.Reasoning, Extra: r.Extra, Unread: r.Unread,
	}
}
