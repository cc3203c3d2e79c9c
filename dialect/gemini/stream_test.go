package gemini

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// parts is a chunk with these parts, and more members of its candidate.
func parts(list, more string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[` + list + `]}` + more + `}],"modelVersion":"m","responseId":"r"}`
}

const stop = `,"finishReason":"STOP"`

// read runs chunks through a reader.
func read(t *testing.T, chunks ...string) (*llm.Response, error) {
	t.Helper()
	list := make([]dialect.Frame, len(chunks))
	for i := range chunks {
		list[i] = dialect.Frame{Data: []byte(chunks[i])}
	}
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	events := slices.Concat(read, closed)
	if err == nil {
		if err := dialecttest.CheckEvents(events); err != nil {
			t.Errorf("got %v, want a legal stream", err)
		}
	}
	return llm.Collect(events), err
}

// outline is an answer's parts in short.
func outline(resp *llm.Response) string {
	var list []string
	for _, c := range resp.Choices {
		for i := range c.Parts {
			p := &c.Parts[i]
			s := p.Kind.String() + ":" + p.Text
			if place, signature, ok := unsealed(p); ok {
				s = place + signature
			} else if p.Thinking != nil && p.Thinking.Signature != "" {
				s += "/" + p.Thinking.Signature
			}
			if p.Call != nil {
				s = p.Call.Name + p.Call.Args
			}
			list = append(list, s)
		}
		list = append(list, string(c.Stop.Reason))
	}
	return strings.Join(list, " ")
}

func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name   string
		chunks []string
		want   string
	}{
		{"texts are joined", []string{parts(`{"text":"a"}`, ""), parts(`{"text":""},{"text":"b"}`, stop)}, "text:ab stop"},
		{"the finish reason before the rest", []string{parts(`{"text":"a"}`, stop), parts(`{"text":"b"}`, ""), `{"usageMetadata":{"promptTokenCount":1}}`}, "text:ab stop"},
		{
			"thoughts",
			[]string{parts(`{"text":"x","thought":true}`, ""), parts(`{"text":"y","thought":true}`, ""), parts(`{"text":"a"}`, stop)},
			"thinking:xy text:a stop",
		},
		{"a signed thought", []string{parts(`{"text":"x","thought":true,"thoughtSignature":"c2ln"}`, ""), parts(`{"text":"y","thought":true}`, stop)}, "thinking:x/c2ln thinking:y stop"},
		{
			"A28: a signature on a call, whose finish comes later",
			[]string{parts(`{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}`, ""), parts(`{"functionCall":{"name":"g"}}`, ""), parts(`{"text":""}`, stop)},
			`call:c2ln f{"a":1} g{} tool_calls`,
		},
		{"a signature on an empty text at the end", []string{parts(`{"text":"a"}`, ""), parts(`{"text":"","thoughtSignature":"c2ln"}`, stop)}, "text:a empty:c2ln stop"},
		{"a signed text is not joined to another", []string{parts(`{"text":"a","thoughtSignature":"c2ln"}`, ""), parts(`{"text":"b"}`, stop)}, "text:a text:c2ln text:b stop"},
		{
			"T011: a call said twice, the second time without its signature",
			[]string{parts(`{"functionCall":{"id":"1","name":"f"},"thoughtSignature":"c2ln"}`, ""), parts(`{"functionCall":{"id":"1","name":"f"}}`, stop)},
			`call:c2ln f{} tool_calls`,
		},
		{
			"arguments in pieces",
			[]string{
				parts(`{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"c2ln"}`, ""),
				parts(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"Bos","willContinue":true}],"willContinue":true}}`, ""),
				parts(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"ton"},{"jsonPath":"$.l[0].b","numberValue":0.5},{"jsonPath":"$.l[1]['c']","boolValue":true},{"jsonPath":"$.n","nullValue":"NULL_VALUE"}],"willContinue":true}}`, ""),
				parts(`{"functionCall":{}}`, ""), parts(`{"functionCall":{"name":"g","willContinue":true}}`, ""), parts(`{"text":""}`, stop),
			},
			`call:c2ln f{"a":"Boston","l":[{"b":0.5},{"c":true}],"n":null} g{} tool_calls`,
		},
		{"code that the vendor ran", []string{parts(`{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"text":"a"}`, stop)}, "opaque:```python\n1\n``` opaque:[Output of the code, OUTCOME_OK:\n1] text:a stop"},
		{"an image", []string{parts(`{"inlineData":{"mimeType":"image/png","data":"`+png+`"}}`, stop)}, "image: stop"},
		{"a blocked prompt", []string{`{"promptFeedback":{"blockReason":"SAFETY"}}`}, "content_filter"},
		{"two candidates", []string{`{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"},{"content":{"parts":[{"text":"x"}]},"index":0,"finishReason":"STOP"}]}`}, "text:x stop text:b length"},
		{"half a character", []string{parts(`{"text":"\ud83d"}`, ""), parts(`{"text":"\ude00"}`, stop)}, "text:\U0001F600 stop"},
		{"a part that is not known", []string{parts(`{"hologram":{"x":1}},{"text":"a"}`, stop)}, "opaque: text:a stop"},
		{"the terminator of another dialect", []string{parts(`{"text":"a"}`, stop), "[DONE]"}, "text:a stop"},
	} {
		resp, err := read(t, c.chunks...)
		if got := outline(resp); err != nil || got != c.want {
			t.Errorf("%s: got %s (%v) want %s", c.name, got, err, c.want)
		}
	}
}

