package anthropic

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The words of the dialect for kinds of errors [asdk:ErrorObject].
const (
	errInvalid    = "invalid_request_error"
	errAuth       = "authentication_error"
	errPermission = "permission_error"
	errNotFound   = "not_found_error"
	errBilling    = "billing_error"
	errRateLimit  = "rate_limit_error"
	errTooLarge   = "request_too_large"
	errTimeout    = "timeout_error"
	errOverloaded = "overloaded_error"
	errAPI        = "api_error"
)

// tooLong begins the vendor's message for a prompt that exceeds the window. The vendor has no code for it, so
// clients look for these words.
const tooLong = "prompt is too long"

// threadLost is the code by which clients learn to send a conversation whole again.
const threadLost = "thread_not_found"

// threadField is where a request names the conversation that the vendor keeps.
const threadField = "thread.previous_message_id"

// maxErrorBody bounds the body of an error, in bytes.
const maxErrorBody = 1024

// DecodeError classifies an error answer by its status and the vendor's codes.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		doc = nil // a page or a plain text of something before the vendor: only the status tells
	}
	return readError(status, doc)
}

// readException classifies an exception of AWS's, which a stream in its frame may end in.
func readException(f dialect.Frame) *llm.Error {
	doc, err := jsontext.ParseLenient(f.Data)
	if err != nil || doc.Kind() != jsontext.Object {
		doc = jsontext.Value("{}") // the name alone tells
	}
	if named, err := jsontext.Set(doc, dialect.ExceptionMember, jsontext.AppendString(nil, f.Event)); err == nil {
		doc = named
	}
	return readError(0, doc)
}

// readError classifies what a body or a frame says went wrong. The status is 0 in a stream.
func readError(status int, doc jsontext.Value) *llm.Error {
	said := findError(doc)
	e := &llm.Error{
		Origin: llm.OriginProvider, Status: status,
		Type: identifier(said.kind), VendorCode: identifier(said.code),
	}
	e.Code, e.Sealed = classify(status, said), isUnreadable(said.message)
	if forms.IsClientFault(e.Code) && said.message != "" {
		e.Message = forms.Redact(forms.Excerpt(said.message, maxMessage))
		return e
	}
	e.Message = e.Code.Info().Doc
	return e
}

// saying is what an error body says, in whatever shape.
type saying struct{ kind, code, message string }

// findError finds an error in the shapes that the vendor, compatible servers and proxies give it:
// {"error":{"type","message"}}, {"error":"text"}, {"message"}, {"detail"}.
func findError(doc jsontext.Value) saying {
	inner := doc.Get("error")
	switch inner.Kind() {
	case jsontext.Object:
		return saying{
			kind:    forms.TextOf(inner.Get("type")),
			code:    forms.FirstText(inner.Get("details", "error_code"), inner.Get("code")),
			message: forms.TextOf(inner.Get("message")),
		}
	case jsontext.String:
		return saying{message: forms.TextOf(inner)}
	default:
	}
	s := saying{message: forms.FirstText(doc.Get("message"), doc.Get("detail")), code: forms.TextOf(doc.Get("code"))}
	if kind := forms.TextOf(doc.Get("type")); kind != "error" {
		s.kind = kind
	}
	if kind, _, _ := strings.Cut(forms.TextOf(doc.Get(dialect.ExceptionMember)), ":"); kind != "" { // of AWS, which passes on what the vendor said
		s.kind = kind
		s.message = strings.TrimPrefix(s.message, "The model returned the following errors: ")
	}
	return s
}

// identifier is s if it is a plain word, which is safe to log.
func identifier(s string) string {
	if isWord(strings.ReplaceAll(s, ".", "_"), 64) {
		return s
	}
	return ""
}

// classify chooses the class of an error: by the vendor's type, then by the status. Messages count only where the
// vendor has no code, and only by how they begin: further on they may repeat what the user wrote.
func classify(status int, s saying) llm.Code {
	switch s.code {
	case "enforced_spend_limit_reached":
		return llm.CodeQuota
	case threadLost, "thread_already_continued", "thread_continue_in_flight": // under the types of what says more
		return llm.CodeInvalidRequest
	case "context_length_exceeded": // of compatible servers
		return llm.CodeContextLength
	}
	switch s.kind {
	case errInvalid, "ValidationException":
		switch {
		case strings.HasPrefix(s.message, tooLong), strings.HasPrefix(s.message, "Input is too long"),
			strings.HasPrefix(s.message, "input length and `max_tokens` exceed context limit"):
			return llm.CodeContextLength
		case saysMore(status):
			return llm.CodeOfStatus(status)
		}
		return llm.CodeInvalidRequest
	case errAuth, errPermission:
		return llm.CodeProviderAuth
	case errNotFound:
		return llm.CodeModelGone
	case errBilling:
		return llm.CodeQuota
	case errRateLimit:
		return llm.CodeRateLimit
	case errTooLarge:
		return llm.CodeTooLarge
	case errTimeout:
		return llm.CodeTimeout
	case errOverloaded:
		return llm.CodeOverloaded
	case "conflict_error":
		return llm.CodeConflict
	}
	if code, known := dialect.CodeOfException(s.kind); known && (code != llm.CodeServerError || status == 0) {
		return code
	}
	return llm.CodeOfStatus(status)
}

