package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/llm"
)

// Tokens that are not text: what a message, a call and a tool cost beside their words, what
// tools cost together, and media whose size is not known.
const (
	tokensMessage  = 4
	tokensCall     = 8
	tokensTool     = 5
	tokensTools    = 20
	tokensImage    = 400
	tokensDocument = 1500
	tokensAudio    = 400
)

// What the pieces of a text cost: each word and each letter of it above six, three digits,
// spaces in a row, a line break, and any other sign, of which several often are one token.
// In a schema the signs cost less: vendors write it in a form of their own.
type costs struct{ word, letter, digits, spaces, line, sign float64 }

func ofText() costs {
	return costs{word: 1.05, letter: 0.1, digits: 1.3, spaces: 1, line: 0.7, sign: 0.4}
}
func ofSchema() costs { return costs{word: 1, letter: 0.05, digits: 1.3, sign: 0.25} }

// estimateTokens says about how many tokens a prompt has, for models whose tokenizer is not
// known. The error is measured against recorded calls by TestCorpusEstimate.
func estimateTokens(r *llm.Request) int64 {
	n := float64(tokensMessage)
	for i := range r.Messages {
		n += tokensMessage
		for j := range r.Messages[i].Parts {
			n += partTokens(&r.Messages[i].Parts[j])
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += tokensTool + textTokens(t.Name) + textTokens(t.Description) + ofSchema().of(string(t.Schema))
		if t.Opaque != nil {
			n += ofSchema().of(string(t.Opaque.Raw))
		}
	}
	if len(r.Tools) > 0 {
		n += tokensTools
	}
	if r.Format != nil {
		n += ofSchema().of(string(r.Format.Schema))
	}
	if r.Embed != nil {
		for i := range r.Embed.Inputs {
			n += inputTokens(&r.Embed.Inputs[i])
		}
	}
	if r.Rerank != nil {
		query := textTokens(r.Rerank.Query)
		for i := range r.Rerank.Documents { // each is read with the query
			d := &r.Rerank.Documents[i]
			n += query + max(textTokens(d.Text), ofSchema().of(string(d.Raw)))
		}
	}
	return max(int64(n+0.5), 1)
}

func inputTokens(in *llm.EmbedInput) float64 {
	n := textTokens(in.Text)
	if len(in.Tokens) > 0 { // counted by whoever wrote them
		n += float64(bytes.Count(in.Tokens, []byte(",")) + 1)
	}
	for i := range in.Parts {
		n += partTokens(&in.Parts[i])
	}
	return n
}

func partTokens(p *llm.Part) float64 {
	n := 0.0
	switch p.Kind {
	case llm.PartText, llm.PartRefusal, llm.PartThinking:
		n = textTokens(p.Text)
	case llm.PartImage:
		n = imageTokens(p.Media)
	case llm.PartAudio:
		n = tokensAudio
	case llm.PartDocument:
		n = documentTokens(p)
	case llm.PartToolCall:
		n = tokensCall + textTokens(p.Call.Name) + textTokens(p.Call.Args)
	case llm.PartToolResult:
		n = tokensCall
		for i := range p.Result.Parts {
			n += partTokens(&p.Result.Parts[i])
		}
	case llm.PartOpaque:
		n = textTokens(p.Text)
	}
	return n
}

func documentTokens(p *llm.Part) float64 {
	if p.Document == nil || p.Document.Text == "" && len(p.Document.Parts) == 0 {
		return tokensDocument
	}
	n := textTokens(p.Document.Text) + textTokens(p.Document.Name) + textTokens(p.Document.Context)
	for i := range p.Document.Parts {
		n += partTokens(&p.Document.Parts[i])
	}
	return n
}

func textTokens(s string) float64 { return ofText().of(s) }

// of is about how many tokens a text has: by its words, numbers and signs, and in scripts
// without spaces by its letters.
func (c costs) of(s string) float64 {
	n := 0.0
	for i := 0; i < len(s); {
		switch {
		case isLetter(s[i]):
			size := run(s[i:], isLetter)
			n += c.word + c.letter*float64(max(0, size-6))
			i += size
		case isDigit(s[i]):
			size := run(s[i:], isDigit)
			n += c.digits * float64((size+2)/3)
			i += size
		case s[i] == ' ':
			size := run(s[i:], func(b byte) bool { return b == ' ' })
			if size > 1 { // one is part of the word behind it
				n += c.spaces
			}
			i += size
		case s[i] == '\n':
			n += c.line
			i++
		case s[i] < 0x80:
			n += c.sign
			i++
		default:
			tokens, size := wideTokens(s[i:])
			n += tokens
			i += size
		}
	}
	return n
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return b >= '0' && b <= '9' }

// run is how many bytes at the beginning of s are of a kind.
func run(s string, is func(byte) bool) int {
	n := 1
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

// wideTokens is for a letter that is not ASCII, and its bytes.
func wideTokens(s string) (tokens float64, size int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai):
		return 0.9, size
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return 0.4, size
	}
	return 1.2, size
}

// imageTokens goes by an image's area, if it can be read from its first bytes: a token
// stands for about 750 pixels, and large images are made smaller first.
func imageTokens(m *llm.Media) float64 {
	w, h := imageSize(m)
	if w == 0 || h == 0 {
		return tokensImage
	}
	const pixels, least, most = 750, 85, 1100
	return min(max(float64(w)*float64(h)/pixels, least), most)
}

// imageSize reads the size of a PNG, GIF or JPEG from its header; 0 if it is not known.
func imageSize(m *llm.Media) (w, h uint32) {
	if m == nil || m.Data == "" {
		return 0, 0
	}
	const head = 64 << 10 // a JPEG may have a preview before its size
	b, _ := base64.StdEncoding.DecodeString(m.Data[:min(len(m.Data), head)&^3])
	s := string(b)
	switch {
	case strings.HasPrefix(s, "\x89PNG") && len(b) >= 24:
		return binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	case strings.HasPrefix(s, "GIF8") && len(b) >= 10:
		return uint32(binary.LittleEndian.Uint16(b[6:])), uint32(binary.LittleEndian.Uint16(b[8:]))
	case strings.HasPrefix(s, "\xff\xd8"):
		return jpegSize(b[2:])
	}
	return 0, 0
}

// jpegSize follows the segments of a JPEG to the one with its size (ITU-T T.81, B.2.2).
func jpegSize(b []byte) (w, h uint32) {
	for len(b) >= 9 && b[0] == 0xff {
		kind, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc {
			return uint32(binary.BigEndian.Uint16(b[7:])), uint32(binary.BigEndian.Uint16(b[5:]))
		}
		if size+2 > len(b) {
			break
		}
		b = b[size+2:]
	}
	return 0, 0
}
