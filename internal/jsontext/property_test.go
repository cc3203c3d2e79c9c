package jsontext

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// keys are few, so that paths and names meet; "b\u0062" and the like are written with escapes half of the time.
var keys = []string{"a", "bb", "c\n", "d\"", "ключ", "long enough for eight bytes at once", ""}

// document writes random JSON with random white space, with names that do not repeat.
type document struct {
	t *rapid.T
	b strings.Builder
}

func drawDocument(t *rapid.T) []byte {
	d := &document{t: t}
	d.space()
	d.value(4)
	d.space()
	return []byte(d.b.String())
}

// drawObject draws a document whose value is an object.
func drawObject(t *rapid.T) []byte {
	d := &document{t: t}
	d.space()
	d.object(4)
	d.space()
	return []byte(d.b.String())
}

func (d *document) pick(options ...string) string {
	return rapid.SampledFrom(options).Draw(d.t, "pick")
}

func (d *document) space() {
	d.b.WriteString(d.pick("", "", "", " ", "\n\t", " \r "))
}

func (d *document) value(depth int) {
	kind := rapid.IntRange(0, 5).Draw(d.t, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		d.b.WriteString(d.pick("null", "true", "false"))
	case 1:
		d.b.WriteString(d.pick("0", "-0", "5", "5.0", "-12.5e3", "1E+2", "9007199254740993", "0.1", "7e-7"))
	case 2:
		d.str(rapid.String().Draw(d.t, "string"))
	case 3:
		d.array(depth)
	default:
		d.object(depth)
	}
}

func (d *document) array(depth int) {
	d.b.WriteByte('[')
	for i := range rapid.IntRange(0, 3).Draw(d.t, "elements") {
		if i > 0 {
			d.b.WriteByte(',')
		}
		d.space()
		d.value(depth - 1)
		d.space()
	}
	d.space()
	d.b.WriteByte(']')
}

func (d *document) object(depth int) {
	d.b.WriteByte('{')
	names := rapid.Permutation(keys).Draw(d.t, "names")
	for i, name := range names[:rapid.IntRange(0, 4).Draw(d.t, "members")] {
		if i > 0 {
			d.b.WriteByte(',')
		}
		d.space()
		d.str(name)
		d.space()
		d.b.WriteByte(':')
		d.space()
		d.value(depth - 1)
		d.space()
	}
	d.space()
	d.b.WriteByte('}')
}

// str writes a string, by encoding/json or with every rune escaped.
func (d *document) str(s string) {
	if rapid.Bool().Draw(d.t, "escaped") {
		d.b.WriteString(escapeAll(s))
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		d.t.Fatal(err)
	}
	d.b.Write(text)
}

func escapeAll(s string) string {
	const hex = "0123456789aBcDeF"
	var b strings.Builder
	b.WriteByte('"')
	for _, u := range utf16Of(s) {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hex[u>>shift&15])
		}
	}
	b.WriteByte('"')
	return b.String()
}

func utf16Of(s string) []uint16 {
	var units []uint16
	for _, r := range s {
		if r >= 0x10000 {
			units = append(units, uint16(0xD800+(r-0x10000)>>10), uint16(0xDC00+(r-0x10000)&0x3FF))
			continue
		}
		units = append(units, uint16(r))
	}
	return units
}

// decode is the oracle: the value as encoding/json sees it, numbers as they are spelled.
func decode(t interface{ Fatalf(string, ...any) }, doc []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v
}

func TestCheckAgreesWithJSONValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t)
		if err := Check(doc, Limits{}); err != nil {
			t.Fatalf("Check(%s): got %v, want no error", doc, err)
		}
		// Damage one byte: with repeating names allowed, the two must still agree on UTF-8 text.
		at := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
		doc[at] = rapid.SampledFrom([]byte("{}[]:,\"\\ \n0-.e1tnu\x00\x1f\x80\xff")).Draw(t, "byte")
		got := Check(doc, Limits{AllowDuplicates: true}) == nil
		if want := json.Valid(doc) && utf8.Valid(doc); got != want {
			t.Fatalf("Check(%q): got %v, want %v", doc, got, want)
		}
	})
}

