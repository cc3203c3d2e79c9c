package gateway

import (
	"bytes"
	"errors"
	"io"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// frameReader reads a stream's events.
type frameReader struct {
	r     frames.Reader
	kind  frames.Kind
	named []byte // the latest event that had a comment, without those in the gateway's name
}

// ourNotes is how the comments begin that the gateway itself puts into streams. A vendor's are left out: only the
// gateway can say that it rescued an answer.
const ourNotes = "understudy"

func newFrames(kind frames.Kind, r io.Reader) *frameReader {
	return &frameReader{r: frames.NewReader(kind, r), kind: kind}
}

// errCut is returned for a stream that stopped within an event.
var errCut = errors.New("the stream stopped within an event")

// next returns the next event; io.EOF after the last one. A last event that lacks
// only its end is whole if its data is.
func (f *frameReader) next() (frames.Frame, error) {
	e, err := f.r.Next()
	if e.HasNote {
		f.named = sse.WithoutNotes(f.named[:0], e.Raw, ourNotes)
		e.Raw = f.named
	}
	if err == nil {
		return e, nil
	}
	var partial *frames.PartialError
	if !errors.As(err, &partial) {
		return e, err //nolint:wrapcheck // io.EOF must stay itself
	}
	if !partial.Clean {
		return frames.Frame{}, partial.Err
	}
	if !e.HasData || !isWhole(e.Data) {
		return frames.Frame{}, errCut
	}
	end := "\n\n"
	if f.kind == frames.NDJSON {
		end = "\n" // an empty line would be one too many for clients
	}
	e.Raw = append(bytes.TrimRight(e.Raw, "\r\n"), end...)
	return e, nil
}

// more reports whether another event is at hand without waiting.
func (f *frameReader) more() bool { return f.r.Buffered() }

func isWhole(data []byte) bool {
	_, err := jsontext.ParseLenient(data)
	return err == nil || bytes.Equal(data, []byte("[DONE]"))
}

// toCodec is a frame as the dialects know it.
func toCodec(f frames.Frame) dialect.Frame {
	return dialect.Frame{Event: f.Name, Data: f.Data, Exception: f.Exception}
}
