package cohere

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

const (
	msgStart  = `{"type":"message-start","id":"r","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`
	textStart = `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`
	textEnd   = `{"type":"content-end","index":0}`
	msgEnd    = `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":2,"output_tokens":1},"tokens":{"input_tokens":20,"output_tokens":3},"cached_tokens":16}}}`
)

func textDelta(s string) string {
	return `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"` + s + `"}}}}`
}

func framed(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString("data: " + e + "\n\n")
	}
	return b.String()
}

// read reads a stream, whole or not.
func read(t *testing.T, events ...string) (*llm.Response, error) {
	t.Helper()
	list := dialecttest.Frames(t, []byte(framed(events...)))
	holdTap(t, list)
	got, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
	all := slices.Concat(got, closed)
	if err == nil {
		if err := dialecttest.CheckEvents(all); err != nil {
			t.Errorf("got %v want a legal stream", err)
		}
	}
	return llm.Collect(all), err
}

// holdTap holds that a tap says of each frame what the events say that the stream reader makes of it.
func holdTap(t *testing.T, list []dialect.Frame) {
	t.Helper()
	r, tap := &streamReader{}, relay{}.NewTap(dialect.Ask{})
	var usage llm.Usage
	for _, f := range list {
		events, wantErr := r.Read(nil, f)
		got, gotErr := tap.Frame(f)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: got %v want %v", f.Data, gotErr, wantErr)
		}
		if wantErr != nil {
			return
		}
		var want dialect.Signal
		for i := range events {
			switch e := &events[i]; e.Kind {
			case llm.EventFinish:
				want.Finish = true
			case llm.EventEnd:
				want.End = true
			case llm.EventUsage:
				usage = e.Usage
			default:
				want.Content = want.Content || e.IsContent()
			}
		}
		if got.Content != want.Content || got.Finish != want.Finish || got.End != want.End || got.Hide || got.Data != nil {
			t.Fatalf("%s: got %+v want %+v", f.Data, got, want)
		}
		if tap.Usage() != usage {
			t.Fatalf("%s: got usage %+v want %+v", f.Data, tap.Usage(), usage)
		}
	}
	_, wantErr := r.Close(nil)
	if _, gotErr := tap.Close(); fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		t.Fatalf("got %v at the end want %v", gotErr, wantErr)
	}
}

func TestStreamOfPlanAndCalls(t *testing.T) {
	call := func(index, id, name string) string {
		return `{"type":"tool-call-start","index":` + index + `,"delta":{"message":{"tool_calls":{"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":""}}}}}`
	}
	args := func(index, s string) string {
		return `{"type":"tool-call-delta","index":` + index + `,"delta":{"message":{"tool_calls":{"function":{"arguments":"` + s + `"}}}}}`
	}
	r, err := read(t, msgStart,
		`{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will "}}}`, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"look."}}}`,
		call("0", "a", "f"), args("0", `{\"x\":`), args("0", "1}"), `{"type":"tool-call-end","index":0}`,
		call("1", "", "g"), args("1", "{}"), `{"type":"tool-call-end","index":1}`, `{"type":"new-event"}`,
		strings.Replace(msgEnd, "COMPLETE", "TOOL_CALL", 1), terminator)
	if err != nil {
		t.Fatal(err)
	}
	parts := r.Choices[0].Parts
	if len(parts) != 3 || parts[0].Text != "I will look." || *parts[1].Call != (llm.ToolCall{ID: "a", Name: "f", Args: `{"x":1}`}) ||
		parts[2].Call.Name != "g" || !strings.HasPrefix(parts[2].Call.ID, "call_") {
		t.Errorf("T148: got %+v want the plan and two calls", parts)
	}
	if r.Choices[0].Stop.Reason != llm.StopToolCalls {
		t.Errorf("got stop %v want tool_calls", r.Choices[0].Stop)
	}
	if want := (llm.Usage{Known: true, InFresh: 4, InCacheRead: 16, InFree: 18, OutVisible: 3, OutFree: 2}); r.Usage != want {
		t.Errorf("got usage %+v want %+v", r.Usage, want)
	}
}

