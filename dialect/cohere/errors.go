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
	e.Message = shownMessage(e.Code, message)
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

// shownMessage is the vendor's message where the client can do something about it, and our own words otherwise.
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
	for _, prefix := range [...]string{"sk-", "sk_", "pk-", "co-", "AIza", "AKIA", "eyJ", "ghp_", "hf_", "key-"} {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return len(word) >= 32 && strings.ContainsAny(word, "0123456789") && strings.ToLower(word) != word && !strings.ContainsAny(word, "./")
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
