package ollama

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// line is a line that adds the members to the message.
func line(members string) string {
	return `{"model":"m","created_at":"2026-01-01T00:00:00.123456789+02:00","message":{"role":"assistant",` + members + `},"done":false}`
}

func done(reason string) string {
	return `{"model":"m","created_at":"2026-01-01T00:00:01Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"` + reason + `","prompt_eval_count":7,"eval_count":3}`
}

// read reads a stream, whole or not.
func read(t *testing.T, lines ...string) (*llm.Response, error) {
	t.Helper()
	list := dialecttest.FramesOf(t, dialect.FramingNDJSON, []byte(strings.Join(lines, "\n")+"\n"))
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
			case llm.EventStart:
				want.Model = e.Model
			case llm.EventFinish:
				want.Finish = true
			case llm.EventEnd:
				want.End = true
				want.Model = cmp.Or(e.Model, want.Model)
			case llm.EventUsage:
				usage = e.Usage
			default:
				want.Content = want.Content || e.IsContent()
			}
		}
		if got.Content != want.Content || got.Finish != want.Finish || got.End != want.End || got.Model != want.Model || got.Hide || got.Data != nil {
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

func TestStream(t *testing.T) {
	r, err := read(t, line(`"content":"","thinking":"Hm"`), line(`"content":"","thinking":"m."`), line(`"content":"I "`), line(`"content":"look."`),
		line(`"content":"","tool_calls":[{"function":{"name":"f","arguments":{"x": 1}}},{"id":"b","function":{"index":1,"name":"g","arguments":{}}}]`), done("stop"), "ignored")
	if err != nil {
		t.Fatal(err)
	}
	parts := r.Choices[0].Parts
	if len(parts) != 4 || parts[0].Text != "Hmm." || parts[0].Kind != llm.PartThinking || parts[1].Text != "I look." ||
		parts[2].Call.Args != `{"x":1}` || !strings.HasPrefix(parts[2].Call.ID, "call_") || *parts[3].Call != (llm.ToolCall{ID: "b", Name: "g", Args: "{}"}) {
		t.Errorf("got %+v want thinking, text and two calls", parts)
	}
	if r.Choices[0].Stop.Reason != llm.StopToolCalls || r.Model != "m" || r.Created != 1767218400 {
		t.Errorf("got stop %v, model %q, created %d want tool_calls, m, 1767218400", r.Choices[0].Stop, r.Model, r.Created)
	}
	if want := (llm.Usage{Known: true, InFresh: 7, OutVisible: 3}); r.Usage != want {
		t.Errorf("got usage %+v want %+v", r.Usage, want)
	}
}

// TestPromptNotCounted: a server that had the whole prompt from the turn before says nothing of it, which is not to say
// that there was none.
func TestPromptNotCounted(t *testing.T) {
	untold := func(s string) string { return strings.Replace(s, `"prompt_eval_count":7,`, "", 1) }
	none := func(s string) string { return strings.Replace(s, `"prompt_eval_count":7`, `"prompt_eval_count":0`, 1) }
	for name, tc := range map[string]struct {
		last string
		want llm.Usage
	}{
		"counted": {done("stop"), llm.Usage{Known: true, InFresh: 7, OutVisible: 3}},
		"untold":  {untold(done("stop")), llm.Usage{Known: true, InUntold: true, OutVisible: 3}},
		"none":    {none(done("stop")), llm.Usage{Known: true, OutVisible: 3}},
		"neither": {strings.Replace(done("stop"), `,"prompt_eval_count":7,"eval_count":3`, "", 1), llm.Usage{}},
	} {
		r, err := read(t, line(`"content":"a"`), tc.last)
		if err != nil || r.Usage != tc.want {
			t.Errorf("%s: got usage %+v, %v want %+v", name, r.Usage, err, tc.want)
		}
		whole, err := providerSide{}.DecodeResponse([]byte(tc.last))
		if err != nil || whole.Usage != tc.want {
			t.Errorf("%s, whole: got usage %+v, %v want %+v", name, whole.Usage, err, tc.want)
		}
	}
}

func TestIDsOfOneAnswerDiffer(t *testing.T) {
	call := `"tool_calls":[{"function":{"name":"f","arguments":{}}}]`
	r, err := read(t, line(call), line(call), done("stop"))
	if err != nil || len(r.Choices[0].Parts) != 2 || r.Choices[0].Parts[0].Call.ID == r.Choices[0].Parts[1].Call.ID {
		t.Errorf("got %+v, %v want two calls with two ids", r, err)
	}
}

func TestDoneReasons(t *testing.T) {
	for word, want := range map[string]llm.StopReason{
		"stop": llm.StopEnd, "length": llm.StopLength, "content_filter": llm.StopContentFilter, "load": llm.StopOther, "custom": llm.StopOther, "": llm.StopEnd,
	} {
		if r, err := read(t, line(`"content":"x"`), done(word)); err != nil || r.Choices[0].Stop.Reason != want {
			t.Errorf("%q: got %+v, %v want %s", word, r, err, want)
		}
	}
}

func TestStreamFailures(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  llm.Code
	}{
		{"error", []string{line(`"content":"x"`), `{"error":"an error was encountered while running the model"}`}, llm.CodeServerError},
		{"error at once", []string{`{"error":"no"}`}, llm.CodeServerError},
		{"cut", []string{line(`"content":"x"`)}, llm.CodeTruncated},
		{"nothing", nil, llm.CodeTruncated},
		{"no JSON", []string{"{"}, llm.CodeBadAnswer},
		{"no object", []string{`[1]`}, llm.CodeBadAnswer},
		{"no message", []string{`{"model":"m","done":false}`}, llm.CodeBadAnswer},
		{"no name", []string{line(`"tool_calls":[{"function":{}}]`)}, llm.CodeBadAnswer},
	} {
		_, err := read(t, tc.lines...)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: got %v want %s", tc.name, err, tc.want)
		}
	}
}

