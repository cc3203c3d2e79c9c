package sdktest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"
)

var openaiRoutes = scenarios.Routes["openai"]

func openaiClient(s stage) openai.Client {
	return openai.NewClient(option.WithBaseURL(s.Gateway+"/v1/"), option.WithAPIKey("client-key"), option.WithMaxRetries(0))
}

// openaiAsk is one way to get a whole answer.
type openaiAsk func(context.Context, openai.Client, openai.ChatCompletionNewParams) (*openai.ChatCompletion, error)

var openaiAsks = map[string]openaiAsk{"unary": openaiCreate, "stream": openaiStream}

func openaiCreate(ctx context.Context, c openai.Client, p openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
	return c.Chat.Completions.New(ctx, p)
}

// openaiStream collects a stream with the SDK's own accumulator.
func openaiStream(ctx context.Context, c openai.Client, p openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(ctx, p)
	defer func() { _ = stream.Close() }()
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		if !acc.AddChunk(stream.Current()) {
			return nil, fmt.Errorf("accumulator refuses chunk %s", stream.Current().RawJSON())
		}
	}
	return &acc.ChatCompletion, stream.Err()
}

// eachOpenAI plays a scenario with both vendors, unary and streamed.
func eachOpenAI(t *testing.T, scenario func(t *testing.T, s stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice)) {
	for _, model := range openaiRoutes.both() {
		for name, ask := range openaiAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				s := set(t)
				c := openaiClient(s)
				scenario(t, s, model, func(p openai.ChatCompletionNewParams) openai.ChatCompletionChoice {
					t.Helper()
					answer, err := ask(t.Context(), c, p)
					if err != nil {
						t.Fatalf("got error %v want an answer", err)
					}
					if len(answer.Choices) != 1 {
						t.Fatalf("got %d choices want 1", len(answer.Choices))
					}
					return answer.Choices[0]
				})
			})
		}
	}
}

func openaiParams(model, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}}
}

func openaiTools() []openai.ChatCompletionToolUnionParam {
	return []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "weather", Description: openai.String("Tells the weather."),
			Parameters: shared.FunctionParameters{
				"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
			},
		}),
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "now", Description: openai.String("Tells the time.")}),
	}
}

func TestOpenAIText(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		for name, ask := range openaiAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				p := openaiParams(model, "Guten Tag, Łódź ☀")
				p.Messages = append([]openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief.")}, p.Messages...)
				answer, err := ask(t.Context(), openaiClient(set(t)), p)
				if err != nil {
					t.Fatalf("got error %v want an answer", err)
				}
				wantText(t, answer.Choices[0].Message.Content+"|"+answer.Choices[0].FinishReason, "You said: Guten Tag, Łódź ☀|stop")
				if answer.ID == "" || answer.Created < 1.7e9 {
					t.Errorf("got id %q, created %d want an id and a time", answer.ID, answer.Created)
				}
			})
		}
	}
}

func TestOpenAIUsage(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		for name, ask := range openaiAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				s := set(t)
				s.replies(t, vendorOf(model), scenarios.Usage.Reply)
				answer, err := ask(t.Context(), openaiClient(s), openaiParams(model, "Count."))
				if err != nil {
					t.Fatal(err)
				}
				u := answer.Usage
				got, want := scenarios.Usage.OpenAI, scenarios.Usage.OpenAI
				got.Prompt, got.Completion, got.Total, got.Cached = u.PromptTokens, u.CompletionTokens, u.TotalTokens, u.PromptTokensDetails.CachedTokens
				if got != want {
					t.Errorf("got usage %+v want %+v", got, want)
				}
			})
		}
	}
}

// openaiToolLoop plays three turns with the tools; before is called ahead of each.
func openaiToolLoop(t *testing.T, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice, before func(turn int)) {
	t.Helper()
	p := openaiParams(model, "Weather and time?")
	p.Tools = openaiTools()
	var calls []string
	var last string
	for turn := 1; turn <= 3; turn++ {
		before(turn)
		message := ask(p).Message
		p.Messages = append(p.Messages, message.ToParam())
		for _, call := range message.ToolCalls {
			result := runTool(t, call.Function.Name, call.Function.Arguments)
			calls = append(calls, fmt.Sprintf("%d %s: %s", turn, call.Function.Name, result))
			p.Messages = append(p.Messages, openai.ToolMessage(result, call.ID))
		}
		last = message.Content
	}
	wantText(t, strings.Join(calls, "\n"), toolCalls)
	wantText(t, last, scenarios.Tools.Said)
}

