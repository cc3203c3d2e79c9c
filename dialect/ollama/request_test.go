package ollama

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

const (
	hi  = `{"role":"user","content":"hi"}`
	png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	if err := jsontext.Check([]byte(body), jsontext.Limits{}); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	req, err := clientSide{}.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return req
}

// encode writes a request and returns what it holds, decoded by other means than the dialect's.
func encode(t *testing.T, req *llm.Request) (map[string]any, dialect.Encoded) {
	t.Helper()
	enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(enc.Body, &body); err != nil {
		t.Fatalf("%s: %v", enc.Body, err)
	}
	return body, enc
}

func withMessages(messages, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"model":"m","messages":[` + messages + `]` + more + `}`
}

func TestAStreamUnlessItIsFalse(t *testing.T) {
	for more, want := range map[string]bool{"": true, `"stream":null`: true, `"stream":true`: true, `"stream":false`: false} {
		if got := decode(t, withMessages(hi, more)); got.Stream != want || got.StreamUsage != want {
			t.Errorf("%s: got stream %v, usage %v want %v", more, got.Stream, got.StreamUsage, want)
		}
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tc := range []struct{ body, param string }{
		{`[]`, ""},
		{`{"messages":[` + hi + `]}`, "model"},
		{`{"model":"m"}`, "messages"},
		{withMessages("", ""), "messages"},
		{withMessages(`{"role":"developer","content":"x"}`, ""), "messages[0].role"},
		{withMessages(`{"role":"user","content":["x"]}`, ""), "messages[0].content"},
		{withMessages(`{"role":"user","images":["%"]}`, ""), "messages[0].images[0]"},
		{withMessages(`{"role":"assistant","tool_calls":[{"function":{}}]}`, ""), "messages[0].tool_calls[0].function.name"},
		{withMessages(`{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":[1]}}]}`, ""), "messages[0].tool_calls[0].function.arguments"},
		{withMessages(hi, `"format":"xml"`), "format"},
		{withMessages(hi, `"think":"hard"`), "think"},
		{withMessages(hi, `"stream":1`), "stream"},
		{withMessages(hi, `"options":{"top_k":1.5}`), "options.top_k"},
		{withMessages(hi, `"tools":[{"function":{"parameters":{}}}]`), "tools[0].function.name"},
	} {
		_, err := clientSide{}.DecodeRequest([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != tc.param {
			t.Errorf("%s: got %+v want an invalid request at %q", tc.body, e, tc.param)
		}
	}
}

func TestImages(t *testing.T) {
	req := decode(t, withMessages(`{"role":"user","content":"look","images":["`+png+`","data:image/webp;base64,UklGRg=="]}`, ""))
	parts := req.Messages[0].Parts
	if len(parts) != 3 || parts[0].Text != "look" || parts[1].Media.Type != "image/png" || parts[1].Media.Data != png || parts[2].Media.Type != "image/webp" {
		t.Fatalf("got %+v want the text and two images", parts)
	}
	req.Messages[0].Parts = []llm.Part{parts[1], llm.Text("a"), llm.Text("b"), parts[2], llm.Text("c")}
	body, enc := encode(t, req)
	m := body["messages"].([]any)[0].(map[string]any)
	if m["content"] != "ab\nc" || len(m["images"].([]any)) != 2 {
		t.Errorf("got %v want one text and two images", m)
	}
	if len(enc.Losses) != 1 || enc.Losses[0].Severity != llm.Harmless {
		t.Errorf("got losses %v want that parts became one text", enc.Losses)
	}
}

// TestNoGIF refuses what the vendor cannot read and fails on.
func TestNoGIF(t *testing.T) {
	req := decode(t, withMessages(`{"role":"user","content":"look","images":["R0lGODlhAQABAAAAACw="]}`, ""))
	_, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m"})
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || !strings.Contains(e.Message, "GIF") {
		t.Errorf("got %v want it unsupported", err)
	}
}

// TestCallsWithoutIDs pairs calls and results by the tool's name and by order.
func TestCallsWithoutIDs(t *testing.T) {
	call := func(name string) string {
		return `{"function":{"name":"` + name + `","arguments":{"n":12345678901234567890}}}`
	}
	req := decode(t, withMessages(hi+`,{"role":"assistant","content":"","tool_calls":[`+call("f")+","+call("g")+","+call("f")+`]},`+
		`{"role":"tool","tool_name":"g","content":"1"},{"role":"tool","tool_name":"f","content":"2"},{"role":"tool","content":"3"}`, ""))
	calls, results := req.Messages[1].Parts, req.Messages[2].Parts
	if len(calls) != 3 || len(results) != 3 {
		t.Fatalf("got %d calls and %d results want 3 of each", len(calls), len(results))
	}
	for i, want := range []int{1, 0, 2} {
		if got := results[i].Result.CallID; got != calls[want].Call.ID || got == "" {
			t.Errorf("result %d: got id %q want that of call %d, %q", i, got, want, calls[want].Call.ID)
		}
	}
	if got := calls[0].Call.Args; got != `{"n":12345678901234567890}` {
		t.Errorf("got arguments %s want the number as it was", got)
	}
	body, enc := encode(t, req)
	var order []string
	for _, m := range body["messages"].([]any)[2:] {
		order = append(order, m.(map[string]any)["content"].(string)+m.(map[string]any)["tool_name"].(string))
	}
	if got := strings.Join(order, " "); got != "2f 1g 3f" {
		t.Errorf("got results %q want them in the order of the calls", got)
	}
	if len(enc.Losses) != 1 || enc.Losses[0].Action != llm.ActionRepaired {
		t.Errorf("got losses %v want that of the order", enc.Losses)
	}
}

func TestUnpairedCallsAreRefused(t *testing.T) {
	call := `{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}]}`
	result := `{"role":"tool","tool_call_id":"a","content":"x"}`
	for _, messages := range []string{call + "," + hi, hi + "," + call, result + "," + hi, hi + "," + call + "," + result + "," + result, `{"role":"tool","content":"x"}`} {
		req := decode(t, withMessages(messages, ""))
		_, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest {
			t.Errorf("%s: got %v want it refused", messages, err)
		}
	}
}

func TestThink(t *testing.T) {
	for _, tc := range []struct {
		reasoning llm.Reasoning
		control   llm.ThinkingControl
		want      any
		losses    int
	}{
		{llm.Reasoning{Mode: llm.ReasoningAdaptive}, llm.ThinkingUnknown, true, 0},
		{llm.Reasoning{Mode: llm.ReasoningOff}, llm.ThinkingUnknown, false, 0},
		{llm.Reasoning{Effort: "minimal"}, llm.ThinkingUnknown, "low", 1},
		{llm.Reasoning{Effort: "xhigh"}, llm.ThinkingEffort, "high", 1},
		{llm.Reasoning{Effort: "max"}, llm.ThinkingEffort, "max", 0},
		{llm.Reasoning{Effort: "high"}, llm.ThinkingToggle, true, 1},
		{llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 30000}, llm.ThinkingUnknown, "high", 0},
		{llm.Reasoning{Effort: "high"}, llm.ThinkingNone, nil, 1},
		{llm.Reasoning{Mode: llm.ReasoningOff}, llm.ThinkingAlways, nil, 1},
	} {
		req := decode(t, withMessages(hi, ""))
		req.Reasoning = &tc.reasoning
		enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m", Facts: llm.ModelFacts{Thinking: tc.control}})
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.Unmarshal(enc.Body, &body); err != nil || body["think"] != tc.want || len(enc.Losses) != tc.losses {
			t.Errorf("%+v on %q: got %v with losses %v want %v with %d", tc.reasoning, tc.control, body["think"], enc.Losses, tc.want, tc.losses)
		}
	}
}

