package dialect

import (
	"strconv"
	"time"
)

// Rate is how a client stands to what it may have of something by the minute.
type Rate struct {
	Of               string // requests or tokens
	Limit, Remaining int64
	Full             time.Duration // until all are there again
	Now              time.Time
}

// Header is a header of an answer.
type Header struct{ Name, Value string }

// OpenAIRates are the response headers in which clients of OpenAI's look for a rate.
func OpenAIRates(r Rate) []Header {
	of := "Requests"
	if r.Of == "tokens" {
		of = "Tokens"
	}
	return []Header{
		{"X-Ratelimit-Limit-" + of, strconv.FormatInt(r.Limit, 10)},
		{"X-Ratelimit-Remaining-" + of, strconv.FormatInt(r.Remaining, 10)},
		{"X-Ratelimit-Reset-" + of, r.Full.Round(time.Millisecond).String()},
	}
}

// AnthropicRates are the same for clients of Anthropic's.
func AnthropicRates(r Rate) []Header {
	of := "Requests"
	if r.Of == "tokens" {
		of = "Tokens"
	}
	return []Header{
		{"Anthropic-Ratelimit-" + of + "-Limit", strconv.FormatInt(r.Limit, 10)},
		{"Anthropic-Ratelimit-" + of + "-Remaining", strconv.FormatInt(r.Remaining, 10)},
		{"Anthropic-Ratelimit-" + of + "-Reset", r.Now.Add(r.Full).UTC().Format(time.RFC3339)},
	}
}
