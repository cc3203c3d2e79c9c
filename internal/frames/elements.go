package frames

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// elements is a Reader of the elements of one JSON array, each an object: the way in which
// Google's services stream without alt=sse. An object alone, which is how some errors come, is
// taken for a list of it.
type elements struct {
	r   *bufio.Reader
	raw []byte
	s   elementScanner
}

func newElements(r io.Reader) *elements { return &elements{r: bufio.NewReaderSize(r, readBuffer)} }

// Next reads up to the end of the next element. What stands before it, with the comma, and the end
// of the array are part of what was received.
func (e *elements) Next() (Frame, error) {
	e.raw = e.raw[:0]
	start := -1
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			return e.over(err)
		}
		e.raw = append(e.raw, c)
		if len(e.raw) > MaxFrame {
			return Frame{}, ErrTooLong
		}
		outside := e.s.depth == 0
		if !e.s.step(c) {
			return Frame{}, ErrCorrupt
		}
		switch {
		case outside && e.s.depth > 0:
			start = len(e.raw) - 1
		case outside && c == ']':
			return Frame{Raw: e.raw}, nil
		case !outside && e.s.depth == 0:
			return Frame{Data: e.raw[start:], Raw: e.raw, HasData: true}, nil
		}
	}
}

// over is what a stream that has come to its end, or broken off, amounts to.
func (e *elements) over(err error) (Frame, error) {
	clean := errors.Is(err, io.EOF)
	switch {
	case clean && e.s.isOver() && len(e.raw) == 0:
		return Frame{}, io.EOF
	case clean && e.s.isOver():
		return Frame{Raw: e.raw}, nil // white space
	case clean:
		err = io.ErrUnexpectedEOF
	}
	return Frame{Raw: e.raw}, &PartialError{Clean: clean, Err: err}
}

// Buffered reports whether the rest of an element, or the end of the array, is at hand.
func (e *elements) Buffered() bool {
	b, _ := e.r.Peek(e.r.Buffered()) // what is buffered can be looked at
	if bytes.IndexByte(b, '}') < 0 && bytes.IndexByte(b, ']') < 0 {
		return false
	}
	s := e.s
	for _, c := range b {
		outside := s.depth == 0
		if !s.step(c) || !outside && s.depth == 0 || outside && c == ']' {
			return true
		}
	}
	return false
}

// elementScanner follows the text of an array of objects.
type elementScanner struct {
	place   elementPlace
	depth   int // of what is open within an element
	inText  bool
	escaped bool
}

// elementPlace is where a scanner is, outside of elements.
type elementPlace uint8

const (
	beforeArray  elementPlace = iota
	beforeFirst               // after the opening bracket
	afterElement              // a comma or the closing bracket must follow
	afterComma
	afterArray
)

// isOver reports whether nothing need follow.
func (s *elementScanner) isOver() bool {
	return s.depth == 0 && (s.place == afterArray || s.place == beforeArray)
}

// step goes on by one byte, and reports whether it may stand there. What is within an element is
// not checked: whoever reads it does.
func (s *elementScanner) step(c byte) bool {
	if s.depth > 0 {
		s.within(c)
		return true
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		return true
	case '{':
		if s.place == afterElement || s.place == afterArray {
			return false
		}
		s.depth = 1
		if s.place == beforeArray {
			s.place = afterArray
		} else {
			s.place = afterElement
		}
		return true
	}
	switch {
	case c == '[' && s.place == beforeArray:
		s.place = beforeFirst
	case c == ',' && s.place == afterElement:
		s.place = afterComma
	case c == ']' && (s.place == beforeFirst || s.place == afterElement):
		s.place = afterArray
	default:
		return false
	}
	return true
}

func (s *elementScanner) within(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.inText:
		s.escaped, s.inText = c == '\\', c != '"'
	case c == '"':
		s.inText = true
	case c == '{' || c == '[':
		s.depth++
	case c == '}' || c == ']':
		s.depth--
	}
}
