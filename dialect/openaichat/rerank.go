package openaichat

import (
	"cmp"
	"errors"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewRerank returns the dialect of ranking that Jina began, https://api.jina.ai/redoc, and that servers compatible with
// OpenAI speak, since OpenAI has none: vLLM, llama.cpp, and hosted services. It is close to version 1 of Cohere's.
//
// Their documents come back with their scores unless the client says otherwise. They are made of the client's own, so
// no service is asked for them.
func NewRerank() *dialect.Dialect {
	d := newRerank(jinaForm(), rerankFields())
	d.Endpoints = []dialect.Endpoint{
		{Method: "POST", Path: "/v1/rerank", Operation: dialect.Rerank},
		{Method: "POST", Path: "/rerank", Operation: dialect.Rerank},
	}
	d.Carries = dialect.Carries{llm.FeatureRankedFields: {Action: llm.ActionMapped}}
	return d
}

// NewVoyageRerank returns the dialect of Voyage AI's reranker, which has other names for the same and takes texts alone:
// https://docs.voyageai.com/reference/reranker-api. It has no endpoint of its own: its path is that of Jina's.
func NewVoyageRerank() *dialect.Dialect {
	return newRerank(rerankForm{name: dialect.VoyageRerank, top: "top_k", results: "data", textAlone: true}, []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "query", Feature: llm.FeatureCommon},
		{Path: "documents", Feature: llm.FeatureCommon},
		{Path: "top_k", Feature: llm.FeatureCommon},
		{Path: "return_documents", Feature: llm.FeatureCommon, Note: "from the request"},
		{Path: "truncation", Severity: llm.Tuning, Note: "how much of a document counts"},
	})
}

// rerankForm tells the forms apart, by their names for how many are wanted and for what comes.
type rerankForm struct {
	name         dialect.Name
	top, results string
	textAlone    bool // documents are texts, and come back only if that is asked for
	names        dialect.Names
}

func jinaForm() rerankForm {
	return rerankForm{name: dialect.JinaRerank, top: "top_n", results: "results"}
}

// types are the kinds of a request's members. To servers that rank images, too, the query and the documents may be objects.
func (f rerankForm) types() *forms.Types {
	return forms.NewTypes(
		[2]string{"string", "model"},
		[2]string{"string or object", "query"},
		[2]string{"array or object", "documents"},
		[2]string{"integer", f.top},
		[2]string{"boolean", "return_documents"},
	)
}

func newRerank(f rerankForm, fields []dialect.Field) *dialect.Dialect {
	f.names = dialect.NamesOf(fields)
	return &dialect.Dialect{
		Name: f.name, Operation: dialect.Rerank,
		RequestIDHeader: "X-Request-Id",
		Client:          rerankClient{rerankForm: f},
		Provider:        rerankProvider{rerankForm: f},
		Relay:           wholeRelay{rerankProvider{rerankForm: f}, f.types()},
		Fields:          fields,
		Carries:         dialect.Carries{},
	}
}

var (
	_ dialect.ClientSide   = rerankClient{}
	_ dialect.ProviderSide = rerankProvider{}
)

func rerankFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "query", Feature: llm.FeatureCommon},
		{Path: "documents", Feature: llm.FeatureCommon},
		{Path: "documents[]", Feature: llm.FeatureRankedFields, Note: "members beside the text"},
		{Path: "top_n", Feature: llm.FeatureCommon},
		{Path: "return_documents", Feature: llm.FeatureCommon, Note: "from the request"},
		{Path: "rank_fields", Severity: llm.Contract, Note: "which members of a document count"},
		{Path: "max_chunks_per_doc", Severity: llm.Tuning, Note: "how much of a document counts"},
		{Path: "truncate_prompt_tokens", Severity: llm.Tuning, Note: "how much of a document counts"},
		{Path: "user", Severity: llm.Harmless, Note: "the end user's id"},
	}
}

// rerankClient is the dialect towards a client.
type rerankClient struct {
	dialect.NoStream
	rerankForm
}

// EncodeError writes an error as Chat Completions do.
func (rerankClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request. What it keeps aliases body.
func (c rerankClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	d := rerankDecoder{req: &llm.Request{Rerank: &llm.Rerank{ReturnDocuments: !c.textAlone}}, form: c.rerankForm}
	if err := v.Object(d.member); err != nil {
		return nil, forms.OpenAIInvalid(err)
	}
	switch {
	case !d.hasQuery:
		return nil, llm.Invalid("query", "Missing required parameter: 'query'.")
	case len(d.req.Rerank.Documents) == 0:
		return nil, llm.Invalid("documents", "'documents' must be an array with at least one document.")
	}
	return d.req, nil
}

// rerankDecoder reads one request, member by member.
type rerankDecoder struct {
	req      *llm.Request
	form     rerankForm
	hasQuery bool
}

func (d *rerankDecoder) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	r := d.req.Rerank
	switch key {
	case "model":
		d.req.Model, err = v.Text()
	case "query":
		d.hasQuery = true
		r.Query, err = v.Text()
	case "documents":
		return v.Array(func(_ int, v jsontext.Value) error {
			doc, err := documentOf(v)
			r.Documents = append(r.Documents, doc)
			return err
		})
	case d.form.top:
		r.TopN, err = forms.IntBetween(v, 0, 1<<31) // some servers take 0, and rank nothing
	case "return_documents":
		r.ReturnDocuments, err = v.Bool()
	default:
		d.req.Extra = d.req.Extra.Add(string(d.form.name), key, v)
	}
	return err
}