func TestStreamCitations(t *testing.T) {
	cited := func(start, end, index string) string {
		return `{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":` + start + `,"end":` + end +
			`,"text":"x","sources":[{"type":"document","id":"d","document":{"id":"d","snippet":"s","title":"T","url":"https://a.example"}},{"type":"tool","id":"t:0","tool_output":{"a":1}}],"type":"TEXT_CONTENT","content_index":` + index + `}}}}`
	}
	r, err := read(t, msgStart, textStart, textDelta("été"), cited("0", "3", "0"), `{"type":"citation-end","index":0}`, textDelta("!"), textEnd,
		cited("3", "4", "0"), cited("0", "1", "7"), msgEnd, terminator)
	if err != nil {
		t.Fatal(err)
	}
	p := r.Choices[0].Parts[0]
	if len(p.Citations) != 4 || p.Text != "été!" {
		t.Fatalf("got %+v want two citations with two sources each", p)
	}
	c := p.Citations[0]
	if c.Kind != llm.CiteURL || c.Title != "T" || c.Text != "s" || c.Start != 0 || c.End != 3 || c.Opaque.Type != "document" {
		t.Errorf("got %+v want the document by its URL", c)
	}
	if c := p.Citations[3]; c.Kind != "" || c.Start != 3 || c.Opaque.Type != "tool" {
		t.Errorf("got %+v want the tool's output, opaque", c)
	}
}

// TestCitationsOfNoText: what thinking cites is no citation of the text, and is not lost unseen, whole or streamed.
func TestCitationsOfNoText(t *testing.T) {
	cited := `{"start":0,"end":2,"text":"hm","sources":[{"type":"document","id":"d"}],"type":"THINKING_CONTENT","content_index":0}`
	streamed, err := read(t, msgStart,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}`,
		`{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}`,
		`{"type":"citation-start","index":0,"delta":{"message":{"citations":`+cited+`}}}`, `{"type":"citation-end","index":0}`,
		`{"type":"content-end","index":0}`, strings.Replace(textStart, `"index":0`, `"index":1`, 1), strings.Replace(textDelta("so"), `"index":0`, `"index":1`, 1),
		strings.Replace(textEnd, `"index":0`, `"index":1`, 1), msgEnd, terminator)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := providerSide{}.DecodeResponse([]byte(`{"id":"r","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"so"}],"citations":[` + cited + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*llm.Response{streamed, whole} {
		strays := 0
		for _, p := range r.Choices[0].Parts {
			if len(p.Citations) > 0 {
				t.Errorf("got %+v want no citation on thinking or text", p)
			}
			if p.Kind == llm.PartOpaque && string(p.Opaque.Raw) == cited {
				strays++
			}
		}
		if strays != 1 {
			t.Errorf("got %+v want the citation as a part of its own", r.Choices[0].Parts)
		}
	}
}

func TestStreamFailures(t *testing.T) {
	ended := func(delta string) string { return `{"type":"message-end","delta":{` + delta + `}}` }
	for _, tc := range []struct {
		name   string
		events []string
		want   llm.Code
	}{
		{"recorded", []string{msgStart, ended(`"finish_reason":"ERROR","usage":{},"error":"No valid response generated. Try updating messages"`)}, llm.CodeBadAnswer},
		{"error", []string{msgStart, textStart, textDelta("x"), ended(`"finish_reason":"ERROR","error":"internal"`)}, llm.CodeServerError},
		{"no error named", []string{msgStart, textStart, textDelta("x"), ended(`"finish_reason":"ERROR","usage":{}`)}, llm.CodeServerError},
		{"timeout", []string{msgStart, ended(`"finish_reason":"TIMEOUT"`)}, llm.CodeTimeout},
		{"bare", []string{msgStart, `{"message":"internal server error","id":"x"}`}, llm.CodeServerError},
		{"cut", []string{msgStart, textStart, textDelta("x"), textEnd}, llm.CodeTruncated},
		{"nothing", nil, llm.CodeTruncated},
		{"terminated early", []string{msgStart, terminator}, llm.CodeBadAnswer},
		{"no JSON", []string{"{"}, llm.CodeBadAnswer},
		{"no object", []string{`[1]`}, llm.CodeBadAnswer},
		{"no call", []string{msgStart, `{"type":"tool-call-delta","index":3,"delta":{}}`}, llm.CodeBadAnswer},
		{"no name", []string{msgStart, `{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a"}}}}`}, llm.CodeBadAnswer},
	} {
		_, err := read(t, tc.events...)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: got %v want %s", tc.name, err, tc.want)
		}
	}
}

// TestStreamsThatAreWhole lack what carries nothing.
func TestStreamsThatAreWhole(t *testing.T) {
	for name, events := range map[string][]string{
		"no terminator":    {msgStart, textStart, textDelta("hi"), textEnd, msgEnd},
		"no message-start": {textStart, textDelta("hi"), textEnd, msgEnd, terminator},
		"no content-start": {msgStart, textDelta("hi"), msgEnd, terminator},
		"text at start":    {msgStart, strings.Replace(textStart, `""`, `"hi"`, 1), textEnd, msgEnd, terminator, "ignored"},
	} {
		if r, err := read(t, events...); err != nil || r.Choices[0].Parts[0].Text != "hi" || r.Choices[0].Stop.Reason != llm.StopEnd {
			t.Errorf("%s: got %+v, %v want hi", name, r, err)
		}
	}
}

