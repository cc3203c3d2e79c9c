package sdktest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
)

// messagesTalk is a conversation by Anthropic's Messages.
type messagesTalk struct {
	anthropic.Client
	params anthropic.MessageNewParams
}

func beginMessages(s stage, model string, o offer) talk {
	k := &messagesTalk{Client: anthropicClient(s), params: anthropic.MessageNewParams{Model: model, MaxTokens: 2048}}
	if o.System != "" {
		k.params.System = []anthropic.TextBlockParam{{Text: o.System}}
	}
	if o.Limit > 0 {
		k.params.MaxTokens = int64(o.Limit)
	}
	if o.Tools {
		k.params.Tools = anthropicTools()
	}
	return k
}

func (k *messagesTalk) say(text string, image []byte) {
	blocks := []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(text)}
	if image != nil {
		blocks = append(blocks, anthropic.NewImageBlockBase64("image/png", base64.StdEncoding.EncodeToString(image)))
	}
	k.params.Messages = append(k.params.Messages, anthropic.NewUserMessage(blocks...))
}

func (k *messagesTalk) result(results []result) {
	var blocks []anthropic.ContentBlockParamUnion
	for _, r := range results {
		blocks = append(blocks, anthropic.NewToolResultBlock(r.ID, r.Text, false))
	}
	k.params.Messages = append(k.params.Messages, anthropic.NewUserMessage(blocks...))
}

func (k *messagesTalk) ask(ctx context.Context) (said, error) { return k.by(ctx, anthropicCreate) }

func (k *messagesTalk) stream(ctx context.Context) (said, error) { return k.by(ctx, anthropicStream) }

func (k *messagesTalk) by(ctx context.Context, ask anthropicAsk) (said, error) {
	answer, err := ask(ctx, k.Client, k.params)
	if err != nil {
		return said{}, err
	}
	k.params.Messages = append(k.params.Messages, answer.ToParam())
	out := said{Text: textOf(answer), Tokens: answer.Usage.InputTokens + answer.Usage.OutputTokens}
	out.Stop = stopOf(string(answer.StopReason), map[string]string{"end_turn": stopEnd, "tool_use": stopTools, "max_tokens": stopLimit})
	for _, block := range answer.Content {
		if block.Type == "tool_use" {
			out.Calls = append(out.Calls, call{block.ID, block.Name, string(block.Input)})
		}
	}
	return out, nil
}

func anthropicStatus(err error) int {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.StatusCode
}

func TestAnthropicEvery(t *testing.T) {
	playEvery(t, sdk{own: "anthropic", begin: beginMessages, status: anthropicStatus})
}
