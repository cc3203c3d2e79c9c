package forms

import (
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// ProviderError is an error of the provider's making, said in our own words.
func ProviderError(code llm.Code) *llm.Error {
	return &llm.Error{Code: code, Origin: llm.OriginProvider, Message: code.Info().Doc}
}

// BadAnswer is the error for an answer against the dialect's grammar.
func BadAnswer(format string, args ...any) *llm.Error {
	e := ProviderError(llm.CodeBadAnswer)
	e.Err = fmt.Errorf(format, args...)
	return e
}

// Truncated is the error for a stream that broke off.
func Truncated(why string) *llm.Error {
	e := ProviderError(llm.CodeTruncated)
	e.Err = errors.New(why)
	return e
}

// Invalid turns what went wrong while a request was read into the client's fault.
func Invalid(err error) *llm.Error {
	var path string
	var at *jsontext.PathError
	if errors.As(err, &at) {
		path, err = at.Path, at.Err
	}
	var e *llm.Error
	if errors.As(err, &e) {
		if e.Param == "" && path != "" {
			located := *e
			located.Param = path
			located.Message = path + ": " + e.Message
			return &located
		}
		return e
	}
	if path == "" {
		return llm.Invalid("", "The request is not valid: %v.", err)
	}
	return llm.Invalid(path, "%s: %v", path, err)
}

// IsClientFault reports whether the vendor's message helps the client: it is about the client's own request.
func IsClientFault(c llm.Code) bool {
	switch c {
	case llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeTooLarge, llm.CodeContentPolicy:
		return true
	default:
		return false
	}
}

// InvalidAt turns an error with a path into the client's error, which is in words that have a place
// for the path and for what is wrong. An error that has its words keeps them.
func InvalidAt(err error, words string) *llm.Error {
	var e *llm.Error
	var at *jsontext.PathError
	path := ""
	if errors.As(err, &at) {
		path = at.Path
	}
	if errors.As(err, &e) {
		if e.Param == "" {
			e.Param = path
		}
		return e
	}
	if at != nil {
		err = at.Err
	}
	return llm.Invalid(path, words, path, err)
}
