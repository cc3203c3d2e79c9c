package ollama

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// NewEmbed returns the dialect of Ollama's /api/embed: https://docs.ollama.com/api/embed. The server cuts the end of what
// is too long, unless it is told not to. The older /api/embeddings, of one text a call, is not spoken.
func NewEmbed() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.OllamaEmbed, Operation: dialect.Embed,
		Endpoints: []dialect.Endpoint{{Method: "POST", Path: "/api/embed", Operation: dialect.Embed}},
		Client:    embedClient{},
		Provider:  embedProvider{},
		Relay:     embedRelay{},
		Fields:    embedFields(),
		Carries:   embedCarries(),
	}
}

// selfEmbed is the key of this dialect in llm.Extra.
const selfEmbed = string(dialect.OllamaEmbed)

var (
	_ dialect.ClientSide   = embedClient{}
	_ dialect.ProviderSide = embedProvider{}
	_ dialect.Relay        = embedRelay{}
)

// embedTypes are the kinds of a request's members [oll:EmbedRequest].
var embedTypes = forms.NewTypes(
	[2]string{"string", "model"},
	[2]string{"string or array", "input"},
	[2]string{"integer", "dimensions"},
	[2]string{"boolean", "truncate"},
)

func embedFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "input", Feature: llm.FeatureCommon},
		{Path: "dimensions", Feature: llm.FeatureDimensions},
		{Path: "truncate", Feature: llm.FeatureTruncate},
		{Path: "options", Severity: llm.Harmless, Note: "how the server runs the model"},
		{Path: "keep_alive", Severity: llm.Harmless, Note: "how long the server keeps the model"},
	}
}

func embedCarries() dialect.Carries {
	return dialect.Carries{
		llm.FeatureDimensions: {Action: llm.ActionMapped},
		llm.FeatureTruncate:   {Action: llm.ActionMapped, Note: "always the end"},
		llm.FeatureJoinedInput: {
			Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "texts are put on lines of their own; not with images",
		},
	}
}

// embedClient is the dialect towards a client.
type embedClient struct{ dialect.NoStream }

// EncodeError writes an error as Chat does.
func (embedClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (embedClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	e := &llm.Embed{}
	req := &llm.Request{Embed: e}
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "model":
			req.Model, err = v.Text()
		case key == "input":
			e.Inputs, err = inputsOf(v)
		case key == "dimensions":
			e.Dimensions, err = intBetween(v, 1, 1<<31)
		case key == "truncate":
			cut, err := v.Bool()
			e.Truncate = llm.TruncateNone
			if cut {
				e.Truncate = llm.TruncateEnd
			}
			return err
		default:
			req.Extra = req.Extra.Add(selfEmbed, key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, invalid(err)
	case len(e.Inputs) == 0:
		return nil, llm.Invalid("input", "input is required")
	}
	return req, nil
}

// inputsOf reads a text or a list of texts.
func inputsOf(v jsontext.Value) (list []llm.EmbedInput, err error) {
	if v.Kind() == jsontext.String {
		text, err := v.Text()
		return []llm.EmbedInput{{Text: text}}, err
	}
	err = v.Array(func(_ int, v jsontext.Value) error {
		text, err := v.Text()
		list = append(list, llm.EmbedInput{Text: text})
		return err
	})
	return list, err
}

// EncodeResponse writes an answer.
func (embedClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	list := r.VectorsOf()
	if len(list) == 0 {
		return nil, nil, forms.BadAnswer("got no vectors of floats")
	}
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("model", r.Model)
	w.Key("embeddings")
	w.BeginArray()
	for i, v := range list {
		text, err := vector.Array(v.Numbers, v.Packed)
		if err != nil {
			return nil, nil, forms.BadAnswer("vector %d: %w", i, err)
		}
		w.Raw(text)
	}
	w.EndArray()
	if r.Usage.Known {
		w.IntField("prompt_eval_count", r.Usage.Input())
	}
	w.EndObject()
	return w.Bytes(), nil, nil
}

// embedProvider is the dialect towards a provider.
type embedProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Chat does.
func (embedProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request.
func (embedProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	var enc dialect.Encoded
	e := req.Embed
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("model", target.Model)
	w.Key("input")
	w.BeginArray()
	for i := range e.Inputs {
		text, ok := e.Inputs[i].Plain()
		if !ok { // the contract refuses it before
			return dialect.Encoded{}, unsupported(llm.FeatureTokenInput)
		}
		w.String(text)
	}
	w.EndArray()
	if e.Dimensions != nil {
		w.IntField("dimensions", *e.Dimensions)
	}
	switch e.Truncate {
	case llm.TruncateNone:
		w.BoolField("truncate", false)
	case llm.TruncateEnd:
		w.BoolField("truncate", true)
	case llm.TruncateStart:
		w.BoolField("truncate", true)
		enc.Losses = []llm.Loss{{Feature: llm.FeatureTruncate, Action: llm.ActionApproximated, Severity: llm.Tuning, Detail: "the end is cut"}}
	}
	for _, m := range req.Extra[selfEmbed] {
		if !embedNames.IsVariant(m.Key) {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	enc.Body = w.Bytes()
	return enc, nil
}

// embedNames is never changed.
var embedNames = dialect.NamesOf(embedFields())

// DecodeResponse reads an answer. Its vectors alias body.
func (embedProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("%w", err)
	}
	embeddings := v.Get("embeddings")
	if message := messageOf(v); message != "" && embeddings == nil {
		return nil, errorOf(0, message)
	}
	n := forms.Count(v.Get("prompt_eval_count"))
	r := &llm.Response{Usage: llm.Usage{Known: n > 0, InFresh: n}}
	if model := v.Get("model"); model.Kind() == jsontext.String {
		if r.Model, err = model.Text(); err != nil {
			return nil, forms.BadAnswer("model: %w", err)
		}
	}
	var list []llm.Vector
	err = embeddings.Array(func(_ int, v jsontext.Value) error {
		if !vector.IsNumbers(v) {
			return errors.New("want an array of numbers")
		}
		list = append(list, llm.Vector{Numbers: v})
		return nil
	})
	switch {
	case err != nil:
		return nil, forms.BadAnswer("embeddings: %w", err)
	case len(list) == 0:
		return nil, forms.BadAnswer("got no vectors")
	}
	r.Vectors = []llm.Vectors{{Kind: llm.VectorFloat, List: list}}
	return r, nil
}

// embedRelay relays what is never streamed and has nothing of this gateway's in it.
type embedRelay struct{}

// Peek reads the model, as Chat does.
func (embedRelay) Peek(body []byte) (dialect.Peeked, error) {
	p, err := peek(body, embedTypes)
	return dialect.Peeked{Model: p.Model}, err
}

// SetModel replaces the model.
func (embedRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	return relay{}.SetModel(body, model, ask)
}

// Strip returns body.
func (embedRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (embedRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(embedProvider{}) }
