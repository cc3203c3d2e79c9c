package ollama

import (
	"cmp"
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// mediaOf reads an image: base64, before which some clients put the head of a data URI. One of which nothing says the
// type is a PNG.
func mediaOf(data string) (*llm.Media, error) {
	kind := ""
	if head, rest, ok := strings.Cut(data, ";base64,"); ok {
		kind, data = strings.TrimPrefix(head, "data:"), rest
	}
	data, err := dialect.PlainBase64(data)
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // who calls says where it stood
	case data == "":
		return nil, errors.New("the image is empty")
	case !strings.HasPrefix(kind, "image/"):
		kind = cmp.Or(dialect.SniffMedia(data), "image/png")
	}
	return &llm.Media{Type: kind, Data: data}, nil
}
