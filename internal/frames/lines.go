package frames

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readBuffer is the memory of a reader whose events are small.
const readBuffer = 4 << 10

// lines is a Reader of one JSON text a line.
type lines struct {
	r    *bufio.Reader
	long []byte // a line longer than the reader's buffer
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, readBuffer)} }

// Next returns the next line; a blank one has no data.
func (l *lines) Next() (Frame, error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if len(l.long)+len(part) > MaxFrame {
				return Frame{}, ErrTooLong
			}
			l.long = append(l.long, part...)
			continue
		}
		raw := part
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			raw = l.long
		}
		data := bytes.TrimSpace(raw)
		f := Frame{Data: data, Raw: raw, HasData: len(data) > 0}
		switch {
		case err == nil:
			return f, nil
		case len(raw) == 0:
			return Frame{}, err //nolint:wrapcheck // io.EOF must stay itself
		case errors.Is(err, io.EOF):
			return f, &PartialError{Clean: true, Err: io.ErrUnexpectedEOF}
		default:
			return f, &PartialError{Err: err}
		}
	}
}

// Buffered reports whether another line is at hand without waiting.
func (l *lines) Buffered() bool {
	b, _ := l.r.Peek(l.r.Buffered()) // what is buffered can be looked at
	return bytes.IndexByte(b, '\n') >= 0
}
