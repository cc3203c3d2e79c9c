package jsontext

import (
	"math"
	"strconv"
	"sync"
)

// Tree is a document with the places of all its values, found in the one pass that checks it: to step over a value
// costs nothing, however long it is. It is for text that is looked at in several levels, such as the chunks of a
// stream; [Value.Get] and [Value.Members] are better where only the top is read. The zero value is ready to use, and
// used again it allocates nothing. It may not be used concurrently.
type Tree struct {
	c checker
}

// trees are those that nobody uses: a tree is a few kilobytes, and most of the time a stream waits.
var trees = sync.Pool{New: func() any { return new(Tree) }}

// Borrow returns a tree for the time that one document is looked at.
func Borrow() *Tree { return trees.Get().(*Tree) } //nolint:forcetypeassert // the pool holds nothing else

// Return gives a borrowed tree back. Its nodes mean nothing from now on; values stay what they are.
func (t *Tree) Return() {
	t.c.text = nil // all else that it holds are numbers: no names are noted where they may repeat
	trees.Put(t)
}

// maxNodes bounds the memory of a tree. The values of a longer document are found in its text, as those of a [Value].
const maxNodes = 1 << 10

// node is one value of a tree. The values inside it follow it, up to next.
type node struct {
	key, keyEnd int32 // the name without its quotes; of an element, it means nothing
	val, end    int32
	next        int32
	escaped     bool // the name is not plain
}

// ParseLenient checks a document as the function [ParseLenient] does and returns its value. Nodes of the document
// before mean nothing from now on.
func (t *Tree) ParseLenient(b []byte) (Node, error) {
	c := &t.c
	c.text, c.depth, c.duplicates, c.records = b, DefaultDepth, true, len(b) <= math.MaxInt32
	c.open.cut(0)
	if c.nodes == nil {
		c.nodes = make([]node, 0, 64) // enough for a chunk
	}
	c.nodes = c.nodes[:0]
	if !c.document() {
		return Node{}, &SyntaxError{Offset: c.at, Msg: c.msg, Kind: c.kind}
	}
	if !c.records {
		return Node{text: trim(b)}, nil
	}
	return t.node(0), nil
}

func (t *Tree) node(at int32) Node {
	it := &t.c.nodes[at]
	return Node{t, at, t.c.text[it.val:it.end:it.end]}
}

// name returns the name of the member at a place.
func (t *Tree) name(at int32) []byte {
	it := &t.c.nodes[at]
	name := t.c.text[it.key:it.keyEnd]
	if it.escaped {
		name = unescape(nil, name, false)
	}
	return name
}

// Node is one value of a [Tree]. The zero Node stands for an absent one.
type Node struct {
	tree *Tree // nil if only the text is known
	at   int32
	text Value
}

// Value returns the text of n. It aliases the document.
func (n Node) Value() Value { return n.text }

// Kind tells the kind of n.
func (n Node) Kind() Kind { return n.text.Kind() }

// IsNull reports whether n is null or absent.
func (n Node) IsNull() bool { return n.text.IsNull() }

// Plain is a value outside of any tree.
func Plain(v Value) Node { return Node{text: v} }

// Get returns the member of that name, the last if there are several; absent if n is no object.
func (n Node) Get(name string) Node {
	if n.tree == nil || n.Kind() != Object {
		return Node{text: n.text.Get(name)}
	}
	text, nodes := n.tree.c.text, n.tree.c.nodes
	last := n.at // which is no member of itself
	for at, end := n.at+1, nodes[n.at].next; at < end; at = nodes[at].next {
		switch it := &nodes[at]; {
		case it.escaped:
			if isNamed(text[it.key:it.keyEnd], name) {
				last = at
			}
		case int(it.keyEnd-it.key) == len(name) && string(text[it.key:it.keyEnd]) == name:
			last = at
		}
	}
	if last == n.at {
		return Node{}
	}
	return n.tree.node(last)
}

// Members is [Value.Members].
func (n Node) Members(f func(name []byte, val Node) error) error {
	if n.tree == nil || n.Kind() != Object {
		return n.text.Members(func(name []byte, v Value) error { return f(name, Node{text: v}) })
	}
	c := &n.tree.c
	for at, end := n.at+1, c.nodes[n.at].next; at < end; at = c.nodes[at].next {
		name := n.tree.name(at)
		if err := f(name, n.tree.node(at)); err != nil {
			return At(string(name), err)
		}
	}
	return nil
}

// Each is Members of what may be no object, and then has none, and for an f that never fails.
func (n Node) Each(f func(name []byte, val Node)) {
	switch {
	case n.Kind() != Object:
	case n.tree == nil:
		_ = n.text.Members(func(name []byte, v Value) error { f(name, Node{text: v}); return nil })
	default:
		for at, end := n.at+1, n.tree.c.nodes[n.at].next; at < end; at = n.tree.c.nodes[at].next {
			f(n.tree.name(at), n.tree.node(at))
		}
	}
}

// Array is [Value.Array].
func (n Node) Array(f func(i int, val Node) error) error {
	if n.tree == nil || n.Kind() != Array {
		return n.text.Array(func(i int, v Value) error { return f(i, Node{text: v}) })
	}
	c := &n.tree.c
	i := 0
	for at, end := n.at+1, c.nodes[n.at].next; at < end; at = c.nodes[at].next {
		if err := f(i, n.tree.node(at)); err != nil {
			return prefix("["+strconv.Itoa(i)+"]", err)
		}
		i++
	}
	return nil
}