func TestStreamsThatBreak(t *testing.T) {
	for _, c := range []struct {
		name   string
		chunks []string
		want   llm.Code
	}{
		{"nothing", nil, llm.CodeTruncated},
		{"no finish reason", []string{parts(`{"text":"a"}`, "")}, llm.CodeTruncated},
		{"one of two candidates", []string{parts(`{"text":"a"}`, stop), parts(`{"text":"b"}`, `,"index":1`)}, llm.CodeTruncated},
		{"an error", []string{parts(`{"text":"a"}`, ""), `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`}, llm.CodeOverloaded},
		{"an error in a list", []string{`[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]`}, llm.CodeRateLimit},
		{"no JSON", []string{`{"candidates":[`}, llm.CodeBadAnswer},
		{"another dialect's", []string{`{"choices":[]}`}, llm.CodeBadAnswer},
		{"a piece of no call", []string{parts(`{"functionCall":{"partialArgs":[]}}`, stop)}, llm.CodeBadAnswer},
		{"a path that is none", []string{parts(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"a","stringValue":"x"}]}}`, stop)}, llm.CodeBadAnswer},
		{"a path that leaves gaps", []string{parts(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$[4000]","stringValue":"x"}]}}`, stop)}, llm.CodeBadAnswer},
		{"a call without a name", []string{parts(`{"functionCall":{"args":{}}}`, stop)}, llm.CodeBadAnswer},
	} {
		_, err := read(t, c.chunks...)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != c.want {
			t.Errorf("%s: got %v want %s", c.name, err, c.want)
		}
	}
}

// TestIDsOfCalls gives calls ids where the vendor gives none, the same for the same answer.
func TestIDsOfCalls(t *testing.T) {
	chunk := parts(`{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}},{"functionCall":{"id":"own","name":"f"}}`, stop)
	resp, err := read(t, chunk)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := read(t, chunk)
	p := resp.Choices[0].Parts
	a, b, c := p[0].Call.ID, p[1].Call.ID, p[2].Call.ID
	if a == "" || a == b || c != "own" || len(a) > 40 || again.Choices[0].Parts[0].Call.ID != a {
		t.Errorf("got ids %q, %q, %q", a, b, c)
	}
}

