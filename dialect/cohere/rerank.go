package cohere

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewRerank returns the dialect of Cohere's Rerank API, version 2: https://docs.cohere.com/v2/reference/rerank. The
// vendor bills searches, and counts no tokens.
func NewRerank() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.CohereRerank, Operation: dialect.Rerank,
		Endpoints:       []dialect.Endpoint{{Method: "POST", Path: "/v2/rerank", Operation: dialect.Rerank}},
		RequestIDHeader: "X-Debug-Trace-Id",
		RelayHeaders:    []string{"X-Client-Name"},
		Client:          rerankClient{},
		Provider:        rerankProvider{},
		Relay:           wholeRelay{rerankProvider{}, rerankTypes},
		Fields:          rerankFields(),
		Carries:         dialect.Carries{},
	}
}

// selfRerank is the key of this dialect in llm.Extra.
const selfRerank = string(dialect.CohereRerank)

var (
	_ dialect.ClientSide   = rerankClient{}
	_ dialect.ProviderSide = rerankProvider{}
)

// rerankTypes are the kinds of a request's members [coh:/v2/rerank].
var rerankTypes = forms.NewTypes(
	[2]string{"string", "model query"},
	[2]string{"array", "documents"},
	[2]string{"integer", "top_n"},
)

func rerankFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "query", Feature: llm.FeatureCommon},
		{Path: "documents", Feature: llm.FeatureCommon},
		{Path: "top_n", Feature: llm.FeatureCommon},
		{Path: "max_tokens_per_doc", Severity: llm.Tuning, Note: "how much of a document counts"},
		{Path: "priority", Severity: llm.Harmless, Note: "how early the vendor handles the request"},
	}
}

// rerankClient is the dialect towards a client.
type rerankClient struct{ dialect.NoStream }

// EncodeError writes an error as Chat does.
func (rerankClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (rerankClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	r := &llm.Rerank{}
	req := &llm.Request{Rerank: r}
	hasQuery := false
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "model":
			req.Model, err = v.Text()
		case key == "query":
			hasQuery = true
			r.Query, err = v.Text()
		case key == "documents":
			return v.Array(func(_ int, v jsontext.Value) error {
				text, err := v.Text()
				r.Documents = append(r.Documents, llm.RankInput{Text: text})
				return err
			})
		case key == "top_n":
			r.TopN, err = forms.IntBetween(v, 1, 1<<31)
		default:
			req.Extra = req.Extra.Add(selfRerank, key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, invalid(err)
	case !hasQuery:
		return nil, llm.Invalid("query", "invalid request: query is required.")
	case len(r.Documents) == 0:
		return nil, llm.Invalid("documents", "invalid request: list of documents must not be empty.")
	}
	return req, nil
}

// EncodeResponse writes an answer.
func (rerankClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("id", r.ID)
	w.Key("results")
	w.BeginArray()
	for _, at := range r.Best() {
		w.BeginObject()
		w.IntField("index", int64(at.Index))
		w.FloatField("relevance_score", at.Score)
		w.EndObject()
	}
	w.EndArray()
	w.RawField("meta", []byte(`{"api_version":{"version":"2"}}`))
	w.EndObject()
	return w.Bytes(), nil, nil
}

// rerankProvider is the dialect towards a provider.
type rerankProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Chat does.
func (rerankProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request.
func (rerankProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	r := req.Rerank
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("model", target.Model)
	w.StringField("query", r.Query)
	w.Key("documents")
	w.BeginArray()
	for i := range r.Documents {
		if r.Documents[i].More { // the contract refuses it before
			e := unsupported(llm.FeatureRankedFields)
			e.Param = "documents"
			return dialect.Encoded{}, e
		}
		w.String(r.Documents[i].Text)
	}
	w.EndArray()
	if r.TopN != nil {
		w.IntField("top_n", max(*r.TopN, 1)) // none is more than asked for, and less is refused
	}
	for _, m := range req.Extra[selfRerank] {
		if !rerankNames.IsVariant(m.Key) {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	return dialect.Encoded{Body: w.Bytes()}, nil
}

// rerankNames is never changed.
var rerankNames = dialect.NamesOf(rerankFields())

// DecodeResponse reads an answer.
func (rerankProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("%w", err)
	}
	results := v.Get("results")
	if e := inBandError(v); e != nil && results == nil {
		return nil, e
	}
	r := &llm.Response{ID: textOf(v.Get("id")), Usage: embedUsage(v.Get("meta"))}
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
		return nil, forms.BadAnswer("results: %w", err)
	case len(r.Ranking) == 0:
		return nil, forms.BadAnswer("got no results")
	}
	return r, nil
}
