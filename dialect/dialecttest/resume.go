package dialecttest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// resumed looks at what a tap says of texts and of everything else: on it depends whether a stream that breaks is
// taken over.
func (r *runner) resumed(t *testing.T, list []dialect.Frame, want *llm.Response) {
	t.Helper()
	if isPlain(want) {
		r.takenOver(t, list, want)
		return
	}
	tap, ok := r.d.Relay.NewTap(dialect.Ask{}).(dialect.Resumable)
	if !ok {
		return
	}
	for _, f := range list {
		if s, err := tap.Frame(f); err != nil || s.Other {
			return
		}
	}
	if hasContent(want) {
		t.Errorf("tap: got no frame with something other than text, want one in a stream that is not plain text")
	}
}

// isPlain reports whether an answer is one text and nothing else.
func isPlain(resp *llm.Response) bool {
	if len(resp.Choices) != 1 || len(resp.Choices[0].LogProbs) > 0 || len(resp.Choices[0].Parts) != 1 {
		return false
	}
	p := &resp.Choices[0].Parts[0]
	return p.Kind == llm.PartText && len(p.Citations) == 0
}

// takenOver takes a relayed stream of text over after each of its frames, by a writer that is told no more than what a
// tap saw: the frames and what the writer adds read as one stream, with the text whole.
func (r *runner) takenOver(t *testing.T, list []dialect.Frame, want *llm.Response) {
	t.Helper()
	whole := want.Choices[0].Parts[0].Text
	times := 0
	for n := range list {
		tap, ok := r.d.Relay.NewTap(dialect.Ask{}).(dialect.Resumable)
		if !ok {
			t.Logf("the tap is not Resumable: relayed streams that break are not gone on with")
			return
		}
		had, text := had(t, tap, list[:n+1])
		if !text {
			continue
		}
		sent := tap.Sent()
		if sent == nil {
			t.Fatalf("taken over after %d frames: got nothing from Sent, want what is needed to go on", n+1)
		}
		times++
		o := r.options()
		o.Resume = sent
		read, closed, err := ReadStream(r.d.Provider.NewStreamReader(), slices.Concat(list[:n+1], r.goOn(t, o, whole[len(had):])))
		if err != nil {
			t.Fatalf("taken over after %d frames: %v", n+1, err)
		}
		events := slices.Concat(read, closed)
		if err := CheckEvents(events); err != nil {
			t.Errorf("taken over after %d frames: got %v, want a legal stream", n+1, err)
		}
		got := llm.Collect(events)
		if differs(got.ID, want.ID) || differs(got.Model, want.Model) || differs(got.Created, want.Created) {
			t.Errorf("taken over after %d frames: got id %q, model %q, created %d want %q, %q, %d", n+1, got.ID, got.Model, got.Created, want.ID, want.Model, want.Created)
		}
		if said := textOf(got); said != whole || got.Choices[0].Stop.Reason != llm.StopEnd {
			t.Errorf("taken over after %d frames: got %q, which stopped for %q want %q, %q", n+1, said, got.Choices[0].Stop.Reason, whole, llm.StopEnd)
		}
	}
	if times == 0 {
		t.Errorf("got no place at which the stream of a text could be gone on with, want one after each piece")
	}
}

// differs reports whether what a stream says of itself is wrong; not every dialect says it.
func differs(got, want any) bool { return got != want && !reflect.ValueOf(got).IsZero() }

// had is the text in the frames as a tap tells it, and whether they are the beginning of a text: not before its first
// piece, and not after the answer's finish.
func had(t *testing.T, tap dialect.Tap, list []dialect.Frame) (text string, ok bool) {
	t.Helper()
	raw := []byte{'"'}
	for _, f := range list {
		s, err := tap.Frame(f)
		if err != nil {
			t.Fatal(err)
		}
		if s.Other {
			t.Errorf("tap: got something other than text in %s, want none", f.Data)
		}
		if s.Finish || s.End {
			return "", false
		}
		raw = append(raw, s.Text...)
	}
	text, err := jsontext.Value(append(raw, '"')).Text()
	if err != nil {
		t.Fatal(err)
	}
	return text, text != ""
}

// goOn is what a writer adds to a stream that was taken over: the rest of the text, and the end.
func (r *runner) goOn(t *testing.T, o dialect.StreamOptions, rest string) []dialect.Frame {
	t.Helper()
	w := r.d.Client.NewStreamWriter(o)
	var stream []byte
	if rest != "" {
		stream = w.Write(stream, llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: rest}})
	}
	for _, e := range []llm.Event{
		{Kind: llm.EventPartEnd},
		{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
		{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 7, OutVisible: 9}},
		{Kind: llm.EventEnd},
	} {
		stream = w.Write(stream, e)
	}
	return FramesOf(t, r.d.Framing, stream)
}

func textOf(resp *llm.Response) string {
	var said strings.Builder
	for _, p := range resp.Choices[0].Parts {
		said.WriteString(p.Text)
	}
	return said.String()
}
