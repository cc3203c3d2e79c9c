package jsontext

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzCheck(f *testing.F) {
	for _, doc := range []string{
		chatBody, `{"a":[1,2.5e-3,true,null,"\ud83d\ude00\n"],"b":{}}`, `{"a":1,"\u0041":2}`, `[[[[`, "\"\xed\xa0\x80\"", ` 1 `,
		`"\ud800"`, `{"":{"":""}}`, `-0.0E+00`, "{\"K\":1,\"\u212a\":2}",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		lenient := Check(doc, Limits{Depth: 1 << 30, AllowDuplicates: true}) == nil
		if want := json.Valid(doc) && utf8.Valid(doc); lenient != want && len(doc) < 10_000 { // json.Valid has a depth limit
			t.Fatalf("Check(%q) with duplicates allowed: got %v, want %v", doc, lenient, want)
		}
		touch(Value(doc))
		v, err := Parse(doc)
		if err != nil {
			return
		}
		if !lenient {
			t.Fatalf("Parse(%q): got no error, though the lenient check has one", doc)
		}
		var w Writer
		if err := rewrite(&w, v); err != nil {
			t.Fatalf("walk %q: %v", doc, err)
		}
		// Lone surrogates are read as U+FFFD, so only the names and shape are sure to survive.
		if err := Check(w.Bytes(), Limits{}); err != nil {
			t.Fatalf("%q was rewritten as %q: %v", doc, w.Bytes(), err)
		}
		if !Equal(v, Compact(nil, v)) {
			t.Fatalf("%q is not equal to itself without white space", doc)
		}
	})
}

// touch calls everything that reads, for panics: the text may be anything.
func touch(v Value) {
	var j TextJoiner
	_, _ = j.Text(v)
	_, _ = v.Text()
	_, _ = v.Int()
	_, _ = v.Float()
	_ = v.Get("a", "b")
	_ = v.Object(func(string, Value) error { return nil })
	_ = v.Members(func([]byte, Value) error { return nil })
	_ = v.Array(func(int, Value) error { return nil })
	_ = Equal(v, Compact(nil, v))
	_, _ = Set(v, "a.b[].c", []byte("1"))
	_, _, _ = Drop(v, "a[].b")
	_, _, _ = Rename(v, "a.b", "c")
	_, _, _ = Cap(v, "a", 1)
	_, _ = SetTopString(v, "a", "b")
}

func FuzzEdit(f *testing.F) {
	f.Add([]byte(chatBody), "messages[].content", "text")
	f.Add([]byte(chatBody), "stream_options.include_usage", "x")
	f.Add([]byte(` { "a" : { "\u0062" : null } , "c":[{},{"b":1}]}`), "a.b.c", "A")
	f.Add([]byte(`{"c":[{},{"b":1}, {"b" :2,"a":[]} ]}`), "c[].b", "d")
	f.Add([]byte(`[[1,2],[]]`), "[][]", "")
	f.Fuzz(func(t *testing.T, doc []byte, path, newKey string) {
		if Check(doc, Limits{Depth: 64}) != nil || len(path) > 64 || !utf8.ValidString(path) {
			return
		}
		before := bytes.Clone(doc)
		check := func(verb string, got []byte, err error) bool {
			t.Helper()
			if !bytes.Equal(doc, before) {
				t.Fatalf("%s %q: the input changed from %q to %q", verb, path, before, doc)
			}
			if err != nil {
				return false
			}
			if err := Check(got, Limits{Depth: 128}); err != nil {
				t.Fatalf("%s %q: %q became %q: %v", verb, path, doc, got, err)
			}
			return true
		}
		got, err := Set(doc, path, []byte(`{"new":[]}`))
		if check("set", got, err) {
			again, err := Set(got, path, []byte(`{"new":[]}`))
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("set %q twice: got %q, %v; want %q", path, again, err, got)
			}
		}
		got, n, err := Drop(doc, path)
		if check("drop", got, err) {
			if _, left, _ := Drop(got, path); left != 0 {
				t.Fatalf("drop %q from %q: got %d, and %d left in %q", path, doc, n, left, got)
			}
			if n == 0 && !bytes.Equal(got, doc) {
				t.Fatalf("drop %q: got %q, want %q", path, got, doc)
			}
		}
		got, _, err = Rename(doc, path, newKey)
		check("rename", got, err)
		got, _, err = Cap(doc, path, 1)
		if check("cap", got, err) {
			if _, left, _ := Cap(got, path, 1); left != 0 {
				t.Fatalf("cap %q: %d left above in %q", path, left, got)
			}
		}
		got, err = SetTopString(doc, path, newKey)
		check("set top string", got, err)
	})
}
