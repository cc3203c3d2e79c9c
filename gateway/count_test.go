package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/provider"
)

// countAPIs ask for the tokens of a prompt.
func countAPIs() map[string]func(w *world, model, text string, header map[string]string) *answer {
	return map[string]func(w *world, model, text string, header map[string]string) *answer{
		"anthropic": func(w *world, model, text string, header map[string]string) *answer {
			return w.post(api{path: "/v1/messages/count_tokens"}, map[string]any{
				"model": model, "messages": []any{map[string]any{"role": "user", "content": text}}, "system": "Be brief.",
			}, header)
		},
		"gemini": func(w *world, model, text string, header map[string]string) *answer {
			parts := func(s string) map[string]any {
				return map[string]any{"role": "user", "parts": []any{map[string]any{"text": s}}}
			}
			return w.post(api{path: "/v1beta/models/" + model + ":countTokens"}, map[string]any{"generateContentRequest": map[string]any{
				"model": "models/x", "contents": []any{parts(text)}, "systemInstruction": parts("Be brief."),
			}}, header)
		},
		"vertex": func(w *world, model, text string, header map[string]string) *answer {
			parts := func(s string) map[string]any {
				return map[string]any{"role": "user", "parts": []any{map[string]any{"text": s}}}
			}
			return w.post(api{path: "/v1/projects/p/locations/l/publishers/google/models/" + model + ":countTokens"}, map[string]any{
				"contents": []any{parts(text)}, "systemInstruction": parts("Be brief."),
			}, header)
		},
		"claude at vertex": func(w *world, model, text string, header map[string]string) *answer {
			return w.post(api{path: "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict"}, map[string]any{
				"model": model, "messages": []any{map[string]any{"role": "user", "content": text}}, "system": "Be brief.", "anthropic_version": "vertex-2023-10-16",
			}, header)
		},
		"bedrock": func(w *world, model, text string, header map[string]string) *answer {
			parts := func(s string) []any { return []any{map[string]any{"text": s}} }
			return w.post(api{path: "/model/" + model + "/count-tokens"}, map[string]any{"input": map[string]any{"converse": map[string]any{
				"messages": []any{map[string]any{"role": "user", "content": parts(text)}}, "system": parts("Be brief."),
			}}}, header)
		},
	}
}

// countIn reads the count of an answer, in the client's form only.
func countIn(client string, o *answer) int64 {
	var v struct {
		Input   *int64 `json:"input_tokens"`
		Total   *int64 `json:"totalTokens"`
		Bedrock *int64 `json:"inputTokens"`
	}
	_ = json.Unmarshal(o.body, &v)
	n := map[string]*int64{"anthropic": v.Input, "claude at vertex": v.Input, "gemini": v.Total, "vertex": v.Total, "bedrock": v.Bedrock}[client]
	if o.status != 200 || n == nil {
		return -1
	}
	return *n
}

func countWorld(t *testing.T) *world {
	t.Helper()
	known, _ := services.Facts("vertex")
	const place = "/v1/projects/p/locations/l"
	return newWorld(t, withTimeouts(patient()),
		withDialect(gemini.NewVertexCount(), place+known.Dialects[dialect.VertexCount], "vertexcount"),
		withDialect(anthropic.NewVertexCount(), place+known.Dialects[dialect.AnthropicCount], "vertexclaude"),
		withFacts(func(f *provider.Facts) { f.Edits = known.Edits }, "vertexcount", "vertexclaude"),
		withDialect(anthropic.NewCount(), "/v1/messages/count_tokens", "claudecount"), withDialect(gemini.NewCount(), "/v1beta/models/{model}:countTokens", "geminicount"),
		withDialect(bedrock.NewCount(), "/model/{model}/count-tokens", "bedrockcount"),
		withFacts(func(f *provider.Facts) {
			f.Auth, f.Headers = "x-api-key", map[string]string{"anthropic-version": "2023-06-01"}
		}, "claudecount"))
}

