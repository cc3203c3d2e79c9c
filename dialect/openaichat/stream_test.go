package openaichat

import (
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

var noAsk dialect.Ask

// chunk is a frame with one choice.
func chunk(delta, reason string) string {
	return `{"id":"r","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + reason + `}]}`
}

func framed(chunks ...string) string {
	var b strings.Builder
	for _, c := range chunks {
		b.WriteString("data: " + c + "\n\n")
	}
	return b.String()
}

// read runs a stream through the reader and, holding them to the same verdict, the tap.
func read(t *testing.T, stream string) ([]llm.Event, error) {
	t.Helper()
	list := dialecttest.Frames(t, []byte(stream))
	holdTap(t, list)
	head, tail, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
	tap := relay{}.NewTap(noAsk)
	var tapErr error
	for _, f := range list {
		if _, tapErr = tap.Frame(f); tapErr != nil {
			break
		}
	}
	if tapErr == nil {
		_, tapErr = tap.Close()
	}
	if !reflect.DeepEqual(fmt.Sprint(tapErr), fmt.Sprint(err)) {
		t.Errorf("got %v from the tap want %v", tapErr, err)
	}
	return slices.Concat(head, tail), err
}

func mustReadAll(t *testing.T, stream string) []llm.Event {
	t.Helper()
	events, err := read(t, stream)
	if err != nil {
		t.Fatalf("read %s: %v", stream, err)
	}
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("%s: %v", stream, err)
	}
	return events
}

func mustRead(t *testing.T, chunks ...string) []llm.Event {
	t.Helper()
	return mustReadAll(t, framed(append(chunks, terminator)...))
}

func write(events []llm.Event) (string, []llm.Loss) {
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "m", Created: 1})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	return string(out), w.Losses()
}

// parts says the parts of a stream's first choice in short.
func parts(events []llm.Event) string {
	var list []string
	for _, p := range llm.Collect(events).Choices[0].Parts {
		s := p.Kind.String() + ":" + p.Text
		if p.Call != nil {
			s = p.Call.ID + ":" + p.Call.Name + p.Call.Args
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

func TestStreamsAsServersSendThem(t *testing.T) {
	call := func(s string) string { return chunk(`{"tool_calls":[`+s+`]}`, `null`) }
	done := chunk(`{}`, `"tool_calls"`)
	stop := chunk(`{}`, `"stop"`)
	for name, tc := range map[string]struct {
		chunks []string
		want   string
		stop   llm.StopReason
	}{
		"role in every chunk":            {[]string{chunk(`{"role":"assistant","content":"a"}`, `null`), chunk(`{"role":"assistant","content":"b"}`, `null`), stop}, "text:ab", llm.StopEnd},
		"empty finish until the end":     {[]string{chunk(`{"content":"a"}`, `""`), chunk(`{"content":"b"}`, `""`)}, "text:ab", llm.StopEnd},
		"content with the finish":        {[]string{chunk(`{"content":"a"}`, `"stop"`)}, "text:a", llm.StopEnd},
		"content after the finish":       {[]string{chunk(`{"content":"a"}`, `null`), stop, chunk(`{"content":"b"}`, `null`), stop}, "text:ab", llm.StopEnd},
		"T087 filter results first":      {[]string{`{"id":"","model":"","choices":[],"prompt_filter_results":[]}`, `{"choices":[{"index":0,"content_filter_offsets":{}}]}`, chunk(`{"content":"a"}`, `"stop"`)}, "text:a", llm.StopEnd},
		"no choices":                     {[]string{`{"id":"r"}`, `{"choices":null}`, chunk(`{"content":"a"}`, `null`), `{"moderation":{}}`, `{"type":"ping","message":"x"}`, stop}, "text:a", llm.StopEnd},
		"no index":                       {[]string{`{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{},"finish_reason":"eos"}]}`}, "text:a", llm.StopEnd},
		"message for delta":              {[]string{`{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`}, "text:a", llm.StopEnd},
		"message beside delta":           {[]string{`{"choices":[{"index":0,"message":{"content":"ab"},"delta":{"content":"b"},"finish_reason":"stop"}]}`}, "text:b", llm.StopEnd},
		"no finish but counted":          {[]string{chunk(`{"content":"a"}`, `null`), `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`}, "text:a", llm.StopEnd},
		"content as a list":              {[]string{chunk(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}`, `null`), chunk(`{"content":[{"type":"text","text":"a"}]}`, `"stop"`)}, "thinking:hm text:a", llm.StopEnd},
		"content as an object":           {[]string{chunk(`{"content":{"a":1}}`, `"stop"`)}, `text:{"a":1}`, llm.StopEnd},
		"A26 reasoning, then text":       {[]string{chunk(`{"reasoning_content":"h","content":null}`, `null`), chunk(`{"reasoning":"m","content":""}`, `null`), chunk(`{"content":"a"}`, `"stop"`)}, "thinking:hm text:a", llm.StopEnd},
		"T060 think, answer, think":      {[]string{chunk(`{"reasoning":"h"}`, `null`), chunk(`{"content":"a"}`, `null`), chunk(`{"reasoning":"m"}`, `"stop"`)}, "thinking:h text:a thinking:m", llm.StopEnd},
		"thinking, then signed":          {[]string{chunk(`{"reasoning_content":"h","reasoning_details":[{"type":"understudy.thinking","issuer":"unsigned"}]}`, `null`), chunk(`{"reasoning_content":"m","reasoning_details":[{"type":"understudy.thinking","issuer":"i"}]}`, `null`), chunk(`{"reasoning_details":[{"type":"understudy.thinking","issuer":"i","text":"m","signature":"s"}]}`, `"stop"`)}, "thinking:h thinking:m", llm.StopEnd},
		"details alone":                  {[]string{chunk(`{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}`, `null`), stop}, "thinking:hm", llm.StopEnd},
		"refusal":                        {[]string{chunk(`{"refusal":"n"}`, `null`), chunk(`{"refusal":"o"}`, `"stop"`)}, "refusal:no", llm.StopRefusal},
		"T005 text and call in one":      {[]string{chunk(`{"content":"a","tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}]}`, `null`), done}, "text:a x:f{}", llm.StopToolCalls},
		"T006 empty text between":        {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`), chunk(`{"content":"","tool_calls":[]}`, `null`), call(`{"index":0,"function":{"arguments":"}"}}`), done}, "x:f{}", llm.StopToolCalls},
		"T003 interleaved":               {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"1"}}`), call(`{"index":1,"id":"y","function":{"name":"g","arguments":"2"}}`), call(`{"index":0,"function":{"arguments":"3"}},{"index":1,"function":{"arguments":"4"}}`), done}, "x:f13 y:g24", llm.StopToolCalls},
		"no index, ids":                  {[]string{call(`{"id":"x","function":{"name":"f","arguments":"{}"}}`), call(`{"id":"y","function":{"name":"g","arguments":"{}"}}`), stop}, "x:f{} y:g{}", llm.StopToolCalls},
		"no index, continued":            {[]string{call(`{"id":"x","function":{"name":"f","arguments":"{"}}`), call(`{"function":{"arguments":"}"}}`), stop}, "x:f{}", llm.StopToolCalls},
		"one index, different ids":       {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}`), call(`{"index":0,"id":"y","function":{"name":"g","arguments":"{"}}`), call(`{"index":0,"function":{"arguments":"}"}}`), done}, "x:f{} y:g{}", llm.StopToolCalls},
		"id and name repeated":           {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`), call(`{"index":0,"id":"x","function":{"name":"f","arguments":"}"}}`), done}, "x:f{}", llm.StopToolCalls},
		"id empty later":                 {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`), call(`{"index":0,"id":"","function":{"name":"","arguments":"}"}}`), done}, "x:f{}", llm.StopToolCalls},
		"name after arguments":           {[]string{call(`{"index":0,"id":"x","function":{"arguments":"{"}}`), call(`{"index":0,"function":{"name":"f","arguments":"}"}}`), done}, "x:f{}", llm.StopToolCalls},
		"arguments null":                 {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":null}}`), done}, "x:f", llm.StopToolCalls},
		"arguments that say null":        {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"null"}}`), done}, "x:f", llm.StopToolCalls},
		"arguments an object":            {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":{"a": 1}}}`), done}, `x:f{"a":1}`, llm.StopToolCalls},
		"A34 arguments that are no JSON": {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{'a"}}`), done}, "x:f{'a", llm.StopToolCalls},
		"calls as an object":             {[]string{chunk(`{"tool_calls":{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}}`, `null`), chunk(`{}`, `"tool_call"`)}, "x:f{}", llm.StopToolCalls},
		"index that jumps":               {[]string{call(`{"index":5,"id":"x","function":{"name":"f","arguments":"{}"}}`), done}, "x:f{}", llm.StopToolCalls},
		"text after a call":              {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}`), chunk(`{"content":"a"}`, `"tool_calls"`)}, "x:f{} text:a", llm.StopToolCalls},
		"cut call":                       {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a"}}`), chunk(`{}`, `"length"`)}, `x:f{"a`, llm.StopLength},
		"D20 surrogates split":           {[]string{chunk(`{"content":"a\ud83d"}`, `null`), chunk(`{"content":""}`, `null`), chunk(`{"content":"\ude00b"}`, `null`), stop}, "text:a😀b", llm.StopEnd},
		"D20 split in arguments":         {[]string{call(`{"index":0,"id":"x","function":{"name":"f","arguments":"\ud83d"}}`), call(`{"index":0,"function":{"arguments":"\ude00"}}`), done}, "x:f😀", llm.StopToolCalls},
		"half a pair at the end":         {[]string{chunk(`{"content":"a\ud83d"}`, `"stop"`)}, "text:a\uFFFD", llm.StopEnd},
		"foreign logprobs":               {[]string{`{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":["x"]},"finish_reason":"stop"}]}`}, "text:a", llm.StopEnd},
		"data after the terminator":      {[]string{chunk(`{"content":"a"}`, `"stop"`), terminator, chunk(`{"content":"b"}`, `null`)}, "text:a", llm.StopEnd},
		"audio":                          {[]string{chunk(`{"audio":{"data":"x"}}`, `"stop"`)}, "opaque:", llm.StopEnd},
	} {
		events := mustRead(t, tc.chunks...)
		if got := parts(events); got != tc.want {
			t.Errorf("%s: got %s want %s", name, got, tc.want)
		}
		if got := llm.Collect(events).Choices[0].Stop.Reason; got != tc.stop {
			t.Errorf("%s: got stop %s want %s", name, got, tc.stop)
		}
	}
	old := mustRead(t, chunk(`{"function_call":{"name":"f","arguments":"{"}}`, `null`), chunk(`{"function_call":{"arguments":"}"}}`, `"function_call"`))
	if p := llm.Collect(old).Choices[0].Parts; len(p) != 1 || p[0].Call.ID == "" || p[0].Call.Name != "f" || p[0].Call.Args != "{}" {
		t.Errorf("function_call: got %s, want one call", parts(old))
	}
}

