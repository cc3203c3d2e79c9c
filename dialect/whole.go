package dialect

import (
	"cmp"
	"slices"

	"github.com/understudy-ai/understudy/llm"
)

// Does is the operation that d's requests ask for.
func (d *Dialect) Does() Operation { return cmp.Or(d.Operation, Generate) }

// NoStream is embedded by the sides of a dialect whose answers are never streamed.
type NoStream struct{}

// NewStreamReader returns a reader to which every stream is a bad answer.
func (NoStream) NewStreamReader() StreamReader { return noStream{} }

// NewStreamWriter returns a writer that writes nothing.
func (NoStream) NewStreamWriter(StreamOptions) StreamWriter { return noStream{} }

type noStream struct{}

func errNoStream() *llm.Error {
	return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider's answer is a stream, which nobody asked for."}
}

// Read refuses every frame.
func (noStream) Read(dst []llm.Event, _ Frame) ([]llm.Event, error) { return dst, errNoStream() }

// Close refuses every stream.
func (noStream) Close(dst []llm.Event) ([]llm.Event, error) { return dst, errNoStream() }

// Write writes nothing.
func (noStream) Write(dst []byte, _ llm.Event) []byte { return dst }

// Error writes nothing.
func (noStream) Error(dst []byte, _ *llm.Error) []byte { return dst }

// Heartbeat writes nothing.
func (noStream) Heartbeat(dst []byte) []byte { return dst }

// Losses are none.
func (noStream) Losses() []llm.Loss { return nil }

// NewWholeTap returns a tap for an answer that is never streamed: it reads what goes by
// as p does.
func NewWholeTap(p ProviderSide) Tap { return &wholeTap{provider: p} }

type wholeTap struct {
	provider ProviderSide
	usage    llm.Usage
}

// Frame refuses every frame.
func (*wholeTap) Frame(Frame) (Signal, error) { return Signal{}, errNoStream() }

// Close refuses every stream.
func (*wholeTap) Close() ([]byte, error) { return nil, errNoStream() }

// Usage is what the answer has counted.
func (t *wholeTap) Usage() llm.Usage { return t.usage }

// Body reads the answer.
func (t *wholeTap) Body(b []byte) (Signal, error) {
	r, err := t.provider.DecodeResponse(b)
	if err != nil {
		return Signal{}, err //nolint:wrapcheck // the tap's error is the reader's
	}
	t.usage = r.Usage
	return Signal{Content: true, Model: r.Model}, nil
}

// Rows returns what of c is about fields: what is mapped is left out if no field says it. It
// is for dialects of which the fields are some of another's.
func (c Carries) Rows(fields []Field) Carries {
	rows := make(Carries, len(c))
	for f, how := range c {
		if how.Action != llm.ActionMapped || slices.ContainsFunc(fields, func(row Field) bool { return row.Feature == f }) {
			rows[f] = how
		}
	}
	return rows
}
