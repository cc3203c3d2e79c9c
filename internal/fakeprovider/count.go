package fakeprovider

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Dialects of token counts.
const (
	AnthropicCount = "anthropic-count"
	GeminiCount    = "gemini-count"
	BedrockCount   = "bedrock-count"
)

// anthropicCount counts the tokens of Messages.
type anthropicCount struct{ anthropic }

func (anthropicCount) chatPath() string { return "/v1/messages/count_tokens" }

func (v anthropicCount) read(s *Server, h http.Header, body object) (Ask, *Error) {
	key := unknown(body, "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")
	if key != "" && !s.opts.Lax {
		return Ask{}, &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: key + ": Extra inputs are not permitted"}
	}
	whole := object{"max_tokens": json.Number("64000")}
	for k, v := range body {
		whole[k] = v
	}
	a, err := v.anthropic.read(s, h, whole)
	a.Dialect, a.Tokens = AnthropicCount, len(compact(body))/4+1
	return a, err
}

func (anthropicCount) unary(a Ask, _ *Reply, _ int64) []byte {
	return fmt.Appendf(nil, `{"input_tokens":%d}`, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v anthropicCount) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// geminiCount counts the tokens of generateContent: of a whole request at the Gemini API, and of its members at Vertex AI.
type geminiCount struct{ gemini }

// geminiCountOf reads a path of Google's counter; it is nil for other paths.
func geminiCountOf(r *http.Request) vendor {
	_, operation, _ := strings.Cut(r.URL.Path, "/models/")
	model, verb, _ := strings.Cut(operation, ":")
	if verb != "countTokens" {
		return nil
	}
	return geminiCount{gemini{path: r.URL.Path, model: model}}
}

func (v geminiCount) read(s *Server, h http.Header, body object) (Ask, *Error) {
	bad := func(format string, args ...any) *Error {
		return &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Message: "* CountTokensRequest: " + fmt.Sprintf(format, args...)}
	}
	whole := obj(body, "generateContentRequest")
	switch key := unknown(body, "contents", "systemInstruction", "tools", "generationConfig"); {
	case strings.Contains(v.path, "/publishers/") && key != "":
		return Ask{}, bad("Unknown name %q: Cannot find field.", key)
	case strings.Contains(v.path, "/publishers/"):
		whole = body
	case unknown(body, "contents", "generateContentRequest") != "":
		return Ask{}, bad("Unknown name %q: Cannot find field.", unknown(body, "contents", "generateContentRequest"))
	case whole == nil:
		whole = body
	case has(body, "contents"):
		return Ask{}, bad("either contents or generate_content_request")
	case str(whole, "model") != "models/"+v.model:
		return Ask{}, bad("generate_content_request.model: got %q", str(whole, "model"))
	}
	whole = object{"contents": whole["contents"], "systemInstruction": whole["systemInstruction"], "tools": whole["tools"]}
	for k, v := range whole {
		if v == nil {
			delete(whole, k)
		}
	}
	a, err := v.gemini.read(s, h, whole)
	a.Dialect, a.Tokens = GeminiCount, len(compact(body))/4+1
	return a, err
}

func (geminiCount) unary(a Ask, _ *Reply, _ int64) []byte {
	return fmt.Appendf(nil, `{"totalTokens":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]}`, a.Tokens, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v geminiCount) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// bedrockCount counts the tokens of Converse, and of InvokeModel with Anthropic's bodies.
type bedrockCount struct{ bedrock }

func (v bedrockCount) read(s *Server, h http.Header, body object) (Ask, *Error) {
	bad := func(message string) (Ask, *Error) {
		return Ask{}, &Error{Status: http.StatusBadRequest, Type: "ValidationException", Message: message}
	}
	input := obj(body, "input")
	converse, raw := obj(input, "converse"), obj(input, "invokeModel")
	var a Ask
	var e *Error
	switch {
	case unknown(body, "input") != "" || unknown(input, "converse", "invokeModel") != "" || (converse == nil) == (raw == nil):
		return bad("Invalid input: exactly one of converse and invokeModel must be set.")
	case strings.Contains(strings.TrimPrefix(v.model, "anthropic."), ".anthropic."):
		return bad("The provided model doesn't support counting tokens.")
	case converse != nil:
		if key := unknown(converse, "messages", "system", "toolConfig", "additionalModelRequestFields"); key != "" {
			return bad("Unknown parameter in input.converse: " + key)
		}
		a, e = v.bedrock.read(s, h, converse)
	default:
		text, err := base64.StdEncoding.DecodeString(str(raw, "body"))
		if err != nil {
			return bad("Malformed input request.")
		}
		o, err := decodeObject(text)
		if err != nil {
			return bad("Malformed input request.")
		}
		a, e = invoke(v).read(s, h, o)
	}
	a.Dialect, a.Tokens = BedrockCount, len(compact(body))/4+1
	return a, e
}

func (bedrockCount) unary(a Ask, _ *Reply, _ int64) []byte {
	return fmt.Appendf(nil, `{"inputTokens":%d}`, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v bedrockCount) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}
