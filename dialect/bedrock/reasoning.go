package bedrock

import (
	"encoding/base64"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// marker begins the signatures of this gateway's own: under thinking that no vendor signed, and around what another
// vendor signed or sealed. So a client of this dialect carries them, and they are known again when they come back.
const marker = "understudy.v1."

// unsigned stands for the issuer of thinking that nobody signed.
const unsigned = "unsigned"

// sealedMarker begins the base64 of whatever begins with marker.
const sealedMarker = "dW5kZXJzdHVkeS52"

// wrap is what the dialect's clients are given in place of a signature.
func wrap(issuedBy, signature string) string {
	switch {
	case issuedBy == issuer && signature != "":
		return signature
	case issuedBy == "" || signature == "":
		return marker + unsigned
	}
	return marker + issuedBy + "." + signature
}

// unwrap is who signed what a client gives back, and how.
func unwrap(signature string) (issuedBy, own string) {
	if signature == "" {
		return "", ""
	}
	wrapped, ok := strings.CutPrefix(signature, marker)
	if !ok {
		return issuer, signature
	}
	issuedBy, own, _ = strings.Cut(wrapped, ".")
	if own == "" {
		return "", ""
	}
	return issuedBy, own
}

// wrapSealed is what the dialect's clients are given in place of sealed thinking. The dialect has it as base64.
func wrapSealed(issuedBy, sealed string) string {
	if issuedBy == issuer {
		return sealed
	}
	return base64.StdEncoding.EncodeToString([]byte(wrap(issuedBy, sealed)))
}

// unwrapSealed is who sealed what a client gives back.
func unwrapSealed(data string) (issuedBy, own string) {
	if !strings.HasPrefix(data, sealedMarker) {
		return issuer, data
	}
	plain, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !strings.HasPrefix(string(plain), marker) {
		return issuer, data
	}
	return unwrap(string(plain))
}

// readReasoning reads thinking [bed:ReasoningContentBlock]. A block that holds nothing says nothing.
func readReasoning(v jsontext.Value) (llm.Part, error) {
	p := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}
	if v.Kind() != jsontext.Object {
		return p, jsontext.Mismatch("object", v)
	}
	if sealed := v.Get("redactedContent"); !sealed.IsNull() {
		data, err := sealed.Text()
		p.Thinking.Issuer, p.Thinking.Sealed = unwrapSealed(data)
		return p, jsontext.At("redactedContent", err)
	}
	shown := v.Get("reasoningText")
	if shown.IsNull() {
		return p, nil
	}
	var err error
	if p.Text, err = forms.Text(shown.Get("text")); err != nil {
		return p, jsontext.At("reasoningText", jsontext.At("text", err))
	}
	signature, err := forms.Text(shown.Get("signature"))
	p.Thinking.Issuer, p.Thinking.Signature = unwrap(signature)
	return p, jsontext.At("reasoningText", jsontext.At("signature", err))
}

// isOurs reports whether thinking was signed or sealed by this dialect's vendor, and so may go back to it.
func isOurs(t *llm.Thinking) bool {
	return t != nil && t.Issuer == issuer && (t.Signature != "" || t.Sealed != "")
}

// writeReasoning writes a block of thinking.
func writeReasoning(w *jsontext.Writer, said, signature, sealed string) {
	w.BeginObject()
	w.Key("reasoningContent")
	w.BeginObject()
	if sealed != "" {
		w.StringField("redactedContent", sealed)
	} else {
		w.Key("reasoningText")
		w.BeginObject()
		w.StringField("text", said)
		w.StringField("signature", signature)
		w.EndObject()
	}
	w.EndObject()
	w.EndObject()
}
