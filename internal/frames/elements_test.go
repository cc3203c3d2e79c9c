package frames

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readElements reads a stream to its end: the data of its frames, and all bytes received.
func readElements(r io.Reader) (data []string, raw string, err error) {
	e := newElements(r)
	for {
		f, err := e.Next()
		raw += string(f.Raw)
		if f.HasData {
			data = append(data, string(f.Data))
		}
		if err != nil {
			return data, raw, err
		}
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		stream, want string
		err          error
	}{
		{`[{"a":1}]`, `{"a":1}`, io.EOF},
		{"[{\"a\":1}\r\n,\r\n{\"b\":[{\"c\":\"}]\\\"{\"}]}\n]\n", `{"a":1}|{"b":[{"c":"}]\"{"}]}`, io.EOF},
		{" [ ] ", "", io.EOF},
		{"", "", io.EOF},
		{" \n", "", io.EOF},
		{`{"error":{}}` + "\n", `{"error":{}}`, io.EOF},
		{`[{"a":1}`, `{"a":1}`, io.ErrUnexpectedEOF},
		{`[{"a":1},`, `{"a":1}`, io.ErrUnexpectedEOF},
		{`[{"a":"}`, "", io.ErrUnexpectedEOF},
		{`[`, "", io.ErrUnexpectedEOF},
		{`[{},]`, "{}", ErrCorrupt},
		{`[,{}]`, "", ErrCorrupt},
		{`[{}{}]`, "{}", ErrCorrupt},
		{`[{},,{}]`, "{}", ErrCorrupt},
		{`[{}]]`, "{}", ErrCorrupt},
		{`[{}]{}`, "{}", ErrCorrupt},
		{`{}{}`, "{}", ErrCorrupt},
		{`[[{}]]`, "", ErrCorrupt},
		{`[1]`, "", ErrCorrupt},
		{`data: {}`, "", ErrCorrupt},
		{"\xef\xbb\xbf[]", "", ErrCorrupt},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(c.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(c.stream))} {
			data, raw, err := readElements(r)
			if strings.Join(data, "|") != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q %s: got %q, %v want %q, %v", c.stream, name, data, err, c.want, c.err)
			}
			if !errors.Is(c.err, ErrCorrupt) && raw != c.stream {
				t.Errorf("%q %s: got the bytes %q, want all that were received", c.stream, name, raw)
			}
		}
	}
}

func TestElementsKeepTheSourcesError(t *testing.T) {
	broken := errors.New("reset")
	_, _, err := readElements(io.MultiReader(strings.NewReader(`[{"a":1},{`), iotest.ErrReader(broken)))
	var partial *PartialError
	if !errors.As(err, &partial) || partial.Clean || !errors.Is(err, broken) {
		t.Errorf("got %v, want the source's error", err)
	}
}

func TestElementsAreLimited(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`[{"a":"`), &repeat{left: MaxFrame + 10})
	if _, _, err := readElements(endless); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v want %v", err, ErrTooLong)
	}
}

type repeat struct{ left int }

func (r *repeat) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), r.left)
	for i := range b[:n] {
		b[i] = 'x'
	}
	r.left -= n
	return n, nil
}

// TestElementsBuffered says that an element is at hand only when all of it is.
func TestElementsBuffered(t *testing.T) {
	for rest, want := range map[string]bool{
		"": false, ",": false, `,{"a":{"b":1}`: false, `,{"a":"}"`: false, `,{"a":{}}`: true, " \n]": true, `,{"a":1},{`: true, "x}": true,
	} {
		e := newElements(strings.NewReader(`[{"a":"]"}` + rest))
		if _, err := e.Next(); err != nil {
			t.Fatal(err)
		}
		if got := e.Buffered(); got != want {
			t.Errorf("%q: got %v want %v", rest, got, want)
		}
	}
}

// TestArrayIsWritten writes an array with a writer and reads it back.
func TestArrayIsWritten(t *testing.T) {
	w := Writer{Kind: Array}
	var b []byte
	for _, s := range []string{`{"a":1}`, `{"b":2}`} {
		b = w.Append(b, "", []byte(s))
	}
	b = w.End(b)
	data, _, err := readElements(bytes.NewReader(b))
	if !errors.Is(err, io.EOF) || strings.Join(data, "|") != `{"a":1}|{"b":2}` || !json.Valid(b) {
		t.Errorf("got %q, %v from %s", data, err, b)
	}
	empty := Writer{Kind: Array}
	if b := empty.End(nil); string(b) != "[]" {
		t.Errorf("got %q for no events", b)
	}
	begun := Writer{Kind: Array, Begun: true}
	if b := begun.End(begun.Append(nil, "", []byte("{}"))); string(b) != ",\r\n{}]" {
		t.Errorf("got %q to go on with an array", b)
	}
}

// FuzzElements holds that the frames add up to what was received, in whatever pieces it comes, and that the elements of
// a JSON array of objects are found.
func FuzzElements(f *testing.F) {
	for _, s := range []string{`[{"a":1}, {"b":"]}\""}]`, "[{}]\n", `{"error":{}}`, `[{"a":[1,{"b":2}]}`, "[]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		data, raw, err := readElements(bytes.NewReader(stream))
		slowData, slowRaw, slowErr := readElements(iotest.OneByteReader(bytes.NewReader(stream)))
		if strings.Join(data, "\x00") != strings.Join(slowData, "\x00") || raw != slowRaw || (err == nil) != (slowErr == nil) || err.Error() != slowErr.Error() {
			t.Errorf("got %q, %v, and byte by byte %q, %v", data, err, slowData, slowErr)
		}
		if !strings.HasPrefix(string(stream), raw) || errors.Is(err, io.EOF) && raw != string(stream) {
			t.Errorf("got the bytes %q of %q", raw, stream)
		}
		var want []map[string]any
		if json.Unmarshal(stream, &want) == nil && len(bytes.TrimSpace(stream)) > 0 && bytes.TrimSpace(stream)[0] == '[' && !bytes.Contains(stream, []byte("null")) {
			if len(data) != len(want) || !errors.Is(err, io.EOF) {
				t.Errorf("got %q, %v of an array with %d objects", data, err, len(want))
			}
		}
	})
}

func BenchmarkElements(b *testing.B) {
	var stream []byte
	w := Writer{Kind: Array}
	for range 100 {
		stream = w.Append(stream, "", []byte(`{"candidates":[{"content":{"parts":[{"text":"some words of an answer"}],"role":"model"}}]}`))
	}
	stream = w.End(stream)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		e := newElements(bytes.NewReader(stream))
		for {
			if _, err := e.Next(); err != nil {
				break
			}
		}
	}
}
