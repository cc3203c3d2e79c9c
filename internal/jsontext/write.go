package jsontext

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD; nothing is escaped that need
// not be.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if isPlain(c) {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// AppendInt appends n.
func AppendInt(dst []byte, n int64) []byte {
	return strconv.AppendInt(dst, n, 10)
}

// AppendFloat appends f in the fewest digits that read back as f, spelled as encoding/json does. JSON has no
// NaN and no infinities: they are written as null, as JavaScript does.
func AppendFloat(dst []byte, f float64) []byte {
	size := math.Abs(f)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if size == 0 || 1e-6 <= size && size < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 is spelled e-9
		dst = dst[:n-1]
	}
	return dst
}

// AppendBool appends true or false.
func AppendBool(dst []byte, b bool) []byte {
	return strconv.AppendBool(dst, b)
}

// Writer builds one JSON document without white space and places the commas. Its methods cannot fail; calling
// them in an order that makes no document panics. The zero value is ready to use.
type Writer struct {
	buf   []byte
	open  []byte // the brackets that are not closed yet
	begun bool   // the innermost container, or the document, has a value
	keyed bool   // a key was written and waits for its value
}

// Reset begins a new document after the bytes of buf. Pass buf[:0] to use only its memory.
func (w *Writer) Reset(buf []byte) {
	w.buf, w.open, w.begun, w.keyed = buf, w.open[:0], false, false
}

// Bytes returns what was given to Reset and the finished document. The writer keeps no claim to it except that
// Reset may be given the same memory.
func (w *Writer) Bytes() []byte {
	if len(w.open) > 0 || !w.begun {
		panic("BUG: jsontext: document is not finished")
	}
	return w.buf
}

// BeginObject begins an object; every value in it follows a Key.
func (w *Writer) BeginObject() { w.begin('{') }

// EndObject ends the innermost object.
func (w *Writer) EndObject() { w.end('{', '}') }

// BeginArray begins an array.
func (w *Writer) BeginArray() { w.begin('[') }

// EndArray ends the innermost array.
func (w *Writer) EndArray() { w.end('[', ']') }

// Key writes the name of a member. The caller sees to it that names do not repeat.
func (w *Writer) Key(k string) {
	if w.inside() != '{' || w.keyed {
		panic("BUG: jsontext: key outside of an object, or after a key")
	}
	if w.begun {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(AppendString(w.buf, k), ':')
	w.keyed = true
}

// String writes a string.
func (w *Writer) String(s string) {
	w.place()
	w.buf = AppendString(w.buf, s)
}

// Int writes a number.
func (w *Writer) Int(n int64) {
	w.place()
	w.buf = AppendInt(w.buf, n)
}

// Float writes a number, as [AppendFloat] does.
func (w *Writer) Float(f float64) {
	w.place()
	w.buf = AppendFloat(w.buf, f)
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) {
	w.place()
	w.buf = AppendBool(w.buf, b)
}

// Null writes null.
func (w *Writer) Null() {
	w.place()
	w.buf = append(w.buf, "null"...)
}

// Raw writes v, one complete JSON value, as it is. An absent one is written as null.
func (w *Writer) Raw(v []byte) {
	if len(v) == 0 {
		w.Null()
		return
	}
	w.place()
	w.buf = append(w.buf, v...)
}

// StringField writes a member that is a string.
func (w *Writer) StringField(k, s string) { w.Key(k); w.String(s) }

// IntField writes a member that is an integer.
func (w *Writer) IntField(k string, n int64) { w.Key(k); w.Int(n) }

// FloatField writes a member that is a number.
func (w *Writer) FloatField(k string, f float64) { w.Key(k); w.Float(f) }

// BoolField writes a member that is true or false.
func (w *Writer) BoolField(k string, b bool) { w.Key(k); w.Bool(b) }

// NullField writes a member that is null.
func (w *Writer) NullField(k string) { w.Key(k); w.Null() }

// RawField writes a member whose value is v, as [Writer.Raw] does.
func (w *Writer) RawField(k string, v []byte) { w.Key(k); w.Raw(v) }

// place makes ready for a value: after a key, after a comma in an array, or at the start.
func (w *Writer) place() {
	switch w.inside() {
	case '{':
		if !w.keyed {
			panic("BUG: jsontext: value without a key")
		}
	case '[':
		if w.begun {
			w.buf = append(w.buf, ',')
		}
	default:
		if w.begun {
			panic("BUG: jsontext: second value in a document")
		}
	}
	w.keyed = false
	w.begun = true
}

func (w *Writer) begin(bracket byte) {
	w.place()
	w.buf = append(w.buf, bracket)
	w.open = append(w.open, bracket)
	w.begun = false
}

func (w *Writer) end(bracket, closing byte) {
	if w.inside() != bracket || w.keyed {
		panic("BUG: jsontext: end of what is not open, or after a key")
	}
	w.buf = append(w.buf, closing)
	w.open = w.open[:len(w.open)-1]
	w.begun = true
}

// inside returns the innermost open bracket, or 0.
func (w *Writer) inside() byte {
	if len(w.open) == 0 {
		return 0
	}
	return w.open[len(w.open)-1]
}

// Compact appends v without the white space between its parts.
func Compact(dst []byte, v Value) []byte {
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case c == '"':
			end := skipString(v, i)
			if end < 0 {
				return append(dst, v[i:]...)
			}
			dst = append(dst, v[i:end]...)
			i = end
		case isSpace(c):
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}
