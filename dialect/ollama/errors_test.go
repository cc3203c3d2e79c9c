package ollama

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
		{400, `\"m\" does not support thinking`, llm.CodeInvalidRequest, `"m" does not support thinking`},
		{400, "the input length exceeds the context length", llm.CodeContextLength, "the input length exceeds the context length"},
		{401, "unauthorized", llm.CodeProviderAuth, ""},
		{404, "model 'bad_model' not found", llm.CodeModelGone, ""},
		{429, "too many requests", llm.CodeRateLimit, ""},
		{500, "Failed to create new sequence: failed to process inputs: image: unknown format", llm.CodeServerError, ""},
		{502, "", llm.CodeUnreachable, ""},
		{503, "server busy, please try again.  maximum pending requests exceeded", llm.CodeOverloaded, ""},
		{400, "bad key sk-abcdefgh1234", llm.CodeInvalidRequest, "bad key [redacted]"},
	} {
		e := providerSide{}.DecodeError(tc.status, []byte(`{"error":"`+tc.message+`"}`))
		if tc.wantedMessage == "" {
			tc.wantedMessage = tc.want.Info().Doc
		}
		if e.Code != tc.want || e.Status != tc.status || e.Message != tc.wantedMessage {
			t.Errorf("%d %s: got %s %q want %s %q", tc.status, tc.message, e.Code, e.Message, tc.want, tc.wantedMessage)
		}
	}
}

func TestErrorBodyIsBounded(t *testing.T) {
	_, body := clientSide{}.EncodeError(&llm.Error{Code: llm.CodeInvalidRequest, Message: strings.Repeat("\x01", 4000)}, "")
	if len(body) > maxBody {
		t.Errorf("got %d bytes want at most %d", len(body), maxBody)
	}
}
