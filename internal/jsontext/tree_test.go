package jsontext

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plant copies a tree by walking it and writing what was found.
func plant(w *Writer, n Node) error {
	switch n.Kind() {
	case Object:
		w.BeginObject()
		err := n.Members(func(name []byte, v Node) error {
			w.Key(string(name))
			return plant(w, v)
		})
		w.EndObject()
		return err
	case Array:
		w.BeginArray()
		err := n.Array(func(_ int, v Node) error { return plant(w, v) })
		w.EndArray()
		return err
	default:
		return rewrite(w, n.Value())
	}
}

// checkTree holds that a tree, used before or not, has what the text has.
func checkTree(t interface{ Fatalf(string, ...any) }, tree *Tree, doc []byte) {
	n, gotErr := tree.ParseLenient(doc)
	v, wantErr := ParseLenient(doc)
	if !reflect.DeepEqual(gotErr, wantErr) {
		t.Fatalf("%q: got error %v, want %v", doc, gotErr, wantErr)
	}
	if !bytes.Equal(n.Value(), v) || n.IsNull() != v.IsNull() {
		t.Fatalf("%q: got %q, want %q", doc, n.Value(), v)
	}
	if wantErr != nil {
		return
	}
	var got, want Writer
	gotErr, wantErr = plant(&got, n), rewrite(&want, v)
	if gotErr != nil || wantErr != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Fatalf("%q: got %s, %v want %s, %v", doc, got.Bytes(), gotErr, want.Bytes(), wantErr)
	}
}

func FuzzTree(f *testing.F) {
	for _, doc := range []string{
		chunk, ` [ 1 , { "a" : [ ] , "\u0061" : { } , "é" : "\ud83d" } ] `, `{"a":{"a":1},"a":[2]}`, `[{}`, `{"a":}`, strings.Repeat("[", DefaultDepth+1), `null`, ``,
	} {
		f.Add([]byte(chatBody), []byte(doc))
	}
	f.Fuzz(func(t *testing.T, before, doc []byte) {
		var tree Tree
		_, _ = tree.ParseLenient(before)
		checkTree(t, &tree, doc)
	})
}

func TestTreeAgreesWithTheText(t *testing.T) {
	var tree Tree
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t)
		checkTree(t, &tree, doc)
		doc[rapid.IntRange(0, len(doc)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("{}[]:,\"\\ 1n\x80")).Draw(t, "byte")
		checkTree(t, &tree, doc)
	})
}

func TestTreeOfManyValues(t *testing.T) {
	var tree Tree
	for _, n := range []int{maxNodes - 3, maxNodes - 2, maxNodes - 1, maxNodes, 100 * maxNodes} { // {"a":[…]} is n and 2
		doc := []byte(` {"a":[` + strings.Repeat("{},", n-1) + `{}]} `)
		checkTree(t, &tree, doc)
		if got := cap(tree.c.nodes); got > 2*maxNodes {
			t.Errorf("%d values: got memory for %d nodes", n, got)
		}
		checkTree(t, &tree, []byte(chunk))
	}
}

func TestTreeErrorsNameThePlace(t *testing.T) {
	var tree Tree
	root, err := tree.ParseLenient([]byte(`{"a":[1,{"b c":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("bad")
	walk := func(last func(Node) error) error {
		return root.Members(func(_ []byte, v Node) error {
			return v.Array(func(i int, v Node) error {
				if i == 0 {
					return nil
				}
				return v.Members(func(_ []byte, v Node) error { return last(v) })
			})
		})
	}
	for _, c := range []struct {
		last func(Node) error
		want string
	}{
		{func(Node) error { return bad }, `a[1]["b c"]: bad`},
		{func(v Node) error { return v.Members(nil) }, `a[1]["b c"]: want object, got number`},
		{func(v Node) error { return v.Array(nil) }, `a[1]["b c"]: want array, got number`},
		{func(Node) error { return Node{}.Members(nil) }, `a[1]["b c"]: want object, got nothing`},
	} {
		if err := walk(c.last); err == nil || err.Error() != c.want {
			t.Errorf("got %v want %s", err, c.want)
		}
	}
}

func TestTreeUsedAgainDoesNotAllocate(t *testing.T) {
	var tree Tree
	doc := []byte(chunk)
	got := testing.AllocsPerRun(10, func() {
		n, err := tree.ParseLenient(doc)
		if err == nil {
			err = n.Members(func([]byte, Node) error { return nil })
		}
		if err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations want 0", got)
	}
}

// Skip must say of every piece what Text makes of it.
func TestTextJoinerSkips(t *testing.T) {
	pieces := []string{"a", "é", `\n`, `\\`, `\u0041`, `\ud83d`, `\ude00`, `\\ud83d`}
	rapid.Check(t, func(t *rapid.T) {
		var reads, skips TextJoiner
		for range 4 {
			v := Value(`"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 3).Draw(t, "pieces"), "") + `"`)
			text, err := reads.Text(v)
			has, skipErr := skips.Skip(v)
			if err != nil || skipErr != nil || has != (text != "") || reads != skips {
				t.Fatalf("%s: got %v, %v, held %v want %q, %v, held %v", v, has, skipErr, skips.Held(), text, err, reads.Held())
			}
		}
		if has, err := skips.Skip(Value("1")); has || err == nil {
			t.Fatalf("a number: got %v, %v want an error", has, err)
		}
	})
}
