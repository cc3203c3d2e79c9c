package openaichat

import (
	"errors"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// NewEmbeddings returns the dialect of OpenAI's embeddings, which compatible servers speak, too:
// https://platform.openai.com/docs/api-reference/embeddings.
//
// The member input_type is not OpenAI's. Several compatible services take it, each with its own words; it is read, and
// not written, because OpenAI's own API refuses members that it does not know.
func NewEmbeddings() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.OpenAIEmbeddings, Operation: dialect.Embed,
		Endpoints: []dialect.Endpoint{
			{Method: "POST", Path: "/v1/embeddings", Operation: dialect.Embed},
			{Method: "POST", Path: "/openai/deployments/{model}/embeddings", Operation: dialect.Embed},
			{Method: "POST", Path: "/openai/v1/embeddings", Operation: dialect.Embed},
		},
		RequestIDHeader: "X-Request-Id",
		Rates:           dialect.OpenAIRates,
		Client:          embedClient{},
		Provider:        embedProvider{},
		Relay:           wholeRelay{embedProvider{}, embedTypes},
		Fields:          embedFields(),
		Carries:         embedCarries(),
	}
}

// selfEmbed is the key of this dialect in llm.Extra.
const selfEmbed = string(dialect.OpenAIEmbeddings)

var (
	_ dialect.ClientSide   = embedClient{}
	_ dialect.ProviderSide = embedProvider{}
	_ dialect.Relay        = wholeRelay{}
)

// embedTypes are the kinds of a request's members.
var embedTypes = forms.NewTypes(
	[2]string{"string", "model encoding_format user"},
	[2]string{"string or array", "input"},
	[2]string{"integer", "dimensions"},
)

func embedFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "input", Feature: llm.FeatureCommon},
		{Path: "input[]", Feature: llm.FeatureTokenInput},
		{Path: "encoding_format", Feature: llm.FeatureCommon, Note: "base64 and numbers are made of each other, exactly"},
		{Path: "dimensions", Feature: llm.FeatureDimensions},
		{Path: "input_type", Feature: llm.FeaturePurpose},
		{Path: "user", Feature: llm.FeatureUser},
	}
}

func embedCarries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureTokenInput: mapped,
		llm.FeatureDimensions: mapped,
		llm.FeatureUser:       mapped,
		llm.FeatureJoinedInput: {
			Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "texts are put on lines of their own; not with images",
		},
	}
}

// embedClient is the dialect towards a client.
type embedClient struct{ dialect.NoStream }

// EncodeError writes an error as Chat Completions do.
func (embedClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request: openai.yaml, CreateEmbeddingRequest. What it keeps aliases body.
func (embedClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	d := embedDecoder{req: &llm.Request{}, embed: &llm.Embed{Truncate: llm.TruncateNone}}
	d.req.Embed = d.embed
	if err := v.Object(d.member); err != nil {
		return nil, forms.OpenAIInvalid(err)
	}
	if d.embed.Inputs == nil {
		return nil, llm.Invalid("input", "Missing required parameter: 'input'.")
	}
	return d.req, nil
}

// embedDecoder reads one request, member by member.
type embedDecoder struct {
	req   *llm.Request
	embed *llm.Embed
}

func (d *embedDecoder) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	switch key {
	case "model":
		d.req.Model, err = v.Text()
	case "input":
		d.embed.Inputs, err = inputsOf(v)
	case "encoding_format":
		var word string
		if word, err = forms.OneOf(v, string(llm.VectorFloat), string(llm.VectorBase64)); word == string(llm.VectorBase64) {
			d.embed.Kinds = []llm.VectorKind{llm.VectorBase64}
		}
	case "dimensions":
		d.embed.Dimensions, err = forms.IntBetween(v, 1, 1<<31)
	case "user":
		d.req.User, err = v.Text()
	case "input_type":
		d.purpose(key, v)
	default:
		d.req.Extra = d.req.Extra.Add(selfEmbed, key, v)
	}
	return err
}

