package forms

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// BoolOf reads true or false where unset is a third answer.
func BoolOf(v jsontext.Value) (*bool, error) {
	b, err := v.Bool()
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// IntBetween reads an integer of a range, both ends included.
func IntBetween(v jsontext.Value, low, high int64) (*int64, error) {
	n, err := v.Int()
	if err != nil {
		return nil, err
	}
	if n < low || n > high {
		return nil, fmt.Errorf("expected a value between %d and %d, but got %d", low, high, n)
	}
	return &n, nil
}

// FloatBetween reads a number of a range, both ends included.
func FloatBetween(v jsontext.Value, low, high float64) (*float64, error) {
	f, err := v.Float()
	if err != nil {
		return nil, err
	}
	if f < low || f > high {
		return nil, fmt.Errorf("expected a value between %g and %g, but got %g", low, high, f)
	}
	return &f, nil
}

// OneOf reads one of a list of words.
func OneOf(v jsontext.Value, words ...string) (string, error) {
	s, err := v.Text()
	if err != nil {
		return "", err
	}
	if !slices.Contains(words, s) {
		return "", errors.New("supported values are " + strings.Join(words, ", "))
	}
	return s, nil
}

// Trim returns body as a value, without the white space around it.
func Trim(body []byte) jsontext.Value {
	return jsontext.Value(bytes.Trim(body, " \t\r\n"))
}

// Text reads an optional string.
func Text(v jsontext.Value) (string, error) {
	if v.IsNull() {
		return "", nil
	}
	return v.Text()
}

// TextOf reads what should be a string, or nothing.
func TextOf(v jsontext.Value) string {
	if v.Kind() != jsontext.String {
		return ""
	}
	s, _ := v.Text() // a string has a text
	return s
}

// OrEmptyObject is args, or {} for none: a call without arguments.
func OrEmptyObject(args string) string {
	if strings.TrimSpace(args) == "" {
		return "{}"
	}
	return args
}

// IsObject reports whether args is the JSON text of an object.
func IsObject(args string) bool {
	if args == "{}" {
		return true
	}
	v, err := jsontext.ParseLenient([]byte(args))
	return err == nil && v.Kind() == jsontext.Object
}

// FirstText is the first text that says something.
func FirstText(values ...jsontext.Value) string {
	for _, v := range values {
		if s := TextOf(v); s != "" {
			return s
		}
	}
	return ""
}

// Excerpt cuts s to at most n bytes between runes, and shows that it did.
func Excerpt(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Count reads a number of tokens; anything else is none.
func Count(v jsontext.Value) int64 { return new(Counts).Read(v) }

// Counts reads the counts of a usage object. The zero value is ready to use.
type Counts struct{ told, absurd bool }

// maxCount bounds counts, so that sums of them stay numbers that every client can read.
const maxCount = 1 << 52

// Read reads a number of tokens, which may be a float; anything else is none.
func (c *Counts) Read(v jsontext.Value) int64 {
	if v.Kind() != jsontext.Number {
		return 0 // many are missing
	}
	c.told = true
	n, err := v.Int()
	if err != nil {
		f, floatErr := v.Float()
		if floatErr != nil {
			f = maxCount
		}
		n = int64(max(min(f, maxCount), -1))
	}
	c.absurd = c.absurd || n < 0
	return min(max(n, 0), maxCount)
}

// Usage is u if what was read can be true. Zeros throughout are what servers say that do not count: no answer costs
// nothing, so that is no fact.
func (c *Counts) Usage(u llm.Usage) llm.Usage {
	if c.absurd || u.Total() == 0 {
		return llm.Usage{Absurd: c.told}
	}
	u.Known = true
	return u
}

// OfSums is the usage in OpenAI's form: tokens that were cached, written to a cache, heard or thought are part of the input and of
// the output (openai.yaml, CompletionUsage and ResponseUsage). Some count one of these beside, and bill it: xAI what was thought,
// Mistral what was heard. Only total has it then, and more than both by just so much. Who has more from a cache than was asked
// in all counts that beside the input, if total says so, and else what cannot be true.
func (c *Counts) OfSums(u llm.Usage, input, output, total int64) llm.Usage {
	if cached := u.InCacheRead + u.InCacheWrite; cached > input {
		input += cached
		c.absurd = c.absurd || total != input+output
	}
	switch beside := total - input - output; {
	case beside <= 0 || input == 0:
	case beside == u.InAudio:
		input += beside
	case beside == u.OutReasoning || output == 0:
		output += beside
	}
	u.InFresh = input - u.InCacheRead - u.InCacheWrite
	u.OutReasoning = min(u.OutReasoning, output)
	u.OutVisible = output - u.OutReasoning
	return c.Usage(u)
}

// Clip shortens s to at most n bytes, between characters.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Renamed returns the model that a later frame of a stream names, if it is another than latest, or than first while there
// was none: otherwise it returns latest.
func Renamed(first, latest string, v jsontext.Value) string {
	now := cmp.Or(latest, first)
	if n := len(v); n == len(now)+2 && string(v[1:n-1]) == now { // as nearly always, without allocating
		return latest
	}
	if s := Scalar(v); s != "" && s != now {
		return s
	}
	return latest
}

// Scalar returns a string's text, or a number as it is spelled: some servers write ids and codes as numbers.
func Scalar(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.String:
		s, err := v.Text()
		if err == nil {
			return s
		}
	case jsontext.Number:
		return string(v)
	default:
	}
	return ""
}
