package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/ollama/ollama/api"
)

func ollamaClient(s stage) *api.Client {
	at, err := url.Parse(s.Gateway)
	if err != nil {
		panic(err)
	}
	return api.NewClient(at, http.DefaultClient)
}

// ollamaTalk is a conversation by Ollama's chat.
type ollamaTalk struct {
	*api.Client
	request api.ChatRequest
}

func beginOllama(s stage, model string, o offer) talk { return newOllama(s, model, o) }

func newOllama(s stage, model string, o offer) *ollamaTalk {
	k := &ollamaTalk{Client: ollamaClient(s), request: api.ChatRequest{Model: model}}
	if o.System != "" {
		k.request.Messages = []api.Message{{Role: "system", Content: o.System}}
	}
	if o.Limit > 0 {
		k.request.Options = map[string]any{"num_predict": o.Limit}
	}
	if o.Tools {
		for name, schema := range toolSchemas() {
			tool := api.Tool{Type: "function", Function: api.ToolFunction{Name: name, Description: "Tells the " + name + "."}}
			b, err := json.Marshal(schema)
			if err == nil {
				err = json.Unmarshal(b, &tool.Function.Parameters)
			}
			if err != nil {
				panic(err)
			}
			k.request.Tools = append(k.request.Tools, tool)
		}
	}
	return k
}

func (k *ollamaTalk) say(text string, image []byte) {
	m := api.Message{Role: "user", Content: text}
	if image != nil {
		m.Images = []api.ImageData{image}
	}
	k.request.Messages = append(k.request.Messages, m)
}

func (k *ollamaTalk) result(results []result) {
	for _, r := range results {
		k.request.Messages = append(k.request.Messages, api.Message{Role: "tool", ToolName: r.Name, ToolCallID: r.ID, Content: r.Text})
	}
}

func (k *ollamaTalk) ask(ctx context.Context) (said, error)    { return k.by(ctx, false) }
func (k *ollamaTalk) stream(ctx context.Context) (said, error) { return k.by(ctx, true) }

// by puts the pieces of an answer together, of which one that is not streamed has one.
func (k *ollamaTalk) by(ctx context.Context, stream bool) (said, error) {
	k.request.Stream = &stream
	var last api.ChatResponse
	whole := api.Message{Role: "assistant"}
	err := k.Chat(ctx, &k.request, func(piece api.ChatResponse) error {
		whole.Content += piece.Message.Content
		whole.Thinking += piece.Message.Thinking
		whole.ToolCalls = append(whole.ToolCalls, piece.Message.ToolCalls...)
		last = piece
		return nil
	})
	if err != nil {
		return said{}, err
	}
	if !last.Done {
		return said{}, errCut
	}
	k.request.Messages = append(k.request.Messages, whole)
	out := said{Text: whole.Content, Tokens: int64(last.PromptEvalCount + last.EvalCount)}
	out.Stop = stopOf(last.DoneReason, map[string]string{"stop": stopEnd, "length": stopLimit})
	for _, c := range whole.ToolCalls {
		out.Calls, out.Stop = append(out.Calls, call{c.ID, c.Function.Name, c.Function.Arguments.String()}), stopTools
	}
	return out, nil
}

func ollamaStatus(err error) int {
	var e api.StatusError
	if !errors.As(err, &e) || e.ErrorMessage == "" {
		return 0
	}
	return e.StatusCode
}

func TestOllamaEvery(t *testing.T) {
	playEvery(t, sdk{own: "ollama", begin: beginOllama, status: ollamaStatus})
}

func TestOllamaThinking(t *testing.T) {
	for _, model := range []string{"ollama-only", "anthropic-only", "gemini-only"} {
		for way, ask := range ways {
			t.Run(model+"/"+way, func(t *testing.T) {
				s := set(t)
				s.replies(t, vendorOf(model), scenarios.Thinking.Tools)
				k := newOllama(s, model, offer{Tools: true})
				k.request.Think = &api.ThinkValue{Value: true}
				k.say("What time is it?", nil)
				answer, err := ask(k, t.Context())
				if err != nil || len(answer.Calls) != 1 {
					t.Fatalf("got %+v, %v want a call", answer, err)
				}
				wantText(t, k.request.Messages[1].Thinking, scenarios.Thinking.Thought)
			})
		}
	}
}

func TestOllamaSchema(t *testing.T) {
	for _, model := range scenarios.Every {
		t.Run(model, func(t *testing.T) {
			k := newOllama(set(t), model, offer{})
			k.request.Format = json.RawMessage(mustJSON(t, citySchema))
			for _, ask := range ways {
				k.say("A city.", nil)
				answer, err := ask(k, t.Context())
				if err != nil {
					t.Fatal(err)
				}
				wantCity(t, answer.Text)
			}
		})
	}
}

func TestOllamaOperations(t *testing.T) {
	s := set(t)
	c := ollamaClient(s)
	embedded, err := c.Embed(t.Context(), &api.EmbedRequest{Model: "openai/text-embedding-3-small", Input: []string{"sea", "sand"}})
	if err != nil || len(embedded.Embeddings) != 2 || slices.Equal(embedded.Embeddings[0], embedded.Embeddings[1]) {
		t.Errorf("got %v, %v want two vectors", embedded, err)
	}
	list, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, model := range list.Models {
		names = append(names, model.Model)
	}
	for _, model := range scenarios.Every {
		if !slices.Contains(names, model) {
			t.Errorf("got models %v want %s among them", names, model)
		}
	}
	if _, err := c.Show(t.Context(), &api.ShowRequest{Model: "ollama-first"}); err != nil {
		t.Errorf("show: %v", err)
	}
}
