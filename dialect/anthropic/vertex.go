package anthropic

import (
	"github.com/understudy-ai/understudy/dialect"
)

// The paths at which Vertex AI serves the vendor's models, and its counter in the place of one.
const vertexPublisher = "/projects/{project}/locations/{location}/publishers/anthropic/models/"

// NewVertex returns the dialect in the frame of Vertex AI: https://docs.claude.com/en/api/claude-on-vertex-ai
//
// The path has the model and says whether to stream, and the body has the version; all else is the vendor's own.
func NewVertex() *dialect.Dialect {
	d := New()
	d.Endpoints = nil
	for _, version := range []string{"/v1", "/v1beta1"} {
		at := version + vertexPublisher + "{model}"
		d.Endpoints = append(d.Endpoints,
			dialect.Endpoint{Method: "POST", Path: at + ":rawPredict", Operation: dialect.Generate},
			dialect.Endpoint{Method: "POST", Path: at + ":streamRawPredict", Operation: dialect.Generate, Stream: true},
		)
	}
	d.ErrorHeader = ""
	d.Canonical = vertexCanonical
	return d
}

// NewVertexCount returns the dialect of token counts in the same frame. The path looks like a model's, and the model is in
// the body. It goes before NewVertex in a list.
func NewVertexCount() *dialect.Dialect {
	d := NewCount()
	d.Endpoints = nil
	for _, version := range []string{"/v1", "/v1beta1"} {
		d.Endpoints = append(d.Endpoints, dialect.Endpoint{Method: "POST", Path: version + vertexPublisher + "count-tokens:rawPredict", Operation: dialect.CountTokens})
	}
	d.Canonical = vertexCanonical
	return d
}

// vertexCanonical makes a request of the vendor's own API of one to Vertex AI.
func vertexCanonical(f dialect.Framed) (dialect.Canonical, error) { return unframed(f.Body, f) }
