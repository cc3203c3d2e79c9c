package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// Where a signature stands that llm keeps as sealed thinking: on the part that follows or precedes it.
const (
	onCall  = "call:"  // the function call that follows
	onText  = "text:"  // the text before
	onEmpty = "empty:" // a text of its own, which is empty
)

// placeholder is what the vendor documents for a call that its models did not make, where they want a signature. The
// other one means the same.
const (
	placeholder      = "skip_thought_signature_validator"
	otherPlaceholder = "context_engineering_is_the_way_to_go"
)

// unsigned is the placeholder as a client of this dialect is shown it, who takes signatures for base64: it stands on
// the first call of another vendor's model, which the vendor's models refuse in a history without a signature.
const unsigned = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

// marker begins what stands in the signatures that this gateway puts on thoughts of other vendors; a signature is
// base64, so that it begins as shownMarker does.
const (
	marker      = "understudy.v1."
	shownMarker = "dW5kZXJzdHVkeS52"
)

// What a signature of this gateway's own holds.
const (
	foreignNone      = "u" // nothing: nobody signed the thought
	foreignSignature = "s"
	foreignSealed    = "d"
)

// isOwnSignature reports whether this gateway made a signature, given as JSON text.
func isOwnSignature(v jsontext.Value) bool {
	return len(v) > len(shownMarker) && string(v[1:1+len(shownMarker)]) == shownMarker
}

// wrap makes the signature under which a thought of another vendor is shown, kind being what of it is inside.
func wrap(kind, issuer, payload string) string {
	return base64.StdEncoding.EncodeToString([]byte(marker + kind + "." + issuer + "." + payload))
}

// unwrap reads a signature that wrap made. The issuer is known even where the thought is not signed, as in the pieces
// of a streamed one.
func unwrap(signature string) (t *llm.Thinking, issuer string, ok bool) {
	if !strings.HasPrefix(signature, shownMarker) {
		return nil, "", false
	}
	b, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil, "", false
	}
	rest, ok := strings.CutPrefix(string(b), marker)
	kind, rest, _ := strings.Cut(rest, ".")
	issuer, payload, _ := strings.Cut(rest, ".")
	t = &llm.Thinking{}
	switch {
	case !ok:
		return nil, "", false
	case issuer == "" || payload == "" || issuer == self:
	case kind == foreignSignature:
		t.Issuer, t.Signature = issuer, payload
	case kind == foreignSealed:
		t.Issuer, t.Sealed = issuer, payload
	}
	return t, issuer, true
}

// signedBy reads a signature as the vendor's own: empty for the placeholders, which sign nothing, and for this
// gateway's own.
func signedBy(v jsontext.Value) string {
	s := forms.TextOf(v)
	switch {
	case s == placeholder, s == otherPlaceholder, strings.HasPrefix(s, shownMarker):
		return ""
	}
	if b, err := base64.StdEncoding.DecodeString(s); err == nil && (string(b) == placeholder || string(b) == otherPlaceholder) {
		return ""
	}
	return s
}

// sealed is the part that keeps a signature of the vendor for the part at which it stands.
func sealed(place, signature string) llm.Part {
	return llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: self, Sealed: place + signature}}
}

// unsealed reads a part that sealed made.
func unsealed(p *llm.Part) (place, signature string, ok bool) {
	if p.Kind != llm.PartThinking || p.Thinking == nil || p.Thinking.Issuer != self || p.Thinking.Sealed == "" {
		return "", "", false
	}
	for _, place := range [...]string{onCall, onText, onEmpty} {
		if signature, ok := strings.CutPrefix(p.Thinking.Sealed, place); ok && signature != "" {
			return place, signature, true
		}
	}
	return "", "", false
}