// purpose reads input_type. Words that only one service knows are kept for it.
func (d *embedDecoder) purpose(key string, v jsontext.Value) {
	switch forms.Scalar(v) {
	case "query", "search_query":
		d.embed.Purpose = llm.PurposeQuery
	case "passage", "document", "search_document":
		d.embed.Purpose = llm.PurposeDocument
	case "classification":
		d.embed.Purpose = llm.PurposeClassification
	case "clustering":
		d.embed.Purpose = llm.PurposeClustering
	default:
		d.req.Extra = d.req.Extra.Add(selfEmbed, key, v)
	}
}

// inputsOf reads a text, a list of texts, a list of token ids or a list of such lists.
func inputsOf(v jsontext.Value) ([]llm.EmbedInput, error) {
	if v.Kind() == jsontext.String {
		text, err := v.Text()
		return []llm.EmbedInput{{Text: text}}, err
	}
	var list []llm.EmbedInput
	hasNumbers := false
	err := v.Array(func(i int, v jsontext.Value) error {
		switch v.Kind() {
		case jsontext.Number:
			hasNumbers = true
			return nil
		case jsontext.Array:
			if err := checkTokens(v); err != nil {
				return err
			}
			list = append(list, llm.EmbedInput{Tokens: v})
		default:
			text, err := v.Text()
			if err != nil {
				return errMixed
			}
			list = append(list, llm.EmbedInput{Text: text})
		}
		if hasNumbers || (list[0].Tokens == nil) != (list[i].Tokens == nil) {
			return errMixed
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case hasNumbers:
		return []llm.EmbedInput{{Tokens: v}}, checkTokens(v)
	case list == nil:
		return nil, errors.New("it cannot be an empty array")
	}
	return list, nil
}

// checkTokens wants token ids, and one at least.
func checkTokens(v jsontext.Value) error {
	none := true
	err := v.Array(func(_ int, v jsontext.Value) error {
		none = false
		_, err := v.Int()
		return err
	})
	if err != nil || none {
		return errors.Join(err, errMixed)
	}
	return nil
}

var errMixed = errors.New("want strings, token ids or arrays of token ids, and only one of these")

// EncodeResponse writes an answer: openai.yaml, CreateEmbeddingResponse.
func (embedClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	list := r.VectorsOf()
	if len(list) == 0 {
		return nil, nil, forms.BadAnswer("got no vectors of floats")
	}
	write := vector.Array
	if r.Asked != nil && slices.Contains(r.Asked.Embed.Kinds, llm.VectorBase64) {
		write = vector.Base64
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, vectorsSize(list)))
	w.BeginObject()
	w.StringField("object", "list")
	w.Key("data")
	w.BeginArray()
	for i, v := range list {
		w.BeginObject()
		w.StringField("object", "embedding")
		w.IntField("index", int64(i))
		text, err := write(v.Numbers, v.Packed)
		if err != nil {
			return nil, nil, forms.BadAnswer("vector %d: %w", i, err)
		}
		w.RawField("embedding", text)
		w.EndObject()
	}
	w.EndArray()
	w.StringField("model", r.Model)
	w.Key("usage")
	w.BeginObject()
	w.IntField("prompt_tokens", r.Usage.Input())
	w.IntField("total_tokens", r.Usage.Total())
	w.EndObject()
	w.EndObject()
	var losses []llm.Loss
	if !r.Usage.Known { // the member must be there
		losses = []llm.Loss{loss("usage", llm.ActionDropped, llm.Harmless, "the provider did not count tokens, and 0 is said")}
	}
	return w.Bytes(), losses, nil
}

// vectorsSize is about how many bytes vectors take.
func vectorsSize(list []llm.Vector) int {
	return 256 + len(list)*(64+len(list[0].Numbers)+3*len(list[0].Packed))
}

// embedProvider is the dialect towards a provider.
type embedProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Chat Completions do.
func (embedProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request.
func (embedProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	e := req.Embed
	w := jsontext.Writer{}
	w.BeginObject()
	w.StringField("model", target.Model)
	w.Key("input")
	if err := writeInputs(&w, e.Inputs); err != nil {
		return dialect.Encoded{}, err
	}
	if len(e.Kinds) == 1 && e.Kinds[0] == llm.VectorBase64 {
		w.StringField("encoding_format", string(llm.VectorBase64))
	}
	if e.Dimensions != nil {
		w.IntField("dimensions", *e.Dimensions)
	}
	if req.User != "" {
		w.StringField("user", req.User)
	}
	for _, m := range req.Extra[selfEmbed] {
		if !embedNames.IsVariant(m.Key) {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	return dialect.Encoded{Body: w.Bytes()}, nil
}

// embedNames is never changed.
var embedNames = dialect.NamesOf(embedFields())

// writeInputs writes one input as it is, and several as an array.
func writeInputs(w *jsontext.Writer, inputs []llm.EmbedInput) error {
	if len(inputs) > 1 {
		w.BeginArray()
		defer w.EndArray()
	}
	for i := range inputs {
		text, isText := inputs[i].Plain()
		switch {
		case isText:
			w.String(text)
		case inputs[i].Tokens != nil:
			w.Raw(inputs[i].Tokens)
		default: // the contract refuses it before
			return &llm.Error{Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: "input", Message: "The target's API (" + selfEmbed + ") embeds text alone."}
		}
	}
	return nil
}

// DecodeResponse reads an answer. Its vectors alias body.
func (embedProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("%w", err)
	}
	if e := inBandError(v); e != nil {
		return nil, e
	}
	r := &llm.Response{Model: forms.Scalar(v.Get("model")), Usage: usageOf(jsontext.Plain(v.Get("usage")))}
	list, kind, err := vectorsOf(v.Get("data"))
	if err != nil {
		return nil, err
	}
	r.Vectors = []llm.Vectors{{Kind: kind, List: list}}
	return r, nil
}

// vectorsOf reads data. The vectors stand where their index says.
func vectorsOf(data jsontext.Value) (list []llm.Vector, kind llm.VectorKind, err error) {
	var places []int
	kind = llm.VectorFloat
	err = data.Array(func(i int, v jsontext.Value) error {
		embedding, index := v.Get("embedding"), i
		if at := v.Get("index"); !at.IsNull() {
			n, err := at.Int()
			if err != nil {
				return err
			}
			index = int(n)
		}
		one := llm.Vector{Numbers: embedding}
		if embedding.Kind() == jsontext.String {
			text, err := embedding.Text()
			if err != nil {
				return err
			}
			if one.Packed, err = vector.Decode(text); err != nil {
				return err
			}
			one.Numbers, kind = nil, llm.VectorBase64
		} else if !vector.IsNumbers(embedding) {
			return jsontext.At("embedding", errors.New("want an array of numbers, or base64"))
		}
		list, places = append(list, one), append(places, index)
		return nil
	})
	switch {
	case err != nil:
		return nil, "", forms.BadAnswer("vectors: %w", err)
	case len(list) == 0:
		return nil, "", forms.BadAnswer("got no vectors")
	}
	ordered := make([]llm.Vector, len(list))
	for i, at := range places {
		if at < 0 || at >= len(list) || ordered[at].Numbers != nil || ordered[at].Packed != nil {
			return nil, "", forms.BadAnswer("got index %d of %d vectors, or got it twice", at, len(list))
		}
		ordered[at] = list[i]
	}
	return ordered, kind, nil
}

// wholeRelay relays what is never streamed and has nothing of this gateway's in it.
type wholeRelay struct {
	provider dialect.ProviderSide
	types    *forms.Types
}

// Peek reads the model, which a path may name instead.
func (r wholeRelay) Peek(body []byte) (p dialect.Peeked, err error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return p, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	err = v.Members(func(name []byte, v jsontext.Value) error {
		err := r.types.Check(name, v)
		if err == nil && string(name) == "model" && !v.IsNull() {
			p.Model, err = v.Text()
		}
		return err
	})
	if err != nil {
		return dialect.Peeked{}, forms.OpenAIInvalid(err)
	}
	return p, nil
}

// SetModel replaces the model, or adds it if the path named it.
func (wholeRelay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	return relay{}.SetModel(body, model, dialect.Ask{})
}

// Strip returns body.
func (wholeRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (r wholeRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(r.provider) }