func TestWholeAnswers(t *testing.T) {
	for body, want := range map[string]llm.Code{
		line(`"content":"x"`):                      llm.CodeBadAnswer, // not done
		`{"error":"no"}`:                           llm.CodeServerError,
		`{"model":"m","done":true}`:                llm.CodeBadAnswer,
		`{"model":"m","message":null,"done":true}`: llm.CodeBadAnswer,
	} {
		_, err := providerSide{}.DecodeResponse([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: got %v want %s", body, err, want)
		}
	}
}

// TestTextAfterACall is set apart from the text before it, as in a whole answer.
func TestTextAfterACall(t *testing.T) {
	r := &llm.Response{Choices: []llm.Choice{{
		Parts: []llm.Part{llm.Text("a"), {Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "c", Name: "f"}}, llm.Text("b")},
		Stop:  llm.Stop{Reason: llm.StopToolCalls},
	}}}
	whole, _, err := clientSide{}.EncodeResponse(r)
	if err != nil || !strings.Contains(string(whole), `"content":"a\n\nb"`) {
		t.Errorf("got %s, %v want the texts apart", whole, err)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{Model: "m"})
	var out []byte
	for _, e := range r.Events() {
		out = w.Write(out, e)
	}
	if !strings.Contains(string(out), `"content":"\n\nb"`) {
		t.Errorf("got\n%s\nwant the texts apart", out)
	}
}

// TestThinkingOfTwo reads thinking that nobody signed and then some that somebody did: two parts, neither of them twice.
func TestThinkingOfTwo(t *testing.T) {
	r, err := read(t, line(`"thinking":"a"`), line(`"thinking":"b","understudy_thinking":[{"issuer":"i"}]`),
		line(`"understudy_thinking":[{"issuer":"i","text":"b","signature":"s"}]`), done("stop"))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Part{
		{Kind: llm.PartThinking, Text: "a", Thinking: &llm.Thinking{}},
		{Kind: llm.PartThinking, Text: "b", Thinking: &llm.Thinking{Issuer: "i", Signature: "s"}},
	}
	if got := r.Choices[0].Parts; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v want %+v", got, want)
	}
}

func TestHeartbeatAddsNothing(t *testing.T) {
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{Model: "m", Created: 1767225600})
	beat := string(w.Heartbeat(nil))
	if want := `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":false}` + "\n"; beat != want {
		t.Errorf("got %s want %s", beat, want)
	}
	if r, err := read(t, strings.TrimSpace(beat), line(`"content":"x"`), done("stop")); err != nil || r.Choices[0].Parts[0].Text != "x" {
		t.Errorf("got %+v, %v want the text alone", r, err)
	}
}

// TestArgumentsInOneLine holds that a stream of lines stays one where the arguments of a call are written over several.
func TestArgumentsInOneLine(t *testing.T) {
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "m"})
	r := &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{
		{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f", Args: "{\n  \"n\": 1\n}"}},
	}, Stop: llm.Stop{Reason: llm.StopToolCalls}}}}
	var out []byte
	for _, e := range r.Events() {
		out = w.Write(out, e)
	}
	read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), dialecttest.FramesOf(t, dialect.FramingNDJSON, out))
	if err != nil {
		t.Fatalf("got %v for %q", err, out)
	}
	if got := llm.Collect(slices.Concat(read, closed)); got.Choices[0].Parts[0].Call.Args != `{"n":1}` {
		t.Errorf("got %+v want the arguments", got.Choices[0].Parts[0].Call)
	}
}

// TestArgumentsWithANameTwice: whose arguments repeat a name is a model's affair, whole and streamed.
func TestArgumentsWithANameTwice(t *testing.T) {
	answer := &llm.Response{Model: "m", Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f", Args: `{"x":1,"x":2}`}}},
		Stop:  llm.Stop{Reason: llm.StopToolCalls},
	}}}
	whole, _, err := clientSide{}.EncodeResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{Model: "m"})
	var stream []byte
	for _, e := range answer.Events() {
		stream = w.Write(stream, e)
	}
	for _, got := range []string{string(whole), string(stream)} {
		if want := `"arguments":{"x":1,"x":2}`; !strings.Contains(got, want) {
			t.Errorf("got %s want %s in it", got, want)
		}
	}
}