// documentOf reads a text, or an object that mostly has a text.
func documentOf(v jsontext.Value) (doc llm.RankInput, err error) {
	if v.Kind() == jsontext.String {
		doc.Text, err = v.Text()
		return doc, err
	}
	if v.Kind() != jsontext.Object {
		return doc, errors.New("want a text, or an object with a text")
	}
	doc.Raw = v
	hasText := false
	err = v.Object(func(key string, v jsontext.Value) (err error) {
		if key == "text" {
			hasText = true
			doc.Text, err = v.Text()
			return err
		}
		doc.More = true
		return nil
	})
	doc.More = doc.More || !hasText
	return doc, err
}

// EncodeResponse writes an answer.
func (c rerankClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("id", r.ID)
	w.StringField("model", r.Model)
	w.StringField("object", "list")
	if r.Usage.Known {
		w.Key("usage")
		w.BeginObject()
		w.IntField("prompt_tokens", r.Usage.Input())
		w.IntField("total_tokens", r.Usage.Total())
		w.EndObject()
	}
	w.Key(c.results)
	w.BeginArray()
	for _, at := range r.Best() {
		w.BeginObject()
		w.IntField("index", int64(at.Index))
		w.FloatField("relevance_score", at.Score)
		if r.Asked != nil && r.Asked.Rerank.ReturnDocuments {
			w.Key("document")
			if doc := r.Asked.Rerank.Documents[at.Index]; c.textAlone {
				w.String(doc.Text)
			} else if doc.Raw != nil {
				w.Raw(doc.Raw)
			} else {
				w.BeginObject()
				w.StringField("text", doc.Text)
				w.EndObject()
			}
		}
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes(), nil, nil
}

// rerankProvider is the dialect towards a provider.
type rerankProvider struct {
	dialect.NoStream
	rerankForm
}

// DecodeError classifies an error as Chat Completions do.
func (rerankProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request.
func (p rerankProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	r := req.Rerank
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("model", target.Model)
	w.StringField("query", r.Query)
	w.Key("documents")
	w.BeginArray()
	for i := range r.Documents {
		if doc := &r.Documents[i]; doc.More && !p.textAlone { // the contract refuses it before
			w.Raw(doc.Raw)
		} else {
			w.String(doc.Text)
		}
	}
	w.EndArray()
	if r.TopN != nil {
		w.IntField(p.top, *r.TopN)
	}
	for _, m := range req.Extra[string(p.name)] {
		if !p.names.IsVariant(m.Key) {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	return dialect.Encoded{Body: w.Bytes()}, nil
}

// DecodeResponse reads an answer. Not every server puts the best first.
func (p rerankProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("%w", err)
	}
	results := v.Get(p.results)
	if e := inBandError(v); e != nil && results == nil {
		return nil, e
	}
	r := &llm.Response{ID: forms.Scalar(v.Get("id")), Model: forms.Scalar(v.Get("model")), Usage: rerankUsage(v.Get("usage"))}
	err = results.Array(func(_ int, v jsontext.Value) error {
		index, err := v.Get("index").Int()
		if err != nil {
			return jsontext.At("index", err)
		}
		score, err := v.Get("relevance_score").Float()
		if err != nil {
			return jsontext.At("relevance_score", err)
		}
		r.Ranking = append(r.Ranking, llm.Ranked{Index: int(index), Score: score})
		return nil
	})
	switch {
	case err != nil:
		return nil, forms.BadAnswer("%s: %w", p.results, err)
	case len(r.Ranking) == 0 && p.textAlone: // of the others, some rank nothing if that is asked for
		return nil, forms.BadAnswer("got no results")
	}
	slices.SortStableFunc(r.Ranking, func(a, b llm.Ranked) int { return cmp.Compare(b.Score, a.Score) })
	return r, nil
}

// rerankUsage reads usage, of which some servers have the total only.
func rerankUsage(v jsontext.Value) llm.Usage {
	n := max(forms.Count(v.Get("prompt_tokens")), forms.Count(v.Get("total_tokens")))
	return llm.Usage{Known: n > 0, InFresh: n}
}
