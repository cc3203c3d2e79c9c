// Package dialect says what a wire format must be able to do: the two sides of
// a dialect, its relay, its table of fields and of what it carries, and the loss
// contract between any two of them.
//
// A Dialect is a value that a folder below this one provides. Codecs are pure:
// bytes and values go in and come out; no HTTP, clock, logger or context. The
// package does not list the dialects there are; package app does.
package dialect

import (
	"cmp"
	"errors"

	"github.com/understudy-ai/understudy/llm"
)

// Name names a dialect in config, facts, headers and docs.
type Name string

// The dialects' names.
const (
	OpenAIChat        Name = "openai-chat"
	OpenAIResponses   Name = "openai-responses"
	AnthropicMessages Name = "anthropic-messages"
	GeminiGenerate    Name = "gemini-generate"
	BedrockConverse   Name = "bedrock-converse"
	CohereChat        Name = "cohere-chat"
	OllamaChat        Name = "ollama-chat"

	OpenAIEmbeddings Name = "openai-embeddings"
	CohereEmbed      Name = "cohere-embed"
	GeminiEmbedBatch Name = "gemini-embed-batch"
	GeminiEmbed      Name = "gemini-embed"
	OllamaEmbed      Name = "ollama-embed"
	TitanEmbed       Name = "titan-embed"
	VertexEmbed      Name = "vertex-embed"
	VoyageEmbed      Name = "voyage-embed"
	JinaEmbed        Name = "jina-embed"

	CohereRerank Name = "cohere-rerank"
	JinaRerank   Name = "jina-rerank"
	VoyageRerank Name = "voyage-rerank"

	AnthropicCount Name = "anthropic-count"
	GeminiCount    Name = "gemini-count"
	BedrockCount   Name = "bedrock-count"
	VertexCount    Name = "vertex-count"
)

// All lists the dialects there are, in the order in which a provider that speaks
// several is spoken to when the client's own is not among them.
func All() []Name {
	return []Name{
		OpenAIChat, AnthropicMessages, OpenAIResponses, GeminiGenerate, BedrockConverse, CohereChat, OllamaChat,
		OpenAIEmbeddings, CohereEmbed, GeminiEmbedBatch, GeminiEmbed, OllamaEmbed, TitanEmbed, VertexEmbed, VoyageEmbed, JinaEmbed,
		CohereRerank, JinaRerank, VoyageRerank,
		AnthropicCount, GeminiCount, BedrockCount, VertexCount,
	}
}

// Framing is how the events of a stream are told apart.
type Framing string

// The framings; the empty one is FramingSSE.
const (
	FramingSSE         Framing = "sse"
	FramingNDJSON      Framing = "ndjson"           // one JSON text a line
	FramingArray       Framing = "json-array"       // the elements of one JSON array
	FramingEventStream Framing = "aws-event-stream" // binary messages with checksums
	FramingChunks      Framing = "aws-chunks"       // the same, around JSON events in base64
)

// Operation is what a client asks for.
type Operation string

// The operations.
const (
	Generate    Operation = "generate"
	Embed       Operation = "embed"
	Rerank      Operation = "rerank"
	CountTokens Operation = "count tokens"
	ListModels  Operation = "list models"
	GetModel    Operation = "get model"
	GetVersion  Operation = "get version"
)

// The operations that nobody translates: a request goes as it is to a provider that
// serves the same.
const (
	Completions Operation = "completions" // of old, by a prompt
	Images      Operation = "images"
	Audio       Operation = "audio"
	Moderations Operation = "moderations"
	Files       Operation = "files"
	Batches     Operation = "batches"
	Stored      Operation = "stored" // answers and conversations that the vendor keeps
	Realtime    Operation = "realtime"
	Invoke      Operation = "invoke" // a model, by a body of its own
)

// RelayedOperations lists the operations that nobody translates.
func RelayedOperations() []Operation {
	return []Operation{Completions, Images, Audio, Moderations, Files, Batches, Stored, Realtime, Invoke}
}

// IsRelayed reports whether the operation is one of RelayedOperations.
func (o Operation) IsRelayed() bool {
	switch o {
	case Completions, Images, Audio, Moderations, Files, Batches, Stored, Realtime, Invoke:
		return true
	default:
		return false
	}
}

// Keeps reports whether the operation is about objects that the vendor keeps: what one
// vendor has made, no other knows.
func (o Operation) Keeps() bool { return o == Files || o == Batches || o == Stored }

