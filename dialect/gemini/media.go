package gemini

import (
	"bytes"
	"encoding/base64"
	"errors"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

const pdf = "application/pdf"

// kindOf is the kind of part that media of a type is; 0 for video, which no other dialect has.
func kindOf(mime string) llm.PartKind {
	switch {
	case strings.HasPrefix(mime, "image/"):
		return llm.PartImage
	case strings.HasPrefix(mime, "audio/"):
		return llm.PartAudio
	case mime == "" || strings.HasPrefix(mime, "video/"):
		return 0
	}
	return llm.PartDocument
}

// inlineOf reads a Blob. A part of kind 0 is one that only this dialect has.
func inlineOf(v jsontext.Value) (llm.Part, error) {
	mime, err := text(get(v, "mimeType"))
	if err != nil {
		return llm.Part{}, jsontext.At("mimeType", err)
	}
	data, err := v.Get("data").Text()
	if err == nil && data == "" {
		err = errors.New("want it not empty")
	}
	if err == nil {
		data, err = plainBase64(data)
	}
	if err != nil {
		return llm.Part{}, jsontext.At("data", err)
	}
	if mime == "" {
		mime = sniff(data)
	}
	m := &llm.Media{Type: strings.ToLower(mime), Data: data}
	return mediaPart(m), nil
}

// mediaPart is the part that holds m. A document of plain text is kept as that.
func mediaPart(m *llm.Media) llm.Part {
	p := llm.Part{Kind: kindOf(m.Type), Media: m}
	if p.Kind != llm.PartDocument {
		return p
	}
	p.Document = &llm.Document{}
	if strings.HasPrefix(m.Type, "text/") && m.Data != "" {
		if b, err := base64.StdEncoding.DecodeString(m.Data); err == nil && utf8.Valid(b) {
			p.Document.Text, p.Media = string(b), nil
		}
	}
	return p
}

// fileOf reads a FileData: a file kept by the vendor, or one at a public address.
func fileOf(v jsontext.Value) (llm.Part, error) {
	uri, err := get(v, "fileUri").Text()
	if err == nil && uri == "" {
		err = errors.New("want it not empty")
	}
	if err != nil {
		return llm.Part{}, jsontext.At("fileUri", err)
	}
	mime, err := text(get(v, "mimeType"))
	if err != nil {
		return llm.Part{}, jsontext.At("mimeType", err)
	}
	m := &llm.Media{Type: strings.ToLower(mime)}
	if isKept(uri) {
		m.FileID, m.Issuer = uri, self
	} else {
		m.URL = uri
	}
	guess := typeOf(uri)
	if m.Type == "" {
		m.Type = guess
	}
	p := mediaPart(m)
	if m.Type == guess && p.Kind == llm.PartImage {
		m.Type = "" // it says what the address does
	}
	return p, nil
}

// isKept reports whether a file is kept by the vendor: its name, its address at the Gemini API, or that of an object
// in Google's storage.
func isKept(uri string) bool {
	return !strings.HasPrefix(uri, "https://") && !strings.HasPrefix(uri, "http://") ||
		strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/")
}

// typeOf guesses a file's type by the end of its address.
func typeOf(address string) string {
	address, _, _ = strings.Cut(address, "?")
	address, _, _ = strings.Cut(address, "#")
	switch strings.ToLower(path.Ext(address)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".heic":
		return "image/heic"
	case ".pdf":
		return pdf
	case ".mp3":
		return "audio/mpeg"
	case ".wav":
		return "audio/wav"
	}
	return ""
}

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
	case len(b) == 12 && string(b[:4]) == "RIFF" && string(b[8:]) == "WAVE":
		return "audio/wav"
	case bytes.HasPrefix(b, []byte("%PDF-")):
		return pdf
	}
	return ""
}

var errNotBase64 = errors.New("want base64")

// plainBase64 returns base64 in the standard alphabet with padding: the vendor takes the other one, and none, as well.
func plainBase64(s string) (string, error) {
	if isPlainBase64(s) {
		return s, nil
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\r', '\n', ' ', '\t', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, s)
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
