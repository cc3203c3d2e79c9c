package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/genai"
)

func geminiClient(s stage) *genai.Client {
	c, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "client-key", HTTPOptions: genai.HTTPOptions{BaseURL: s.Gateway},
	})
	if err != nil {
		panic(err)
	}
	return c
}

// geminiTalk is a conversation by generateContent and streamGenerateContent.
type geminiTalk struct {
	*genai.Models
	model    string
	config   genai.GenerateContentConfig
	contents []*genai.Content
}

func beginGemini(s stage, model string, o offer) talk { return newGemini(s, model, o) }

func newGemini(s stage, model string, o offer) *geminiTalk {
	k := &geminiTalk{Models: geminiClient(s).Models, model: model}
	if o.System != "" {
		k.config.SystemInstruction = genai.NewContentFromText(o.System, genai.RoleUser)
	}
	k.config.MaxOutputTokens = int32(o.Limit) //nolint:gosec // small
	if o.Tools {
		tool := &genai.Tool{}
		for name, schema := range toolSchemas() {
			tool.FunctionDeclarations = append(tool.FunctionDeclarations, &genai.FunctionDeclaration{
				Name: name, Description: "Tells the " + name + ".", ParametersJsonSchema: schema,
			})
		}
		k.config.Tools = []*genai.Tool{tool}
	}
	return k
}

func (k *geminiTalk) add(role genai.Role, parts ...*genai.Part) {
	k.contents = append(k.contents, genai.NewContentFromParts(parts, role))
}

func (k *geminiTalk) say(text string, image []byte) {
	parts := []*genai.Part{genai.NewPartFromText(text)}
	if image != nil {
		parts = append(parts, genai.NewPartFromBytes(image, "image/png"))
	}
	k.add(genai.RoleUser, parts...)
}

func (k *geminiTalk) result(results []result) {
	var parts []*genai.Part
	for _, r := range results {
		part := genai.NewPartFromFunctionResponse(r.Name, map[string]any{"output": r.Text})
		part.FunctionResponse.ID = r.ID
		parts = append(parts, part)
	}
	k.add(genai.RoleUser, parts...)
}

func (k *geminiTalk) ask(ctx context.Context) (said, error) {
	answer, err := k.GenerateContent(ctx, k.model, k.contents, &k.config)
	if err != nil {
		return said{}, err
	}
	return k.answered(answer, answer.Candidates[0].Content.Parts)
}

func (k *geminiTalk) stream(ctx context.Context) (said, error) {
	var parts []*genai.Part
	var last *genai.GenerateContentResponse
	for chunk, err := range k.GenerateContentStream(ctx, k.model, k.contents, &k.config) {
		if err != nil {
			return said{}, err
		}
		last = chunk
		if len(chunk.Candidates) > 0 && chunk.Candidates[0].Content != nil {
			for _, part := range chunk.Candidates[0].Content.Parts {
				if hasData(part) {
					parts = append(parts, part)
				}
			}
		}
	}
	if last == nil || len(last.Candidates) == 0 || last.Candidates[0].FinishReason == "" {
		return said{}, errCut
	}
	return k.answered(last, parts)
}

// hasData tells whether a part would be sent back as more than an empty object, which nobody takes.
func hasData(p *genai.Part) bool { return p.Text != "" || p.FunctionCall != nil }

// answered adds an answer of these parts to the history.
func (k *geminiTalk) answered(answer *genai.GenerateContentResponse, parts []*genai.Part) (said, error) {
	k.add(genai.RoleModel, parts...)
	out := said{Stop: stopOf(string(answer.Candidates[0].FinishReason), map[string]string{"STOP": stopEnd, "MAX_TOKENS": stopLimit})}
	if answer.UsageMetadata != nil {
		out.Tokens = int64(answer.UsageMetadata.TotalTokenCount)
	}
	for _, part := range parts {
		switch {
		case part.FunctionCall != nil:
			args, err := json.Marshal(part.FunctionCall.Args)
			if err != nil {
				return said{}, err
			}
			out.Calls, out.Stop = append(out.Calls, call{part.FunctionCall.ID, part.FunctionCall.Name, string(args)}), stopTools
		case !part.Thought:
			out.Text += part.Text
		}
	}
	return out, nil
}

func geminiStatus(err error) int {
	var e genai.APIError
	if !errors.As(err, &e) || e.Message == "" || e.Status == "" {
		return 0
	}
	return e.Code
}

func TestGeminiEvery(t *testing.T) {
	playEvery(t, sdk{own: "gemini", begin: beginGemini, status: geminiStatus})
}

