package dialecttest

import (
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Hundred are the events of a stream of 100 pieces of text, which is what streams are measured by.
func Hundred() []llm.Event {
	events := []llm.Event{
		{Kind: llm.EventStart, ID: "resp_1234567890", Model: "model-x-2026", Created: 1767225600},
		{Kind: llm.EventPartStart, Part: llm.Text("")},
	}
	for range 100 {
		events = append(events, llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "six by"}})
	}
	return append(events, llm.Event{Kind: llm.EventPartEnd}, llm.Event{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
		llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 9, OutVisible: 100}}, llm.Event{Kind: llm.EventEnd})
}

// Bench measures each direction of d: a question of a kilobyte, an answer with calls, and a stream of 100 pieces.
func Bench(b *testing.B, d *dialect.Dialect) {
	b.Helper()
	question := &llm.Request{Model: model, Messages: []llm.Message{
		{Role: llm.RoleSystem, Parts: []llm.Part{llm.Text("Answer in one sentence.")}},
		{Role: llm.RoleUser, Parts: []llm.Part{llm.Text(strings.Repeat("A question of some length. ", 40))}},
	}}
	all := Scenarios()
	answer := all[slices.IndexFunc(all, func(s Scenario) bool { return s.Name == "tools" })].Response
	asked, err := d.Provider.EncodeRequest(question, dialect.Target{Model: model})
	if err != nil {
		b.Fatal(err)
	}
	said, _, err := d.Client.EncodeResponse(answer)
	if err != nil {
		b.Fatal(err)
	}
	bench(b, "EncodeRequest", func() error {
		_, err := d.Provider.EncodeRequest(question, dialect.Target{Model: model})
		return err
	})
	usual := *question
	usual.Stream, usual.MaxTokens, usual.Temperature, usual.TopP = true, new(int64(500)), new(0.5), new(0.9)
	usual.Tools = []llm.Tool{{Name: "look", Schema: []byte(`{"type":"object","properties":{}}`)}}
	relayed, err := d.Provider.EncodeRequest(&usual, dialect.Target{Model: model})
	if err != nil {
		b.Fatal(err)
	}
	bench(b, "Peek", func() error { _, err := d.Relay.Peek(relayed.Body); return err })
	bench(b, "SetModel", func() error { _, err := d.Relay.SetModel(relayed.Body, "model-y", dialect.Ask{}); return err })
	bench(b, "DecodeRequest", func() error { _, err := d.Client.DecodeRequest(asked.Body); return err })
	bench(b, "EncodeResponse", func() error { _, _, err := d.Client.EncodeResponse(answer); return err })
	bench(b, "DecodeResponse", func() error { _, err := d.Provider.DecodeResponse(said); return err })
	bench(b, "TapBody", func() error { _, err := d.Relay.NewTap(dialect.Ask{}).Body(said); return err })
	plain, _, err := d.Client.EncodeResponse(&llm.Response{
		ID: "resp_1234567890", Model: model, Created: 1767225600,
		Choices: []llm.Choice{{Parts: []llm.Part{llm.Text(strings.Repeat("An answer of some length. ", 24))}, Stop: llm.Stop{Reason: llm.StopEnd}}},
		Usage:   llm.Usage{Known: true, InFresh: 9, OutVisible: 100},
	})
	if err != nil {
		b.Fatal(err)
	}
	bench(b, "TapText", func() error { _, err := d.Relay.NewTap(dialect.Ask{}).Body(plain); return err })
	benchStream(b, d)
}

func benchStream(b *testing.B, d *dialect.Dialect) {
	b.Helper()
	var stream []byte
	said := Hundred()
	options := dialect.StreamOptions{ID: "x", Model: model, Usage: true, Framing: d.Framing}
	write := func() error {
		w := d.Client.NewStreamWriter(options)
		stream = stream[:0]
		for _, e := range said {
			stream = w.Write(stream, e)
		}
		return nil
	}
	_ = write()
	list := FramesOf(b, d.Framing, slices.Clone(stream))
	var events []llm.Event
	bench(b, "ReadStream100", func() error {
		r := d.Provider.NewStreamReader()
		for _, f := range list {
			var err error
			if events, err = r.Read(events[:0], f); err != nil {
				return err
			}
		}
		return nil
	})
	bench(b, "TapStream100", func() error {
		tap := d.Relay.NewTap(dialect.Ask{})
		for _, f := range list {
			if _, err := tap.Frame(f); err != nil {
				return err
			}
		}
		return nil
	})
	bench(b, "WriteStream100", write)
}

// bench runs f as a benchmark of that name.
func bench(b *testing.B, name string, f func() error) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
