package jsontext

import (
	"bytes"
	"testing"
)

func TestRepeat(t *testing.T) {
	t.Parallel()
	// A name that is written as the string is must not be taken for it.
	doc := []byte(`{"so":"a","delta":{"content":"so"},"pad":"xy"}`)
	tree := Borrow()
	defer tree.Return()
	root, err := tree.ParseLenient(doc)
	if err != nil {
		t.Fatal(err)
	}
	content, pad := root.Value().Get("delta", "content"), root.Value().Get("pad")
	for name, learnt := range map[string][]Value{"in order": {content, pad}, "out of order": {pad, content}} {
		var r Repeat
		r.Learn(doc, learnt...)
		for text, want := range map[string]bool{
			string(doc): true,
			`{"so":"a","delta":{"content":""},"pad":""}`:                    true,
			`{"so":"a","delta":{"content":"čau \"x\"\n\\"},"pad":"1"}`:      true,
			`{"so":"a","delta":{"content":"\u0041"},"pad":"1"}`:             false, // left to the parser
			"{\"so\":\"a\",\"delta\":{\"content\":\"\xff\"},\"pad\":\"1\"}": false,
			"{\"so\":\"a\",\"delta\":{\"content\":\"\n\"},\"pad\":\"1\"}":   false,
			`{"so":"a","delta":{"content":"\x"},"pad":"1"}`:                 false,
			`{"sa":"a","delta":{"content":"so"},"pad":"xy"}`:                false,
			`{"so":"b","delta":{"content":"so"},"pad":"xy"}`:                false,
			`{"so":"a","delta":{"content":"so"},"pad":"xy"} `:               false,
			`{"so":"a","delta":{"content":"so","more":1},"pad":"xy"}`:       false,
			`{"so":"a","delta":{"content":null},"pad":"xy"}`:                false,
			`{"so":"a","delta":{"content":"so"},"pad":"xy`:                  false,
			`{"so":"a","delta":{"content":"so`:                              false,
			``:                                                              false,
		} {
			got, ok := r.Match([]byte(text))
			if ok != want {
				t.Errorf("%s: %s: got %v want %v", name, text, ok, want)
			}
			if name == "out of order" {
				got[0], got[1] = got[1], got[0]
			}
			if v, _ := ParseLenient([]byte(text)); ok && (!bytes.Equal(got[0], v.Get("delta", "content")) || !bytes.Equal(got[1], v.Get("pad"))) {
				t.Errorf("%s: %s: got %s and %s, want what a parser finds", name, text, got[0], got[1])
			}
		}
		r.Forget()
		if _, ok := r.Match(doc); ok {
			t.Errorf("%s: got a match after Forget, want none", name)
		}
	}
	var none Repeat
	none.Learn(doc)
	if _, ok := none.Match(doc); ok {
		t.Error("got a match without strings, want none")
	}
}

func TestRepeatNumbers(t *testing.T) {
	t.Parallel()
	doc := []byte(`{"n":41,"delta":"4","pad":"xy"}`)
	v := Value(doc)
	var r Repeat
	r.Learn(doc, v.Get("delta"), v.Get("n"), v.Get("pad"))
	for text, want := range map[string]bool{
		`{"n":0,"delta":"","pad":""}`:     true,
		`{"n":1234,"delta":"5","pad":""}`: true,
		`{"n":01,"delta":"","pad":""}`:    false,
		`{"n":-1,"delta":"","pad":""}`:    false, // left to the parser
		`{"n":1.5,"delta":"","pad":""}`:   false,
		`{"n":,"delta":"","pad":""}`:      false,
		`{"n":"1","delta":"","pad":""}`:   false,
		`{"n":1`:                          false,
	} {
		got, ok := r.Match([]byte(text))
		if ok != want {
			t.Errorf("%s: got %v want %v", text, ok, want)
		}
		if found := Value(text); ok && (!bytes.Equal(got[0], found.Get("delta")) || !bytes.Equal(got[1], found.Get("n")) || !bytes.Equal(got[2], found.Get("pad"))) {
			t.Errorf("%s: got %s, want what a parser finds", text, got)
		}
	}
}

// FuzzRepeat: whatever matches is good, and has the strings where a parser finds them.
func FuzzRepeat(f *testing.F) {
	f.Add([]byte(`{"a":"x","b":["y"]}`), []byte(`{"a":"čau","b":["\n"]}`))
	f.Add([]byte(`{"a":"a","b":["a"]}`), []byte(`{"a":"","b":[""]}`))
	f.Add([]byte(`{"a":"a"}`), []byte("{\"a\":\"\x00\"}"))
	f.Fuzz(func(t *testing.T, doc, other []byte) {
		v, err := ParseLenient(doc)
		if err != nil {
			return
		}
		a, b := v.Get("a"), v.Get("b")
		if b.Kind() == Array {
			_ = b.Array(func(_ int, e Value) error { b = e; return nil })
		}
		if a.Kind() != String || b.Kind() != String {
			return
		}
		var r Repeat
		r.Learn(doc, a, b)
		got, ok := r.Match(other)
		if !ok {
			return
		}
		w, err := ParseLenient(other)
		if err != nil {
			t.Fatalf("got a match of %q, want none: %v", other, err)
		}
		wantA, wantB := w.Get("a"), w.Get("b")
		if wantB.Kind() == Array {
			_ = wantB.Array(func(_ int, e Value) error { wantB = e; return nil })
		}
		if !bytes.Equal(got[0], wantA) || !bytes.Equal(got[1], wantB) {
			t.Fatalf("got %q and %q of %q, want %q and %q", got[0], got[1], other, wantA, wantB)
		}
	})
}
