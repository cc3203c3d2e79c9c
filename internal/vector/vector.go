// Package vector turns vectors from the text of JSON arrays into packed 32-bit floats
// and back, which is how vendors write embeddings. Both ways are exact: a number is
// the 32-bit float nearest to its text, and a float is written in the fewest digits
// that read back as it. It knows no vendor and computes nothing.
package vector

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// size is the bytes of one packed number.
const size = 4

var (
	errNotNumbers = errors.New("want an array of numbers")
	errNotFinite  = errors.New("want finite numbers")
	errSize       = errors.New("want 4 bytes a number")
)

// Pack appends the numbers of a JSON array to dst. An error says that text is no such
// array, or has a number that no 32-bit float is near.
func Pack(dst, text []byte) ([]byte, error) {
	i := skip(text, 0)
	if i == len(text) || text[i] != '[' {
		return dst, errNotNumbers
	}
	i = skip(text, i+1)
	if i < len(text) && text[i] == ']' {
		return dst, end(text, i+1)
	}
	for i < len(text) {
		begin := i
		for i < len(text) && isNumber(text[i]) {
			i++
		}
		if !isJSONNumber(text[begin:i]) {
			return dst, errNotNumbers
		}
		f, err := strconv.ParseFloat(string(text[begin:i]), 32)
		if err != nil {
			return dst, errNotFinite
		}
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f)))
		i = skip(text, i)
		switch {
		case i < len(text) && text[i] == ',':
			i = skip(text, i+1)
		case i < len(text) && text[i] == ']':
			return dst, end(text, i+1)
		default:
			return dst, errNotNumbers
		}
	}
	return dst, errNotNumbers
}

// IsNumbers reports whether a JSON value is an array that has numbers in it and nothing
// else. It is for text that is known to be JSON.
func IsNumbers(text []byte) bool {
	if len(text) < 3 || text[0] != '[' {
		return false
	}
	some := false
	for _, c := range text[1 : len(text)-1] {
		switch {
		case isDigit(c):
			some = true
		case isNumber(c), c == ',', c == ' ', c == '\n', c == '\t', c == '\r':
		default:
			return false
		}
	}
	return some
}

// end is nil if nothing but white space follows.
func end(text []byte, i int) error {
	if skip(text, i) != len(text) {
		return errNotNumbers
	}
	return nil
}

func skip(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// isNumber reports whether a byte may stand in a number.
func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '.' || c == 'e' || c == 'E' || c == '+'
}

// isJSONNumber keeps out what Go reads as a number and JSON does not (RFC 8259 section 6).
// What else is wrong, Go finds.
func isJSONNumber(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	for i, c := range b {
		if c == '.' && (i+1 == len(b) || !isDigit(b[i+1])) {
			return false
		}
	}
	return len(b) > 0 && isDigit(b[0]) && (b[0] != '0' || len(b) == 1 || !isDigit(b[1]))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// AppendNumbers appends packed numbers to dst as a JSON array.
func AppendNumbers(dst, packed []byte) ([]byte, error) {
	if len(packed)%size != 0 {
		return dst, errSize
	}
	dst = append(dst, '[')
	for i := 0; i < len(packed); i += size {
		if i > 0 {
			dst = append(dst, ',')
		}
		f := float64(math.Float32frombits(binary.LittleEndian.Uint32(packed[i:])))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return dst, errNotFinite
		}
		form := byte('f')
		if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
			form = 'e'
		}
		dst = strconv.AppendFloat(dst, f, form, -1, 32)
	}
	return append(dst, ']'), nil
}

// Decode reads packed numbers from base64, and checks that they are such.
func Decode(text string) ([]byte, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read a vector: %w", err)
	}
	if len(packed) == 0 || len(packed)%size != 0 {
		return nil, errSize
	}
	return packed, nil
}

// Array returns a vector as a JSON array: numbers itself, which is one, or packed in
// numbers where that is nil.
func Array(numbers, packed []byte) ([]byte, error) {
	if numbers != nil {
		return numbers, nil
	}
	return AppendNumbers(make([]byte, 0, 3*len(packed)+2), packed)
}

// Base64 returns a vector as a JSON string of its packed numbers in base64, made from
// numbers where packed is nil.
func Base64(numbers, packed []byte) ([]byte, error) {
	if packed == nil {
		var err error
		if packed, err = Pack(make([]byte, 0, len(numbers)/2), numbers); err != nil {
			return nil, err
		}
	}
	text := make([]byte, 1, base64.StdEncoding.EncodedLen(len(packed))+2)
	text[0] = '"'
	return append(base64.StdEncoding.AppendEncode(text, packed), '"'), nil
}
