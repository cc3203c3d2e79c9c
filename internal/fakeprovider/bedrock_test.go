package fakeprovider

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// invoked sends a body to an operation of Bedrock's.
func invoked(t *testing.T, s *Server, model, operation, body string) heard {
	t.Helper()
	h := send(t, client(t), s, Chat, body, patience, func(r *http.Request) {
		r.URL.Path, r.URL.RawPath = "/model/"+model+"/"+operation, "/model/"+strings.NewReplacer(":", "%3A", "/", "%2F").Replace(model)+"/"+operation
	})
	if h.err != nil {
		t.Fatal(h.err)
	}
	return h
}

const converseHi = `"messages":[{"role":"user","content":[{"text":"hi"}]}]`

func TestConverseValidates(t *testing.T) {
	s := start(t, Options{Models: []string{"m"}})
	call := `{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]}`
	result := `{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"sunny"}]}}]}`
	config := `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]}`
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{`{` + converseHi + `}`, 200, `"stopReason":"end_turn"`},
		{`{`, 400, "document"},
		{`{` + converseHi + `,"model":"m"}`, 400, "model: Extra inputs"},
		{`{"messages":[]}`, 400, "at least 1"},
		{`{"messages":[{"role":"user","content":"hi"}]}`, 400, "is empty"},
		{`{"messages":[{"role":"user","content":[{"text":" "}]}]}`, 400, "is blank"},
		{`{"messages":[{"role":"assistant","content":[{"text":"hi"}]}]}`, 400, "start with a user message"},
		{`{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"user","content":[{"text":"b"}]}]}`, 400, "alternate"},
		{`{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}`, 400, "exactly one member"},
		{`{"messages":[{"role":"user","content":[{"document":{"name":"a.pdf","format":"pdf","source":{"bytes":"YQ=="}}},{"text":"x"}]}]}`, 400, "document file name"},
		{`{"messages":[{"role":"user","content":[{"document":{"name":"a","format":"pdf","source":{"bytes":"YQ=="}}}]}]}`, 400, "must come with a text block"},
		{`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"YQ=="}}}]}]}`, 400, "does not match"},
		{`{` + converseHi + `,"inferenceConfig":{"temperature":1.2}}`, 400, "less than or equal to 1"},
		{`{` + converseHi + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f.g","inputSchema":{"json":{"type":"object"}}}}]}}`, 400, "regular expression"},
		{`{` + converseHi + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}}`, 400, "must be one of the following: object"},
		{`{` + converseHi + config[:len(config)-1] + `,"toolChoice":{"none":{}}}}`, 400, "none is not known"},
		{`{"messages":[{"role":"user","content":[{"text":"a"}]},` + call + `]` + config + `}`, 400, "Expected toolResult blocks at messages.2"},
		{`{"messages":[{"role":"user","content":[{"text":"a"}]},` + call + `,` + result + `]}`, 400, "toolConfig field must be defined"},
		{`{"messages":[{"role":"user","content":[{"text":"a"}]},` + call + `,` + result + `]` + config + `}`, 200, "The tools said: sunny."},
		{`{"messages":[` + result + `]` + config + `}`, 400, "exceeds the number of toolUse"},
		{`{` + converseHi + `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":{}}}}}}`, 400, "JSON schema in a string"},
	} {
		h := invoked(t, s, "m", "converse", tc.body)
		if h.status != tc.status || !strings.Contains(h.body, tc.want) {
			t.Errorf("%s: got %d %s want %d with %q", tc.body, h.status, h.body, tc.status, tc.want)
		}
		if named := h.header.Get("X-Amzn-Errortype"); (named == "") != (tc.status == 200) {
			t.Errorf("%s: got error type %q for status %d", tc.body, named, tc.status)
		}
	}
	if h := invoked(t, s, "n", "converse", `{`+converseHi+`}`); h.status != 400 || !strings.Contains(h.body, "model identifier is invalid") {
		t.Errorf("another model: got %d %s want 400", h.status, h.body)
	}
	if h := invoked(t, start(t, Options{Key: "other"}), "m", "converse", `{}`); h.status != 403 || !strings.HasPrefix(h.header.Get("X-Amzn-Errortype"), "AccessDeniedException:") {
		t.Errorf("wrong key: got %d %v want 403", h.status, h.header)
	}
}

