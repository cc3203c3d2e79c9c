package gemini

import (
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The vendor's words for kinds of errors: google.rpc.Code.
const (
	statusInvalid      = "INVALID_ARGUMENT"
	statusPrecondition = "FAILED_PRECONDITION"
	statusUnauthorized = "UNAUTHENTICATED"
	statusForbidden    = "PERMISSION_DENIED"
	statusNotFound     = "NOT_FOUND"
	statusExhausted    = "RESOURCE_EXHAUSTED"
	statusAborted      = "ABORTED"
	statusCancelled    = "CANCELLED"
	statusInternal     = "INTERNAL"
	statusUnimplement  = "UNIMPLEMENTED"
	statusUnavailable  = "UNAVAILABLE"
	statusDeadline     = "DEADLINE_EXCEEDED"
)

// How the vendor's messages begin where it has no code for what they say.
const (
	tooLong       = "The input token count"
	tooLongVertex = "Unable to submit request because the input token count"
	tooLarge      = "Request payload size exceeds the limit"
	noLocation    = "User location is not supported"
	badKey        = "API key not valid"
)

// domain is where the reasons in this gateway's own errors come from.
const domain = "understudy"

const (
	maxMessage   = 800  // bytes of the text of an error
	maxErrorBody = 1024 // and of its whole body
)

// DecodeError classifies an error answer by its status and the vendor's codes.
func (providerSide) DecodeError(status int, body []byte) *llm.Error {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		doc = nil // a page or a plain text of something before the vendor: only the status tells
	}
	return readError(status, doc)
}

// readError classifies what a body or a chunk says went wrong. The status is 0 in an answer.
func readError(status int, doc jsontext.Value) *llm.Error {
	said := findError(doc)
	e := &llm.Error{
		Origin: llm.OriginProvider, Status: status, RetryAfter: said.wait,
		Type: identifier(said.status), VendorCode: identifier(said.reason),
	}
	if status == 0 && 400 <= said.code && said.code <= 599 {
		status = said.code
	}
	e.Code = classify(status, &said)
	e.OfModel = e.Code == llm.CodeQuota && spentBy(said.quotaID) == spentModel
	switch e.Code {
	case llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeTooLarge, llm.CodeContentPolicy:
		if said.message != "" && !strings.Contains(said.message, "<") {
			e.Message = forms.Redact(forms.Excerpt(said.message, maxMessage))
			return e
		}
	default:
	}
	e.Message = e.Code.Info().Doc
	return e
}

// saying is what an error says [gem:Status], and its details.
type saying struct {
	code                    int
	status, message         string
	reason, domain, quotaID string
	wait                    time.Duration
}

// findError finds an error: in a member of its own, in a list as a stream has it, or bare, as the vendor's front ends
// and compatible servers write it.
func findError(doc jsontext.Value) (s saying) {
	if doc.Kind() == jsontext.Array {
		_ = doc.Array(func(i int, v jsontext.Value) error { // it is an array, and f returns no error
			if i == 0 && v.Kind() == jsontext.Object {
				s = findError(v)
			}
			return nil
		})
		return s
	}
	inner := doc.Get("error")
	switch inner.Kind() {
	case jsontext.Object:
	case jsontext.String:
		s.message = forms.TextOf(inner)
		return s
	default:
		inner = doc
	}
	if n, err := inner.Get("code").Int(); err == nil && n > 0 && n < 1000 {
		s.code = int(n)
	}
	s.status, s.message = forms.TextOf(inner.Get("status")), forms.TextOf(inner.Get("message"))
	eachIn(inner.Get("details"), s.detail)
	return s
}

func (s *saying) detail(v jsontext.Value) {
	if reason := forms.TextOf(v.Get("reason")); reason != "" && s.reason == "" {
		s.reason, s.domain = reason, forms.TextOf(v.Get("domain"))
	}
	if d, err := time.ParseDuration(forms.TextOf(v.Get("retryDelay"))); err == nil && d > 0 && d < 24*time.Hour {
		s.wait = d
	}
	eachIn(v.Get("violations"), func(v jsontext.Value) {
		if id := forms.TextOf(v.Get("quotaId")); s.quotaID == "" || spentBy(id) > spentBy(s.quotaID) {
			s.quotaID = id
		}
	})
}

// spending is what has used up a day's quota, by the quota's name.
type spending int

const (
	notSpent     spending = iota // it is of the minute
	spentModel                   // one of the project's models has
	spentProject                 // all of it
)

func spentBy(quotaID string) spending {
	switch {
	case !strings.Contains(quotaID, "PerDay"):
		return notSpent
	case strings.Contains(quotaID, "PerModel"):
		return spentModel
	}
	return spentProject
}

// identifier is s if it is a plain word, which is safe to log.
func identifier(s string) string {
	if len(s) > 64 || forms.IsSecret(s) {
		return ""
	}
	for i := range len(s) {
		if !isNameByte(s[i]) && s[i] != '.' {
			return ""
		}
	}
	return s
}

