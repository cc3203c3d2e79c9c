package jsontext

import (
	"errors"
	"testing"
)

func TestSet(t *testing.T) {
	for _, tt := range []struct{ doc, path, val, want string }{
		{`{"a":1}`, "a", `2`, `{"a":2}`},
		{" { \"a\" :\t1 , \"b\":2 }\n", "a", `[3]`, " { \"a\" :\t[3] , \"b\":2 }\n"},
		{`{"b":{"a":1},"\u0061":1}`, "a", `2`, `{"b":{"a":1},"\u0061":2}`},
		{`{}`, "a", `1`, `{"a":1}`},
		{"{ \n}", "a", `1`, "{\"a\":1 \n}"},
		{"{\n  \"b\": {}\n}", "a", `1`, "{\n  \"b\": {},\"a\":1\n}"},
		{`{"b":1}`, "x.y.z", `true`, `{"b":1,"x":{"y":{"z":true}}}`},
		{`{"x":{}}`, "x.y.z", `1`, `{"x":{"y":{"z":1}}}`},
		{`{"x":{"y":null},"b":1}`, "x.y.z", `1`, `{"x":{"y":{"z":1}},"b":1}`},
		{`{"x":{"y":null}}`, "x.y", `1`, `{"x":{"y":1}}`},
		{`{"m":[{"a":1},{"b":[{"a":0}]},{}]}`, "m[].a", `9`, `{"m":[{"a":9},{"b":[{"a":0}],"a":9},{"a":9}]}`},
		{`{"m":[1, "x",[]]}`, "m[]", `null`, `{"m":[null, null,null]}`},
		{`{"m":[[{}],[{},{"a":1}],3]}`, "m[][].a", `2`, `{"m":[[{"a":2}],[{"a":2},{"a":2}],3]}`},
		{`{"m":[null,{"a":null}]}`, "m[].a.b", `1`, `{"m":[{"a":{"b":1}},{"a":{"b":1}}]}`},
		{`[{"a":1},{}]`, "[].a", `2`, `[{"a":2},{"a":2}]`},
		{`{"m":"text"}`, "m[].a", `1`, `{"m":"text"}`},
		{`{"m":null}`, "m[].a", `1`, `{"m":null}`},
		{`{}`, "m[].a", `1`, `{}`},
		{`{}`, "m.n[].a", `1`, `{}`},
		{`{"a":1}`, `q"\n`, `1`, `{"a":1,"q\"\\n":1}`},
		{`{"stream":true}`, "stream_options.include_usage", `true`, `{"stream":true,"stream_options":{"include_usage":true}}`},
	} {
		got, err := Set([]byte(tt.doc), tt.path, []byte(tt.val))
		if err != nil || string(got) != tt.want {
			t.Errorf("Set(%s, %s, %s): got %s, %v; want %s", tt.doc, tt.path, tt.val, got, err, tt.want)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct{ doc, path, want string }{
		{`[]`, "a", "set a: want object, got array"},
		{`1`, "a", "set a: want object, got number"},
		{`{"a":"x"}`, "a.b", "set a.b: a: want object, got string"},
		{`{"a":{"b":[1]}}`, "a.b[].c", "set a.b[].c: a.b: want object, got number"},
		{`{"Model":1}`, "model", "set model: model: member exists already"},
		{`{"x":{"\u212aey":1}}`, "x.key", "set x.key: x.key: member exists already"},
		{`{}`, "", "set : bad path"},
		{`{}`, "a..b", "set a..b: bad path"},
		{`{}`, "a.", "set a.: bad path"},
		{`{}`, "a.[]", "set a.[]: bad path"},
		{`{}`, "a[0]", "set a[0]: bad path"},
		{`{}`, "a[]b", "set a[]b: bad path"},
	} {
		got, err := Set([]byte(tt.doc), tt.path, []byte("0"))
		if err == nil || err.Error() != tt.want {
			t.Errorf("Set(%s, %s): got %s, %v; want %s", tt.doc, tt.path, got, err, tt.want)
		}
	}
}

func TestDrop(t *testing.T) {
	for _, tt := range []struct {
		doc, path, want string
		n               int
	}{
		{`{"a":1}`, "a", `{}`, 1},
		{`{"a":1,"b":2,"c":3}`, "a", `{"b":2,"c":3}`, 1},
		{`{"a":1,"b":2,"c":3}`, "b", `{"a":1,"c":3}`, 1},
		{`{"a":1,"b":2,"c":3}`, "c", `{"a":1,"b":2}`, 1},
		{" { \"a\" : 1 , \"b\" : 2 } ", "a", " { \"b\" : 2 } ", 1},
		{" { \"a\" : 1 , \"b\" : 2 } ", "b", " { \"a\" : 1 } ", 1},
		{" { \"a\" : 1 } ", "a", " {  } ", 1},
		{`{"\u0061":{"x":[1,"}"]},"b":{"a":1}}`, "a", `{"b":{"a":1}}`, 1},
		{`{"a":{"b":1,"a":{"b":2}},"b":3}`, "a.b", `{"a":{"a":{"b":2}},"b":3}`, 1},
		{`{"m":[{"a":1},{"b":1},{"b":1,"a":2},3]}`, "m[].a", `{"m":[{},{"b":1},{"b":1},3]}`, 2},
		{`{"m":[1,2]}`, "m[]", `{"m":[]}`, 2},
		{`{"x":0,"a":1,"a":2}`, "a", `{"x":0}`, 2},
		{`{"a":1,"a":2,"x":0}`, "a", `{"x":0}`, 2},
		{`{"a":1, "x":0, "a":2, "y":0, "a":3, "a":4}`, "a", `{"x":0, "y":0}`, 4},
		{`{"a":1}`, "A", `{"a":1}`, 0},
		{`{"a":1}`, "a.b", `{"a":1}`, 0},
		{`{"a":[{"b":1}]}`, "a.b", `{"a":[{"b":1}]}`, 0},
		{`[]`, "a", `[]`, 0},
		{`{"":1}`, "a", `{"":1}`, 0},
	} {
		got, n, err := Drop([]byte(tt.doc), tt.path)
		if err != nil || string(got) != tt.want || n != tt.n {
			t.Errorf("Drop(%s, %s): got %s, %d, %v; want %s, %d", tt.doc, tt.path, got, n, err, tt.want, tt.n)
		}
	}
	if _, _, err := Drop([]byte(`{}`), "a["); err == nil || err.Error() != "drop a[: bad path" {
		t.Errorf("got %v, want drop a[: bad path", err)
	}
}

func TestRename(t *testing.T) {
	for _, tt := range []struct {
		doc, path, key, want string
		n                    int
	}{
		{`{ "a" : 1, "c":{"a":2} }`, "a", "b", `{ "b" : 1, "c":{"a":2} }`, 1},
		{`{"\u0061":1}`, "a", `q"`, `{"q\"":1}`, 1},
		{`{"\u0061":1}`, "a", "a", `{"\u0061":1}`, 1},
		{`{"a":1}`, "a", "A", `{"A":1}`, 1},
		{`{"m":[{"a":1},{"b":2},{"a":[]}]}`, "m[].a", "c", `{"m":[{"c":1},{"b":2},{"c":[]}]}`, 2},
		{`{"b":1}`, "a", "b", `{"b":1}`, 0},
	} {
		got, n, err := Rename([]byte(tt.doc), tt.path, tt.key)
		if err != nil || string(got) != tt.want || n != tt.n {
			t.Errorf("Rename(%s, %s, %s): got %s, %d, %v; want %s, %d", tt.doc, tt.path, tt.key, got, n, err, tt.want, tt.n)
		}
	}
	for _, doc := range []string{`{"a":1,"b":2}`, `{"b":1,"a":2}`, `{"a":1,"B":2}`, `{"\u0062":1,"a":2}`} {
		if got, _, err := Rename([]byte(doc), "a", "b"); !errors.Is(err, ErrExists) {
			t.Errorf("Rename(%s, a, b): got %s, %v; want ErrExists", doc, got, err)
		}
	}
	if _, _, err := Rename([]byte(`{"a":[1]}`), "a[]", "b"); !errors.Is(err, errBadPath) {
		t.Errorf("rename of elements: got %v, want a bad path", err)
	}
}

func TestMapText(t *testing.T) {
	for _, tt := range []struct {
		doc, path, want string
		n               int
	}{
		{`{"m":[{"role": "developer","x":1},{"role":"user"},{"role":"developer"}]}`, "m[].role", `{"m":[{"role": "system","x":1},{"role":"user"},{"role":"system"}]}`, 2},
		{`{"m":[{"role":"\u0064eveloper"}]}`, "m[].role", `{"m":[{"role":"system"}]}`, 1},
		{`{"m":[{"role":["developer"]},{"role":null},{}]}`, "m[].role", `{"m":[{"role":["developer"]},{"role":null},{}]}`, 0},
		{`{"role":"developer"}`, "m[].role", `{"role":"developer"}`, 0},
	} {
		got, n, err := MapText([]byte(tt.doc), tt.path, map[string]string{"developer": "system", "user": "user"})
		if err != nil || string(got) != tt.want || n != tt.n {
			t.Errorf("MapText(%s, %s): got %s, %d, %v; want %s, %d", tt.doc, tt.path, got, n, err, tt.want, tt.n)
		}
	}
	if _, _, err := MapText([]byte(`{}`), "", nil); !errors.Is(err, errBadPath) {
		t.Errorf("got %v, want a bad path", err)
	}
}

func TestCap(t *testing.T) {
	for _, tt := range []struct {
		doc, path string
		limit     float64
		want      string
		n         int
	}{
		{`{"a": 5000 ,"b":5000}`, "a", 4096, `{"a": 4096 ,"b":5000}`, 1},
		{`{"a":4096}`, "a", 4096, `{"a":4096}`, 0},
		{`{"a":4.096e3}`, "a", 4096, `{"a":4.096e3}`, 0},
		{`{"a":1.2}`, "a", 1, `{"a":1}`, 1},
		{`{"a":0.6}`, "a", 0.5, `{"a":0.5}`, 1},
		{`{"a":1e400}`, "a", 7, `{"a":7}`, 1},
		{`{"a":-1e400}`, "a", 7, `{"a":-1e400}`, 0},
		{`{"a":"9"}`, "a", 7, `{"a":"9"}`, 0},
		{`{"a":null}`, "a", 7, `{"a":null}`, 0},
		{`{"a":[1,9,8]}`, "a[]", 7, `{"a":[1,7,7]}`, 2},
		{`{}`, "a", 7, `{}`, 0},
	} {
		got, n, err := Cap([]byte(tt.doc), tt.path, tt.limit)
		if err != nil || string(got) != tt.want || n != tt.n {
			t.Errorf("Cap(%s, %s, %v): got %s, %d, %v; want %s, %d", tt.doc, tt.path, tt.limit, got, n, err, tt.want, tt.n)
		}
	}
	if _, _, err := Cap([]byte(`{}`), "", 1); !errors.Is(err, errBadPath) {
		t.Errorf("got %v, want a bad path", err)
	}
}

func TestSetTopString(t *testing.T) {
	for doc, want := range map[string]string{
		" {\"x\":{\"model\":\"a\"} , \"model\" : \"a\\\"b\" , \"y\":1}\n": " {\"x\":{\"model\":\"a\"} , \"model\" : \"new\\n\" , \"y\":1}\n",
		`{"\u006dodel":""}`: `{"\u006dodel":"new\n"}`,
	} {
		before := doc
		in := []byte(doc)
		got, err := SetTopString(in, "model", "new\n")
		if err != nil || string(got) != want {
			t.Errorf("SetTopString(%s): got %s, %v; want %s", doc, got, err, want)
		}
		if string(in) != before {
			t.Errorf("the input changed: got %s, want %s", in, before)
		}
	}
	same := []byte(`{"model":"same"}`)
	if got, err := SetTopString(same, "model", "same"); err != nil || len(got) != len(same) || &got[0] != &same[0] {
		t.Errorf("got %s, %v; want the document itself, which says it already", got, err)
	}
	for doc, want := range map[string]string{
		`{}`: "nothing", `{"Model":"a"}`: "nothing", `{"model":5}`: "number", `{"model":null}`: "null", `["model"]`: "nothing", ``: "nothing",
	} {
		_, err := SetTopString([]byte(doc), "model", "new")
		if want = "model: want string, got " + want; err == nil || err.Error() != want {
			t.Errorf("SetTopString(%s): got %v, want %s", doc, err, want)
		}
	}
}
