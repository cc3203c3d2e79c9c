package openairesponses

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// TestGoneOnWith takes a vendor's stream over where it broke, with more text to come.
func TestGoneOnWith(t *testing.T) {
	const (
		thought  = `{"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`
		message  = `{"type":"response.output_item.added","sequence_number":2,"output_index":1,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}`
		piece    = `{"type":"response.output_text.delta","sequence_number":3,"output_index":1,"content_index":0,"delta":"Hel\u006co"}`
		textDone = `{"type":"response.output_text.done","sequence_number":4,"output_index":1,"content_index":0,"text":"Hello"}`
		partDone = `{"type":"response.content_part.done","sequence_number":5,"output_index":1,"content_index":0,"part":{"type":"output_text","text":"Hello"}}`
		itemDone = `{"type":"response.output_item.done","sequence_number":6,"output_index":1,"item":{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Hello"}]}}`
	)
	list := []string{created, thought, message, piece, textDone, partDone, itemDone}
	for n := 4; n <= len(list); n++ {
		var tapped tap
		for _, f := range framed(list[:n]...) {
			if s, err := tapped.Frame(f); err != nil || s.Other {
				t.Fatalf("got %+v, %v of %s want text or nothing", s, err, f.Data)
			}
		}
		w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "other", Model: "other", Resume: tapped.Sent()})
		var out []byte
		for _, e := range []llm.Event{
			{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: " world"}},
			{Kind: llm.EventPartEnd},
			{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
			{Kind: llm.EventEnd},
		} {
			out = w.Write(out, e)
		}
		more := dialecttest.Frames(t, out)
		r, err := read(t, append(framed(list[:n]...), more...))
		if err != nil {
			t.Fatalf("after %d events: %v\n%s", n, err, out)
		}
		var said strings.Builder
		for _, p := range r.Choices[0].Parts {
			said.WriteString(p.Text)
		}
		last := string(more[len(more)-1].Data)
		if said.String() != "Hello world" || r.ID != "resp_1" || !strings.Contains(last, `"output":[{"id":"rs_1"`) || !strings.Contains(last, ` world`) {
			t.Errorf("after %d events: got %q of %s, ended by %s want one text of the first response", n, said.String(), r.ID, last)
		}
		if !strings.Contains(string(more[0].Data), `"sequence_number":`+string(rune('0'+n))) {
			t.Errorf("after %d events: got it gone on with %s want the next number", n, more[0].Data)
		}
	}
}

// TestNotGoneOnWith: what is more than one text has no going on.
func TestNotGoneOnWith(t *testing.T) {
	const call = `{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f"}}`
	const probable = `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x","logprobs":[{"token":"x","logprob":-1}]}`
	for name, list := range map[string][]string{
		"nothing":            {created},
		"no text yet":        {created, msgAdded},
		"ended":              {created, msgAdded, hello, done},
		"a call":             {created, msgAdded, hello, call},
		"probabilities":      {created, msgAdded, probable},
		"two texts":          {created, msgAdded, hello, strings.Replace(hello, `"content_index":0`, `"content_index":1`, 1)},
		"sealed reasoning":   {created, `{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[],"encrypted_content":"x"}}`, hello},
		"an unknown message": {created, hello},
	} {
		var tapped tap
		for _, f := range framed(list...) {
			if _, err := tapped.Frame(f); err != nil {
				t.Fatal(err)
			}
		}
		if got := tapped.Sent(); got != nil {
			t.Errorf("%s: got %+v want nothing to go on from", name, got)
		}
	}
}
