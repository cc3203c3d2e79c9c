package jsontext

import (
	"bytes"
	"unicode/utf8"
)

const (
	highFirst, highLast = 0xD800, 0xDBFF
	lowFirst, lowLast   = 0xDC00, 0xDFFF
)

// Text returns the content of a JSON string. Half a surrogate pair standing alone becomes U+FFFD, as in
// encoding/json; [TextJoiner] is for text that may be cut in the middle of a pair.
func (v Value) Text() (string, error) {
	raw, err := v.content()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), nil
	}
	return string(unescape(make([]byte, 0, len(raw)), raw, false)), nil
}

// content returns what is between the quotes of a JSON string.
func (v Value) content() ([]byte, error) {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return nil, Mismatch("string", v)
	}
	return v[1 : len(v)-1], nil
}

// TextJoiner reads the strings of a stream that are pieces of one text. Producers cut text between UTF-16 code
// units, so that one piece ends with "\ud83d" and the next begins with "\ude00"; the joiner holds the first
// half back until the second comes. The zero value is ready to use.
type TextJoiner struct {
	high rune // a held high surrogate, or 0
}

// Text returns the content of the next piece, preceded by what was held. A half whose other half did not come
// in the next piece that is not empty is returned as U+FFFD.
func (j *TextJoiner) Text(v Value) (string, error) {
	raw, err := v.content()
	if err != nil {
		return "", err
	}
	cut := trailingHigh(raw)
	if j.high == 0 && cut == len(raw) {
		return v.Text()
	}
	if len(raw) == 0 {
		return "", nil
	}
	out := make([]byte, 0, len(raw)+utf8.UTFMax)
	if j.high != 0 {
		if low := unit(raw, 0); low >= lowFirst && low <= lowLast {
			out = utf8.AppendRune(out, join(j.high, low))
			raw, cut = raw[6:], cut-6
		} else {
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		j.high = 0
	}
	if cut < len(raw) {
		j.high = unit(raw, cut)
	}
	return string(unescape(out, raw[:cut], false)), nil
}

// Skip is as Text for one who only asks whether text came out, and does not make it.
func (j *TextJoiner) Skip(v Value) (hasText bool, err error) {
	raw, err := v.content()
	if err != nil || len(raw) == 0 {
		return false, err
	}
	cut := trailingHigh(raw)
	hasText = j.high != 0 || cut > 0
	j.high = 0
	if cut < len(raw) {
		j.high = unit(raw, cut)
	}
	return hasText, nil
}

// Held reports whether half a surrogate pair is waiting for its other half.
func (j *TextJoiner) Held() bool {
	return j.high != 0
}

// Flush ends the text. It returns U+FFFD if half a pair was still held, and otherwise nothing.
func (j *TextJoiner) Flush() string {
	if j.high == 0 {
		return ""
	}
	j.high = 0
	return string(utf8.RuneError)
}

// trailingHigh returns the offset of the escaped high surrogate that ends raw, or len(raw) if none does.
func trailingHigh(raw []byte) int {
	at := len(raw) - 6
	if at < 0 || raw[at] != '\\' {
		return len(raw)
	}
	if r := unit(raw, at); r < highFirst || r > highLast {
		return len(raw)
	}
	if isEscaped(raw, at) {
		return len(raw)
	}
	return at
}

// HasHalf reports whether JSON text has half a surrogate pair that stands alone: as text it is U+FFFD.
func HasHalf(b []byte) bool {
	for from := 0; ; {
		n := bytes.Index(b[from:], []byte(`\u`))
		if n < 0 {
			return false
		}
		at := from + n
		from = at + 2
		r := unit(b, at)
		if r < highFirst || r > lowLast || isEscaped(b, at) {
			continue
		}
		low := unit(b, at+6)
		if r > highLast || low < lowFirst || low > lowLast {
			return true
		}
		from = at + 12
	}
}

// LostHalf reports whether such a half in what was said has become U+FFFD in what was written of it. It may have been
// kept, as it is where JSON stands in strings.
func LostHalf(said, written []byte) bool {
	return bytes.Contains(written, []byte("\uFFFD")) && HasHalf(said) // the first is rarer, and found faster
}

// isEscaped reports whether a backslash at i is the second of two.
func isEscaped(b []byte, i int) bool {
	k := i
	for k > 0 && b[k-1] == '\\' {
		k--
	}
	return (i-k)%2 == 1
}

// unescape appends the text that raw, the inside of a JSON string, stands for. Lone surrogates are appended as
// U+FFFD or, if keepLone is set, as the three bytes UTF-8 would have for them, so that different ones stay
// different.
func unescape(dst, raw []byte, keepLone bool) []byte {
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:n]...)
		raw = raw[n:]
		if len(raw) < 2 {
			return dst
		}
		if raw[1] != 'u' {
			dst = append(dst, unescaped(raw[1]))
			raw = raw[2:]
			continue
		}
		r := unit(raw, 0)
		if r < 0 {
			return dst
		}
		raw = raw[6:]
		if r >= highFirst && r <= highLast {
			if low := unit(raw, 0); low >= lowFirst && low <= lowLast {
				r = join(r, low)
				raw = raw[6:]
			}
		}
		if keepLone && r >= highFirst && r <= lowLast {
			dst = append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// unescaped returns the character that c stands for after a backslash.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unit reads the escape \uXXXX at i, or returns -1.
func unit(b []byte, i int) rune {
	if len(b)-i < 6 || b[i] != '\\' || b[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		d := hexValue(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | d
	}
	return r
}

func hexValue(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

func join(high, low rune) rune {
	return (high-highFirst)<<10 | (low - lowFirst) + 0x10000
}
