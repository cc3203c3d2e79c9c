package bedrock

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
)

// read reads a legible stream to its end.
func read(stream string) (*llm.Response, error) {
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), framesOf([]byte(stream)))
	if err != nil {
		return nil, err
	}
	events := slices.Concat(read, closed)
	return llm.Collect(events), dialecttest.CheckEvents(events)
}

const (
	started  = "messageStart {\"role\":\"assistant\",\"p\":\"abc\"}\n"
	finished = "messageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"usage\":{\"inputTokens\":3,\"outputTokens\":2,\"totalTokens\":5},\"metrics\":{\"latencyMs\":1}}\n"
)

func TestStreamReader(t *testing.T) {
	for _, tc := range []struct{ name, stream, want string }{
		{"a block that goes on after its stop", `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a"}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"b"}}
contentBlockStop {"contentBlockIndex":0}
`, "text:a text:b"},
		{"unknown events and deltas, empty pieces, a stop of nothing", `ping {}
contentBlockDelta {"contentBlockIndex":7,"delta":{"text":""}}
contentBlockDelta {"contentBlockIndex":7,"delta":{"hologram":{}}}
contentBlockStop {"contentBlockIndex":7}
`, ""},
		{"thinking with its signature in pieces", `contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"si"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"gn"}}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":2,"delta":{"reasoningContent":{"redactedContent":"c2VhbGVk"}}}
contentBlockStop {"contentBlockIndex":2}
`, "thinking:hm/bedrock-converse/sign/ thinking:/bedrock-converse//c2VhbGVk"},
		{"thinking that nobody signs", `contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}
contentBlockStop {"contentBlockIndex":0}
`, "thinking:hm///"},
		{"a call without arguments", `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}
contentBlockStop {"contentBlockIndex":0}
`, "tool_call:f{}"},
		{"a call that says what it is", `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f","type":"tool_use"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"q\":1}"}}}
contentBlockStop {"contentBlockIndex":0}
`, `tool_call:f{"q":1}`},
		{"a tool of the vendor's", `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"nova_grounding","type":"server_tool_use"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"q\":1}"}}}
contentBlockStop {"contentBlockIndex":0}
contentBlockStart {"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"t","type":"x","status":"success"}}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"toolResult":[{"text":"found"}]}}
contentBlockStop {"contentBlockIndex":1}
`, `opaque:{"toolUse":{"toolUseId":"t","name":"nova_grounding","type":"server_tool_use","input":{"q":1}}} ` +
			`opaque:{"toolResult":{"toolUseId":"t","type":"x","status":"success","content":[{"text":"found"}]}}`},
		{"an image", `contentBlockStart {"contentBlockIndex":0,"start":{"image":{"format":"png"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"image":{"source":{"bytes":"YQ=="}}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"image":{"source":{"bytes":"Yg=="}}}}
contentBlockStop {"contentBlockIndex":0}
`, "image:image/png/YWI="},
	} {
		resp, err := read(started + tc.stream + finished)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := inShort(resp.Choices[0].Parts); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, tc.want)
		}
		if err := tapAll(New().Relay.NewTap(dialect.Ask{}), framesOf([]byte(started+tc.stream+finished))); err != nil {
			t.Errorf("%s: tap: %v", tc.name, err)
		}
	}
}

