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
	max  int
}

func newLines(r io.Reader) *lines {
	return &lines{r: bufio.NewReaderSize(r, readBuffer), max: MaxFrame}
}

// Next reads up to the end of a line. White space around its data does not count, and a blank line carries nothing.
func (l *lines) Next() (Frame, error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long)+len(part) > l.max {
			return Frame{}, ErrTooLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long, part...)
			continue
		}
		raw := part
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			raw = l.long
		}
		data := bytes.Trim(raw, " \t\r\n")
		f := Frame{Data: data, Raw: raw, HasData: len(data) > 0}
		switch {
		case err == nil || errors.Is(err, io.EOF) && len(raw) > 0 && !f.HasData:
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

// Buffered reports whether the end of a line is at hand.
func (l *lines) Buffered() bool {
	b, _ := l.r.Peek(l.r.Buffered()) // what is buffered can be looked at
	return bytes.IndexByte(b, '\n') >= 0
}
