package openairesponses

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
func inBandError(v jsontext.Value) *llm.Error { return forms.OpenAIErrorIn(v, "output") }

// EncodeError writes an error's body and chooses its status.
func (clientSide) EncodeError(e *llm.Error, _ string) (int, []byte) {
	return e.HTTPStatus(), forms.AppendOpenAIError(nil, e)
}

// errorEvent is the data of an event that ends a stream which was not begun, or not here. It says the error flat, as
// the description has it, and in a member, from which the vendor's SDKs raise.
func errorEvent(e *llm.Error, sequence int64) []byte {
	kind, code := forms.OpenAIWords(e.Code)
	message := e.Message
	if message == "" {
		message = e.Code.Info().Doc
	}
	if code == "" {
		code = kind
	}
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("type", "error")
	w.StringField("code", code)
	w.StringField("message", message)
	w.Key("param")
	writeParam(&w, e.Param)
	w.IntField("sequence_number", sequence)
	w.Key("error")
	w.BeginObject()
	w.StringField("type", kind)
	w.StringField("code", code)
	w.StringField("message", message)
	w.Key("param")
	writeParam(&w, e.Param)
	w.EndObject()
	w.EndObject()
	return w.Bytes()
}

func writeParam(w *jsontext.Writer, param string) {
	if param == "" {
		w.Null()
	} else {
		w.String(param)
	}
}

// writeFailure writes the error of a response, or null.
func writeFailure(w *jsontext.Writer, e *llm.Error) {
	if e == nil {
		w.Null()
		return
	}
	message := e.Message
	if message == "" {
		message = e.Code.Info().Doc
	}
	w.BeginObject()
	w.StringField("code", failureWord(e.Code))
	w.StringField("message", message)
	w.EndObject()
}

// failureWord is the code of a class of error inside a response: those of openai.yaml, ResponseErrorCode, and three
// more that the API is seen to send.
func failureWord(c llm.Code) string {
	switch c {
	case llm.CodeRateLimit:
		return "rate_limit_exceeded"
	case llm.CodeInvalidRequest, llm.CodeUnsupported, llm.CodeContentPolicy:
		return "invalid_prompt"
	case llm.CodeQuota:
		return "insufficient_quota"
	case llm.CodeContextLength:
		return "context_length_exceeded"
	case llm.CodeOverloaded:
		return "server_is_overloaded"
	default:
		return "server_error"
	}
}