// classify chooses the class of an error: by what the details say, by the vendor's status, then by HTTP's. Messages
// count only where the vendor has no code, and only by how they begin: further on they may repeat what the user wrote.
func classify(status int, s *saying) llm.Code {
	if s.domain == domain {
		if code, ok := ownReason(s.reason); ok {
			return code
		}
	}
	switch s.reason {
	case "API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED",
		"SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_SUSPENDED", "CONSUMER_INVALID", "ACCESS_TOKEN_EXPIRED",
		"CREDENTIALS_MISSING", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "ACCOUNT_STATE_INVALID":
		return llm.CodeProviderAuth
	}
	switch s.status {
	case statusInvalid, statusPrecondition, "OUT_OF_RANGE":
		if status == 0 {
			status = 400
		}
		return invalidOr(status, s.message)
	case statusUnauthorized, statusForbidden:
		return llm.CodeProviderAuth
	case statusNotFound:
		return llm.CodeModelGone
	case statusExhausted:
		if spentBy(s.quotaID) != notSpent {
			return llm.CodeQuota
		}
		return llm.CodeRateLimit
	case statusAborted, "ALREADY_EXISTS":
		return llm.CodeConflict
	case statusInternal, "UNKNOWN", "DATA_LOSS":
		if status == 502 || status == 503 || status == 504 {
			return llm.CodeOfStatus(status)
		}
		return llm.CodeServerError
	case statusUnimplement:
		return llm.CodeNotImplemented
	case statusUnavailable:
		return llm.CodeOverloaded
	case statusDeadline:
		return llm.CodeTimeout
	}
	return invalidOr(status, s.message)
}

// invalidKind tells the kinds of what the vendor calls an invalid argument.
func invalidKind(status int, message string) llm.Code {
	switch {
	case status == 413, strings.HasPrefix(message, tooLarge):
		return llm.CodeTooLarge
	case strings.HasPrefix(message, tooLong), strings.HasPrefix(message, tooLongVertex):
		return llm.CodeContextLength
	case strings.HasPrefix(message, badKey), strings.HasPrefix(message, noLocation):
		return llm.CodeProviderAuth
	}
	return llm.CodeInvalidRequest
}

// invalidOr is what an invalid argument comes to, or else what HTTP's status says.
func invalidOr(status int, message string) llm.Code {
	code := invalidKind(status, message)
	if code == llm.CodeInvalidRequest && status != 400 {
		return llm.CodeOfStatus(status)
	}
	return code
}

// ownReason reads a reason of this gateway's own: a provider may be another one. What is about that one's client is
// about this one's account.
func ownReason(reason string) (llm.Code, bool) {
	switch code := llm.Code(strings.ToLower(reason)); code {
	case llm.CodeQuota, llm.CodeRateLimit, llm.CodeContextLength, llm.CodeTooLarge, llm.CodeContentPolicy, llm.CodeOverloaded,
		llm.CodeTimeout, llm.CodeServerError, llm.CodeBadAnswer, llm.CodeTruncated, llm.CodeUnreachable:
		return code, true
	default:
		return "", false
	}
}

// EncodeError writes the error body and chooses the HTTP status.
func (clientSide) EncodeError(e *llm.Error, _ string) (int, []byte) { return encodeError(e) }

// encodeError is the envelope of an error, in an answer and in a stream. The vendor's statuses are few; the gateway's
// own class stands in the details.
func encodeError(e *llm.Error) (int, []byte) {
	status, word := errorWords(e.Code)
	message := e.Message
	if message == "" {
		message = e.Code.Info().Doc
	}
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooLong) {
		message = tooLong + " exceeds the maximum number of tokens allowed: " + message
	}
	for limit := maxMessage; ; limit /= 2 { // escapes may make it longer
		var w jsontext.Writer
		w.BeginObject()
		w.Key("error")
		w.BeginObject()
		w.IntField("code", int64(status))
		w.StringField("message", forms.Excerpt(message, limit))
		w.StringField("status", word)
		w.Key("details")
		w.BeginArray()
		w.BeginObject()
		w.StringField("@type", "type.googleapis.com/google.rpc.ErrorInfo")
		w.StringField("reason", strings.ToUpper(string(e.Code)))
		w.StringField("domain", domain)
		w.EndObject()
		if e.RetryAfter > 0 {
			w.BeginObject()
			w.StringField("@type", "type.googleapis.com/google.rpc.RetryInfo")
			w.StringField("retryDelay", string(jsontext.AppendInt(nil, int64((e.RetryAfter+time.Second-1)/time.Second)))+"s")
			w.EndObject()
		}
		w.EndArray()
		w.EndObject()
		w.EndObject()
		if len(w.Bytes()) <= maxErrorBody {
			return status, w.Bytes()
		}
	}
}

// errorWords are the vendor's status, and HTTP's, for a class of errors.
func errorWords(c llm.Code) (status int, word string) {
	switch c {
	case llm.CodeAuthentication:
		return 401, statusUnauthorized
	case llm.CodePermission:
		return 403, statusForbidden
	case llm.CodeModelNotFound, llm.CodePathNotFound, llm.CodeModelGone:
		return 404, statusNotFound
	case llm.CodeMethod, llm.CodeTooLarge, llm.CodeMediaType, llm.CodeKeyReused:
		return c.Info().Status, statusInvalid
	case llm.CodeRequestTimeout:
		return 408, statusDeadline
	case llm.CodeConflict:
		return 409, statusAborted
	case llm.CodeRateLimit, llm.CodeQuota:
		return 429, statusExhausted
	case llm.CodeClientGone, llm.CodeOutrun:
		return 499, statusCancelled
	case llm.CodeInternal, llm.CodeServerError:
		return 500, statusInternal
	case llm.CodeNotImplemented:
		return 501, statusUnimplement
	case llm.CodeProviderAuth, llm.CodeUnreachable, llm.CodeBadAnswer, llm.CodeOtherModel, llm.CodeTruncated:
		return 502, statusInternal
	case llm.CodeOverloaded, llm.CodeUnavailable, llm.CodeLedger:
		return 503, statusUnavailable
	case llm.CodeTimeout:
		return 504, statusDeadline
	default:
		return 400, statusInvalid
	}
}
