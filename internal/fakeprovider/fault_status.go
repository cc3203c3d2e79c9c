package fakeprovider

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wire is a vendor's error: type, code (OpenAI) and message.
type wire struct{ kind, code, message string }

// vendorError is a status in both vendors' words.
type vendorError struct {
	name, row string
	want      Outcome
	status    int
	openai    wire
	anthropic wire
	header    []string // names and values in turn
}

const invalidRequest = "invalid_request_error"

func vendorErrors() []vendorError {
	invalid := func(code, message string) wire { return wire{invalidRequest, code, message} }
	server := func(message string) wire { return wire{"server_error", "", message} }
	api := func(message string) wire { return wire{"api_error", "", message} }
	return []vendorError{
		{"invalid-400", "B2", Surface, 400, invalid("invalid_value", "Invalid value: 'x'."), invalid("", "messages.0.content: Input should be a valid string"), nil},
		{"spend-limit-400", "B3", Failover, 400, invalid("billing_hard_limit_reached", "Billing hard limit has been reached."), invalid("", "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."), nil},
		{"credit-400", "B3", Failover, 400, invalid("billing_hard_limit_reached", "Billing hard limit has been reached."), invalid("", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."), nil},
		{"context-400", "B5", Surface, 400, invalid("context_length_exceeded", "This model's maximum context length is 128000 tokens. However, your messages resulted in 200001 tokens. Please reduce the length of the messages."), invalid("", "prompt is too long: 200001 tokens > 200000 maximum"), nil},
		{"content-filter-400", "B6", Surface, 400, invalid("content_policy_violation", "Your request was rejected as a result of our safety system."), invalid("", "Output blocked by content filtering policy"), nil},
		{"unsupported-400", "B7", Surface, 400, invalid("unsupported_parameter", "Unsupported parameter: 'top_p' is not supported with this model."), invalid("", "`top_p` is deprecated for this model."), nil},
		{"auth-401", "B8", Failover, 401, invalid("invalid_api_key", "Incorrect API key provided: sk-***. You can find your API key at https://platform.openai.com/account/api-keys."), wire{"authentication_error", "", "invalid x-api-key"}, nil},
		{"billing-402", "B9", Failover, 402, wire{"insufficient_quota", "insufficient_quota", "Insufficient balance."}, wire{"billing_error", "", "There is an issue with your billing or payment information."}, nil},
		{"permission-403", "B10", Failover, 403, invalid("unsupported_country_region_territory", "Country, region, or territory not supported"), wire{"permission_error", "", "Your API key does not have permission to use the specified resource."}, nil},
		{"model-404", "B11", Failover, 404, invalid("model_not_found", "The model `gone` does not exist or you do not have access to it."), wire{"not_found_error", "", "model: gone"}, nil},
		{"gone-410", "B11", Failover, 410, invalid("model_not_found", "The model `gone` has been deprecated."), wire{"not_found_error", "", "model: gone"}, nil},
		{"method-405", "B12", Surface, 405, invalid("method_not_supported", "Not allowed to POST on /v1/chat/completions."), invalid("", "Method Not Allowed"), []string{"Allow", "GET"}},
		{"media-415", "B12", Surface, 415, invalid("unsupported_content_type", "Unsupported content type."), invalid("", "Unsupported Media Type"), nil},
		{"not-implemented-501", "B12", Surface, 501, server("Not implemented."), api("Not implemented"), nil},
		{"timeout-408", "B13", Failover, 408, wire{"timeout", "timeout", "Request timed out."}, wire{"timeout_error", "", "Request timed out"}, nil},
		{"conflict-409", "B14", Failover, 409, wire{"conflict", "conflict", "Resource is locked."}, wire{"conflict_error", "", "Conflict"}, nil},
		{"large-413", "B15", Surface, 413, invalid("", "Request body too large."), wire{"request_too_large", "", "Request exceeds the maximum size"}, nil},
		{"unprocessable-422", "B16", Surface, 422, invalid("", "Unprocessable entity."), invalid("", "Unprocessable entity"), nil},
		{"early-425", "B17", Failover, 425, server("Too early."), api("Too early"), nil},
		{"dependency-424", "B17", Failover, 424, server("Failed dependency."), api("Failed dependency"), nil},
		{"quota-429", "B19", Failover, 429, wire{"insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."}, wire{"rate_limit_error", "", "This organization has reached its spend limit."}, nil},
		{"concurrency-429", "B20", Failover, 429, wire{"requests", "rate_limit_exceeded", "Too many concurrent requests."}, wire{"rate_limit_error", "", "Number of concurrent connections has exceeded your rate limit. Please try again later."}, nil},
		{"closed-499", "B22", Failover, 499, server("Client closed request."), api("Client closed request"), nil},
		{"internal-500", "B23", Failover, 500, server("The server had an error while processing your request. Sorry about that!"), api("Internal server error"), nil},
		{"no-retry-500", "B29", Failover, 500, server("The server had an error while processing your request. Sorry about that!"), api("Internal server error"), []string{"X-Should-Retry", "false"}},
		{"gateway-timeout-504", "B24", Failover, 504, server("Gateway timeout."), wire{"timeout_error", "", "Gateway timeout"}, nil},
		{"unavailable-503", "B25", Failover, 503, server("The engine is currently overloaded, please try again later."), api("Service unavailable"), nil},
		{"unavailable-retry-503", "B25", Failover, 503, server("Slow down."), api("Service unavailable"), []string{"Retry-After", "3"}},
		{"overloaded-529", "B27", Failover, 529, server("The engine is currently overloaded, please try again later."), wire{"overloaded_error", "", "Overloaded"}, []string{"X-Should-Retry", "true"}},
		{"teapot-418", "B28", Surface, 418, invalid("", "I'm a teapot."), invalid("", "I'm a teapot"), nil},
		{"unknown-599", "B28", Failover, 599, server("Network connect timeout."), api("Network connect timeout"), nil},
	}
}

// spoken is the vendor in whose words an operation fails: that of its answers.
func spoken(v vendor) vendor {
	switch v := v.(type) {
	case cohereEmbed, cohereRerank:
		return cohere{}
	case ollamaEmbed:
		return ollama{}
	case anthropicCount, vertexClaude, vertexCount:
		return anthropic{}
	case geminiEmbed:
		return v.gemini
	case geminiCount:
		return v.gemini
	case predict:
		return v.gemini
	case titan:
		return v.bedrock
	case bedrockCount:
		return v.bedrock
	}
	return v
}

func (e vendorError) in(v vendor) wire {
	v = spoken(v)
	if b, ok := v.(bedrock); ok {
		return b.says(e)
	}
	if i, ok := v.(invoke); ok {
		return i.says(e)
	}
	if g, ok := v.(gemini); ok {
		return g.says(e)
	}
	switch v {
	case anthropic{}:
		return e.anthropic
	case cohere{}:
		return wire{"", "", cohere{}.message(e)}
	case ollama{}:
		return wire{"", "", ollama{}.message(e)}
	}
	return e.openai
}

// statusIn is the status by which a vendor says an error.
func statusIn(v vendor, e vendorError) int {
	v = spoken(v)
	if v == (cohere{}) && e.name == "content-filter-400" {
		return statusDenied
	}
	if g, ok := v.(gemini); ok {
		return g.status(e)
	}
	return e.status
}

func (e vendorError) apply(x *exchange, p *plan) {
	w := e.in(x.vendor)
	fail := &Error{Status: statusIn(x.vendor, e), Type: w.kind, Code: w.code, Message: w.message, Header: map[string]string{}}
	for i := 0; i+1 < len(e.header); i += 2 {
		fail.Header[e.header[i]] = e.header[i+1]
	}
	*p = *x.failure(fail)
}

// page is an HTML answer of a proxy in front of the vendor.
func page(status int, title string) func(*exchange, *plan) {
	return func(_ *exchange, p *plan) {
		body := fmt.Sprintf("<!DOCTYPE html>\n<html><head><title>%s</title></head>\n<body><center><h1>%s</h1></center><hr><center>cloudflare</center></body></html>\n", title, title)
		*p = plan{status: status, header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}, "Server": {"cloudflare"}, "Cf-Ray": {"8f0000000000abcd-FRA"}}, body: []byte(body)}
	}
}

