package llm

import (
	"fmt"
	"slices"
	"time"
)

// Code is the class of an error: a closed list, one row each in Codes.
type Code string

// The error codes.
const (
	CodeInvalidRequest Code = "invalid_request"
	CodeAmbiguous      Code = "ambiguous_json"
	CodeUnsupported    Code = "unsupported"
	CodeContextLength  Code = "context_length"
	CodeTooLarge       Code = "too_large"
	CodeAuthentication Code = "authentication"
	CodePermission     Code = "permission"
	CodeModelNotFound  Code = "model_not_found"
	CodePathNotFound   Code = "path_not_found"
	CodeMethod         Code = "method_not_allowed"
	CodeMediaType      Code = "unsupported_media_type"
	CodeKeyReused      Code = "key_reused"
	CodeContentPolicy  Code = "content_policy"
	CodeConflict       Code = "conflict"
	CodeRateLimit      Code = "rate_limit"
	CodeQuota          Code = "quota"
	CodeProviderAuth   Code = "provider_auth"
	CodeModelGone      Code = "model_gone"
	CodeOverloaded     Code = "overloaded"
	CodeServerError    Code = "server_error"
	CodeTimeout        Code = "timeout"
	CodeUnreachable    Code = "unreachable"
	CodeBadAnswer      Code = "bad_answer"
	CodeTruncated      Code = "truncated"
	CodeNotImplemented Code = "not_implemented"
	CodeUnavailable    Code = "unavailable"
	CodeLedger         Code = "ledger_unavailable"
	CodeClientGone     Code = "client_gone"
	CodeOutrun         Code = "outrun"
	CodeOtherModel     Code = "other_model"
	CodeRequestTimeout Code = "request_timeout"
	CodeInternal       Code = "internal"
)

// Next says what a failed attempt means for the call.
type Next uint8

// What to do after an error.
const (
	GiveUp    Next = iota // hand it to the client: no target would do better
	TryNext               // another target may well succeed
	RetryOnce             // the same target once more, then the next
)

// String names n as docs/errors.md does.
func (n Next) String() string {
	switch n {
	case TryNext:
		return "next target"
	case RetryOnce:
		return "once more, then next target"
	default:
		return "no"
	}
}

// CodeInfo is what is fixed about a Code.
type CodeInfo struct {
	Code   Code
	Status int // HTTP status where the client's dialect has no better one
	Next   Next
	Doc    string
}

// Codes is the closed list of error codes, in the order of docs/errors.md.
func Codes() []CodeInfo { return slices.Clone(codes[:]) }

// codes is never changed.
var codes = [...]CodeInfo{
	{CodeInvalidRequest, 400, GiveUp, "The request is malformed or has a value that is not allowed."},
	{CodeAmbiguous, 400, GiveUp, "The body has a name that readers may take for another one of it: twice, or in other capitals."},
	{CodeUnsupported, 400, TryNext, "The target cannot carry a feature that the request depends on, so the gateway refused to send it there."},
	{CodeContextLength, 400, GiveUp, "The prompt, or prompt and reply together, exceed the model's window."},
	{CodeContentPolicy, 400, GiveUp, "The vendor refused the prompt by its content policy."},
	{CodeAuthentication, 401, GiveUp, "The client's credential for the gateway is missing or wrong."},
	{CodePermission, 403, GiveUp, "The client's credential does not allow this."},
	{CodeModelNotFound, 404, GiveUp, "No configured model has this name."},
	{CodePathNotFound, 404, GiveUp, "The gateway serves nothing at this path, or nothing that the caller may see."},
	{CodeMethod, 405, GiveUp, "The path exists, but not with this method."},
	{CodeRequestTimeout, 408, GiveUp, "The request's body did not arrive in time."},
	{CodeConflict, 409, RetryOnce, "The vendor reports a conflict with another request, or the request with this Idempotency-Key was made before and cannot be answered again."},
	{CodeTooLarge, 413, GiveUp, "The request's body is larger than the limit."},
	{CodeMediaType, 415, GiveUp, "The request's content type or encoding is not accepted."},
	{CodeKeyReused, 422, GiveUp, "The Idempotency-Key was sent before, with another request."},
	{CodeRateLimit, 429, TryNext, "The vendor, or a limit of the client's key, limits the rate for a while."},
	{CodeQuota, 429, TryNext, "The vendor's account has no credit or quota left, or a budget of the gateway's has not; waiting does not help."},
	{CodeClientGone, 499, GiveUp, "The client left before the answer; it is only logged."},
	{CodeOutrun, 499, GiveUp, "Another target, asked beside this one, was faster; it is only logged."},
	{CodeInternal, 500, GiveUp, "The gateway itself failed."},
	{CodeServerError, 500, TryNext, "The vendor failed."},
	{CodeNotImplemented, 501, GiveUp, "The operation or method is not supported by the vendor as asked."},
	{CodeProviderAuth, 502, TryNext, "The vendor refused the gateway's credential; the client's own is fine."},
	{CodeModelGone, 404, TryNext, "The vendor does not have the target's model any more, or not for this account."},
	{CodeUnreachable, 502, TryNext, "No connection to the vendor, or it broke before an answer."},
	{CodeBadAnswer, 502, TryNext, "The vendor's answer could not be understood."},
	{CodeOtherModel, 502, TryNext, "The vendor answered with another model than it was asked for, which the route does not allow."},
	{CodeTruncated, 502, TryNext, "The vendor's answer ended before it was whole."},
	{CodeOverloaded, 503, TryNext, "The vendor has no capacity now."},
	{CodeUnavailable, 503, GiveUp, "The gateway cannot take the request now, for example while it shuts down."},
	{CodeLedger, 503, GiveUp, "The gateway cannot write its ledger, and sends nothing that it could not account for."},
	{CodeTimeout, 504, TryNext, "The vendor took longer than a deadline allows."},
}

