package jsontext

import (
	"math"
	"strings"
	"testing"
)

func TestAppendString(t *testing.T) {
	for s, want := range map[string]string{
		"":                     `""`,
		"a<b>&'/":              `"a<b>&'/"`,
		"\"\\\b\f\n\r\t":       `"\"\\\b\f\n\r\t"`,
		"\x00\x1f\x7f":         `"\u0000\u001f` + "\x7f\"",
		"é漢😀\u2028":            "\"é漢😀\u2028\"",
		"a\xffb\xc3":           `"a\ufffdb\ufffd"`,
		"\xed\xa0\xbd":         `"\ufffd\ufffd\ufffd"`,
		"\xef\xbf\xbd is real": "\"\ufffd is real\"",
	} {
		if got := AppendString([]byte("x"), s); string(got) != "x"+want {
			t.Errorf("AppendString(%q): got %s, want x%s", s, got, want)
		}
	}
}

func TestWriter(t *testing.T) {
	var w Writer
	w.BeginObject()
	w.StringField("s", "a\"b")
	w.IntField("i", math.MinInt64)
	w.FloatField("f", 1e21)
	w.BoolField("b", true)
	w.NullField("n")
	w.RawField("r", []byte(`{"x": 1}`))
	w.RawField("absent", nil)
	w.Key("list")
	w.BeginArray()
	w.BeginObject()
	w.EndObject()
	w.BeginArray()
	w.EndArray()
	w.String("z")
	w.Int(1)
	w.Float(math.NaN())
	w.Bool(false)
	w.Null()
	w.Raw([]byte("2"))
	w.EndArray()
	w.Key("\n")
	w.BeginObject()
	w.EndObject()
	w.EndObject()
	want := `{"s":"a\"b","i":-9223372036854775808,"f":1e+21,"b":true,"n":null,"r":{"x": 1},"absent":null,` +
		`"list":[{},[],"z",1,null,false,null,2],"\n":{}}`
	if got := string(w.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w.Reset([]byte("data: "))
	w.Int(5)
	if got, want := string(w.Bytes()), "data: 5"; got != want {
		t.Errorf("after Reset: got %s, want %s", got, want)
	}
}

func TestWriterMisuse(t *testing.T) {
	for name, use := range map[string]func(w *Writer){
		"nothing written":     func(w *Writer) { w.Bytes() },
		"unfinished":          func(w *Writer) { w.BeginArray(); w.Bytes() },
		"two values":          func(w *Writer) { w.Null(); w.Null() },
		"value without key":   func(w *Writer) { w.BeginObject(); w.Int(1) },
		"object without key":  func(w *Writer) { w.BeginObject(); w.BeginObject() },
		"key at the top":      func(w *Writer) { w.Key("a") },
		"key in an array":     func(w *Writer) { w.BeginArray(); w.Key("a") },
		"two keys":            func(w *Writer) { w.BeginObject(); w.Key("a"); w.Key("b") },
		"end after key":       func(w *Writer) { w.BeginObject(); w.Key("a"); w.EndObject() },
		"wrong end of object": func(w *Writer) { w.BeginObject(); w.EndArray() },
		"wrong end of array":  func(w *Writer) { w.BeginArray(); w.EndObject() },
		"end of nothing":      func(w *Writer) { w.EndObject() },
	} {
		func() {
			defer func() {
				if got, ok := recover().(string); !ok || !strings.HasPrefix(got, "BUG: ") {
					t.Errorf("%s: got %q, want a panic that begins with BUG:", name, got)
				}
			}()
			use(new(Writer))
		}()
	}
}

func TestCompact(t *testing.T) {
	got := string(Compact([]byte("x"), Value(" { \"a b\" :\t[ 1 , \" \\\" , \" ] ,\n\"c\":{ } }\r\n")))
	if want := `x{"a b":[1," \" , "],"c":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`-0`, `0e5`, true},
		{`100`, `1e2`, true},
		{`0.10`, `1E-1`, true},
		{`-1`, `1`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`0.1000000000000000055511151231257827`, `0.1`, false},
		{`1e400`, `10e399`, true},
		{`1e400`, `1e401`, false},
		{`1e99999999999999999999`, `1e99999999999999999998`, false},
		{`1e99999999999999999999`, `1e99999999999999999999`, true},
		{`"a"`, `"\u0061"`, true},
		{`"\ud83d\ude00"`, `"😀"`, true},
		{`"\ud800"`, `"\ud801"`, false},
		{`"\ud800"`, `"\ufffd"`, false},
		{`"\uD800"`, `"\ud800"`, true},
		{`"1"`, `1`, false},
		{`null`, `false`, false},
		{`true`, `false`, false},
		{`[]`, `[ ]`, true},
		{`[1,2]`, `[1 , 2.0]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1]`, `[1,1]`, false},
		{`[1,1]`, `[1]`, false},
		{`{}`, `[]`, false},
		{`{"a":1,"b":[{}]}`, `{ "b" : [{ }], "\u0061":1e0}`, true},
		{`{"a":1}`, `{"b":1}`, false},
		{`{"a":1}`, `{"A":1}`, false},
		{`{"a":1}`, `{"a":1,"b":1}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"a":1,"a":2}`, `{"a":2}`, true},
		{``, ``, true},
		{``, `null`, false},
	} {
		for _, pair := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := Equal(Value(pair[0]), Value(pair[1])); got != tt.want {
				t.Errorf("Equal(%s, %s): got %v, want %v", pair[0], pair[1], got, tt.want)
			}
		}
	}
}
