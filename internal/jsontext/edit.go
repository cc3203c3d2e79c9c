package jsontext

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrExists is the error of [Rename] and [Set] if the object already has a member whose name is the new one, or
// differs from it only by case.
var ErrExists = errors.New("member exists already")

// Set replaces the value at path by val, which is one JSON value, or inserts the member as the last of its
// object. Objects on the way that are absent or null are made; elements are not. The path is as in
// "stream_options.include_usage" or "messages[].name", where [] means every element; names with dots or
// brackets cannot be spelled. doc is not changed, and is returned itself if nothing was to be done.
func Set(doc []byte, path string, val []byte) ([]byte, error) {
	e, err := newEdit(doc, path)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	if err := e.set(e.root, e.steps, val); err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	return e.apply(), nil
}

// Drop removes the members or elements at path, each with its comma, and returns how many there were. For path
// and doc see [Set].
func Drop(doc []byte, path string) ([]byte, int, error) {
	e, err := newEdit(doc, path)
	if err != nil {
		return nil, 0, fmt.Errorf("drop %s: %w", path, err)
	}
	n := 0
	e.parents(e.root, e.steps, func(at int, last step) {
		n += e.drop(at, last)
	})
	return e.apply(), n, nil
}

// Rename gives the members at path a new name; their values and places stay. It returns how many there were, or
// [ErrExists]. For path and doc see [Set].
func Rename(doc []byte, path, newKey string) ([]byte, int, error) {
	e, err := newEdit(doc, path)
	if err == nil && e.steps[len(e.steps)-1].each {
		err = errBadPath
	}
	if err != nil {
		return nil, 0, fmt.Errorf("rename %s: %w", path, err)
	}
	n := 0
	e.parents(e.root, e.steps, func(at int, last step) {
		renamed, clash := e.rename(at, last.key, newKey)
		n += renamed
		if clash {
			err = ErrExists
		}
	})
	if err != nil {
		return nil, 0, fmt.Errorf("rename %s to %s: %w", path, newKey, err)
	}
	return e.apply(), n, nil
}

// Cap replaces numbers at path that are greater than limit by limit, and returns how many there were. Other
// values stay. For path and doc see [Set].
func Cap(doc []byte, path string, limit float64) ([]byte, int, error) {
	e, err := newEdit(doc, path)
	if err != nil {
		return nil, 0, fmt.Errorf("cap %s: %w", path, err)
	}
	n := 0
	e.parents(e.root, e.steps, func(at int, last step) {
		e.items(at, last, func(it item) {
			if isAbove(doc[it.val:it.end], limit) {
				e.cut(it.val, it.end, AppendFloat(nil, limit))
				n++
			}
		})
	})
	return e.apply(), n, nil
}

// MapText replaces strings at path that are keys of words by the words for them, and returns how many there were. Other
// values stay. For path and doc see [Set].
func MapText(doc []byte, path string, words map[string]string) ([]byte, int, error) {
	e, err := newEdit(doc, path)
	if err != nil {
		return nil, 0, fmt.Errorf("map %s: %w", path, err)
	}
	n := 0
	e.parents(e.root, e.steps, func(at int, last step) {
		e.items(at, last, func(it item) {
			text, err := Value(doc[it.val:it.end]).Text()
			if word, ok := words[text]; err == nil && ok && word != text {
				e.cut(it.val, it.end, AppendString(nil, word))
				n++
			}
		})
	})
	return e.apply(), n, nil
}

// isAbove reports whether v is a number greater than limit. One too great for a float64 is.
func isAbove(v Value, limit float64) bool {
	f, err := v.Float()
	if errors.Is(err, errRange) {
		return v[0] != '-'
	}
	return err == nil && f > limit
}

// SetTopString replaces the string that is the value of a top-level member, such as "model", in a document that [Parse]
// let through, whose names do not repeat. It returns an error if there is no such member or its value is not a string.
// doc is not changed, and is returned itself if it says s already.
func SetTopString(doc []byte, key, s string) ([]byte, error) {
	it, ok := findFirst(doc, skipSpace(doc, 0), key)
	var old Value
	if ok {
		old = doc[it.val:it.end]
	}
	if old.Kind() != String {
		return nil, At(key, Mismatch("string", old))
	}
	var near [64]byte
	text := AppendString(near[:0], s)
	if bytes.Equal(text, old) {
		return doc, nil
	}
	out := make([]byte, 0, len(doc)-len(old)+len(text))
	out = append(out, doc[:it.val]...)
	out = append(out, text...)
	return append(out, doc[it.end:]...), nil
}

var errBadPath = errors.New("bad path")

// step is one step of a path: to the member named key, or to each element.
type step struct {
	key  string
	each bool
}

func parsePath(path string) ([]step, error) {
	var steps []step
	for part := range strings.SplitSeq(path, ".") {
		key, brackets, each := strings.Cut(part, "[]")
		if key == "" && (!each || len(steps) > 0) || strings.ContainsAny(key, "[]") {
			return nil, errBadPath
		}
		if key != "" {
			steps = append(steps, step{key: key})
		}
		if each {
			steps = append(steps, step{each: true})
		}
		for ; brackets != ""; brackets = brackets[2:] {
			if !strings.HasPrefix(brackets, "[]") {
				return nil, errBadPath
			}
			steps = append(steps, step{each: true})
		}
	}
	return steps, nil
}

// edit collects changes to a document, in the order of the text.
type edit struct {
	doc   []byte
	root  int
	steps []step
	cuts  []cut
}

// cut replaces doc[from:to] by text.
type cut struct {
	from, to int
	text     []byte
}

