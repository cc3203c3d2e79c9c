package forms

import (
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// maxMessage is how many bytes of a vendor's message are shown.
const maxMessage = 1024

// DecodeOpenAIError classifies an error answer: by the vendor's code or type where they say more than the status, by the
// status otherwise. The vendor's message is shown only where the fault is the client's.
func DecodeOpenAIError(status int, body []byte) *llm.Error {
	var f Fault
	if v, err := jsontext.ParseLenient(body); err == nil {
		f.Read(v)
	}
	return f.ToError(status)
}

// OpenAIErrorIn is the error that an answer of status 200 or a frame of a stream holds, or nil. A member that is null
// or empty is none. What has the member answer, as every whole answer has, is no error itself.
func OpenAIErrorIn(v jsontext.Value, answer string) *llm.Error {
	if v.Kind() != jsontext.Object {
		return nil
	}
	e := v.Get("error")
	switch e.Kind() {
	case jsontext.Object:
		if string(jsontext.Compact(nil, e)) == "{}" {
			return nil
		}
	case jsontext.String:
		if string(e) == `""` {
			return nil
		}
	case jsontext.Number, jsontext.Array:
	default:
		if !isFlatError(v, answer) {
			return nil
		}
	}
	var f Fault
	f.Read(v)
	return f.ToError(0)
}

// isFlatError reports whether an object without the member that answers have is itself an error.
func isFlatError(v jsontext.Value, answer string) bool {
	if v.Get(answer) != nil {
		return false
	}
	kind := Scalar(v.Get("type"))
	if Scalar(v.Get("object")) == "error" || kind == "error" || v.Get("errors").Kind() == jsontext.Array || !v.Get("detail").IsNull() {
		return true
	}
	isNamed := strings.Contains(kind, "error") || !v.Get("code").IsNull() || !v.Get("status").IsNull()
	return isNamed && v.Get("message").Kind() == jsontext.String
}

// Fault is what a vendor said about an error, in any of the shapes it is said in.
type Fault struct{ Message, Kind, Code, Inner, Param string }

// Read finds the fault in a body.
func (f *Fault) Read(v jsontext.Value) {
	switch v.Kind() {
	case jsontext.Array: // some servers wrap the error in a list
		_ = v.Array(func(i int, v jsontext.Value) error {
			if i == 0 && v.Kind() == jsontext.Object {
				f.Read(v)
			}
			return nil
		})
		return
	case jsontext.String:
		f.Message = Scalar(v)
		return
	case jsontext.Object:
	default:
		return
	}
	switch e := v.Get("error"); e.Kind() {
	case jsontext.Object:
		f.Object(e)
	case jsontext.String:
		f.Object(v)
		f.Message = Scalar(e)
	case jsontext.Number:
		f.Object(v)
		f.Code = string(e)
	default:
		f.Object(v)
		f.detail(v)
	}
}

// Object finds it in an object.
func (f *Fault) Object(v jsontext.Value) {
	f.Message, f.Kind = Scalar(v.Get("message")), Scalar(v.Get("type"))
	f.Code, f.Param = Scalar(v.Get("code")), Scalar(v.Get("param"))
	for _, key := range [...]string{"innererror", "inner_error"} {
		if inner := Scalar(v.Get(key, "code")); inner != "" {
			f.Inner = inner
		}
	}
}

// detail reads the shapes of web frameworks: {"detail": text}, {"detail": [{"msg"}]}, {"errors": [{"message"}]}.
func (f *Fault) detail(v jsontext.Value) {
	if f.Message == "" {
		f.Message = Scalar(v.Get("detail"))
	}
	for _, list := range [...]jsontext.Value{v.Get("detail"), v.Get("errors")} {
		_ = list.Array(func(i int, v jsontext.Value) error {
			if i == 0 && f.Message == "" {
				f.Message = Scalar(v.Get("message")) + Scalar(v.Get("msg"))
				f.Code = Scalar(v.Get("code"))
			}
			return nil
		})
	}
}

// ToError makes the error of its class. A status of 0 means that the error came within an answer; then a code that
// is a status stands for it.
func (f *Fault) ToError(status int) *llm.Error {
	known := status
	if n, err := jsontext.Value(f.Code).Int(); err == nil && n >= 400 && n <= 599 && (status < 400 || status == 500) {
		status = int(n)
	}
	code, ok := CodeOfOpenAIWord(f.Code)
	if !ok {
		code, ok = CodeOfOpenAIWord(f.Inner)
	}
	if !ok {
		code, ok = CodeOfOpenAIWord(f.Kind)
	}
	switch {
	case !ok && status == 0:
		code = llm.CodeServerError
	case !ok || isGeneric(code) && status > 400 && status != 500:
		code = llm.CodeOfStatus(status)
	}
	e := &llm.Error{
		Code: code, Origin: llm.OriginProvider, Status: known,
		Type: Identifier(f.Kind), VendorCode: Identifier(f.Code), Param: Identifier(f.Param),
	}
	e.Sealed = f.Code == unreadable || f.Inner == unreadable
	// Of a model that it does not have, the vendor says so by a code; of items, conversations, prompts and vector
	// stores it says no more than this.
	e.OfObject = code == llm.CodeModelGone && f.Kind == "invalid_request_error" && e.VendorCode == "" && f.Param != "model"
	e.Message = ShownMessage(code, f.Message)
	return e
}

// unreadable is the vendor's code for reasoning that was encrypted for another account.
const unreadable = "invalid_encrypted_content"

// isGeneric reports whether a vendor's word for a class is used so widely that a plain status says more.
func isGeneric(c llm.Code) bool { return c == llm.CodeInvalidRequest || c == llm.CodeServerError }

// CodeOfOpenAIWord knows the codes and types of OpenAI and of servers compatible with it.
func CodeOfOpenAIWord(word string) (llm.Code, bool) {
	switch strings.ToLower(word) {
	case "context_length_exceeded", "exceed_context_size_error":
		return llm.CodeContextLength, true
	case "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded", "billing_error",
		"insufficient_balance":
		return llm.CodeQuota, true
	case "rate_limit_exceeded", "rate_limit_error", "too_many_requests", "rate_limited", "tokens", "requests",
		"ratelimitreached":
		return llm.CodeRateLimit, true
	case "model_not_found", "deploymentnotfound", "model_not_available", "invalid_model", "unknown_model":
		return llm.CodeModelGone, true
	case "invalid_api_key", "authentication_error", "invalid_authentication_error", "permission_error", "permission_denied",
		"unauthorized", "provider_auth", "unsupported_country_region_territory", "insufficient_permissions":
		return llm.CodeProviderAuth, true
	case "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "invalid_prompt",
		"data_inspection_failed", "contentfilter", "bio_policy", "cyber_policy", "image_content_policy_violation":
		return llm.CodeContentPolicy, true
	case "request_too_large", "payload_too_large":
		return llm.CodeTooLarge, true
	case "overloaded", "overloaded_error", "engine_overloaded", "engine_overloaded_error", "server_overloaded", "slow_down",
		"service_unavailable", "service_unavailable_error", "nocapacity", "resource_unavailable", "server_is_overloaded":
		return llm.CodeOverloaded, true
	case "timeout", "timeout_error", "request_timeout", "gateway_timeout", "vector_store_timeout":
		return llm.CodeTimeout, true
	case "tool_use_failed", "bad_answer", "json_validate_failed":
		return llm.CodeBadAnswer, true
	case "truncated":
		return llm.CodeTruncated, true
	case "unreachable":
		return llm.CodeUnreachable, true
	case "server_error", "internal_server_error", "internal_error", "api_error", "internalservererror":
		return llm.CodeServerError, true
	case "invalid_request_error", "unsupported_parameter", "unsupported_value", "invalid_value", "invalid_type",
		"string_above_max_length", "missing_required_parameter", "bad_request", "bad_request_error", "badrequesterror",
		"validation_error", "invalid_parameter_error", "previous_response_not_found", unreadable,
		"invalid_json_schema", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url", "image_too_large",
		"image_too_small", "image_parse_error", "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type",
		"empty_image_file", "failed_to_download_image", "image_file_not_found":
		return llm.CodeInvalidRequest, true
	}
	return "", false
}

// Identifier returns s if it is a word such as vendors use for codes and fields, and nothing otherwise.
func Identifier(s string) string {
	const longest = 64
	if len(s) > longest || IsSecret(s) {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_-.[]", rune(c)) {
			return ""
		}
	}
	return s
}