// messagesIn splits a stream by the lengths of its messages and returns type and payload of each.
func messagesIn(t *testing.T, body string) (names, payloads []string) {
	t.Helper()
	for b := []byte(body); len(b) > 0; {
		size, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		h := string(b[12 : 12+headers])
		_, rest, ok := strings.Cut(h, "-type\x07")
		if !ok {
			t.Fatalf("got headers %q", h)
		}
		names = append(names, rest[2:2+int(rest[1])])
		payloads = append(payloads, string(b[12+headers:size-4]))
		b = b[size:]
	}
	return names, payloads
}

// TestConverseStreamsAndUnaryAnswersAgree joins the pieces of streams.
func TestConverseStreamsAndUnaryAnswersAgree(t *testing.T) {
	s := start(t, Options{})
	for _, model := range answers {
		model = "arn:aws:bedrock:us-east-1::foundation-model/" + model
		whole := invoked(t, s, model, "converse", `{`+converseHi+`}`).body
		h := invoked(t, s, model, "converse-stream", `{`+converseHi+`}`)
		if got := h.header.Get("Content-Type"); got != "application/vnd.amazon.eventstream" {
			t.Errorf("%s: got content type %q", model, got)
		}
		names, payloads := messagesIn(t, h.body)
		if names[0] != "messageStart" || names[len(names)-1] != "metadata" || names[len(names)-2] != "messageStop" {
			t.Errorf("%s: got events %v", model, names)
		}
		for _, p := range payloads {
			var e struct {
				Delta struct {
					Text             string
					ReasoningContent struct{ Signature, RedactedContent string }
				}
				Start      struct{ ToolUse struct{ Name string } }
				StopReason string
			}
			if err := json.Unmarshal([]byte(p), &e); err != nil {
				t.Fatalf("%s: %v in %s", model, err, p)
			}
			for _, said := range []string{e.Delta.Text, e.Delta.ReasoningContent.Signature, e.Delta.ReasoningContent.RedactedContent, e.Start.ToolUse.Name, e.StopReason} {
				if !strings.Contains(whole, strings.TrimSuffix(said, " ")) {
					t.Errorf("%s: streamed %q, which is not in %s", model, said, whole)
				}
			}
		}
	}
}

// TestInvokeIsAnthropicInChunks compares the events with those of Anthropic's own API.
func TestInvokeIsAnthropicInChunks(t *testing.T) {
	s := start(t, Options{})
	body := `{"anthropic_version":"bedrock-2023-05-31","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`
	_, payloads := messagesIn(t, invoked(t, s, "m", "invoke-with-response-stream", body).body)
	var kinds []string
	for _, p := range payloads {
		var c struct{ Bytes string }
		if err := json.Unmarshal([]byte(p), &c); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(c.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Type string }
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Type)
	}
	if got, want := strings.Join(kinds, " "), "message_start content_block_start ping content_block_delta content_block_delta content_block_delta content_block_stop message_delta message_stop"; got != want {
		t.Errorf("got events %s want %s", got, want)
	}
	if h := invoked(t, s, "m", "invoke", body); h.status != 200 || !strings.Contains(h.body, `"stop_reason":"end_turn"`) {
		t.Errorf("got %d %s", h.status, h.body)
	}
	for _, wrong := range []string{`{"max_tokens":1}`, strings.Replace(body, "{", `{"model":"m",`, 1), strings.Replace(body, "{", `{"stream":true,`, 1)} {
		if h := invoked(t, s, "m", "invoke", wrong); h.status != 400 || !strings.HasPrefix(h.header.Get("X-Amzn-Errortype"), "ValidationException") {
			t.Errorf("%s: got %d %s want 400", wrong, h.status, h.body)
		}
	}
}
