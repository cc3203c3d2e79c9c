package jsontext

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Value is the text of one JSON value, without white space around it. It aliases the text it was found in. The
// empty Value stands for an absent one.
type Value []byte

// Kind is what sort of JSON value a text is.
type Kind uint8

// The kinds of value. Invalid is the kind of an absent one.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String returns the kind's name for messages: "null", "boolean", "number", "string", "array", "object", or
// "nothing".
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	case Invalid:
	}
	return "nothing"
}

// Parse checks a whole document, as [Check] does with the default limits, and returns its value.
func Parse(b []byte) (Value, error) {
	return parse(b, Limits{})
}

// ParseLenient is [Parse] for text from a provider: names may repeat, and the last one wins.
func ParseLenient(b []byte) (Value, error) {
	return parse(b, Limits{AllowDuplicates: true})
}

func parse(b []byte, l Limits) (Value, error) {
	if err := Check(b, l); err != nil {
		return nil, err
	}
	return trim(b), nil
}

// trim returns the value of a document that has one.
func trim(b []byte) Value {
	start, end := skipSpace(b, 0), len(b)
	for isSpace(b[end-1]) {
		end--
	}
	return Value(b[start:end:end])
}

// Kind tells the kind of v from its first byte.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Invalid
	}
	switch c := v[0]; c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		if c == '-' || isDigit(c) {
			return Number
		}
	}
	return Invalid
}

// IsNull reports whether v is null or absent.
func (v Value) IsNull() bool {
	return len(v) == 0 || v[0] == 'n'
}

// Bool returns the value of true or false.
func (v Value) Bool() (bool, error) {
	switch string(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, Mismatch("boolean", v)
}

// Get returns the value of a member, or, given several keys, of a member of a member. Keys are compared exactly,
// after unescaping. It returns nil if there is no such member or something on the way is not an object.
func (v Value) Get(keys ...string) Value {
	for _, key := range keys {
		it, ok := find(v, 0, key)
		if !ok {
			return nil
		}
		v = v[it.val:it.end:it.end]
	}
	return v
}

// find returns the member named key of the object at offset at. It reads to the end: in text that
// ParseLenient let through, the last of several wins.
func find(text []byte, at int, key string) (found item, ok bool) {
	if at >= len(text) || text[at] != '{' {
		return item{}, false
	}
	var it item
	w := walk(text, at)
	for w.next(&it) {
		if isNamed(it.name(text), key) {
			found, ok = it, true
		}
	}
	return found, ok
}

// findFirst is find where names do not repeat: it reads no further than to the member.
func findFirst(text []byte, at int, key string) (it item, ok bool) {
	if at >= len(text) || text[at] != '{' {
		return item{}, false
	}
	w := walk(text, at)
	for w.next(&it) {
		if isNamed(it.name(text), key) {
			return it, true
		}
	}
	return item{}, false
}

// Object calls f for each member in order. It returns an error if v is not an object, and the first error of f,
// as a [PathError] that names the member.
func (v Value) Object(f func(key string, val Value) error) error {
	return v.Members(func(name []byte, val Value) error { return f(string(name), val) })
}

// Members is [Value.Object] for where speed counts: name is valid only until f returns, so that none is allocated,
// and a switch over string(name) does not allocate either.
func (v Value) Members(f func(name []byte, val Value) error) error {
	if v.Kind() != Object {
		return Mismatch("object", v)
	}
	var it item
	w := walk(v, 0)
	for w.next(&it) {
		name := it.name(v)
		if bytes.IndexByte(name, '\\') >= 0 {
			name = unescape(nil, name, false)
		}
		if err := f(name, v[it.val:it.end:it.end]); err != nil {
			return At(string(name), err)
		}
	}
	if w.bad {
		return &SyntaxError{Offset: w.at, Msg: "broken object"}
	}
	return nil
}

// Array calls f for each element in order. It returns an error if v is not an array, and the first error of f,
// as a [PathError] that names the element.
func (v Value) Array(f func(i int, val Value) error) error {
	if v.Kind() != Array {
		return Mismatch("array", v)
	}
	var it item
	w := walk(v, 0)
	for i := 0; w.next(&it); i++ {
		if err := f(i, v[it.val:it.end:it.end]); err != nil {
			return prefix("["+strconv.Itoa(i)+"]", err)
		}
	}
	if w.bad {
		return &SyntaxError{Offset: w.at, Msg: "broken array"}
	}
	return nil
}

// nameOf returns the text of a member's name, given without its quotes.
func nameOf(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	return string(unescape(nil, raw, false))
}

// PathError says where in a document something was wrong.
type PathError struct {
	Path string // such as messages[2].content[0].type
	Err  error
}

// Error returns the path and the reason.
func (e *PathError) Error() string {
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *PathError) Unwrap() error {
	return e.Err
}

// At returns err as a [PathError] at the member named key. If err is one already, key is put before its path. It
// returns nil if err is nil.
func At(key string, err error) error {
	if err == nil {
		return nil
	}
	return prefix(pathKey(key), err)
}

func prefix(step string, err error) error {
	// Only an error that is itself a PathError grows; one wrapped in other words keeps its words.
	inner, ok := err.(*PathError) //nolint:errorlint // see above
	switch {
	case !ok:
		return &PathError{Path: step, Err: err}
	case strings.HasPrefix(inner.Path, "["):
		return &PathError{Path: step + inner.Path, Err: inner.Err}
	default:
		return &PathError{Path: step + "." + inner.Path, Err: inner.Err}
	}
}

// pathKey spells a key for a path: as it is if it is a plain word, quoted in brackets otherwise, and never long.
func pathKey(key string) string {
	plain := key != "" && len(key) <= maxShown
	for i := 0; plain && i < len(key); i++ {
		c := key[i]
		plain = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '-' || c == '$'
	}
	if plain {
		return key
	}
	return "[" + strconv.Quote(clip(key)) + "]"
}

// maxShown is how many bytes of a name are shown in an error.
const maxShown = 64

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// Mismatch returns the error for a value of the wrong kind: "want string, got number".
func Mismatch(want string, got Value) error {
	return errors.New("want " + want + ", got " + got.Kind().String())
}