func bare(status int, contentType, body string) func(*exchange, *plan) {
	return func(_ *exchange, p *plan) {
		*p = plan{status: status, header: http.Header{}, body: []byte(body)}
		if contentType != "" {
			p.header.Set("Content-Type", contentType)
		}
	}
}

// statusFaults answer with something else than a 200 with content.
func statusFaults() []kind {
	var all []kind
	add := func(name, row, what string, want Outcome, apply func(*exchange, *plan)) {
		all = append(all, kind{Info: Info{Kind: name, Rows: []string{row}, What: what, Want: want, Unary: true, Stream: true}, apply: apply})
	}
	for _, e := range vendorErrors() {
		add(e.name, e.row, fmt.Sprintf("status %d in the vendor's envelope", e.status), e.want, e.apply)
	}
	add("redirect-307", "B1", "a redirect to another origin", Failover, redirect)
	add("html-403", "B10", "a firewall's HTML page", Failover, page(403, "403 Forbidden"))
	add("html-413", "B15", "the front proxy's HTML page", Surface, page(413, "413 Request Entity Too Large"))
	add("html-429", "B21", "a front proxy's HTML page", Failover, page(429, "429 Too Many Requests"))
	add("bad-gateway-502", "B24", "HTML", Failover, page(502, "502 Bad Gateway"))
	add("empty-502", "B24", "no body", Failover, bare(502, "", ""))
	add("html-504", "B24", "HTML", Failover, page(504, "504 Gateway Time-out"))
	add("text-503", "B25", "plain text", Failover, bare(503, "text/plain", "upstream connect error or disconnect/reset before headers. reset reason: overflow"))
	for status := 520; status <= 527; status++ {
		add("cdn-"+strconv.Itoa(status), "B26", "a CDN's page", Failover, page(status, strconv.Itoa(status)+": Web server returned an unknown error"))
	}
	add("html-200", "B30", "200 with a maintenance page", Failover, page(200, "We'll be back soon"))
	add("no-content-204", "B31", "204", Failover, bare(204, "", ""))
	add("partial-206", "B31", "206 with the whole answer", Failover, func(_ *exchange, p *plan) { p.status = 206 })
	add("switching-101", "B31", "101", Failover, func(_ *exchange, p *plan) {
		*p = plan{raw: true, steps: []step{{write: []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), act: drop}}}
	})
	add("error-200", "B32", "200 with an error object", Failover, func(x *exchange, p *plan) {
		errorNamed("overloaded-529").apply(x, p)
		p.status = 200
	})
	add("spend-429", "B19", "429 about an enforced spend limit, with no hint when to come back", Failover, spend)
	return all
}

