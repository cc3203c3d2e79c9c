package bedrock

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeError(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   llm.Code
	}{
		{400, `{"__type":"ValidationException","message":"messages: too short"}`, llm.CodeInvalidRequest},
		{400, `{"__type":"ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/","message":"Input is too long for requested model."}`, llm.CodeContextLength},
		{400, `{"message":"The model returned the following errors: prompt is too long: 9 tokens > 8 maximum"}`, llm.CodeContextLength},
		{400, `{"message":"messages.0: \"Input is too long\" is what the user wrote"}`, llm.CodeInvalidRequest},
		{400, `{"__type":"ServiceQuotaExceededException","message":"m"}`, llm.CodeQuota},
		{403, `{"__type":"AccessDeniedException","Message":"m"}`, llm.CodeProviderAuth},
		{403, `{"message":"The security token included in the request is expired"}`, llm.CodeProviderAuth},
		{404, `{"__type":"com.amazon.bedrock#ResourceNotFoundException","message":"This model version has reached the end of its life."}`, llm.CodeModelGone},
		{408, `{"__type":"ModelTimeoutException"}`, llm.CodeTimeout},
		{424, `{"__type":"ModelErrorException","message":"m","originalStatusCode":429}`, llm.CodeRateLimit},
		{424, `{"__type":"ModelErrorException","message":"m","originalStatusCode":400}`, llm.CodeServerError},
		{429, `{"__type":"ModelNotReadyException","message":"m"}`, llm.CodeOverloaded},
		{429, `{"__type":"ThrottlingException","message":"Too many tokens, please wait before trying again."}`, llm.CodeRateLimit},
		{501, `{"__type":"InternalServerException"}`, llm.CodeNotImplemented},
		{503, `<html>`, llm.CodeOverloaded},
	} {
		if got := New().Provider.DecodeError(tc.status, []byte(tc.body)); got.Code != tc.want || got.Status != tc.status {
			t.Errorf("%d %s: got %+v want %s", tc.status, tc.body, got, tc.want)
		}
	}
	e := New().Provider.DecodeError(400, []byte(`{"__type":"ValidationException:http://x/","message":"key ABSKQmVkcm9ja0FQSUtleS1xYmF of 123456789012 is bad"}`))
	if e.Type != "ValidationException" || strings.Contains(e.Message, "ABSK") || strings.Contains(e.Message, "123456789012") {
		t.Errorf("got %+v want the exception's name, and neither key nor account", e)
	}
}

// TestErrorTypeHeader is row A57 of the acceptance list: the header that AWS's SDKs read.
func TestErrorTypeHeader(t *testing.T) {
	name, value := New().ErrorType(&llm.Error{Code: llm.CodeRateLimit})
	if name != "X-Amzn-Errortype" || value != "ThrottlingException" {
		t.Errorf("got %s: %s want X-Amzn-Errortype: ThrottlingException", name, value)
	}
}