// inShort lists what parts hold.
func inShort(parts []llm.Part) string {
	list := make([]string, 0, len(parts))
	for _, p := range parts {
		s := p.Kind.String() + ":"
		switch p.Kind {
		case llm.PartThinking:
			s += p.Text + "/" + p.Thinking.Issuer + "/" + p.Thinking.Signature + "/" + p.Thinking.Sealed
		case llm.PartToolCall:
			s += p.Call.Name + p.Call.Args
		case llm.PartOpaque:
			s += string(p.Opaque.Raw)
		case llm.PartImage:
			s += p.Media.Type + "/" + p.Media.Data
		default:
			s += p.Text
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

func TestStreamReaderRefuses(t *testing.T) {
	text := "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}\n"
	for _, tc := range []struct {
		name, stream string
		want         llm.Code
	}{
		{"an exception", started + text + "throttlingException {\"message\":\"slow\"}\n", llm.CodeRateLimit},
		{"the model failed", started + "modelStreamErrorException {\"message\":\"m\",\"originalStatusCode\":503}\n", llm.CodeOverloaded},
		{"an exception at once", "validationException {\"message\":\"Input is too long for requested model.\"}\n", llm.CodeContextLength},
		{"an exception that is no JSON", "internalServerException oops\n", llm.CodeServerError},
		{"nothing", "", llm.CodeTruncated},
		{"no end", started + text, llm.CodeTruncated},
		{"no start", text, llm.CodeBadAnswer},
		{"two starts", started + started, llm.CodeBadAnswer},
		{"not JSON", started + "contentBlockDelta {\n", llm.CodeBadAnswer},
		{"an end inside a block", started + text + finished, llm.CodeBadAnswer},
		{"an end without a reason", started + "messageStop {}\n", llm.CodeBadAnswer},
		{"metadata before the end", started + "metadata {}\n", llm.CodeTruncated},
		{"arguments of no call", started + "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"toolUse\":{\"input\":\"{\"}}}\n", llm.CodeBadAnswer},
		{"text in thinking", started + "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"a\"}}}\n" + text, llm.CodeBadAnswer},
		{"a call without a name", started + "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":\"t\"}}}\n", llm.CodeBadAnswer},
	} {
		_, err := read(tc.stream)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: got %v want %s", tc.name, err, tc.want)
		}
		tapErr := tapAll(New().Relay.NewTap(dialect.Ask{}), framesOf([]byte(tc.stream)))
		if !errors.As(tapErr, &e) || e.Code != tc.want {
			t.Errorf("%s: tap: got %v want %s", tc.name, tapErr, tc.want)
		}
	}
}

// TestStreamWithoutMetadata is whole: only what is said of it is missing.
func TestStreamWithoutMetadata(t *testing.T) {
	resp, err := read(started + "messageStop {\"stopReason\":\"guardrail_intervened\"}\n")
	if err != nil || resp.Choices[0].Stop.Reason != llm.StopContentFilter || resp.Usage.Known {
		t.Errorf("got %+v, %v want an answer that a filter ended", resp, err)
	}
}

// TestStreamWriterErrors ends streams in exceptions that the description of the API knows.
func TestStreamWriterErrors(t *testing.T) {
	for code, want := range map[llm.Code]string{
		llm.CodeRateLimit: "throttlingException", llm.CodeQuota: "throttlingException", llm.CodeOverloaded: "serviceUnavailableException",
		llm.CodeUnavailable: "serviceUnavailableException", llm.CodeServerError: "internalServerException",
		llm.CodeTruncated: "modelStreamErrorException", llm.CodeTimeout: "modelStreamErrorException", llm.CodeInvalidRequest: "validationException",
		llm.CodeProviderAuth: "internalServerException",
	} {
		w := New().Client.NewStreamWriter(dialect.StreamOptions{})
		stream := w.Error(nil, &llm.Error{Code: code, Message: "It failed."})
		f, err := frames.NewReader(frames.EventStream, strings.NewReader(string(stream))).Next()
		if err != nil || f.Name != want || !f.Exception || string(f.Data) != `{"message":"It failed."}` {
			t.Errorf("%s: got %q %s, %v want %s", code, f.Name, f.Data, err, want)
		}
		if more := w.Write(nil, llm.Event{Kind: llm.EventEnd}); len(more) > 0 {
			t.Errorf("%s: got %q after the error", code, more)
		}
	}
}

// TestBodiesThatAreNoAnswers is about answers with status 200, among them row T142 of the list of bugs seen elsewhere.
func TestBodiesThatAreNoAnswers(t *testing.T) {
	for body, want := range map[string]llm.Code{
		`null`: llm.CodeBadAnswer, `{}`: llm.CodeBadAnswer, `[]`: llm.CodeBadAnswer, `{`: llm.CodeBadAnswer, `{"output":null}`: llm.CodeBadAnswer,
		`{"output":{}}`: llm.CodeBadAnswer, `{"output":{"message":{"content":[]}}}`: llm.CodeBadAnswer,
		`{"output":{"message":{"content":[7]}},"stopReason":"end_turn"}`: llm.CodeBadAnswer,
		`{"message":"Too many requests","__type":"ThrottlingException"}`: llm.CodeRateLimit,
	} {
		_, err := New().Provider.DecodeResponse([]byte(body))
		_, tapErr := New().Relay.NewTap(dialect.Ask{}).Body([]byte(body))
		var e, tapped *llm.Error
		if !errors.As(err, &e) || e.Code != want || !errors.As(tapErr, &tapped) || tapped.Code != want {
			t.Errorf("%s: got %v, tap %v want %s", body, err, tapErr, want)
		}
	}
}

// TestStreamTellsItsTier holds that the tier is read where a stream has it, in its last event.
func TestStreamTellsItsTier(t *testing.T) {
	resp, err := read(started + "messageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"serviceTier\":{\"type\":\"flex\"}}\n")
	if err != nil || resp.Tier != "flex" {
		t.Errorf("got %+v and %v, want the tier flex", resp, err)
	}
}