// saysMore reports whether a status tells more than the type for any fault of a request's, which compatible servers and
// proxies give to limits, empty accounts and failures as well.
func saysMore(status int) bool {
	switch status {
	case 401, 402, 403, 408, 409, 413, 424, 425, 429:
		return true
	}
	return status > 500
}

// isUnreadable reports whether a message says that the signature of a block, which it begins with, is not the vendor's
// own. There is no code for it.
func isUnreadable(message string) bool {
	at, why, ok := strings.Cut(message, ": ")
	return ok && unreadableAt.MatchString(at) &&
		(strings.HasPrefix(why, "Invalid `signature` in `thinking` block") || strings.HasPrefix(why, "Invalid `data` in `redacted_thinking` block"))
}

// unreadableAt is never changed.
var unreadableAt = regexp.MustCompile(`^messages\.\d+\.content\.\d+$`)

// isError reports whether body is an error of this dialect's: clouds answer in their own words what does not get as far
// as the vendor's code.
func isError(body []byte) bool {
	doc := jsontext.Value(bytes.TrimSpace(body))
	return is(doc.Get("type"), "error") && doc.Get("error", "type").Kind() == jsontext.String
}

// EncodeError writes the error body and chooses the HTTP status.
func (clientSide) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	status, kind := errorWords(e.Code)
	if isThreadLost(e) {
		status, kind = 404, errNotFound
	}
	return status, errorBody(e, kind, requestID)
}

// isThreadLost reports whether the target does not have the conversation that the request goes on with.
func isThreadLost(e *llm.Error) bool {
	return e.Code == llm.CodeUnsupported && e.Param == threadField
}

// errorBody is the envelope of an error, in an answer and in a stream.
func errorBody(e *llm.Error, kind, requestID string) []byte {
	message := e.Message
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooLong) {
		message = tooLong + ": " + message
	}
	if message == "" {
		message = e.Code.Info().Doc
	}
	limit := maxMessage
	for {
		var w jsontext.Writer
		w.BeginObject()
		w.StringField("type", "error")
		w.Key("error")
		w.BeginObject()
		w.StringField("type", kind)
		w.StringField("message", forms.Excerpt(message, limit))
		if isThreadLost(e) {
			w.Key("details")
			w.BeginObject()
			w.StringField("error_code", threadLost)
			w.EndObject()
		}
		w.EndObject()
		if requestID != "" {
			w.StringField("request_id", forms.Excerpt(requestID, 80))
		}
		w.EndObject()
		if len(w.Bytes()) <= maxErrorBody {
			return w.Bytes()
		}
		limit /= 2 // escapes made it longer
	}
}

// errorWords are the dialect's status and type for a class of errors.
func errorWords(c llm.Code) (status int, kind string) {
	switch c {
	case llm.CodeAuthentication:
		return 401, errAuth
	case llm.CodePermission:
		return 403, errPermission
	case llm.CodeModelNotFound, llm.CodePathNotFound, llm.CodeModelGone:
		return 404, errNotFound
	case llm.CodeTooLarge:
		return 413, errTooLarge
	case llm.CodeRateLimit:
		return 429, errRateLimit
	case llm.CodeQuota:
		return 402, errBilling
	case llm.CodeOverloaded:
		return 529, errOverloaded
	case llm.CodeUnavailable, llm.CodeLedger:
		return 503, errOverloaded
	case llm.CodeTimeout:
		return 504, errTimeout
	case llm.CodeRequestTimeout:
		return 408, errTimeout
	case llm.CodeProviderAuth, llm.CodeUnreachable, llm.CodeOtherModel:
		return 502, errAPI
	case llm.CodeServerError, llm.CodeBadAnswer, llm.CodeTruncated, llm.CodeInternal:
		return 500, errAPI
	case llm.CodeNotImplemented:
		return 400, errInvalid
	case llm.CodeClientGone, llm.CodeOutrun:
		return 499, errAPI
	default:
		return c.Info().Status, errInvalid
	}
}
