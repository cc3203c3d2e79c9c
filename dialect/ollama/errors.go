package ollama

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// tooLong is how a server's message begins about a prompt that does not fit. It has no codes.
const tooLong = "the input length exceeds the context length"

// maxMessage is how many bytes of a server's message are shown.
const maxMessage = 1024

// DecodeError classifies an error answer by its status. The server's message is shown only where the fault is the
// client's.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	message := ""
	if v, err := jsontext.ParseLenient(body); err == nil {
		message = messageOf(v)
	}
	return errorOf(status, message)
}

// messageOf reads {"error": text}, and what proxies answer with.
func messageOf(v jsontext.Value) string {
	for _, v := range [...]jsontext.Value{v.Get("error"), v.Get("error", "message"), v.Get("message"), v.Get("detail")} {
		if v.Kind() == jsontext.String {
			return textOf(v)
		}
	}
	return ""
}

// errorOf makes the error of its class. Status 0 is an error inside an answer.
func errorOf(status int, message string) *llm.Error {
	code := llm.CodeOfStatus(status)
	if status == 400 && strings.HasPrefix(message, tooLong) {
		code = llm.CodeContextLength
	}
	e := &llm.Error{Code: code, Origin: llm.OriginProvider, Status: status}
	e.Message = forms.ShownMessage(code, message)
	return e
}

// maxBody is how many bytes an error's body may have.
const maxBody = 1024

// EncodeError writes the error body and chooses its status.
func (clientSide) EncodeError(e *llm.Error, _ string) (int, []byte) {
	status := e.HTTPStatus()
	if e.Code == llm.CodeQuota {
		status = 402
	}
	return status, appendError(nil, e)
}

// appendError appends the body of an error, which is also the last line of a broken stream.
func appendError(dst []byte, e *llm.Error) []byte {
	message := e.Message
	if message == "" {
		message = e.Code.Info().Doc
	}
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooLong) {
		message = tooLong + ": " + message
	}
	for limit := maxMessage; ; limit /= 2 { // escapes make it longer
		var w jsontext.Writer
		w.Reset(dst)
		w.BeginObject()
		w.StringField("error", forms.Clip(message, limit))
		w.EndObject()
		if body := w.Bytes(); len(body)-len(dst) <= maxBody {
			return body
		}
	}
}
