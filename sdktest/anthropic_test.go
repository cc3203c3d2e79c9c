package sdktest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

var anthropicRoutes = scenarios.Routes["anthropic"]

func anthropicClient(s stage) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(s.Gateway), option.WithAPIKey("client-key"), option.WithMaxRetries(0))
}

// anthropicAsk is one way to get a whole answer.
type anthropicAsk func(context.Context, anthropic.Client, anthropic.MessageNewParams) (*anthropic.Message, error)

var anthropicAsks = map[string]anthropicAsk{"unary": anthropicCreate, "stream": anthropicStream}

func anthropicCreate(ctx context.Context, c anthropic.Client, p anthropic.MessageNewParams) (*anthropic.Message, error) {
	return c.Messages.New(ctx, p)
}

// anthropicStream collects a stream with the SDK's own accumulator.
func anthropicStream(ctx context.Context, c anthropic.Client, p anthropic.MessageNewParams) (*anthropic.Message, error) {
	stream := c.Messages.NewStreaming(ctx, p)
	defer func() { _ = stream.Close() }()
	var acc anthropic.Message
	for stream.Next() {
		if err := acc.Accumulate(stream.Current()); err != nil {
			return nil, err
		}
	}
	return &acc, stream.Err()
}

// eachAnthropic plays a scenario with both vendors, unary and streamed.
func eachAnthropic(t *testing.T, scenario func(t *testing.T, s stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message)) {
	for _, model := range anthropicRoutes.both() {
		for name, ask := range anthropicAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				s := set(t)
				scenario(t, s, model, mustAnswer(t, s, ask))
			})
		}
	}
}

// mustAnswer asks and fails the test when there is no answer.
func mustAnswer(t *testing.T, s stage, ask anthropicAsk) func(anthropic.MessageNewParams) *anthropic.Message {
	c := anthropicClient(s)
	return func(p anthropic.MessageNewParams) *anthropic.Message {
		t.Helper()
		answer, err := ask(t.Context(), c, p)
		if err != nil {
			t.Fatalf("got error %v want an answer", err)
		}
		return answer
	}
}

func anthropicParams(model string, blocks ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 2048, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
}

func anthropicText(model, text string) anthropic.MessageNewParams {
	return anthropicParams(model, anthropic.NewTextBlock(text))
}

func anthropicTools() []anthropic.ToolUnionParam {
	city := map[string]any{"city": map[string]any{"type": "string"}}
	return []anthropic.ToolUnionParam{
		{OfTool: &anthropic.ToolParam{Name: "weather", Description: anthropic.String("Tells the weather."), InputSchema: anthropic.ToolInputSchemaParam{Properties: city, Required: []string{"city"}}}},
		{OfTool: &anthropic.ToolParam{Name: "now", Description: anthropic.String("Tells the time."), InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{}}}},
	}
}

func textOf(m *anthropic.Message) string {
	var all strings.Builder
	for _, block := range m.Content {
		if block.Type == "text" {
			all.WriteString(block.Text)
		}
	}
	return all.String()
}

func TestAnthropicText(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, _ stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		p := anthropicText(model, "Guten Tag, Łódź ☀")
		p.System = []anthropic.TextBlockParam{{Text: "Be brief."}}
		answer := ask(p)
		wantText(t, textOf(answer), "You said: Guten Tag, Łódź ☀")
		if answer.StopReason != "end_turn" || len(answer.Content) != 1 {
			t.Errorf("got %d blocks and stop reason %q want 1 and end_turn", len(answer.Content), answer.StopReason)
		}
	})
}

func TestAnthropicUsage(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, s stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		s.replies(t, vendorOf(model), scenarios.Usage.Reply)
		u := ask(anthropicText(model, "Count.")).Usage
		got, want := scenarios.Usage.Anthropic, scenarios.Usage.Anthropic
		got.Input, got.Output, got.CacheRead, got.CacheWrite = u.InputTokens, u.OutputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens
		if got != want {
			t.Errorf("got usage %+v want %+v", got, want)
		}
	})
}

