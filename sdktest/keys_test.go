package sdktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"google.golang.org/genai"
)

// unknownKey is one that the gateway could have made and has not: nobody is let in with it.
var unknownKey = "us-" + strings.Repeat("a", 52)

// TestUnknownKey shows a key that is not known, and gets each SDK's own error for that.
func TestUnknownKey(t *testing.T) {
	s := set(t)
	ctx := t.Context()
	oc := openai.NewClient(option.WithBaseURL(s.Gateway+"/v1/"), option.WithAPIKey(unknownKey), option.WithMaxRetries(0))
	_, err := oc.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "any", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")}})
	var oe *openai.Error
	if !errors.As(err, &oe) || oe.StatusCode != 401 || oe.Code != "invalid_api_key" {
		t.Errorf("OpenAI: got %v, want 401 and the code invalid_api_key", err)
	}
	ac := anthropic.NewClient(anthropicoption.WithBaseURL(s.Gateway), anthropicoption.WithAPIKey(unknownKey), anthropicoption.WithMaxRetries(0))
	_, err = ac.Messages.New(ctx, anthropic.MessageNewParams{Model: "any", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))}})
	var ae *anthropic.Error
	if !errors.As(err, &ae) || ae.StatusCode != 401 {
		t.Errorf("Anthropic: got %v, want 401", err)
	}
	gc, err := genai.NewClient(context.Background(), &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: unknownKey, HTTPOptions: genai.HTTPOptions{BaseURL: s.Gateway}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = gc.Models.GenerateContent(ctx, "any", genai.Text("hi"), nil)
	var ge genai.APIError
	if !errors.As(err, &ge) || ge.Code != 401 || ge.Status != "UNAUTHENTICATED" {
		t.Errorf("Google: got %v, want 401 and UNAUTHENTICATED", err)
	}
}
