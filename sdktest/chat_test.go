package sdktest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
)

// openaiTalk is a conversation by Chat Completions.
type openaiTalk struct {
	openai.Client
	params openai.ChatCompletionNewParams
}

func beginOpenAI(s stage, model string, o offer) talk {
	k := &openaiTalk{Client: openaiClient(s), params: openai.ChatCompletionNewParams{Model: model}}
	if o.System != "" {
		k.params.Messages = append(k.params.Messages, openai.SystemMessage(o.System))
	}
	if o.Limit > 0 {
		k.params.MaxCompletionTokens = openai.Int(int64(o.Limit))
	}
	if o.Tools {
		k.params.Tools = openaiTools()
	}
	return k
}

func pngURI(image []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(image)
}

func (k *openaiTalk) say(text string, image []byte) {
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(text)}
	if image != nil {
		parts = append(parts, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: pngURI(image)}))
	}
	k.params.Messages = append(k.params.Messages, openai.UserMessage(parts))
}

func (k *openaiTalk) result(results []result) {
	for _, r := range results {
		k.params.Messages = append(k.params.Messages, openai.ToolMessage(r.Text, r.ID))
	}
}

func (k *openaiTalk) ask(ctx context.Context) (said, error)    { return k.by(ctx, openaiCreate) }
func (k *openaiTalk) stream(ctx context.Context) (said, error) { return k.by(ctx, openaiStream) }

func (k *openaiTalk) by(ctx context.Context, ask openaiAsk) (said, error) {
	answer, err := ask(ctx, k.Client, k.params)
	if err != nil {
		return said{}, err
	}
	choice := answer.Choices[0]
	k.params.Messages = append(k.params.Messages, choice.Message.ToParam())
	out := said{Text: choice.Message.Content, Tokens: answer.Usage.TotalTokens}
	out.Stop = stopOf(choice.FinishReason, map[string]string{"stop": stopEnd, "tool_calls": stopTools, "length": stopLimit})
	for _, c := range choice.Message.ToolCalls {
		out.Calls = append(out.Calls, call{c.ID, c.Function.Name, c.Function.Arguments})
	}
	return out, nil
}

func openaiStatus(err error) int {
	var e *openai.Error
	if !errors.As(err, &e) || e.Message == "" {
		return 0
	}
	return e.StatusCode
}

func TestOpenAIEvery(t *testing.T) {
	playEvery(t, sdk{own: "openai", begin: beginOpenAI, status: openaiStatus})
}
