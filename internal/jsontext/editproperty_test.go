package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pathKeys are the keys of documents that a path can spell.
var pathKeys = []string{"a", "bb", "c\n", `d"`, "ключ"}

func drawPath(t *rapid.T, withEach bool) string {
	var path strings.Builder
	for i := range rapid.IntRange(1, 3).Draw(t, "steps") {
		if i > 0 {
			path.WriteByte('.')
		}
		path.WriteString(rapid.SampledFrom(pathKeys).Draw(t, "key"))
		if withEach && rapid.IntRange(0, 2).Draw(t, "each") == 0 {
			path.WriteString("[]")
		}
	}
	return path.String()
}

// visit calls f with every decoded container the last step can be taken from, as the oracle of parents. It
// returns what f made of them, in place.
func visit(v any, steps []step, f func(v any, last step) any) any {
	if len(steps) == 1 {
		return f(v, steps[0])
	}
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v[steps[0].key]; ok && !steps[0].each {
			v[steps[0].key] = visit(inner, steps[1:], f)
		}
	case []any:
		for i := range v {
			if steps[0].each {
				v[i] = visit(v[i], steps[1:], f)
			}
		}
	}
	return v
}

// replaceAll is the oracle of what Set and Cap do to values that are there.
func replaceAll(v any, last step, f func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v[last.key]; ok && !last.each {
			v[last.key] = f(inner)
		}
	case []any:
		for i := range v {
			if last.each {
				v[i] = f(v[i])
			}
		}
	}
	return v
}

func mustParsePath(t *rapid.T, path string) []step {
	steps, err := parsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// checkEdited checks that an edit gave sound text with the meaning of want.
func checkEdited(t *rapid.T, doc, got []byte, want any) {
	t.Helper()
	if err := Check(got, Limits{}); err != nil {
		t.Fatalf("%s became %s: %v", doc, got, err)
	}
	if !reflect.DeepEqual(decode(t, got), want) {
		t.Fatalf("%s became %s, want the meaning of %v", doc, got, want)
	}
}

// outside returns how much of the longer text is no common beginning or end of both.
func outside(a, b []byte) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	p := 0
	for p < len(a) && a[p] == b[p] {
		p++
	}
	s := 0
	for s < len(a)-p && a[len(a)-1-s] == b[len(b)-1-s] {
		s++
	}
	return len(b) - p - s
}

func TestDropIsDecodeAndDelete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		before := bytes.Clone(doc)
		path := drawPath(t, true)
		got, n, err := Drop(doc, path)
		if err != nil {
			t.Fatal(err)
		}
		wantN := 0
		want := visit(decode(t, doc), mustParsePath(t, path), func(v any, last step) any {
			switch v := v.(type) {
			case map[string]any:
				if _, ok := v[last.key]; ok && !last.each {
					delete(v, last.key)
					wantN++
				}
			case []any:
				if last.each {
					wantN += len(v)
					return []any{}
				}
			}
			return v
		})
		checkEdited(t, doc, got, want)
		if n != wantN {
			t.Fatalf("Drop(%s, %s): got %d, want %d", doc, path, n, wantN)
		}
		if n == 1 && outside(doc, got) > len(doc)-len(got) {
			t.Fatalf("Drop(%s, %s): got %s, want nothing but one cut", doc, path, got)
		}
		if !bytes.Equal(doc, before) {
			t.Fatalf("the input changed: got %s, want %s", doc, before)
		}
	})
}

func TestSetIsDecodeAndAssign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		before := bytes.Clone(doc)
		path := drawPath(t, false)
		got, err := Set(doc, path, []byte(`"new"`))
		steps := mustParsePath(t, path)
		want, ok := assign(decode(t, doc), steps)
		if (err == nil) != ok {
			t.Fatalf("Set(%s, %s): got %s, %v; want success %v", doc, path, got, err, ok)
		}
		if !bytes.Equal(doc, before) {
			t.Fatalf("the input changed: got %s, want %s", doc, before)
		}
		if err != nil {
			return
		}
		checkEdited(t, doc, got, want)
		var names []string
		for _, s := range steps {
			names = append(names, s.key)
		}
		// Cutting out the value that is there now, or was made, leaves what was there before.
		old := Value(bytes.TrimSpace(doc)).Get(names...)
		if old != nil && !bytes.Equal(cutOut(doc, names), cutOut(got, names)) || old == nil && !isMade(doc, got, names) {
			t.Fatalf("Set(%s, %s): got %s, want all else untouched", doc, path, got)
		}
		again, err := Set(got, path, []byte(`"new"`))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("Set twice: got %s, %v; want %s", again, err, got)
		}
	})
}

