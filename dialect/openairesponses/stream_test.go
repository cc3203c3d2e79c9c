package openairesponses

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// Events as a provider sends them.
const (
	created  = `{"type":"response.created","response":{"id":"resp_1","object":"response","created_at":1767225600,"status":"in_progress","model":"m","output":[],"usage":null}}`
	inFlight = `{"type":"response.in_progress","response":{"id":"resp_1"}}`
	msgAdded = `{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}`
	hello    = `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hello"}`
	done     = `{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":5,"output_tokens":2}}}`
)

// framed are events without their framing.
func framed(data ...string) []dialect.Frame {
	list := make([]dialect.Frame, len(data))
	for i, d := range data {
		list[i] = dialect.Frame{Data: []byte(d)}
	}
	return list
}

// read reads a stream and asserts that the tap sees the same.
func read(t *testing.T, list []dialect.Frame) (*llm.Response, error) {
	t.Helper()
	var tapped tap
	reader := providerSide{}.NewStreamReader()
	var events []llm.Event
	content := false
	for i, f := range list {
		from := len(events)
		var err error
		events, err = reader.Read(events, f)
		signal, tapErr := tapped.Frame(f)
		if (err == nil) != (tapErr == nil) {
			t.Fatalf("frame %d: read with %v, tapped with %v", i, err, tapErr)
		}
		if err != nil {
			return nil, err
		}
		content = content || signal.Content
		if slices.ContainsFunc(events[from:], func(e llm.Event) bool { return e.IsContent() }) && !content {
			t.Errorf("frame %d: tapped without content where the reader has some: %s", i, f.Data)
		}
	}
	events, err := reader.Close(events)
	if _, tapErr := tapped.Close(); (err == nil) != (tapErr == nil) {
		t.Fatalf("closed with %v, tapped with %v", err, tapErr)
	}
	if err != nil {
		return nil, err
	}
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Fatal(err)
	}
	r := llm.Collect(events)
	if tapped.Usage() != r.Usage {
		t.Errorf("tapped %+v want %+v", tapped.Usage(), r.Usage)
	}
	return r, nil
}

// summaryOf says an answer in a line.
func summaryOf(r *llm.Response) string {
	var list []string
	for _, p := range r.Choices[0].Parts {
		s := p.Kind.String() + " " + p.Text
		switch {
		case p.Call != nil:
			s = "call " + p.Call.ID + " " + p.Call.Name + " " + p.Call.Args
		case p.Thinking != nil:
			s += " (" + p.Thinking.Issuer + " " + p.Thinking.Signature + p.Thinking.Sealed + ")"
		case p.Opaque != nil:
			s += " " + p.Opaque.Type
		}
		for _, c := range p.Citations {
			s += " <" + c.URL + ">"
		}
		list = append(list, s)
	}
	return strings.Join(append(list, string(r.Choices[0].Stop.Reason)), "; ")
}

