package jsontext

import (
	"slices"
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
// after unescaping or differ only by Unicode simple case folding, since some readers ignore case; nor with one in the outermost
// object that only such readers take for ASCII. Escaped lone
// surrogates are legal. The error is a [*SyntaxError].
func Check(b []byte, l Limits) error {
	c := checker{text: b, depth: l.Depth, duplicates: l.AllowDuplicates}
	if c.depth == 0 {
		c.depth = DefaultDepth
	}
	if !c.document() {
		return &SyntaxError{Offset: c.at, Msg: c.msg, Kind: c.kind}
	}
	return nil
}

// checker reads a document once. It keeps its own stack: the depth of the text is not the depth of the calls.
// Its methods return -1 or false if the text is to be refused, with at, kind and msg saying where and why.
type checker struct {
	text       []byte
	depth      int
	duplicates bool
	open       stack[frame]
	names      stack[name] // of all open objects, innermost last
	at         int
	kind       ErrorKind
	msg        string

	// For a Tree: whether it still records, the values so far, and the name of the latest member.
	records     bool
	nodes       []node
	key, keyEnd int
	escaped     bool
}

// frame is an object or array that is not closed yet.
type frame struct {
	object bool
	node   int                 // its place in checker.nodes
	names  int                 // where its names begin in checker.names
	seen   map[string]struct{} // its folded names, once there are too many to look through
}

// stack keeps its first values in itself, so that an ordinary document is checked without allocating.
type stack[T any] struct {
	near [32]T
	far  []T
	n    int
}

func (s *stack[T]) at(i int) *T {
	if i < len(s.near) {
		return &s.near[i]
	}
	return &s.far[i-len(s.near)]
}

func (s *stack[T]) push(v T) {
	if s.n < len(s.near) {
		s.near[s.n] = v
	} else {
		s.far = append(s.far, v)
	}
	s.n++
}

// cut takes values off until n are left.
func (s *stack[T]) cut(n int) {
	s.n = n
	if len(s.far) > 0 {
		s.far = s.far[:max(0, n-len(s.near))]
	}
}

// document reads the text from one value to the next.
func (c *checker) document() bool {
	b := c.text
	i := skipSpace(b, 0)
	if i == len(b) {
		return c.fail(i, Empty, "no value")
	}
	inObject := false
	for {
		if inObject {
			if i = c.member(i); i < 0 {
				return false
			}
		}
		at := len(c.nodes)
		if c.records = c.records && at < maxNodes; c.records {
			c.nodes = slices.Grow(c.nodes, 1)[:at+1]
			n := &c.nodes[at] // set one by one, which is faster than to copy a node that was just made
			n.key, n.keyEnd, n.val, n.escaped = int32(c.key), int32(c.keyEnd), int32(i), c.escaped
		}
		if i == len(b) {
			return c.unexpected(i)
		}
		switch first := b[i]; first {
		case '"':
			i, _ = c.str(i)
		case '{', '[':
			start := i
			i = skipSpace(b, i+1)
			switch {
			case c.open.n >= c.depth:
				return c.fail(start, Depth, "nested more than "+strconv.Itoa(c.depth)+" deep")
			case i < len(b) && b[i] == first+2: // the bracket that closes it
				i++
			default:
				inObject = first == '{'
				c.open.push(frame{object: inObject, node: at, names: c.names.n})
				continue // to the first value inside
			}
		case 't':
			i = c.literal(i, "true")
		case 'f':
			i = c.literal(i, "false")
		case 'n':
			i = c.literal(i, "null")
		default:
			end, ok := numberEnd(b, i)
			if !ok {
				return c.unexpected(end)
			}
			i = end
		}
		if i < 0 {
			return false
		}
		if c.records {
			c.nodes[at].end, c.nodes[at].next = int32(i), int32(len(c.nodes))
		}
		if i = c.after(i); i < 0 {
			return false
		}
		if c.open.n == 0 {
			break
		}
		inObject = c.open.at(c.open.n - 1).object
	}
	if i = skipSpace(b, i); i < len(b) {
		return c.fail(i, Trailing, "something follows the value")
	}
	return true
}

// after reads what follows a value, which ends at i: closing brackets, then a comma. It leaves nothing open if the
// document has ended.
func (c *checker) after(i int) int {
	b := c.text
	for c.open.n > 0 {
		top := c.open.at(c.open.n - 1)
		i = skipSpace(b, i)
		switch {
		case i == len(b):
			c.unexpected(i)
			return -1
		case b[i] == ',':
			return skipSpace(b, i+1)
		case b[i] == '}' && top.object, b[i] == ']' && !top.object:
			i++
			if c.records {
				c.nodes[top.node].end, c.nodes[top.node].next = int32(i), int32(len(c.nodes))
			}
			c.names.cut(top.names)
			c.open.cut(c.open.n - 1)
		default:
			c.unexpected(i)
			return -1
		}
	}
	return i
}

// member reads a name, which begins at i, and its colon, and returns where the value begins.
func (c *checker) member(i int) int {
	b := c.text
	if i == len(b) || b[i] != '"' {
		c.unexpected(i)
		return -1
	}
	start := i
	i, plain := c.str(i)
	if i < 0 {
		return -1
	}
	if !c.duplicates {
		raw := b[start+1 : i-1]
		if !c.isNew(raw, plain) {
			c.fail(start, Duplicate, "name "+strconv.Quote(clip(nameOf(raw)))+" repeats, or differs only by case")
			return -1
		}
		if !plain && c.open.n == 1 && isDisguised(raw) {
			c.fail(start, Duplicate, "name "+strconv.Quote(clip(nameOf(raw)))+" is another one to readers that ignore case")
			return -1
		}
	}
	c.key, c.keyEnd, c.escaped = start+1, i-1, !plain
	if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
		c.unexpected(i)
		return -1
	}
	return skipSpace(b, i+1)
}

