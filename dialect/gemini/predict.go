package gemini

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// NewPredict returns the dialect of predict as Vertex AI's text embedding models have it:
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api. Other models have other
// instances there, of which this package knows nothing.
func NewPredict() *dialect.Dialect {
	d := &dialect.Dialect{
		Name: dialect.VertexEmbed, Operation: dialect.Embed, KeyQuery: "key",
		Client: predictClient{}, Provider: predictProvider{}, Relay: predictRelay{},
		Fields: predictFields(), Carries: predictCarries(),
	}
	for _, model := range vertexModels() {
		d.Endpoints = append(d.Endpoints, dialect.Endpoint{Method: "POST", Path: model + ":predict", Operation: dialect.Embed})
	}
	return d
}

// selfPredict is the key of this dialect in llm.Extra.
const selfPredict = string(dialect.VertexEmbed)

// Limits of a request: a number of texts, of some models one, and a number of tokens, of which bytes say how many there
// may be.
const (
	maxInstances     = 250
	maxInstanceBytes = 40_000
	oneInstance      = "gemini-embedding-"
)

var (
	_ dialect.ClientSide   = predictClient{}
	_ dialect.ProviderSide = predictProvider{}
	_ dialect.Relay        = predictRelay{}
)

// The members of a request that stand for each text, and for all.
const (
	ofInstance   = "instances[]."
	ofParameters = "parameters."
)

func predictFields() []dialect.Field {
	return []dialect.Field{
		{Path: ofInstance + "content", Feature: llm.FeatureCommon},
		{Path: ofInstance + "task_type", Feature: llm.FeaturePurpose},
		{Path: ofParameters + "outputDimensionality", Feature: llm.FeatureDimensions},
		{Path: ofParameters + "autoTruncate", Feature: llm.FeatureTruncate},
		{Path: ofInstance + "title", Severity: llm.Tuning, Note: "the title of a document"},
		{Path: ofInstance + keyOtherTask, Severity: llm.Tuning, Note: "a purpose that only this vendor has"},
		{Path: "labels", Severity: llm.Harmless, Note: "labels for the vendor's own bill"},
	}
}

func predictCarries() dialect.Carries {
	c := embedCarries()
	delete(c, llm.FeatureImageData)
	delete(c, llm.FeatureImageURL)
	c[llm.FeatureJoinedInput] = dialect.Carriage{
		Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "texts are put on lines of their own; not with images",
	}
	return c
}

// predictClient is the dialect towards a client.
type predictClient struct{ dialect.NoStream }