// toolCalls is what the tools of scenarios.json are called for, by turn.
const toolCalls = "1 weather: rain in Oslo\n1 now: noon\n2 weather: rain in Łódź \"old\"\n2 weather: rain in Bern"

func TestOpenAITools(t *testing.T) {
	eachOpenAI(t, func(t *testing.T, s stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice) {
		s.replies(t, vendorOf(model), scenarios.Tools.Turns...)
		openaiToolLoop(t, model, ask, func(int) {})
	})
}

// The lead fails in the middle of the loop; the understudy takes its history over.
func TestOpenAIToolsFailover(t *testing.T) {
	for name, ask := range openaiAsks {
		t.Run(name, func(t *testing.T) {
			s := set(t)
			c := openaiClient(s)
			s.replies(t, "openai", scenarios.Tools.Turns[0])
			s.replies(t, "anthropic", scenarios.Tools.Turns[1])
			openaiToolLoop(t, openaiRoutes.First, func(p openai.ChatCompletionNewParams) openai.ChatCompletionChoice {
				answer, err := ask(t.Context(), c, p)
				if err != nil {
					t.Fatalf("got error %v want an answer", err)
				}
				return answer.Choices[0]
			}, func(turn int) {
				if turn == 2 {
					s.fault(t, "openai", "internal-500")
				}
			})
			s.wantCounts(t, 3, 2)
		})
	}
}

func TestOpenAIMedia(t *testing.T) {
	dataURI := func(kind string, b []byte) string {
		return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)
	}
	image := func(url string) openai.ChatCompletionContentPartUnionParam {
		return openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url})
	}
	for name, tc := range map[string]struct {
		part openai.ChatCompletionContentPartUnionParam
		seen string
	}{
		"image":        {image(dataURI("image/png", pixel)), fmt.Sprintf("image/png of %d bytes", len(pixel))},
		"image by URL": {image("https://example.com/a.png"), "image at https://example.com/a.png"},
		"document": {openai.FileContentPart(openai.ChatCompletionContentPartFileFileParam{
			Filename: openai.String("page.pdf"), FileData: openai.String(dataURI("application/pdf", page)),
		}), fmt.Sprintf("application/pdf of %d bytes", len(page))},
	} {
		t.Run(name, func(t *testing.T) {
			eachOpenAI(t, func(t *testing.T, _ stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice) {
				parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("What is it?"), tc.part}
				p := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(parts)}}
				wantText(t, ask(p).Message.Content, "I see "+tc.seen+". You said: What is it?")
			})
		})
	}
}

func TestOpenAISchema(t *testing.T) {
	eachOpenAI(t, func(t *testing.T, _ stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice) {
		p := openaiParams(model, "A city.")
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "city", Strict: openai.Bool(true), Schema: citySchema,
		}}
		wantCity(t, ask(p).Message.Content)
	})
}

// The SDK's accumulator of streams drops citations, so only whole answers are looked at.
func TestOpenAICitations(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			s.replies(t, vendorOf(model), scenarios.Citations.Reply)
			answer, err := openaiCreate(t.Context(), openaiClient(s), openaiParams(model, "Does it rain?"))
			if err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, note := range answer.Choices[0].Message.Annotations {
				urls = append(urls, note.URLCitation.URL)
			}
			wantText(t, strings.Join(urls, " "), strings.Join(scenarios.Citations.URLs, " "))
		})
	}
}

