package jsontext

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	for text, want := range map[string]Kind{
		"": Invalid, "?": Invalid, "null": Null, "true": Bool, "false": Bool, "-1": Number, "9": Number, `""`: String,
		"[]": Array, "{}": Object,
	} {
		if got := Value(text).Kind(); got != want {
			t.Errorf("Kind of %q: got %v, want %v", text, got, want)
		}
		if got, want := Value(text).IsNull(), text == "" || text == "null"; got != want {
			t.Errorf("IsNull of %q: got %v, want %v", text, got, want)
		}
	}
}

func TestParseTrims(t *testing.T) {
	v, err := Parse([]byte(" \n{\"a\": 1}\t\r"))
	if err != nil || string(v) != `{"a": 1}` {
		t.Errorf("got %s, %v; want the object alone", v, err)
	}
	if v, err := Parse([]byte(`{"a":1,"a":2}`)); err == nil {
		t.Errorf("Parse of a duplicate: got %s, want an error", v)
	}
	v, err = ParseLenient([]byte(` {"a":1,"a":2}`))
	if err != nil || string(v.Get("a")) != "2" {
		t.Errorf("ParseLenient: got %s, %v; want the last to win", v.Get("a"), err)
	}
}

func TestText(t *testing.T) {
	for raw, want := range map[string]string{
		`""`:                     "",
		`"abc"`:                  "abc",
		`"é漢😀"`:                  "é漢😀",
		`"\"\\\/\b\f\n\r\t"`:     "\"\\/\b\f\n\r\t",
		`"a\u00e9\u0000\u6F22z"`: "aé\x00漢z",
		`"\ud83d\ude00!"`:        "😀!",
		`"\ud83d"`:               "\ufffd",
		`"\ude00\ud83d"`:         "\ufffd\ufffd",
		`"\ud83d\ud83d\ude00"`:   "\ufffd😀",
		`"\ud83d\u0041"`:         "\ufffdA",
		`"\ud83dA"`:              "\ufffdA",
		`"\\ud83d\\"`:            `\ud83d\`,
	} {
		if got, err := Value(raw).Text(); err != nil || got != want {
			t.Errorf("Text of %s: got %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", "1", `"`, `"a`, "null", "{}"} {
		if got, err := Value(raw).Text(); err == nil {
			t.Errorf("Text of %q: got %q, want an error", raw, got)
		}
	}
}

func TestTextJoiner(t *testing.T) {
	for _, tt := range []struct {
		pieces string // JSON strings, separated by spaces
		want   string // what each returns, then what Flush does
	}{
		{`"a" "b"`, "a|b|"},
		{`"a\ud83d" "\ude00b"`, "a|😀b|"},
		{`"\ud83d" "\ude00"`, "|😀|"},
		{`"\ud83d" "" "\ude00"`, "||😀|"},
		{`"\uD83D" "\uDE00\uD83D" "\uDE01"`, "|😀|😁|"},
		{`"\ud83d\ude00" "x"`, "😀|x|"},
		{`"\ud83d" "x"`, "|\ufffdx|"},
		{`"\ud83d" "\ud83d" "\ude00"`, "|\ufffd|😀|"},
		{`"\ud83d\ud83d" "\ude00"`, "\ufffd|😀|"},
		{`"a\ud83d"`, "a|\ufffd"},
		{`"\ude00"`, "\ufffd|"},
		{`"a\\ud83d" "\ude00"`, "a\\ud83d|\ufffd|"},
		{`"a\\\ud83d" "\ude00"`, "a\\|😀|"},
	} {
		var j TextJoiner
		var got []string
		for piece := range strings.SplitSeq(tt.pieces, " ") {
			s, err := j.Text(Value(piece))
			if err != nil {
				t.Fatalf("%s: %v", tt.pieces, err)
			}
			got = append(got, s)
		}
		held := j.Held()
		got = append(got, j.Flush())
		if got := strings.Join(got, "|"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.pieces, got, tt.want)
		}
		if want := strings.HasSuffix(tt.want, "|\ufffd"); held != want || j.Held() {
			t.Errorf("%s: got held %v, then %v; want %v, then false", tt.pieces, held, j.Held(), want)
		}
	}
	var j TextJoiner
	if _, err := j.Text(Value("null")); err == nil {
		t.Error("null: got no error")
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0e99999999999999999999": 0, "5": 5, "-5": -5, "5.0": 5, "1e3": 1000, "1.5E+1": 15, "1200e-2": 12,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "922337203685477580.7e1": math.MaxInt64,
		"1e18": 1e18, "0.000001e6": 1, "100000000000000000000e-20": 1,
	} {
		if got, err := Value(text).Int(); err != nil || got != want {
			t.Errorf("Int of %s: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "null", `"5"`, "true", "5.5", "1e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e400",
		"1e99999999999999999999", "1e-99999999999999999999", "-", "05", "1x",
	} {
		if got, err := Value(text).Int(); err == nil {
			t.Errorf("Int of %q: got %d, want an error", text, got)
		}
	}
}

func TestFloatAndBool(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "0.1": 0.1, "-1e-400": 0, "1e308": 1e308, "12": 12} {
		if got, err := Value(text).Float(); err != nil || got != want {
			t.Errorf("Float of %s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1e309", "-1e309", `"1"`, "null", "0x1", "-Inf", "-nan", "1_0"} {
		if got, err := Value(text).Float(); err == nil {
			t.Errorf("Float of %q: got %v, want an error", text, got)
		}
	}
	for _, want := range []bool{true, false} {
		if got, err := Value(AppendBool(nil, want)).Bool(); err != nil || got != want {
			t.Errorf("Bool: got %v, %v; want %v", got, err, want)
		}
	}
	for _, text := range []string{"", "null", "0", `"true"`, "truth"} {
		if got, err := Value(text).Bool(); err == nil {
			t.Errorf("Bool of %q: got %v, want an error", text, got)
		}
	}
}

func TestGet(t *testing.T) {
	doc := Value(` {"a" : {"b":[1, {"c":2}] , "c":"x}"},"esc\u0061pe\n":true, "a\\":3, "":0, "q\"":4} `[1:])
	for path, want := range map[string]string{
		"a/c": `"x}"`, "a/b": `[1, {"c":2}]`, "escape\n": "true", `a\`: "3", "": "0", `q"`: "4",
		"A": "", "b": "", "c": "", "a/b/c": "", "a/c/d": "", `esc\u0061pe\n`: "", `a\\`: "", "x": "",
	} {
		if got := doc.Get(strings.Split(path, "/")...); string(got) != want {
			t.Errorf("Get(%q): got %s, want %s", path, got, want)
		}
	}
	if got := doc.Get(); string(got) != string(doc) {
		t.Errorf("Get(): got %s, want the value itself", got)
	}
	if got := testing.AllocsPerRun(100, func() { doc.Get("a", "c") }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
	if got := doc.Get("a"); cap(got) != len(got) {
		t.Errorf("got room for %d bytes after the value, want none: appending would overwrite the text", cap(got)-len(got))
	}
}

func TestWalkingNamesThePlace(t *testing.T) {
	doc := Value(`{"messages":[{},{"content":[{"type":5}],"odd.key":{"":[0,[1]]}}]}`)
	errFive := errors.New("no fives")
	var visit func(v Value, bad string) error
	visit = func(v Value, bad string) error {
		switch {
		case string(v) == bad:
			return errFive
		case v.Kind() == Object:
			return v.Object(func(_ string, v Value) error { return visit(v, bad) })
		case v.Kind() == Array:
			return v.Array(func(_ int, v Value) error { return visit(v, bad) })
		}
		return nil
	}
	for bad, want := range map[string]string{
		"5": "messages[1].content[0].type", "0": `messages[1]["odd.key"][""][0]`, "1": `messages[1]["odd.key"][""][1][0]`, "{}": "messages[0]",
	} {
		err := visit(doc, bad)
		var got *PathError
		if !errors.As(err, &got) || got.Path != want || !errors.Is(err, errFive) {
			t.Errorf("got %v, want %s: no fives", err, want)
		}
		if want += ": no fives"; err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := visit(doc, "6"); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestWalkingOrder(t *testing.T) {
	var got []string
	err := Value(`{ "b" : 1 ,"\u0061":[ 2 , "," ] , "b":{ } }`).Object(func(key string, v Value) error {
		got = append(got, key+"="+string(v))
		return nil
	})
	if want := `b=1 a=[ 2 , "," ] b={ }`; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v; want %s", got, err, want)
	}
	for _, v := range []Value{nil, Value("null"), Value("1"), Value("[]")} {
		err := v.Object(func(string, Value) error { return nil })
		if want := "want object, got " + v.Kind().String(); err == nil || err.Error() != want {
			t.Errorf("Object of %q: got %v, want %s", v, err, want)
		}
	}
	if err := Value("{}").Array(func(int, Value) error { return nil }); err == nil || err.Error() != "want array, got object" {
		t.Errorf("Array of {}: got %v, want a mismatch", err)
	}
}

func TestAt(t *testing.T) {
	if err := At("a", nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	inner := At("b", Mismatch("string", Value("5")))
	if got, want := At("a", inner).Error(), "a.b: want string, got number"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := inner.Error(), "b: want string, got number"; got != want {
		t.Errorf("the inner error changed: got %s, want %s", got, want)
	}
	if got := At(strings.Repeat("k", 1_000_000), inner).Error(); len(got) > 200 {
		t.Errorf("got an error of %d bytes for a long key", len(got))
	}
}

// Text that was never checked may give nonsense, but no panic and no endless loop.
func TestBrokenText(t *testing.T) {
	for _, text := range []string{
		`{`, `{"a`, `{"a"`, `{"a":`, `{"a" 1}`, `{"a":1 "b"}`, `{"a":"x}`, `{"a":[}`, `{"a":[""`, `{"a":["}`, `{a:1}`, `{"a":}`, `{"a":1,`,
	} {
		touch(Value(text))
		var got *SyntaxError
		if err := Value(text).Object(func(string, Value) error { return nil }); !errors.As(err, &got) {
			t.Errorf("Object of %s: got %v, want a SyntaxError", text, err)
		}
		touch(Value("[1," + text))
		if err := Value("[1," + text).Array(func(int, Value) error { return nil }); !errors.As(err, &got) {
			t.Errorf("Array of [1,%s: got %v, want a SyntaxError", text, err)
		}
	}
	for _, text := range []string{`"\"`, `"\u12"`, `"a\`, `"\ud83d\u"`, "]", "-", `"`} {
		touch(Value(text))
		touch(Value(`{"a":` + text + `}`))
		touch(Value(`{` + text + `:1}`))
	}
}