// EncodeError writes an error as generateContent does.
func (predictClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request. All its texts must be wanted for the same.
func (predictClient) DecodeRequest(body []byte) (*llm.Request, error) {
	all := &llm.Request{Embed: &llm.Embed{}}
	first := true
	err := members(jsontext.Value(bytes.TrimSpace(body)), func(key string, v jsontext.Value) error {
		switch key {
		case "instances":
			return each(v, func(v jsontext.Value) error {
				one, err := instanceOf(v)
				switch {
				case err != nil:
					return err
				case first:
					first = false
					all.Embed.Purpose = one.Embed.Purpose
					for _, m := range one.Extra[selfPredict] {
						all.Extra = all.Extra.Add(selfPredict, m.Key, m.Raw)
					}
				case one.Embed.Purpose != all.Embed.Purpose || !sameInstance(one.Extra, all.Extra):
					return unsupported("instances", "the texts of a request are wanted in different forms, which only this vendor can do")
				}
				all.Embed.Inputs = append(all.Embed.Inputs, one.Embed.Inputs...)
				return nil
			})
		case "parameters":
			return members(v, func(key string, v jsontext.Value) error { return parameter(all, key, v) })
		default:
			all.Extra = all.Extra.Add(selfPredict, key, v)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, forms.Invalid(err)
	case len(all.Embed.Inputs) == 0:
		return nil, llm.Invalid("instances", "instances: must not be empty")
	}
	return all, nil
}

// instanceOf reads one text with what is wanted of it.
func instanceOf(v jsontext.Value) (*llm.Request, error) {
	one := &llm.Request{Embed: &llm.Embed{}}
	hasContent := false
	err := members(v, func(key string, v jsontext.Value) error {
		switch key {
		case "content":
			text, err := v.Text()
			hasContent = true
			one.Embed.Inputs = []llm.EmbedInput{{Text: text}}
			return err
		case "taskType":
			word, err := v.Text()
			purpose, known := purposeOf(word)
			if one.Embed.Purpose = purpose; !known {
				one.Extra = one.Extra.Add(selfPredict, ofInstance+keyOtherTask, v)
			}
			return err
		default:
			one.Extra = one.Extra.Add(selfPredict, ofInstance+key, v)
			return nil
		}
	})
	if err == nil && !hasContent {
		err = noText()
	}
	return one, err
}

// sameInstance reports whether all that one text has beside it the texts before it have, too.
func sameInstance(one, all llm.Extra) bool {
	of := func(e llm.Extra) (list []llm.Member) {
		for _, m := range e[selfPredict] {
			if strings.HasPrefix(m.Key, ofInstance) {
				list = append(list, m)
			}
		}
		return list
	}
	return slices.EqualFunc(of(one), of(all), func(m, n llm.Member) bool { return m.Key == n.Key && bytes.Equal(m.Raw, n.Raw) })
}

func parameter(r *llm.Request, key string, v jsontext.Value) error {
	switch key {
	case "outputDimensionality":
		n, err := v.Int()
		if err == nil && n < 1 {
			err = errors.New("must be positive")
		}
		r.Embed.Dimensions = &n
		return err
	case "autoTruncate":
		cut, err := v.Bool()
		if r.Embed.Truncate = llm.TruncateNone; cut {
			r.Embed.Truncate = llm.TruncateEnd
		}
		return err
	}
	r.Extra = r.Extra.Add(selfPredict, ofParameters+key, v)
	return nil
}

// EncodeResponse writes an answer [vtx:PredictResponse]. How many tokens each of several texts has, no other vendor says.
func (predictClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	list := r.VectorsOf()
	if len(list) == 0 {
		return nil, nil, badAnswer("not the vectors that were asked for", nil)
	}
	var w jsontext.Writer
	w.BeginObject()
	w.Key("predictions")
	w.BeginArray()
	for _, v := range list {
		text, err := vector.Array(v.Numbers, v.Packed)
		if err != nil {
			return nil, nil, badAnswer("a vector", err)
		}
		w.BeginObject()
		w.Key("embeddings")
		w.BeginObject()
		w.RawField("values", text)
		if r.Usage.Known && len(list) == 1 {
			w.Key("statistics")
			w.BeginObject()
			w.IntField("token_count", r.Usage.Input())
			w.EndObject()
		}
		w.EndObject()
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes(), nil, nil
}

// predictProvider is the dialect towards a provider.
type predictProvider struct{ dialect.NoStream }

// DecodeError classifies an error as generateContent's.
func (predictProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request, or several where the vendor takes no more texts at a time.
func (predictProvider) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	e := req.Embed
	texts := make([]string, len(e.Inputs))
	for i := range e.Inputs {
		text, ok := e.Inputs[i].Plain()
		if !ok { // the contract refuses it before
			return dialect.Encoded{}, unsupported("input", "content of this kind")
		}
		texts[i] = text
	}
	var enc dialect.Encoded
	for len(texts) > 0 {
		n, size := 1, len(texts[0])
		for n < len(texts) && n < maxInstances && size+len(texts[n]) <= maxInstanceBytes && !strings.HasPrefix(to.Model, oneInstance) {
			size += len(texts[n])
			n++
		}
		body := predictBody(req, texts[:n])
		if texts = texts[n:]; enc.Body == nil {
			enc.Body = body
		} else {
			enc.More = append(enc.More, body)
		}
	}
	if e.Truncate == llm.TruncateStart {
		enc.Losses = append(enc.Losses, llm.Loss{Feature: llm.FeatureTruncate, Action: llm.ActionApproximated, Severity: llm.Tuning, Detail: "the end is cut"})
	}
	return enc, nil
}

// predictNames is never changed.
var predictNames = dialect.NamesOf(predictFields())

// predictBody writes a request for some of the texts.
func predictBody(req *llm.Request, texts []string) []byte {
	e := req.Embed
	var w jsontext.Writer
	rest := func(under string) {
		for _, m := range req.Extra[selfPredict] {
			switch key, ok := strings.CutPrefix(m.Key, under); {
			case !ok || under == "" && strings.Contains(key, ".") || predictNames.IsVariant(key):
			case key == keyOtherTask && e.Purpose == "":
				w.RawField("task_type", m.Raw)
			case key != keyOtherTask:
				w.RawField(key, m.Raw)
			}
		}
	}
	w.BeginObject()
	w.Key("instances")
	w.BeginArray()
	for _, text := range texts {
		w.BeginObject()
		w.StringField("content", text)
		if word := taskOf(e.Purpose); word != "" {
			w.StringField("task_type", word)
		}
		rest(ofInstance)
		w.EndObject()
	}
	w.EndArray()
	w.Key("parameters")
	w.BeginObject()
	if e.Dimensions != nil {
		w.IntField("outputDimensionality", *e.Dimensions)
	}
	if e.Truncate != "" {
		w.BoolField("autoTruncate", e.Truncate != llm.TruncateNone)
	}
	rest(ofParameters)
	w.EndObject()
	rest("")
	w.EndObject()
	return w.Bytes()
}

// DecodeResponse reads an answer. Its vectors alias body.
func (predictProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("no JSON", err)
	}
	if doc.Get("error") != nil {
		return nil, readError(0, doc)
	}
	r := &llm.Response{}
	var list []llm.Vector
	err = doc.Get("predictions").Array(func(_ int, v jsontext.Value) error {
		values := v.Get("embeddings", "values")
		if !vector.IsNumbers(values) {
			return errors.New("a prediction without a vector")
		}
		list = append(list, llm.Vector{Numbers: values})
		if n, err := v.Get("embeddings", "statistics", "token_count").Int(); err == nil && n > 0 {
			r.Usage = r.Usage.Plus(llm.Usage{Known: true, InFresh: n})
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return nil, badAnswer("no vectors", err)
	}
	r.Vectors = []llm.Vectors{{Kind: llm.VectorFloat, List: list}}
	return r, nil
}

// predictRelay is the dialect towards a provider that speaks it too.
type predictRelay struct{}

// predictTypes are the kinds of a request's members [vtx:PredictRequest], but for the instances, of which more is asked.
var predictTypes = newTypes([2]string{"object", "parameters"})

// Peek refuses what is no embedding of text: the answer could not be read.
func (predictRelay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if err := predictTypes.CheckAll(doc); err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	err := each(doc.Get("instances"), func(v jsontext.Value) error {
		if v.Get("content").Kind() != jsontext.String {
			return noText()
		}
		return nil
	})
	if err != nil {
		return dialect.Peeked{}, forms.Invalid(jsontext.At("instances", err))
	}
	return dialect.Peeked{}, nil
}

func noText() *llm.Error {
	return unsupported("instances", "Of predict, only the embedding of text is understood: each instance must have a content.")
}

// SetModel returns body: the path names the model.
func (predictRelay) SetModel(body []byte, _ string, _ dialect.Ask) ([]byte, error) { return body, nil }

// Strip returns body.
func (predictRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (predictRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(predictProvider{}) }
