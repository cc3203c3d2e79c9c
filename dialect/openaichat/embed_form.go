package openaichat

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// embedForm is a form of embeddings that is close to OpenAI's: its answer, and the same request but for the names of what
// is said of its texts.
type embedForm struct {
	name       dialect.Name
	dimensions string
	truncate   string                 // a boolean
	purpose    string                 // one of words
	words      map[llm.Purpose]string // the rest cannot be said
	note       string                 // which that is
	most       int                    // texts in a request
	names      dialect.Names          // of its members
}

// NewVoyageEmbed returns the dialect of Voyage AI's embeddings: https://docs.voyageai.com/reference/embeddings-api
//
// It has no endpoint of its own: its path is that of OpenAI's.
func NewVoyageEmbed() *dialect.Dialect {
	return newEmbedForm(embedForm{
		name: dialect.VoyageEmbed, dimensions: "output_dimension", truncate: "truncation", purpose: "input_type",
		words: map[llm.Purpose]string{llm.PurposeQuery: "query", llm.PurposeDocument: "document"}, most: 1000,
		note: "queries and documents; other purposes are dropped",
	}, dialect.Field{Path: "output_dtype", Severity: llm.Contract, Note: "numbers of another size"},
		dialect.Field{Path: "encoding_format", Severity: llm.Contract, Note: "numbers in base64"})
}

// NewJinaEmbed returns the dialect of Jina's embeddings: https://api.jina.ai/redoc. It has no endpoint of its own either.
func NewJinaEmbed() *dialect.Dialect {
	return newEmbedForm(embedForm{
		name: dialect.JinaEmbed, dimensions: "dimensions", truncate: "truncate", purpose: "task",
		words: map[llm.Purpose]string{
			llm.PurposeQuery: "retrieval.query", llm.PurposeDocument: "retrieval.passage",
			llm.PurposeClassification: "classification", llm.PurposeClustering: "separation",
		}, most: 2048,
	}, dialect.Field{Path: "embedding_type", Severity: llm.Contract, Note: "numbers of another size, or in base64"},
		dialect.Field{Path: "normalized", Severity: llm.Contract, Note: "whether vectors have a length of 1"},
		dialect.Field{Path: "late_chunking", Severity: llm.Contract, Note: "texts that know of each other"})
}

func newEmbedForm(f embedForm, more ...dialect.Field) *dialect.Dialect {
	fields := append([]dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "input", Feature: llm.FeatureCommon},
		{Path: f.dimensions, Feature: llm.FeatureDimensions},
		{Path: f.truncate, Feature: llm.FeatureTruncate},
		{Path: f.purpose, Feature: llm.FeaturePurpose},
	}, more...)
	f.names = dialect.NamesOf(fields)
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	carries := dialect.Carries{
		llm.FeatureDimensions:  mapped,
		llm.FeaturePurpose:     {Action: llm.ActionMapped, Note: f.note},
		llm.FeatureTruncate:    {Action: llm.ActionMapped, Note: "always the end"},
		llm.FeatureJoinedInput: embedCarries()[llm.FeatureJoinedInput],
	}
	return &dialect.Dialect{
		Name: f.name, Operation: dialect.Embed, RequestIDHeader: "X-Request-Id",
		Client: formClient{embedForm: f}, Provider: formProvider{embedForm: f}, Relay: wholeRelay{formProvider{embedForm: f}, f.types()},
		Fields: fields, Carries: carries,
	}
}

var (
	_ dialect.ClientSide   = formClient{}
	_ dialect.ProviderSide = formProvider{}
)

// formClient is such a form towards a client.
type formClient struct {
	embedClient
	embedForm
}

// DecodeRequest reads a request. What it keeps aliases body.
func (c formClient) DecodeRequest(body []byte) (*llm.Request, error) {
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
		case key == c.dimensions:
			e.Dimensions, err = forms.IntBetween(v, 1, 1<<31)
		case key == c.truncate:
			var cut bool
			cut, err = v.Bool()
			if e.Truncate = llm.TruncateNone; cut {
				e.Truncate = llm.TruncateEnd
			}
		case key == c.purpose && c.purposeOf(forms.Scalar(v)) != "":
			e.Purpose = c.purposeOf(forms.Scalar(v))
		default:
			req.Extra = req.Extra.Add(string(c.name), key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, forms.OpenAIInvalid(err)
	case e.Inputs == nil:
		return nil, llm.Invalid("input", "Missing required parameter: 'input'.")
	}
	return req, nil
}

// types are the kinds of a request's members.
func (f embedForm) types() *forms.Types {
	return forms.NewTypes(
		[2]string{"string", "model"},
		[2]string{"string or array", "input"},
		[2]string{"integer", f.dimensions},
		[2]string{"boolean", f.truncate},
	)
}

func (f embedForm) purposeOf(word string) llm.Purpose {
	for p, w := range f.words {
		if w == word {
			return p
		}
	}
	return ""
}

// formProvider is such a form towards a provider.
type formProvider struct {
	embedProvider
	embedForm
}

// EncodeRequest writes a request, or several where the service takes no more texts at a time. It asks for numbers: base64
// is made of them, exactly.
func (p formProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	e := req.Embed
	var enc dialect.Encoded
	for inputs := range slices.Chunk(e.Inputs, p.most) {
		w := jsontext.Writer{}
		w.BeginObject()
		w.StringField("model", target.Model)
		w.Key("input")
		w.BeginArray()
		for i := range inputs {
			text, ok := inputs[i].Plain()
			if !ok { // the contract refuses it before
				return dialect.Encoded{}, &llm.Error{Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: "input", Message: "The target's API (" + string(p.name) + ") embeds text alone."}
			}
			w.String(text)
		}
		w.EndArray()
		if e.Dimensions != nil {
			w.IntField(p.dimensions, *e.Dimensions)
		}
		if e.Truncate != "" {
			w.BoolField(p.truncate, e.Truncate != llm.TruncateNone)
		}
		if word := p.words[e.Purpose]; word != "" {
			w.StringField(p.purpose, word)
		}
		for _, m := range req.Extra[string(p.name)] {
			if !p.names.IsVariant(m.Key) {
				w.RawField(m.Key, m.Raw)
			}
		}
		w.EndObject()
		if enc.Body == nil {
			enc.Body = w.Bytes()
		} else {
			enc.More = append(enc.More, w.Bytes())
		}
	}
	if p.words[e.Purpose] == "" && e.Purpose != "" {
		enc.Losses = append(enc.Losses, loss(llm.FeaturePurpose, llm.ActionDropped, llm.Tuning, "the target makes no vectors for "+string(e.Purpose)))
	}
	if e.Truncate == llm.TruncateStart {
		enc.Losses = append(enc.Losses, loss(llm.FeatureTruncate, llm.ActionApproximated, llm.Tuning, "the end is cut"))
	}
	return enc, nil
}

// DecodeResponse reads an answer, of which some have the total of tokens alone.
func (p formProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	r, err := p.embedProvider.DecodeResponse(body)
	if err == nil && !r.Usage.Known {
		v, _ := jsontext.ParseLenient(body) // it could be read
		r.Usage = rerankUsage(v.Get("usage"))
	}
	return r, err
}
