package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheckAccepts(t *testing.T) {
	for _, doc := range []string{
		`0`, `-0`, `-0.5e+10`, `1E-2`, `true`, `false`, `null`, `""`, `[]`, `{}`, " \t\r\n[ ] ", `[1,[2,{"a":[]}],"x"]`,
		`{"":1,"a":2,"b":{"a":3}}`, `[{"a":1},{"a":1}]`, `{"a":{"ſtream":1}}`, `"\"\\\/\b\f\n\r\t\u00e9"`, `"\ud800"`, `"\ude00\ud83d"`,
		`"é 漢 😀 ` + "\u2028\x7f" + `"`, `{"a":1,"aa":2,"é":3,"è":4}`, `"1234567\"90123456\\"`,
		strings.Repeat("[", 128) + strings.Repeat("]", 128),
	} {
		if err := Check([]byte(doc), Limits{}); err != nil {
			t.Errorf("Check(%s): got %v, want no error", doc, err)
		}
		if !json.Valid([]byte(doc)) {
			t.Errorf("the test is wrong: %s is not JSON", doc)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tt := range []struct {
		doc    string
		kind   ErrorKind
		offset int
	}{
		{"", Empty, 0},
		{" \n\t", Empty, 3},
		{"\ufeff{}", Syntax, 0},
		{"\v1", Syntax, 0},
		{"{", Syntax, 1},
		{`{"a"`, Syntax, 4},
		{`{"a":`, Syntax, 5},
		{`{"a":1`, Syntax, 6},
		{`{"a":1,`, Syntax, 7},
		{`{"a":1,}`, Syntax, 7},
		{`{"a" 1}`, Syntax, 5},
		{`{a:1}`, Syntax, 1},
		{`{1:1}`, Syntax, 1},
		{`{,}`, Syntax, 1},
		{`[1,]`, Syntax, 3},
		{`[,1]`, Syntax, 1},
		{`[1 2]`, Syntax, 3},
		{`[1}`, Syntax, 2},
		{`{"a":1]`, Syntax, 6},
		{`]`, Syntax, 0},
		{`nul`, Syntax, 3},
		{`nulL`, Syntax, 3},
		{`True`, Syntax, 0},
		{`NaN`, Syntax, 0},
		{`+1`, Syntax, 0},
		{`-`, Syntax, 1},
		{`.5`, Syntax, 0},
		{`1.`, Syntax, 2},
		{`1.e3`, Syntax, 2},
		{`1e`, Syntax, 2},
		{`1e+`, Syntax, 3},
		{`01`, Trailing, 1},
		{`0x1`, Trailing, 1},
		{`1_0`, Trailing, 1},
		{`"abc`, Syntax, 4},
		{`"a\`, Syntax, 2},
		{`"a\"`, Syntax, 4},
		{`"\x41"`, Syntax, 1},
		{`"\u12g4"`, Syntax, 1},
		{`"\u12`, Syntax, 1},
		{"\"a\nb\"", Syntax, 2},
		{"\"a\x00b\"", Syntax, 2},
		{"\"12345678\x1f\"", Syntax, 9},
		{"'a'", Syntax, 0},
		{"/**/1", Syntax, 0},
		{"\"a\xff\"", UTF8, 2},
		{"\"é\xc3\"", UTF8, 3},
		{"\"\xed\xa0\x80\"", UTF8, 1}, // a surrogate
		{"\"\xc0\x80\"", UTF8, 1},     // overlong
		{"\"\xf4\x90\x80\x80\"", UTF8, 1},
		{"{\"\xff\":1}", UTF8, 2},
		{"[\xff]", Syntax, 1},
		{`{} {}`, Trailing, 3},
		{`1 ,`, Trailing, 2},
		{"1\x00", Trailing, 1},
		{strings.Repeat("[", 129) + strings.Repeat("]", 129), Depth, 128},
		{strings.Repeat(`{"a":`, 129) + "1" + strings.Repeat("}", 129), Depth, 5 * 128},
		{`{"a":1,"a":2}`, Duplicate, 7},
		{`{"":1,"":2}`, Duplicate, 6},
		{`{"model":1,"Model":2}`, Duplicate, 11},
		{`{"model":1,"\u006dodel":2}`, Duplicate, 11},
		{`{"\u004dODEL":1,"model":2}`, Duplicate, 16},
		{`{"ſtream":1,"stream":2}`, Duplicate, 1},
		{`{"ſtream":1}`, Duplicate, 1},
		{`{"a":1,"max_to\u212aens":2}`, Duplicate, 7},
		{`[{"ſtream":1,"stream":2}]`, Duplicate, 14},
		{`{"stream":1,"ſTREAM":2}`, Duplicate, 12},
		{"{\"key\":1,\"\u212aEY\":2}", Duplicate, 9},
		{"[{\"key\":1,\"\u212aEY\":2}]", Duplicate, 10},
		{`{"é":1,"É":2}`, Duplicate, 8},
		{`{"σ":1,"ς":2}`, Duplicate, 8},
		{`{"a\/b":1,"a/b":2}`, Duplicate, 10},
		{`{"\ud800":1,"\udfff":2}`, Duplicate, 12}, // both are read as U+FFFD
		{`[{"x":{"a":1,"b":{"a":1},"a":2}}]`, Duplicate, 25},
		{`{"a":{"b":1},"c":{},"a":1}`, Duplicate, 20},
	} {
		err := Check([]byte(tt.doc), Limits{})
		var got *SyntaxError
		if !errors.As(err, &got) {
			t.Errorf("Check(%.60q): got %v, want a SyntaxError", tt.doc, err)
			continue
		}
		if got.Kind != tt.kind || got.Offset != tt.offset {
			t.Errorf("Check(%.60q): got kind %d at %d (%v), want %d at %d", tt.doc, got.Kind, got.Offset, err, tt.kind, tt.offset)
		}
		lenient := Check([]byte(tt.doc), Limits{AllowDuplicates: true})
		if (lenient == nil) != (tt.kind == Duplicate) {
			t.Errorf("Check(%.60q) with duplicates allowed: got %v", tt.doc, lenient)
		}
	}
}

func TestCheckMessages(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a":tru}`:          `invalid JSON at byte 8: unexpected '}'`,
		`[1`:                 `invalid JSON at byte 2: text breaks off`,
		`{"a":1,"\u0041":2}`: `invalid JSON at byte 7: name "A" repeats, or differs only by case`,
		`[[[]]]`:             `invalid JSON at byte 2: nested more than 2 deep`,
	} {
		err := Check([]byte(doc), Limits{Depth: 2})
		if err == nil || err.Error() != want {
			t.Errorf("Check(%s): got %v, want %s", doc, err, want)
		}
	}
	long := `{"` + strings.Repeat("é", 1000) + `":1,"` + strings.Repeat("é", 1000) + `":1}`
	if err := Check([]byte(long), Limits{}); err == nil || len(err.Error()) > 200 {
		t.Errorf("long name: got %v, want a short error", err)
	}
}

// Names past the sixteenth are kept in a map: every place of the first and of the second must be noticed.
func TestCheckFindsDuplicatesAmongManyNames(t *testing.T) {
	for _, n := range []int{2, 15, 16, 17, 18, 40} {
		for i := range n {
			names := make([]string, n)
			for k := range names {
				names[k] = fmt.Sprintf(`"name%d":{"in":1,"out":2}`, k)
			}
			doc := "{" + strings.Join(names, ",") + "}"
			if err := Check([]byte(doc), Limits{}); err != nil {
				t.Fatalf("%d names: got %v, want no error", n, err)
			}
			for _, again := range []string{fmt.Sprintf(`"NAME%d":1`, i), fmt.Sprintf(`"\u004ea\u006de%d":1`, i)} {
				doc := "{" + strings.Join(names, ",") + "," + again + "}"
				var got *SyntaxError
				if err := Check([]byte(doc), Limits{}); !errors.As(err, &got) || got.Kind != Duplicate {
					t.Errorf("%d names and %s: got %v, want a duplicate", n, again, err)
				}
			}
		}
	}
}

// Text that is meant to be slow to check is not (S43, S44).
func TestCheckIsQuickOnHostileText(t *testing.T) {
	manyNames := func(format string) string {
		var b strings.Builder
		for i := range 1_000_000 {
			fmt.Fprintf(&b, format, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	const deep = 100_000
	for name, tt := range map[string]struct {
		doc    string
		limits Limits
		valid  bool
	}{
		"deep":            {strings.Repeat("[", deep), Limits{}, false},
		"deep, no limit":  {strings.Repeat(`[{"a":`, deep) + "1" + strings.Repeat("}]", deep), Limits{Depth: 3 * deep}, true},
		"a million names": {manyNames(`,"%d":0`), Limits{}, true},
		"backslashes":     {`"` + strings.Repeat(`\\`, 1_000_000) + `"`, Limits{}, true},
		"quotes":          {`"` + strings.Repeat(`\"`, 1_000_000) + `"`, Limits{}, true},
		"spaces":          {strings.Repeat(" ", 1_000_000), Limits{}, false},
		"small objects":   {"[" + strings.Repeat(`{"a":{}},`, 300_000) + "0]", Limits{}, true},
	} {
		start := time.Now()
		doc := []byte(tt.doc)
		err := Check(doc, tt.limits)
		if (err == nil) != tt.valid {
			t.Errorf("%s: got %v, want valid %v", name, err, tt.valid)
		}
		if tt.valid {
			v := Value(doc)
			v.Get("999999")
			if !Equal(v, Compact(nil, v)) {
				t.Errorf("%s: got a compact text that is not equal", name)
			}
		}
		// Seconds, though it takes a fraction of one: quadratic work on these takes minutes.
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	doc := []byte(chatBody)
	if got := testing.AllocsPerRun(100, func() { _ = Check(doc, Limits{}) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func TestPlainEnd(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			b := []byte(strings.Repeat("~", 20))
			b[at] = byte(c)
			want := at
			if c >= ' ' && c < 0x80 && c != '"' && c != '\\' {
				want = len(b)
			}
			if got := plainEnd(b, 0); got != want {
				t.Fatalf("byte %#x at %d: got %d, want %d", c, at, got, want)
			}
		}
	}
}
