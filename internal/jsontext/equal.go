package jsontext

import "bytes"

// maxEqualDepth bounds the calls of Equal on text that was checked with a greater depth, or not at all.
const maxEqualDepth = 10_000

// Equal reports whether a and b mean the same: members may come in any order, the last of several with one name
// counts, numbers are compared by their exact decimal value and strings after unescaping. Numbers with an
// exponent of more than seventeen digits and text nested more than 10,000 deep are compared as written.
func Equal(a, b Value) bool {
	return equal(a, b, maxEqualDepth)
}

func equal(a, b Value, depth int) bool {
	if bytes.Equal(a, b) {
		return true
	}
	kind := a.Kind()
	if kind != b.Kind() || depth == 0 {
		return false
	}
	switch kind {
	case Number:
		return equalNumbers(a, b)
	case String:
		return equalStrings(a, b)
	case Array:
		return equalArrays(a, b, depth-1)
	case Object:
		return equalObjects(a, b, depth-1)
	case Invalid, Null, Bool:
	}
	return false
}

func equalNumbers(a, b Value) bool {
	if !a.isNumber() || !b.isNumber() {
		return false
	}
	x, okX := readDecimal(a)
	y, okY := readDecimal(b)
	return okX && okY && x.negative == y.negative && x.exp == y.exp && bytes.Equal(x.digits, y.digits)
}

func equalStrings(a, b Value) bool {
	x, errX := a.content()
	y, errY := b.content()
	return errX == nil && errY == nil && bytes.Equal(unescape(nil, x, true), unescape(nil, y, true))
}

func equalArrays(a, b Value, depth int) bool {
	wa, wb := walk(a, 0), walk(b, 0)
	var x, y item
	for {
		moreA, moreB := wa.next(&x), wb.next(&y)
		if !moreA || !moreB {
			return moreA == moreB && !wa.bad && !wb.bad
		}
		if !equal(a[x.val:x.end], b[y.val:y.end], depth) {
			return false
		}
	}
}

func equalObjects(a, b Value, depth int) bool {
	x, okX := membersOf(a)
	y, okY := membersOf(b)
	if !okX || !okY || len(x) != len(y) {
		return false
	}
	for key, val := range x {
		other, ok := y[key]
		if !ok || !equal(val, other, depth) {
			return false
		}
	}
	return true
}

func membersOf(v Value) (map[string]Value, bool) {
	members := make(map[string]Value)
	var it item
	w := walk(v, 0)
	for w.next(&it) {
		members[string(unescape(nil, it.name(v), true))] = v[it.val:it.end]
	}
	return members, !w.bad
}
