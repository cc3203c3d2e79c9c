package anthropic

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// Pieces of streams.
const (
	msgStart  = `{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":10,"output_tokens":1}}}`
	textStart = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	toolStart = `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"n","input":{}}}`
	stop0     = `{"type":"content_block_stop","index":0}`
	msgDelta  = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`
	msgStop   = `{"type":"message_stop"}`
)

func textDelta(s string) string {
	return `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + s + `"}}`
}

func argsDelta(s string) string {
	return `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"` + s + `"}}`
}

func framesOf(data ...string) []dialect.Frame {
	list := make([]dialect.Frame, len(data))
	for i, d := range data {
		list[i] = dialect.Frame{Data: []byte(d)}
	}
	return list
}

// readAll runs frames through reader and tap, which must agree on whether the stream is whole.
func readAll(t *testing.T, data ...string) (*llm.Response, error) {
	t.Helper()
	list := framesOf(data...)
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	tapErr := tapAll(list)
	var a, b *llm.Error
	if errors.As(err, &a) != errors.As(tapErr, &b) || a != nil && a.Code != b.Code {
		t.Errorf("reader says %v, tap says %v", err, tapErr)
	}
	if err != nil {
		return nil, err
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("got %v, want a legal stream", err)
	}
	return llm.Collect(events), nil
}

func tapAll(list []dialect.Frame) error {
	tap := New().Relay.NewTap(dialect.Ask{})
	for _, f := range list {
		if _, err := tap.Frame(f); err != nil {
			return err
		}
	}
	_, err := tap.Close()
	return err
}

func TestReaderTolerates(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []string
		text   string
	}{
		{"plain", []string{msgStart, textStart, textDelta("hi"), stop0, msgDelta, msgStop}, "hi"},
		{"D12 no message_stop", []string{msgStart, textStart, textDelta("hi"), stop0, msgDelta}, "hi"},
		{"D13 data after the end", []string{msgStart, textStart, textDelta("hi"), stop0, msgDelta, msgStop, textDelta("more"), "{"}, "hi"},
		{"D20 a surrogate pair in two pieces", []string{msgStart, textStart, textDelta(`a\ud83e`), textDelta(`\udd76b`), stop0, msgDelta, msgStop}, "a🥶b"},
		{"half a pair at the end", []string{msgStart, textStart, textDelta(`a\ud83e`), stop0, msgDelta, msgStop}, "a\ufffd"},
		{"pings, unknown events and deltas", []string{`{"type":"ping"}`, msgStart, `{"type":"ping"}`, `{"type":"news","x":1}`, textStart, `{"type":"content_block_delta","index":0,"delta":{"type":"glow","text":"no"}}`, textDelta("hi"), stop0, msgDelta, msgStop}, "hi"},
		{"text in the start", []string{msgStart, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"h"}}`, textDelta("i"), stop0, msgDelta, msgStop}, "hi"},
		{"no indexes", []string{msgStart, `{"type":"content_block_start","content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}`, `{"type":"content_block_stop"}`, msgDelta, msgStop}, "hi"},
		{"spaces and another terminator", []string{msgStart + "  ", textStart, textDelta("hi"), stop0, " ", msgDelta, "[DONE]", msgStop}, "hi"},
		{"the start twice", []string{msgStart, msgStart, textStart, textDelta("hi"), stop0, msgDelta, msgStop}, "hi"},
		{"usage apart", []string{msgStart, textStart, textDelta("hi"), stop0, `{"type":"message_delta","delta":{},"usage":{"output_tokens":3}}`, msgDelta, msgStop}, "hi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, err := readAll(t, c.frames...)
			if err != nil {
				t.Fatal(err)
			}
			got := resp.Choices[0]
			if len(got.Parts) != 1 || got.Parts[0].Text != c.text || got.Stop.Reason != llm.StopEnd {
				t.Errorf("got %+v want the text %q", got, c.text)
			}
			if u := resp.Usage; u.InFresh != 10 || u.OutVisible != 7 {
				t.Errorf("T155: usage: got %+v want 10 in, 7 out", u)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	overloaded := `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`
	for _, c := range []struct {
		name   string
		frames []string
		code   llm.Code
	}{
		{"nothing", nil, llm.CodeTruncated},
		{"D7 broken off", []string{msgStart, textStart, textDelta("hi")}, llm.CodeTruncated},
		{"D27 arguments cut", []string{msgStart, toolStart, argsDelta(`{`)}, llm.CodeTruncated},
		{"blocks, no reason", []string{msgStart, textStart, textDelta("hi"), stop0, msgStop}, llm.CodeTruncated},
		{"D9 an error", []string{msgStart, textStart, textDelta("hi"), overloaded}, llm.CodeOverloaded},
		{"A02 an error before content", []string{msgStart, `{"type":"ping"}`, overloaded}, llm.CodeOverloaded},
		{"D10 an error without a type", []string{msgStart, `{"error":{"type":"api_error","message":"x"}}`}, llm.CodeServerError},
		{"D15 a delta before its block", []string{msgStart, textDelta("hi")}, llm.CodeBadAnswer},
		{"D15 a block before the message", []string{textStart}, llm.CodeBadAnswer},
		{"D15 another block", []string{msgStart, textStart, `{"type":"content_block_stop","index":4}`}, llm.CodeBadAnswer},
		{"a delta after its block", []string{msgStart, textStart, stop0, textDelta("hi")}, llm.CodeBadAnswer},
		{"a block twice", []string{msgStart, textStart, stop0, textStart}, llm.CodeBadAnswer},
		{"two messages", []string{msgStart, textStart, msgStart}, llm.CodeBadAnswer},
		{"D16 no JSON", []string{msgStart, `{"type":`}, llm.CodeBadAnswer},
		{"no object", []string{msgStart, `[]`}, llm.CodeBadAnswer},
		{"the reason inside a block", []string{msgStart, textStart, msgDelta}, llm.CodeBadAnswer},
		{"an index that is none", []string{msgStart, `{"type":"content_block_start","index":"a","content_block":{"type":"text","text":""}}`}, llm.CodeBadAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(t, c.frames...)
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Origin != llm.OriginProvider {
				t.Errorf("got %v want %s", err, c.code)
			}
		})
	}
	reader := New().Provider.NewStreamReader()
	events, err := reader.Read(nil, dialect.Frame{Event: "error", Data: []byte(`{"type":"overloaded_error"}`)})
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeOverloaded || len(events) > 0 {
		t.Errorf("an error by the frame's name: got %v want %s", err, llm.CodeOverloaded)
	}
}

func TestReaderMisplacedDeltas(t *testing.T) {
	for _, kind := range []string{"input_json_delta", "thinking_delta", "signature_delta"} {
		_, _, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), framesOf(msgStart, textStart,
			`{"type":"content_block_delta","index":0,"delta":{"type":"`+kind+`","thinking":"x","partial_json":"x","signature":"x"}}`))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeBadAnswer {
			t.Errorf("%s in a text block: got %v want %s", kind, err, llm.CodeBadAnswer)
		}
	}
}

