package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// writeTurn writes one content. In the current turn the first call of each step needs a signature on models of the
// third generation: one that another model made gets the vendor's placeholder.
func (e *encoder) writeTurn(t *turn, isCurrent bool) {
	w := &e.w
	w.BeginObject()
	w.StringField("role", t.role)
	w.Key("parts")
	w.BeginArray()
	isFirst := true
	for i := range t.parts {
		p := &t.parts[i]
		if p.Kind == llm.PartToolCall {
			if p.signature == "" && isFirst && isCurrent && e.thinksByLevel() {
				p.signature = placeholder
				e.lose("thought_signature", llm.ActionApproximated, llm.Harmless, "calls of another model carry the vendor's placeholder")
			}
			isFirst = false
		}
		e.writePart(p)
	}
	w.EndArray()
	if all := t.extra[self]; len(all) > 0 {
		writeExtra(w, llm.Extra{self: forms.Once(all, e.lose)}, "")
	}
	w.EndObject()
}

// writePart writes one part of a turn.
func (e *encoder) writePart(p *signedPart) {
	w := &e.w
	if p.Kind == llm.PartDocument && p.Media == nil {
		e.writeText(p.Document)
		return
	}
	if p.Kind == llm.PartOpaque {
		w.Raw(p.Opaque.Raw)
		return
	}
	w.BeginObject()
	switch p.Kind {
	case llm.PartToolCall:
		writeCall(w, p.Call.ID, e.names.Sent(p.Call.Name), e.args(p.Call.Args))
	case llm.PartToolResult:
		e.writeResult(&p.Part)
	case llm.PartThinking:
		w.StringField("text", p.Text)
		w.BoolField("thought", true)
	case llm.PartImage, llm.PartDocument, llm.PartAudio:
		if d := p.Document; d != nil && d.Name != "" {
			e.lose("file_name", llm.ActionDropped, llm.Harmless, "the target has no place for the name of a file")
		}
		e.writeMedia(p.Media)
		e.writeDetail(p.Media)
	default:
		w.StringField("text", p.Text)
	}
	if p.signature != "" {
		w.StringField("thoughtSignature", p.signature)
	}
	for _, m := range p.Extra[self] {
		if p.Kind != llm.PartToolResult && !strings.Contains(m.Key, ".") && !memberNames.IsVariant(m.Key) && (m.Key != "thoughtSignature" || p.signature == "") {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
}

// args is a call's arguments as the object that the vendor demands. What is none, such as arguments that a token limit
// cut, cannot be sent; the call stays, without them.
func (e *encoder) args(args string) []byte {
	args = forms.OrEmptyObject(args)
	if forms.IsObject(args) {
		return []byte(args)
	}
	e.lose("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments in the history that are no JSON object are sent as {}")
	return []byte("{}")
}

func writeCall(w *jsontext.Writer, id, name string, args []byte) {
	w.Key("functionCall")
	w.BeginObject()
	if id != "" {
		w.StringField("id", id)
	}
	w.StringField("name", name)
	w.RawField("args", args)
	w.EndObject()
}

// writeResult writes a functionResponse: text under output or error, as the vendor suggests, and an object of the
// client's own as it was.
func (e *encoder) writeResult(p *llm.Part) {
	w, r := &e.w, p.Result
	w.Key("functionResponse")
	w.BeginObject()
	w.StringField("id", r.CallID)
	w.StringField("name", e.names.Sent(r.Name))
	var texts []string
	var files []*llm.Part
	for i := range r.Parts {
		switch p := &r.Parts[i]; {
		case p.Media != nil:
			files = append(files, p)
		case p.Kind == llm.PartDocument:
			texts = append(texts, documentText(p.Document))
		default:
			texts = append(texts, p.Text)
		}
	}
	const prefix = "functionResponse."
	if hasExtra(p.Extra, prefix+"response") {
		writeExtra(w, p.Extra, prefix)
	} else {
		w.Key("response")
		writeOutput(w, texts, r.Error)
		writeExtra(w, p.Extra, prefix)
	}
	if len(files) > 0 {
		w.Key("parts")
		w.BeginArray()
		for _, p := range files {
			if d := p.Document; d != nil && d.Name != "" {
				e.lose("file_name", llm.ActionDropped, llm.Harmless, "the target has no place for the name of a file")
			}
			w.BeginObject()
			e.writeMedia(p.Media)
			if p.Media.Detail != "" {
				e.lose(llm.FeatureImageDetail, llm.ActionDropped, llm.Harmless, "the target has no place for it in a call's result")
			}
			w.EndObject()
		}
		w.EndArray()
	}
	w.EndObject()
}

func writeOutput(w *jsontext.Writer, texts []string, failed bool) {
	w.BeginObject()
	if len(texts) > 0 || failed {
		key := "output"
		if failed {
			key = "error"
		}
		w.Key(key)
		if len(texts) < 2 {
			w.String(strings.Join(texts, ""))
		} else {
			w.BeginArray()
			for _, s := range texts {
				w.String(s)
			}
			w.EndArray()
		}
	}
	w.EndObject()
}

// writeText writes a document that is text: as a file where that says it all, else as text with its title around it.
func (e *encoder) writeText(d *llm.Document) {
	w := &e.w
	w.BeginObject()
	if d.Name == "" && d.Context == "" && d.Text != "" {
		e.writeMedia(&llm.Media{Type: "text/plain", Data: base64.StdEncoding.EncodeToString([]byte(d.Text))})
	} else {
		w.StringField("text", documentText(d))
	}
	w.EndObject()
}

const documentEnd = "</document>"

// documentTag begins a document that is said in words.
func documentTag(d *llm.Document) string {
	return "<document" + forms.Attribute("title", d.Name) + forms.Attribute("context", d.Context) + ">"
}

// documentText is a document that is text, in words.
func documentText(d *llm.Document) string { return documentTag(d) + "\n" + d.Text + "\n" + documentEnd }

// writeMedia writes a file: its bytes, its address, or the vendor's own name for it. Its type follows from its first
// bytes where these tell: clients are often wrong, and the vendor checks.
func (e *encoder) writeMedia(m *llm.Media) {
	w := &e.w
	if m.Data != "" {
		kind := dialect.SniffMedia(m.Data)
		switch {
		case kind == "":
			kind = strings.ToLower(m.Type)
		case kind != strings.ToLower(m.Type) && m.Type != "audio/x-wav":
			e.lose("media_type", llm.ActionRepaired, llm.Harmless, "the declared type was not that of the bytes")
		}
		if kind == "" {
			e.fail(unsupported("messages", "The target's API wants the type of each file, and the request holds one of unknown type."))
		}
		w.Key("inlineData")
		w.BeginObject()
		w.StringField("mimeType", kind)
		w.StringField("data", m.Data)
		w.EndObject()
		return
	}
	uri, kind := m.URL, strings.ToLower(m.Type)
	if m.FileID != "" {
		if m.Issuer != self {
			e.fail(unsupported("messages", "The request names a file kept by another vendor, which the target cannot read."))
		}
		uri = m.FileID
	}
	if kind == "" {
		kind = typeOf(uri)
	}
	w.Key("fileData")
	w.BeginObject()
	if kind != "" {
		w.StringField("mimeType", kind)
	}
	w.StringField("fileUri", uri)
	w.EndObject()
}
