package bedrock

import (
	"errors"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

const pdf = "application/pdf"

// documentTypes are the formats of documents and their media types [bed:DocumentFormat]. It is never changed.
var documentTypes = [...]struct{ format, media string }{
	{"pdf", pdf},
	{"csv", "text/csv"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"html", "text/html"},
	{"txt", "text/plain"},
	{"md", "text/markdown"},
}

func documentType(format string) string {
	for _, t := range documentTypes {
		if t.format == format {
			return t.media
		}
	}
	return ""
}

// documentFormat is the format of a document by its media type; empty for one that the vendor does not read. Any
// other kind of text is plain text.
func documentFormat(media string) string {
	media, _, _ = strings.Cut(media, ";")
	media = strings.TrimSpace(media)
	for _, t := range documentTypes {
		if t.media == media {
			return t.format
		}
	}
	switch {
	case media == "application/xhtml+xml":
		return "html"
	case media == "text/x-markdown":
		return "md"
	case strings.HasPrefix(media, "text/"), media == "application/json":
		return "txt"
	}
	return ""
}

func imageType(format string) string { return "image/" + format }

// imageFormat is the format of an image by its media type; empty for one that the vendor does not read
// [bed:ImageFormat].
func imageFormat(media string) string {
	switch media {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return strings.TrimPrefix(media, "image/")
	case "image/jpg":
		return "jpeg"
	}
	return ""
}

// audioTypes are the media types that are not just audio/ and the format. It is never changed.
var audioTypes = [...]struct{ format, media string }{
	{"mp3", "audio/mpeg"},
	{"mpeg", "audio/mpeg"},
	{"wav", "audio/x-wav"},
	{"wav", "audio/wave"},
	{"m4a", "audio/x-m4a"},
	{"x-aac", "audio/x-aac"},
	{"mka", "audio/x-matroska"},
	{"opus", "audio/ogg; codecs=opus"},
}

func audioType(format string) string {
	if format == "mp3" {
		return "audio/mpeg"
	}
	return "audio/" + format
}

// audioFormat is the format of audio by its media type; empty for one that the vendor does not read
// [bed:AudioFormat].
func audioFormat(media string) string {
	for _, t := range audioTypes {
		if t.media == media {
			return t.format
		}
	}
	switch format := strings.TrimPrefix(media, "audio/"); format {
	case "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpga", "pcm", "webm":
		return format
	}
	return ""
}

// media reads an image or audio. A place in S3 is the id of a file that only the vendor can read.
func (r *blockReader) media(v jsontext.Value, typeOf func(format string) string) error {
	r.part.Media = &llm.Media{}
	err := v.Object(func(key string, m jsontext.Value) error {
		switch key {
		case "format":
			format, err := m.Text()
			r.part.Media.Type = typeOf(format)
			return err
		case "source":
			return r.source(m)
		}
		r.rest(key, m)
		return nil
	})
	if err == nil && r.part.Media.Data == "" && r.part.Media.FileID == "" {
		err = jsontext.At("source", errors.New("want bytes or a place in S3"))
	}
	return err
}

// source reads where bytes come from [bed:ImageSource, bed:DocumentSource].
func (r *blockReader) source(v jsontext.Value) error {
	key, m, err := only(v)
	if err != nil {
		return err
	}
	switch key {
	case "bytes":
		r.part.Media.Data, err = m.Text()
		if err == nil && r.part.Media.Data == "" {
			err = errors.New("want it not empty")
		}
	case "s3Location":
		r.part.Media.Issuer = issuer
		err = m.Object(func(name string, at jsontext.Value) (err error) {
			if name == "uri" {
				r.part.Media.FileID, err = at.Text()
				return err
			}
			r.rest("source."+name, at)
			return nil
		})
	case "text":
		r.part.Document.Text, err = m.Text()
	case "content":
		r.part.Document.Parts, _, err = readBlocks(m)
	default:
		err = errors.New("want bytes, s3Location, text or content")
	}
	return jsontext.At(key, err)
}

// document reads a document [bed:DocumentBlock].
func (r *blockReader) document(v jsontext.Value) error {
	d := r.part.Document
	r.part.Media = &llm.Media{}
	format := ""
	err := v.Object(func(key string, m jsontext.Value) (err error) {
		switch key {
		case "format":
			format, err = forms.Text(m)
		case "name":
			d.Name, err = m.Text()
		case "context":
			d.Context, err = forms.Text(m)
		case "citations":
			if enabled := m.Get("enabled"); !enabled.IsNull() {
				on, err := enabled.Bool()
				d.Citations = &on
				return jsontext.At("enabled", err)
			}
		case "source":
			err = r.source(m)
		default:
			r.rest(key, m)
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.part.Media.Data == "" && r.part.Media.FileID == "" {
		r.part.Media = nil
		if d.Text == "" && len(d.Parts) == 0 {
			return jsontext.At("source", errors.New("want it not empty"))
		}
		if format != "" && format != "txt" {
			r.rest("format", jsontext.AppendString(nil, format))
		}
		return nil
	}
	if r.part.Media.Type = documentType(format); r.part.Media.Type == "" {
		return jsontext.At("format", errors.New("want the format of a document"))
	}
	return nil
}

// mediaName spells a client's media type for an error.
func mediaName(kind string) string {
	if kind == "" {
		return "unknown"
	}
	return strconv.QuoteToASCII(forms.Excerpt(kind, 60))
}