func TestGeminiSchema(t *testing.T) {
	for _, model := range scenarios.Every {
		t.Run(model, func(t *testing.T) {
			k := newGemini(set(t), model, offer{})
			k.config.ResponseMIMEType, k.config.ResponseJsonSchema = "application/json", citySchema
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

// Thoughts and signatures are shown, and may come back to any vendor in the next turn.
func TestGeminiThoughts(t *testing.T) {
	for _, pair := range [][2]string{{"gemini-only", "anthropic-only"}, {"anthropic-only", "gemini-only"}, {"gemini-only", "gemini-only"}} {
		for way, ask := range ways {
			t.Run(pair[0]+" then "+pair[1]+"/"+way, func(t *testing.T) {
				s := set(t)
				s.replies(t, vendorOf(pair[0]), scenarios.Thinking.Tools)
				k := newGemini(s, pair[0], offer{Tools: true})
				k.config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true, ThinkingLevel: genai.ThinkingLevelHigh}
				k.say("What time is it?", nil)
				answer, err := ask(k, t.Context())
				if err != nil || len(answer.Calls) != 1 {
					t.Fatalf("got %+v, %v want a call", answer, err)
				}
				thought, signed := "", false
				for _, part := range k.contents[1].Parts {
					if part.Thought {
						thought += part.Text
					}
					signed = signed || len(part.ThoughtSignature) > 0
				}
				wantText(t, thought, scenarios.Thinking.Thought)
				if !signed {
					t.Errorf("got no signature in %s want one", mustJSON(t, k.contents[1]))
				}
				k.result([]result{{answer.Calls[0], "noon"}})
				k.model = pair[1]
				if answer, err = ask(k, t.Context()); err != nil || answer.Text == "" {
					t.Errorf("got %+v, %v want an answer", answer, err)
				}
			})
		}
	}
}

// sent sends parts in a chat of the SDK's, and returns what the stream of the answer has.
func sent(t *testing.T, chat *genai.Chat, parts ...*genai.Part) (text string, calls []*genai.FunctionCall) {
	t.Helper()
	for chunk, err := range chat.SendStream(t.Context(), parts...) {
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, chunk.FunctionCalls()...)
		for _, part := range chunk.Candidates[0].Content.Parts {
			text += part.Text
		}
	}
	return text, calls
}

// The SDK keeps a conversation by itself, each chunk of a stream as a content of its own. Its own vendor's
// simulation does not take calls so.
func TestGeminiChat(t *testing.T) {
	for _, model := range scenarios.Every {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			config := newGemini(s, model, offer{Tools: model != "gemini-only"}).config
			chat, err := geminiClient(s).Chats.Create(t.Context(), model, &config, nil)
			if err != nil {
				t.Fatal(err)
			}
			if config.Tools == nil {
				for _, text := range []string{"the sea", "the sand"} {
					said, _ := sent(t, chat, genai.NewPartFromText(text))
					wantText(t, said, "You said: "+text)
				}
				if turns := s.journal(t, "gemini")[1].Body["contents"].([]any); len(turns) < 3 {
					t.Errorf("got %v asked of the vendor, want the turns before in it", turns)
				}
				return
			}
			s.replies(t, vendorOf(model), scenarios.Tools.Turns[0])
			said, calls := sent(t, chat, genai.NewPartFromText("Weather and time?"))
			var results []*genai.Part
			for _, c := range calls {
				part := genai.NewPartFromFunctionResponse(c.Name, map[string]any{"output": runTool(t, c.Name, mustJSON(t, c.Args))})
				part.FunctionResponse.ID = c.ID
				results = append(results, part)
			}
			wantText(t, fmt.Sprintf("%s %d", said, len(calls)), "I look. 2")
			said, _ = sent(t, chat, results...)
			wantText(t, said, "The tools said: rain in Oslo; noon.")
		})
	}
}

func TestGeminiOperations(t *testing.T) {
	s := set(t)
	c := geminiClient(s)
	contents := genai.Text("the sea")
	counted, err := c.Models.CountTokens(t.Context(), "openai-only", contents, nil)
	if err != nil || counted.TotalTokens <= 0 {
		t.Errorf("got count %+v, %v want some tokens", counted, err)
	}
	contents = append(contents, genai.Text("the sand")...)
	embedded, err := c.Models.EmbedContent(t.Context(), "gemini/gemini-embedding-001", contents, nil)
	if err != nil || len(embedded.Embeddings) != 2 || slices.Equal(embedded.Embeddings[0].Values, embedded.Embeddings[1].Values) {
		t.Errorf("got %+v, %v want two vectors that differ", embedded, err)
	}
	var names []string
	for model, err := range c.Models.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, model.Name)
	}
	for _, model := range scenarios.Every {
		if !slices.Contains(names, "models/"+model) {
			t.Errorf("got models %v want %s among them", names, model)
		}
	}
}