func TestSplitSurrogates(t *testing.T) {
	r, err := read(t, msgStart, textStart, textDelta(`a\ud83d`), textDelta(`\ude00b`), textDelta(`\ud83d`), textEnd, msgEnd, terminator)
	if err != nil || r.Choices[0].Parts[0].Text != "a\U0001F600b�" {
		t.Errorf("got %+v, %v want the pair joined and the half replaced", r, err)
	}
}

// TestStreamWriterIsSequential writes text that goes on after a call has begun.
func TestStreamWriterIsSequential(t *testing.T) {
	part := func(i int, p llm.Part) llm.Event { return llm.Event{Kind: llm.EventPartStart, Index: i, Part: p} }
	text := func(i int, s string) llm.Event {
		return llm.Event{Kind: llm.EventPartDelta, Index: i, Delta: llm.Delta{Text: s}}
	}
	end := func(i int) llm.Event { return llm.Event{Kind: llm.EventPartEnd, Index: i} }
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x"})
	var out []byte
	for _, e := range []llm.Event{
		{Kind: llm.EventStart},
		part(0, llm.Part{Kind: llm.PartText}), text(0, "a"),
		part(1, llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "c", Name: "f"}}),
		text(0, "b"), part(2, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}), text(2, "t"), end(2), end(1), end(0),
		{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopToolCalls}},
		{Kind: llm.EventEnd},
	} {
		out = w.Write(out, e)
	}
	var kinds []string
	for _, f := range dialecttest.Frames(t, out) {
		kinds = append(kinds, f.Event)
	}
	want := "message-start content-start content-delta content-delta content-end tool-call-start tool-call-delta tool-call-end content-start content-delta content-end message-end "
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("got %s want %s\n%s", got, want, out)
	}
}

// TestResumedTextIsNotQuoted: a citation's span is of a text whose beginning the writer does not have.
func TestResumedTextIsNotQuoted(t *testing.T) {
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Resume: sent{contents: 1, isOpen: true}})
	var out []byte
	for _, d := range []llm.Delta{{Text: "more"}, {Citation: &llm.Citation{Kind: llm.CiteURL, URL: "https://a.example", Start: 2, End: 6}}} {
		out = w.Write(out, llm.Event{Kind: llm.EventPartDelta, Delta: d})
	}
	if losses := w.Losses(); strings.Contains(string(out), citationStart) || len(losses) != 1 || losses[0].Feature != llm.FeatureCitationHistory {
		t.Errorf("got %s, %v want no citation, and its loss", out, losses)
	}
}

// TestBilledUnits: what is billed is told apart from what is counted, if it is less and not nothing.
func TestBilledUnits(t *testing.T) {
	for _, tc := range []struct {
		usage string
		want  llm.Usage
	}{
		{`{"billed_units":{"input_tokens":50,"output_tokens":20},"tokens":{"input_tokens":100,"output_tokens":30}}`, llm.Usage{Known: true, InFresh: 100, InFree: 50, OutVisible: 30, OutFree: 10}},
		{`{"billed_units":{"input_tokens":120,"output_tokens":30},"tokens":{"input_tokens":100,"output_tokens":30}}`, llm.Usage{Known: true, InFresh: 100, OutVisible: 30}},
		{`{"billed_units":{"input_tokens":0,"output_tokens":0},"tokens":{"input_tokens":100,"output_tokens":30}}`, llm.Usage{Known: true, InFresh: 100, OutVisible: 30}},
		{`{"tokens":{"input_tokens":100,"output_tokens":30}}`, llm.Usage{Known: true, InFresh: 100, OutVisible: 30}},
		{`{"billed_units":{"input_tokens":50,"output_tokens":20}}`, llm.Usage{Known: true, InFresh: 50, OutVisible: 20}},
		{`{"billed_units":{"input_tokens":1,"output_tokens":1},"tokens":{"input_tokens":9,"output_tokens":9,"reasoning_tokens":9}}`, llm.Usage{Known: true, InFresh: 9, InFree: 8, OutReasoning: 9}},
	} {
		if got := usageOf(jsontext.Plain([]byte(tc.usage))); got != tc.want {
			t.Errorf("%s: got %+v want %+v", tc.usage, got, tc.want)
		}
	}
}
