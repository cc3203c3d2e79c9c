package gemini

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

func benchRequest() *llm.Request {
	req := conversation(said(llm.RoleSystem, llm.Text("Answer in one sentence.")), user(strings.Repeat("A question of some length. ", 40)))
	req.Temperature = ptr(0.5)
	return req
}

func benchEvents() []llm.Event {
	events := []llm.Event{{Kind: llm.EventStart, ID: "r", Model: "m"}, {Kind: llm.EventPartStart, Part: llm.Text("")}}
	for range 100 {
		events = append(events, llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "six by"}})
	}
	return append(events, llm.Event{Kind: llm.EventPartEnd}, llm.Event{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
		llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 9, OutVisible: 100}}, llm.Event{Kind: llm.EventEnd})
}

func BenchmarkEncodeRequest(b *testing.B) {
	req := benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	enc, err := New().Provider.EncodeRequest(benchRequest(), dialect.Target{Model: "m"})
	if err != nil {
		b.Fatal(err)
	}
	d := New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Client.DecodeRequest(enc.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeResponse(b *testing.B) {
	body, _, err := New().Client.EncodeResponse(llm.Collect(benchEvents()))
	if err != nil {
		b.Fatal(err)
	}
	d := New()
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
	return dialecttest.Frames(&testing.T{}, []byte(write(benchEvents())))
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
