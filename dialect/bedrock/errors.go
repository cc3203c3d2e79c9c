package bedrock

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// tooLong begins the vendor's message for a prompt that exceeds the window. There is no exception of its own for it,
// so clients look for these words.
const tooLong = "Input is too long for requested model."

// maxErrorBody bounds the body of an error, in bytes.
const maxErrorBody = 1024

// DecodeError classifies an error answer by the exception that it names, else by its status.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		doc = nil // a page or a plain text of something before the vendor: only the status tells
	}
	return readError(status, "", doc)
}

// readError classifies what a body or an exception in a stream says went wrong. The status is 0 in a stream; kind is
// the exception's name where the body does not have it.
func readError(status int, kind string, doc jsontext.Value) *llm.Error {
	if kind == "" {
		kind = forms.FirstText(doc.Get(dialect.ExceptionMember), doc.Get("code"))
	}
	message := forms.FirstText(doc.Get("message"), doc.Get("Message"), doc.Get("error", "message"))
	e := &llm.Error{Origin: llm.OriginProvider, Status: status, Type: exceptionName(kind)}
	e.Code = classify(status, kind, message, doc)
	if forms.IsClientFault(e.Code) && message != "" {
		e.Message = forms.Redact(forms.Excerpt(message, maxMessage), isAccount)
	} else {
		e.Message = e.Code.Info().Doc
	}
	return e
}

// exceptionName is what is safe to log of an exception's name: without the address behind it, if it is a word.
func exceptionName(kind string) string {
	kind, _, _ = strings.Cut(kind, ":")
	if isWord(kind, 64, ".#") {
		return kind
	}
	return ""
}

// classify chooses the class of an error. Messages count only where the vendor has no exception for a class, and
// only by how they begin: further on they may repeat what the user wrote.
func classify(status int, kind, message string, doc jsontext.Value) llm.Code {
	code, known := dialect.CodeOfException(kind)
	if !known {
		code = llm.CodeOfStatus(status)
	}
	switch code {
	case llm.CodeInvalidRequest:
		message = strings.TrimPrefix(message, "The model returned the following errors: ")
		if strings.HasPrefix(message, "Input is too long") || strings.HasPrefix(message, "prompt is too long") ||
			strings.HasPrefix(message, "input length and `max_tokens` exceed context limit") {
			return llm.CodeContextLength
		}
	case llm.CodeServerError:
		// The model's own server failed, and this is what it said [bed:ModelErrorException.originalStatusCode].
		if original, err := doc.Get("originalStatusCode").Int(); err == nil && original >= 429 {
			return llm.CodeOfStatus(int(min(original, 599)))
		}
		if status > 0 {
			return llm.CodeOfStatus(status) // which may say more than that it is the server's fault
		}
	default:
	}
	return code
}

// isAccount reports whether a word is the number of an account.
func isAccount(word string) bool { return len(word) == 12 && strings.Trim(word, "0123456789") == "" }

// EncodeError writes the error body and chooses the HTTP status. The exception's name is in the body, too, for
// clients behind something that removes headers.
func (clientSide) EncodeError(e *llm.Error, _ string) (int, []byte) {
	x := dialect.ExceptionOf(e.Code)
	return x.Status, errorBody(e, x.Name)
}

// errorType is the header that names an error.
func errorType(e *llm.Error) (header, value string) {
	return dialect.ExceptionHeader, dialect.ExceptionOf(e.Code).Name
}

// errorBody is the body of an error, in an answer and, without a name, in a stream.
func errorBody(e *llm.Error, name string) []byte {
	message := e.Message
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooLong) {
		message = tooLong + " " + message
	}
	if message == "" {
		message = e.Code.Info().Doc
	}
	limit := maxMessage
	for {
		var w jsontext.Writer
		w.BeginObject()
		if name != "" {
			w.StringField(dialect.ExceptionMember, name)
		}
		w.StringField("message", forms.Excerpt(message, limit))
		w.EndObject()
		if len(w.Bytes()) <= maxErrorBody {
			return w.Bytes()
		}
		limit /= 2 // escapes made it longer
	}
}