// anthropicToolLoop plays three turns with the tools; before is called ahead of each.
func anthropicToolLoop(t *testing.T, model string, ask func(anthropic.MessageNewParams) *anthropic.Message, before func(turn int)) {
	t.Helper()
	p := anthropicText(model, "Weather and time?")
	p.Tools = anthropicTools()
	var calls []string
	var last string
	for turn := 1; turn <= 3; turn++ {
		before(turn)
		message := ask(p)
		p.Messages = append(p.Messages, message.ToParam())
		var results []anthropic.ContentBlockParamUnion
		for _, block := range message.Content {
			if block.Type == "tool_use" {
				result := runTool(t, block.Name, string(block.Input))
				calls = append(calls, fmt.Sprintf("%d %s: %s", turn, block.Name, result))
				results = append(results, anthropic.NewToolResultBlock(block.ID, result, false))
			}
		}
		p.Messages = append(p.Messages, anthropic.NewUserMessage(results...))
		last = textOf(message)
	}
	wantText(t, strings.Join(calls, "\n"), toolCalls)
	wantText(t, last, scenarios.Tools.Said)
}

func TestAnthropicTools(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, s stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		s.replies(t, vendorOf(model), scenarios.Tools.Turns...)
		anthropicToolLoop(t, model, ask, func(int) {})
	})
}

// The lead fails in the middle of the loop; the understudy takes its history over.
func TestAnthropicToolsFailover(t *testing.T) {
	for name, ask := range anthropicAsks {
		t.Run(name, func(t *testing.T) {
			s := set(t)
			s.replies(t, "anthropic", scenarios.Tools.Turns[0])
			s.replies(t, "openai", scenarios.Tools.Turns[1])
			anthropicToolLoop(t, anthropicRoutes.First, mustAnswer(t, s, ask), func(turn int) {
				if turn == 2 {
					s.fault(t, "anthropic", "internal-500")
				}
			})
			s.wantCounts(t, 2, 3)
		})
	}
}

func TestAnthropicMedia(t *testing.T) {
	for name, tc := range map[string]struct {
		block anthropic.ContentBlockParamUnion
		seen  string
	}{
		"image":        {anthropic.NewImageBlockBase64("image/png", base64.StdEncoding.EncodeToString(pixel)), fmt.Sprintf("image/png of %d bytes", len(pixel))},
		"image by URL": {anthropic.NewImageBlock(anthropic.URLImageSourceParam{URL: "https://example.com/a.png"}), "image at https://example.com/a.png"},
		"document":     {anthropic.NewDocumentBlock(anthropic.Base64PDFSourceParam{Data: base64.StdEncoding.EncodeToString(page)}), fmt.Sprintf("application/pdf of %d bytes", len(page))},
	} {
		t.Run(name, func(t *testing.T) {
			eachAnthropic(t, func(t *testing.T, _ stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
				answer := ask(anthropicParams(model, tc.block, anthropic.NewTextBlock("What is it?")))
				wantText(t, textOf(answer), "I see "+tc.seen+". You said: What is it?")
			})
		})
	}
}

// Only one of the vendors fetches documents: the other one is not asked to guess.
func TestAnthropicDocumentByURL(t *testing.T) {
	s := set(t)
	document := anthropic.NewDocumentBlock(anthropic.URLPDFSourceParam{URL: "https://example.com/a.pdf"})
	if got := textOf(mustAnswer(t, s, anthropicCreate)(anthropicParams(anthropicRoutes.Own, document))); !strings.Contains(got, "https://example.com/a.pdf") {
		t.Errorf("got %q want the document's address in it", got)
	}
	_, err := anthropicCreate(t.Context(), anthropicClient(s), anthropicParams(anthropicRoutes.Other, document))
	wantAnthropicError(t, err, 400)
	s.wantCounts(t, 0, 1)
}

func TestAnthropicSchema(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, _ stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		p := anthropicText(model, "A city.")
		p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: citySchema}
		wantCity(t, textOf(ask(p)))
	})
}

// Those of the other vendor lack what this one's have, and are dropped with a report.
func TestAnthropicCitations(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, s stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		s.replies(t, vendorOf(model), scenarios.Citations.Reply)
		answer := ask(anthropicText(model, "Does it rain?"))
		wantText(t, textOf(answer), "It rains.")
		var urls []string
		for _, block := range answer.Content {
			for _, citation := range block.Citations {
				urls = append(urls, citation.URL)
			}
		}
		want := map[string]string{anthropicRoutes.Own: strings.Join(scenarios.Citations.URLs, " ")}
		wantText(t, strings.Join(urls, " "), want[model])
	})
}

