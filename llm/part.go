package llm

// PartKind is the kind of a message part.
type PartKind uint8

// The part kinds. The comment says which fields of Part are set.
const (
	PartText       PartKind = iota + 1 // Text, Citations
	PartRefusal                        // Text: the model declines, in words
	PartThinking                       // Text, Thinking
	PartImage                          // Media
	PartDocument                       // Media, Document
	PartAudio                          // Media
	PartToolCall                       // Call
	PartToolResult                     // Result
	PartOpaque                         // Opaque: known to one dialect only; Text says it in words for the others, if it can be said
)

// String names the kind as it is named in losses and errors.
func (k PartKind) String() string {
	switch k {
	case PartText:
		return "text"
	case PartRefusal:
		return "refusal"
	case PartThinking:
		return "thinking"
	case PartImage:
		return "image"
	case PartDocument:
		return "document"
	case PartAudio:
		return "audio"
	case PartToolCall:
		return "tool_call"
	case PartToolResult:
		return "tool_result"
	case PartOpaque:
		return "opaque"
	}
	return "unknown"
}

// Part is one piece of a message.
type Part struct {
	Kind      PartKind
	Text      string
	Citations []Citation
	Thinking  *Thinking
	Media     *Media
	Document  *Document
	Call      *ToolCall
	Result    *ToolResult
	Opaque    *Opaque
	Cache     *CacheMark
	Extra     Extra
}

// Text returns a text part.
func Text(s string) Part { return Part{Kind: PartText, Text: s} }

// Media is an image, a document or audio: exactly one of Data, URL and FileID
// is set.
type Media struct {
	Type   string // MIME type; may be empty with URL and FileID
	Data   string // standard base64 with padding
	URL    string
	FileID string // the issuer's id of an uploaded file
	// Issuer is the dialect whose vendor knows FileID.
	Issuer string
	Detail string // auto, low or high: how closely to look at an image
}

// Document is what is said about a document beside its bytes.
type Document struct {
	Name      string // file name or title
	Context   string // what the document is, for the model
	Text      string // the document itself, when it is plain text; then Media is nil
	Parts     []Part // the document itself, when it is given as parts; then Media is nil
	Citations *bool  // whether the answer shall cite it
}

// ToolCall asks the client to run a tool. ID is the client's or the vendor's;
// Args is the arguments' JSON text exactly as the model wrote it, which need
// not be valid JSON.
type ToolCall struct {
	ID   string
	Name string
	Args string
	Old  bool // an answer's, to a client that knows calls by their old name
}

// ToolResult is what the client's tool answered.
type ToolResult struct {
	CallID string
	// Name is the tool's name where the dialect says it; empty otherwise.
	Name  string
	Parts []Part
	Error bool
}

// Thinking is reasoning shown or sealed. A signature is bound to its issuer:
// given back unchanged to it, and to nobody else.
type Thinking struct {
	Issuer    string // the dialect that signed or sealed it; empty when unsigned
	Signature string
	// Sealed holds redacted or encrypted reasoning; then the part has no text.
	Sealed string
}

// CitationKind is the kind of a citation's source.
type CitationKind string

// The citation kinds two dialects share; every other kind stays opaque.
const (
	CiteURL      CitationKind = "url"
	CiteDocument CitationKind = "document"
)

// Citation ties a piece of the answer to a source.
type Citation struct {
	Kind  CitationKind
	Title string
	URL   string
	Text  string // the words cited
	// Start and End are the cited span of the part's text in Unicode code
	// points, End exclusive. Both 0 means the whole part.
	Start, End int
	// Opaque is the citation as its dialect wrote it, for the way back.
	Opaque *Opaque
}