// Thoughts of the other vendor are shown, and its turn may come back to either in the next one. The
// SDK's own replay leaves the thoughts out.
func TestOpenAIThinking(t *testing.T) {
	for _, then := range openaiRoutes.both() {
		t.Run("then "+then, func(t *testing.T) {
			s := set(t)
			c := openaiClient(s)
			s.replies(t, "anthropic", scenarios.Thinking.Tools)
			p := openaiParams(openaiRoutes.Other, "What time is it?")
			p.Tools, p.ReasoningEffort = openaiTools(), shared.ReasoningEffortHigh
			answer, err := openaiCreate(t.Context(), c, p)
			if err != nil {
				t.Fatal(err)
			}
			message := answer.Choices[0].Message
			var thought string
			if err := json.Unmarshal([]byte(message.JSON.ExtraFields["reasoning_content"].Raw()), &thought); err != nil {
				t.Errorf("read reasoning_content of %s: %v", message.RawJSON(), err)
			}
			wantText(t, thought, scenarios.Thinking.Thought)
			if asked := s.journal(t, "anthropic")[0].Body["thinking"]; asked == nil {
				t.Error("got no thinking in the request to the vendor, want it asked for")
			}
			p.Model, p.ReasoningEffort = then, ""
			p.Messages = append(p.Messages, message.ToParam(), openai.ToolMessage("noon", message.ToolCalls[0].ID))
			if answer, err = openaiCreate(t.Context(), c, p); err != nil {
				t.Fatal(err)
			}
			wantText(t, answer.Choices[0].Message.Content, scenarios.Thinking.Said)
		})
	}
}

func TestOpenAIEffort(t *testing.T) {
	s := set(t)
	p := openaiParams("openai/gpt-5", "Hello")
	p.ReasoningEffort = shared.ReasoningEffortLow
	if _, err := openaiCreate(t.Context(), openaiClient(s), p); err != nil {
		t.Fatal(err)
	}
	if got := s.journal(t, "openai")[0].Body["reasoning_effort"]; got != "low" {
		t.Errorf("got reasoning effort %v at the vendor want low", got)
	}
}

func TestOpenAIStop(t *testing.T) {
	eachOpenAI(t, func(t *testing.T, _ stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice) {
		p := openaiParams(model, "one two tree four")
		p.Stop.OfStringArray = []string{"tree", "none"}
		choice := ask(p)
		wantText(t, strings.TrimSpace(choice.Message.Content)+"|"+choice.FinishReason, "You said: one two|stop")
	})
}

func TestOpenAILimit(t *testing.T) {
	eachOpenAI(t, func(t *testing.T, _ stage, model string, ask func(openai.ChatCompletionNewParams) openai.ChatCompletionChoice) {
		p := openaiParams(model, "one two three four")
		p.MaxCompletionTokens = openai.Int(3)
		choice := ask(p)
		wantText(t, strings.TrimSpace(choice.Message.Content)+"|"+choice.FinishReason, "You said: one|length")
	})
}

func TestOpenAIModels(t *testing.T) {
	c := openaiClient(set(t))
	names := map[string]bool{}
	pager := c.Models.ListAutoPaging(t.Context())
	for pager.Next() {
		names[pager.Current().ID] = true
	}
	for _, name := range []string{"openai-only", "anthropic-only", "openai-first", "anthropic-first"} {
		if !names[name] {
			t.Errorf("got models %v (%v) want %s among them", names, pager.Err(), name)
		}
	}
	if model, err := c.Models.Get(t.Context(), "openai-first"); err != nil || model.ID != "openai-first" {
		t.Errorf("got model %v, %v want openai-first", model, err)
	}
	_, err := c.Models.Get(t.Context(), "no-such-model")
	wantOpenAIError(t, err, 404)
	_, err = openaiCreate(t.Context(), c, openaiParams("no-such-model", "Hello"))
	wantOpenAIError(t, err, 404)
}

func wantOpenAIError(t *testing.T, err error, status int) {
	t.Helper()
	var e *openai.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v want the SDK's *Error with status %d", err, status)
	}
	if e.StatusCode != status || e.Message == "" || e.Type == "" || e.Response.Header.Get("X-Request-Id") == "" {
		t.Errorf("got status %d, type %q, message %q want status %d, and a request id", e.StatusCode, e.Type, e.Message, status)
	}
	if strings.Contains(e.RawJSON(), "vendor-secret") {
		t.Errorf("got a vendor's key in %s", e.RawJSON())
	}
}

func TestOpenAIErrors(t *testing.T) {
	for _, row := range scenarios.Errors {
		for side, model := range map[string]string{"own": openaiRoutes.Own, "other": openaiRoutes.Other} {
			for name, ask := range openaiAsks {
				t.Run(row.Fault+"/"+side+"/"+name, func(t *testing.T) {
					s := set(t)
					s.fault(t, vendorOf(model), row.Fault)
					_, err := ask(t.Context(), openaiClient(s), openaiParams(model, "Hello"))
					wantOpenAIError(t, err, row.OpenAI[side])
				})
			}
		}
	}
}

