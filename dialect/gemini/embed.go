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

// NewEmbed returns the dialect of embedContent, which makes one vector a call:
// https://ai.google.dev/api/embeddings. NewEmbedBatch is that of batchEmbedContents, which makes up to a hundred.
//
// The vendor cuts what is too long, and of some models does not normalise vectors of fewer dimensions than the model
// has. A title, and purposes that no other vendor has, are the vendor's own.
func NewEmbed() *dialect.Dialect {
	return newEmbed(embedForm{name: dialect.GeminiEmbed}, "embedContent")
}

// NewEmbedBatch returns the dialect of batchEmbedContents.
func NewEmbedBatch() *dialect.Dialect {
	return newEmbed(embedForm{name: dialect.GeminiEmbedBatch, batch: true}, "batchEmbedContents")
}

// embedForm tells the two forms apart.
type embedForm struct {
	name  dialect.Name
	batch bool
}

// maxBatch is how many contents a batch may have.
const maxBatch = 100

func newEmbed(f embedForm, method string) *dialect.Dialect {
	d := &dialect.Dialect{
		Name: f.name, Operation: dialect.Embed, KeyQuery: "key",
		Client: embedClient{embedForm: f}, Provider: embedProvider{embedForm: f}, Relay: embedRelay{f},
		Fields: embedFields(f), Carries: embedCarries(),
	}
	models := geminiModels()
	if !f.batch {
		models = append(models, vertexModels()...)
	}
	for _, model := range models {
		d.Endpoints = append(d.Endpoints, dialect.Endpoint{Method: "POST", Path: model + ":" + method, Operation: dialect.Embed})
	}
	return d
}

var (
	_ dialect.ClientSide   = embedClient{}
	_ dialect.ProviderSide = embedProvider{}
	_ dialect.Relay        = embedRelay{}
)

func embedFields(f embedForm) []dialect.Field {
	fields := []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "content", Feature: llm.FeatureCommon},
		{Path: "content.parts[]", Feature: llm.FeatureJoinedInput, Note: "several"},
		{Path: "content.parts[].inlineData", Feature: llm.FeatureImageData},
		{Path: "content.parts[].fileData", Feature: llm.FeatureImageURL},
		{Path: "taskType", Feature: llm.FeaturePurpose},
		{Path: "outputDimensionality", Feature: llm.FeatureDimensions},
		{Path: "embedContentConfig.autoTruncate", Feature: llm.FeatureTruncate},
		{Path: "title", Severity: llm.Tuning, Note: "the title of a document"},
		{Path: keyOtherTask, Severity: llm.Tuning, Note: "a purpose that only this vendor has"},
	}
	if f.batch {
		for i := range fields {
			fields[i].Path = "requests[]." + fields[i].Path
		}
	}
	return fields
}

// keyOtherTask keeps a task type that llm has no word for.
const keyOtherTask = "taskType.other"

func embedCarries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureJoinedInput: mapped,
		llm.FeatureImageData:   mapped,
		llm.FeatureImageURL:    mapped,
		llm.FeaturePurpose:     mapped,
		llm.FeatureDimensions:  {Action: llm.ActionMapped, Note: "not every model normalises such vectors"},
		llm.FeatureTruncate:    {Action: llm.ActionMapped, Note: "always the end"},
	}
}

// embedClient is the dialect towards a client.
type embedClient struct {
	embedForm
	dialect.NoStream
}

