package jsontext

import "strconv"

// Tree is a document with the places of all its values, found in the one pass that checks it: to step over a value
// costs nothing, however long it is. It is for text that is looked at in several levels, such as the chunks of a
// stream; [Value.Get] and [Value.Members] are better where only the top is read. The zero value is ready to use, and
// used again it allocates nothing. It may not be used concurrently.
type Tree struct {
	c checker
}

// node is one value of a tree. The values inside it follow it, up to next.
type node struct {
	item    // of an element, the name means nothing
	next    int
	escaped bool // the name is not plain
}

// ParseLenient checks a document as the function [ParseLenient] does and returns its value. Nodes of the document
// before, and values of its text, mean nothing from now on.
func (t *Tree) ParseLenient(b []byte) (Node, error) {
	c := &t.c
	c.text, c.at, c.depth, c.duplicates, c.records = b, 0, DefaultDepth, true, true
	c.open.cut(0)
	c.nodes = c.nodes[:0]
	if !c.document() {
		return Node{}, &SyntaxError{Offset: c.at, Msg: c.msg, Kind: c.kind}
	}
	return Node{tree: t}, nil
}

// Node is one value of a [Tree]. The zero Node stands for an absent one.
type Node struct {
	tree *Tree
	at   int
}

// Value returns the text of n. It aliases the document.
func (n Node) Value() Value {
	if n.tree == nil {
		return nil
	}
	c := &n.tree.c
	it := &c.nodes[n.at]
	return c.text[it.val:it.end:it.end]
}

// Kind tells the kind of n.
func (n Node) Kind() Kind { return n.Value().Kind() }

// IsNull reports whether n is null or absent.
func (n Node) IsNull() bool { return n.Value().IsNull() }

// Members is [Value.Members].
func (n Node) Members(f func(name []byte, val Node) error) error {
	if n.Kind() != Object {
		return Mismatch("object", n.Value())
	}
	c := &n.tree.c
	for at, end := n.at+1, c.nodes[n.at].next; at < end; at = c.nodes[at].next {
		name := c.nodes[at].name(c.text)
		if c.nodes[at].escaped {
			name = unescape(nil, name, false)
		}
		if err := f(name, Node{n.tree, at}); err != nil {
			return At(string(name), err)
		}
	}
	return nil
}

// Array is [Value.Array].
func (n Node) Array(f func(i int, val Node) error) error {
	if n.Kind() != Array {
		return Mismatch("array", n.Value())
	}
	c := &n.tree.c
	for i, at := 0, n.at+1; at < c.nodes[n.at].next; i, at = i+1, c.nodes[at].next {
		if err := f(i, Node{n.tree, at}); err != nil {
			return prefix("["+strconv.Itoa(i)+"]", err)
		}
	}
	return nil
}
