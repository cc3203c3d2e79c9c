package bedrock

import (
	"bytes"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewCount returns the dialect of CountTokens [bed:CountTokensRequest]: the prompt of a Converse request within a body of
// its own. A body of InvokeModel, which may stand there instead, is relayed and understood by no other vendor.
func NewCount() *dialect.Dialect {
	converse := New()
	counts := func(f dialect.Field) bool {
		top, _, _ := strings.Cut(f.Path, ".")
		top, _, _ = strings.Cut(top, "[")
		return top == "modelId" || slices.Contains(countMembers(), top)
	}
	d := &dialect.Dialect{
		Name: dialect.BedrockCount, Operation: dialect.CountTokens,
		Endpoints:       []dialect.Endpoint{{Method: "POST", Path: "/model/{model}/count-tokens", Operation: dialect.CountTokens}},
		RequestIDHeader: converse.RequestIDHeader,
		ErrorType:       converse.ErrorType,
		ErrorTypeHeader: converse.ErrorTypeHeader,
		Client:          countClient{},
		Provider:        countProvider{},
		Relay:           countRelay{},
	}
	d.Fields = slices.DeleteFunc(converse.Fields, func(f dialect.Field) bool { return !counts(f) })
	d.Carries = converse.Carries.Rows(d.Fields)
	d.Carries[llm.FeatureJSONSchema] = dialect.Carriage{Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "the answer's schema is not counted"}
	return d
}

// countMembers are the members of a prompt [bed:ConverseTokensRequest].
func countMembers() []string {
	return []string{"messages", "system", "toolConfig", additionalFields}
}

// The members in which a prompt stands [bed:CountTokensInput].
const (
	keyInput    = "input"
	keyConverse = "converse"
	keyInvoke   = "invokeModel"
)

var (
	_ dialect.ClientSide   = countClient{}
	_ dialect.ProviderSide = countProvider{}
	_ dialect.Relay        = countRelay{}
)

// countClient is the dialect towards a client.
type countClient struct{ dialect.NoStream }

// EncodeError writes an error as Converse does.
func (countClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (countClient) DecodeRequest(body []byte) (*llm.Request, error) {
	input := jsontext.Value(bytes.TrimSpace(body)).Get(keyInput)
	key, prompt, err := only(input)
	switch {
	case err != nil:
		return nil, forms.Invalid(jsontext.At(keyInput, err))
	case key == keyInvoke:
		return nil, unsupported(keyInput+"."+keyInvoke, "Tokens of a body of InvokeModel are counted by Bedrock alone. Give the prompt as Converse has it, in input.converse.")
	case key != keyConverse:
		return nil, llm.Invalid(keyInput, "input: want converse or invokeModel")
	}
	req, err := clientSide{}.DecodeRequest(prompt)
	if err != nil {
		return nil, err
	}
	return req.Prompt(), nil
}

// EncodeResponse writes a count [bed:CountTokensResponse].
func (countClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var w jsontext.Writer
	w.BeginObject()
	w.IntField("inputTokens", r.Usage.Input())
	w.EndObject()
	return w.Bytes(), nil, nil
}

// countProvider is the dialect towards a provider.
type countProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Converse's.
func (countProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request: that of Converse, less what has no part in the prompt.
func (countProvider) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	enc, err := providerSide{}.EncodeRequest(req.Prompt(), to)
	if err != nil {
		return dialect.Encoded{}, err
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, len(enc.Body)+32))
	w.BeginObject()
	w.Key(keyInput)
	w.BeginObject()
	w.Key(keyConverse)
	w.BeginObject()
	err = jsontext.Value(enc.Body).Object(func(key string, v jsontext.Value) error {
		if slices.Contains(countMembers(), key) {
			w.RawField(key, v)
		}
		return nil
	})
	if err != nil {
		panic("BUG: bedrock: a request that is no object: " + err.Error())
	}
	w.EndObject()
	w.EndObject()
	w.EndObject()
	enc.Body, enc.ToolNames = w.Bytes(), nil
	return enc, nil
}

// DecodeResponse reads a count.
func (countProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	doc, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("no JSON", err)
	}
	n, err := doc.Get("inputTokens").Int()
	if err != nil || n < 0 {
		return nil, badAnswer("no count", err)
	}
	return &llm.Response{Usage: llm.Usage{Known: true, InFresh: n}}, nil
}

// countRelay is the dialect towards a provider that speaks it too.
type countRelay struct{}

// countTypes are the kinds of a request's members [bed:CountTokensRequest].
var countTypes = forms.NewTypes([2]string{"object", keyInput})

// Peek reads nothing, and only refuses: the path says all that routing needs.
func (countRelay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if err := countTypes.CheckAll(doc); err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	if prompt := doc.Get(keyInput, keyConverse); !prompt.IsNull() {
		_, err := relay{}.Peek(prompt)
		return dialect.Peeked{}, err
	}
	return dialect.Peeked{}, nil
}

// SetModel returns body: the path names the model.
func (countRelay) SetModel(body []byte, _ string, _ dialect.Ask) ([]byte, error) { return body, nil }

// Strip removes what the vendor has not signed, as of Converse.
func (countRelay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	prompt := jsontext.Value(bytes.TrimSpace(body)).Get(keyInput, keyConverse)
	if prompt.Kind() != jsontext.Object {
		return body, nil, nil
	}
	stripped, losses, err := relay{}.Strip(prompt)
	if err != nil || len(losses) == 0 {
		return body, nil, err
	}
	body, err = jsontext.Set(body, keyInput+"."+keyConverse, stripped)
	return body, losses, err
}

// NewTap returns a tap that reads a count as the provider side does.
func (countRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(countProvider{}) }
