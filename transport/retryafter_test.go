package transport

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 10, 21, 7, 27, 30, 0, time.UTC)
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	const none = time.Duration(0)
	for _, tc := range []struct {
		name string
		h    http.Header
		body string
		want time.Duration
	}{
		{"none", header(), "", none},
		{"seconds", header("Retry-After", "7"), "", 7 * time.Second},
		{"white space", header("Retry-After", " 7 "), "", 7 * time.Second},
		{"fraction, at least a second", header("Retry-After", "0.5"), "", time.Second},
		{"fraction", header("Retry-After", "2.5"), "", 2500 * time.Millisecond},
		{"zero", header("Retry-After", "0"), "", time.Second},
		{"date", header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), "", 30 * time.Second},
		{"date in the past", header("Retry-After", "Wed, 21 Oct 2026 07:00:00 GMT"), "", time.Second},
		{
			"date by a clock 10 minutes ahead",
			header("Retry-After", "Wed, 21 Oct 2026 07:38:00 GMT", "Date", "Wed, 21 Oct 2026 07:37:30 GMT"), "", 30 * time.Second,
		},
		{"milliseconds", header("Retry-After-Ms", "2300"), "", 2300 * time.Millisecond},
		{"milliseconds, at least a second", header("Retry-After-Ms", "300"), "", time.Second},
		{"milliseconds win", header("Retry-After-Ms", "1300", "Retry-After", "9", "X-Ms-Retry-After-Ms", "8000"), "", 1300 * time.Millisecond},
		{"senseless milliseconds do not", header("Retry-After-Ms", "-1", "Retry-After", "9"), "", 9 * time.Second},
		{"x-ms", header("X-Ms-Retry-After-Ms", "3500"), "", 3500 * time.Millisecond},
		{"x-amz", header("X-Amz-Retry-After", "4500"), "", 4500 * time.Millisecond},
		{"two that disagree", header("Retry-After", "3", "X-Ms-Retry-After-Ms", "5000"), "", 5 * time.Second},
		{"one header twice", header("Retry-After", "3", "Retry-After", "5"), "", 5 * time.Second},
		{"reset 1s", header("X-Ratelimit-Reset-Requests", "1s"), "", time.Second},
		{"reset 6m0s", header("X-Ratelimit-Reset-Tokens", "6m0s"), "", 6 * time.Minute},
		{"reset 120ms", header("X-Ratelimit-Reset-Tokens", "120ms"), "", time.Second},
		{"reset 1h2m3.5s", header("X-Ratelimit-Reset-Tokens", "1h2m3.5s"), "", 10 * time.Minute},
		{"longest reset", header("X-Ratelimit-Reset-Requests", "2s", "X-Ratelimit-Reset-Tokens", "20s"), "", 20 * time.Second},
		{"reset of what is left", header("X-Ratelimit-Reset-Tokens", "6m0s", "X-Ratelimit-Remaining-Tokens", "149000", "Retry-After", "2"), "", 2 * time.Second},
		{"reset of what is used up", header("X-Ratelimit-Reset-Tokens", "1m0s", "X-Ratelimit-Remaining-Tokens", "0", "Retry-After", "2"), "", time.Minute},
		{"reset as seconds", header("X-Ratelimit-Reset", "12"), "", 12 * time.Second},
		{"reset as seconds, to the last digit", header("X-Ratelimit-Reset-Tokens-Minute", "37.26258873939514", "X-Ratelimit-Remaining-Tokens-Minute", "0"), "", 37262588739 * time.Nanosecond},
		{"reset of what is left for the day", header("X-Ratelimit-Reset-Requests-Day", "18058.280732154846", "X-Ratelimit-Remaining-Requests-Day", "719990"), "", none},
		{"reset of a limit by size", header("Ratelimitbysize-Reset", "39", "Ratelimitbysize-Remaining", "0"), "", 39 * time.Second},
		{"reset of a limit by size, of what is left", header("Ratelimitbysize-Reset", "39", "Ratelimitbysize-Remaining", "1679894"), "", none},
		{"reset as epoch seconds", header("X-Ratelimit-Reset", strconv.FormatInt(now.Unix()+45, 10)), "", 45 * time.Second},
		{"reset as epoch milliseconds", header("X-Ratelimit-Reset", strconv.FormatInt(now.UnixMilli()+4500, 10)), "", 4500 * time.Millisecond},
		{"reset in the past", header("X-Ratelimit-Reset", strconv.FormatInt(now.Unix()-45, 10)), "", time.Second},
		{"negative reset", header("X-Ratelimit-Reset-Tokens", "-6m0s"), "", none},
		{"reset as RFC 3339", header("Anthropic-Ratelimit-Requests-Reset", "2026-10-21T07:27:40Z"), "", 10 * time.Second},
		{
			"reset as RFC 3339, by the other's clock",
			header("Anthropic-Ratelimit-Tokens-Reset", "2026-10-21T07:37:40Z", "Date", "Wed, 21 Oct 2026 07:37:30 GMT"), "", 10 * time.Second,
		},
		{
			"reset as RFC 3339 of what is left",
			header("Anthropic-Ratelimit-Tokens-Reset", "2026-10-21T07:30:40Z", "Anthropic-Ratelimit-Tokens-Remaining", "100"), "", none,
		},
		{"a header that only looks so", header("X-Password-Reset", "5"), "", none},
		{"a day: cool, do not wait", header("Retry-After", "86400"), "", 10 * time.Minute},
		{"a date next year", header("Retry-After", "Thu, 21 Oct 2027 07:28:00 GMT"), "", 10 * time.Minute},
		{"negative", header("Retry-After", "-5"), "", none},
		{"NaN", header("Retry-After", "NaN"), "", none},
		{"infinite", header("Retry-After", "1e309"), "", none},
		{"exponent", header("Retry-After", "1e2"), "", none},
		{"hexadecimal", header("Retry-After", "0x10"), "", none},
		{"too many digits", header("Retry-After", "99999999999999999999"), "", none},
		{"empty", header("Retry-After", ""), "", none},
		{"list", header("Retry-After", "7, 9"), "", none},
		{"words", header("Retry-After", "soon"), "", none},

		{"RetryInfo", header(), `{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}`, 34070 * time.Millisecond},
		{"RetryInfo in a list", header(), `[{"error":{"details":[{"retryDelay":"3s"}]}}]`, 3 * time.Second},
		{"RetryInfo, negative", header(), `{"error":{"details":[{"retryDelay":"-3s"}]}}`, none},
		{"RetryInfo, not text", header(), `{"error":{"details":[{"retryDelay":3}]}}`, none},
		{"RetryInfo against a header", header("Retry-After", "2"), `{"error":{"details":[{"retryDelay":"34s"}]}}`, 34 * time.Second},
		{
			"QuotaFailure, daily", header(),
			`{"error":{"details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]},{"retryDelay":"5s"}]}}`, 10 * time.Minute,
		},
		{"QuotaFailure, by the minute", header(), `{"error":{"details":[{"violations":[{"quotaId":"RequestsPerMinute"}]},{"retryDelay":"5s"}]}}`, 5 * time.Second},
		{"details of no use", header(), `{"error":{"details":"none"}}`, none},

		{"prose", header(), `{"error":{"message":"Rate limit reached. Please try again in 20s. Visit us."}}`, 20 * time.Second},
		{"prose, several units", header(), `Please try again in 6m0s.`, 6 * time.Minute},
		{"prose, milliseconds", header(), `Please try again in 1250ms.`, 1250 * time.Millisecond},
		{"prose, words", header(), `Please retry after 25 seconds.`, 25 * time.Second},
		{"prose, one minute", header(), `Try again in 1 minute`, time.Minute},
		{"prose, milliseconds in words", header(), `try again in 2500 milliseconds`, 2500 * time.Millisecond},
		{"prose, hours", header(), `try again in 2 hours`, 10 * time.Minute},
		{"prose, no unit", header(), `try again in 5`, none},
		{"prose, another unit", header(), `try again in 5 moons`, none},
		{"prose, of something else", header(), `we waited for 20s`, none},
		{"prose against a header", header("Retry-After", "2"), `try again in 20s`, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := RetryAfter(tc.h, []byte(tc.body), now)
			if got != tc.want || ok != (tc.want != none) {
				t.Errorf("got %v, %v, want %v, %v", got, ok, tc.want, tc.want != none)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7", `{"error":{"details":[{"retryDelay":"1s"}]}}`)
	f.Add("1h2m", "try again in 9223372036854775807h")
	f.Fuzz(func(t *testing.T, value, body string) {
		h := http.Header{"Retry-After": {value}, "X-Ratelimit-Reset": {value}, "X-Amz-Retry-After": {value}}
		got, ok := RetryAfter(h, []byte(body), time.Unix(1e9, 0))
		if ok && (got < minRetryAfter || got > maxRetryAfter) || !ok && got != 0 {
			t.Errorf("got %v, %v, want %v to %v, or nothing", got, ok, minRetryAfter, maxRetryAfter)
		}
	})
}