// str reads the string that begins at i and tells whether it is plain: ASCII without escapes.
func (c *checker) str(i int) (end int, plain bool) {
	b := c.text
	plain = true
	for i++; ; plain = false {
		i = plainEnd(b, i)
		if i == len(b) {
			c.unexpected(i)
			return -1, false
		}
		switch x := b[i]; {
		case x == '"':
			return i + 1, plain
		case x == '\\':
			n := escapeLen(b, i)
			if n == 0 {
				c.fail(i, Syntax, "broken escape in string")
				return -1, false
			}
			i += n
		case x < ' ':
			c.fail(i, Syntax, "control character in string")
			return -1, false
		default:
			i = runesEnd(b, i)
			if i < len(b) && b[i] >= utf8.RuneSelf {
				c.fail(i, UTF8, "string is not UTF-8")
				return -1, false
			}
		}
	}
}

// runesEnd returns the index after the multi-byte runes that begin at i.
func runesEnd(b []byte, i int) int {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		switch x := b[i]; { // first what is most of all text there is
		case 0xC2 <= x && x <= 0xDF && i+1 < len(b) && isContinued(b[i+1]):
			i += 2
		case 0xE1 <= x && x <= 0xEC && i+2 < len(b) && isContinued(b[i+1]) && isContinued(b[i+2]):
			i += 3
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i
			}
			i += n
		}
	}
	return i
}

// isContinued reports whether a byte is one of a multi-byte rune, but not its first.
func isContinued(c byte) bool { return c&0xC0 == 0x80 }

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

func (c *checker) literal(i int, word string) int {
	if end := i + len(word); end <= len(c.text) && string(c.text[i:end]) == word {
		return end
	}
	for n := 0; i < len(c.text) && c.text[i] == word[n]; n++ {
		i++
	}
	c.unexpected(i)
	return -1
}

func (c *checker) fail(at int, kind ErrorKind, msg string) bool {
	c.at, c.kind, c.msg = at, kind, msg
	return false
}

func (c *checker) unexpected(at int) bool {
	if at >= len(c.text) {
		return c.fail(at, Syntax, "text breaks off")
	}
	if b := c.text[at]; b < utf8.RuneSelf {
		return c.fail(at, Syntax, "unexpected "+strconv.QuoteRune(rune(b)))
	}
	return c.fail(at, Syntax, "unexpected byte outside of a string")
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
	top := c.open.at(c.open.n - 1)
	if !plain {
		raw = fold(raw)
	}
	if top.seen != nil {
		return top.add(raw)
	}
	n := name{signOf(raw), raw}
	for i := top.names; i < c.names.n; i++ {
		if other := c.names.at(i); other.sign == n.sign && equalFold(other.text, n.text) {
			return false
		}
	}
	if c.names.n-top.names < fewNames {
		c.names.push(n)
		return true
	}
	top.seen = make(map[string]struct{}, 4*fewNames)
	for i := top.names; i < c.names.n; i++ {
		top.add(c.names.at(i).text)
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

// fold returns the text of a name, given without its quotes, with every rune replaced by one that stands for all
// its cases. Lone surrogates become U+FFFD, as they do in most readers.
func fold(raw []byte) []byte {
	var buf [64]byte
	return foldText(unescape(buf[:0], raw, false))
}

// isDisguised reports whether a name is not ASCII but has another case that is, as "\u017ftream" has.
func isDisguised(raw []byte) bool {
	var buf [64]byte
	text := unescape(buf[:0], raw, false)
	return !isASCII(text) && isASCII(foldText(text))
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldText replaces ASCII by its lower case, so that plain names need no folding, and any other rune by the
// smallest that is equal to it.
func foldText(text []byte) []byte {
	folded := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		least := r
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			least = min(least, o)
		}
		if least < utf8.RuneSelf {
			folded = append(folded, lower(byte(least)))
			continue
		}
		folded = utf8.AppendRune(folded, least)
	}
	return folded
}