// Thoughts of either vendor are shown, and may come back to either in the next turn.
func TestAnthropicThinking(t *testing.T) {
	for _, then := range anthropicRoutes.both() {
		t.Run("then "+then, func(t *testing.T) {
			eachAnthropic(t, func(t *testing.T, s stage, first string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
				s.replies(t, vendorOf(first), scenarios.Thinking.Tools)
				p := anthropicText(first, "What time is it?")
				p.Tools, p.Thinking = anthropicTools(), anthropic.ThinkingConfigParamOfEnabled(1024)
				message := ask(p)
				if len(message.Content) != 2 || message.Content[0].Type != "thinking" {
					t.Fatalf("got %s want a thought and a tool call", message.RawJSON())
				}
				wantText(t, message.Content[0].Thinking, scenarios.Thinking.Thought)
				p.Model = then
				p.Messages = append(p.Messages, message.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(message.Content[1].ID, "noon", false)))
				if first != then && then == anthropicRoutes.Own {
					p.Thinking = anthropic.ThinkingConfigParamUnion{} // the vendor wants its own thoughts back while it thinks, and there are none
				}
				wantText(t, textOf(ask(p)), scenarios.Thinking.Said)
			})
		})
	}
}

// OpenAI does not tell a stop sequence from a natural end.
func TestAnthropicStop(t *testing.T) {
	want := map[string]string{anthropicRoutes.Own: "You said: one two|stop_sequence|tree", anthropicRoutes.Other: "You said: one two|end_turn|"}
	eachAnthropic(t, func(t *testing.T, _ stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		p := anthropicText(model, "one two tree four")
		p.StopSequences = []string{"tree", "none"}
		answer := ask(p)
		wantText(t, fmt.Sprintf("%s|%s|%s", strings.TrimSpace(textOf(answer)), answer.StopReason, answer.StopSequence), want[model])
	})
}

func TestAnthropicLimit(t *testing.T) {
	eachAnthropic(t, func(t *testing.T, _ stage, model string, ask func(anthropic.MessageNewParams) *anthropic.Message) {
		p := anthropicText(model, "one two three four")
		p.MaxTokens = 3
		answer := ask(p)
		wantText(t, fmt.Sprintf("%s|%s", strings.TrimSpace(textOf(answer)), answer.StopReason), "You said: one|max_tokens")
	})
}

func TestAnthropicModels(t *testing.T) {
	c := anthropicClient(set(t))
	names := map[string]bool{}
	pager := c.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	for pager.Next() {
		names[pager.Current().ID] = true
	}
	for _, name := range []string{"openai-only", "anthropic-only", "openai-first", "anthropic-first"} {
		if !names[name] {
			t.Errorf("got models %v (%v) want %s among them", names, pager.Err(), name)
		}
	}
	if model, err := c.Models.Get(t.Context(), "openai-first", anthropic.ModelGetParams{}); err != nil || model.ID != "openai-first" {
		t.Errorf("got model %v, %v want openai-first", model, err)
	}
	_, err := c.Models.Get(t.Context(), "no-such-model", anthropic.ModelGetParams{})
	wantAnthropicError(t, err, 404)
	_, err = anthropicCreate(t.Context(), c, anthropicText("no-such-model", "Hello"))
	wantAnthropicError(t, err, 404)
}

func wantAnthropicError(t *testing.T, err error, status int) {
	t.Helper()
	var e *anthropic.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v want the SDK's *Error with status %d", err, status)
	}
	if e.StatusCode != status || e.Type() == "" || e.RequestID == "" {
		t.Errorf("got status %d, type %q, request id %q want status %d, a type and an id", e.StatusCode, e.Type(), e.RequestID, status)
	}
	if strings.Contains(e.RawJSON(), "vendor-secret") {
		t.Errorf("got a vendor's key in %s", e.RawJSON())
	}
}

func TestAnthropicErrors(t *testing.T) {
	for _, row := range scenarios.Errors {
		for side, model := range map[string]string{"own": anthropicRoutes.Own, "other": anthropicRoutes.Other} {
			for name, ask := range anthropicAsks {
				t.Run(row.Fault+"/"+side+"/"+name, func(t *testing.T) {
					s := set(t)
					s.fault(t, vendorOf(model), row.Fault)
					_, err := ask(t.Context(), anthropicClient(s), anthropicText(model, "Hello"))
					wantAnthropicError(t, err, row.Anthropic[side])
				})
			}
		}
	}
}

