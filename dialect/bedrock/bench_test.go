package bedrock

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

func benchRequest() *llm.Request {
	half := 0.5
	limit := int64(1024)
	return &llm.Request{
		MaxTokens: &limit, Temperature: &half,
		Messages: []llm.Message{
			{Role: llm.RoleSystem, Parts: []llm.Part{llm.Text("Answer in one sentence.")}},
			{Role: llm.RoleUser, Parts: []llm.Part{llm.Text(strings.Repeat("A question of some length. ", 40))}},
		},
	}
}

func benchEvents() []llm.Event {
	events := []llm.Event{{Kind: llm.EventStart, ID: "msg_1", Model: "m"}, {Kind: llm.EventPartStart, Part: llm.Text("")}}
	for range 100 {
		events = append(events, llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "six by"}})
	}
	return append(events, llm.Event{Kind: llm.EventPartEnd}, llm.Event{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
		llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 9, OutVisible: 100}}, llm.Event{Kind: llm.EventEnd})
}

func BenchmarkEncodeRequest(b *testing.B) {
	req, d := benchRequest(), New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Provider.EncodeRequest(req, dialect.Target{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	d := New()
	enc, err := d.Provider.EncodeRequest(benchRequest(), dialect.Target{Model: "m"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Client.DecodeRequest(enc.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeResponse(b *testing.B) {
	d := New()
	body, _, err := d.Client.EncodeResponse(llm.Collect(benchEvents()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Provider.DecodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

// The stream benchmarks are for a stream of 100 pieces of text.

func BenchmarkStreamWriter(b *testing.B) {
	events, d := benchEvents(), New()
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		w := d.Client.NewStreamWriter(dialect.StreamOptions{})
		out = out[:0]
		for _, e := range events {
			out = w.Write(out, e)
		}
	}
}

func benchFrames() []dialect.Frame {
	return dialecttest.FramesOf(&testing.T{}, dialect.FramingEventStream, write(benchEvents()))
}

func BenchmarkStreamReader(b *testing.B) {
	list, d := benchFrames(), New()
	var events []llm.Event
	b.ReportAllocs()
	for b.Loop() {
		rd := d.Provider.NewStreamReader()
		for _, f := range list {
			var err error
			if events, err = rd.Read(events[:0], f); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkTap(b *testing.B) {
	list, d := benchFrames(), New()
	b.ReportAllocs()
	for b.Loop() {
		tap := d.Relay.NewTap(dialect.Ask{})
		for _, f := range list {
			if _, err := tap.Frame(f); err != nil {
				b.Fatal(err)
			}
		}
	}
}
