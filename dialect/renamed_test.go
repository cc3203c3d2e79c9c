package dialect_test

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/llm"
)

// TestRenamed reads and taps streams whose vendor names another model in the middle of them (D31).
func TestRenamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dialect *dialect.Dialect
		frames  []string
	}{
		{openaichat.New(), []string{
			`{"model":"first","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"model":"first","choices":[{"index":0,"delta":{"content":"b"}}]}`,
			`{"model":"second","choices":[{"index":0,"delta":{"content":"c"}}]}`, `{"model":"second","choices":[{"index":0,"delta":{"content":"d"},"finish_reason":"stop"}]}`, `[DONE]`,
		}},
		{openairesponses.New(), []string{
			`{"type":"response.created","response":{"id":"r","model":"first"}}`, `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}`,
			`{"type":"response.completed","response":{"id":"r","model":"second","status":"completed","output":[]}}`,
		}},
		{gemini.New(), []string{
			`{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"first"}`, `{"candidates":[{"content":{"parts":[{"text":"b"}]}}],"modelVersion":"first"}`,
			`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"STOP"}],"modelVersion":"second"}`,
		}},
		{ollama.New(), []string{
			`{"model":"first","message":{"content":"a"},"done":false}`, `{"model":"first","message":{"content":"b"},"done":false}`,
			`{"model":"second","message":{"content":"c"},"done":true,"done_reason":"stop"}`,
		}},
	} {
		r, tap := tc.dialect.Provider.NewStreamReader(), tc.dialect.Relay.NewTap(dialect.Ask{})
		var events []llm.Event
		tapped := ""
		for i, data := range tc.frames {
			f := dialect.Frame{Data: []byte(data)}
			seen, err := tap.Frame(f)
			if err != nil {
				t.Fatalf("%s: tap of frame %d: %v", tc.dialect.Name, i, err)
			}
			if seen.Model != "" {
				tapped = seen.Model
			}
			if events, err = r.Read(events, f); err != nil {
				t.Fatalf("%s: read frame %d: %v", tc.dialect.Name, i, err)
			}
		}
		events, err := r.Close(events)
		if err != nil {
			t.Fatalf("%s: %v", tc.dialect.Name, err)
		}
		first, last := events[0], events[len(events)-1]
		if first.Model != "first" || last.Kind != llm.EventEnd || last.Model != "second" || tapped != "second" || llm.Collect(events).Model != "second" {
			t.Errorf("%s: got %q at the start, %q at the end, %q tapped and %q collected, want first and then second",
				tc.dialect.Name, first.Model, last.Model, tapped, llm.Collect(events).Model)
		}
	}
}
