package frames

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// line is a line as a Reader hands it out.
type line struct {
	data    string
	partial bool // it came with a *PartialError of a clean end
}

// readLines reads a stream to its end. It holds that what is handed out adds up to the stream.
func readLines(t *testing.T, r Reader, stream []byte) []line {
	t.Helper()
	var list []line
	var raw []byte
	for {
		f, err := r.Next()
		raw = append(raw, f.Raw...)
		var partial *PartialError
		switch {
		case errors.Is(err, io.EOF) && !errors.As(err, &partial):
			if !bytes.Equal(raw, stream) {
				t.Fatalf("got %q in all want %q", raw, stream)
			}
			return list
		case errors.As(err, &partial):
			if !partial.Clean || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("got %+v want a clean end", partial)
			}
		case err != nil:
			t.Fatal(err)
		}
		if f.HasData != (len(f.Data) > 0) {
			t.Fatalf("got %+v want data where there is some", f)
		}
		if f.HasData {
			list = append(list, line{string(f.Data), partial != nil})
		}
	}
}

func TestLines(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 3*readBuffer) + `"}`
	edge := `{"a":"` + strings.Repeat("y", readBuffer-len(`{"a":""}`)-1) + `"}` // with its newline, it fills the buffer
	for _, tc := range []struct {
		name, stream string
		want         []line
	}{
		{"nothing", "", nil},
		{"two", "{\"a\":1}\n{\"b\":2}\n", []line{{`{"a":1}`, false}, {`{"b":2}`, false}}},
		{"CRLF", "{\"a\":1}\r\n{\"b\":2}\r\n", []line{{`{"a":1}`, false}, {`{"b":2}`, false}}},
		{"blank lines", "\n\r\n{\"a\":1}\n \t\n\n", []line{{`{"a":1}`, false}}},
		{"white space", " {\"a\":1}\t \n", []line{{`{"a":1}`, false}}},
		{"no newline at the end", "{\"a\":1}\n{\"b\":2}", []line{{`{"a":1}`, false}, {`{"b":2}`, true}}},
		{"white space at the end", "{\"a\":1}\n  ", []line{{`{"a":1}`, false}}},
		{"longer than the buffer", long + "\n" + long + "\n{}\n", []line{{long, false}, {long, false}, {"{}", false}}},
		{"as long as the buffer", edge + "\n" + edge + "\n", []line{{edge, false}, {edge, false}}},
		{"long and without an end", long, []line{{long, true}}},
		{"a CR is no end", "{\"a\":1}\r{\"b\":2}\n", []line{{"{\"a\":1}\r{\"b\":2}", false}}},
	} {
		for name, source := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "a byte at a time": iotest.OneByteReader, "with its error": iotest.DataErrReader,
		} {
			got := readLines(t, NewReader(NDJSON, source(strings.NewReader(tc.stream))), []byte(tc.stream))
			if len(got) != len(tc.want) {
				t.Errorf("%s, %s: got %d lines want %d", tc.name, name, len(got), len(tc.want))
				continue
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("%s, %s: line %d: got %.40q, partial %v want %.40q, %v", tc.name, name, i, got[i].data, got[i].partial, tc.want[i].data, tc.want[i].partial)
				}
			}
		}
	}
}

// TestLinesCutAnywhere ends a stream after every byte: the lines before the cut are whole, and the one in it says so.
func TestLinesCutAnywhere(t *testing.T) {
	const stream = "{\"a\":\"é\"}\r\n\n{\"b\":2}\n{\"c\":3}\n"
	whole := readLines(t, NewReader(NDJSON, strings.NewReader(stream)), []byte(stream))
	for i := range len(stream) {
		got := readLines(t, NewReader(NDJSON, strings.NewReader(stream[:i])), []byte(stream[:i]))
		for j, l := range got {
			switch {
			case l.partial && j != len(got)-1:
				t.Errorf("cut after %d bytes: got line %d partial, want only the last", i, j)
			case l.partial && !strings.HasPrefix(whole[j].data, l.data), !l.partial && l != whole[j]:
				t.Errorf("cut after %d bytes: line %d: got %q want %q", i, j, l.data, whole[j].data)
			}
		}
	}
}

func TestLinesThatAreTooLong(t *testing.T) {
	for _, size := range []int{9, 10, 11, readBuffer, 3 * readBuffer} {
		for _, end := range []string{"\n", ""} {
			l := newLines(strings.NewReader("{}\n" + strings.Repeat("x", size) + end))
			l.max = 10
			if f, err := l.Next(); err != nil || string(f.Data) != "{}" {
				t.Fatalf("%d bytes: got %q, %v want the line before", size, f.Data, err)
			}
			_, err := l.Next()
			if tooLong := size+len(end) > 10; errors.Is(err, ErrTooLong) != tooLong {
				t.Errorf("%d bytes and %q: got %v, want it too long: %v", size, end, err, tooLong)
			}
		}
	}
}

func TestLinesOfABrokenSource(t *testing.T) {
	broken := errors.New("reset")
	l := NewReader(NDJSON, io.MultiReader(strings.NewReader("{}\n{\"a\""), iotest.ErrReader(broken)))
	if f, err := l.Next(); err != nil || string(f.Data) != "{}" {
		t.Fatalf("got %q, %v want the whole line", f.Data, err)
	}
	f, err := l.Next()
	var partial *PartialError
	if !errors.As(err, &partial) || partial.Clean || !errors.Is(err, broken) || string(f.Data) != `{"a"` {
		t.Errorf("got %q, %v want the piece, and the source's error", f.Data, err)
	}
	if _, err := l.Next(); !errors.Is(err, broken) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v after the end want an error", err)
	}
}

func TestLinesAtHand(t *testing.T) {
	l := NewReader(NDJSON, strings.NewReader("{}\n{}\n{"))
	if l.Buffered() {
		t.Error("got a line at hand before anything was read")
	}
	for i, want := range []bool{true, false} {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		if got := l.Buffered(); got != want {
			t.Errorf("after line %d: got a line at hand: %v want %v", i, got, want)
		}
	}
}

func TestLinesAreWritten(t *testing.T) {
	w := Writer{Kind: NDJSON}
	out := w.Append(w.Append(nil, "name", []byte(`{"a":1}`)), "", []byte(`{}`))
	if got := string(w.End(out)); got != "{\"a\":1}\n{}\n" {
		t.Errorf("got %q want a line each", got)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\r\n\n{\"b\":2}"), uint8(1))
	f.Add([]byte("\n\r\n \t{}\n"), uint8(3))
	f.Add(bytes.Repeat([]byte("x"), 2*readBuffer), uint8(200))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		got := readLines(t, NewReader(NDJSON, &chunked{stream, int(size) + 1}), stream)
		var want []line
		parts := bytes.Split(stream, []byte("\n"))
		for i, part := range parts {
			if data := bytes.Trim(part, " \t\r\n"); len(data) > 0 {
				want = append(want, line{string(data), i == len(parts)-1})
			}
		}
		if len(got) != len(want) {
			t.Fatalf("got %d lines want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("line %d: got %+v want %+v", i, got[i], want[i])
			}
		}
	})
}

// chunked reads at most size bytes at a time.
type chunked struct {
	rest []byte
	size int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(len(c.rest), c.size)])
	c.rest = c.rest[n:]
	return n, nil
}
