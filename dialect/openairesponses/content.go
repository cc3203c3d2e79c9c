package openairesponses

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// contentOf reads content: a string or a list of parts.
func contentOf(v jsontext.Value) ([]llm.Part, error) {
	switch v.Kind() {
	case jsontext.String:
		s, err := v.Text()
		return []llm.Part{llm.Text(s)}, err
	case jsontext.Array:
		var parts []llm.Part
		err := v.Array(func(_ int, v jsontext.Value) error {
			p, err := contentPart(v)
			parts = append(parts, p)
			return err
		})
		return parts, err
	default:
		return nil, jsontext.Mismatch("string or array of parts", v)
	}
}

// ofContent begins the type of something of this dialect's own that is content: items have types of the same words.
const ofContent = "content."

// contentPart reads one part: openai.yaml, InputContent and OutputMessageContent. A part of a type unknown here stays
// as it is.
func contentPart(v jsontext.Value) (llm.Part, error) {
	kind, err := v.Get("type").Text()
	if err != nil {
		if v.Kind() != jsontext.Object {
			return llm.Part{}, jsontext.Mismatch("object", v)
		}
		return llm.Part{}, jsontext.At("type", err)
	}
	r := partReader{}
	switch kind {
	case typeInputText, typeOutputText, typeText, typeSummary:
		r.part.Kind = llm.PartText
		err = r.read(v, r.text)
	case typeRefusal:
		r.part.Kind = llm.PartRefusal
		err = r.read(v, r.refusal)
	case typeInputImage:
		if err = r.read(v, r.image); err == nil && r.part.Media == nil {
			err = errors.New("expected one of image_url and file_id")
		}
	case typeInputFile:
		if err = r.read(v, r.file); err == nil {
			err = r.finishFile()
		}
	default:
		return llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: ofContent + kind, Raw: v}}, nil
	}
	return r.part, err
}

// partReader fills a part with the members of its content.
type partReader struct {
	part   llm.Part
	name   string // of a file
	detail string // of an image
}

func (r *partReader) read(v jsontext.Value, member func(key string, v jsontext.Value) (bool, error)) error {
	return v.Object(func(key string, v jsontext.Value) error {
		if v.IsNull() || key == "type" {
			return nil
		}
		known, err := member(key, v)
		switch {
		case known:
		case key == "prompt_cache_breakpoint":
			r.part.Cache = &llm.CacheMark{}
		default:
			r.part.Extra = r.part.Extra.Add(self, key, v)
		}
		return err
	})
}

func (r *partReader) text(key string, v jsontext.Value) (known bool, err error) {
	switch key {
	case "text":
		r.part.Text, err = v.Text()
	case "annotations":
		err = v.Array(func(_ int, v jsontext.Value) error {
			r.part.Citations = append(r.part.Citations, citationOf(v))
			return nil
		})
	case "logprobs": // of an answer that the client sends back
	default:
		return false, nil
	}
	return true, err
}

func (r *partReader) refusal(key string, v jsontext.Value) (known bool, err error) {
	if key != typeRefusal {
		return false, nil
	}
	r.part.Text, err = v.Text()
	return true, err
}

func (r *partReader) image(key string, v jsontext.Value) (known bool, err error) {
	switch key {
	case "image_url":
		var url string
		if url, err = v.Text(); err == nil {
			err = r.media(url, llm.PartImage)
		}
	case "file_id":
		err = r.fileID(v, llm.PartImage)
	case "detail":
		var detail string
		if detail, err = forms.OneOf(v, "auto", "low", "high", "original"); err != nil {
			return true, err
		}
		if detail == "original" { // only this dialect's word
			return false, nil
		}
		r.detail = detail
	default:
		return false, nil
	}
	if r.part.Media != nil && r.part.Kind == llm.PartImage {
		r.part.Media.Detail = r.detail
	}
	return true, err
}

func (r *partReader) media(url string, unknown llm.PartKind) error {
	media, err := dialect.ParseMedia(url)
	if err != nil {
		return err
	}
	p := dialect.FilePart(media, "", unknown)
	r.part.Kind, r.part.Media, r.part.Document = p.Kind, p.Media, p.Document
	return nil
}

func (r *partReader) fileID(v jsontext.Value, kind llm.PartKind) error {
	id, err := v.Text()
	if err == nil && id == "" {
		err = errors.New("expected the id of a file")
	}
	r.part.Kind, r.part.Media = kind, &llm.Media{FileID: id, Issuer: self}
	return err
}

func (r *partReader) file(key string, v jsontext.Value) (known bool, err error) {
	switch key {
	case "file_data":
		var data string
		if data, err = v.Text(); err != nil {
			return true, err
		}
		if dialect.IsDataURI(data) {
			return true, r.media(data, llm.PartDocument)
		}
		media, err := dialect.NewMedia("", data)
		if err != nil {
			return true, err
		}
		p := dialect.FilePart(media, "", llm.PartDocument)
		r.part.Kind, r.part.Media, r.part.Document = p.Kind, p.Media, p.Document
	case "file_url":
		var url string
		if url, err = v.Text(); err == nil && url == "" {
			err = errors.New("expected a URL")
		}
		r.part.Kind, r.part.Media = llm.PartDocument, &llm.Media{URL: url}
	case "file_id":
		err = r.fileID(v, llm.PartDocument)
	case "filename":
		r.name, err = v.Text()
	default:
		return false, nil
	}
	return true, err
}

// finishFile names the file, whose name may have come before it.
func (r *partReader) finishFile() error {
	if r.part.Kind == 0 {
		return errors.New("expected one of file_data, file_url and file_id")
	}
	if r.part.Kind != llm.PartDocument {
		return nil
	}
	if r.part.Document == nil {
		r.part.Document = &llm.Document{}
	}
	r.part.Document.Name = r.name
	return nil
}

// citationOf reads an annotation: openai.yaml, Annotation.
func citationOf(v jsontext.Value) llm.Citation {
	kind := forms.Scalar(v.Get("type"))
	c := llm.Citation{Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: append([]byte(nil), v...)}}
	if kind != "url_citation" {
		return c
	}
	in := v
	if nested := v.Get("url_citation"); nested.Kind() == jsontext.Object { // as the older dialect has it
		in = nested
	}
	c.Kind = llm.CiteURL
	c.URL, c.Title = forms.Scalar(in.Get("url")), forms.Scalar(in.Get("title"))
	c.Start, c.End = int(forms.Count(in.Get("start_index"))), int(forms.Count(in.Get("end_index")))
	return c
}
