package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

// Errors are classed by the vendor's types, and its words only where it has no type of its own (F22).
func TestDecodeError(t *testing.T) {
	body := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":null}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   llm.Code
	}{
		{"A23", 400, body(errInvalid, "messages.0: bad"), llm.CodeInvalidRequest},
		{"A20 only the facts tell", 400, body(errInvalid, "Your credit balance is too low to access the API."), llm.CodeInvalidRequest},
		{"A22 the user's words repeated", 400, body(errInvalid, "bad text: Your credit balance is too low, prompt is too long"), llm.CodeInvalidRequest},
		{"B5", 400, body(errInvalid, "prompt is too long: 210000 tokens > 200000 maximum"), llm.CodeContextLength},
		{"B5 with max_tokens", 400, body(errInvalid, "input length and `max_tokens` exceed context limit: 1 + 2 > 2"), llm.CodeContextLength},
		{"B8", 401, body(errAuth, "invalid x-api-key"), llm.CodeProviderAuth},
		{"B10", 403, body(errPermission, "no"), llm.CodeProviderAuth},
		{"B9", 402, body(errBilling, "no"), llm.CodeQuota},
		{"B11", 404, body(errNotFound, "model: x"), llm.CodeModelGone},
		{"B15", 413, body(errTooLarge, "big"), llm.CodeTooLarge},
		{"B15 by the CDN", 413, "<html>413</html>", llm.CodeTooLarge},
		{"B18", 429, body(errRateLimit, "slow"), llm.CodeRateLimit},
		{"B19", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}`, llm.CodeQuota},
		{"a lost thread is no lost model", 404, `{"type":"error","error":{"type":"not_found_error","message":"x","details":{"error_code":"thread_not_found"}}}`, llm.CodeInvalidRequest},
		{"a thread in use", 409, `{"type":"error","error":{"type":"conflict_error","message":"x","details":{"error_code":"thread_continue_in_flight"}}}`, llm.CodeInvalidRequest},
		{"B23", 500, body(errAPI, "x"), llm.CodeServerError},
		{"B27", 529, body(errOverloaded, "x"), llm.CodeOverloaded},
		{"timeout", 504, body(errTimeout, "x"), llm.CodeTimeout},
		{"conflict", 409, body(errInvalid, "x"), llm.CodeConflict},
		{"B8 of a compatible server", 401, body(errInvalid, "x"), llm.CodeProviderAuth},
		{"B9 of a compatible server", 402, body(errInvalid, "Insufficient Balance"), llm.CodeQuota},
		{"B18 of a compatible server", 429, body(errInvalid, "slow"), llm.CodeRateLimit},
		{"B24 of a proxy", 502, body(errInvalid, "x"), llm.CodeUnreachable},
		{"B25 of a compatible server", 503, body(errInvalid, "x"), llm.CodeOverloaded},
		{"B28 with the type for any fault", 422, body(errInvalid, "x"), llm.CodeInvalidRequest},
		{"B12", 405, "", llm.CodeNotImplemented},
		{"B24", 502, "<html>", llm.CodeUnreachable},
		{"B28", 418, "teapot", llm.CodeInvalidRequest},
		{"B28 server", 599, "", llm.CodeServerError},
		{"a type nobody knows", 503, body("nap_error", "x"), llm.CodeOverloaded},
		{"in a stream", 0, body("nap_error", "x"), llm.CodeServerError},
	} {
		got := New().Provider.DecodeError(c.status, []byte(c.body))
		if got.Code != c.want || got.Status != c.status || got.Origin != llm.OriginProvider {
			t.Errorf("%s: got %+v want %s", c.name, got, c.want)
		}
	}
	got := New().Provider.DecodeError(400, []byte(body(errInvalid, "messages.0: bad")))
	if got.Message != "messages.0: bad" || got.Type != errInvalid {
		t.Errorf("got %+v, want the vendor's words for the client's fault", got)
	}
	got = New().Provider.DecodeError(401, []byte(body(errAuth, "key 7 of acme is out")))
	if strings.Contains(got.Message, "acme") {
		t.Errorf("got %q, want nothing of what the vendor says about the gateway's key", got.Message)
	}
}

func TestDecodeResponseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       llm.Code
	}{
		{"C1", `{"content":[`, llm.CodeBadAnswer},
		{"C2", ``, llm.CodeBadAnswer},
		{"T142", `null`, llm.CodeBadAnswer},
		{"an array", `[]`, llm.CodeBadAnswer},
		{"no content", `{"id":"x"}`, llm.CodeBadAnswer},
		{"C12", `{"content":[],"stop_reason":null}`, llm.CodeBadAnswer},
		{"a block that is none", `{"content":["x"],"stop_reason":"end_turn"}`, llm.CodeBadAnswer},
		{"B32", `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`, llm.CodeOverloaded},
		{"B32 without a type", `{"error":{"type":"rate_limit_error"}}`, llm.CodeRateLimit},
	} {
		resp, err := New().Provider.DecodeResponse([]byte(c.body))
		_, tapErr := New().Relay.NewTap(askNothing).Body([]byte(c.body))
		for who, err := range map[string]error{"DecodeResponse": err, "tap": tapErr} {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != c.want {
				t.Errorf("%s: %s: got %v, %v want %s", c.name, who, resp, err, c.want)
			}
		}
	}
	if _, err := New().Provider.DecodeResponse([]byte(`{"content":[],"stop_reason":"end_turn"}`)); err != nil {
		t.Errorf("C13: an empty answer with a reason: got %v, want it taken for an answer", err)
	}
}

func TestIsError(t *testing.T) {
	for body, want := range map[string]bool{
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`: true,
		` {"error":{"type":"x"},"type":"error","request_id":null}` + "\n":             true,
		`{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}`:            false,
		`{"type":"error","error":"m"}`:                                                false,
		`{"type":"error","message":"m"}`:                                              false,
		`{"message":"m"}`:                                                             false,
		`[{"type":"error","error":{"type":"x"}}]`:                                     false,
		``: false,
	} {
		if got := New().IsError([]byte(body)); got != want {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
	if NewInvoke().IsError != nil {
		t.Error("InvokeModel: got errors told apart, want AWS's shown as they are")
	}
}

// TestSealedErrors tells the vendor's words about a signature from what a user could have it repeat.
func TestSealedErrors(t *testing.T) {
	for message, want := range map[string]bool{
		"messages.1.content.0: Invalid `signature` in `thinking` block":              true,
		"messages.12.content.3: Invalid `data` in `redacted_thinking` block":         true,
		"messages.1.content.0: Invalid `signature`":                                  false,
		"tools.0: messages.1.content.0: Invalid `signature` in `thinking` block":     false,
		"Invalid `signature` in `thinking` block":                                    false,
		"messages.1.content.0.type: Invalid `signature` in `thinking` block":         false,
		"messages.1.content.0: no Invalid `signature` in `thinking` block was found": false,
	} {
		body := []byte(`{"type":"error","error":{"type":"invalid_request_error","message":"` + message + `"}}`)
		if e := New().Provider.DecodeError(400, body); e.Sealed != want || e.Code != llm.CodeInvalidRequest {
			t.Errorf("%s: got %+v want sealed %v", message, e, want)
		}
	}
}
