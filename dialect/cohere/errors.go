package cohere

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The vendor has no codes. What its status does not tell it says in a message that begins so; what the user wrote comes
// at most further on.
const (
	tooManyTokens = "too many tokens"
	noAnswer      = "No valid response generated. Try updating messages" // the model's output was none
)

// maxMessage is how many bytes of a vendor's message are shown.
const maxMessage = 1024

// DecodeError classifies an error answer by its status. The vendor's message is shown only where the fault is the
// client's.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	message := ""
	if v, err := jsontext.ParseLenient(body); err == nil {
		message = messageOf(v)
	}
	return errorOf(status, message)
}

// messageOf reads {"message", "id"}, and what proxies answer with.
func messageOf(v jsontext.Value) string {
	for _, v := range [...]jsontext.Value{v.Get("message"), v.Get("error", "message"), v.Get("error"), v.Get("detail")} {
		if v.Kind() == jsontext.String {
			return textOf(v)
		}
	}
	return ""
}

// inBandError is the error that an answer of status 200 holds, or nil.
func inBandError(v jsontext.Value) *llm.Error {
	if v.Kind() != jsontext.Object || messageOf(v) == "" {
		return nil
	}
	return errorOf(0, messageOf(v))
}

func errorOf(status int, message string) *llm.Error {
	e := &llm.Error{Code: classify(status, message), Origin: llm.OriginProvider, Status: status}
	e.Message = forms.ShownMessage(e.Code, message)
	return e
}

// classify chooses the class of an error. Status 0 is an error inside an answer.
func classify(status int, message string) llm.Code {
	switch {
	case status == 400 && strings.HasPrefix(message, tooManyTokens):
		return llm.CodeContextLength
	case status == 422 && message == noAnswer:
		return llm.CodeBadAnswer
	case status == 498: // a token on the vendor's deny list, in the prompt or in the answer
		return llm.CodeContentPolicy
	}
	return llm.CodeOfStatus(status)
}

// maxBody is how many bytes an error's body may have.
const maxBody = 1024

// EncodeError writes the error body and chooses its status.
func (clientSide) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	status := e.HTTPStatus()
	switch e.Code {
	case llm.CodeQuota:
		status = 402
	case llm.CodeContentPolicy:
		status = 498
	default:
	}
	limit := maxMessage
	for {
		var w jsontext.Writer
		w.BeginObject()
		if requestID != "" {
			w.StringField("id", forms.Clip(requestID, 80))
		}
		w.StringField("message", forms.Clip(messageFor(e), limit))
		w.EndObject()
		if len(w.Bytes()) <= maxBody {
			return status, w.Bytes()
		}
		limit /= 2 // escapes made it longer
	}
}

// messageFor is an error's message as clients of the dialect know it.
func messageFor(e *llm.Error) string {
	message := e.Message
	if message == "" {
		message = e.Code.Info().Doc
	}
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooManyTokens) {
		message = tooManyTokens + ": " + message
	}
	return message
}
