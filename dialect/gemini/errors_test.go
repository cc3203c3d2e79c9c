package gemini

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeError(t *testing.T) {
	body := func(code, status, message, details string) string {
		return `{"error":{"code":` + code + `,"message":"` + message + `","status":"` + status + `","details":[` + details + `]}}`
	}
	info := func(reason string) string {
		return `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + reason + `","domain":"googleapis.com"}`
	}
	quota := func(id string) string {
		return `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m","quotaId":"` + id + `"}]},` +
			`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   llm.Code
	}{
		{"A19", 400, body("400", statusInvalid, "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID")), llm.CodeProviderAuth},
		{"A19 by how it begins", 400, body("400", statusInvalid, "API key not valid. Please pass a valid API key.", ""), llm.CodeProviderAuth},
		{"A22 the user's words repeated", 400, body("400", statusInvalid, "Bad text: API key not valid. The input token count", ""), llm.CodeInvalidRequest},
		{"A23", 400, body("400", statusInvalid, "Invalid value at 'contents'", ""), llm.CodeInvalidRequest},
		{"B5", 400, body("400", statusInvalid, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", ""), llm.CodeContextLength},
		{"B5 of Vertex AI", 400, body("400", statusInvalid, "Unable to submit request because the input token count is 9 but model only supports up to 8", ""), llm.CodeContextLength},
		{"B6", 400, body("400", statusInvalid, "Request payload size exceeds the limit: 20971520 bytes.", ""), llm.CodeTooLarge},
		{"a region", 400, body("400", statusPrecondition, "User location is not supported for the API use.", ""), llm.CodeProviderAuth},
		{"B8", 401, body("401", statusUnauthorized, "Request had invalid authentication credentials.", ""), llm.CodeProviderAuth},
		{"B10", 403, body("403", statusForbidden, "no", info("SERVICE_DISABLED")), llm.CodeProviderAuth},
		{"B11", 404, body("404", statusNotFound, "models/x is not found for API version v1beta", ""), llm.CodeModelGone},
		{"B15", 413, "<html>413</html>", llm.CodeTooLarge},
		{"B18", 429, body("429", statusExhausted, "Resource has been exhausted (e.g. check quota).", ""), llm.CodeRateLimit},
		{"B18 by the minute", 429, body("429", statusExhausted, "x", quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")), llm.CodeRateLimit},
		{"B19 by the day", 429, body("429", statusExhausted, "x", quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")), llm.CodeQuota},
		{"B23", 500, body("500", statusInternal, "An internal error has occurred.", ""), llm.CodeServerError},
		{"B27", 503, body("503", statusUnavailable, "The model is overloaded. Please try again later.", ""), llm.CodeOverloaded},
		{"timeout", 504, body("504", statusDeadline, "x", ""), llm.CodeTimeout},
		{"not implemented", 501, body("501", statusUnimplement, "x", ""), llm.CodeNotImplemented},
		{"cancelled", 499, body("499", statusCancelled, "x", ""), llm.CodeUnreachable},
		{"in a list, as a stream has it", 400, "[" + body("400", statusInvalid, "x", info("API_KEY_INVALID")) + "]", llm.CodeProviderAuth},
		{"in a stream", 0, body("503", statusUnavailable, "x", ""), llm.CodeOverloaded},
		{"in a stream, without a status", 0, `{"error":{"code":429,"message":"x"}}`, llm.CodeRateLimit},
		{"in a stream, without anything", 0, `{"error":{"message":"x"}}`, llm.CodeServerError},
		{"B28", 418, "teapot", llm.CodeInvalidRequest},
		{"a status nobody knows", 503, body("503", "NAPPING", "x", ""), llm.CodeOverloaded},
		{"another gateway's", 502, `{"error":{"code":502,"message":"x","status":"INTERNAL","details":[{"reason":"TRUNCATED","domain":"understudy"}]}}`, llm.CodeTruncated},
		{"another gateway's about its client", 401, `{"error":{"code":401,"message":"x","status":"UNAUTHENTICATED","details":[{"reason":"AUTHENTICATION","domain":"understudy"}]}}`, llm.CodeProviderAuth},
	} {
		got := New().Provider.DecodeError(c.status, []byte(c.body))
		if got.Code != c.want || got.Status != c.status || got.Origin != llm.OriginProvider {
			t.Errorf("%s: got %+v want %s", c.name, got, c.want)
		}
	}
	for quotas, want := range map[string]bool{ // of those that are spent
		"GenerateRequestsPerMinutePerProjectPerModel":                                    false,
		"GenerateRequestsPerDayPerProjectPerModel-FreeTier":                              true,
		"GenerateRequestsPerDayPerProject":                                               false,
		"GenerateRequestsPerMinutePerProject GenerateRequestsPerDayPerProjectPerModel":   true,
		"GenerateRequestsPerDayPerProject GenerateRequestsPerDayPerProjectPerModel":      false,
		"GenerateRequestsPerDayPerProjectPerModel GenerateRequestsPerDayPerProject":      false,
		"GenerateRequestsPerDayPerProjectPerModel GenerateContentPaidTierInputPerMinute": true,
	} {
		var all []string
		for id := range strings.FieldsSeq(quotas) {
			all = append(all, `{"quotaId":"`+id+`"}`)
		}
		failure := `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[` + strings.Join(all, ",") + `]}`
		got := New().Provider.DecodeError(429, []byte(body("429", statusExhausted, "x", failure)))
		if got.OfModel != want {
			t.Errorf("%s: got %+v, want it to be of the model: %t", quotas, got, want)
		}
	}
	got := New().Provider.DecodeError(429, []byte(body("429", statusExhausted, "x", quota("PerMinute"))))
	if got.RetryAfter != 34500*time.Millisecond {
		t.Errorf("got to come back after %v want 34.5s", got.RetryAfter)
	}
	got = New().Provider.DecodeError(401, []byte(body("401", statusUnauthorized, "key 7 of acme is out", "")))
	if strings.Contains(got.Message, "acme") {
		t.Errorf("got %q, want nothing of what the vendor says about the gateway's key", got.Message)
	}
}

func TestDecodeResponseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       llm.Code
	}{
		{"C1", `{"candidates":[`, llm.CodeBadAnswer},
		{"C2", ``, llm.CodeBadAnswer},
		{"T142", `null`, llm.CodeBadAnswer},
		{"an empty list", `[]`, llm.CodeBadAnswer},
		{"nothing of an answer", `{"id":"x"}`, llm.CodeBadAnswer},
		{"no candidate", `{"usageMetadata":{"promptTokenCount":1}}`, llm.CodeBadAnswer},
		{"no finish reason", `{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`, llm.CodeTruncated},
		{"candidates that are none", `{"candidates":{}}`, llm.CodeBadAnswer},
		{"a candidate that is none", `{"candidates":["x"]}`, llm.CodeBadAnswer},
		{"a part that is none", `{"candidates":[{"content":{"parts":["x"]},"finishReason":"STOP"}]}`, llm.CodeBadAnswer},
		{"a text that is none", `{"candidates":[{"content":{"parts":[{"text":7}]},"finishReason":"STOP"}]}`, llm.CodeBadAnswer},
		{"B32", `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`, llm.CodeOverloaded},
		{"B32 in a list", `[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]`, llm.CodeRateLimit},
	} {
		resp, err := New().Provider.DecodeResponse([]byte(c.body))
		_, tapErr := New().Relay.NewTap(dialect.Ask{}).Body([]byte(c.body))
		for who, err := range map[string]error{"DecodeResponse": err, "tap": tapErr} {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != c.want {
				t.Errorf("%s: %s: got %v, %v want %s", c.name, who, resp, err, c.want)
			}
		}
	}
	for name, body := range map[string]string{
		"a candidate without content": `{"candidates":[{"finishReason":"STOP"}]}`,
		"content without parts":       `{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}]}`,
		"a list of chunks":            `[{"candidates":[{"content":{"parts":[{"text":"x"}]}}]},{"candidates":[{"finishReason":"STOP"}]}]`,
		"numbers for words":           `{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":1}]}`,
	} {
		if resp, err := New().Provider.DecodeResponse([]byte(body)); err != nil || len(resp.Choices) != 1 || resp.Choices[0].Stop.Reason == "" {
			t.Errorf("%s: got %+v, %v, want it taken for an answer", name, resp, err)
		}
	}
}

// TestBlockedPrompt reads what the vendor says instead of an answer: A46.
func TestBlockedPrompt(t *testing.T) {
	body := []byte(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"gemini-x"}`)
	resp, err := New().Provider.DecodeResponse(body)
	if err != nil || len(resp.Choices) != 1 {
		t.Fatalf("got %+v, %v, want one choice", resp, err)
	}
	if c := resp.Choices[0]; c.Stop.Reason != llm.StopContentFilter || c.Stop.Raw != "PROHIBITED_CONTENT" || len(c.Parts) != 0 || resp.Usage.InFresh != 7 {
		t.Errorf("got %+v, usage %+v", c, resp.Usage)
	}
	if sig, err := New().Relay.NewTap(dialect.Ask{}).Body(body); err != nil || sig.Content || !sig.Finish {
		t.Errorf("tap: got %+v, %v", sig, err)
	}
	tap := New().Relay.NewTap(dialect.Ask{})
	if sig, err := tap.Frame(dialect.Frame{Data: body}); err != nil || !sig.Finish {
		t.Errorf("tap: got %+v, %v", sig, err)
	}
	if _, err := tap.Close(); err != nil {
		t.Errorf("tap: Close: %v", err)
	}
	out, _, err := New().Client.EncodeResponse(resp)
	if err != nil || !strings.Contains(string(out), `"finishReason":"PROHIBITED_CONTENT"`) {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestStops(t *testing.T) {
	for raw, want := range map[string]llm.StopReason{
		"STOP": llm.StopEnd, "MAX_TOKENS": llm.StopLength, "SAFETY": llm.StopContentFilter, "RECITATION": llm.StopContentFilter,
		"IMAGE_SAFETY": llm.StopContentFilter, "MODEL_ARMOR": llm.StopContentFilter, "SPII": llm.StopContentFilter,
		"MALFORMED_FUNCTION_CALL": llm.StopMalformed, "UNEXPECTED_TOOL_CALL": llm.StopMalformed, "MISSING_THOUGHT_SIGNATURE": llm.StopMalformed,
		"OTHER": llm.StopOther, "NO_IMAGE": llm.StopOther, "SOMETHING_NEW": llm.StopOther,
	} {
		resp, err := New().Provider.DecodeResponse([]byte(`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"` + raw + `","finishMessage":"why"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if s := resp.Choices[0].Stop; s.Reason != want || s.Raw != raw || s.Detail != "why" {
			t.Errorf("%s: got %+v want %s", raw, s, want)
		}
		out, _, err := New().Client.EncodeResponse(resp)
		if err != nil {
			t.Fatal(err)
		}
		again, err := New().Provider.DecodeResponse(out)
		if err != nil || again.Choices[0].Stop.Reason != want {
			t.Errorf("%s: got %+v, %v when written and read again want %s", raw, again.Choices[0].Stop, err, want)
		}
	}
	resp, err := New().Provider.DecodeResponse([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}`))
	if err != nil || resp.Choices[0].Stop.Reason != llm.StopToolCalls {
		t.Errorf("got %+v, %v, want STOP with a call to be tool_calls", resp, err)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		name, json string
		want       llm.Usage
	}{
		{
			"T: the prompt includes the cache, thoughts are apart", `{"promptTokenCount":150,"cachedContentTokenCount":40,"candidatesTokenCount":18,"thoughtsTokenCount":12,"totalTokenCount":180}`,
			llm.Usage{Known: true, InFresh: 110, InCacheRead: 40, OutVisible: 18, OutReasoning: 12},
		},
		{
			"the prompts of tools are apart", `{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":16}`,
			llm.Usage{Known: true, InFresh: 15, OutVisible: 1},
		},
		{
			"audio", `{"promptTokenCount":30,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"AUDIO","tokenCount":20}],"candidatesTokenCount":9,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}`,
			llm.Usage{Known: true, InFresh: 30, InAudio: 20, OutVisible: 9, OutAudio: 9},
		},
		{"a prompt that only the total counts", `{"candidatesTokenCount":1,"thoughtsTokenCount":125,"totalTokenCount":701}`, llm.Usage{Known: true, InFresh: 575, OutVisible: 1, OutReasoning: 125}},
		{"a cache larger than the prompt", `{"promptTokenCount":10,"cachedContentTokenCount":40}`, llm.Usage{Known: true, InCacheRead: 10}},
		{"nothing", `{}`, llm.Usage{}},
		{"no numbers", `{"promptTokenCount":"7","candidatesTokenCount":-1,"totalTokenCount":null}`, llm.Usage{Absurd: true}},
	} {
		if got := usageOf(jsontext.Plain([]byte(c.json))); got != c.want {
			t.Errorf("%s: got %+v want %+v", c.name, got, c.want)
		}
	}
}