// errorNamed returns one of vendorErrors.
func errorNamed(name string) vendorError {
	for _, e := range vendorErrors() {
		if e.name == name {
			return e
		}
	}
	panic("BUG: no vendor error " + name)
}

// redirect points at the same server under another name, so that the journal shows who followed.
func redirect(x *exchange, p *plan) {
	port := x.r.Host[strings.LastIndexByte(x.r.Host, ':')+1:]
	*p = plan{status: 307, header: http.Header{"Location": {"http://localhost:" + port + x.r.URL.Path}}}
}

func spend(x *exchange, p *plan) {
	if spoken(x.vendor) == (anthropic{}) {
		*p = *x.failure(&Error{Status: 429, Type: "rate_limit_error", Message: "This workspace has reached its monthly spend limit."})
		p.body = fmt.Appendf(nil, `{"type":"error","error":{"type":"rate_limit_error","message":"This workspace has reached its monthly spend limit.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":%s}`, quote(requestID(x.number)))
		return
	}
	if x.ask.Dialect == Converse {
		*p = *x.failure(&Error{Status: 429, Type: "ThrottlingException", Message: "Too many tokens per day, please wait before trying again."})
		return
	}
	*p = *x.failure(&Error{Status: 429, Type: "insufficient_quota", Code: "insufficient_quota", Message: "You exceeded your current quota, please check your plan and billing details."})
}

