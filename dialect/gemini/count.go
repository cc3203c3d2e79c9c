package gemini

import (
	"bytes"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewCount returns the dialect of countTokens: https://ai.google.dev/api/tokens. A client gives contents, or a whole
// request for generateContent, of which alone the system's text and the tools count; to the vendor goes the latter.
func NewCount() *dialect.Dialect {
	return newCount(dialect.GeminiCount, geminiModels(), countProvider{})
}

// NewVertexCount returns the dialect of Vertex AI's countTokens [vtx:CountTokensRequest], in which the system's text and
// the tools stand beside the contents.
func NewVertexCount() *dialect.Dialect {
	return newCount(dialect.VertexCount, vertexModels(), countProvider{isVertex: true})
}

func newCount(name dialect.Name, models []string, p countProvider) *dialect.Dialect {
	generate := New()
	d := &dialect.Dialect{
		Name: name, Operation: dialect.CountTokens,
		KeyQuery: generate.KeyQuery, RelayHeaders: generate.RelayHeaders,
		MessagePath: generate.MessagePath, PartPath: generate.PartPath,
		Client: countClient{}, Provider: p, Relay: countRelay{},
	}
	for _, model := range models {
		d.Endpoints = append(d.Endpoints, dialect.Endpoint{Method: "POST", Path: model + ":countTokens", Operation: dialect.CountTokens})
	}
	for _, f := range generate.Fields {
		if !strings.HasPrefix(f.Path, "generationConfig") || f.Feature == llm.FeatureJSONSchema {
			d.Fields = append(d.Fields, f)
		}
	}
	d.Carries = generate.Carries.Rows(d.Fields)
	return d
}

// keyWhole is the member that holds a whole request for generateContent.
const keyWhole = "generateContentRequest"

var (
	_ dialect.ClientSide   = countClient{}
	_ dialect.ProviderSide = countProvider{}
	_ dialect.Relay        = countRelay{}
)

// countClient is the dialect towards a client.
type countClient struct{ dialect.NoStream }

// EncodeError writes an error as generateContent does.
func (countClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request in any of the forms.
func (countClient) DecodeRequest(body []byte) (*llm.Request, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return nil, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	if whole := get(doc, keyWhole); !whole.IsNull() {
		doc = whole
	}
	req, err := clientSide{}.DecodeRequest(doc)
	if err != nil {
		return nil, err
	}
	return req.Prompt(), nil
}

// EncodeResponse writes a count [gem:CountTokensResponse].
func (countClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var w jsontext.Writer
	w.BeginObject()
	w.IntField("totalTokens", r.Usage.Input())
	w.EndObject()
	return w.Bytes(), nil, nil
}

// countProvider is the dialect towards a provider.
type countProvider struct {
	dialect.NoStream
	isVertex bool
}

// DecodeError classifies an error as generateContent's.
func (countProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request.
func (p countProvider) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	enc, err := providerSide{}.EncodeRequest(req.Prompt(), to)
	if err != nil {
		return dialect.Encoded{}, err
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, len(enc.Body)+len(to.Model)+64))
	w.BeginObject()
	if !p.isVertex {
		w.Key(keyWhole)
		w.BeginObject()
		w.StringField("model", "models/"+to.Model)
	}
	err = jsontext.Value(enc.Body).Object(func(key string, v jsontext.Value) error {
		if key != "model" && (!p.isVertex || slices.Contains(vertexMembers(), key)) {
			w.RawField(key, v)
		}
		return nil
	})
	if err != nil {
		panic("BUG: gemini: a request that is no object: " + err.Error())
	}
	if !p.isVertex {
		w.EndObject()
	}
	w.EndObject()
	enc.Body, enc.ToolNames = w.Bytes(), nil
	return enc, nil
}

// vertexMembers are what Vertex AI takes of a request for generateContent.
func vertexMembers() []string {
	return []string{"contents", "systemInstruction", "tools", "generationConfig"}
}

// DecodeResponse reads a count.
func (countProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("no JSON", err)
	}
	if doc.Get("error") != nil {
		return nil, readError(0, doc)
	}
	total, err := doc.Get("totalTokens").Int()
	if err != nil || total < 0 {
		return nil, badAnswer("no count", err)
	}
	cached, err := doc.Get("cachedContentTokenCount").Int()
	if err != nil || cached < 0 || cached > total {
		cached = 0
	}
	return &llm.Response{Usage: llm.Usage{Known: true, InFresh: total - cached, InCacheRead: cached}}, nil
}

// countRelay is the dialect towards a provider that speaks it too.
type countRelay struct{}

// Peek reads nothing, and only refuses: the path says all that routing needs.
func (countRelay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if whole := get(doc, keyWhole); !whole.IsNull() {
		doc = whole
	}
	_, err := relay{}.Peek(doc)
	return dialect.Peeked{}, err
}

// SetModel replaces the model's name wherever the body has it, beside the path.
func (countRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	key, whole := wholeOf(body)
	if whole == nil {
		return relay{}.SetModel(body, model, ask)
	}
	named, err := relay{}.SetModel(whole, model, ask)
	if err != nil {
		return nil, err
	}
	return jsontext.Set(body, key, named)
}

// Strip removes what this gateway has signed, as of generateContent.
func (countRelay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	key, whole := wholeOf(body)
	if whole == nil {
		return relay{}.Strip(body)
	}
	stripped, losses, err := relay{}.Strip(whole)
	if err != nil || len(losses) == 0 {
		return body, nil, err
	}
	body, err = jsontext.Set(body, key, stripped)
	return body, losses, err
}

// wholeOf finds the whole request in a body, and how its member is spelled.
func wholeOf(body []byte) (key string, whole jsontext.Value) {
	for _, key := range [...]string{keyWhole, snake(keyWhole)} {
		if whole := jsontext.Value(bytes.TrimSpace(body)).Get(key); whole.Kind() == jsontext.Object {
			return key, whole
		}
	}
	return "", nil
}

// NewTap returns a tap that reads a count as the provider side does.
func (countRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(countProvider{}) }