// TestArgumentsThatAreNoObject stand in the history as an empty one.
func TestArgumentsThatAreNoObject(t *testing.T) {
	req := decode(t, withMessages(hi+`,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{'a'"}}]},{"role":"tool","content":"x"}`, ""))
	if got := req.Messages[1].Parts[0].Call.Args; got != "{'a'" {
		t.Errorf("got arguments %q want the text as it was", got)
	}
	_, enc := encode(t, req)
	if !strings.Contains(string(enc.Body), `"arguments":{}`) || len(enc.Losses) != 1 {
		t.Errorf("got %s, %v want {} and its loss", enc.Body, enc.Losses)
	}
}

// TestThinkingComesBack sends unsigned thinking and that of another vendor back.
func TestThinkingComesBack(t *testing.T) {
	req := decode(t, withMessages(hi+`,{"role":"assistant","content":"a","thinking":"own"},`+hi+`,{"role":"assistant","content":"b","thinking":"foreign",`+
		`"understudy_thinking":[{"issuer":"anthropic-messages","text":"foreign","signature":"s"}]},`+hi, ""))
	if got := req.Messages[3].Parts[0]; got.Text != "foreign" || *got.Thinking != (llm.Thinking{Issuer: "anthropic-messages", Signature: "s"}) {
		t.Errorf("got %+v want the issuer and the signature", got)
	}
	_, enc := encode(t, req)
	if s := string(enc.Body); !strings.Contains(s, `"thinking":"own"`) || strings.Contains(s, "foreign") || strings.Contains(s, keySigned) {
		t.Errorf("got %s want the unsigned thinking only", s)
	}
}