// TestCountTokens asks counters, and estimates where there is none: marked, without asking anybody, and never under a
// strict policy.
func TestCountTokens(t *testing.T) {
	t.Parallel()
	w := countWorld(t)
	text := strings.Repeat("The gulls over the sea are many. ", 50) // 351 words and stops
	for client, ask := range countAPIs() {
		for _, vendor := range []string{"claudecount", "geminicount", "bedrockcount", "vertexcount", "vertexclaude"} {
			got := ask(w, vendor, text, nil)
			if n := countIn(client, got); n < 300 || got.header.Get(gateway.HeaderAttempts) != "1" || got.header.Get(gateway.HeaderLoss) != "" {
				t.Errorf("%s from %s: got %v, loss %q want the vendor's count", client, vendor, got, got.header.Get(gateway.HeaderLoss))
			}
		}
		got := ask(w, "chat1>claudecount", text, nil)
		if n := countIn(client, got); n < 300 || n > 450 || got.header.Get(gateway.HeaderAttempts) != "0" || got.header.Get(gateway.HeaderLoss) != "input_tokens=approximated(tuning)" {
			t.Errorf("%s from chat1: got %v, loss %q want an estimate for the lead, marked", client, got, got.header.Get(gateway.HeaderLoss))
		}
		if rec := w.record(); len(rec.Attempts) != 0 || rec.Code != "" {
			t.Errorf("%s from chat1: got record %+v want no attempt", client, rec)
		}
		if got := ask(w, "chat1", text, map[string]string{"X-Understudy-Loss": "strict"}); got.status != 400 || !strings.Contains(string(got.body), "estimate") {
			t.Errorf("%s, strict: got %v want it refused", client, got)
		}
	}
	if n := w.count("chat1"); n != 0 {
		t.Errorf("got %d requests to a vendor that has no counter", n)
	}
	before := w.count("claudecount")
	for client, ask := range countAPIs() {
		if got := ask(w, "claudecount", text, map[string]string{gateway.HeaderRequire: "eu"}); countIn(client, got) < 300 || w.count("claudecount") != before {
			t.Errorf("%s, with a tag that the vendor does not have: got %v want an estimate, and the vendor not asked", client, got)
		}
	}
	if !strings.Contains(w.log.String(), "estimated=") {
		t.Error("got nothing in the log about the estimate")
	}
}

// TestCountTokensFails: a counter that fails is no reason to go without a number; a request that is wrong is.
func TestCountTokensFails(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for client, ask := range countAPIs() {
		beside.run(t, client, func(t *testing.T) {
			countTokensFails(t, client, ask)
		})
	}
	w := countWorld(t)
	for _, b := range []map[string]any{{"model": "chat1"}, {"model": "claudecount", "messages": "x"}, {"messages": []any{}}} {
		if got := w.post(api{path: "/v1/messages/count_tokens"}, b, nil); got.status != 400 || !strings.Contains(string(got.body), "invalid_request_error") {
			t.Errorf("%s: got %v want 400 in the client's words", fmt.Sprint(b), got)
		}
	}
}

func countTokensFails(t *testing.T, client string, ask func(w *world, model, text string, header map[string]string) *answer) {
	t.Helper()
	w := countWorld(t)
	for _, vendor := range []string{"claudecount", "geminicount", "bedrockcount", "vertexcount", "vertexclaude"} {
		for _, fault := range []string{"overloaded-529", "invalid-json", "auth-401"} {
			w.fail(vendor, fault)
			got := ask(w, vendor, "The gulls.", nil)
			if n := countIn(client, got); n < 5 || n > 40 || got.header.Get(gateway.HeaderLoss) != "input_tokens=approximated(tuning)" {
				t.Errorf("%s from %s, %s: got %v want an estimate", client, vendor, fault, got)
			}
			if got := ask(w, vendor, "The gulls.", map[string]string{"X-Understudy-Loss": "strict"}); got.status < 400 {
				t.Errorf("%s from %s, %s, strict: got %v want the vendor's failure", client, vendor, fault, got)
			}
			w.mend(vendor)
		}
	}
}

// TestCountInvokeModel: a body of another vendor's, which only Bedrock reads, is counted there and estimated by nobody.
func TestCountInvokeModel(t *testing.T) {
	t.Parallel()
	w := countWorld(t)
	body := map[string]any{"input": map[string]any{"invokeModel": map[string]any{
		"body": []byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`),
	}}}
	if got := w.post(api{path: "/model/bedrockcount/count-tokens"}, body, nil); countIn("bedrock", got) < 5 {
		t.Errorf("got %v want the vendor's count", got)
	}
	for model, status := range map[string]int{"chat1": 400, "claudecount": 400} {
		if got := w.post(api{path: "/model/" + model + "/count-tokens"}, body, nil); got.status != status || !strings.Contains(string(got.body), "input.converse") {
			t.Errorf("%s: got %v want %d and what to do", model, got, status)
		}
	}
	w.fail("bedrockcount", "overloaded-529")
	if got := w.post(api{path: "/model/bedrockcount/count-tokens"}, body, nil); got.status < 500 {
		t.Errorf("got %v want the vendor's failure", got)
	}
}