// TestGrounding reads citations, whose places are in bytes.
func TestGrounding(t *testing.T) {
	const metadata = `,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}},{"retrievedContext":{"title":"B","text":"source"}}],` +
		`"groundingSupports":[{"segment":{"endIndex":6,"text":"\u00e4\u00f6\u00fc"},"groundingChunkIndices":[0]},{"segment":{"startIndex":7,"endIndex":10,"text":"abc"},"groundingChunkIndices":[0,1,9]},` +
		`{"segment":{"startIndex":90,"endIndex":99,"text":"abc"},"groundingChunkIndices":[0]}]},"citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":2,"uri":"https://c.example"}]}`
	for name, chunks := range map[string][]string{
		"whole":    {parts(`{"text":"äöü abc"}`, stop+metadata)},
		"streamed": {parts(`{"text":"äö"}`, ""), parts(`{"text":"ü abc"}`, ""), parts(`{"text":""}`, stop+metadata)},
	} {
		resp, err := read(t, chunks...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range resp.Choices[0].Parts[0].Citations {
			got = append(got, fmt.Sprintf("%s %s%s%s %d-%d", c.Kind, c.URL, c.Title, c.Text, c.Start, c.End))
		}
		want := []string{
			"url https://a.exampleA 0-3", "url https://a.exampleA 4-7", "document Bsource 4-7", "url https://a.exampleA 4-7", "url https://c.example 0-1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q want %q", name, got, want)
		}
	}
}

// TestCitationsAreWritten writes those of another vendor, whose answer comes in several texts.
func TestCitationsAreWritten(t *testing.T) {
	cited := func(text, url string) llm.Part {
		return llm.Part{Kind: llm.PartText, Text: text, Citations: []llm.Citation{{Kind: llm.CiteURL, URL: url, Title: "t"}}}
	}
	resp := &llm.Response{Choices: []llm.Choice{{
		Parts: []llm.Part{cited("äö.", "https://a.example"), llm.Text(" And "), cited("ü.", "https://b.example")}, Stop: llm.Stop{Reason: llm.StopEnd},
	}}}
	body, _, err := New().Client.EncodeResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{"whole": string(body), "streamed": write(resp.Events())} {
		for _, segment := range []string{`"startIndex":0,"endIndex":5,"text":"äö."`, `"text":"ü."`} {
			if !strings.Contains(answer, segment) {
				t.Errorf("%s: got %s want a segment with %s", name, answer, segment)
			}
		}
	}
	if !strings.Contains(string(body), `"partIndex":2,"startIndex":0,"endIndex":3`) || !strings.Contains(write(resp.Events()), `"startIndex":10,"endIndex":13`) {
		t.Errorf("got %s and %s, want the second one's place by part, and in all the text", body, write(resp.Events()))
	}
}

// write writes events as server-sent events.
func write(events []llm.Event) string { return writeAs(dialect.StreamOptions{}, events) }

func writeAs(o dialect.StreamOptions, events []llm.Event) string {
	w := New().Client.NewStreamWriter(o)
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	return string(out)
}

func answered(reason llm.StopReason, parts ...llm.Part) []llm.Event {
	resp := &llm.Response{ID: "r", Model: "m", Choices: []llm.Choice{{Parts: parts, Stop: llm.Stop{Reason: reason}}}, Usage: llm.Usage{Known: true, InFresh: 1, OutVisible: 2}}
	return resp.Events()
}

