package gemini

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

var _ dialect.Relay = relay{}

// Peek reads what routing needs. The path says the rest. A stream of this dialect always tells its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return dialect.Peeked{}, invalid(jsontext.Mismatch("object", doc))
	}
	p := dialect.Peeked{StreamUsage: true}
	config := get(doc, "generationConfig")
	n, err := get(config, "maxOutputTokens").Int()
	if err != nil || n < 0 { // whether it is legal is the vendor's to say
		return p, nil
	}
	p.MaxTokens = n
	if choices, err := get(config, "candidateCount").Int(); err == nil && choices > 1 && choices <= maxCandidates && n < 1<<48 {
		p.MaxTokens *= choices
	}
	return p, nil
}

// SetModel replaces the model's name where the body has it, beside the path. There is nothing to ask for: usage always
// comes.
func (relay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	named, err := jsontext.Value(bytes.TrimSpace(body)).Get("model").Text()
	if err != nil {
		return body, nil //nolint:nilerr // there is none
	}
	return jsontext.SetTopString(body, "model", named[:strings.LastIndexByte(named, '/')+1]+model)
}

// Strip removes the thoughts of the history that carry this gateway's own signature: no vendor made that. A content
// that held nothing else goes with them.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(`"`+shownMarker)) {
		return body, nil, nil
	}
	contents := jsontext.Value(bytes.TrimSpace(body)).Get("contents")
	if contents.Kind() != jsontext.Array {
		return body, nil, nil
	}
	stripped, n := rewriteArray(contents, stripContent)
	if n == 0 {
		return body, nil, nil
	}
	out, err := jsontext.Set(body, "contents", stripped)
	if err != nil {
		return nil, nil, invalid(err)
	}
	return out, []llm.Loss{{
		Feature: llm.FeatureThinkingHistory, Action: llm.ActionDropped, Severity: llm.Harmless,
		Detail: "thinking of another vendor",
	}}, nil
}

// stripContent returns a content without the parts to remove, or nothing if no part would be left.
func stripContent(content jsontext.Value) []byte {
	parts := content.Get("parts")
	if parts.Kind() != jsontext.Array {
		return content
	}
	kept := 0
	rest, n := rewriteArray(parts, func(part jsontext.Value) []byte {
		if isOwnSignature(get(part, "thoughtSignature")) {
			return nil
		}
		kept++
		return part
	})
	switch {
	case n == 0:
		return content
	case kept == 0:
		return nil
	}
	out, err := jsontext.Set(content, "parts", rest)
	if err != nil {
		return content
	}
	return out
}

// rewriteArray replaces the elements of an array by what f makes of them, or removes those for which it returns
// nothing, and returns how many changed. What stands between elements stays as it was.
func rewriteArray(array jsontext.Value, f func(jsontext.Value) []byte) ([]byte, int) {
	out := make([]byte, 0, len(array))
	out = append(out, '[')
	changed, kept, at := 0, 0, 1
	_ = array.Array(func(_ int, v jsontext.Value) error { // array is one, and f returns no error
		start := at
		for array[start] == ',' || isSpace(array[start]) {
			start++
		}
		between := array[at:start]
		at = start + len(v)
		now := f(v)
		if len(now) == 0 {
			changed++
			return nil
		}
		if !bytes.Equal(now, v) {
			changed++
		}
		if kept == 0 {
			between = between[bytes.IndexByte(between, ',')+1:]
		}
		out = append(append(out, between...), now...)
		kept++
		return nil
	})
	if changed == 0 {
		return array, 0
	}
	return append(out, array[at:]...), changed
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