func TestReadStreams(t *testing.T) {
	const call = `{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"get","arguments":""}}`
	for _, tc := range []struct {
		name   string
		events []string
		want   string
	}{
		{"text", []string{created, inFlight, msgAdded, hello, done}, "text Hello; stop"},
		{"queued first", []string{`{"type":"response.queued","response":{"id":"resp_1"}}`, hello, done}, "text Hello; stop"},
		{"a terminator of another dialect", []string{created, hello, done, "[DONE]"}, "text Hello; stop"},
		{"keepalive and unknown events", []string{created, `{"type":"keepalive","sequence_number":3}`, hello, `{"type":"response.new_thing.done","output_index":0}`, done}, "text Hello; stop"},
		{"nothing but the end", []string{`{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}`}, "text Hello; call c f {}; tool_calls"},
		{"only the repeats", []string{created, `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello"}`, done}, "text Hello; stop"},
		{"only the item", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":1}]}]}}`, done}, "text Hello <u>; stop"},
		{"annotations said twice", []string{
			created, hello, `{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"url_citation","url":"u"}}`,
			`{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello","annotations":[{"type":"url_citation","url":"u"}]}}`, done,
		}, "text Hello <u>; stop"},
		{"a refusal", []string{created, `{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"No."}`, done}, "refusal No.; refusal"},
		{"other ids in each event", []string{created, msgAdded, strings.Replace(hello, `"output_index"`, `"item_id":"x","output_index"`, 1), strings.Replace(hello, `"output_index"`, `"item_id":"y","output_index"`, 1), done}, "text HelloHello; stop"},
		{"T002 interleaved calls", []string{
			created, strings.Replace(strings.Replace(call, `"output_index":1`, `"output_index":0`, 1), "call_1", "call_0", 1), call,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"b\":"}`, `{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}`,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"1}"}`, done,
		}, `call call_0 get {}; call call_1 get {"b":1}; tool_calls`},
		{"whole arguments", []string{created, call, `{"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"a\":1}"}`, done}, `call call_1 get {"a":1}; tool_calls`},
		{"arguments in the beginning", []string{created, strings.Replace(call, `"arguments":""`, `"arguments":"{}"`, 1), done}, `call call_1 get {}; tool_calls`},
		{"a free-form call", []string{
			created, `{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"run","input":""}}`,
			`{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"say \"a"}`, `{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"\"\n"}`, done,
		}, `call c custom:run {"input":"say \"a\"\n"}; tool_calls`},
		{"a summary in parts, sealed at the end", []string{
			created, `{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"part"}}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"One."}`, `{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"Two."}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"One."},{"type":"summary_text","text":"Two."}],"encrypted_content":"whole"}}`, done,
		}, "thinking One.\n\nTwo. (openai-responses rs_1/whole); stop"},
		{"sealed alone", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"whole"}}`, done}, "thinking  (openai-responses rs_1/whole); stop"},
		{"an empty reasoning", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`, hello, done}, "text Hello; stop"},
		{"reasoning of an open model", []string{created, `{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"Hm."}`, strings.Replace(hello, `"output_index":0`, `"output_index":1`, 1), done}, "thinking Hm. ( ); text Hello; stop"},
		{"cut", []string{created, hello, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}`}, "text Hello; length"},
		{"filtered", []string{created, hello, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}}`}, "text Hello; content_filter"},
		{"a search", []string{created, `{"type":"response.output_item.added","output_index":0,"item":{"id":"ws_1","type":"web_search_call"}}`, `{"type":"response.web_search_call.searching","output_index":0}`, `{"type":"response.output_item.done","output_index":0,"item":{"id":"ws_1","type":"web_search_call","action":{"type":"search","query":"q"}}}`, done}, "opaque [Searched the web for: q] web_search_call; stop"},
		{"commands that the vendor ran", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"type":"shell_call","call_id":"c","action":{"commands":["ls"]},"environment":{"type":"container_reference","container_id":"x"}}}`, done}, "opaque [Ran the commands:\nls] shell_call; stop"},
		{"a character cut in two", []string{created, strings.Replace(hello, "Hello", `\ud83e`, 1), strings.Replace(hello, "Hello", `\udd76`, 1), done}, "text \U0001F976; stop"},
	} {
		r, err := read(t, framed(tc.events...))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := summaryOf(r); got != tc.want {
			t.Errorf("%s: got %q want %q", tc.name, got, tc.want)
		}
	}
}

// TestA38ItemsForItsOwnClients: what only a client of this dialect could act on is passed to one, and ends a
// translation with an error that says so.
func TestA38ItemsForItsOwnClients(t *testing.T) {
	for _, item := range []string{
		`{"type":"shell_call","call_id":"c","action":{"commands":["ls"]}}`,
		`{"type":"local_shell_call","call_id":"c","action":{"type":"exec","command":["ls"]}}`,
		`{"type":"apply_patch_call","call_id":"c","operation":{"type":"delete_file","path":"a"}}`,
		`{"type":"computer_call","call_id":"c","action":{"type":"screenshot"}}`,
		`{"type":"mcp_approval_request","id":"m","name":"n"}`,
		`{"type":"image_generation_call","id":"i","result":"iVBO"}`,
	} {
		ended := `{"type":"response.output_item.done","output_index":0,"item":` + item + `}`
		whole := []byte(`{"status":"completed","output":[` + item + `]}`)
		events, errStream := providerSide{}.NewStreamReader().Read(nil, dialect.Frame{Data: []byte(ended)})
		_, errWhole := providerSide{}.DecodeResponse(whole)
		for _, err := range []error{errStream, errWhole} {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || !strings.Contains(e.Message, "_") {
				t.Errorf("%s: got %v, %v want it unsupported, by name", item, events, err)
			}
		}
		var tapped, body tap
		if s, err := tapped.Frame(dialect.Frame{Data: []byte(ended)}); err != nil || !s.Content {
			t.Errorf("%s: tapped %+v, %v want content", item, s, err)
		}
		if s, err := body.Body(whole); err != nil || !s.Content {
			t.Errorf("%s: tapped %+v, %v want content", item, s, err)
		}
	}
}

func TestFailedStreams(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events []string
		want   llm.Code
	}{
		{"A01 spent before content", []string{created, inFlight, `{"type":"error","sequence_number":2,"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"You exceeded your current quota"}}`}, llm.CodeQuota},
		{"flat", []string{created, `{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":2}`}, llm.CodeRateLimit},
		{"A47 too long", []string{created, `{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"Your input exceeds the context window of this model."}}}`}, llm.CodeContextLength},
		{"failed", []string{created, hello, `{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"x"}}}`}, llm.CodeServerError},
		{"failed for no reason", []string{created, `{"type":"response.failed","response":{"status":"failed"}}`}, llm.CodeServerError},
		{"overloaded", []string{created, `{"type":"response.failed","response":{"error":{"code":"server_is_overloaded","message":"x"}}}`}, llm.CodeOverloaded},
		{"refused", []string{created, `{"type":"response.failed","response":{"error":{"code":"bio_policy","message":"x"}}}`}, llm.CodeContentPolicy},
		{"an error of no kind", []string{`{"error":{"message":"x","type":"server_error","code":"503"}}`}, llm.CodeOverloaded},
		{"cut off", []string{created, hello}, llm.CodeTruncated},
		{"a terminator is no end", []string{created, hello, "[DONE]"}, llm.CodeTruncated},
		{"nothing", nil, llm.CodeTruncated},
		{"no JSON", []string{"hello"}, llm.CodeBadAnswer},
		{"a delta that is no text", []string{created, `{"type":"response.output_text.delta","output_index":0,"delta":{}}`}, llm.CodeBadAnswer},
	} {
		_, err := read(t, framed(tc.events...))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: got %v want %s", tc.name, err, tc.want)
		}
	}
}