// TestArray writes a stream as one JSON array, which is closed at its end and by an error.
func TestArray(t *testing.T) {
	array := dialect.StreamOptions{Framing: dialect.FramingArray}
	got := writeAs(array, answered(llm.StopEnd, llm.Text("a")))
	resp, err := New().Provider.DecodeResponse([]byte(got))
	if err != nil || outline(resp) != "text:a stop" || strings.Count(got, ",\r\n") != 1 {
		t.Errorf("got %s, %v, want an array of two chunks", got, err)
	}
	fault := &llm.Error{Code: llm.CodeOverloaded, Message: "No capacity."}
	for _, c := range []struct {
		name          string
		begun, alone  bool
		before, after string
	}{
		{"in the middle", false, false, `[{"candidates":`, ",\r\n" + `{"error":{"code":503,`},
		{"at the beginning", false, true, `[{"error":`, ""},
		{"of a stream that was relayed", true, true, ",\r\n" + `{"error":`, ""},
	} {
		w := New().Client.NewStreamWriter(dialect.StreamOptions{Framing: dialect.FramingArray, Begun: c.begun})
		var out []byte
		if !c.alone {
			out = w.Write(w.Heartbeat(out), llm.Event{Kind: llm.EventPartStart, Part: llm.Text("a")})
		}
		out = w.Error(out, fault)
		s := strings.TrimLeft(string(out), "\n")
		if !strings.HasPrefix(s, c.before) || !strings.Contains(s, c.after) || !strings.HasSuffix(s, "}}]") {
			t.Errorf("%s: got %q, want it to begin with %q, to hold %q and to close the array", c.name, s, c.before, c.after)
		}
		if more := w.Write(nil, llm.Event{Kind: llm.EventEnd}); len(more) > 0 {
			t.Errorf("%s: got %q after the error", c.name, more)
		}
	}
}

// TestHeartbeat holds that a sign of life is nothing but empty lines, in twos: the vendor's clients split events there,
// and take any other line for a chunk.
func TestHeartbeat(t *testing.T) {
	w := New().Client.NewStreamWriter(dialect.StreamOptions{})
	var out []byte
	for _, e := range answered(llm.StopEnd, llm.Text("a"), llm.Text("b")) {
		out = w.Heartbeat(w.Write(out, e))
	}
	for event := range strings.SplitSeq(string(out), "\n\n") {
		if event != "" && (!strings.HasPrefix(event, "data: {") || strings.Contains(event, "\n")) {
			t.Errorf("got %q between empty lines, want one chunk", event)
		}
	}
}

func TestWriterEndsInErrors(t *testing.T) {
	for name, events := range map[string][]llm.Event{
		"no stop reason": {{Kind: llm.EventStart}, {Kind: llm.EventPartStart, Part: llm.Text("a")}, {Kind: llm.EventEnd}},
		"no choice":      {{Kind: llm.EventStart}, {Kind: llm.EventEnd}},
	} {
		if got := write(events); !strings.Contains(got, `data: {"error":{"code":502,`) {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

// TestSignaturesOfOneself writes sealed thinking of this dialect back on its parts.
func TestSignaturesOfOneself(t *testing.T) {
	list := []llm.Part{llm.Text("a"), sealed(onText, "dGV4dA=="), sealed(onCall, "Y2FsbA=="), {Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "1", Name: "f", Args: "{}"}}}
	events := answered(llm.StopToolCalls, list...)
	for name, want := range map[string]string{
		"streamed": `{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"Y2FsbA=="}`,
		"its text": `{"text":"","thoughtSignature":"dGV4dA=="}`,
	} {
		if got := write(events); !strings.Contains(got, want) {
			t.Errorf("%s: got %s want %s", name, got, want)
		}
	}
	body, _, err := New().Client.EncodeResponse(llm.Collect(events))
	if err != nil || !strings.Contains(string(body), `[{"text":"a","thoughtSignature":"dGV4dA=="},{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"Y2FsbA=="}]`) {
		t.Errorf("got %s, %v", body, err)
	}
}

// TestVeryManyParts: a vendor of another dialect may divide an answer as it likes.
func TestVeryManyParts(t *testing.T) {
	w := New().Client.NewStreamWriter(dialect.StreamOptions{Model: "m"})
	var got []byte
	for i := range 70_000 {
		got = w.Write(got[:0], llm.Event{Kind: llm.EventPartStart, Index: i, Part: llm.Text("")})
		got = w.Write(got, llm.Event{Kind: llm.EventPartDelta, Index: i, Delta: llm.Delta{Text: strconv.Itoa(i)}})
		if !bytes.Contains(got, []byte(`"text":"`+strconv.Itoa(i)+`"`)) {
			t.Fatalf("got %s, want part %d", got, i)
		}
		got = w.Write(got, llm.Event{Kind: llm.EventPartEnd, Index: i})
	}
}
