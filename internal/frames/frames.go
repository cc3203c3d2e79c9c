// Package frames reads and writes the events of a stream, whatever sets them apart: server-sent
// events, one JSON text a line, the elements of one JSON array, or the binary messages of AWS. A
// Reader hands out the received bytes beside the parsed event, so that a stream can be relayed byte
// for byte; a Writer puts events into another framing.
//
// The package knows no vendor's events and does not speak HTTP.
package frames

import (
	"bytes"
	"errors"
	"io"

	"github.com/understudy-ai/understudy/internal/frames/sse"
)

// Kind is a framing. The values are those of dialect.Framing.
type Kind string

// The framings.
const (
	SSE         Kind = "sse"
	NDJSON      Kind = "ndjson"
	Array       Kind = "json-array"
	EventStream Kind = "aws-event-stream"
	// Chunks is EventStream whose events each carry, in base64, a JSON event of another
	// dialect: Amazon Bedrock's InvokeModelWithResponseStream.
	Chunks Kind = "aws-chunks"
)

// ContentType is the media type of a stream framed so.
func (k Kind) ContentType() string {
	switch k {
	case NDJSON:
		return "application/x-ndjson"
	case Array:
		return "application/json"
	case EventStream, Chunks:
		return "application/vnd.amazon.eventstream"
	default:
		return "text/event-stream"
	}
}

// MaxFrame is the number of bytes one event may have.
const MaxFrame = sse.MaxEvent

var (
	// ErrTooLong is the error of an event of more than MaxFrame bytes.
	ErrTooLong = sse.ErrTooLong
	// ErrCorrupt is the error of bytes that are no event: a checksum that does not fit, or
	// lengths that contradict each other.
	ErrCorrupt = errors.New("the stream holds bytes that are no event")
)

// PartialError is returned with an event that the stream may have cut short.
type PartialError = sse.PartialError

// Frame is one event. Data and Raw alias the reader's memory and are valid until the next call of
// Next.
type Frame struct {
	Name    string // the event's name, where the framing has one
	Data    []byte
	Raw     []byte // the bytes received for it; over a stream they add up to the stream
	HasData bool   // otherwise it is a comment or white space: it carries nothing, but can be relayed
	// HasNote says that there is a comment in it, beside data or not.
	HasNote bool
	// Exception says that the framing calls the event an error, of the kind Name.
	Exception bool
}

// Reader splits a stream into events. It is not safe for concurrent use.
type Reader interface {
	// Next returns the next event; io.EOF after the last. A *PartialError comes with an event
	// that may have been cut.
	Next() (Frame, error)
	// Buffered reports whether another event is at hand without waiting.
	Buffered() bool
}

// NewReader reads events of a framing from r.
func NewReader(kind Kind, r io.Reader) Reader {
	switch kind {
	case NDJSON:
		return newLines(r)
	case Array:
		return newElements(r)
	case EventStream, Chunks:
		return newMessages(r, kind == Chunks)
	default:
		return &events{sse.NewReader(r, MaxFrame)}
	}
}

// events is a Reader of server-sent events.
type events struct{ r *sse.Reader }

// Next returns the next event; see Reader.
func (e *events) Next() (Frame, error) {
	ev, err := e.r.Next()
	f := Frame{Name: ev.Name, Data: ev.Data, Raw: ev.Raw, HasData: ev.HasData, HasNote: ev.HasNote}
	if !f.HasData {
		// Google's services have ended streams in an error without "data:" before it.
		if bare := bytes.TrimSpace(ev.Raw); len(bare) > 0 && bare[0] == '{' {
			f.Data, f.HasData = bare, true
		}
	}
	return f, err
}

// Buffered reports whether another event is at hand without waiting.
func (e *events) Buffered() bool { return e.r.Buffered() }

// Writer frames events. Begun says that the stream has begun already: it matters to a JSON array,
// whose first element follows a bracket and every other one a comma.
type Writer struct {
	Kind  Kind
	Begun bool
}

// Append adds an event to dst.
func (w *Writer) Append(dst []byte, name string, data []byte) []byte {
	switch w.Kind {
	case NDJSON:
		return append(append(dst, data...), '\n')
	case Array:
		between := "["
		if w.Begun {
			between = ",\r\n"
		}
		w.Begun = true
		return append(append(dst, between...), data...)
	case EventStream:
		return AppendMessage(dst, Message{Event: name, Payload: data})
	case Chunks:
		return appendChunk(dst, data)
	default:
		return sse.Append(dst, name, data)
	}
}

// End adds what ends a stream after its last event.
func (w *Writer) End(dst []byte) []byte {
	if w.Kind != Array {
		return dst
	}
	if !w.Begun {
		dst = append(dst, '[')
	}
	w.Begun = true
	return append(dst, ']')
}
