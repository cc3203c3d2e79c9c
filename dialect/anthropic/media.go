package anthropic

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

const pdf = "application/pdf"

// isImage reports whether the vendor reads images of this type [ant:Base64ImageSource.media_type].
func isImage(kind string) bool {
	switch kind {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return true
	}
	return false
}

// plainText returns the text of a document of type text/plain or the like, which the vendor wants as text.
func plainText(m *llm.Media, kind string) (string, bool) {
	if m == nil || m.Data == "" || !strings.HasPrefix(kind, "text/") {
		return "", false
	}
	b, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil || !utf8.Valid(b) {
		return "", false
	}
	return string(b), true
}

// mediaName spells a client's media type for an error.
func mediaName(kind string) string {
	if kind == "" {
		return "unknown"
	}
	return strconv.QuoteToASCII(forms.Excerpt(kind, 60))
}