func TestStreamsThatBreak(t *testing.T) {
	text := chunk(`{"content":"a"}`, `null`)
	for name, tc := range map[string]struct {
		stream string
		want   llm.Code
	}{
		"nothing":                   {"", llm.CodeTruncated},
		"comments alone":            {": hi\n\n: hi\n\n", llm.CodeTruncated},
		"terminator alone":          {framed(terminator), llm.CodeBadAnswer},
		"D7 no finish":              {framed(text), llm.CodeTruncated},
		"no finish, terminated":     {framed(text, terminator), llm.CodeTruncated},
		"cut call, terminated":      {framed(chunk(`{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a"}}]}`, `null`), `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, terminator), llm.CodeTruncated},
		"one of two choices":        {framed(text, `{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}`), llm.CodeTruncated},
		"D16 not JSON":              {framed(text, `{"choices"`), llm.CodeBadAnswer},
		"not an object":             {framed(text, `[]`), llm.CodeBadAnswer},
		"null":                      {framed(`null`), llm.CodeBadAnswer},
		"D15 arguments of no call":  {framed(chunk(`{"tool_calls":[{"function":{"arguments":"{}"}}]}`, `null`)), llm.CodeBadAnswer},
		"call without a name":       {framed(chunk(`{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{}"}}]}`, `"tool_calls"`), terminator), llm.CodeBadAnswer},
		"content of a wrong type":   {framed(chunk(`{"content":7}`, `null`)), llm.CodeBadAnswer},
		"D10 error":                 {framed(text, `{"error":{"message":"x","type":"server_error","code":"overloaded"}}`), llm.CodeOverloaded},
		"error beside choices":      {framed(text, `{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":429,"message":"x"}}`), llm.CodeRateLimit},
		"error as text":             {framed(`{"error":"boom"}`), llm.CodeServerError},
		"error with a status":       {framed(`{"error":{"code":502,"message":"x"}}`), llm.CodeUnreachable},
		"flat error":                {framed(`{"object":"error","message":"x","type":"invalid_request_error"}`), llm.CodeInvalidRequest},
		"event: error":              {"event: error\ndata: {\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"failed_generation\":\"y\"}}\n\n", llm.CodeBadAnswer},
		"event: error, plain":       {"event: error\ndata: {\"message\":\"x\"}\n\n", llm.CodeServerError},
		"finish that is an error":   {framed(text, chunk(`{}`, `"error"`)), llm.CodeServerError},
		"finish of an overload":     {framed(text, chunk(`{}`, `"insufficient_system_resource"`)), llm.CodeOverloaded},
		"error of the error's kind": {framed(`{"error":{"message":"x","code":"context_length_exceeded"}}`), llm.CodeContextLength},
	} {
		events, err := read(t, tc.stream)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want || e.Origin != llm.OriginProvider {
			t.Errorf("%s: got %v want %s", name, err, tc.want)
		}
		for _, ev := range events {
			if ev.Kind == llm.EventEnd {
				t.Errorf("%s: got an End with an error", name)
			}
		}
	}
}

func TestD11FinishWithoutTerminator(t *testing.T) {
	stream := framed(chunk(`{"content":"a"}`, `null`), chunk(`{}`, `"stop"`))
	if got := parts(mustReadAll(t, stream)); got != "text:a" {
		t.Errorf("got %s want text:a", got)
	}
	tap := relay{}.NewTap(noAsk)
	finish := false
	for _, f := range dialecttest.Frames(t, []byte(stream)) {
		sig, err := tap.Frame(f)
		if err != nil || sig.End {
			t.Fatalf("got %+v, %v", sig, err)
		}
		finish = finish || sig.Finish
	}
	terminator, err := tap.Close()
	if !finish || err != nil || string(terminator) != "data: [DONE]\n\n" {
		t.Errorf("got finish %v, %q, %v want true and the terminator", finish, terminator, err)
	}
}

func TestUsageAnywhereInAStream(t *testing.T) {
	want := llm.Usage{Known: true, InFresh: 3, OutVisible: 2}
	const usage = `"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}`
	with := func(chunk string) string { return chunk[:len(chunk)-1] + "," + usage + "}" }
	text, stop := chunk(`{"content":"a"}`, `null`), chunk(`{}`, `"stop"`)
	for name, chunks := range map[string][]string{
		"last chunk":   {text, stop, `{"choices":[],` + usage + `}`},
		"with finish":  {text, with(stop)},
		"every chunk":  {with(text), with(stop)},
		"before all":   {`{"choices":[],` + usage + `}`, text, stop},
		"x_groq":       {text, stop[:len(stop)-1] + `,"x_groq":{` + usage + `}}`},
		"null after":   {with(text), stop[:len(stop)-1] + `,"usage":null}`},
		"zeros after":  {with(text), stop[:len(stop)-1] + `,"usage":{"prompt_tokens":0,"completion_tokens":0}}`},
		"smaller once": {strings.Replace(with(text), `"completion_tokens":2`, `"completion_tokens":1`, 1), with(stop)},
	} {
		events := mustRead(t, chunks...)
		if got := llm.Collect(events).Usage; got != want {
			t.Errorf("%s: got %+v want %+v", name, got, want)
		}
	}
}

func TestStreamStartWaitsForTheModel(t *testing.T) {
	events := mustRead(t, `{"id":"","model":"","created":0,"choices":[]}`, chunk(`{"content":"a"}`, `"stop"`))
	if e := events[0]; e.Kind != llm.EventStart || e.ID != "r" || e.Model != "m" || e.Created != 7 {
		t.Errorf("got %+v, want id r, model m, created 7", e)
	}
}

// TestA36InterleavedCallsKeepTheirIndex writes two calls whose pieces alternate.
func TestA36InterleavedCallsKeepTheirIndex(t *testing.T) {
	start := func(i int, id string) llm.Event {
		return llm.Event{Kind: llm.EventPartStart, Index: i, Part: llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: "f"}}}
	}
	args := func(i int, s string) llm.Event {
		return llm.Event{Kind: llm.EventPartDelta, Index: i, Delta: llm.Delta{Args: s}}
	}
	stream, _ := write([]llm.Event{
		{Kind: llm.EventStart, ID: "r"},
		{Kind: llm.EventPartStart, Part: llm.Text("")},
		{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "t"}},
		{Kind: llm.EventPartEnd},
		start(1, "a"), args(1, "{"), start(2, "b"), args(2, "{"), args(1, "}"), args(2, "}"),
		{Kind: llm.EventPartEnd, Index: 1},
		{Kind: llm.EventPartEnd, Index: 2},
		{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopToolCalls}},
		{Kind: llm.EventEnd},
	})
	for _, want := range []string{ // T001: calls are counted, not parts
		`{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}`,
		`{"index":1,"id":"b","type":"function","function":{"name":"f","arguments":""}}`,
		`{"index":0,"function":{"arguments":"}"}}`, `{"index":1,"function":{"arguments":"}"}}`,
	} {
		if !strings.Contains(stream, want) {
			t.Errorf("got %s, want %s in it", stream, want)
		}
	}
	if got := parts(mustReadAll(t, stream)); got != "text:t a:f{} b:f{}" {
		t.Errorf("got %s", got)
	}
}