// cutOut returns doc without the value that the names lead to.
func cutOut(doc []byte, names []string) []byte {
	at, end := skipSpace(doc, 0), 0
	for _, name := range names {
		it, _ := find(doc, at, name)
		at, end = it.val, it.end
	}
	return append(bytes.Clone(doc[:at]), doc[end:]...)
}

// isMade reports whether got is doc with one insertion, or with a null on the way to the value replaced.
func isMade(doc, got []byte, names []string) bool {
	if outside(doc, got) <= len(got)-len(doc) {
		return true
	}
	for n := 1; n < len(names); n++ {
		if string(Value(bytes.TrimSpace(doc)).Get(names[:n]...)) == "null" {
			return bytes.Equal(cutOut(doc, names[:n]), cutOut(got, names[:n]))
		}
	}
	return false
}

// assign is the oracle of Set. It returns false where something on the way is neither object nor null.
func assign(v any, steps []step) (any, bool) {
	if len(steps) == 0 {
		return "new", true
	}
	if v == nil {
		v = map[string]any{}
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	inner, ok := assign(members[steps[0].key], steps[1:])
	members[steps[0].key] = inner
	return members, ok
}

func TestSetOfElementsIsDecodeAndAssign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		path := drawPath(t, false) + "[]"
		got, err := Set(doc, path, []byte("true"))
		if err != nil {
			var shape *PathError // a step through something that is no object
			if !errors.As(err, &shape) {
				t.Fatalf("Set(%s, %s): got %v, want a PathError", doc, path, err)
			}
			return
		}
		want := visit(decode(t, doc), mustParsePath(t, path), func(v any, last step) any {
			return replaceAll(v, last, func(any) any { return true })
		})
		checkEdited(t, doc, got, want)
	})
}

func TestRenameIsDecodeAndMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		path := drawPath(t, true)
		steps := mustParsePath(t, path)
		newKey := rapid.SampledFrom([]string{"a", "A", "КЛЮЧ", "bb", "fresh", `q"`}).Draw(t, "new key")
		got, n, err := Rename(doc, path, newKey)
		if steps[len(steps)-1].each {
			if !errors.Is(err, errBadPath) {
				t.Fatalf("Rename(%s, %s): got %v, want a bad path", doc, path, err)
			}
			return
		}
		clash, wantN := false, 0
		want := visit(decode(t, doc), steps, func(v any, last step) any {
			members, ok := v.(map[string]any)
			if !ok {
				return v
			}
			inner, ok := members[last.key]
			if !ok {
				return v
			}
			delete(members, last.key)
			for other := range members {
				clash = clash || strings.EqualFold(other, newKey)
			}
			members[newKey] = inner
			wantN++
			return members
		})
		if clash != errors.Is(err, ErrExists) {
			t.Fatalf("Rename(%s, %s, %s): got %v, want ErrExists %v", doc, path, newKey, err, clash)
		}
		if err != nil {
			return
		}
		checkEdited(t, doc, got, want)
		if n != wantN {
			t.Fatalf("Rename(%s, %s): got %d, want %d", doc, path, n, wantN)
		}
		if room := max(len(AppendString(nil, newKey)), len(escapeAll(steps[len(steps)-1].key))); n == 1 && outside(doc, got) > room {
			t.Fatalf("Rename(%s, %s, %s): got %s, want only the name changed", doc, path, newKey, got)
		}
	})
}

func TestCapIsDecodeAndMin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		path := drawPath(t, true)
		got, n, err := Cap(doc, path, 3)
		if err != nil {
			t.Fatal(err)
		}
		wantN := 0
		want := visit(decode(t, doc), mustParsePath(t, path), func(v any, last step) any {
			return replaceAll(v, last, func(v any) any {
				if f, ok := asFloat(v); ok && f > 3 {
					wantN++
					return decode(t, []byte("3"))
				}
				return v
			})
		})
		checkEdited(t, doc, got, want)
		if n != wantN {
			t.Fatalf("Cap(%s, %s): got %d, want %d", doc, path, n, wantN)
		}
	})
}

func asFloat(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func TestSetTopStringIsSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t)
		key, s := rapid.SampledFrom(keys).Draw(t, "key"), rapid.String().Draw(t, "string")
		members := decode(t, doc).(map[string]any)
		old, isString := members[key].(string)
		got, err := SetTopString(doc, key, s)
		if (err == nil) != isString {
			t.Fatalf("SetTopString(%s, %q): got %s, %v; want success %v", doc, key, got, err, isString)
		}
		if err != nil {
			return
		}
		members[key] = s
		checkEdited(t, doc, got, members)
		if room := max(len(escapeAll(old)), len(AppendString(nil, s))); outside(doc, got) > room {
			t.Fatalf("SetTopString(%s, %q): got %s, want only the string changed", doc, key, got)
		}
	})
}