// retryForms are temporary 429s, one for each way to say when to come back.
func retryForms() []kind {
	now := func(d time.Duration) string { return time.Now().UTC().Add(d).Format(http.TimeFormat) }
	forms := []struct {
		name, message string
		header        func() []string
	}{
		{"seconds", "", func() []string { return []string{"Retry-After", "7"} }},
		{"fraction", "", func() []string { return []string{"Retry-After", "0.5"} }},
		{"date", "", func() []string { return []string{"Retry-After", now(7 * time.Second)} }},
		{"past-date", "", func() []string { return []string{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"} }},
		{"skewed-date", "", func() []string {
			return []string{"Date", now(10 * time.Minute), "Retry-After", now(10*time.Minute + 7*time.Second)}
		}},
		{"ms", "", func() []string { return []string{"Retry-After-Ms", "300", "Retry-After", "7"} }},
		{"x-ms", "", func() []string { return []string{"X-Ms-Retry-After-Ms", "300"} }},
		{"amz-ms", "", func() []string { return []string{"X-Amz-Retry-After", "300"} }},
		{"reset-requests", "", func() []string {
			return []string{"X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "1s"}
		}},
		{"reset-tokens", "", func() []string {
			return []string{"X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "6m0s"}
		}},
		{"reset-ms", "", func() []string { return []string{"X-Ratelimit-Reset-Tokens", "120ms"} }},
		{"reset-long", "", func() []string { return []string{"X-Ratelimit-Reset-Tokens", "1h2m3.5s"} }},
		{"reset-rfc3339", "", func() []string {
			return []string{"Anthropic-Ratelimit-Requests-Reset", time.Now().UTC().Add(7 * time.Second).Format(time.RFC3339)}
		}},
		{"text", "Rate limit reached. Please try again in 20s.", nil},
		{"none", "", nil},
		{"disagree", "", func() []string { return []string{"Retry-After", "2", "X-Ratelimit-Reset-Requests", "9s"} }},
		{"day", "", func() []string { return []string{"Retry-After", "86400"} }},
		{"negative", "", func() []string { return []string{"Retry-After", "-5"} }},
		{"nan", "", func() []string { return []string{"Retry-After", "NaN"} }},
		{"exponent", "", func() []string { return []string{"Retry-After", "1e309"} }},
		{"overflow", "", func() []string { return []string{"Retry-After", "99999999999999999999"} }},
		{"empty", "", func() []string { return []string{"Retry-After", ""} }},
		{"list", "", func() []string { return []string{"Retry-After", "7, 9"} }},
	}
	var all []kind
	for _, f := range forms {
		message := or(f.message, "Rate limit reached for requests.")
		apply := func(x *exchange, p *plan) {
			e := vendorError{status: 429, openai: wire{"requests", "rate_limit_exceeded", message}, anthropic: wire{"rate_limit_error", "", message}}
			if f.header != nil {
				e.header = f.header()
			}
			e.apply(x, p)
		}
		all = append(all, kind{Info: Info{Kind: "rate-429-" + f.name, Rows: []string{"B18"}, What: "temporary 429, when to come back told by: " + f.name, Want: Failover, Unary: true, Stream: true}, apply: apply})
	}
	return append(all, kind{Info: Info{Kind: "rate-429-retryinfo", Rows: []string{"B18"}, What: "temporary 429 with a RetryInfo detail in the body", Want: Failover, Unary: true, Stream: true}, apply: func(x *exchange, p *plan) {
		*p = *x.failure(&Error{Status: 429, Type: "rate_limit_error", Message: "Resource has been exhausted."})
		p.body = []byte(`{"error":{"code":429,"message":"Resource has been exhausted.","status":"RESOURCE_EXHAUSTED","type":"rate_limit_error","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}`)
	}})
}
