package transport

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// Bounds of what RetryAfter returns: less is no pause, and more is not believed
// without asking again.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 10 * time.Minute
)

// RetryAfter says how long an answer wants to be left alone, from 1s to 10min, and
// false if it does not say. now is the local time, used where the answer has no
// Date of its own.
//
// retry-after-ms is taken at its word, since those who send it mean it to replace a
// rounded Retry-After. Of all else that headers and body say in structured form, the
// longest counts; prose is read only where nothing else speaks. Values that make no
// sense are as good as none.
func RetryAfter(h http.Header, body []byte, now time.Time) (time.Duration, bool) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if d, ok := longest(h.Values("Retry-After-Ms"), milliseconds); ok {
		return clamp(d), true
	}
	var w waits
	w.add(longest(h.Values("Retry-After"), func(s string) (time.Duration, bool) { return secondsOrDate(s, now) }))
	w.add(longest(h.Values("X-Ms-Retry-After-Ms"), milliseconds))
	w.add(longest(h.Values("X-Amz-Retry-After"), milliseconds))
	for name, values := range h {
		if remaining, ok := resetHeader(name); ok && !isLeft(h, remaining) {
			w.add(longest(values, func(s string) (time.Duration, bool) { return reset(s, now) }))
		}
	}
	w.add(errorDetails(body))
	if !w.some {
		w.add(prose(body))
	}
	if !w.some {
		return 0, false
	}
	return clamp(w.most), true
}

// waits keeps the longest of what was found.
type waits struct {
	most time.Duration
	some bool
}

func (w *waits) add(d time.Duration, ok bool) {
	if ok {
		w.most, w.some = max(w.most, d), true
	}
}

func longest(values []string, read func(string) (time.Duration, bool)) (time.Duration, bool) {
	var w waits
	for _, v := range values {
		w.add(read(strings.TrimSpace(v)))
	}
	return w.most, w.some
}

func clamp(d time.Duration) time.Duration { return min(max(d, minRetryAfter), maxRetryAfter) }

// plainNumber is a number as these headers have it. Exponents, signs, NaN and lists
// are nobody's honest answer.
var plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func number(s string) (float64, bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if len(whole) > 15 || len(decimals) > 20 || !plainNumber.MatchString(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// times is n units, or a day where that is less: far above the bound, and far below
// what overflows.
func times(n float64, unit time.Duration) time.Duration {
	return time.Duration(min(n*float64(unit), float64(24*time.Hour)))
}

func milliseconds(s string) (time.Duration, bool) {
	n, ok := number(s)
	return times(n, time.Millisecond), ok
}

func secondsOrDate(s string, now time.Time) (time.Duration, bool) {
	if n, ok := number(s); ok {
		return times(n, time.Second), true
	}
	at, err := http.ParseTime(s)
	return max(at.Sub(now), 0), err == nil
}

// resetHeader reports whether a header says when a limit is reset, and names the one
// that says what is left of it: x-ratelimit-remaining-tokens for
// x-ratelimit-reset-tokens, anthropic-ratelimit-tokens-remaining for
// anthropic-ratelimit-tokens-reset, ratelimitbysize-remaining for ratelimitbysize-reset.
func resetHeader(name string) (remaining string, ok bool) {
	name = strings.ToLower(name)
	if limit, ok := strings.CutPrefix(name, "x-ratelimit-reset"); ok {
		return "x-ratelimit-remaining" + limit, true
	}
	if limit, ok := strings.CutSuffix(name, "-reset"); ok && strings.Contains(name, "ratelimit") {
		return limit + "-remaining", true
	}
	return "", false
}

// isLeft reports whether the header says that something is left. Every answer tells
// of all limits; of one with something left, the reset does not matter.
func isLeft(h http.Header, remaining string) bool {
	n, ok := number(h.Get(remaining))
	return ok && n > 0
}

// reset reads when a limit is reset: a duration ("6m0s"), a time (RFC 3339), seconds,
// or seconds or milliseconds since 1970.
func reset(s string, now time.Time) (time.Duration, bool) {
	if n, ok := number(s); ok {
		const year2001 = 1e9
		switch {
		case n >= year2001*1000:
			return max(time.UnixMilli(int64(n)).Sub(now), 0), true
		case n >= year2001:
			return max(time.Unix(int64(n), 0).Sub(now), 0), true
		}
		return times(n, time.Second), true
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d, d >= 0
	}
	at, err := time.Parse(time.RFC3339, s)
	return max(at.Sub(now), 0), err == nil
}

// errorDetails reads google.rpc.RetryInfo and QuotaFailure of an error's details. A
// daily quota is worth the longest wait, whatever RetryInfo says.
func errorDetails(body []byte) (time.Duration, bool) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return 0, false
	}
	if v.Kind() == jsontext.Array { // a stream's error, as the one item of a list
		_ = v.Array(func(i int, item jsontext.Value) error {
			if i == 0 {
				v = item
			}
			return nil
		})
	}
	var w waits
	_ = v.Get("error", "details").Array(func(_ int, detail jsontext.Value) error {
		if text, err := detail.Get("retryDelay").Text(); err == nil {
			d, err := time.ParseDuration(text)
			w.add(d, err == nil && d >= 0)
		}
		return detail.Get("violations").Array(func(_ int, violation jsontext.Value) error {
			if id, err := violation.Get("quotaId").Text(); err == nil {
				w.add(maxRetryAfter, strings.Contains(id, "PerDay"))
			}
			return nil
		})
	})
	return w.most, w.some
}

// sentence finds a wait in prose: "try again in 6m0s", "retry after 20 seconds".
var sentence = regexp.MustCompile(`(?i)\b(?:try again|retry)\s+(?:in|after)\s+` +
	`(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(milliseconds?|seconds?|minutes?|hours?)\b|((?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|h|m|s))+))`)

func prose(body []byte) (time.Duration, bool) {
	found := sentence.FindSubmatch(body)
	if found == nil {
		return 0, false
	}
	if written := string(found[3]); written != "" {
		d, err := time.ParseDuration(written)
		return d, err == nil
	}
	unit := time.Second
	switch strings.TrimSuffix(strings.ToLower(string(found[2])), "s") {
	case "millisecond":
		unit = time.Millisecond
	case "minute":
		unit = time.Minute
	case "hour":
		unit = time.Hour
	}
	n, ok := number(string(found[1]))
	return times(n, unit), ok
}
