package openairesponses

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// marker begins the encrypted_content of reasoning that this dialect's vendor did not make.
const marker = "understudy."

// The marks after the issuer in an encrypted_content of ours: what follows is a signature, or sealed.
const (
	markSigned = "signed"
	markSealed = "sealed"
	nobody     = "unsigned"
)

// betweenSummaries stands between the parts of a summary, as in the vendor's own views of it.
const betweenSummaries = "\n\n"

// reasoningPart reads openai.yaml, ReasoningItem. What is encrypted is its vendor's signature, or, where there is no
// text, the sealed whole; with our marker it is what we carried for another vendor.
func reasoningPart(v jsontext.Value) (llm.Part, error) {
	p := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}
	var id, sealed string
	var summary, content jsontext.Value
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull() || key == "type" || key == "status":
		case key == "id":
			id, err = v.Text()
		case key == "encrypted_content":
			sealed, err = v.Text()
		case key == "summary":
			summary = v
		case key == "content":
			content = v
		default:
			p.Extra = p.Extra.Add(self, key, v)
		}
		return err
	})
	if err == nil {
		p.Text, err = reasoningText(summary, content)
	}
	if err == nil {
		unwrap(p.Thinking, p.Text, id, sealed)
	}
	return p, err
}

// reasoningText is the text of reasoning: its summary, or where there is none, itself.
func reasoningText(summary, content jsontext.Value) (string, error) {
	for _, list := range [...]struct {
		key string
		v   jsontext.Value
	}{{"summary", summary}, {"content", content}} {
		var texts []string
		err := eachText(list.v, func(s string) { texts = append(texts, s) })
		if err != nil {
			return "", jsontext.At(list.key, err)
		}
		if s := strings.Join(texts, betweenSummaries); s != "" {
			return s, nil
		}
	}
	return "", nil
}

// eachText calls f for the texts of a list of parts.
func eachText(v jsontext.Value, f func(string)) error {
	if v.IsNull() {
		return nil
	}
	return v.Array(func(_ int, v jsontext.Value) error {
		text := v.Get("text")
		if text.IsNull() {
			return nil
		}
		s, err := text.Text()
		if err == nil && s != "" {
			f(s)
		}
		return jsontext.At("text", err)
	})
}

// unwrap reads what is encrypted into a part of thinking with a text.
func unwrap(t *llm.Thinking, text, id, sealed string) {
	switch rest, ours := strings.CutPrefix(sealed, marker); {
	case sealed == "":
	case !ours:
		*t = ownThinking(text, id, sealed)
	default:
		issuer, rest, _ := strings.Cut(rest, ".")
		switch mark, data, _ := strings.Cut(rest, "."); mark {
		case markSigned:
			*t = llm.Thinking{Issuer: issuer, Signature: data}
		case markSealed:
			*t = llm.Thinking{Issuer: issuer, Sealed: data}
		}
	}
}

// ownThinking is what this dialect's vendor encrypted.
func ownThinking(text, id, sealed string) llm.Thinking {
	if text == "" {
		return llm.Thinking{Issuer: self, Sealed: seal(id, sealed)}
	}
	return llm.Thinking{Issuer: self, Signature: seal(id, sealed)}
}

// seal puts the id and the encrypted content of an item into one text.
func seal(id, encrypted string) string {
	if strings.Contains(id, "/") {
		id = ""
	}
	return id + "/" + encrypted
}

// unseal takes them apart again.
func unseal(s string) (id, encrypted string) {
	id, encrypted, ok := strings.Cut(s, "/")
	if !ok {
		return "", s
	}
	return id, encrypted
}

// wrap is the id, if there is one, and the encrypted content by which thinking is shown to a client.
func wrap(t *llm.Thinking) (id, encrypted string) {
	switch {
	case t == nil || t.Issuer == "" || t.Signature == "" && t.Sealed == "":
		return "", marker + nobody
	case t.Issuer == self:
		return unseal(t.Signature + t.Sealed) // one of them is empty
	case t.Sealed != "":
		return "", marker + t.Issuer + "." + markSealed + "." + t.Sealed
	}
	return "", marker + t.Issuer + "." + markSigned + "." + t.Signature
}

// issuerOf is who made reasoning, by what its beginning says. That of the dialect's own vendor need not say anything.
func issuerOf(encrypted string) string {
	rest, ours := strings.CutPrefix(encrypted, marker)
	switch issuer, _, _ := strings.Cut(rest, "."); {
	case !ours:
		return self
	case issuer == nobody:
		return ""
	default:
		return issuer
	}
}

// isForeign reports whether an item is reasoning that this dialect's vendor did not make.
func isForeign(item jsontext.Value) bool {
	return is(item.Get("type"), itemReasoning) && bytes.HasPrefix(item.Get("encrypted_content"), []byte(`"`+marker))
}
