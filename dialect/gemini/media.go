package gemini

import (
	"encoding/base64"
	"errors"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
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
	mime, err := forms.Text(get(v, "mimeType"))
	if err != nil {
		return llm.Part{}, jsontext.At("mimeType", err)
	}
	data, err := v.Get("data").Text()
	if err == nil {
		data, err = dialect.PlainBase64(data)
	}
	if err == nil && data == "" {
		err = errors.New("want it not empty")
	}
	if err != nil {
		return llm.Part{}, jsontext.At("data", err)
	}
	if mime == "" {
		mime = dialect.SniffMedia(data)
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
	mime, err := forms.Text(get(v, "mimeType"))
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