func newEdit(doc []byte, path string) (*edit, error) {
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	return &edit{doc: doc, root: skipSpace(doc, 0), steps: steps}, nil
}

func (e *edit) cut(from, to int, text []byte) {
	e.cuts = append(e.cuts, cut{from, to, text})
}

func (e *edit) apply() []byte {
	if len(e.cuts) == 0 {
		return e.doc
	}
	size := len(e.doc)
	for _, c := range e.cuts {
		size += len(c.text) - (c.to - c.from)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, c := range e.cuts {
		out = append(out, e.doc[at:c.from]...)
		out = append(out, c.text...)
		at = c.to
	}
	return append(out, e.doc[at:]...)
}

// matches reports whether a step can be taken from the value at offset at.
func (e *edit) matches(at int, s step) bool {
	if at >= len(e.doc) {
		return false
	}
	if s.each {
		return e.doc[at] == '['
	}
	return e.doc[at] == '{'
}

// items calls f for what one step leads to from the value at offset at.
func (e *edit) items(at int, s step, f func(it item)) {
	if !e.matches(at, s) {
		return
	}
	var it item
	w := walk(e.doc, at)
	for w.next(&it) {
		if s.each || isNamed(it.name(e.doc), s.key) {
			f(it)
		}
	}
}

// parents calls f for every container from which the last step can be taken.
func (e *edit) parents(at int, steps []step, f func(at int, last step)) {
	if len(steps) == 1 {
		if e.matches(at, steps[0]) {
			f(at, steps[0])
		}
		return
	}
	e.items(at, steps[0], func(it item) {
		e.parents(it.val, steps[1:], f)
	})
}

// drop cuts out what the step leads to. Neighbours go in one cut: up to the next item that stays, or, at the
// end, from the last one that did.
func (e *edit) drop(at int, s step) int {
	n, runFrom, runTo, kept := 0, -1, 0, -1
	var it item
	w := walk(e.doc, at)
	for w.next(&it) {
		if s.each || isNamed(it.name(e.doc), s.key) {
			if runFrom < 0 {
				runFrom = it.key
			}
			runTo = it.end
			n++
			continue
		}
		if runFrom >= 0 {
			e.cut(runFrom, it.key, nil)
			runFrom = -1
		}
		kept = it.end
	}
	switch {
	case runFrom >= 0 && kept >= 0:
		e.cut(kept, runTo, nil)
	case runFrom >= 0:
		e.cut(runFrom, runTo, nil)
	}
	return n
}

// rename replaces the name of the members named key, and reports whether another member has the new name.
func (e *edit) rename(at int, key, newKey string) (n int, clash bool) {
	text := AppendString(nil, newKey)
	folded := foldText([]byte(newKey))
	var it item
	w := walk(e.doc, at)
	for w.next(&it) {
		raw := it.name(e.doc)
		switch {
		case isNamed(raw, key):
			n++
			if key != newKey {
				e.cut(it.key, it.keyEnd, text)
			}
		case couldBe(raw, folded):
			clash = true
		}
	}
	return n, clash && n > 0
}

// couldBe reports whether a name, given without its quotes, folds to folded.
func couldBe(raw, folded []byte) bool {
	if plainEnd(raw, 0) == len(raw) {
		return equalFold(raw, folded)
	}
	return bytes.Equal(fold(raw), folded)
}

// set takes the steps from the value at offset at and puts val at their end.
func (e *edit) set(at int, steps []step, val []byte) error {
	s, rest := steps[0], steps[1:]
	if s.each {
		return e.setEach(at, rest, val)
	}
	if !e.matches(at, s) {
		return Mismatch("object", e.value(at))
	}
	found, clash := false, false
	var err error
	folded := foldText([]byte(s.key))
	end := at + 1 // of the last member
	var it item
	w := walk(e.doc, at)
	for w.next(&it) {
		end = it.end
		raw := it.name(e.doc)
		if !isNamed(raw, s.key) {
			clash = clash || couldBe(raw, folded)
			continue
		}
		found = true
		if err = e.replace(it, rest, val); err != nil {
			return At(s.key, err)
		}
	}
	switch {
	case found:
		return nil
	case clash:
		return At(s.key, ErrExists)
	}
	if text := made(steps, val); text != nil {
		if end > at+1 {
			text = append([]byte{','}, text...)
		}
		e.cut(end, end, text)
	}
	return nil
}

func (e *edit) setEach(at int, rest []step, val []byte) error {
	var err error
	i := 0
	e.items(at, step{each: true}, func(it item) {
		if err == nil {
			err = e.replace(it, rest, val)
		}
		i++
	})
	return err
}

// replace goes on with set at an item that is there.
func (e *edit) replace(it item, rest []step, val []byte) error {
	if len(rest) == 0 {
		e.cut(it.val, it.end, val)
		return nil
	}
	if v := Value(e.doc[it.val:it.end]); !v.IsNull() || rest[0].each {
		return e.set(it.val, rest, val)
	}
	if text := made(rest, val); text != nil {
		e.cut(it.val, it.end, append(append([]byte{'{'}, text...), '}'))
	}
	return nil
}

// made returns the member that the steps ask for, with the objects inside it, or nil if they ask for elements.
func made(steps []step, val []byte) []byte {
	var text []byte
	for i, s := range steps {
		if s.each {
			return nil
		}
		if i > 0 {
			text = append(text, '{')
		}
		text = append(AppendString(text, s.key), ':')
	}
	text = append(text, val...)
	for range len(steps) - 1 {
		text = append(text, '}')
	}
	return text
}

func (e *edit) value(at int) Value {
	end := skipValue(e.doc, at)
	if end < 0 {
		return nil
	}
	return e.doc[at:end]
}
