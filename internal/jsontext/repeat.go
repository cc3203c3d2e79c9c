package jsontext

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Repeat recognises documents that are the same as an earlier one but for a few of its strings and numbers, as the
// chunks of a stream are: what was found out about that one holds for them, too, and they need no parsing. The zero
// value recognises nothing.
type Repeat struct {
	text  []byte // the earlier document without the strings
	holes []hole
}

// hole is where a string stood in Repeat.text, and which of the strings it was. In the place of a number there is one.
type hole struct {
	at, which int
	isNumber  bool
}

// Learn makes doc, which was found to be good, the earlier document. strings are up to three strings in it, or numbers,
// in any order; each aliases doc. An empty one is passed over.
func (r *Repeat) Learn(doc []byte, strings ...Value) {
	r.text, r.holes = r.text[:0], r.holes[:0]
	for i, s := range strings {
		if at := offset(doc, s); at >= 0 {
			r.holes = append(r.holes, hole{at, i, s.Kind() == Number})
		}
	}
	slices.SortFunc(r.holes, func(a, b hole) int { return a.at - b.at })
	from := 0
	for i := range r.holes {
		c := &r.holes[i]
		r.text = append(r.text, doc[from:c.at]...)
		from = c.at + len(strings[c.which])
		c.at = len(r.text)
	}
	r.text = append(r.text, doc[from:]...)
}

// offset is where s, which aliases doc, stands in it; -1 if it does not.
func offset(doc []byte, s Value) int {
	if len(s) == 0 {
		return -1
	}
	for from := 0; ; from++ {
		at := bytes.Index(doc[from:], s)
		if at < 0 {
			return -1
		}
		if from += at; &doc[from] == &s[0] {
			return from
		}
	}
}

// Match returns the strings of a document that is the same as the earlier one but for them, in the order in which Learn
// was given them. It is false of some documents that are: strings with unusual escapes, and numbers that are not plain
// digits, are left to a parser.
func (r *Repeat) Match(doc []byte) (strings [3]Value, ok bool) {
	if len(r.holes) == 0 || len(doc) < len(r.text) {
		return strings, false
	}
	at, from := 0, 0
	for _, c := range r.holes {
		if !bytes.HasPrefix(doc[at:], r.text[from:c.at]) {
			return strings, false
		}
		at += c.at - from
		var end int
		if c.isNumber {
			end = endOfDigits(doc, at)
		} else {
			end = endOfString(doc, at)
		}
		if end < 0 {
			return strings, false
		}
		strings[c.which] = doc[at:end:end]
		at, from = end, c.at
	}
	return strings, bytes.Equal(doc[at:], r.text[from:])
}

// Forget makes Match recognise nothing.
func (r *Repeat) Forget() { r.holes = r.holes[:0] }

// endOfDigits returns the index after the digits that begin at i; -1 if there are none, or if no number begins so.
func endOfDigits(b []byte, i int) int {
	end := i
	for end < len(b) && '0' <= b[end] && b[end] <= '9' {
		end++
	}
	if end == i || b[i] == '0' && end > i+1 {
		return -1
	}
	return end
}

// endOfString returns the index after the string that begins at i; -1 if none does, if it is no good, or if it has
// escapes of more than one letter.
func endOfString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; {
		if i = plainEnd(b, i); i == len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i+1 == len(b) || bytes.IndexByte([]byte(`"\/bfnrt`), b[i+1]) < 0 {
				return -1
			}
			i += 2
		case c >= utf8.RuneSelf:
			char, size := utf8.DecodeRune(b[i:])
			if char == utf8.RuneError && size == 1 {
				return -1
			}
			i += size
		default:
			return -1
		}
	}
}
