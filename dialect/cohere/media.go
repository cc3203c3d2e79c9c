package cohere

import (
	"cmp"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// unknownImage is the type of an image of which neither the client nor its first bytes say it.
const unknownImage = "image/png"

// mediaOf reads a URL that may hold the image itself.
func mediaOf(url string) (*llm.Media, error) {
	m, err := dialect.ParseMedia(url)
	if err == nil && m.Data != "" {
		m.Type = cmp.Or(m.Type, unknownImage)
	}
	return m, err //nolint:wrapcheck // who calls says where it stood
}

// imageURL writes an image as a URL, or nothing for one that only its issuer can read.
func imageURL(m *llm.Media) string {
	if m.Data == "" {
		return m.URL
	}
	return dialect.MediaURI(m, unknownImage)
}
