package gateway

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// seam joins what an understudy says to what the client has had: it leaves out what is
// said again. It holds text back only while that is not decided.
type seam struct {
	// before ends what the client has had. With strict set it is white space that the
	// understudy was not shown, and nothing else can be said again.
	before []byte
	strict bool

	held    []byte
	open    []int // where in before a repetition may begin: what is held fits so far
	checked int   // bytes of held that open was held against
	again   int   // bytes of held that the longest repetition which came to its end has
	decided bool
}

const (
	// maxAgain is how far back a repetition may begin, but for one of everything.
	maxAgain = 4 << 10
	// maxPreamble is how much an understudy may say before it repeats the end of what
	// was said and goes on, in bytes.
	maxPreamble = 200
	// The end of what was said is looked for by its last maxTailSeen bytes; one of less than
	// minTailSeen could stand anywhere.
	minTailSeen, maxTailSeen = 16, 32
	// sureAgain characters in a row are no coincidence, wherever they begin.
	sureAgain = 8
)

// newSeam is the seam after a text that an understudy was shown whole, and asked to go on from.
func newSeam(before string) *seam {
	s := &seam{before: []byte(before)}
	for i := range before {
		if i == 0 || len(before)-i <= maxAgain {
			s.open = append(s.open, i)
		}
	}
	return s
}

// newStrictSeam is the seam where the understudy continues the text itself, except for the
// white space at its end.
func newStrictSeam(space string) *seam {
	s := newSeam(space)
	s.strict = true
	return s
}

// add takes the next piece of what the understudy says, and returns what is new.
func (s *seam) add(text string) string {
	if s.decided {
		return text
	}
	s.held = append(s.held, text...)
	s.narrow()
	switch {
	case len(s.held) == 0 || len(s.open) > 0:
		return ""
	case s.again == 0 && !s.strict:
		cut, known := s.preamble()
		if !known {
			return ""
		}
		s.again = cut
	}
	return s.decide()
}

// end returns what is still held when the understudy has nothing more to say.
func (s *seam) end() string {
	if s.decided {
		return ""
	}
	// It stopped in the middle of saying something again.
	for _, at := range s.open {
		if s.isAgain(s.before[at:at+len(s.held)], at) && utf8.RuneCount(s.held) >= sureAgain {
			s.again = len(s.held)
		}
	}
	return s.decide()
}

func (s *seam) decide() string {
	text := string(s.held[s.again:])
	s.decided, s.held, s.open = true, nil, nil
	return text
}

// narrow drops the beginnings that what has come does not fit, and takes note of those
// whose repetition is complete.
func (s *seam) narrow() {
	s.open = slices.DeleteFunc(s.open, func(at int) bool {
		rest := s.before[at:]
		n := min(len(rest), len(s.held))
		if !bytes.Equal(rest[s.checked:n], s.held[s.checked:n]) {
			return true
		}
		if n < len(rest) {
			return false
		}
		if s.isAgain(rest, at) {
			s.again = max(s.again, n)
		}
		return true
	})
	s.checked = len(s.held)
}

// isAgain reports whether text, which stands at a place in before and was said again, is
// more than a coincidence: long, or some whole words, or blanks, of which one is enough.
func (s *seam) isAgain(text []byte, at int) bool {
	if s.strict || len(bytes.Trim(text, " \t")) == 0 || utf8.RuneCount(text) >= sureAgain {
		return true
	}
	last, _ := utf8.DecodeLastRune(s.before[:at])
	first, _ := utf8.DecodeRune(text)
	beginsInWord := isWord(last) && isWord(first)
	return !beginsInWord && bytes.ContainsFunc(text, isWord)
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r)) }

// preamble looks for the end of before in what is held: an understudy that announces what
// it will do, and quotes, has not gone on yet. It returns what to leave out, and whether
// that is known.
func (s *seam) preamble() (cut int, known bool) {
	if len(s.before) < minTailSeen {
		return 0, true
	}
	tail := s.before[max(len(s.before)-maxTailSeen, 0):]
	for !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	most := maxPreamble + len(tail)
	if i := bytes.Index(s.held[:min(len(s.held), most)], tail); i >= 0 {
		return i + len(tail), true
	}
	return 0, len(s.held) >= most
}
