package jsontext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Shape is the same of documents that have the same members in the same places, and of very few others: it is made of
// their names, brackets and nulls, and of the strings that members named "type" have. b has been checked.
func Shape(b []byte) uint64 {
	const typ = `"type"`
	h := uint64(len(typ))
	isType := false
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '"':
			end := skipString(b, i)
			if end < 0 {
				return h
			}
			next := skipSpace(b, end)
			isName := next < len(b) && b[next] == ':'
			if isName || isType {
				h = mixText(h, b[i:end])
			} else {
				h = mix(h, '"')
			}
			isType = isName && string(b[i:end]) == typ
			i = end
		case '{', '}', '[', ']', 'n':
			h, isType = mix(h, uint64(c)), false
			i++
		default:
			i++
		}
	}
	return h
}

func mixText(h uint64, text []byte) uint64 {
	for ; len(text) >= 8; text = text[8:] {
		h = mix(h, binary.LittleEndian.Uint64(text))
	}
	var last uint64
	for _, c := range text {
		last = last<<8 | uint64(c)
	}
	return mix(h, last)
}

func mix(h, x uint64) uint64 {
	high, low := bits.Mul64(h^0x9E3779B97F4A7C15, x^0xD6E8FEB86659FD93)
	return high ^ low
}

// IsAlike reports whether b is a but for what is in one of its strings, which is not named "type". It is false of some
// documents that are. Both have been checked.
func IsAlike(a, b []byte) bool {
	front := commonFront(a, b)
	back := commonBack(a[front:], b[front:])
	if !isInside(a[front:len(a)-back]) || !isInside(b[front:len(b)-back]) {
		return false
	}
	open, end := bytes.LastIndexByte(a[:front], '"'), bytes.IndexByte(a[len(a)-back:], '"')
	if open < 0 || end < 0 || len(a)-back+end+1 == len(a) || bytes.HasSuffix(a[:open], []byte(`"type":`)) {
		return false
	}
	switch a[len(a)-back+end+1] { // what follows a string that is no name
	case ',', '}', ']':
		return true
	}
	return false
}

// isInside reports whether text that stands between the quotes of a string, or between strings, ends neither.
func isInside(text []byte) bool {
	return bytes.IndexByte(text, '"') < 0 && !bytes.HasSuffix(text, []byte(`\`))
}

func commonFront(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 && len(b)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonBack(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 && len(b)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[len(a)-n-8:]) ^ binary.LittleEndian.Uint64(b[len(b)-n-8:]); x != 0 {
			return n + bits.LeadingZeros64(x)/8
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[len(a)-n-1] == b[len(b)-n-1] {
		n++
	}
	return n
}
