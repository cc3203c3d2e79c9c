package cohere

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// mediaOf reads a URL that may hold the data itself: data:<type>;base64,<data>.
func mediaOf(url string) (*llm.Media, error) {
	if url == "" {
		return nil, errors.New("expected a URL or a data URI")
	}
	const scheme = "data:"
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return &llm.Media{URL: url}, nil
	}
	head, data, ok := strings.Cut(url[len(scheme):], ",")
	kind, isBase64 := strings.CutSuffix(head, ";base64")
	if !ok || !isBase64 {
		return nil, errors.New("expected a data URI of the form data:<type>;base64,<data>")
	}
	data, err := plainBase64(data)
	switch {
	case err != nil:
		return nil, err
	case data == "":
		return nil, errors.New("the image is empty")
	}
	kind, _, _ = strings.Cut(kind, ";")
	if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "" {
		kind = sniff(data)
	}
	return &llm.Media{Type: kind, Data: data}, nil
}

// plainBase64 returns base64 in the standard alphabet with padding. Text that is so already is not copied.
func plainBase64(s string) (string, error) {
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
		return "", errors.New("expected base64-encoded data")
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

// sniff tells an image's type from its first bytes; PNG if they say nothing.
func sniff(data string) string {
	head, _ := base64.StdEncoding.DecodeString(data[:min(len(data), 24)]) // what is no base64 has no known beginning
	for _, known := range [...]struct{ magic, kind string }{
		{"\xff\xd8\xff", "image/jpeg"}, {"GIF8", "image/gif"}, {"RIFF", "image/webp"},
	} {
		if strings.HasPrefix(string(head), known.magic) {
			return known.kind
		}
	}
	return "image/png"
}

// imageURL writes an image as a URL, or nothing for one that only its issuer can read.
func imageURL(m *llm.Media) string {
	if m.Data == "" {
		return m.URL
	}
	kind := m.Type
	if kind == "" {
		kind = sniff(m.Data)
	}
	return "data:" + kind + ";base64," + m.Data
}
