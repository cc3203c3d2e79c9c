package anthropic

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func (e *encoder) writeTurn(t *turn) {
	w := &e.w
	w.BeginObject()
	w.StringField("role", t.role)
	w.Key("content")
	if len(t.results) == 0 && len(t.parts) == 1 && isPlain(&t.parts[0]) {
		w.String(t.parts[0].Text)
	} else {
		w.BeginArray()
		for i := range t.results {
			e.writePart(&t.results[i])
		}
		for i := range t.parts {
			e.writePart(&t.parts[i])
		}
		w.EndArray()
	}
	if all := t.extra[issuer]; len(all) > 0 {
		writeExtra(w, llm.Extra{issuer: forms.Once(all, e.lose)}, "")
	}
	w.EndObject()
}

// writePart writes one part as a content block.
func (e *encoder) writePart(p *llm.Part) {
	w := &e.w
	switch p.Kind {
	case llm.PartOpaque:
		w.Raw(p.Opaque.Raw)
		return
	case llm.PartThinking:
		writeThinkingBlock(w, p.Text, p.Thinking.Signature, p.Thinking.Sealed)
		return
	case llm.PartImage, llm.PartDocument:
		e.writeMedia(p)
		return
	case llm.PartAudio:
		e.fail(unsupported("messages", "The target's API takes no audio."))
		w.Null()
		return
	default:
	}
	w.BeginObject()
	switch p.Kind {
	case llm.PartToolCall:
		w.StringField("type", blockToolUse)
		w.StringField("id", p.Call.ID)
		w.StringField("name", e.names.Sent(p.Call.Name))
		w.RawField("input", e.input(p.Call.Args))
	case llm.PartToolResult:
		e.writeResult(p.Result)
	default:
		w.StringField("type", blockText)
		w.StringField("text", p.Text)
		writeCitations(w, p.Citations)
	}
	e.endBlock(p)
}

// endBlock writes the members that any block may have, and closes it.
func (e *encoder) endBlock(p *llm.Part) {
	e.cacheControl(p.Cache)
	writeExtra(&e.w, p.Extra, "")
	e.w.EndObject()
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// input is a call's arguments as the object that the vendor demands. What is none, such as arguments that a token
// limit cut, cannot be sent; the call stays, without them.
func (e *encoder) input(args string) []byte {
	args = forms.OrEmptyObject(args)
	if forms.IsObject(args) {
		return []byte(args)
	}
	e.lose("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments in the history that are no JSON object are sent as {}")
	return []byte("{}")
}

func (e *encoder) writeResult(r *llm.ToolResult) {
	w := &e.w
	w.StringField("type", blockToolResult)
	w.StringField("tool_use_id", r.CallID)
	parts := e.spoken(r.Parts)
	switch {
	case len(parts) == 1 && isPlain(&parts[0]):
		w.StringField("content", parts[0].Text)
	case len(parts) > 0:
		w.Key("content")
		w.BeginArray()
		for i := range parts {
			e.writePart(&parts[i])
		}
		w.EndArray()
	}
	if r.Error {
		w.BoolField("is_error", true)
	}
}

// writeCitations writes citations that this dialect's vendor made.
func writeCitations(w *jsontext.Writer, list []llm.Citation) {
	if len(list) == 0 {
		return
	}
	w.Key("citations")
	w.BeginArray()
	for i := range list {
		w.Raw(list[i].Opaque.Raw)
	}
	w.EndArray()
}

func writeThinkingBlock(w *jsontext.Writer, said, signature, sealed string) {
	w.BeginObject()
	if sealed != "" {
		w.StringField("type", blockRedacted)
		w.StringField("data", sealed)
	} else {
		w.StringField("type", blockThinking)
		w.StringField("thinking", said)
		w.StringField("signature", signature)
	}
	w.EndObject()
}

// writeMedia writes an image or a document. Which of the two it is, and its type, follow from its first bytes
// where these tell: clients are often wrong, and the vendor checks.
func (e *encoder) writeMedia(p *llm.Part) {
	m := p.Media
	kind := ""
	if m != nil && m.Data != "" {
		kind = dialect.SniffMedia(m.Data)
		if kind == "" {
			kind = strings.ToLower(m.Type)
		}
		if kind != strings.ToLower(m.Type) {
			e.lose("media_type", llm.ActionRepaired, llm.Harmless, "the declared type was not that of the bytes")
		}
	}
	if p.Kind == llm.PartImage && kind != pdf {
		e.w.BeginObject()
		e.w.StringField("type", blockImage)
		e.writeSource(m, kind, isImage(kind))
		e.endBlock(p)
		return
	}
	e.writeDocument(p, kind)
}

func (e *encoder) writeDocument(p *llm.Part, kind string) {
	w := &e.w
	d := p.Document
	if d == nil {
		d = &llm.Document{}
	}
	w.BeginObject()
	w.StringField("type", blockDocument)
	switch plain, isText := plainText(p.Media, kind); {
	case p.Media != nil && isText:
		e.textSource(plain)
	case p.Media != nil:
		e.writeSource(p.Media, kind, kind == pdf)
	case len(d.Parts) > 0:
		w.Key("source")
		w.BeginObject()
		w.StringField("type", "content")
		w.Key("content")
		w.BeginArray()
		parts := e.spoken(d.Parts)
		for i := range parts {
			e.writePart(&parts[i])
		}
		w.EndArray()
		w.EndObject()
	default:
		e.textSource(d.Text)
	}
	if d.Name != "" {
		w.StringField("title", d.Name)
	}
	if d.Context != "" {
		w.StringField("context", d.Context)
	}
	if d.Citations != nil {
		w.Key("citations")
		w.BeginObject()
		w.BoolField("enabled", *d.Citations)
		w.EndObject()
	}
	e.endBlock(p)
}

func (e *encoder) textSource(s string) {
	e.w.Key("source")
	e.w.BeginObject()
	e.w.StringField("type", "text")
	e.w.StringField("media_type", "text/plain")
	e.w.StringField("data", s)
	e.w.EndObject()
}

// writeSource writes where an image or a document comes from; accepted says whether its type is one that the
// vendor reads.
func (e *encoder) writeSource(m *llm.Media, kind string, accepted bool) {
	w := &e.w
	w.Key("source")
	w.BeginObject()
	switch {
	case m.Data != "":
		if !accepted {
			e.fail(unsupported("messages", "The target's API reads images of the types JPEG, PNG, GIF and WebP and "+
				"documents in PDF or plain text, and the request holds one of type "+mediaName(kind)+"."))
		}
		w.StringField("type", "base64")
		w.StringField("media_type", kind)
		w.StringField("data", m.Data)
	case m.URL != "":
		w.StringField("type", "url")
		w.StringField("url", m.URL)
	default:
		if m.Issuer != issuer {
			e.fail(unsupported("messages", "The request names a file kept by another vendor, which the target cannot read."))
		}
		w.StringField("type", "file")
		w.StringField("file_id", m.FileID)
	}
	w.EndObject()
}