// Endpoint is a path at which a dialect serves an operation.
type Endpoint struct {
	Method string
	// Path may have holes: "{model}" stands for the model's name, slashes included,
	// any other name in braces for one segment or the part of one up to the next
	// character of the pattern: "{id}" is an object that a vendor keeps.
	Path      string
	Operation Operation
	// Under is what the path has in the place of the "/v1" of the dialect's own, where a cloud
	// serves the same API in a place of its own.
	Under string
	// Header decides between dialects that share a path: the one whose Header the
	// request carries, else the one with none.
	Header string
	// Query decides likewise between endpoints that share a path: a parameter and its
	// value, "alt=sse".
	Query string
	// Stream says that the path itself asks for a stream.
	Stream bool
	// Framing is that of the stream where it is not the dialect's.
	Framing Framing
}

// Dialect is one wire format, both sides. All of it may be used concurrently;
// readers, writers and taps belong to one call each. Two may have the same name: the
// second is the first in another frame, with endpoints, framing and errors of its own,
// and is never spoken to a provider.
type Dialect struct {
	Name Name
	// Operation is what the dialect's requests ask for; Generate if empty. Only dialects
	// of one operation are translated into each other.
	Operation Operation
	Endpoints []Endpoint
	// Canonical makes a request of one in this frame, as it would be in the dialect's own;
	// nil if there is nothing to make. Everything else is given what it made. An error that
	// wraps ErrOtherBody says that the body is none of the dialect's.
	Canonical func(Framed) (Canonical, error)
	// Unseal takes out of a request what vendors of the dialect signed or sealed in earlier
	// answers, and says so: for a vendor whose error is Sealed. It returns body itself when there
	// is nothing of the kind; nil if the dialect has none.
	Unseal func(body []byte) ([]byte, []llm.Loss, error)
	// ErrorHeader is a request header by which a client of this dialect is
	// recognised where the path does not tell, in its canonical form.
	ErrorHeader string
	// RequestIDHeader is the response header in which clients of this dialect look
	// for the request's id.
	RequestIDHeader string
	// Rates returns the response headers that say how a client stands to a limit; nil if clients of
	// the dialect look for none.
	Rates func(Rate) []Header
	// ErrorType returns the response header, and its value, in which the dialect names
	// the kind of an error beside the body; nil if it has none.
	ErrorType func(*llm.Error) (header, value string)
	// ErrorTypeHeader is the header of an error answer in which vendors of the dialect
	// name its kind instead of in the body. DecodeError finds it in the body all the
	// same, in the member ExceptionMember.
	ErrorTypeHeader string
	// IsError reports whether a JSON object is an error as clients of this dialect know it:
	// services that speak a dialect do not always err in it. Nil where any object will do.
	IsError func(body []byte) bool
	// Framing is that of the dialect's streams, unless an endpoint or a provider's
	// facts say otherwise.
	Framing Framing
	// NoComments says that clients of this dialect take a comment in a stream for a broken event.
	NoComments bool
	// KeyQuery is the parameter of the address in which clients of this dialect may send
	// their credential; empty if they send it in a header only.
	KeyQuery string
	// PageOn and PageBack are the parameters of the address by which clients page through lists: the id behind, or before,
	// which a page begins. Empty if there are no lists of what a vendor keeps.
	PageOn, PageBack string
	// UsageHeaders are the response headers that say how many tokens went in and came out,
	// of answers whose bodies have no common form.
	UsageHeaders [2]string
	// Beside lists, by path, what an answer, or one frame of it, holds that the provider side neither
	// reads nor knows to say nothing to a client: what is lost of it elsewhere. Nil if there is nothing.
	Beside func(body []byte) []string
	// Kept are the paths, by their keys, of the members of an answer's Extra that say something to a client of any API:
	// what clients of others lose.
	Kept map[string]string
	// RelayHeaders are the request headers, in canonical form, that belong to the
	// dialect and go to a provider that speaks it too. Those with a row in Fields,
	// by their names in lower case, are losses elsewhere.
	RelayHeaders []string
	// MessagePath and PartPath are where a request holds its messages and their parts,
	// as losses spell it; messages[] and messages[].content[] if empty.
	MessagePath, PartPath string

	Client   ClientSide
	Provider ProviderSide
	Relay    Relay
	Models   ModelLister
	// Version is the answer, in JSON, to clients that ask for the version of the API.
	Version string

	// Fields is the table of request fields that a client may send.
	Fields []Field
	// Carries says how the provider side carries each feature of llm. What it does
	// not list is not carried.
	Carries Carries
}

// Path is where the dialect's own vendor takes its requests.
func (d *Dialect) Path() string {
	for i := range d.Endpoints {
		if e := &d.Endpoints[i]; e.Operation == d.Does() && e.Under == "" {
			return e.Path
		}
	}
	return ""
}

// ErrOtherBody is the error of a body that another dialect, or none that is known, has at the
// same path. It may be relayed where its path says enough.
var ErrOtherBody = errors.New("the body is none of this dialect's")