func TestOpenAIFailover(t *testing.T) {
	for name, kinds := range map[string][]string{"unary": scenarios.Failover.Unary, "stream": scenarios.Failover.Stream} {
		for _, kind := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				s := set(t)
				s.fault(t, "openai", kind)
				answer, err := openaiAsks[name](t.Context(), openaiClient(s), openaiParams(openaiRoutes.First, "Hello"))
				if err != nil {
					t.Fatalf("got error %v want an answer", err)
				}
				wantText(t, answer.Choices[0].Message.Content, "You said: Hello")
				if lead := s.journal(t, "openai"); len(lead) == 0 || lead[0].Fault != kind {
					t.Errorf("got %v asked of the lead, want a request that met %s", lead, kind)
				}
			})
		}
	}
}

// A failure after content is an error, never a clean end.
func TestOpenAIBroken(t *testing.T) {
	for _, kind := range scenarios.Broken {
		for _, model := range openaiRoutes.both() {
			t.Run(kind+"/"+model, func(t *testing.T) {
				s := set(t)
				s.fault(t, vendorOf(model), kind)
				p := openaiParams(model, "one two three four five six")
				p.Tools, p.ToolChoice.OfAuto = openaiTools(), param.NewOpt("none")
				answer, err := openaiStream(t.Context(), openaiClient(s), p)
				if err == nil {
					t.Fatalf("got a clean end after %s want an error", answer.RawJSON())
				}
				if len(answer.Choices) == 0 {
					t.Errorf("got nothing before error %v want some content", err)
				}
			})
		}
	}
}

func TestOpenAITimeout(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		for name, ask := range openaiAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				s := set(t)
				s.fault(t, vendorOf(model), "hang")
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				_, err := ask(ctx, openaiClient(s), openaiParams(model, "Hello"))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got error %v want deadline exceeded", err)
				}
				s.wantCancelled(t, vendorOf(model), time.Now())
			})
		}
	}
}

func TestOpenAICancel(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			s.fault(t, vendorOf(model), "stall")
			c := openaiClient(s)
			stream := c.Chat.Completions.NewStreaming(t.Context(), openaiParams(model, "one two three four five six"))
			if !stream.Next() {
				t.Fatalf("got error %v want a first chunk", stream.Err())
			}
			if err := stream.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			s.wantCancelled(t, vendorOf(model), time.Now())
		})
	}
}

func TestOpenAIRetries(t *testing.T) {
	for _, model := range openaiRoutes.both() {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			c := openaiClient(s)
			s.faultOnce(t, vendorOf(model), "rate-429-ms")
			_, err := c.Chat.Completions.New(t.Context(), openaiParams(model, "Hello"))
			wantOpenAIError(t, err, 429)
			s.faultOnce(t, vendorOf(model), "rate-429-ms")
			answer, err := c.Chat.Completions.New(t.Context(), openaiParams(model, "Hello"), option.WithMaxRetries(2))
			if err != nil {
				t.Fatalf("got error %v want an answer at the SDK's second try", err)
			}
			wantText(t, answer.Choices[0].Message.Content, "You said: Hello")
			if n := len(s.journal(t, vendorOf(model))); n != 3 {
				t.Errorf("got %d requests at the vendor want 3", n)
			}
		})
	}
}

// When every target has failed, the SDK is told not to try by itself.
func TestOpenAIAllDown(t *testing.T) {
	s := set(t)
	s.fault(t, "openai", "internal-500")
	s.fault(t, "anthropic", "internal-500")
	c := openaiClient(s)
	_, err := c.Chat.Completions.New(t.Context(), openaiParams(openaiRoutes.First, "Hello"), option.WithMaxRetries(2))
	wantOpenAIError(t, err, 500)
	s.wantCounts(t, 1, 1)
}

// A client that heartbeats have kept waiting is told in the stream that nobody answers.
func TestOpenAIAllSilent(t *testing.T) {
	s := set(t)
	s.fault(t, "openai", "stall-start")
	s.fault(t, "anthropic", "stall-start")
	if answer, err := openaiStream(t.Context(), openaiClient(s), openaiParams(openaiRoutes.First, "Hello")); err == nil {
		t.Errorf("got a clean end after %s want an error", answer.RawJSON())
	}
}
