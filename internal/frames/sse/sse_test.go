package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// heard is an event with its memory copied. Raw is left out where the split of the bytes may move
// the LF of a CRLF from one event to the next.
type heard struct {
	Name, Data, ID string
	HasData        bool
}

// readAll returns the events of r, their Raw joined, and the last error.
func readAll(r *Reader) (events []heard, raw string, err error) {
	var b strings.Builder
	for {
		ev, err := r.Next()
		b.Write(ev.Raw)
		if ev.HasData {
			events = append(events, heard{ev.Name, string(ev.Data), ev.ID, ev.HasData})
		}
		if ev.Comment == ev.HasData && len(ev.Raw) > 0 {
			return nil, "", fmt.Errorf("event %+v: Comment and HasData agree", ev)
		}
		if err != nil {
			return events, b.String(), err
		}
	}
}

func data(d ...string) []heard {
	var out []heard
	for _, s := range d {
		out = append(out, heard{Data: s, HasData: true})
	}
	return out
}

var streams = []struct {
	name, in string
	want     []heard
	partial  bool
}{
	{"empty", "", nil, false},
	{"LF", "data: a\n\ndata: b\n\n", data("a", "b"), false},
	{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", data("a", "b"), false},
	{"CR", "data: a\r\rdata: b\r\r", data("a", "b"), false},
	{"mixed ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r", data("a", "b", "c", "d"), false},
	{"CR then LF in one line each", "data: a\n\r\r\ndata: b\r\n\n", data("a", "b"), false},
	{"byte order mark", "\xef\xbb\xbfdata: a\n\n", data("a"), false},
	{"mark before blank lines", "\xef\xbb\xbf\n\ndata: a\n\n", data("a"), false},
	{"mark later is data", "data: a\n\n\xef\xbb\xbfdata: b\n\n", data("a"), false},
	{"only a mark", "\xef\xbb\xbf", nil, false},
	{"comments", ": hello\n\n:\ndata: a\n: more\n\n: bye\n\n", data("a"), false},
	{"comment without blank line", "data: a\n\n: bye", data("a"), false},
	{"several data lines", "data: a\ndata: b\ndata:\ndata: c\n\ndata: d\n\n", data("a\nb\n\nc", "d"), false},
	{"no space", "data:a\n\ndata:  b\n\n", data("a", " b"), false},
	{"tab is data", "data:\ta\n\n", data("\ta"), false},
	{"data without colon", "data\n\ndata\ndata\n\n", data("", "\n"), false},
	{"colon in value", "data: a:b\n\n", data("a:b"), false},
	{"name", "event: x\ndata: a\n\ndata: b\n\n", []heard{{"x", "a", "", true}, {"", "b", "", true}}, false},
	{"last name wins", "event: x\nevent: y\ndata: a\n\n", []heard{{"y", "a", "", true}}, false},
	{"name without data is forgotten", "event: x\n\ndata: a\n\n", data("a"), false},
	{"case matters", "Data: a\nDATA: b\nevent : x\ndata: c\n\n", data("c"), false},
	{"id stays", "id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []heard{{"", "a", "7", true}, {"", "b", "7", true}, {"", "c", "", true}}, false},
	{"id with NUL", "id: 7\ndata: a\n\nid: 8\x00\ndata: b\n\n", []heard{{"", "a", "7", true}, {"", "b", "7", true}}, false},
	{"retry and unknown", "retry: 10\nfoo: bar\ndata: a\n\n", data("a"), false},
	{"many blank lines", "\n\n\r\rdata: a\n\n\n\n\n", data("a"), false},
	{"no blank line at the end", "data: a\n\ndata: b\n", data("a", "b"), true},
	{"no line end at the end", "data: a\n\ndata: b", data("a", "b"), true},
	{"cut in the field", "data: a\n\nda", data("a"), true},
	{"cut after the name", "data: a\n\nevent: x\n", data("a"), true},
	{"invalid UTF-8 passes", "data: \xff\xfe\n\n", data("\xff\xfe"), false},
}

func TestReaderReads(t *testing.T) {
	for _, tc := range streams {
		for split, wrap := range splits {
			t.Run(tc.name+"/"+split, func(t *testing.T) {
				got, raw, err := readAll(NewReader(wrap(strings.NewReader(tc.in)), 0))
				if !reflect.DeepEqual(got, tc.want) {
					t.Errorf("events: got %+v want %+v", got, tc.want)
				}
				if raw != tc.in {
					t.Errorf("raw: got %q want %q", raw, tc.in)
				}
				var pe *PartialError
				if errors.As(err, &pe) != tc.partial || (!tc.partial && err != io.EOF) {
					t.Errorf("error: got %v want partial %v", err, tc.partial)
				}
				if tc.partial && (!pe.Clean || pe.LineEnded != strings.HasSuffix(tc.in, "\n") || !errors.Is(err, io.ErrUnexpectedEOF)) {
					t.Errorf("partial: got %+v", pe)
				}
			})
		}
	}
}

var splits = map[string]func(io.Reader) io.Reader{
	"whole":       func(r io.Reader) io.Reader { return r },
	"bytewise":    iotest.OneByteReader,
	"halves":      iotest.HalfReader,
	"eof at once": iotest.DataErrReader,
}

func TestReaderAgreesOverEverySplit(t *testing.T) {
	const in = "\xef\xbb\xbf: hi\r\n\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\rid: 1\ndata: \xf0\x9f\x98\x80\n\ndata: d\n\n"
	want, _, _ := readAll(NewReader(strings.NewReader(in), 0))
	if len(want) != 4 {
		t.Fatalf("events: got %d want 4", len(want))
	}
	for i := range len(in) {
		for j := i; j < len(in); j++ {
			r := NewReader(io.MultiReader(strings.NewReader(in[:i]), strings.NewReader(in[i:j]), strings.NewReader(in[j:])), 0)
			got, raw, err := readAll(r)
			if !reflect.DeepEqual(got, want) || raw != in || err != io.EOF {
				t.Fatalf("split at %d and %d: got %+v %q %v", i, j, got, raw, err)
			}
		}
	}
}

// A CR that ends the empty line ends the event: a reader that waited for a possible LF would hold
// back every event of a CR-only stream until the next one.
func TestReaderDoesNotWaitAfterCR(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	r := NewReader(pr, 0)
	got := make(chan string)
	go func() {
		for range 2 {
			ev, _ := r.Next()
			got <- string(ev.Data) + "|" + string(ev.Raw)
		}
	}()
	io.WriteString(pw, "data: a\r\n\r")
	if g, want := <-got, "a|data: a\r\n\r"; g != want {
		t.Errorf("got %q want %q", g, want)
	}
	io.WriteString(pw, "\ndata: b\r\n\r")
	if g, want := <-got, "b|\ndata: b\r\n\r"; g != want {
		t.Errorf("got %q want %q", g, want)
	}
}

func TestReaderReportsTheSourcesError(t *testing.T) {
	reset := errors.New("connection reset")
	r := NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(reset)), 0)
	if ev, err := r.Next(); err != nil || string(ev.Data) != "a" {
		t.Fatalf("got %q %v want a", ev.Data, err)
	}
	ev, err := r.Next()
	var pe *PartialError
	if !errors.As(err, &pe) || pe.Clean || pe.LineEnded || !errors.Is(err, reset) || string(ev.Data) != "b" {
		t.Fatalf("got %q %#v want the partial event and the source's error", ev.Data, err)
	}
	if _, err := r.Next(); err != reset {
		t.Errorf("afterwards: got %v want %v", err, reset)
	}
}

