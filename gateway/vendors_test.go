package gateway_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/transport"
)

// recordedError is told by its status and what its body contains.
type recordedError struct {
	status     int
	has, class string
}

// recordedErrors says of every error that the corpus has of a vendor how it is
// classed, by the dialect and the rules in the vendor's facts together.
var recordedErrors = map[string][]recordedError{
	"alibaba": {
		{400, "Download multimodal file timed out", "invalid_request"},
		{400, "does not support being set to required", "invalid_request"},
		{401, "invalid_api_key", "provider_auth"},
		{404, "model_not_found", "model_gone"},
	},
	"azure": {
		{401, "", "provider_auth"},
		{404, "", "model_gone"},
	},
	"cerebras": {
		{401, "wrong_api_key", "provider_auth"},
		{403, "multimodal_not_enabled", "unsupported"},
		{404, "model_not_found", "model_gone"},
	},
	"deepseek": {
		{400, "Failed to deserialize", "invalid_request"},
		{400, "The supported API model names are", "model_gone"},
		{400, "Model Not Exist", "model_gone"},
		{400, "Thinking mode does not support this tool_choice", "unsupported"},
		{401, "authentication_error", "provider_auth"},
	},
	"groq": {
		{400, "does not support response format", "unsupported"},
		{400, "`tool calling` is not supported", "unsupported"},
		{400, "json schema is required", "invalid_request"},
		{400, "tools[0].type must be one of", "invalid_request"},
		{400, "must be a string", "invalid_request"},
		{401, "invalid_api_key", "provider_auth"},
		{404, "model_not_found", "model_gone"},
	},
	"huggingface": {
		{400, "Please check the parameters", "invalid_request"},
		{400, "model features", "unsupported"},
		{400, "Invalid json_schema", "invalid_request"},
		{400, "Extra inputs are not permitted", "invalid_request"},
		{400, "model_not_found", "model_gone"},
		{401, "Invalid credentials", "provider_auth"},
		{402, "included credits", "quota"},
		{500, "", "server_error"},
		{502, "<!DOCTYPE html>", "unreachable"},
	},
	"llamacpp": {
		{400, "exceed_context_size_error", "context_length"},
		{400, "invalid_request_error", "invalid_request"},
		{401, "authentication_error", "provider_auth"},
		{500, "input is not supported", "unsupported"},
		{500, "requires --jinja", "unsupported"},
		{500, "Context size has been exceeded", "context_length"},
		{500, "Cannot use both", "invalid_request"},
		{500, "cannot make GET request", "server_error"},
	},
	"mistral": {
		{400, "3291", "invalid_request"},
		{400, "is not enabled for this model", "unsupported"},
		{400, "Logprobs are not enabled", "unsupported"},
		{400, "invalid_model", "model_gone"},
		{401, "detail", "provider_auth"},
		{422, "detail", "invalid_request"},
		{500, "Service unavailable", "server_error"},
	},
	"openrouter": {
		{400, "is not a valid model ID", "invalid_request"}, // the words begin with the model's name
		{400, "Provider returned error", "invalid_request"},
		{401, "", "provider_auth"},
		{429, "Rate limit exceeded", "rate_limit"},
	},
	"perplexity": {
		{400, "invalid_model", "model_gone"},
		{401, "<html>", "provider_auth"},
	},
	"together": {
		{401, "invalid_api_key", "provider_auth"},
		{404, "model_not_available", "model_gone"},
	},
	"xai": {
		{400, "Incorrect API key provided", "provider_auth"},
		{400, "Model not found", "model_gone"},
	},
}

// recordedVendor is a vendor's facts in front of its recorded answers.
func recordedVendor(t *testing.T, id string) *stage {
	t.Helper()
	facts, ok := services.Facts(id)
	if !ok {
		t.Fatalf("%s: got no facts, want those of a vendor in the corpus", id)
	}
	return newFactsStage(t, id, facts)
}

// TestVendors holds the facts of vendors against what was recorded of them.
func TestVendors(t *testing.T) {
	t.Parallel()
	errors, taken := map[string][]*dialecttest.Exchange{}, map[string][]*dialecttest.Exchange{}
	edited := func(vendor string) bool {
		facts, _ := services.Facts(vendor)
		return !facts.Edits[dialect.OpenAIChat].IsZero()
	}
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		switch {
		case x.Status >= 400:
			errors[x.Vendor] = append(errors[x.Vendor], x)
		// A server of one model takes requests that name none, which say nothing of edits.
		case x.API == "openai.chat" && x.Status == 200 && isRecorded(x) && !slices.Contains(x.Flags, "error") &&
			bytes.Contains(x.RequestBody, []byte(`"model":`)) && edited(x.Vendor):
			taken[x.Vendor] = append(taken[x.Vendor], x)
		}
	}, "openai.responses", "openai.chat")
	t.Run("errors are classed", func(t *testing.T) { recordedErrorsAreClassed(t, errors) })
	t.Run("edits spare what is taken", func(t *testing.T) { editsSpareWhatIsTaken(t, taken) })
}

func recordedErrorsAreClassed(t *testing.T, byVendor map[string][]*dialecttest.Exchange) {
	d := openaichat.New()
	for vendor, rows := range recordedErrors {
		s := recordedVendor(t, vendor)
		used := make([]bool, len(rows))
		for _, x := range byVendor[vendor] {
			s.vendor = func(transport.Request) *transport.Response { return recordedAnswer(t, d, x) }
			got := s.serve(d, chatAPI.path, minimalRequest(t, d, false))
			class := strings.TrimPrefix(got.Header().Get(gateway.HeaderDetail), vendor+"/m=")
			answer := x.Answer(t)
			row := slices.IndexFunc(rows, func(r recordedError) bool {
				return r.status == x.Status && bytes.Contains(answer, []byte(r.has))
			})
			if row < 0 {
				t.Errorf("%s: got class %s for %d %.200s, want a row for it", x.ID, class, x.Status, answer)
				continue
			}
			used[row] = true
			if class != rows[row].class {
				t.Errorf("%s: got class %s, want %s: %d %.200s", x.ID, class, rows[row].class, x.Status, answer)
			}
		}
		if i := slices.Index(used, false); i >= 0 {
			t.Errorf("%s: got no recorded error like %v, want one for each row", vendor, rows[i])
		}
	}
}

// editsSpareWhatIsTaken replays what vendors were recorded to accept: edits that took any
// of it away would cost more than they are worth.
func editsSpareWhatIsTaken(t *testing.T, byVendor map[string][]*dialecttest.Exchange) {
	d := openaichat.New()
	for vendor, taken := range byVendor {
		s := recordedVendor(t, vendor)
		for _, x := range taken {
			s.vendor = func(transport.Request) *transport.Response { return recordedAnswer(t, d, x) }
			got := s.serve(d, chatAPI.path, x.RequestBody)
			if loss := got.Header().Get(gateway.HeaderLoss); loss != "" || len(s.sent) == 0 {
				t.Errorf("%s: got status %d and loss %q, want all of a request carried that the vendor takes", x.ID, got.Code, loss)
			}
		}
		t.Logf("%s: %d accepted requests replayed", vendor, len(taken))
	}
}
