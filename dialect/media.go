package dialect

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/llm"
)

var errNotBase64 = errors.New("expected base64-encoded data")

// ParseMedia reads a URL that may hold the data itself: data:<type>;base64,<data>.
func ParseMedia(url string) (*llm.Media, error) {
	if !IsDataURI(url) {
		if url == "" {
			return nil, errors.New("expected a URL or a data URI")
		}
		return &llm.Media{URL: url}, nil
	}
	head, data, ok := strings.Cut(url[len(dataScheme):], ",")
	params, isBase64 := strings.CutSuffix(head, ";base64")
	if !ok || !isBase64 {
		return nil, errors.New("expected a data URI of the form data:<type>;base64,<data>")
	}
	return NewMedia(mediaType(params), data)
}

// NewMedia reads base64 of a declared type, which may be missing.
func NewMedia(declared, data string) (*llm.Media, error) {
	data, err := PlainBase64(data)
	if err != nil {
		return nil, err
	}
	if data == "" {
		return nil, errors.New("the file is empty")
	}
	if declared == "" {
		declared = SniffMedia(data)
	}
	return &llm.Media{Type: declared, Data: data}, nil
}

// mediaType is the type without its parameters, in lower case.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

const dataScheme = "data:"

// IsDataURI reports whether a URL holds the data itself.
func IsDataURI(url string) bool {
	return len(url) >= len(dataScheme) && strings.EqualFold(url[:len(dataScheme)], dataScheme)
}

// PlainBase64 returns base64 in the standard alphabet with padding. Text that is so already, as nearly all is, is
// not copied.
func PlainBase64(s string) (string, error) {
	if isPlainBase64(s) {
		return s, nil
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\r', '\n', ' ', '\t':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, s)
	s = strings.TrimRight(s, "=")
	s += strings.Repeat("=", (4-len(s)%4)%4)
	if !isPlainBase64(s) {
		return "", errNotBase64
	}
	return s, nil
}

func isPlainBase64(s string) bool {
	if len(s)%4 != 0 {
		return false
	}
	body := strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	for i := range len(body) {
		c := body[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// SniffMedia tells the media type of base64 text from its first bytes, or returns an empty string.
func SniffMedia(data string) string {
	var buf [12]byte
	n, _ := base64.StdEncoding.Decode(buf[:], []byte(data[:min(len(data), 16)&^3])) // what can be read is enough
	head := string(buf[:n])
	for _, known := range [...]struct{ magic, kind string }{
		{"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"GIF8", "image/gif"}, {"%PDF-", "application/pdf"},
	} {
		if strings.HasPrefix(head, known.magic) {
			return known.kind
		}
	}
	if n == len(buf) && head[:4] == "RIFF" {
		switch head[8:] {
		case "WEBP":
			return "image/webp"
		case "WAVE":
			return "audio/wav"
		}
	}
	return ""
}

// FilePart makes the part that media of its type is: clients put PDFs where images belong, and the reverse.
func FilePart(m *llm.Media, name string, unknown llm.PartKind) llm.Part {
	kind := unknown
	switch {
	case strings.HasPrefix(m.Type, "image/"):
		kind = llm.PartImage
	case strings.HasPrefix(m.Type, "audio/"):
		kind = llm.PartAudio
	case m.Type != "":
		kind = llm.PartDocument
	}
	p := llm.Part{Kind: kind, Media: m}
	if kind != llm.PartDocument {
		return p
	}
	m.Detail = ""
	p.Document = &llm.Document{Name: name}
	if strings.HasPrefix(m.Type, "text/") {
		if text, err := base64.StdEncoding.DecodeString(m.Data); err == nil && len(text) > 0 && utf8.Valid(text) {
			p.Document.Text, p.Media = string(text), nil
		}
	}
	return p
}

// MediaURI writes media as a URL.
func MediaURI(m *llm.Media, unknown string) string {
	kind := m.Type
	if kind == "" {
		kind = SniffMedia(m.Data)
	}
	if kind == "" {
		kind = unknown
	}
	return "data:" + kind + ";base64," + m.Data
}
