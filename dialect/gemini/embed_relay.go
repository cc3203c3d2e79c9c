package gemini

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// embedRelay is the dialect towards a provider that speaks it too.
type embedRelay struct{ embedForm }

// The kinds of a request's members [gem:EmbedContentRequest, gem:BatchEmbedContentsRequest].
var (
	embedTypes = newTypes(
		[2]string{"string", "model taskType"},
		[2]string{"object", "content embedContentConfig"},
		[2]string{"integer or string", "outputDimensionality"}, // https://protobuf.dev/programming-guides/json/
		[2]string{"boolean", "autoTruncate"},
	)
	batchTypes = newTypes([2]string{"array", "requests"})
)

// Peek reads nothing, and only refuses: the path says all that routing needs.
func (r embedRelay) Peek(body []byte) (dialect.Peeked, error) {
	types := embedTypes
	if r.batch {
		types = batchTypes
	}
	if err := types.CheckAll(bytes.TrimSpace(body)); err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	return dialect.Peeked{}, nil
}

// SetModel replaces the model's name wherever the body has it, beside the path.
func (r embedRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	body, err := relay{}.SetModel(body, model, ask)
	if err != nil || !r.batch || jsontext.Value(bytes.TrimSpace(body)).Get("requests").Kind() != jsontext.Array {
		return body, err
	}
	return jsontext.Set(body, "requests[].model", jsontext.AppendString(nil, "models/"+model))
}

// Strip returns body.
func (embedRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (r embedRelay) NewTap(dialect.Ask) dialect.Tap {
	return dialect.NewWholeTap(embedProvider{embedForm: r.embedForm})
}
