package fakeprovider

import (
	"fmt"
	"net/http"
	"strings"
)

// VertexEmbed is the dialect of predict as Vertex AI's embedding models have it.
const VertexEmbed = "vertex-embed"

// vertexOf reads a path of Vertex AI's that the Gemini API does not have; it is nil for other paths.
func vertexOf(r *http.Request) vendor {
	publisher, operation, _ := strings.Cut(r.URL.Path, "/models/")
	model, verb, _ := strings.Cut(operation, ":")
	switch isClaude := strings.HasSuffix(publisher, "/publishers/anthropic"); {
	case isClaude && model == "count-tokens" && verb == "rawPredict":
		return vertexCount{anthropicCount{}, r.URL.Path}
	case isClaude && (verb == "rawPredict" || verb == "streamRawPredict"):
		return vertexClaude{path: r.URL.Path, model: model, isStream: verb != "rawPredict"}
	case strings.HasSuffix(publisher, "/publishers/google") && verb == "predict":
		return predict{gemini{path: r.URL.Path, model: model}}
	}
	return nil
}

// vertexClaude is Claude at Vertex AI: Anthropic's bodies and streams, without the model.
type vertexClaude struct {
	anthropic
	path, model string
	isStream    bool
}

func (v vertexClaude) chatPath() string { return v.path }

func (vertexClaude) authorize(s *Server, r *http.Request) *Error { return gemini{}.authorize(s, r) }

// unversioned takes the version out of a body.
func unversioned(body object) *Error {
	if str(body, "anthropic_version") != "vertex-2023-10-16" {
		return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: "anthropic_version: Field required"}
	}
	delete(body, "anthropic_version")
	return nil
}

func (v vertexClaude) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	if e := unversioned(body); e != nil {
		return Ask{}, e
	}
	if has(body, "model") {
		return Ask{}, &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: "model: Extra inputs are not permitted"}
	}
	body["model"], body["stream"] = v.model, v.isStream
	return v.anthropic.read(s, http.Header{}, body)
}

// vertexCount counts the tokens of Messages there, of the model in the body.
type vertexCount struct {
	anthropicCount
	path string
}

func (v vertexCount) chatPath() string { return v.path }

func (vertexCount) authorize(s *Server, r *http.Request) *Error { return gemini{}.authorize(s, r) }

func (v vertexCount) read(s *Server, h http.Header, body object) (Ask, *Error) {
	if e := unversioned(body); e != nil {
		return Ask{}, e
	}
	return v.anthropicCount.read(s, h, body)
}

// predict speaks the bodies of Vertex AI's text embedding models.
type predict struct{ gemini }

func (v predict) read(_ *Server, _ http.Header, body object) (Ask, *Error) {
	a := Ask{Dialect: VertexEmbed, N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}}}
	a.Model, a.markers = splitModel(v.model)
	bad := func(format string, args ...any) (Ask, *Error) {
		return a, &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Message: fmt.Sprintf(format, args...)}
	}
	most := 250
	if strings.HasPrefix(v.model, "gemini-embedding") {
		most = 1
	}
	instances, parameters := list(body, "instances"), obj(body, "parameters")
	if n := len(instances); n == 0 || n > most {
		return bad("%d instance(s) is allowed per prediction. Actual: %d", most, n)
	}
	if key := or(unknown(body, "instances", "parameters", "labels"), unknown(parameters, "outputDimensionality", "autoTruncate")); key != "" {
		return bad("Unknown name %q: Cannot find field.", key)
	}
	for _, one := range instances {
		o, _ := one.(object)
		text, isText := o["content"].(string)
		if key := unknown(o, "content", "task_type", "title"); key != "" || !isText {
			return bad("Invalid instance: no content, or %q", key)
		}
		a.Embed.Inputs = append(a.Embed.Inputs, text)
		a.Embed.Purpose = str(o, "task_type")
	}
	n, ok := count(parameters, "outputDimensionality")
	if !ok || n < 0 {
		return bad("outputDimensionality must be positive")
	}
	if a.Embed.Dimensions = n; n == 0 {
		a.Embed.Dimensions = defaultDimensions
	}
	a.Tokens = a.Embed.tokens()
	return a, nil
}

func (predict) unary(a Ask, _ *Reply, _ int64) []byte {
	rows := make([]string, len(a.Embed.Inputs))
	for i, in := range a.Embed.Inputs {
		rows[i] = fmt.Sprintf(`{"embeddings":{"statistics":{"truncated":false,"token_count":%d},"values":%s}}`,
			len(strings.Fields(in)), floats(Vector(in, a.Embed.Dimensions)))
	}
	return []byte(`{"predictions":[` + strings.Join(rows, ",") + `],"metadata":{"billableCharacterCount":7}}`)
}

// stream is what a server sends that streams unasked.
func (v predict) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}
