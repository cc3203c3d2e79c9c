package dialect

import (
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Exception is the name that AWS gives to a kind of error, and the HTTP status that goes with it. Two dialects need
// them: Bedrock's own, and Anthropic's where Bedrock serves it.
type Exception struct {
	Status int
	Name   string // as in the header X-Amzn-Errortype; inside a stream it begins with a small letter
}

// ExceptionHeader is the response header that names the exception.
const ExceptionHeader = "X-Amzn-Errortype"

// ExceptionMember is where the name of an exception stands in a body: AWS's other protocols put it there, and its
// SDKs look there when the header is missing.
const ExceptionMember = "__type"

// ExceptionOf is the exception for a class of errors.
func ExceptionOf(c llm.Code) Exception {
	switch c {
	case llm.CodeAuthentication:
		return Exception{403, "UnrecognizedClientException"}
	case llm.CodePermission:
		return Exception{403, "AccessDeniedException"}
	case llm.CodeModelNotFound, llm.CodeModelGone:
		return Exception{404, "ResourceNotFoundException"}
	case llm.CodePathNotFound:
		return Exception{404, "UnknownOperationException"}
	case llm.CodeMethod:
		return Exception{405, "UnknownOperationException"}
	case llm.CodeRequestTimeout:
		return Exception{408, "RequestTimeoutException"}
	case llm.CodeTimeout:
		return Exception{408, "ModelTimeoutException"}
	case llm.CodeConflict:
		return Exception{409, "ConflictException"}
	case llm.CodeTooLarge:
		return Exception{413, "RequestEntityTooLargeException"}
	case llm.CodeMediaType:
		return Exception{415, "UnsupportedMediaTypeException"}
	case llm.CodeKeyReused:
		return Exception{422, "ValidationException"}
	case llm.CodeRateLimit:
		return Exception{429, "ThrottlingException"}
	case llm.CodeQuota:
		return Exception{400, "ServiceQuotaExceededException"}
	case llm.CodeOverloaded, llm.CodeUnavailable, llm.CodeLedger:
		return Exception{503, "ServiceUnavailableException"}
	case llm.CodeBadAnswer, llm.CodeOtherModel, llm.CodeTruncated:
		return Exception{424, "ModelErrorException"}
	case llm.CodeServerError, llm.CodeInternal, llm.CodeUnreachable, llm.CodeProviderAuth:
		return Exception{500, "InternalServerException"}
	case llm.CodeClientGone, llm.CodeOutrun:
		return Exception{499, "InternalServerException"}
	default:
		return Exception{400, "ValidationException"}
	}
}

// StreamExceptionOf is the exception that a stream ends in for a class of errors: one of those that every stream of
// Bedrock's may hold.
func StreamExceptionOf(c llm.Code) string {
	switch e := ExceptionOf(c); e.Name {
	case "ValidationException", "ThrottlingException", "ServiceUnavailableException":
		return lowerFirst(e.Name)
	case "ServiceQuotaExceededException":
		return "throttlingException"
	case "ModelErrorException", "ModelTimeoutException":
		return "modelStreamErrorException"
	default:
		return "internalServerException"
	}
}

// CodeOfException is the class of an exception by its name, as the header, a body or a stream has it; what follows
// a colon is an address. It is false for a name that says nothing, for which the status must do.
func CodeOfException(name string) (llm.Code, bool) {
	name, _, _ = strings.Cut(name, ":")
	if i := strings.LastIndexByte(name, '#'); i >= 0 { // a namespace
		name = name[i+1:]
	}
	switch lowerFirst(name) {
	case "validationException", "serializationException":
		return llm.CodeInvalidRequest, true
	case "unrecognizedClientException", "accessDeniedException", "expiredTokenException", "invalidSignatureException",
		"missingAuthenticationTokenException", "incompleteSignatureException", "signatureDoesNotMatch", "requestExpired",
		"invalidClientTokenId", "notAuthorized", "optInRequired":
		return llm.CodeProviderAuth, true
	case "resourceNotFoundException":
		return llm.CodeModelGone, true
	case "unknownOperationException":
		return llm.CodeNotImplemented, true
	case "modelTimeoutException", "requestTimeoutException":
		return llm.CodeTimeout, true
	case "conflictException":
		return llm.CodeConflict, true
	case "requestEntityTooLargeException":
		return llm.CodeTooLarge, true
	case "throttlingException", "throttledException", "tooManyRequestsException":
		return llm.CodeRateLimit, true
	case "serviceQuotaExceededException":
		return llm.CodeQuota, true
	case "serviceUnavailableException", "modelNotReadyException":
		return llm.CodeOverloaded, true
	case "internalServerException", "internalFailure", "modelErrorException", "modelStreamErrorException":
		return llm.CodeServerError, true
	}
	return "", false
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
