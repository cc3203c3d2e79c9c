package anthropic

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/llm"
)

const pdf = "application/pdf"

// sniff tells the media type of base64 text from its first bytes, or returns an empty string.
func sniff(data string) string {
	var head [12]byte
	n, _ := base64.StdEncoding.Decode(head[:], []byte(data[:min(len(data), 16)&^3])) // what can be read is enough
	b := head[:n]
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("GIF8")):
		return "image/gif"
	case len(b) == 12 && string(b[:4]) == "RIFF" && string(b[8:]) == "WEBP":
		return "image/webp"
	case bytes.HasPrefix(b, []byte("%PDF-")):
		return pdf
	}
	return ""
}

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
	return strconv.QuoteToASCII(clip(kind, 60))
}
