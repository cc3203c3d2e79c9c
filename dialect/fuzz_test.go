package dialect_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// FuzzCrossing holds that a client is shown what a provider of another dialect has said.
func FuzzCrossing(f *testing.F) {
	all := everyDialect()
	for to, provider := range all {
		files, err := filepath.Glob(filepath.Join(provider.folder, "testdata", "*", "stream.txt"))
		if err != nil || len(files) == 0 {
			f.Fatalf("got no golden streams of %s: %v", provider.Name, err)
		}
		for i, file := range files {
			stream, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(to+i), uint8(to), stream)
		}
	}
	f.Fuzz(func(t *testing.T, from, to uint8, stream []byte) {
		client, provider := all[int(from)%len(all)], all[int(to)%len(all)]
		read, closed, err := dialecttest.ReadStream(provider.Provider.NewStreamReader(), framesOf(t, provider.Dialect, stream))
		events := slices.Concat(read, closed)
		if err != nil || slices.ContainsFunc(events, isApart) {
			return
		}
		// One dialect's word for a refusal is an error where nothing was counted.
		counted := llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 1, OutVisible: 1}}
		events = slices.Insert(events, len(events)-1, counted)
		dialecttest.Rewritten(t, client.Dialect, events)
	})
}

// isApart finds what only some dialects can say: a second choice, and that the model's output is malformed.
func isApart(e llm.Event) bool { return e.Choice != 0 || e.Stop.Reason == llm.StopMalformed }

// framesOf splits a stream; of a binary one, a line is an event.
func framesOf(t *testing.T, d *dialect.Dialect, stream []byte) []dialect.Frame {
	t.Helper()
	if d.Framing != dialect.FramingEventStream {
		return dialecttest.FramesOf(t, d.Framing, stream)
	}
	var list []dialect.Frame
	for line := range bytes.Lines(stream) {
		name, data, _ := bytes.Cut(bytes.TrimRight(line, "\n"), []byte(" "))
		list = append(list, dialect.Frame{Event: string(name), Data: data, Exception: bytes.HasSuffix(name, []byte("Exception"))})
	}
	return list
}
