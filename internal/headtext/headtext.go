// Package headtext reads the words of HTTP/1.1 heads (RFC 9110 section 5), which both ends of the gateway do for each call.
package headtext

import "net/textproto"

// Trim is a field's value without the spaces around it.
func Trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// tokens are the bytes of tokens (RFC 9110 section 5.6.2), a bit for each.
var tokens = [4]uint64{0x03ff6cfa00000000, 0x57ffffffc7fffffe}

// IsToken reports whether s can be a method, or a field's name.
func IsToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; tokens[c>>6]>>(c&63)&1 == 0 {
			return false
		}
	}
	return s != ""
}

// FieldName is a field's name as an http.Header has it; empty if s can be none.
func FieldName(s string) string {
	upper, differs := true, false
	for i := range len(s) {
		c := s[i]
		if tokens[c>>6]>>(c&63)&1 == 0 {
			return ""
		}
		differs = differs || upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z'
		upper = c == '-'
	}
	if differs {
		return textproto.CanonicalMIMEHeaderKey(s)
	}
	return s
}

// IsFieldValue reports whether s can be a field's value, on one line.
func IsFieldValue(s string) bool {
	const each = 0x0101010101010101
	for len(s) >= 8 { // eight at once, as long as all are text
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		del := x ^ 0x7f*each
		if ((x-' '*each)&^x|(del-each)&^del)&(0x80*each) != 0 {
			break
		}
		s = s[8:]
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
