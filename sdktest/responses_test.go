package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// responsesTalk is a conversation by Responses whose history the application keeps.
type responsesTalk struct {
	openai.Client
	params responses.ResponseNewParams
}

func beginResponses(s stage, model string, o offer) talk {
	k := &responsesTalk{Client: openaiClient(s), params: responses.ResponseNewParams{Model: model, Store: openai.Bool(false)}}
	if o.System != "" {
		k.params.Instructions = openai.String(o.System)
	}
	if o.Limit > 0 {
		k.params.MaxOutputTokens = openai.Int(int64(o.Limit))
	}
	if o.Tools {
		for name, schema := range toolSchemas() {
			tool := responses.ToolParamOfFunction(name, schema, false)
			tool.OfFunction.Description = openai.String("Tells the " + name + ".")
			k.params.Tools = append(k.params.Tools, tool)
		}
	}
	return k
}

func (k *responsesTalk) add(item responses.ResponseInputItemUnionParam) {
	k.params.Input.OfInputItemList = append(k.params.Input.OfInputItemList, item)
}

func (k *responsesTalk) say(text string, image []byte) {
	parts := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(text)}
	if image != nil {
		parts = append(parts, responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto))
		parts[1].OfInputImage.ImageURL = openai.String(pngURI(image))
	}
	k.add(responses.ResponseInputItemParamOfMessage(parts, responses.EasyInputMessageRoleUser))
}

func (k *responsesTalk) result(results []result) {
	for _, r := range results {
		k.add(responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
			CallID: openai.String(r.ID), Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String(r.Text)},
		}})
	}
}

func (k *responsesTalk) ask(ctx context.Context) (said, error) {
	answer, err := k.Responses.New(ctx, k.params)
	if err != nil {
		return said{}, err
	}
	return k.answered(*answer), nil
}

// stream holds the text that was shown piece by piece against the whole answer.
func (k *responsesTalk) stream(ctx context.Context) (said, error) {
	stream := k.Responses.NewStreaming(ctx, k.params)
	defer func() { _ = stream.Close() }()
	shown := ""
	var last responses.ResponseStreamEventUnion
	for stream.Next() {
		last = stream.Current()
		if last.Type == "response.output_text.delta" {
			shown += last.Delta
		}
	}
	switch {
	case stream.Err() != nil:
		return said{}, stream.Err()
	case last.Type != "response.completed" && last.Type != "response.incomplete":
		return said{}, errCut
	case shown != last.Response.OutputText():
		return said{}, errors.New("got other text piece by piece, " + shown + ", than in the end, " + last.Response.OutputText())
	}
	return k.answered(last.Response), nil
}

func (k *responsesTalk) answered(answer responses.Response) said {
	out := said{Text: answer.OutputText(), Tokens: answer.Usage.TotalTokens}
	reason := string(answer.Status)
	if answer.IncompleteDetails.Reason != "" {
		reason = answer.IncompleteDetails.Reason
	}
	out.Stop = stopOf(reason, map[string]string{"completed": stopEnd, "max_output_tokens": stopLimit})
	for _, item := range answer.Output {
		k.add(param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
		if item.Type == "function_call" {
			c := item.AsFunctionCall()
			out.Calls, out.Stop = append(out.Calls, call{c.CallID, c.Name, c.Arguments}), stopTools
		}
	}
	return out
}

func TestResponsesEvery(t *testing.T) {
	playEvery(t, sdk{own: "openai", begin: beginResponses, status: openaiStatus})
}

func TestResponsesSchema(t *testing.T) {
	for _, model := range scenarios.Every {
		t.Run(model, func(t *testing.T) {
			k := beginResponses(set(t), model, offer{}).(*responsesTalk)
			k.params.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("city", citySchema)
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

// Thoughts are shown, and may come back to any vendor in the next turn.
func TestResponsesReasoning(t *testing.T) {
	for _, then := range []string{"anthropic-only", "openai/gpt-5"} {
		for way, ask := range ways {
			t.Run("then "+then+"/"+way, func(t *testing.T) {
				s := set(t)
				s.replies(t, "anthropic", scenarios.Thinking.Tools)
				k := beginResponses(s, "anthropic-only", offer{Tools: true}).(*responsesTalk)
				k.params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortHigh, Summary: shared.ReasoningSummaryAuto}
				k.params.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
				k.say("What time is it?", nil)
				answer, err := ask(k, t.Context())
				if err != nil || len(answer.Calls) != 1 {
					t.Fatalf("got %+v, %v want a call", answer, err)
				}
				if got := mustJSON(t, k.params.Input); !strings.Contains(got, scenarios.Thinking.Thought) {
					t.Errorf("got %s want the thought in it", got)
				}
				k.result([]result{{answer.Calls[0], "noon"}})
				k.params.Model = then
				answer, err = ask(k, t.Context())
				wantSaid(t, answer, err, scenarios.Thinking.Said, stopEnd)
			})
		}
	}
}
