package frames

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// elements is a Reader of the elements of one JSON array, each an object: the way in which
// Google's services stream without alt=sse.
type elements struct {
	r     *bufio.Reader
	raw   []byte
	begun bool // the opening bracket was seen
	ended bool // the closing one was
}

func newElements(r io.Reader) *elements { return &elements{r: bufio.NewReaderSize(r, readBuffer)} }

// Next reads up to the end of the next element. Between elements only white space, one comma and
// the brackets of the array may stand.
func (e *elements) Next() (Frame, error) {
	e.raw = e.raw[:0]
	start, depth := -1, 0
	inText, escaped := false, false
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			return e.over(err)
		}
		e.raw = append(e.raw, c)
		if len(e.raw) > MaxFrame {
			return Frame{}, ErrTooLong
		}
		if start < 0 {
			switch c {
			case '{':
				if !e.begun || e.ended {
					return Frame{}, ErrCorrupt
				}
				start, depth = len(e.raw)-1, 1
			case '[':
				if e.begun {
					return Frame{}, ErrCorrupt
				}
				e.begun = true
			case ']':
				if !e.begun || e.ended {
					return Frame{}, ErrCorrupt
				}
				e.ended = true
				return Frame{Raw: e.raw}, nil
			case ' ', '\t', '\r', '\n', ',':
			default:
				return Frame{}, ErrCorrupt
			}
			continue
		}
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return Frame{Data: e.raw[start:], Raw: e.raw, HasData: true}, nil
			}
		}
	}
}

// over is what a stream that has come to its end, or broken off, amounts to.
func (e *elements) over(err error) (Frame, error) {
	clean := errors.Is(err, io.EOF)
	if clean && (e.ended || !e.begun) && len(bytes.TrimSpace(e.raw)) == 0 {
		return Frame{}, io.EOF
	}
	if clean {
		err = io.ErrUnexpectedEOF
	}
	return Frame{Raw: e.raw}, &PartialError{Clean: clean, Err: err}
}

// Buffered reports whether the rest of an element may be at hand: its end is not looked for.
func (e *elements) Buffered() bool {
	b, _ := e.r.Peek(e.r.Buffered()) // what is buffered can be looked at
	return bytes.IndexByte(b, '}') >= 0
}
