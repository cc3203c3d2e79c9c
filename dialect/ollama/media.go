package ollama

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// mediaOf reads an image: base64, before which some clients put the head of a data URI.
func mediaOf(data string) (*llm.Media, error) {
	kind := ""
	if head, rest, ok := strings.Cut(data, ";base64,"); ok {
		kind, data = strings.TrimPrefix(head, "data:"), rest
	}
	data, err := plainBase64(data)
	switch {
	case err != nil:
		return nil, err
	case data == "":
		return nil, errors.New("the image is empty")
	case !strings.HasPrefix(kind, "image/"):
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
