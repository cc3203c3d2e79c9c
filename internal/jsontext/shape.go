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

// IsAlike reports whether b is a but for what is in a few of its strings, which are not named "type", and for digits. It is
// false of some documents that are. Both have been checked.
func IsAlike(a, b []byte) bool {
	i, j := 0, 0
	for range maxUnlike {
		n := commonFront(a[i:], b[j:])
		i, j = i+n, j+n
		switch {
		case i == len(a) || j == len(b):
			return i == len(a) && j == len(b) && i > 0
		case i == 0 || j == 0:
			return false
		case isDigit(a[i]) && (isDigit(b[j]) || isDigit(b[j-1])), isDigit(b[j]) && isDigit(a[i-1]):
			i, j = skipDigits(a, i), skipDigits(b, j)
		case isType(a[:i]):
			return false
		default:
			if i, j = valueEnd(a, i), valueEnd(b, j); i < 0 || j < 0 {
				return false
			}
		}
	}
	return false
}

// maxUnlike bounds the places in which documents that are alike differ.
const maxUnlike = 12

// isType reports whether text ends within the string of a member named "type".
func isType(text []byte) bool {
	return bytes.HasSuffix(text[:max(bytes.LastIndexByte(text, '"'), 0)], []byte(`"type":`))
}

// valueEnd returns the index of the quote that ends the string within which i is; -1 if that is no value.
func valueEnd(b []byte, i int) int {
	if isEscaped(b, i) {
		i++
	}
	for i+1 < len(b) && b[i] != '"' {
		if b[i] == '\\' {
			i++
		}
		i++
	}
	if i+1 >= len(b) || b[i+1] != ',' && b[i+1] != '}' && b[i+1] != ']' {
		return -1
	}
	return i
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