// Framed is a request in another frame than its dialect's own.
type Framed struct {
	Body   []byte // checked JSON
	Model  string // the path's
	Stream bool   // what the path says
	Header func(name string) string
}

// Canonical is a request as its dialect has it.
type Canonical struct {
	Body   []byte
	Header map[string]string // what the frame has in the body and the dialect in headers
}

// ClientSide is the dialect towards a client.
type ClientSide interface {
	// DecodeRequest reads a request whose JSON has been checked. A returned
	// *llm.Error is the client's fault and names the field.
	DecodeRequest(body []byte) (*llm.Request, error)
	// EncodeResponse writes a whole answer and says what of it the dialect cannot
	// show. An error means that the answer is not legal in this dialect.
	EncodeResponse(*llm.Response) ([]byte, []llm.Loss, error)
	NewStreamWriter(StreamOptions) StreamWriter
	// EncodeError writes the error body and chooses the HTTP status.
	EncodeError(e *llm.Error, requestID string) (status int, body []byte)
}

// ProviderSide is the dialect towards a provider.
type ProviderSide interface {
	// EncodeRequest writes the request for a target and says what was lost beyond
	// what the table Carries says.
	EncodeRequest(*llm.Request, Target) (Encoded, error)
	// DecodeResponse reads the body of a successful answer. A body that holds an
	// error gives an *llm.Error of the class that the vendor's code says; anything
	// else that is no answer gives CodeBadAnswer.
	DecodeResponse(body []byte) (*llm.Response, error)
	NewStreamReader() StreamReader
	// DecodeError classifies an error answer by its status and the vendor's codes.
	DecodeError(status int, body []byte) *llm.Error
}

// Relay is the dialect towards a provider that speaks it too: bytes stay as they
// are.
type Relay interface {
	// Peek reads what routing needs from a checked body, and refuses it, as DecodeRequest
	// does, if a member of it is of a kind that the dialect does not know it to have. What
	// the path says (Endpoint) is not its business: a dialect that names the model there
	// peeks none.
	Peek(body []byte) (Peeked, error)
	// SetModel replaces the model's name, where the body has it, and nothing else; ask
	// adds what the gateway itself needs to be told (usage in a stream).
	SetModel(body []byte, model string, ask Ask) ([]byte, error)
	// Strip removes what this gateway put into earlier answers on behalf of other
	// vendors, and what they signed, from a body that goes to the dialect's own
	// vendor. It returns body itself when there is nothing to remove.
	Strip(body []byte) ([]byte, []llm.Loss, error)
	// NewTap returns a tap for one answer; ask is what SetModel was given.
	NewTap(ask Ask) Tap
}

// Peeked is what a relayed request says about itself.
type Peeked struct {
	Model  string
	Stream bool
	// StreamUsage is set when the client itself asked for usage in the stream, or
	// the dialect always gives it.
	StreamUsage bool
	// MaxTokens is the limit the client set on the reply, all its choices together; 0
	// if none.
	MaxTokens int64
	// Choices is how many replies the client asked for at once; 0 is one.
	Choices int64
	// Object is the id of what a vendor keeps and the request builds on: only the provider
	// that has made it can answer.
	Object string
	// Tier is the service tier that is asked for, in the dialect's own word; empty if none is.
	Tier string
	// Background is set when the vendor is to go on with the answer whether anybody waits for it or not.
	Background bool
}

// Ask lists the gateway's own additions to a relayed request.
type Ask struct {
	// StreamUsage asks for usage in a stream whose client did not; its traces are
	// kept from the client.
	StreamUsage bool
}

// Target is what a provider side must know of the model it writes for.
type Target struct {
	Model string // the provider's name for it
	Facts llm.ModelFacts
}

// Encoded is a request written for a target.
type Encoded struct {
	Body []byte
	// More are the bodies that follow, where the target takes only a part of such a request
	// at a time. The answers are joined in this order.
	More   [][]byte
	Losses []llm.Loss
	// ToolNames maps the names sent to the client's, where they had to differ.
	ToolNames map[string]string
	OldCalls  bool // of the request
}

// Frame is one event of a stream without its framing. Data aliases the reader's
// buffer and is valid until the next frame.
type Frame struct {
	Event string // the event's name, or the exception's, where the framing has one
	Data  []byte
	// Exception says that the framing itself calls the event an error, of the kind that
	// Event names.
	Exception bool
}

// StreamReader turns frames into events.
type StreamReader interface {
	// Read appends the events of one frame to dst. An *llm.Error is what the vendor
	// said, or CodeBadAnswer for a frame against the dialect's grammar. Frames
	// after the end are ignored.
	Read(dst []llm.Event, f Frame) ([]llm.Event, error)
	// Close is called once when the body has ended. It completes a stream whose
	// finish was seen and whose terminator is missing, and returns CodeTruncated
	// for one that broke off.
	Close(dst []llm.Event) ([]llm.Event, error)
}

