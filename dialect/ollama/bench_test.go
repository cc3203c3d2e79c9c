package ollama

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

func golden(b *testing.B, path string) []byte {
	b.Helper()
	data, err := os.ReadFile("testdata/" + path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkDecodeRequest(b *testing.B) {
	body := golden(b, "tools/request.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (clientSide{}).DecodeRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	r, err := clientSide{}.DecodeRequest(golden(b, "tools/request.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (providerSide{}).EncodeRequest(r, dialect.Target{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeResponse(b *testing.B) {
	body := golden(b, "tools/response.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (providerSide{}).DecodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeResponse(b *testing.B) {
	r, err := providerSide{}.DecodeResponse(golden(b, "tools/response.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (clientSide{}).EncodeResponse(r); err != nil {
			b.Fatal(err)
		}
	}
}

// hundred is a stream of 100 pieces of text.
func hundred() []dialect.Frame {
	var frames []dialect.Frame
	for i := range 100 {
		frames = append(frames, dialect.Frame{Data: []byte(line(`"content":" word` + fmt.Sprint(i) + `"`))})
	}
	return append(frames, dialect.Frame{Data: []byte(done("stop"))})
}

func BenchmarkReadStream100(b *testing.B) {
	frames := hundred()
	var events []llm.Event
	b.ReportAllocs()
	for b.Loop() {
		r := providerSide{}.NewStreamReader()
		for _, f := range frames {
			var err error
			if events, err = r.Read(events[:0], f); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkTapStream100(b *testing.B) {
	frames := hundred()
	b.ReportAllocs()
	for b.Loop() {
		t := relay{}.NewTap(dialect.Ask{})
		for _, f := range frames {
			if _, err := t.Frame(f); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkWriteStream100(b *testing.B) {
	var events []llm.Event
	r := providerSide{}.NewStreamReader()
	for _, f := range hundred() {
		var err error
		if events, err = r.Read(events, f); err != nil {
			b.Fatal(err)
		}
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "m"})
		out = out[:0]
		for _, e := range events {
			out = w.Write(out, e)
		}
	}
	if !strings.HasSuffix(string(out), "\"eval_count\":3}\n") {
		b.Fatal("got no line that is done")
	}
}
