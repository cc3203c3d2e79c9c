package jsontext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Bytes repeated over a word, for looking at eight bytes of a string at once.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plainEnd returns the index of the first byte at or after i that is not plain string content: a quote, a
// backslash, a control character or a byte of a multi-byte rune. It returns len(b) if there is none.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// Each term sets the high bit of the bytes it looks for, and of some that have it set anyway; a borrow may set it
		// above the first hit only.
		hit := (x | (x - ' '*ones) | (x ^ '"'*ones - ones) | (x ^ '\\'*ones - ones)) & highs
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(b) && isPlain(b[i]) {
		i++
	}
	return i
}

func isPlain(c byte) bool {
	return c >= ' ' && c != '"' && c != '\\' && c < 0x80
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

func isDigit(c byte) bool {
	return '0' <= c && c <= '9'
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// skipString returns the index after the string whose opening quote is at i, or -1 if it does not end.
func skipString(b []byte, i int) int {
	// Most are short: names, words, numbers in quotes. These are over before a search has begun.
	j := i + 1
	for short := j + 32; j < short && j+8 <= len(b); {
		x := binary.LittleEndian.Uint64(b[j:])
		quote, slash := x^('"'*ones), x^('\\'*ones)
		hit := ((quote-ones)&^quote | (slash-ones)&^slash) & highs
		if hit == 0 {
			j += 8
			continue
		}
		j += bits.TrailingZeros64(hit) / 8
		if b[j] == '"' {
			return j + 1
		}
		j += 2
	}
	if j > len(b) {
		return -1
	}
	for first := j - 1; ; j++ { // nothing before j escapes what is at j
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return -1
		}
		j += n
		k := j - 1
		for k > first && b[k] == '\\' {
			k--
		}
		if (j-k)%2 == 1 {
			return j + 1
		}
	}
}

// skipValue returns the index after the value that begins at i, or -1 if none does.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !endsScalar(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func endsScalar(c byte) bool {
	switch c {
	case ',', ':', ']', '}', '[', '{', '"', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

// skipNested counts brackets instead of recursing, so depth costs nothing.
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			if i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// numberEnd returns the index after the JSON number that begins at i, or the index of the byte that spoils it
// and false.
func numberEnd(b []byte, i int) (int, bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && isDigit(b[i]):
		i = skipDigits(b, i)
	default:
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		i++
		if i == len(b) || !isDigit(b[i]) {
			return i, false
		}
		i = skipDigits(b, i)
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i == len(b) || !isDigit(b[i]) {
			return i, false
		}
		i = skipDigits(b, i)
	}
	return i, true
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// item is one member of an object or one element of an array, as offsets. For an element, key and keyEnd equal
// val.
type item struct {
	key, keyEnd int // the name with its quotes
	val, end    int
}

// walker steps through the items of one object or array.
type walker struct {
	text   []byte
	at     int
	object bool
	begun  bool
	bad    bool // the text broke off or is not JSON
}

// walk starts at the opening bracket at offset at.
func walk(text []byte, at int) walker {
	return walker{text: text, at: at + 1, object: text[at] == '{'}
}

// next finds the next item. After it returns false, at is the offset of the closing bracket, unless bad is set.
func (w *walker) next(it *item) bool {
	b := w.text
	i := skipSpace(b, w.at)
	closing := byte(']')
	if w.object {
		closing = '}'
	}
	switch {
	case i == len(b):
		return w.fail(i)
	case b[i] == closing:
		w.at = i
		return false
	case w.begun && b[i] != ',':
		return w.fail(i)
	case w.begun:
		i = skipSpace(b, i+1)
	}
	w.begun = true
	it.key, it.keyEnd = i, i
	if w.object {
		if i == len(b) || b[i] != '"' {
			return w.fail(i)
		}
		end := skipString(b, i)
		if end < 0 {
			return w.fail(i)
		}
		it.keyEnd = end
		i = skipSpace(b, end)
		if i == len(b) || b[i] != ':' {
			return w.fail(i)
		}
		i = skipSpace(b, i+1)
	}
	it.val = i
	it.end = skipValue(b, i)
	if it.end < 0 {
		return w.fail(i)
	}
	w.at = it.end
	return true
}

func (w *walker) fail(at int) bool {
	w.at, w.bad = at, true
	return false
}

// name returns the content of a member's name, escapes and all.
func (it *item) name(text []byte) []byte {
	return text[it.key+1 : it.keyEnd-1]
}

// isNamed reports whether the name of a member, given without its quotes, means key.
func isNamed(raw []byte, key string) bool {
	if len(raw) == len(key) {
		if string(raw) == key {
			return bytes.IndexByte(raw, '\\') < 0
		}
		return false // an escape is longer than what it stands for
	}
	if len(raw) < len(key) || bytes.IndexByte(raw, '\\') < 0 {
		return false
	}
	var buf [64]byte
	return string(unescape(buf[:0], raw, false)) == key
}
