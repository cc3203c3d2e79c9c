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
// Its methods return false if the text is to be refused, with at, kind and msg saying where and why.
type checker struct {
	text       []byte
	at         int
	depth      int
	duplicates bool
	open       stack[frame]
	names      stack[name] // of all open objects, innermost last
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
	s.far = s.far[:max(0, n-len(s.near))]
}

func (c *checker) document() bool {
	c.space()
	if c.at == len(c.text) {
		return c.fail(Empty, "no value")
	}
	for {
		depth, at := c.open.n, len(c.nodes)
		if c.records = c.records && len(c.nodes) < maxNodes; c.records {
			c.nodes = slices.Grow(c.nodes, 1)[:at+1]
			n := &c.nodes[at] // set one by one, which is faster than to copy a node that was just made
			n.key, n.keyEnd, n.val, n.escaped = int32(c.key), int32(c.keyEnd), int32(c.at), c.escaped
		}
		if !c.value() {
			return false
		}
		if c.open.n > depth {
			c.open.at(depth).node = at
			continue // to the first value inside
		}
		c.close(at)
		if !c.after() {
			return false
		}
		if c.open.n == 0 {
			break
		}
	}
	c.space()
	if c.at < len(c.text) {
		return c.fail(Trailing, "something follows the value")
	}
	return true
}

// close notes that a value has ended.
func (c *checker) close(at int) {
	if c.records {
		c.nodes[at].end, c.nodes[at].next = int32(c.at), int32(len(c.nodes))
	}
}

// value reads a scalar or an empty container whole. Any other container it opens: it reads the bracket and, in
// an object, the first name.
func (c *checker) value() bool {
	if c.at == len(c.text) {
		return c.unexpected()
	}
	switch b := c.text[c.at]; b {
	case '"':
		_, ok := c.str()
		return ok
	case '{', '[':
		return c.begin(b == '{')
	case 't':
		return c.literal("true")
	case 'f':
		return c.literal("false")
	case 'n':
		return c.literal("null")
	default:
		end, ok := numberEnd(c.text, c.at)
		c.at = end
		return ok || c.unexpected()
	}
}

func (c *checker) begin(object bool) bool {
	if c.open.n >= c.depth {
		return c.fail(Depth, "nested more than "+strconv.Itoa(c.depth)+" deep")
	}
	c.at++
	c.space()
	closing := byte(']')
	if object {
		closing = '}'
	}
	if c.at < len(c.text) && c.text[c.at] == closing {
		c.at++
		return true
	}
	c.open.push(frame{object: object, names: c.names.n})
	return !object || c.member()
}

// after reads what follows a value: closing brackets, then a comma and, in an object, the next name. It leaves
// nothing open if the document has ended.
func (c *checker) after() bool {
	for c.open.n > 0 {
		top := c.open.at(c.open.n - 1)
		c.space()
		if c.at == len(c.text) {
			return c.unexpected()
		}
		switch b := c.text[c.at]; {
		case b == ',':
			c.at++
			c.space()
			return !top.object || c.member()
		case b == '}' && top.object, b == ']' && !top.object:
			c.at++
			c.close(top.node)
			c.names.cut(top.names)
			c.open.cut(c.open.n - 1)
		default:
			return c.unexpected()
		}
	}
	return true
}

// member reads a name and its colon.
func (c *checker) member() bool {
	if c.at == len(c.text) || c.text[c.at] != '"' {
		return c.unexpected()
	}
	start := c.at
	plain, ok := c.str()
	if !ok {
		return false
	}
	if raw := c.text[start+1 : c.at-1]; !c.duplicates && !c.isNew(raw, plain) {
		c.at = start
		return c.fail(Duplicate, "name "+strconv.Quote(clip(nameOf(raw)))+" repeats, or differs only by case")
	}
	if raw := c.text[start+1 : c.at-1]; !plain && !c.duplicates && c.open.n == 1 && isDisguised(raw) {
		c.at = start
		return c.fail(Duplicate, "name "+strconv.Quote(clip(nameOf(raw)))+" is another one to readers that ignore case")
	}
	c.key, c.keyEnd, c.escaped = start+1, c.at-1, !plain
	c.space()
	if c.at == len(c.text) || c.text[c.at] != ':' {
		return c.unexpected()
	}
	c.at++
	c.space()
	return true
}

// str reads a string and tells whether it is plain: ASCII without escapes.
func (c *checker) str() (plain, ok bool) {
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
			return plain, true
		case x == '\\':
			n := escapeLen(b, i)
			if n == 0 {
				return false, c.fail(Syntax, "broken escape in string")
			}
			i += n
		case x < ' ':
			return false, c.fail(Syntax, "control character in string")
		default:
			i = runesEnd(b, i)
			if i < len(b) && b[i] >= utf8.RuneSelf {
				c.at = i
				return false, c.fail(UTF8, "string is not UTF-8")
			}
		}
		plain = false
	}
}

// runesEnd returns the index after the multi-byte runes that begin at i.
func runesEnd(b []byte, i int) int {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return i
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

func (c *checker) literal(word string) bool {
	for i := range len(word) {
		if c.at == len(c.text) || c.text[c.at] != word[i] {
			return c.unexpected()
		}
		c.at++
	}
	return true
}

func (c *checker) space() {
	c.at = skipSpace(c.text, c.at)
}

func (c *checker) fail(kind ErrorKind, msg string) bool {
	c.kind, c.msg = kind, msg
	return false
}

func (c *checker) unexpected() bool {
	if c.at >= len(c.text) {
		return c.fail(Syntax, "text breaks off")
	}
	if b := c.text[c.at]; b < utf8.RuneSelf {
		return c.fail(Syntax, "unexpected "+strconv.QuoteRune(rune(b)))
	}
	return c.fail(Syntax, "unexpected byte outside of a string")
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
