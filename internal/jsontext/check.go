package jsontext

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// DefaultDepth is how many objects and arrays may enclose each other unless [Limits] says otherwise.
const DefaultDepth = 128

// Limits says what [Check] lets through. The zero value is the strict default.
type Limits struct {
	Depth           int  // objects and arrays inside each other; 0 means DefaultDepth
	AllowDuplicates bool // names may repeat within an object
}

// ErrorKind sorts the reasons why a text is refused.
type ErrorKind uint8

// The reasons why a text is refused.
const (
	Syntax    ErrorKind = iota // not JSON
	Depth                      // nested beyond the limit
	Duplicate                  // a name repeats, or differs from another only by case
	UTF8                       // bytes in a string are not UTF-8
	Trailing                   // something follows the value
	Empty                      // nothing but white space
)

// SyntaxError is the error of [Check].
type SyntaxError struct {
	Offset int // bytes before the place
	Msg    string
	Kind   ErrorKind
}

// Error returns the reason and the place.
func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Msg
}

// Check returns nil if b is one JSON document (RFC 8259) that every reader will understand alike: in UTF-8
// without a byte order mark, nested no deeper than the limit, and with no two names in an object that are equal
// after unescaping or differ only by Unicode simple case folding, since some readers ignore case. Escaped lone
// surrogates are legal. The error is a [*SyntaxError].
func Check(b []byte, l Limits) error {
	// Enough for ordinary documents to be checked without allocating.
	var frames [16]frame
	var names [48]name
	c := checker{text: b, depth: l.Depth, duplicates: l.AllowDuplicates, open: frames[:0], names: names[:0]}
	if c.depth == 0 {
		c.depth = DefaultDepth
	}
	if fault := c.document(); fault.msg != "" {
		return &SyntaxError{Offset: c.at, Msg: fault.msg, Kind: fault.kind}
	}
	return nil
}

// checker reads a document once. It keeps its own stack: the depth of the text is not the depth of the calls.
type checker struct {
	text       []byte
	at         int
	depth      int
	duplicates bool
	open       []frame
	names      []name // of all open objects, innermost last
}

// frame is an object or array that is not closed yet.
type frame struct {
	object bool
	names  int                 // where its names begin in checker.names
	seen   map[string]struct{} // its folded names, once there are too many to look through
}

// fault is a reason to refuse the text at checker.at. The zero fault is none.
type fault struct {
	kind ErrorKind
	msg  string
}

var noFault = fault{}

func (c *checker) document() fault {
	c.space()
	if c.at == len(c.text) {
		return fault{Empty, "no value"}
	}
	for {
		opened, f := c.value()
		if f != noFault {
			return f
		}
		if opened {
			continue
		}
		ended, f := c.after()
		if f != noFault {
			return f
		}
		if ended {
			break
		}
	}
	c.space()
	if c.at < len(c.text) {
		return fault{Trailing, "something follows the value"}
	}
	return noFault
}

// value reads a scalar or an empty container whole. Of any other container it reads the bracket and, in an
// object, the first name, and reports that it was opened.
func (c *checker) value() (opened bool, f fault) {
	if c.at == len(c.text) {
		return false, c.unexpected()
	}
	switch b := c.text[c.at]; b {
	case '"':
		_, f = c.str()
		return false, f
	case '{', '[':
		return c.begin(b == '{')
	case 't':
		return false, c.literal("true")
	case 'f':
		return false, c.literal("false")
	case 'n':
		return false, c.literal("null")
	default:
		end, ok := numberEnd(c.text, c.at)
		c.at = end
		if !ok {
			return false, c.unexpected()
		}
		return false, noFault
	}
}

func (c *checker) begin(object bool) (opened bool, f fault) {
	if len(c.open) >= c.depth {
		return false, fault{Depth, "nested more than " + strconv.Itoa(c.depth) + " deep"}
	}
	c.at++
	c.space()
	closing := byte(']')
	if object {
		closing = '}'
	}
	if c.at < len(c.text) && c.text[c.at] == closing {
		c.at++
		return false, noFault
	}
	c.open = append(c.open, frame{object: object, names: len(c.names)})
	if object {
		return true, c.member()
	}
	return true, noFault
}

// after reads what follows a value: closing brackets, then a comma and, in an object, the next name. It reports
// whether the document has ended.
func (c *checker) after() (ended bool, f fault) {
	for len(c.open) > 0 {
		top := &c.open[len(c.open)-1]
		c.space()
		if c.at == len(c.text) {
			return false, c.unexpected()
		}
		switch b := c.text[c.at]; {
		case b == ',':
			c.at++
			c.space()
			if top.object {
				return false, c.member()
			}
			return false, noFault
		case b == '}' && top.object, b == ']' && !top.object:
			c.at++
			c.names = c.names[:top.names]
			c.open = c.open[:len(c.open)-1]
		default:
			return false, c.unexpected()
		}
	}
	return true, noFault
}