// TestBeginningsAreNoContent is what lets a target fail unseen (A01): a call's begin is all that is content at once.
func TestBeginningsAreNoContent(t *testing.T) {
	for data, want := range map[string]bool{
		created: false, inFlight: false, msgAdded: false, hello: true, done: false,
		`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}`: true,
		`{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call"}}`:                        false,
		`{"type":"response.web_search_call.searching","output_index":0}`:                                                  false,
		`{"type":"response.code_interpreter_call_code.delta","output_index":0,"delta":"1"}`:                               true,
		`{"type":"response.image_generation_call.partial_image","output_index":0}`:                                        true,
		`{"type":"response.content_part.added","output_index":0,"part":{"type":"output_text","text":""}}`:                 false,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[]}}`:                  false,
		`{"type":"keepalive"}`: false,
	} {
		var tapped tap
		if s, err := tapped.Frame(dialect.Frame{Data: []byte(data)}); err != nil || s.Content != want {
			t.Errorf("%s: got content %v, %v want %v", data, s.Content, err, want)
		}
	}
}

// write writes events as a client would get them.
func write(events ...llm.Event) (string, []llm.Loss) {
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "resp_1", Model: "m", Created: 1})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	return string(out), w.Losses()
}

// kinds lists the types of a stream's events, and asserts that they are numbered.
func kinds(t *testing.T, stream string) []string {
	t.Helper()
	var list []string
	for i, f := range dialecttest.Frames(t, []byte(stream)) {
		v := jsontext.Value(f.Data)
		if n, err := v.Get("sequence_number").Int(); err != nil || n != int64(i) {
			t.Errorf("event %d: got sequence number %s", i, v.Get("sequence_number"))
		}
		if f.Event != textOf(v.Get("type")) {
			t.Errorf("event %d: got type %s in an event named %s", i, v.Get("type"), f.Event)
		}
		list = append(list, strings.TrimPrefix(f.Event, "response."))
	}
	return list
}

func TestWrittenGrammar(t *testing.T) {
	start := llm.Event{Kind: llm.EventStart, ID: "msg_up", Model: "up"}
	part := func(i int, p llm.Part) llm.Event { return llm.Event{Kind: llm.EventPartStart, Index: i, Part: p} }
	text := func(i int, s string) llm.Event {
		return llm.Event{Kind: llm.EventPartDelta, Index: i, Delta: llm.Delta{Text: s}}
	}
	args := func(i int, s string) llm.Event {
		return llm.Event{Kind: llm.EventPartDelta, Index: i, Delta: llm.Delta{Args: s}}
	}
	end := func(i int) llm.Event { return llm.Event{Kind: llm.EventPartEnd, Index: i} }
	finish := func(r llm.StopReason) llm.Event { return llm.Event{Kind: llm.EventFinish, Stop: llm.Stop{Reason: r}} }
	call := func(id, name string) llm.Part {
		return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name}}
	}
	stop := llm.Event{Kind: llm.EventEnd}
	const begin, message, endMessage = "created in_progress ", "output_item.added content_part.added output_text.delta ", "output_text.done content_part.done output_item.done "
	const aCall = "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done "
	for _, tc := range []struct {
		name   string
		events []llm.Event
		want   string
	}{
		{"text", []llm.Event{start, part(0, llm.Part{Kind: llm.PartText}), text(0, "a"), end(0), finish(llm.StopEnd), stop}, begin + message + endMessage + "completed"},
		{
			"two texts are one message",
			[]llm.Event{start, part(0, llm.Part{Kind: llm.PartText}), text(0, "a"), end(0), part(1, llm.Part{Kind: llm.PartText}), text(1, "b"), end(1), finish(llm.StopEnd), stop},
			begin + message + "output_text.done content_part.done content_part.added output_text.delta output_text.done content_part.done output_item.done completed",
		},
		{
			"T062 thinking is reasoning",
			[]llm.Event{start, part(0, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}), text(0, "hm"), end(0), part(1, llm.Part{Kind: llm.PartText}), text(1, "a"), end(1), finish(llm.StopEnd), stop},
			begin + "output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done " + message + endMessage + "completed",
		},
		{"overlapping calls follow one another", []llm.Event{start, part(0, call("a", "f")), part(1, call("b", "f")), args(1, "{}"), args(0, "{}"), end(1), end(0), finish(llm.StopToolCalls), stop}, begin + aCall + aCall + "completed"},
		{"a call without arguments has some", []llm.Event{start, part(0, call("a", "f")), end(0), finish(llm.StopToolCalls), stop}, begin + aCall + "completed"},
		{"a cut one has none", []llm.Event{start, part(0, call("a", "f")), end(0), finish(llm.StopLength), stop}, begin + "output_item.added function_call_arguments.done output_item.done incomplete"},
		{"a free-form call", []llm.Event{start, part(0, call("a", "custom:run")), args(0, `{"in`), args(0, `put":"x"}`), end(0), finish(llm.StopToolCalls), stop}, begin + "output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done completed"},
		{"a refusal", []llm.Event{start, part(0, llm.Part{Kind: llm.PartRefusal}), text(0, "no"), end(0), finish(llm.StopRefusal), stop}, begin + "output_item.added content_part.added refusal.delta refusal.done content_part.done output_item.done completed"},
		{"nothing", []llm.Event{start, finish(llm.StopEnd), stop}, begin + "completed"},
		{"malformed", []llm.Event{start, finish(llm.StopMalformed), stop}, begin + "failed"},
	} {
		stream, _ := write(tc.events...)
		if got := strings.Join(kinds(t, stream), " "); got != tc.want {
			t.Errorf("%s: got %s\nwant %s", tc.name, got, tc.want)
		}
		if !strings.Contains(stream, `"id":"resp_msg_up"`) || !strings.Contains(stream, `"model":"up"`) {
			t.Errorf("%s: got another id or model than the vendor's: %s", tc.name, stream)
		}
	}
}

func TestWrittenErrors(t *testing.T) {
	e := &llm.Error{Code: llm.CodeQuota, Origin: llm.OriginProvider, Message: "No credit."}
	begun := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "resp_1", Model: "m"})
	out := begun.Error(begun.Write(nil, llm.Event{Kind: llm.EventStart}), e)
	if got := kinds(t, string(out)); !slices.Equal(got, []string{"created", "in_progress", "failed"}) {
		t.Errorf("got %v want the response failed", got)
	}
	if !strings.Contains(string(out), `"status":"failed","error":{"code":"insufficient_quota","message":"No credit."}`) {
		t.Errorf("got %s want the error in the response", out)
	}
	for name, o := range map[string]dialect.StreamOptions{"not begun": {}, "begun elsewhere": {Begun: true}} {
		out := string(clientSide{}.NewStreamWriter(o).Error(nil, e))
		if !strings.HasPrefix(out, "event: error\n") || !strings.Contains(out, `"type":"error","code":"insufficient_quota","message":"No credit.","param":null`) {
			t.Errorf("%s: got %s want the event error", name, out)
		}
	}
}
