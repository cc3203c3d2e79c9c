package bedrock

import (
	"bytes"
	"errors"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// NewTitanEmbed returns the dialect of Titan's text embeddings, which InvokeModel takes and gives:
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html. It embeds one text a call.
//
// It has no endpoint of its own: InvokeModel's path does not say what its body is.
func NewTitanEmbed() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.TitanEmbed, Operation: dialect.Embed,
		RequestIDHeader: "X-Amzn-Requestid",
		ErrorType:       errorType,
		ErrorTypeHeader: dialect.ExceptionHeader,
		Client:          titanClient{},
		Provider:        titanProvider{},
		Relay:           titanRelay{},
		Fields:          titanFields(),
		Carries:         titanCarries(),
	}
}

// selfTitan is the key of this dialect in llm.Extra.
const selfTitan = string(dialect.TitanEmbed)

var (
	_ dialect.ClientSide   = titanClient{}
	_ dialect.ProviderSide = titanProvider{}
	_ dialect.Relay        = titanRelay{}
)

// titanTypes are the kinds of a request's members.
var titanTypes = forms.NewTypes(
	[2]string{"string", "inputText"},
	[2]string{"integer", "dimensions"},
	[2]string{"array", "embeddingTypes"},
)

func titanFields() []dialect.Field {
	return []dialect.Field{
		{Path: "inputText", Feature: llm.FeatureCommon},
		{Path: "dimensions", Feature: llm.FeatureDimensions},
		{Path: "embeddingTypes", Feature: llm.FeatureVectorKinds},
		{Path: "normalize", Severity: llm.Contract, Note: "whether vectors have a length of 1"},
	}
}

func titanCarries() dialect.Carries {
	return dialect.Carries{
		llm.FeatureDimensions:  {Action: llm.ActionMapped, Note: "256, 512 or 1024"},
		llm.FeatureVectorKinds: {Action: llm.ActionMapped, Note: "binary alone"},
		llm.FeatureJoinedInput: {
			Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "texts are put on lines of their own; not with images",
		},
	}
}

// titanClient is the dialect towards a client.
type titanClient struct{ dialect.NoStream }

// EncodeError writes an error as Converse does.
func (titanClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (titanClient) DecodeRequest(body []byte) (*llm.Request, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return nil, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	e := &llm.Embed{}
	req := &llm.Request{Embed: e}
	err := doc.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "inputText":
			text, err := v.Text()
			e.Inputs = []llm.EmbedInput{{Text: text}}
			return err
		case key == "dimensions":
			e.Dimensions, err = intOf(v, 1)
		case key == "embeddingTypes":
			return v.Array(func(_ int, v jsontext.Value) error {
				word, err := v.Text()
				e.Kinds = append(e.Kinds, llm.VectorKind(word))
				return err
			})
		default:
			req.Extra = req.Extra.Add(selfTitan, key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, forms.Invalid(err)
	case len(e.Inputs) == 0:
		return nil, llm.Invalid("inputText", "required key [inputText] not found")
	}
	return req, nil
}

// EncodeResponse writes an answer.
func (titanClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	list := r.VectorsOf()
	if len(list) != 1 {
		return nil, nil, badAnswer("not one vector of floats", nil)
	}
	floats, err := vector.Array(list[0].Numbers, list[0].Packed)
	if err != nil {
		return nil, nil, badAnswer("a vector", err)
	}
	var w jsontext.Writer
	w.BeginObject()
	w.RawField("embedding", floats)
	w.Key("embeddingsByType")
	w.BeginObject()
	w.RawField("float", floats)
	for _, v := range r.Vectors {
		if v.Kind == llm.VectorBinary && len(v.List) == 1 && v.List[0].Numbers != nil {
			w.RawField("binary", v.List[0].Numbers)
		}
	}
	w.EndObject()
	w.IntField("inputTextTokenCount", r.Usage.Input())
	w.EndObject()
	return w.Bytes(), nil, nil
}

// titanProvider is the dialect towards a provider.
type titanProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Converse's.
func (titanProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request for each text. The model is in the path.
func (titanProvider) EncodeRequest(req *llm.Request, _ dialect.Target) (dialect.Encoded, error) {
	var enc dialect.Encoded
	e := req.Embed
	for i := range e.Inputs {
		text, ok := e.Inputs[i].Plain()
		if !ok { // the contract refuses it before
			return dialect.Encoded{}, unsupported("input", "Titan embeds text alone.")
		}
		var w jsontext.Writer
		w.BeginObject()
		w.StringField("inputText", text)
		if e.Dimensions != nil {
			w.IntField("dimensions", *e.Dimensions)
		}
		if err := writeKinds(&w, e.Kinds); err != nil {
			return dialect.Encoded{}, err
		}
		for _, m := range req.Extra[selfTitan] {
			if !titanNames.IsVariant(m.Key) {
				w.RawField(m.Key, m.Raw)
			}
		}
		w.EndObject()
		if i == 0 {
			enc.Body = w.Bytes()
		} else {
			enc.More = append(enc.More, w.Bytes())
		}
	}
	return enc, nil
}

// titanNames is never changed.
var titanNames = dialect.NamesOf(titanFields())

// writeKinds writes embeddingTypes, which only the second version of the model knows, where it is needed.
func writeKinds(w *jsontext.Writer, kinds []llm.VectorKind) error {
	binary := false
	for _, kind := range kinds {
		switch kind {
		case llm.VectorFloat, llm.VectorBase64:
		case llm.VectorBinary:
			binary = true
		default:
			return unsupported("embedding_types", "Titan makes vectors of floats and of bits only.")
		}
	}
	if binary {
		w.RawField("embeddingTypes", []byte(`["float","binary"]`))
	}
	return nil
}

// DecodeResponse reads an answer. Its vectors alias body.
func (titanProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("no JSON", err)
	}
	floats := doc.Get("embedding")
	if floats == nil {
		floats = doc.Get("embeddingsByType", "float")
	}
	if !vector.IsNumbers(floats) {
		return nil, badAnswer("no vector", errors.New("want an array of numbers"))
	}
	n := forms.Count(doc.Get("inputTextTokenCount"))
	r := &llm.Response{
		Usage:   llm.Usage{Known: n > 0, InFresh: n},
		Vectors: []llm.Vectors{{Kind: llm.VectorFloat, List: []llm.Vector{{Numbers: floats}}}},
	}
	if bits := doc.Get("embeddingsByType", "binary"); vector.IsNumbers(bits) {
		r.Vectors = append(r.Vectors, llm.Vectors{Kind: llm.VectorBinary, List: []llm.Vector{{Numbers: bits}}})
	}
	return r, nil
}

// titanRelay is the dialect towards a provider that speaks it too.
type titanRelay struct{}

// Peek reads nothing, and only refuses: the path says all that routing needs.
func (titanRelay) Peek(body []byte) (dialect.Peeked, error) {
	if err := titanTypes.CheckAll(bytes.TrimSpace(body)); err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	return dialect.Peeked{}, nil
}

// SetModel returns body: the path names the model.
func (titanRelay) SetModel(body []byte, _ string, _ dialect.Ask) ([]byte, error) { return body, nil }

// Strip returns body.
func (titanRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (titanRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(titanProvider{}) }
