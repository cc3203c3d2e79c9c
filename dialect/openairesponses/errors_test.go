package openairesponses

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeError(t *testing.T) {
	body := func(kind, code string) string {
		return `{"error":{"message":"It is wrong.","type":"` + kind + `","param":"input","code":"` + code + `"}}`
	}
	for _, tc := range []struct {
		status int
		body   string
		want   llm.Code
	}{
		{400, body("invalid_request_error", "unsupported_parameter"), llm.CodeInvalidRequest},
		{400, body("invalid_request_error", "context_length_exceeded"), llm.CodeContextLength},
		{400, body("invalid_request_error", "model_not_found"), llm.CodeModelGone},
		{400, body("invalid_request_error", "previous_response_not_found"), llm.CodeInvalidRequest},
		{400, body("invalid_request_error", "invalid_encrypted_content"), llm.CodeInvalidRequest},
		{400, body("invalid_request_error", "invalid_json_schema"), llm.CodeInvalidRequest},
		{400, body("invalid_request_error", "invalid_prompt"), llm.CodeContentPolicy},
		{401, body("invalid_request_error", "invalid_api_key"), llm.CodeProviderAuth},
		{404, body("invalid_request_error", ""), llm.CodeModelGone},
		{429, body("insufficient_quota", "insufficient_quota"), llm.CodeQuota},
		{429, body("requests", "rate_limit_exceeded"), llm.CodeRateLimit},
		{500, body("server_error", ""), llm.CodeServerError},
		{503, "upstream connect error", llm.CodeOverloaded},
		{401, `{"detail":"Could not parse your authentication token."}`, llm.CodeProviderAuth},
		{400, `{"code":"invalid-argument","error":"Model not found"}`, llm.CodeInvalidRequest},
	} {
		e := providerSide{}.DecodeError(tc.status, []byte(tc.body))
		if e.Code != tc.want || e.Status != tc.status {
			t.Errorf("%d %s: got %s, status %d want %s", tc.status, tc.body, e.Code, e.Status, tc.want)
		}
		if shown := strings.Contains(e.Message, "It is wrong."); shown && tc.want == llm.CodeProviderAuth {
			t.Errorf("%d %s: got the vendor's words, want our own", tc.status, tc.body)
		}
	}
}

// TestFailuresComeBack: an error inside a response has a word for each class that another gateway can read.
func TestFailuresComeBack(t *testing.T) {
	for _, code := range []llm.Code{llm.CodeRateLimit, llm.CodeQuota, llm.CodeContextLength, llm.CodeOverloaded, llm.CodeServerError, llm.CodeContentPolicy} {
		if got, ok := forms.CodeOfOpenAIWord(failureWord(code)); !ok || got != code {
			t.Errorf("%s: got it back as %s", code, got)
		}
	}
}

// TestSealedErrors knows the error about reasoning of another account, whole and in a stream, and what to take out.
func TestSealedErrors(t *testing.T) {
	for code, want := range map[string]bool{"invalid_encrypted_content": true, "invalid_prompt": false, "": false} {
		said := `{"error":{"message":"m","type":"invalid_request_error","code":"` + code + `"}}`
		if e := New().Provider.DecodeError(400, []byte(said)); e.Sealed != want {
			t.Errorf("%q: got %+v want sealed %v", code, e, want)
		}
	}
	body := `{"input":[ {"type":"reasoning","id":"a","summary":[],"encrypted_content":"x"}, {"type":"reasoning","id":"b","summary":[]},{"type":"compaction","encrypted_content":"y"}]}`
	want := `{"input":[{"type":"reasoning","id":"b","summary":[]},{"type":"compaction","encrypted_content":"y"}]}`
	if out, losses, err := New().Unseal([]byte(body)); err != nil || string(out) != want || len(losses) != 1 {
		t.Errorf("got %s, %v, %v want %s and one loss", out, losses, err, want)
	}
	if out, losses, err := New().Unseal([]byte(want)); err != nil || string(out) != want || len(losses) != 0 {
		t.Errorf("got %s, %v, %v want it as it was", out, losses, err)
	}
}
