package cohere

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeError(t *testing.T) {
	for _, tc := range []struct {
		status        int
		message       string
		want          llm.Code
		wantedMessage string
	}{
		{400, "invalid request: image content is not supported for this model", llm.CodeInvalidRequest, "invalid request: image content is not supported for this model"},
		{400, "too many tokens: size limit exceeded by 11326 tokens.", llm.CodeContextLength, "too many tokens: size limit exceeded by 11326 tokens."},
		{400, "invalid request: 'too many tokens: ' is no role", llm.CodeInvalidRequest, "invalid request: 'too many tokens: ' is no role"},
		{401, "invalid api token", llm.CodeProviderAuth, ""},
		{402, "", llm.CodeQuota, ""},
		{403, "", llm.CodeProviderAuth, ""},
		{404, "model 'bad model' not found", llm.CodeModelGone, ""},
		{422, noAnswer, llm.CodeBadAnswer, ""},
		{422, noAnswer + " please", llm.CodeInvalidRequest, noAnswer + " please"},
		{429, "slow down", llm.CodeRateLimit, ""},
		{498, "invalid token", llm.CodeContentPolicy, "invalid token"},
		{499, "", llm.CodeUnreachable, ""},
		{500, "stack trace", llm.CodeServerError, ""},
		{501, "", llm.CodeNotImplemented, ""},
		{503, "", llm.CodeOverloaded, ""},
		{504, "", llm.CodeTimeout, ""},
	} {
		e := providerSide{}.DecodeError(tc.status, []byte(`{"id":"x","message":"`+tc.message+`"}`))
		if tc.wantedMessage == "" {
			tc.wantedMessage = tc.want.Info().Doc
		}
		if e.Code != tc.want || e.Status != tc.status || e.Message != tc.wantedMessage {
			t.Errorf("%d %s: got %s %q want %s %q", tc.status, tc.message, e.Code, e.Message, tc.want, tc.wantedMessage)
		}
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	e := providerSide{}.DecodeError(400, []byte(`{"message":"invalid request: key sk-abcdefgh1234 (AbCdEfGhIjKlMnOpQrStUvWxYz0123456789ABCD)"}`))
	if e.Message != "invalid request: key [redacted] ([redacted])" {
		t.Errorf("got %q want the keys replaced", e.Message)
	}
}

func TestErrorBodyIsBounded(t *testing.T) {
	_, body := clientSide{}.EncodeError(&llm.Error{Code: llm.CodeInvalidRequest, Message: strings.Repeat("\x01", 4000)}, strings.Repeat("i", 400))
	if len(body) > maxBody {
		t.Errorf("got %d bytes want at most %d", len(body), maxBody)
	}
}