func TestT007ZeroArgumentTool(t *testing.T) {
	for name, c := range map[string]struct {
		frames []string
		want   string
	}{
		"T007 one empty fragment":         {[]string{toolStart, argsDelta("")}, "{}"},
		"T007 no fragment":                {[]string{toolStart}, "{}"},
		"T008 the placeholder and then":   {[]string{toolStart, argsDelta(""), argsDelta(`{\"a\"`), argsDelta(`:1}`)}, `{"a":1}`},
		"A34 arguments that are not JSON": {[]string{toolStart, argsDelta(`{'a'`)}, `{'a'`},
		"whole at the start":              {[]string{strings.Replace(toolStart, `"input":{}`, `"input":{"a": 1}`, 1)}, `{"a":1}`},
		"D20 a pair in two fragments":     {[]string{toolStart, argsDelta(`{\"a\":\"\ud83e`), argsDelta(`\udd76\"}`)}, `{"a":"🥶"}`},
	} {
		frames := slices.Concat([]string{msgStart}, c.frames, []string{stop0, strings.Replace(msgDelta, "end_turn", "tool_use", 1), msgStop})
		resp, err := readAll(t, frames...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := resp.Choices[0]
		if got.Parts[0].Call.Args != c.want || got.Stop.Reason != llm.StopToolCalls {
			t.Errorf("%s: got %s, %s want %s", name, got.Parts[0].Call.Args, got.Stop.Reason, c.want)
		}
	}
}

func TestReaderVendorBlocks(t *testing.T) {
	resp, err := readAll(t, msgStart,
		`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}`,
		argsDelta(`{\"query\":`), argsDelta(`\"sky\"}`), stop0,
		`{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"d"}}`, `{"type":"content_block_stop","index":1}`,
		msgDelta, msgStop)
	if err != nil {
		t.Fatal(err)
	}
	parts := resp.Choices[0].Parts
	if len(parts) != 2 || parts[0].Text != "[web_search: sky]" || !strings.Contains(string(parts[0].Opaque.Raw), `"input":{"query":"sky"}`) {
		t.Errorf("got %+v", parts)
	}
	if parts[1].Thinking.Sealed != "d" {
		t.Errorf("redacted thinking: got %+v", parts[1].Thinking)
	}
	if resp.Choices[0].Stop.Reason != llm.StopEnd {
		t.Errorf("got %s: the vendor's own calls are not the client's", resp.Choices[0].Stop.Reason)
	}
}

func TestT054OmittedThinking(t *testing.T) {
	start := `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`
	sign := `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`
	resp, err := readAll(t, msgStart, start, sign, stop0, msgDelta, msgStop)
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.Choices[0].Parts[0]; p.Text != "" || *p.Thinking != (llm.Thinking{Issuer: issuer, Signature: "c2ln"}) {
		t.Errorf("got %+v %+v, want the signature alone", p, p.Thinking)
	}
	stream := write(resp.Events())
	if !strings.Contains(stream, `"type":"signature_delta","signature":"c2ln"`) || strings.Contains(stream, "thinking_delta") {
		t.Errorf("got\n%s\nwant a thinking block with its signature and no text", stream)
	}
}

func TestStopReasons(t *testing.T) {
	for raw, c := range map[string]struct {
		reason llm.StopReason
		back   string
	}{
		"end_turn": {llm.StopEnd, "end_turn"}, "max_tokens": {llm.StopLength, "max_tokens"},
		"stop_sequence": {llm.StopSequence, "stop_sequence"}, "refusal": {llm.StopRefusal, "refusal"},
		"pause_turn": {llm.StopPause, "pause_turn"}, "compaction": {llm.StopPause, "pause_turn"},
		"model_context_window_exceeded": {llm.StopContextFull, "model_context_window_exceeded"},
		"hibernate":                     {llm.StopOther, "end_turn"}, "tool_use": {llm.StopEnd, "end_turn"}, // T013: there is no call
	} {
		resp, err := readAll(t, msgStart, textStart, textDelta("x"), stop0, strings.Replace(msgDelta, "end_turn", raw, 1), msgStop)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := resp.Choices[0].Stop; got.Reason != c.reason || got.Raw != raw {
			t.Errorf("%s: got %+v want %s", raw, got, c.reason)
		}
		if stream := write(resp.Events()); !strings.Contains(stream, `"stop_reason":"`+c.back+`"`) {
			t.Errorf("T154: %s: got\n%s\nwant %s", raw, stream, c.back)
		}
	}
}

// write streams events to a client.
func write(events []llm.Event) string {
	w := New().Client.NewStreamWriter(dialect.StreamOptions{ID: "msg_0", Model: "m0"})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	return string(out)
}

// shape is a stream in short: one word for each event.
func shape(t *testing.T, stream string) string {
	t.Helper()
	var words []string
	for _, f := range dialecttest.Frames(t, []byte(stream)) {
		word := f.Event
		for _, kind := range []string{blockText, blockToolUse, blockThinking, "text_delta", "input_json_delta", "thinking_delta", "signature_delta"} {
			if strings.Contains(string(f.Data), `"type":"`+kind+`"`) {
				word = strings.TrimPrefix(f.Event, "content_block_") + ":" + kind
			}
		}
		words = append(words, strings.TrimPrefix(word, "content_block_"))
	}
	return strings.Join(words, " ")
}

func partEvents(index int, p llm.Part) (start, end llm.Event) {
	return llm.Event{Kind: llm.EventPartStart, Index: index, Part: p}, llm.Event{Kind: llm.EventPartEnd, Index: index}
}

func deltaOf(index int, d llm.Delta) llm.Event {
	return llm.Event{Kind: llm.EventPartDelta, Index: index, Delta: d}
}

func TestWriterKeepsBlocksApart(t *testing.T) {
	start := llm.Event{Kind: llm.EventStart, ID: "msg_1", Model: "m"}
	finish := llm.Event{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopToolCalls}}
	end := llm.Event{Kind: llm.EventEnd}
	text, textEnd := partEvents(0, llm.Text(""))
	one, oneEnd := partEvents(1, called("a", "one", ""))
	two, twoEnd := partEvents(2, called("b", "two", ""))
	thought, thoughtEnd := partEvents(0, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}})
	for _, c := range []struct {
		name   string
		events []llm.Event
		want   string
	}{
		{
			"T003 interleaved calls",
			[]llm.Event{text, textEnd, one, deltaOf(1, llm.Delta{Args: "{"}), two, deltaOf(2, llm.Delta{Args: "["}), deltaOf(1, llm.Delta{Args: "}"}), oneEnd, deltaOf(2, llm.Delta{Args: "]"}), twoEnd},
			"start:tool_use delta:input_json_delta delta:input_json_delta stop start:tool_use delta:input_json_delta delta:input_json_delta stop",
		},
		{
			"T004 a second call without arguments waits",
			[]llm.Event{one, two, twoEnd, deltaOf(1, llm.Delta{Args: "{}"}), oneEnd},
			"start:tool_use delta:input_json_delta stop start:tool_use stop",
		},
		{
			"T005 text that goes on beside a call",
			[]llm.Event{text, deltaOf(0, llm.Delta{Text: "a"}), one, deltaOf(0, llm.Delta{Text: "b"}), deltaOf(1, llm.Delta{Args: "{}"}), oneEnd, deltaOf(0, llm.Delta{Text: "c"}), textEnd},
			"start:text delta:text_delta stop start:tool_use delta:input_json_delta stop start:text delta:text_delta delta:text_delta stop",
		},
		{
			"T006 empty texts",
			[]llm.Event{text, deltaOf(0, llm.Delta{Text: ""}), textEnd, one, oneEnd},
			"start:tool_use stop",
		},
		{
			"T056 thinking nobody signed",
			[]llm.Event{thought, deltaOf(0, llm.Delta{Text: "hm"}), thoughtEnd, one, oneEnd},
			"start:thinking delta:thinking_delta delta:signature_delta stop start:tool_use stop",
		},
		{
			"parts left open at the finish",
			[]llm.Event{text, deltaOf(0, llm.Delta{Text: "a"}), one, two},
			"start:text delta:text_delta stop start:tool_use stop start:tool_use stop",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := write(slices.Concat([]llm.Event{start}, c.events, []llm.Event{finish, end}))
			if got := shape(t, stream); got != "message_start "+c.want+" message_delta message_stop" {
				t.Errorf("got  %s\nwant message_start %s message_delta message_stop", got, c.want)
			}
			read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), dialecttest.Frames(t, []byte(stream)))
			if err == nil {
				err = dialecttest.CheckEvents(slices.Concat(read, closed))
			}
			if err != nil {
				t.Errorf("reading it back: %v\n%s", err, stream)
			}
		})
	}
}

