package openaichat

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// DecodeError classifies an error answer.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	return forms.DecodeOpenAIError(status, body)
}

// inBandError is the error that an answer of status 200 or a frame of a stream holds, or nil.
func inBandError(v jsontext.Value) *llm.Error { return forms.OpenAIErrorIn(v, "choices") }

// EncodeError writes an error's body and chooses its status.
func (clientSide) EncodeError(e *llm.Error, _ string) (int, []byte) {
	return e.HTTPStatus(), forms.AppendOpenAIError(nil, e)
}