// EncodeError writes an error as generateContent does.
func (embedClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request. The contents of a batch must be wanted for the same, and in the same form.
func (c embedClient) DecodeRequest(body []byte) (*llm.Request, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return nil, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	if !c.batch {
		req, err := c.one(doc)
		if err != nil {
			return nil, forms.Invalid(err)
		}
		return req, nil
	}
	var all *llm.Request
	err := members(doc, func(key string, v jsontext.Value) error {
		if key != "requests" {
			return nil // the model, which the path names
		}
		return v.Array(func(_ int, v jsontext.Value) error {
			req, err := c.one(v)
			switch {
			case err != nil:
				return err
			case all == nil:
				all = req
			case !sameWish(all, req):
				return unsupported("requests", "the contents of a batch are wanted in different forms, which only this vendor can do")
			default:
				all.Embed.Inputs = append(all.Embed.Inputs, req.Embed.Inputs...)
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, forms.Invalid(err)
	case all == nil:
		return nil, llm.Invalid("requests", "requests: must not be empty")
	}
	return all, nil
}

// sameWish reports whether two contents are wanted for the same, and in the same form.
func sameWish(a, b *llm.Request) bool {
	x, y := a.Embed, b.Embed
	sameDimensions := x.Dimensions == nil && y.Dimensions == nil || x.Dimensions != nil && y.Dimensions != nil && *x.Dimensions == *y.Dimensions
	return x.Purpose == y.Purpose && x.Truncate == y.Truncate && sameDimensions && slices.EqualFunc(a.Extra[string(dialect.GeminiEmbedBatch)],
		b.Extra[string(dialect.GeminiEmbedBatch)], func(m, n llm.Member) bool { return m.Key == n.Key && bytes.Equal(m.Raw, n.Raw) })
}

// one reads [gem:EmbedContentRequest].
func (c embedClient) one(v jsontext.Value) (*llm.Request, error) {
	e := &llm.Embed{}
	req := &llm.Request{Embed: e}
	d := embedReader{req: req, form: c.embedForm}
	if err := members(v, d.member); err != nil {
		return nil, err
	}
	if len(e.Inputs) == 0 {
		return nil, llm.Invalid("content", "content is required")
	}
	return req, nil
}

// embedReader reads one content with what is wanted of it.
type embedReader struct {
	req  *llm.Request
	form embedForm
}

func (d *embedReader) member(key string, v jsontext.Value) (err error) {
	e := d.req.Embed
	switch key {
	case "model":
		d.req.Model, err = v.Text()
		d.req.Model = d.req.Model[strings.LastIndexByte(d.req.Model, '/')+1:]
	case "content":
		in, err := embedInput(v)
		e.Inputs = []llm.EmbedInput{in}
		return err
	case "taskType":
		return d.task(v)
	case "outputDimensionality":
		n, err := v.Int()
		if err == nil && n < 1 {
			err = errors.New("must be positive")
		}
		e.Dimensions = &n
		return err
	case "autoTruncate":
		cut, err := v.Bool()
		e.Truncate = llm.TruncateNone
		if cut {
			e.Truncate = llm.TruncateEnd
		}
		return err
	case "embedContentConfig":
		return members(v, d.member)
	default:
		d.keep(key, v)
	}
	return err
}

func (d *embedReader) keep(key string, v jsontext.Value) {
	if d.form.batch {
		key = "requests[]." + key
	}
	d.req.Extra = d.req.Extra.Add(string(d.form.name), key, v)
}

func (d *embedReader) task(v jsontext.Value) error {
	word, err := v.Text()
	purpose, known := purposeOf(word)
	if d.req.Embed.Purpose = purpose; !known {
		d.keep(keyOtherTask, v)
	}
	return err
}

// purposeOf is what a task type says; known if llm can say it, or there is nothing to say.
func purposeOf(word string) (p llm.Purpose, known bool) {
	switch word {
	case "RETRIEVAL_QUERY":
		return llm.PurposeQuery, true
	case "RETRIEVAL_DOCUMENT":
		return llm.PurposeDocument, true
	case "CLASSIFICATION":
		return llm.PurposeClassification, true
	case "CLUSTERING":
		return llm.PurposeClustering, true
	}
	return "", word == "TASK_TYPE_UNSPECIFIED" || word == "UNSPECIFIED"
}

// taskOf is the task type for a purpose; empty for none.
func taskOf(p llm.Purpose) string {
	switch p {
	case llm.PurposeQuery:
		return "RETRIEVAL_QUERY"
	case llm.PurposeDocument:
		return "RETRIEVAL_DOCUMENT"
	case llm.PurposeClassification:
		return "CLASSIFICATION"
	case llm.PurposeClustering:
		return "CLUSTERING"
	default:
		return ""
	}
}

// embedInput reads a content: one text, or parts that get one vector together.
func embedInput(v jsontext.Value) (in llm.EmbedInput, err error) {
	if v.Kind() != jsontext.Object {
		return in, jsontext.Mismatch("object", v)
	}
	err = get(v, "parts").Array(func(_ int, v jsontext.Value) error {
		p := llm.Part{Kind: llm.PartText}
		var err error
		switch inline, file := get(v, "inlineData"), get(v, "fileData"); {
		case inline != nil:
			p, err = inlineOf(inline)
		case file != nil:
			p, err = fileOf(file)
		default:
			p.Text, err = v.Get("text").Text()
		}
		in.Parts = append(in.Parts, p)
		return err
	})
	if err == nil && len(in.Parts) == 0 {
		err = errors.New("must not be empty")
	}
	if len(in.Parts) == 1 && in.Parts[0].Kind == llm.PartText {
		in = llm.EmbedInput{Text: in.Parts[0].Text}
	}
	return in, jsontext.At("parts", err)
}

// EncodeResponse writes an answer [gem:EmbedContentResponse, gem:BatchEmbedContentsResponse].
func (c embedClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	list := r.VectorsOf()
	if len(list) == 0 || !c.batch && len(list) != 1 {
		return nil, nil, badAnswer("not the vectors that were asked for", nil)
	}
	var w jsontext.Writer
	w.BeginObject()
	if c.batch {
		w.Key("embeddings")
		w.BeginArray()
	} else {
		w.Key("embedding")
	}
	for _, v := range list {
		text, err := vector.Array(v.Numbers, v.Packed)
		if err != nil {
			return nil, nil, badAnswer("a vector", err)
		}
		w.BeginObject()
		w.RawField("values", text)
		w.EndObject()
	}
	if c.batch {
		w.EndArray()
	}
	if r.Usage.Known {
		w.Key("usageMetadata")
		w.BeginObject()
		w.IntField("promptTokenCount", r.Usage.Input())
		w.EndObject()
	}
	w.EndObject()
	return w.Bytes(), nil, nil
}

// embedProvider is the dialect towards a provider.
type embedProvider struct {
	embedForm
	dialect.NoStream
}

// DecodeError classifies an error as generateContent's.
func (embedProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request, or several where the vendor takes no more contents at a time.
func (p embedProvider) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	var enc dialect.Encoded
	size := 1
	if p.batch {
		size = maxBatch
	}
	for inputs := range slices.Chunk(req.Embed.Inputs, size) {
		var w jsontext.Writer
		if p.batch {
			w.BeginObject()
			w.Key("requests")
			w.BeginArray()
		}
		for i := range inputs {
			if err := p.write(&w, req, &inputs[i], to.Model); err != nil {
				return dialect.Encoded{}, err
			}
		}
		if p.batch {
			w.EndArray()
			w.EndObject()
		}
		if enc.Body == nil {
			enc.Body = w.Bytes()
		} else {
			enc.More = append(enc.More, w.Bytes())
		}
	}
	switch cut := req.Embed.Truncate; {
	case cut == llm.TruncateStart:
		enc.Losses = append(enc.Losses, llm.Loss{Feature: llm.FeatureTruncate, Action: llm.ActionApproximated, Severity: llm.Tuning, Detail: "the end is cut"})
	case cut == llm.TruncateNone && isLong(req.Embed.Inputs, to.Facts.Window):
		enc.Losses = append(enc.Losses, llm.Loss{Feature: llm.FeatureTruncate, Action: llm.ActionApproximated, Severity: llm.Tuning, Detail: "what is too long may be cut, and not refused"})
	}
	return enc, nil
}

// leastWindow is the window, in tokens, of the vendor's embedding models that have the least.
const leastWindow = 2048

// isLong reports whether an input may exceed the window: no token is less than a byte.
func isLong(inputs []llm.EmbedInput, window int64) bool {
	if window <= 0 {
		window = leastWindow
	}
	return slices.ContainsFunc(inputs, func(in llm.EmbedInput) bool {
		text, _ := in.Plain()
		return int64(len(text)) > window
	})
}

// write writes [gem:EmbedContentRequest].
func (p embedProvider) write(w *jsontext.Writer, req *llm.Request, in *llm.EmbedInput, model string) error {
	e := req.Embed
	parts := in.Parts
	if parts == nil {
		parts = []llm.Part{llm.Text(in.Text)}
	}
	w.BeginObject()
	w.StringField("model", "models/"+model)
	w.Key("content")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	for i := range parts {
		switch part := &parts[i]; {
		case in.Tokens != nil: // the contract refuses it before
			return unsupported("input", "token ids")
		case part.Kind == llm.PartText:
			writeTextPart(w, part.Text, false, "")
		case part.Media != nil && part.Media.FileID == "":
			writeFilePart(w, part)
		default:
			return unsupported("input", "content of this kind")
		}
	}
	w.EndArray()
	w.EndObject()
	if word := taskOf(e.Purpose); word != "" {
		w.StringField("taskType", word)
	}
	if e.Dimensions != nil {
		w.IntField("outputDimensionality", *e.Dimensions)
	}
	for _, m := range req.Extra[string(p.name)] {
		key := strings.TrimPrefix(m.Key, "requests[].")
		if key == keyOtherTask {
			key = "taskType"
		}
		if (key != "taskType" || e.Purpose == "") && !embedNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
	w.EndObject()
	return nil
}

// embedNames is never changed.
var embedNames = dialect.NamesOf(embedFields(embedForm{}))

// DecodeResponse reads an answer of either form. Its vectors alias body.
func (embedProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("no JSON", err)
	}
	if doc.Get("error") != nil {
		return nil, readError(0, doc)
	}
	r := &llm.Response{Usage: usageOf(jsontext.Plain(doc.Get("usageMetadata")))}
	var list []llm.Vector
	add := func(_ int, v jsontext.Value) error {
		values := v.Get("values")
		if !vector.IsNumbers(values) {
			return errors.New("a vector without values")
		}
		list = append(list, llm.Vector{Numbers: values})
		return nil
	}
	if one := doc.Get("embedding"); one != nil {
		err = add(0, one)
	} else {
		err = doc.Get("embeddings").Array(add)
	}
	if err != nil || len(list) == 0 {
		return nil, badAnswer("no vectors", err)
	}
	r.Vectors = []llm.Vectors{{Kind: llm.VectorFloat, List: list}}
	return r, nil
}
