package cohere

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// NewEmbed returns the dialect of Cohere's Embed API, version 2: https://docs.cohere.com/v2/reference/embed. Services
// that run the vendor's models take the same bodies.
func NewEmbed() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.CohereEmbed, Operation: dialect.Embed,
		Endpoints:       []dialect.Endpoint{{Method: "POST", Path: "/v2/embed", Operation: dialect.Embed}},
		RequestIDHeader: "X-Debug-Trace-Id",
		RelayHeaders:    []string{"X-Client-Name"},
		Client:          embedClient{},
		Provider:        embedProvider{},
		Relay:           wholeRelay{embedProvider{}, embedTypes},
		Fields:          embedFields(),
		Carries:         embedCarries(),
	}
}

// selfEmbed is the key of this dialect in llm.Extra.
const selfEmbed = string(dialect.CohereEmbed)

var (
	_ dialect.ClientSide   = embedClient{}
	_ dialect.ProviderSide = embedProvider{}
	_ dialect.Relay        = wholeRelay{}
)

// maxInputs is how many texts, or mixed inputs, a call may have [coh:embedv2].
const maxInputs = 96

func embedFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "texts", Feature: llm.FeatureCommon},
		{Path: "images", Feature: llm.FeatureImageData},
		{Path: "inputs", Feature: llm.FeatureJoinedInput},
		{Path: "inputs[].content[].image_url", Feature: llm.FeatureImageURL},
		{Path: "input_type", Feature: llm.FeaturePurpose},
		{Path: "output_dimension", Feature: llm.FeatureDimensions},
		{Path: "embedding_types", Feature: llm.FeatureVectorKinds, Note: "float and base64 are made of each other, exactly"},
		{Path: "truncate", Feature: llm.FeatureTruncate},
		{Path: "max_tokens", Severity: llm.Tuning, Note: "how many tokens of an input count"},
		{Path: "priority", Severity: llm.Harmless, Note: "how early the vendor handles the request"},
	}
}

func embedCarries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureImageData:   mapped,
		llm.FeatureImageURL:    {Action: llm.ActionRefused, Note: "images are taken as data alone"},
		llm.FeatureJoinedInput: mapped,
		llm.FeaturePurpose:     {Action: llm.ActionMapped, Note: "where none is given, search_document is sent and reported"},
		llm.FeatureDimensions:  mapped,
		llm.FeatureVectorKinds: mapped,
		llm.FeatureTruncate:    mapped,
	}
}

// wholeRelay relays what is never streamed and has nothing of this gateway's in it.
type wholeRelay struct {
	provider dialect.ProviderSide
	types    *forms.Types
}

// embedTypes are the kinds of a request's members [coh:/v2/embed].
var embedTypes = forms.NewTypes(
	[2]string{"string", "model input_type truncate"},
	[2]string{"array", "texts images inputs embedding_types"},
	[2]string{"integer", "output_dimension"},
)

// Peek reads the model, as Chat does.
func (r wholeRelay) Peek(body []byte) (dialect.Peeked, error) {
	p, err := peek(body, r.types)
	return dialect.Peeked{Model: p.Model}, err
}

// SetModel replaces the model.
func (wholeRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	return relay{}.SetModel(body, model, ask)
}

// Strip returns body.
func (wholeRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (r wholeRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(r.provider) }