// maxBody is how many bytes an error's body may have.
const maxBody = 1024

// AppendOpenAIError appends the body of an error, which is also the data of a stream's last frame.
func AppendOpenAIError(dst []byte, e *llm.Error) []byte {
	kind, code := OpenAIWords(e.Code)
	message, param := e.Message, Clip(e.Param, 128)
	if message == "" {
		message = e.Code.Info().Doc
	}
	message = Clip(message, maxBody)
	for {
		var w jsontext.Writer
		w.Reset(dst)
		w.BeginObject()
		w.Key("error")
		w.BeginObject()
		w.StringField("message", message)
		w.StringField("type", kind)
		if param != "" {
			w.StringField("param", param)
		} else {
			w.NullField("param")
		}
		if code != "" {
			w.StringField("code", code)
		} else {
			w.NullField("code")
		}
		w.EndObject()
		w.EndObject()
		body := w.Bytes()
		over := len(body) - len(dst) - maxBody
		switch {
		case over <= 0:
			return body
		case message == "":
			param = ""
		}
		message = Clip(message, max(0, len(message)-over))
	}
}

// OpenAIWords is the type and code of a class of error (openai.yaml, Error; the codes are those the vendor's API answers
// with). A class the vendor has no code for goes by this gateway's.
func OpenAIWords(c llm.Code) (kind, code string) {
	const client, server = "invalid_request_error", "server_error"
	switch c {
	case llm.CodeInvalidRequest:
		return client, ""
	case llm.CodeUnsupported:
		return client, "unsupported_parameter"
	case llm.CodeContextLength:
		return client, "context_length_exceeded"
	case llm.CodeContentPolicy:
		return client, "content_policy_violation"
	case llm.CodeAuthentication:
		return client, "invalid_api_key"
	case llm.CodePermission:
		return client, "insufficient_permissions"
	case llm.CodeModelNotFound, llm.CodeModelGone:
		return client, "model_not_found"
	case llm.CodePathNotFound:
		return client, "unknown_url"
	case llm.CodeMethod:
		return client, "method_not_supported"
	case llm.CodeTooLarge:
		return client, "request_too_large"
	case llm.CodeAmbiguous, llm.CodeMediaType, llm.CodeKeyReused, llm.CodeRequestTimeout, llm.CodeConflict, llm.CodeNotImplemented, llm.CodeClientGone:
		return client, string(c)
	case llm.CodeRateLimit:
		return "requests", "rate_limit_exceeded"
	case llm.CodeQuota:
		return "insufficient_quota", "insufficient_quota"
	default:
		return server, string(c)
	}
}
