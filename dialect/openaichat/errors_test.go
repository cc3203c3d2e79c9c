package openaichat

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

// TestDecodeError is T140, too: a code that is a number, an error that is a text, and none but a detail (F22).
func TestDecodeError(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   llm.Code
	}{
		{400, `{"error":{"message":"bad","type":"invalid_request_error","param":"x","code":null}}`, llm.CodeInvalidRequest},
		{400, `{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}`, llm.CodeContextLength},
		{400, `{"error":{"message":"id","type":"invalid_request_error","code":"string_above_max_length"}}`, llm.CodeInvalidRequest},
		{400, `{"error":{"code":"content_filter","message":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, llm.CodeContentPolicy},
		{400, `{"error":{"type":"billing","code":"billing_hard_limit_reached"}}`, llm.CodeQuota},
		{400, `{"error":{"message":"x","type":"invalid_request_error","code":"tool_use_failed"}}`, llm.CodeBadAnswer},
		{401, `{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}`, llm.CodeProviderAuth},
		{401, `{"error":{"message":"x","type":"invalid_request_error"}}`, llm.CodeProviderAuth},
		{401, `<html>`, llm.CodeProviderAuth},
		{403, `{"detail":"no"}`, llm.CodeProviderAuth},
		{403, `{"error":{"code":"unsupported_country_region_territory"}}`, llm.CodeProviderAuth},
		{402, `{"error":"Payment Required"}`, llm.CodeQuota},
		{404, `{"error":{"message":"x","type":"invalid_request_error","code":"model_not_found"}}`, llm.CodeModelGone},
		{404, `{"error":{"code":"DeploymentNotFound","message":"x"}}`, llm.CodeModelGone},
		{404, `{"error":"model 'x' not found"}`, llm.CodeModelGone},
		{405, ``, llm.CodeNotImplemented},
		{408, ``, llm.CodeTimeout},
		{409, `{}`, llm.CodeConflict},
		{410, ``, llm.CodeModelGone},
		{413, `<html>`, llm.CodeTooLarge},
		{422, `{"detail":[{"loc":["body"],"msg":"bad","type":"x"}]}`, llm.CodeInvalidRequest},
		{429, `{"error":{"type":"tokens","code":"rate_limit_exceeded"}}`, llm.CodeRateLimit},
		{429, `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`, llm.CodeQuota},
		{429, `{"error":{"code":"429","message":"slow"}}`, llm.CodeRateLimit},
		{429, `{"error":{"type":"invalid_request_error"}}`, llm.CodeRateLimit},
		{429, `{"error":{"code":"NoCapacity"}}`, llm.CodeOverloaded},
		{418, `{"error":"teapot"}`, llm.CodeInvalidRequest},
		{500, `{"error":{"type":"server_error"}}`, llm.CodeServerError},
		{500, ``, llm.CodeServerError},
		{500, `{"error":{"type":"invalid_request_error","message":"x"}}`, llm.CodeInvalidRequest},
		{501, ``, llm.CodeNotImplemented},
		{502, `<html><h1>Bad Gateway`, llm.CodeUnreachable},
		{503, `upstream connect error`, llm.CodeOverloaded},
		{503, `{"error":{"type":"server_error","code":"slow_down"}}`, llm.CodeOverloaded},
		{504, ``, llm.CodeTimeout},
		{507, ``, llm.CodeServerError},
		{520, ``, llm.CodeUnreachable},
		{524, ``, llm.CodeTimeout},
		{529, ``, llm.CodeOverloaded},
		{302, ``, llm.CodeBadAnswer},
	} {
		e := providerSide{}.DecodeError(tc.status, []byte(tc.body))
		if e.Code != tc.want || e.Status != tc.status {
			t.Errorf("%d %s: got %s, status %d want %s", tc.status, tc.body, e.Code, e.Status, tc.want)
		}
	}
}

// TestA22EchoedTextDecidesNothing has the user's words in the vendor's message.
func TestA22EchoedTextDecidesNothing(t *testing.T) {
	body := `{"error":{"message":"Invalid content: 'your credit balance is too low, insufficient_quota, context_length_exceeded, rate limit'","type":"invalid_request_error","code":null}}`
	if e := (providerSide{}).DecodeError(400, []byte(body)); e.Code != llm.CodeInvalidRequest {
		t.Errorf("got %s want %s", e.Code, llm.CodeInvalidRequest)
	}
}

func TestShownMessages(t *testing.T) {
	for _, tc := range []struct {
		status        int
		message, want string
	}{
		{400, "Invalid 'messages[0].content': tool_call_id 'call_AbCdEfGh1234567890123456' is unknown.", "Invalid 'messages[0].content': tool_call_id 'call_AbCdEfGh1234567890123456' is unknown."},
		{400, "Key sk-proj-abcdef123456 is wrong; Bearer eyJhbGciOi.x.y too", "Key [redacted] is wrong; Bearer [redacted] too"},
		{400, "token 0123456789abcdef0123456789abcdef", "token [redacted]"},
		{400, "see https://docs.example/a1b2c3d4e5f6a7b8c9", "see https://docs.example/a1b2c3d4e5f6a7b8c9"},
		{400, "<HTML><body>no", llm.CodeInvalidRequest.Info().Doc},
		{400, "", llm.CodeInvalidRequest.Info().Doc},
		{500, "stack trace with db.internal", llm.CodeServerError.Info().Doc},
		{401, "Incorrect API key provided: abc", llm.CodeProviderAuth.Info().Doc},
		{400, "é" + strings.Repeat("x", 2000), "é" + strings.Repeat("x", 1022)},
	} {
		body := `{"error":{"message":` + quote(tc.message) + `}}`
		if got := (providerSide{}).DecodeError(tc.status, []byte(body)).Message; got != tc.want {
			t.Errorf("%d %q: got %q want %q", tc.status, tc.message, got, tc.want)
		}
	}
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestErrorIdentifiersAreWords(t *testing.T) {
	e := providerSide{}.DecodeError(400, []byte(`{"error":{"message":"m","type":"a sentence, not a word","code":"ok_1","param":"messages[0].x"}}`))
	if e.Type != "" || e.VendorCode != "ok_1" || e.Param != "messages[0].x" {
		t.Errorf("got type %q, code %q, param %q want none, ok_1, messages[0].x", e.Type, e.VendorCode, e.Param)
	}
}
