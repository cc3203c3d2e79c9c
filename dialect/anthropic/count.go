package anthropic

import (
	"bytes"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewCount returns the dialect of token counts: https://platform.claude.com/docs/en/api/messages-count-tokens. The
// request is that of Messages without what has no part in the prompt.
func NewCount() *dialect.Dialect {
	messages := New()
	counts := func(f dialect.Field) bool {
		top, _, _ := strings.Cut(f.Path, ".")
		top, _, _ = strings.Cut(top, "[")
		return slices.Contains(countMembers(), top)
	}
	messages.Fields = slices.DeleteFunc(messages.Fields, func(f dialect.Field) bool { return !counts(f) })
	return &dialect.Dialect{
		Name: dialect.AnthropicCount, Operation: dialect.CountTokens,
		Endpoints:       []dialect.Endpoint{{Method: "POST", Path: "/v1/messages/count_tokens", Operation: dialect.CountTokens}},
		RequestIDHeader: messages.RequestIDHeader,
		RelayHeaders:    messages.RelayHeaders,
		Client:          countClient{},
		Provider:        countProvider{},
		Relay:           countRelay{},
		Fields:          messages.Fields,
		Carries:         messages.Carries.Rows(messages.Fields),
	}
}

// countMembers are the members of a request [asdk:MessageCountTokensParams].
func countMembers() []string {
	return []string{"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
}

var (
	_ dialect.ClientSide   = countClient{}
	_ dialect.ProviderSide = countProvider{}
	_ dialect.Relay        = countRelay{}
)

// countClient is the dialect towards a client.
type countClient struct{ dialect.NoStream }

// EncodeError writes an error as Messages do.
func (countClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (countClient) DecodeRequest(body []byte) (*llm.Request, error) {
	var d requestReader
	if err := jsontext.Value(bytes.TrimSpace(body)).Object(d.member); err != nil {
		return nil, forms.Invalid(err)
	}
	d.req.MaxTokens = new(int64(1)) // there is none, and nothing depends on it
	if err := d.check(); err != nil {
		return nil, err
	}
	if len(d.system) > 0 {
		lead := llm.Message{Role: llm.RoleSystem, Parts: d.system}
		d.req.Messages = append([]llm.Message{lead}, d.req.Messages...)
	}
	return d.req.Prompt(), nil
}

// EncodeResponse writes a count [ant:CountMessageTokensResponse].
func (countClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var w jsontext.Writer
	w.BeginObject()
	w.IntField("input_tokens", r.Usage.Input())
	w.EndObject()
	return w.Bytes(), nil, nil
}

// countProvider is the dialect towards a provider.
type countProvider struct{ dialect.NoStream }

// DecodeError classifies an error as that of Messages.
func (countProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request: that of Messages, less what the vendor does not take here.
func (countProvider) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	enc, err := providerSide{}.EncodeRequest(req.Prompt(), to)
	if err != nil {
		return dialect.Encoded{}, err
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, len(enc.Body)))
	w.BeginObject()
	err = jsontext.Value(enc.Body).Object(func(key string, v jsontext.Value) error {
		if slices.Contains(countMembers(), key) {
			w.RawField(key, v)
		}
		return nil
	})
	if err != nil {
		panic("BUG: anthropic: a request that is no object: " + err.Error())
	}
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
	n, err := doc.Get("input_tokens").Int()
	if err != nil || n < 0 {
		return nil, badAnswer("no count", err)
	}
	return &llm.Response{Usage: llm.Usage{Known: true, InFresh: n}}, nil
}

// countRelay is the dialect towards a provider that speaks it too.
type countRelay struct{}

// Peek reads the model, as Messages do.
func (countRelay) Peek(body []byte) (dialect.Peeked, error) {
	p, err := relay{}.Peek(body)
	return dialect.Peeked{Model: p.Model}, err
}

// SetModel replaces the model.
func (countRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	return relay{}.SetModel(body, model, ask)
}

// Strip removes what the vendor has not signed, as of Messages.
func (countRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return relay{}.Strip(body) }

// NewTap returns a tap that reads a count as the provider side does.
func (countRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(countProvider{}) }
