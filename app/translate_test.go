package app

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

// TestTranslateBinaryStream takes a stream into binary messages and out of them.
func TestTranslateBinaryStream(t *testing.T) {
	const stream = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n" +
		"data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	var messages, events bytes.Buffer
	if _, err := Translate(strings.NewReader(stream), &messages, Translation{From: "openai-chat", To: "bedrock-converse"}); err != nil {
		t.Fatal(err)
	}
	if messages.Len() == 0 || messages.Bytes()[0] != 0 {
		t.Fatalf("got %q want binary messages", messages.Bytes())
	}
	if _, err := Translate(&messages, &events, Translation{From: "bedrock-converse", To: "anthropic-messages"}); err != nil {
		t.Fatal(err)
	}
	if got := events.String(); !strings.Contains(got, `"text":"Hi"`) || !strings.Contains(got, "message_stop") {
		t.Errorf("got %s want the text and the end", got)
	}
}

// TestTranslateReportsWhatIsNotRead: of an answer as well, whole or streamed.
func TestTranslateReportsWhatIsNotRead(t *testing.T) {
	const chunk = `{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","citations":["https://a.example"],"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}`
	for in, want := range map[string]string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"tool_choice":{"type":"function","function":{"name":"f","x":1}},` +
			`"tools":[{"type":"function","function":{"name":"f"}}]}`: "tool_choice.function.x=dropped(tuning)",
		strings.Replace(strings.Replace(chunk, "delta", "message", 1), ".chunk", "", 1): "answer.citations=dropped(tuning)",
		"data: " + chunk + "\n\ndata: [DONE]\n\n":                                       "answer.citations=dropped(tuning)",
	} {
		var out bytes.Buffer
		losses, err := Translate(strings.NewReader(in), &out, Translation{From: "openai-chat", To: "gemini-generate"})
		if err != nil || !slices.Contains(losses, want) {
			t.Errorf("%s: got losses %q, %v want %s among them", in, losses, err, want)
		}
	}
}

// TestTranslateKeepsToOneOperation: what is to be embedded is no conversation.
func TestTranslateKeepsToOneOperation(t *testing.T) {
	var out bytes.Buffer
	_, err := Translate(strings.NewReader(`{"model":"m","input":"x"}`), &out, Translation{From: "openai-embeddings", To: "anthropic-messages"})
	if err == nil || out.Len() > 0 || !strings.Contains(err.Error(), "asks to embed") {
		t.Errorf("got %q, %v want it refused", out.String(), err)
	}
	losses, err := Translate(strings.NewReader(`{"model":"m","x":1,"messages":[{"role":"user","content":"hi"}]}`), &out, Translation{From: "openai-chat", To: "openai-chat"})
	if err != nil || len(losses) > 0 || !strings.Contains(out.String(), `"x":1`) {
		t.Errorf("got %q with losses %q, %v want all of it in its own dialect", out.String(), losses, err)
	}
}

// TestTranslateWithoutAModel: a request has one in its body or in its path. In no body is it empty.
func TestTranslateWithoutAModel(t *testing.T) {
	const in = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, to := range DialectNames() {
		if d, err := dialectNamed(to); err != nil || d.Does() != dialect.Generate {
			continue
		}
		for _, model := range []string{"", "m"} {
			var out bytes.Buffer
			_, err := Translate(strings.NewReader(in), &out, Translation{From: "gemini-generate", To: to, Model: model})
			inBody := to != "gemini-generate" && to != "bedrock-converse"
			switch {
			case model == "" && inBody:
				if err == nil || !strings.Contains(err.Error(), "hint: --model") || out.Len() > 0 {
					t.Errorf("to %s: got %s, %v want an error that asks for the model", to, &out, err)
				}
			case err != nil || strings.Contains(out.String(), `"model":"m"`) != (inBody && model != ""):
				t.Errorf("to %s with the model %q: got %s, %v", to, model, &out, err)
			}
		}
	}
}

// TestTranslateReportsWhatAnswersSayBeside: what Google says of an answer's end and of its harms, and OpenAI of what a message
// is, is shown or reported to clients of every other API, whole and streamed.
func TestTranslateReportsWhatAnswersSayBeside(t *testing.T) {
	const ratings = `"safetyRatings":[{"category":"HARM_CATEGORY_HARASSMENT","probability":"LOW"}]`
	gemini := func(more, feedback string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"index":0,` + more + `}],` + feedback +
			`"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"m"}`
	}
	const message = `{"type":"message","id":"m","role":"assistant","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"hi","annotations":[]}]}`
	const response = `{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[` + message + `],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`
	for _, tc := range []struct{ from, whole, stream, want, shows string }{
		{"gemini-generate", gemini(`"finishReason":"MAX_TOKENS","finishMessage":"Enough said."`, ""), "", "stop_detail=dropped(tuning)", "Enough said."},
		{"gemini-generate", gemini(`"finishReason":"SAFETY","finishMessage":"Enough said."`, ""), "", "stop_detail=dropped(tuning)", "Enough said."},
		{"gemini-generate", gemini(`"finishReason":"STOP",`+ratings, ""), "", "answer.candidates[].safetyRatings=dropped(tuning)", ""},
		{"gemini-generate", gemini(`"finishReason":"STOP"`, `"promptFeedback":{`+ratings+`},`), "", "answer.promptFeedback.safetyRatings=dropped(tuning)", ""},
		{
			"openai-responses", response,
			`data: {"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}` + "\n\n" +
				`data: {"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":` + message + `}` + "\n\n" +
				`data: {"type":"response.completed","sequence_number":2,"response":` + response + `}` + "\n\n",
			"phase=dropped(tuning)", "",
		},
	} {
		if tc.stream == "" {
			tc.stream = "data: " + tc.whole + "\n\n"
		}
		for _, to := range DialectNames() {
			if d, err := dialectNamed(to); err != nil || d.Does() != dialect.Generate || to == tc.from {
				continue
			}
			for kind, in := range map[string]string{"response": tc.whole, "stream": tc.stream} {
				var out bytes.Buffer
				losses, err := Translate(strings.NewReader(in), &out, Translation{From: tc.from, To: to, Kind: kind})
				isLost := slices.ContainsFunc(losses, func(l string) bool { return strings.HasSuffix(l, tc.want) })
				isShown := tc.shows != "" && strings.Contains(out.String(), tc.shows)
				if err != nil || isLost == isShown {
					t.Errorf("%s to %s: got %s with the losses %q, %v, want %q shown or %s\nof %s", kind, to, &out, losses, err, tc.shows, tc.want, in)
				}
			}
		}
	}
}