func TestAnthropicFailover(t *testing.T) {
	for name, kinds := range map[string][]string{"unary": scenarios.Failover.Unary, "stream": scenarios.Failover.Stream} {
		for _, kind := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				s := set(t)
				s.fault(t, "anthropic", kind)
				wantText(t, textOf(mustAnswer(t, s, anthropicAsks[name])(anthropicText(anthropicRoutes.First, "Hello"))), "You said: Hello")
				if lead := s.journal(t, "anthropic"); len(lead) == 0 || lead[0].Fault != kind {
					t.Errorf("got %v asked of the lead, want a request that met %s", lead, kind)
				}
			})
		}
	}
}

// A failure after content is an error, never a clean end.
func TestAnthropicBroken(t *testing.T) {
	for _, kind := range scenarios.Broken {
		for _, model := range anthropicRoutes.both() {
			t.Run(kind+"/"+model, func(t *testing.T) {
				s := set(t)
				s.fault(t, vendorOf(model), kind)
				p := anthropicText(model, "one two three four five six")
				p.Tools, p.ToolChoice.OfNone = anthropicTools(), &anthropic.ToolChoiceNoneParam{}
				answer, err := anthropicStream(t.Context(), anthropicClient(s), p)
				if err == nil {
					t.Fatalf("got a clean end after %s want an error", answer.RawJSON())
				}
				if answer == nil || len(answer.Content) == 0 || answer.StopReason != "" {
					t.Errorf("got %v before error %v want some content and no stop reason", answer, err)
				}
			})
		}
	}
}

func TestAnthropicTimeout(t *testing.T) {
	for _, model := range anthropicRoutes.both() {
		for name, ask := range anthropicAsks {
			t.Run(model+"/"+name, func(t *testing.T) {
				s := set(t)
				s.fault(t, vendorOf(model), "hang")
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				_, err := ask(ctx, anthropicClient(s), anthropicText(model, "Hello"))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got error %v want deadline exceeded", err)
				}
				s.wantCancelled(t, vendorOf(model), time.Now())
			})
		}
	}
}

func TestAnthropicCancel(t *testing.T) {
	for _, model := range anthropicRoutes.both() {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			s.fault(t, vendorOf(model), "stall")
			c := anthropicClient(s)
			stream := c.Messages.NewStreaming(t.Context(), anthropicText(model, "one two three four five six"))
			for stream.Next() && stream.Current().Type != "content_block_delta" {
			}
			if stream.Err() != nil {
				t.Fatalf("got error %v want content", stream.Err())
			}
			if err := stream.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			s.wantCancelled(t, vendorOf(model), time.Now())
		})
	}
}

func TestAnthropicRetries(t *testing.T) {
	for _, model := range anthropicRoutes.both() {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			c := anthropicClient(s)
			s.faultOnce(t, vendorOf(model), "rate-429-ms")
			_, err := c.Messages.New(t.Context(), anthropicText(model, "Hello"))
			wantAnthropicError(t, err, 429)
			s.faultOnce(t, vendorOf(model), "rate-429-ms")
			answer, err := c.Messages.New(t.Context(), anthropicText(model, "Hello"), option.WithMaxRetries(2))
			if err != nil {
				t.Fatalf("got error %v want an answer at the SDK's second try", err)
			}
			wantText(t, textOf(answer), "You said: Hello")
			if n := len(s.journal(t, vendorOf(model))); n != 3 {
				t.Errorf("got %d requests at the vendor want 3", n)
			}
		})
	}
}

// When every target has failed, the SDK is told not to try by itself.
func TestAnthropicAllDown(t *testing.T) {
	s := set(t)
	s.fault(t, "openai", "internal-500")
	s.fault(t, "anthropic", "internal-500")
	c := anthropicClient(s)
	_, err := c.Messages.New(t.Context(), anthropicText(anthropicRoutes.First, "Hello"), option.WithMaxRetries(2))
	wantAnthropicError(t, err, 500)
	s.wantCounts(t, 1, 1)
}

// A client that heartbeats have kept waiting is told in the stream that nobody answers.
func TestAnthropicAllSilent(t *testing.T) {
	s := set(t)
	s.fault(t, "openai", "stall-start")
	s.fault(t, "anthropic", "stall-start")
	if answer, err := anthropicStream(t.Context(), anthropicClient(s), anthropicText(anthropicRoutes.First, "Hello")); err == nil {
		t.Errorf("got a clean end after %s want an error", answer.RawJSON())
	}
}