func TestWriterWithoutUsage(t *testing.T) {
	stream, _ := write([]llm.Event{
		{Kind: llm.EventStart},
		{Kind: llm.EventPing},
		{Kind: llm.EventFinish, Stop: llm.Stop{Reason: llm.StopEnd}},
		{Kind: llm.EventUsage, Usage: llm.Usage{Known: true, InFresh: 1}},
		{Kind: llm.EventEnd},
	})
	if strings.Contains(stream, "usage") || !strings.Contains(stream, `"id":"x"`) || !strings.HasPrefix(stream, ": keep-alive\n\n") {
		t.Errorf("got %s, want a heartbeat, the id of the options and no usage", stream)
	}
	if got := llm.Collect(mustReadAll(t, stream)).Choices; len(got) != 1 {
		t.Errorf("got choices %+v, want one that is empty", got)
	}
}

func TestA25SignedThinkingThroughAStream(t *testing.T) {
	thought := func(text, signature string) llm.Part {
		return llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{Issuer: "other", Signature: signature}}
	}
	want := &llm.Response{ID: "r", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd, Raw: "stop"}, Parts: []llm.Part{
		thought("one", "s1"), thought("two", "s2"), thought("", "s3"),
		{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: "other", Sealed: "s4"}},
		llm.Text("x"), thought("three", "s5"),
	}}}, Model: "m", Created: 1}
	stream, _ := write(want.Events())
	if got := llm.Collect(mustReadAll(t, stream)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v want %+v", got.Choices, want.Choices)
	}
}
