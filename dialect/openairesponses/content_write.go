package openairesponses

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// A document that is text is said between these.
const (
	documentBegin = "<document"
	documentEnd   = "</document>"
)

// parts writes content: one plain text as a string, anything else as a list.
func (e *requestEncoder) parts(role llm.Role, parts []llm.Part) error {
	w := &e.w
	if len(parts) == 0 {
		w.String("")
		return nil
	}
	if len(parts) == 1 && isPlain(&parts[0]) {
		w.String(parts[0].Text)
		return nil
	}
	if p := &parts[0]; len(parts) == 1 && isTextDocument(p) {
		w.String(documentText(p.Document))
		return nil
	}
	w.BeginArray()
	for i := range parts {
		if err := e.part(role, &parts[i]); err != nil {
			return err
		}
	}
	w.EndArray()
	return nil
}

func (e *requestEncoder) part(role llm.Role, p *llm.Part) error {
	isModel := role == llm.RoleAssistant
	switch p.Kind {
	case llm.PartText:
		e.textPart(isModel, p)
	case llm.PartRefusal:
		if !isModel {
			e.inputText(p.Text, p.Extra)
			return nil
		}
		e.w.BeginObject()
		e.w.StringField("type", typeRefusal)
		e.w.StringField(typeRefusal, p.Text)
		writeExtra(&e.w, p.Extra, "")
		e.w.EndObject()
	case llm.PartImage, llm.PartDocument:
		if role != llm.RoleUser {
			return llm.Invalid("messages", "A part of kind %s cannot stand in a message of role %s.", p.Kind, role)
		}
		if p.Kind == llm.PartImage {
			return e.image(p)
		}
		return e.document(p)
	case llm.PartAudio:
		return unsupported(llm.FeatureAudio)
	case llm.PartOpaque:
		switch {
		case p.Opaque != nil && p.Opaque.Dialect == self:
			e.w.Raw(p.Opaque.Raw)
		case p.Text != "":
			e.textPart(isModel, &llm.Part{Text: p.Text})
		default:
			return unsupported(llm.FeatureVendorPart)
		}
	default:
		return llm.Invalid("messages", "A part of kind %s cannot stand in this message.", p.Kind)
	}
	return nil
}

// unsupported is the error for content that must not be left out and cannot be said.
func unsupported(f llm.Feature) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: "messages",
		Message: "The target's API (" + string(dialect.OpenAIResponses) + ") cannot carry " + f.Info().Doc + ".",
	}
}

func (e *requestEncoder) textPart(isModel bool, p *llm.Part) {
	if !isModel {
		e.inputText(p.Text, p.Extra)
		return
	}
	w := &e.w
	w.BeginObject()
	w.StringField("type", typeOutputText)
	w.StringField("text", p.Text)
	if len(p.Citations) > 0 {
		w.Key("annotations")
		w.BeginArray()
		for i := range p.Citations {
			if c := &p.Citations[i]; hasAnnotation(c) {
				writeAnnotation(w, c, p.Text)
			}
		}
		w.EndArray()
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
}

func (e *requestEncoder) inputText(s string, extra llm.Extra) {
	w := &e.w
	w.BeginObject()
	w.StringField("type", typeInputText)
	w.StringField("text", s)
	writeExtra(w, extra, "")
	w.EndObject()
}

func (e *requestEncoder) image(p *llm.Part) error {
	w, m := &e.w, p.Media
	w.BeginObject()
	w.StringField("type", typeInputImage)
	switch {
	case m.Data != "":
		w.StringField("image_url", dialect.MediaURI(m, "image/png"))
	case m.URL != "":
		w.StringField("image_url", m.URL)
	case m.Issuer == self:
		w.StringField("file_id", m.FileID)
	default:
		return unsupported(llm.FeatureFileID)
	}
	if m.Detail != "" {
		w.StringField("detail", m.Detail)
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

// document writes a file; a document that is text becomes text with its title around it.
func (e *requestEncoder) document(p *llm.Part) error {
	d := p.Document
	if d == nil {
		d = &llm.Document{}
	}
	if p.Media != nil {
		if d.Context != "" {
			e.inputText(documentBegin+forms.Attribute("title", d.Name)+forms.Attribute("context", d.Context)+"/>", nil)
		}
		return e.file(p, d.Name)
	}
	if isTextDocument(p) {
		e.inputText(documentText(d), nil)
		return nil
	}
	e.inputText(documentHead(d), nil)
	for i := range d.Parts {
		if err := e.part(llm.RoleUser, &d.Parts[i]); err != nil {
			return err
		}
	}
	e.inputText(documentEnd, nil)
	return nil
}

// isTextDocument reports whether a part is a document whose text is known.
func isTextDocument(p *llm.Part) bool {
	d := p.Document
	return p.Kind == llm.PartDocument && p.Media == nil && (d == nil || d.Text != "" || len(d.Parts) == 0)
}

// documentText is a document that is text, with its title around it.
func documentText(d *llm.Document) string {
	if d == nil {
		d = &llm.Document{}
	}
	return documentHead(d) + d.Text + "\n" + documentEnd
}

func documentHead(d *llm.Document) string {
	return documentBegin + forms.Attribute("title", d.Name) + forms.Attribute("context", d.Context) + ">\n"
}

func (e *requestEncoder) file(p *llm.Part, name string) error {
	w, m := &e.w, p.Media
	w.BeginObject()
	w.StringField("type", typeInputFile)
	switch {
	case m.Data != "":
		if name == "" {
			name = fallbackTitle
		}
		w.StringField("filename", name)
		w.StringField("file_data", dialect.MediaURI(m, "application/pdf"))
	case m.URL != "":
		if name != "" {
			e.losses.add("document_name", llm.ActionDropped, harmless, "a file given by its URL has no other name")
		}
		w.StringField("file_url", m.URL)
	case m.Issuer == self:
		w.StringField("file_id", m.FileID)
	default:
		return unsupported(llm.FeatureFileID)
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}
