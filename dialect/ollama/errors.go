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
	e.Message = shownMessage(code, message)
	return e
}

// shownMessage is the server's message where the client can do something about it, and our own words otherwise.
func shownMessage(code llm.Code, message string) string {
	switch code {
	case llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeContentPolicy, llm.CodeTooLarge:
		if message = redact(forms.Clip(message, maxMessage)); message != "" && !strings.ContainsRune(message, '<') {
			return message
		}
	default:
	}
	return code.Info().Doc
}

// redact replaces the words of a message that look like a credential.
func redact(s string) string {
	isInside := func(r rune) bool {
		return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.*+/=", r)
	}
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !isInside(r) })
		if n < 0 {
			n = len(s)
		}
		if isSecret(s[:n]) {
			b.WriteString("[redacted]")
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
		n = strings.IndexFunc(s, isInside)
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

// isSecret reports whether a word looks like a credential: a known beginning, or as long and as mixed as tokens are.
func isSecret(word string) bool {
	if len(word) < 8 {
		return false
	}
	for _, prefix := range [...]string{"sk-", "sk_", "pk-", "AIza", "AKIA", "eyJ", "ghp_", "hf_", "key-"} {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return len(word) >= 32 && strings.ContainsAny(word, "0123456789") && strings.ToLower(word) != word && !strings.ContainsAny(word, "./")
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
