package gemini

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

var _ dialect.Relay = relay{}

// types are the kinds of a request's members [gem:GenerateContentRequest].
var types = newTypes(
	[2]string{"string", "model serviceTier"},
	[2]string{"array or object", "contents tools"}, // one stands for a list of one
	[2]string{"object", "systemInstruction toolConfig generationConfig"},
)

// newTypes makes a table of members in either spelling.
func newTypes(rows ...[2]string) *forms.Types {
	for i := range rows {
		for _, name := range strings.Fields(rows[i][1]) {
			if other := snake(name); other != name {
				rows[i][1] += " " + other
			}
		}
	}
	return forms.NewTypes(rows...)
}

// Peek reads what routing needs. The path says the rest. A stream of this dialect always tells its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return dialect.Peeked{}, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	p := dialect.Peeked{StreamUsage: true}
	var config jsontext.Value
	err := doc.Members(func(name []byte, v jsontext.Value) error {
		if !v.IsNull() {
			switch string(name) {
			case "generationConfig", "generation_config":
				config = v
			case "serviceTier", "service_tier":
				p.Tier = forms.TextOf(v)
			}
		}
		return types.Check(name, v)
	})
	if err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	if n, err := get(config, "candidateCount").Int(); err == nil && n > 1 && n <= maxCandidates { // whether it is legal is the vendor's to say
		p.Choices = n
	}
	if n, err := get(config, "maxOutputTokens").Int(); err == nil && n > 0 {
		p.MaxTokens = min(n, 1<<48) * max(p.Choices, 1) // it is never so large
	}
	return p, nil
}

// SetModel replaces the model's name where the body has it, beside the path. There is nothing to ask for: usage always
// comes.
func (relay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	named, err := jsontext.Value(bytes.TrimSpace(body)).Get("model").Text()
	if err != nil {
		return body, nil //nolint:nilerr // there is none
	}
	return jsontext.SetTopString(body, "model", named[:strings.LastIndexByte(named, '/')+1]+model)
}

// Strip removes the thoughts of the history that carry this gateway's own signature: no vendor made that. A content
// that held nothing else goes with them.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(`"`+shownMarker)) {
		return body, nil, nil
	}
	out, changed, err := forms.DropBlocks(body, "contents", "parts", func(part jsontext.Value) bool { return isOwnSignature(get(part, "thoughtSignature")) })
	if err != nil {
		return nil, nil, forms.Invalid(err)
	}
	if !changed {
		return body, nil, nil
	}
	return out, []llm.Loss{{
		Feature: llm.FeatureThinkingHistory, Action: llm.ActionDropped, Severity: llm.Harmless,
		Detail: "thinking of another vendor",
	}}, nil
}