func TestTextAgreesWithJSON(t *testing.T) {
	pieces := []string{"a", "é", "😀", `\n`, `\\`, `\/`, `\"`, `\u0041`, `\ud83d`, `\ude00`, `\uDFFF`, `\u005c`, "u0041", "12345678"}
	rapid.Check(t, func(t *rapid.T) {
		raw := `"` + strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "pieces"), "") + `"`
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := Value(raw).Text(); err != nil || got != want {
			t.Fatalf("Text of %s: got %q, %v; want %q", raw, got, err, want)
		}
	})
}

// However the UTF-16 code units of a text are cut, the joiner gives the text back.
func TestTextJoinerUndoesEveryCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringOf(rapid.RuneFrom([]rune(`a"\😀😁𝄞é`))).Draw(t, "text")
		escaped := strings.Trim(escapeAll(want), `"`)
		var j TextJoiner
		var got strings.Builder
		for escaped != "" {
			n := 6 * rapid.IntRange(0, min(3, len(escaped)/6)).Draw(t, "units")
			s, err := j.Text(Value(`"` + escaped[:n] + `"`))
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(s)
			escaped = escaped[n:]
		}
		got.WriteString(j.Flush())
		if got.String() != want {
			t.Fatalf("got %q, want %q", got.String(), want)
		}
	})
}

func TestAppendAgreesWithJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "float")
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendFloat(nil, f); !bytes.Equal(got, want) {
			t.Fatalf("AppendFloat: got %s, want %s", got, want)
		}
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "string")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendString(nil, s)
		if !json.Valid(got) || decode(t, got) != decode(t, text) {
			t.Fatalf("AppendString(%q): got %s, want the meaning of %s", s, got, text)
		}
		n := rapid.Int64().Draw(t, "int")
		if got, err := Value(AppendInt(nil, n)).Int(); err != nil || got != n {
			t.Fatalf("Int after AppendInt: got %d, %v; want %d", got, err, n)
		}
	})
}

// rewrite copies a value by walking it and writing what was found.
func rewrite(w *Writer, v Value) error {
	switch v.Kind() {
	case Object:
		w.BeginObject()
		err := v.Object(func(key string, v Value) error {
			w.Key(key)
			return rewrite(w, v)
		})
		w.EndObject()
		return err
	case Array:
		w.BeginArray()
		err := v.Array(func(_ int, v Value) error { return rewrite(w, v) })
		w.EndArray()
		return err
	case String:
		s, err := v.Text()
		w.String(s)
		return err
	case Invalid, Null, Bool, Number:
	}
	w.Raw(v)
	return nil
}

func TestRewritingKeepsTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t)
		v, err := Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		var w Writer
		if err := rewrite(&w, v); err != nil {
			t.Fatal(err)
		}
		got := w.Bytes()
		if !reflect.DeepEqual(decode(t, got), decode(t, doc)) {
			t.Fatalf("got %s, want the meaning of %s", got, doc)
		}
		if !Equal(v, got) {
			t.Fatalf("Equal(%s, %s): got false, want true", v, got)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, doc); err != nil {
			t.Fatal(err)
		}
		if got := Compact(nil, doc); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("Compact: got %s, want %s", got, want.Bytes())
		}
	})
}

func TestEqualAgreesWithJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawDocument(t), drawDocument(t)
		got := Equal(bytes.TrimSpace(a), bytes.TrimSpace(b))
		x, y := normal(decode(t, a)), normal(decode(t, b))
		if want := reflect.DeepEqual(x, y); got != want {
			t.Fatalf("Equal(%s, %s): got %v, want %v", a, b, got, want)
		}
	})
}

// normal gives numbers that are equal the same spelling. It knows the ones that documents are drawn with.
func normal(v any) any {
	switch v := v.(type) {
	case json.Number:
		return json.Number(strings.NewReplacer("-0", "0", "5.0", "5").Replace(v.String()))
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}