// member reads a name and its colon.
func (c *checker) member() fault {
	if c.at == len(c.text) || c.text[c.at] != '"' {
		return c.unexpected()
	}
	start := c.at
	plain, f := c.str()
	if f != noFault {
		return f
	}
	if !c.duplicates && !c.isNew(c.text[start+1:c.at-1], plain) {
		shown := Value(c.text[start:c.at])
		c.at = start
		text, _ := shown.Text() // it was read as a string just now
		return fault{Duplicate, "name " + strconv.Quote(clip(text)) + " repeats, or differs only by case"}
	}
	c.space()
	if c.at == len(c.text) || c.text[c.at] != ':' {
		return c.unexpected()
	}
	c.at++
	c.space()
	return noFault
}

// str reads a string and reports whether it is plain: ASCII without escapes.
func (c *checker) str() (plain bool, f fault) {
	b := c.text
	i := c.at + 1
	plain = true
	for {
		i = plainEnd(b, i)
		c.at = i
		if i == len(b) {
			return false, c.unexpected()
		}
		switch x := b[i]; {
		case x == '"':
			c.at++
			return plain, noFault
		case x == '\\':
			plain = false
			n := escapeLen(b, i)
			if n == 0 {
				return false, fault{Syntax, "broken escape in string"}
			}
			i += n
		case x < ' ':
			return false, fault{Syntax, "control character in string"}
		default:
			plain = false
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n == 1 {
					c.at = i
					return false, fault{UTF8, "string is not UTF-8"}
				}
				i += n
			}
		}
	}
}

// escapeLen returns the length of the escape at i, or 0 if it is none.
func escapeLen(b []byte, i int) int {
	if i+1 == len(b) {
		return 0
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if unit(b, i) >= 0 {
			return 6
		}
	}
	return 0
}

func (c *checker) literal(word string) fault {
	for i := range len(word) {
		if c.at == len(c.text) || c.text[c.at] != word[i] {
			return c.unexpected()
		}
		c.at++
	}
	return noFault
}

func (c *checker) space() {
	c.at = skipSpace(c.text, c.at)
}

func (c *checker) unexpected() fault {
	if c.at >= len(c.text) {
		return fault{Syntax, "text breaks off"}
	}
	if b := c.text[c.at]; b < utf8.RuneSelf {
		return fault{Syntax, "unexpected " + strconv.QuoteRune(rune(b))}
	}
	return fault{Syntax, "unexpected byte outside of a string"}
}

// name is the name of a member, made ready for comparing.
type name struct {
	sign uint64 // equal for equal names, whatever their case
	text []byte // plain as written, or folded
}

// fewNames is up to how many names an object's new name is compared with one by one.
const fewNames = 16

// isNew adds a name to the innermost object and reports whether nothing there could be taken for it.
func (c *checker) isNew(raw []byte, plain bool) bool {
	top := &c.open[len(c.open)-1]
	if !plain {
		raw = fold(nil, raw)
	}
	if top.seen != nil {
		return top.add(raw)
	}
	n := name{signOf(raw), raw}
	others := c.names[top.names:]
	for i := range others {
		if others[i].sign == n.sign && equalFold(others[i].text, n.text) {
			return false
		}
	}
	if len(others) < fewNames {
		c.names = append(c.names, n)
		return true
	}
	top.seen = make(map[string]struct{}, 4*fewNames)
	for i := range others {
		top.add(others[i].text)
	}
	return top.add(raw)
}

func (f *frame) add(text []byte) bool {
	var buf [64]byte
	low := append(buf[:0], text...)
	for i, b := range low {
		low[i] = lower(b)
	}
	if _, ok := f.seen[string(low)]; ok {
		return false
	}
	f.seen[string(low)] = struct{}{}
	return true
}

// signOf packs the length and three bytes of a name. Setting 0x20 makes both cases of a letter alike.
func signOf(b []byte) uint64 {
	n := len(b)
	if n == 0 {
		return 0
	}
	return uint64(n)<<24 | uint64(b[0]|0x20)<<16 | uint64(b[n/2]|0x20)<<8 | uint64(b[n-1]|0x20)
}

// equalFold compares texts that are ASCII or folded.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b | 0x20
	}
	return b
}

// fold appends the text of a name with every rune replaced by one that stands for all its cases: the lower case
// for ASCII, so that plain names need no folding, and the smallest rune otherwise. Bytes that are not UTF-8 and
// lone surrogates become U+FFFD, as they do in most readers.
func fold(dst, raw []byte) []byte {
	var buf [64]byte
	text := unescape(buf[:0], raw, false)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		least := r
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			least = min(least, o)
		}
		if least < utf8.RuneSelf {
			dst = append(dst, lower(byte(least)))
			continue
		}
		dst = utf8.AppendRune(dst, least)
	}
	return dst
}