// Info returns the row of c in Codes; an unlisted code is a programmer's error.
func (c Code) Info() CodeInfo {
	for _, info := range codes {
		if info.Code == c {
			return info
		}
	}
	panic("BUG: llm: unlisted error code " + string(c))
}

// CodeOfStatus is the class of an HTTP status that a vendor answered with, where
// its codes did not say more. A status that nobody knows is the request's fault
// from 400 on, and the vendor's from 500 on and inside a success; from 300 on it is
// a bad answer.
func CodeOfStatus(status int) Code {
	switch status {
	case 401, 403:
		return CodeProviderAuth
	case 402:
		return CodeQuota
	case 404, 410:
		return CodeModelGone
	case 405, 415, 501:
		return CodeNotImplemented
	case 408, 504, 524:
		return CodeTimeout
	case 409:
		return CodeConflict
	case 413:
		return CodeTooLarge
	case 424, 425:
		return CodeServerError
	case 429:
		return CodeRateLimit
	case 499, 502, 520, 521, 522, 523, 525, 526:
		return CodeUnreachable
	case 503, 529:
		return CodeOverloaded
	}
	switch {
	case 400 <= status && status < 500:
		return CodeInvalidRequest
	case 300 <= status && status < 400:
		return CodeBadAnswer
	default:
		return CodeServerError
	}
}

// Origin says whose fault an error is.
type Origin string

// The origins of errors.
const (
	OriginClient   Origin = "client"
	OriginGateway  Origin = "gateway"
	OriginProvider Origin = "provider"
)

// Error is how a call or an attempt failed.
type Error struct {
	Code   Code
	Origin Origin
	// Message is safe to show to the client. It never holds a secret, and no
	// vendor's text that could.
	Message string
	// Status is the HTTP status the vendor answered with; 0 if none.
	Status int
	// Param names the request field at fault, where known.
	Param string
	// Type and VendorCode are the vendor's own words for the kind of error;
	// identifiers, never prose.
	Type, VendorCode string
	// Sealed says that the vendor cannot read what the request holds of earlier answers, signed or
	// sealed, as when another account had them: it may take the request without.
	Sealed bool
	// OfModel says that a quota is the model's: the account's other models have their own.
	OfModel bool
	// OfObject says that what the vendor does not have is something that the request names, and not
	// the model.
	OfObject bool
	// RetryAfter is when the vendor wants to be asked again; 0 when it did not say.
	RetryAfter time.Duration
	// Err is the cause. It is logged, never shown.
	Err error
}

// Error returns the message with the code, for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is the status to answer with where the dialect has no own rule:
// the code's, since a vendor's odd status would mislead the client's SDK.
func (e *Error) HTTPStatus() int { return e.Code.Info().Status }

// Invalid returns an error of the client's making.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidRequest, Origin: OriginClient, Param: param, Message: fmt.Sprintf(format, args...)}
}