func TestReaderLimitsEvents(t *testing.T) {
	const fits = "data: 12345678\n\n" // 16 bytes
	for _, tc := range []struct {
		in   string
		want int
		err  error
	}{
		{fits + fits, 2, io.EOF},
		{fits + "data: 123456789\n\n" + fits, 1, ErrTooLong},
		{"data: 123456\r\n\r\ndata: 123456\r\n\r\n", 2, io.EOF},
		{fits + strings.Repeat("x", 100_000), 1, ErrTooLong},
		{fits + strings.Repeat("\n", 100_000), 1, ErrTooLong},
	} {
		for name, wrap := range splits {
			r := NewReader(wrap(strings.NewReader(tc.in)), 16)
			got, _, err := readAll(r)
			if len(got) != tc.want || err != tc.err {
				t.Errorf("%.40q %s: got %d events, %v; want %d, %v", tc.in, name, len(got), err, tc.want, tc.err)
			}
			if _, again := r.Next(); again != tc.err {
				t.Errorf("%.40q %s afterwards: got %v want %v", tc.in, name, again, tc.err)
			}
		}
	}
}

func TestReaderStopsOnASourceThatReadsNothing(t *testing.T) {
	if _, err := NewReader(nothing{}, 0).Next(); err != io.ErrNoProgress {
		t.Errorf("got %v want %v", err, io.ErrNoProgress)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// TestReaderReadsLargeEvents is T081: a line may be longer than any scanner takes.
func TestReaderReadsLargeEvents(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	in := "data: " + big + "\n\ndata: small\n\n"
	for _, wrap := range []func(io.Reader) io.Reader{splits["whole"], splits["halves"]} {
		got, raw, err := readAll(NewReader(wrap(strings.NewReader(in)), 0))
		if len(got) != 2 || got[0].Data != big || raw != in || err != io.EOF {
			t.Errorf("got %d events, %d bytes, %v", len(got), len(raw), err)
		}
	}
}

func TestBuffered(t *testing.T) {
	r := NewReader(strings.NewReader("data: a\n\ndata: b\n\ndata: c\n"), 0)
	if r.Buffered() {
		t.Error("before the first read: got true want false")
	}
	for i, want := range []bool{true, false} {
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Buffered(); got != want {
			t.Errorf("after event %d: got %v want %v", i, got, want)
		}
		if got, want := string(ev.Data), string("ab"[i]); got != want {
			t.Errorf("data after Buffered: got %q want %q", got, want)
		}
	}
}

func TestAppendReadsBack(t *testing.T) {
	for _, tc := range []struct{ name, data, wire, back string }{
		{"", "{}", "data: {}\n\n", "{}"},
		{"ping", `{"type":"ping"}`, "event: ping\ndata: {\"type\":\"ping\"}\n\n", `{"type":"ping"}`},
		{"", "", "data: \n\n", ""},
		{"", " a", "data:  a\n\n", " a"},
		{"", "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n", "a\nb\nc\nd"},
		{"", "a\n", "data: a\ndata: \n\n", "a\n"},
		{"x\nid: 1", "a", "event: x\ndata: a\n\n", "a"},
	} {
		got := string(Append([]byte("data: 0\n\n"), tc.name, []byte(tc.data)))
		if want := "data: 0\n\n" + tc.wire; got != want {
			t.Errorf("%q: got %q want %q", tc.data, got, want)
		}
		events, _, err := readAll(NewReader(strings.NewReader(got), 0))
		if err != io.EOF || len(events) != 2 || events[1].Data != tc.back {
			t.Errorf("%q: reads back as %+v, %v", tc.data, events, err)
		}
	}
}

func TestAppendComment(t *testing.T) {
	got := string(AppendComment(nil, "one\ntwo"))
	if want := ": one\n: two\n\n"; got != want {
		t.Fatalf("got %q want %q", got, want)
	}
	ev, err := NewReader(strings.NewReader(got), 0).Next()
	if err != nil || !ev.Comment || ev.HasData || string(ev.Raw) != got {
		t.Errorf("got %+v, %v want a comment", ev, err)
	}
}

func TestWithoutNotes(t *testing.T) {
	for in, want := range map[string]string{
		": ours says\n\n":                           "\n",
		":ours\r\ndata: x\r\n\r\n":                  "data: x\r\n\r\n",
		"data: a\r: \t OURS says\rdata: b\r\r":      "data: a\rdata: b\r\r",
		"\xef\xbb\xbf: ours\ndata: x\n\n":           "data: x\n\n",
		"data: x\n: our\n: not ours\n:\n\n":         "data: x\n: our\n: not ours\n:\n\n",
		"data:: ours\nours: ours\n ours\n ours\n\n": "data:: ours\nours: ours\n ours\n ours\n\n",
		": ours": "",
	} {
		ev, err := NewReader(strings.NewReader(in), 0).Next()
		if _, isPartial := err.(*PartialError); err != nil && !isPartial {
			t.Fatal(err)
		}
		if got := string(WithoutNotes(nil, ev.Raw, "ours")); got != want || got != in && !ev.HasNote {
			t.Errorf("%q: got %q, with a note: %v, want %q", in, got, ev.HasNote, want)
		}
	}
}

func TestSniff(t *testing.T) {
	for in, want := range map[string]bool{
		"data: x": true, "data:{}": true, "event: ping\n": true, ": hi": true, "id:1": true, "retry: 5": true,
		"\xef\xbb\xbf\r\n\ndata:": true, "": false, "{\"data\":1}": false, "<html>": false, "data": false,
		"dataset:": false, " data:": false, "[DONE]": false,
	} {
		if got := Sniff([]byte(in)); got != want {
			t.Errorf("Sniff(%q): got %v want %v", in, got, want)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	stream := bytes.Repeat(Append(nil, "content_block_delta", bytes.Repeat([]byte("x"), 200)), 2000)
	r := NewReader(bytes.NewReader(stream), 0)
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("allocations per event: got %v want 0", allocs)
	}
}

func FuzzReader(f *testing.F) {
	for _, tc := range streams {
		f.Add([]byte(tc.in), uint16(3))
	}
	f.Add([]byte("data: 123456789012345678901234567890123456789012345678901234567890\r\n\r\n"), uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, n uint16) {
		const limit = 64
		want, raw, err := readAll(NewReader(bytes.NewReader(in), limit))
		if err != ErrTooLong && raw != string(in) {
			t.Fatalf("raw: got %q want %q", raw, in)
		}
		for name, src := range map[string]io.Reader{
			"bytewise": iotest.OneByteReader(bytes.NewReader(in)),
			"pieces":   &pieces{in, int(n%7) + 1},
		} {
			got, raw2, err2 := readAll(NewReader(src, limit))
			if !reflect.DeepEqual(got, want) || fmt.Sprint(err2) != fmt.Sprint(err) {
				t.Fatalf("%s: got %+v, %v want %+v, %v", name, got, err2, want, err)
			}
			if err != ErrTooLong && raw2 != string(in) {
				t.Fatalf("%s raw: got %q want %q", name, raw2, in)
			}
		}
	})
}

// pieces reads n bytes at a time.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(dst []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(dst, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}

func BenchmarkNext(b *testing.B) {
	for _, bc := range []struct{ name, event string }{
		{"data", "data: " + strings.Repeat("x", 192) + "\n\n"},
		{"named", "event: content_block_delta\ndata: " + strings.Repeat("x", 160) + "\n\n"},
		{"crlf", "data: " + strings.Repeat("x", 190) + "\r\n\r\n"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			stream := bytes.Repeat([]byte(bc.event), 1000)
			src := bytes.NewReader(stream)
			r := NewReader(src, 0)
			b.SetBytes(int64(len(bc.event)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err == io.EOF {
					src.Reset(stream)
					*r = Reader{src: src, max: MaxEvent, buf: r.buf[:0], names: r.names}
				}
			}
		})
	}
}