// StreamOptions is what a stream writer must know beforehand.
type StreamOptions struct {
	ID      string // used when the provider gives none
	Model   string // used when the provider names none
	Created int64  // Unix seconds, likewise
	Usage   bool   // the client asked for usage at the end
	// Framing is the client's, for dialects that have more than one.
	Framing Framing
	// Begun says that events are out already: a writer is needed for an error only. Next is
	// its number, if the tap is Numbered.
	Begun bool
	Next  int64
	// Resume is what a Resumable tap of the same dialect said was sent. The writer goes on
	// with that stream: there was a start, and the text is part 0 of choice 0, which has
	// begun and not ended.
	Resume any
}

// StreamWriter writes events as the dialect's stream, framing included.
type StreamWriter interface {
	// Write appends the bytes for e to dst; often none.
	Write(dst []byte, e llm.Event) []byte
	// Error appends the dialect's terminal error; nothing may be written after it.
	Error(dst []byte, e *llm.Error) []byte
	// Heartbeat appends a sign of life that every client of the dialect ignores.
	Heartbeat(dst []byte) []byte
	// Losses says what of the answer the dialect could not show.
	Losses() []llm.Loss
}

// Tap reads the bytes of a relayed answer as they go by.
type Tap interface {
	// Frame looks at one frame of a stream. An error is as StreamReader.Read's.
	Frame(f Frame) (Signal, error)
	// Close is called when the body has ended: the terminator to add where only it
	// is missing, or CodeTruncated.
	Close() (terminator []byte, err error)
	// Body reads a whole answer: its usage and whether anything in it is usable. An
	// error is as ProviderSide.DecodeResponse's.
	Body(body []byte) (Signal, error)
	// Usage is what has been counted so far.
	Usage() llm.Usage
}

// Resumable is a Tap of which a stream can be taken over when its vendor fails in the
// middle of a text. A dialect whose tap is not Resumable has its relayed streams end in
// an error then.
type Resumable interface {
	Tap
	// Sent is what the client has been sent of the stream, as far as a writer must know
	// it to go on with it; nil when there is no going on. Only StreamOptions.Resume of
	// the same dialect understands it.
	Sent() any
}

// Numbered is a Tap of a dialect that numbers the events of a stream.
type Numbered interface {
	Tap
	// Next is the number of the event that would come next.
	Next() int64
}

// Signal is what a tap saw.
type Signal struct {
	Content bool // something the client would see or act on
	// Text is what the frame adds to the text of an only choice, as it stands between the
	// quotes of its JSON string; it is valid until the next frame. Other says that the
	// frame has begun or continued anything else: a call, thinking, a refusal, a citation,
	// a second choice.
	Text   []byte
	Other  bool
	Finish bool // a finish reason of a choice
	End    bool // the stream's terminator; what follows is not forwarded
	Model  string
	// Tier is the service tier that the vendor says it serves; empty if it does not say.
	Tier string
	// Event is the event's name where the frame came without one and the dialect has one.
	Event string
	// Hide says that the frame is a trace of Ask and not for the client.
	Hide bool
	// Data replaces the frame's data where it holds a trace of Ask; nil leaves it.
	Data []byte
	// Object is the id under which the vendor may keep the answer.
	Object string
}

// ModelLister writes the model lists of a dialect.
type ModelLister interface {
	EncodeModels([]ModelEntry) []byte
	EncodeModel(ModelEntry) []byte
}

// ModelEntry is one model a client may ask for.
type ModelEntry struct {
	ID        string
	Owner     string // the lead's provider
	Created   int64  // Unix seconds
	Window    int64  // tokens; 0 when unknown
	MaxInput  int64  // tokens, where a prompt may not fill the window; 0 if it may, or when unknown
	MaxOutput int64  // tokens; 0 when unknown
	// Operation is what the model is for; Generate if empty.
	Operation Operation
	// Known says that more is known of the model than its name. Sees, Reads and Structured say that
	// it is known to take images, PDF files and a schema for its answer, NoTools that it is
	// known to take no tools.
	Known, Sees, Reads, Structured, NoTools bool
	// Thinking is how it is asked to reason.
	Thinking llm.ThinkingControl
}

// Does is the operation that the model is for.
func (m *ModelEntry) Does() Operation { return cmp.Or(m.Operation, Generate) }

// Thinks reports whether the model is known to reason if asked to.
func (m *ModelEntry) Thinks() bool {
	return m.Thinking != llm.ThinkingUnknown && m.Thinking != llm.ThinkingNone
}

// Input is how many tokens a prompt may have; 0 when unknown.
func (m *ModelEntry) Input() int64 { return cmp.Or(m.MaxInput, m.Window) }