func TestWriterEndsInErrors(t *testing.T) {
	w := New().Client.NewStreamWriter(dialect.StreamOptions{ID: "msg_0", Model: "m0"})
	if got := string(w.Heartbeat(nil)); !strings.HasPrefix(got, ":") {
		t.Errorf("a heartbeat before the start: got %q want a comment", got)
	}
	start, _ := partEvents(0, llm.Text("x"))
	out := w.Write(nil, start)
	if got := shape(t, string(out)); got != "message_start start:text delta:text_delta" {
		t.Errorf("a part before the start: got %s", got)
	}
	if !strings.Contains(string(out), `"id":"msg_0"`) || !strings.Contains(string(out), `"model":"m0"`) {
		t.Errorf("got %s, want the id and model that the gateway gave", out)
	}
	if got := string(w.Heartbeat(nil)); got != "event: ping\ndata: {\"type\":\"ping\"}\n\n" {
		t.Errorf("a heartbeat: got %q want a ping", got)
	}
	out = w.Error(nil, &llm.Error{Code: llm.CodeOverloaded, Message: "No."})
	if got := string(out); got != "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"No.\"}}\n\n" {
		t.Errorf("got %q", got)
	}
	if after := w.Write(nil, llm.Event{Kind: llm.EventEnd}); len(after) > 0 {
		t.Errorf("after the error: got %q want nothing", after)
	}
	if got := write([]llm.Event{{Kind: llm.EventStart}, {Kind: llm.EventEnd}}); !strings.Contains(got, "event: error") || strings.Contains(got, "message_stop") {
		t.Errorf("an end without a finish: got %s want an error", got)
	}
	malformed := []llm.Event{{Kind: llm.EventStart}, {Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopMalformed}}, {Kind: llm.EventEnd}}
	if got := write(malformed); !strings.Contains(got, "event: error") || strings.Contains(got, "message_stop") {
		t.Errorf("a malformed answer: got %s want an error", got)
	}
}

func TestT047CallIDsForClients(t *testing.T) {
	var ids shownIDs
	for _, c := range [][2]string{
		{"toolu_1", "toolu_1"}, {"srvtoolu_2", "srvtoolu_2"}, {"call_3", "toolu_call_3"}, {"chatcmpl-tool-4", "toolu_chatcmpl-tool-4"},
	} {
		if got := ids.show(c[0]); got != c[1] {
			t.Errorf("%s: got %s want %s", c[0], got, c[1])
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"x", "toolu_x", "x.", "x,", "", "x"} {
		got := ids.show(id)
		if seen[got] || !strings.HasPrefix(got, callPrefix) || !isWord(got, maxID) {
			t.Errorf("%q: got %q, taken or illegal", id, got)
		}
		seen[got] = true
	}
	var again shownIDs
	if a, b := again.show("x."), again.show("x,"); !seen[a] || !seen[b] {
		t.Errorf("got %s and %s, want the same as before", a, b)
	}
}
