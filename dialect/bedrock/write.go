package bedrock

import (
	"strconv"
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
	w.BeginArray()
	for i := range t.results {
		e.writePart(&t.results[i])
	}
	for i := range t.parts {
		e.writePart(&t.parts[i])
	}
	w.EndArray()
	if all := t.extra[issuer]; len(all) > 0 {
		writeExtra(w, llm.Extra{issuer: forms.Once(all, e.lose)}, "")
	}
	w.EndObject()
}

// writePart writes one part as a content block, and the cache point behind it.
func (e *encoder) writePart(p *llm.Part) {
	w := &e.w
	switch p.Kind {
	case llm.PartOpaque:
		w.Raw(p.Opaque.Raw)
	case llm.PartThinking:
		writeReasoning(w, p.Text, p.Thinking.Signature, p.Thinking.Sealed)
	case llm.PartImage, llm.PartDocument, llm.PartAudio:
		e.writeMedia(p)
	case llm.PartToolCall:
		e.beginBlock("toolUse")
		w.StringField("toolUseId", p.Call.ID)
		w.StringField("name", e.names.Sent(p.Call.Name))
		w.RawField("input", e.input(p.Call.Args))
		e.endBlock(p)
	case llm.PartToolResult:
		e.writeResult(p)
	default:
		writeText(w, p)
	}
	e.cachePoint(p.Cache)
}

// beginBlock opens a block and the object in it.
func (e *encoder) beginBlock(kind string) {
	e.w.BeginObject()
	e.w.Key(kind)
	e.w.BeginObject()
}

// endBlock restores what the block held besides, and closes it.
func (e *encoder) endBlock(p *llm.Part) {
	writeExtra(&e.w, p.Extra, "")
	e.w.EndObject()
	e.w.EndObject()
}

// writeText writes text, as a block of its own kind where it is cited.
func writeText(w *jsontext.Writer, p *llm.Part) {
	w.BeginObject()
	if len(p.Citations) == 0 {
		w.StringField("text", p.Text)
		w.EndObject()
		return
	}
	w.Key("citationsContent")
	w.BeginObject()
	w.Key("content")
	w.BeginArray()
	w.BeginObject()
	w.StringField("text", p.Text)
	w.EndObject()
	w.EndArray()
	w.Key("citations")
	w.BeginArray()
	for i := range p.Citations {
		writeCitation(w, &p.Citations[i])
	}
	w.EndArray()
	w.EndObject()
	w.EndObject()
}

// input is a call's arguments as the object that the vendor demands. What is none, such as arguments that a token
// limit cut, cannot be sent; the call stays, without them.
func (e *encoder) input(args string) []byte {
	args = forms.OrEmptyObject(args)
	if forms.IsObject(args) {
		return jsontext.Compact(nil, jsontext.Value(strings.TrimSpace(args)))
	}
	e.lose("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments in the history that are no JSON object are sent as {}")
	return []byte("{}")
}

func (e *encoder) writeResult(p *llm.Part) {
	w := &e.w
	e.beginBlock("toolResult")
	w.StringField("toolUseId", p.Result.CallID)
	w.Key("content")
	parts := e.spoken(p.Result.Parts)
	if len(parts) == 0 {
		w.Raw([]byte(emptyResult))
	} else {
		w.BeginArray()
		for i := range parts {
			parts[i].Cache, parts[i].Citations = nil, nil // results have no place for them
			e.writePart(&parts[i])
		}
		w.EndArray()
	}
	if p.Result.Error {
		w.StringField("status", "error")
	}
	e.endBlock(p)
}

// writeMedia writes an image, a document or audio. Whether it is an image or a document, and its type, follow from
// its first bytes where these tell: clients are often wrong, and the vendor checks.
func (e *encoder) writeMedia(p *llm.Part) {
	m := p.Media
	if m != nil && m.URL != "" {
		e.fail(unsupported("messages", "The target's API takes no URLs: send the file's bytes."))
	}
	if m != nil && m.FileID != "" && m.Issuer != issuer {
		e.fail(unsupported("messages", "The request names a file kept by another vendor, which the target cannot read."))
	}
	kind := ""
	if m != nil {
		kind = strings.ToLower(m.Type)
		if sniffed := dialect.SniffMedia(m.Data); sniffed != "" && sniffed != kind {
			kind = sniffed
			e.lose("media_type", llm.ActionRepaired, llm.Harmless, "the declared type was not that of the bytes")
		}
	}
	switch {
	case p.Kind == llm.PartAudio:
		e.writeFile(p, "audio", audioFormat(kind), kind)
	case p.Kind == llm.PartImage && kind != pdf:
		e.writeFile(p, "image", imageFormat(kind), kind)
	default:
		e.writeDocument(p, kind)
	}
}

// writeFile writes an image or audio.
func (e *encoder) writeFile(p *llm.Part, block, format, kind string) {
	e.beginBlock(block)
	e.format(format, kind)
	e.writeSource(p)
	e.endBlock(p)
}

func (e *encoder) format(format, kind string) {
	if format == "" {
		e.fail(unsupported("messages", "The target's API does not read files of the type "+mediaName(kind)+"."))
	}
	e.w.StringField("format", format)
}

func (e *encoder) writeSource(p *llm.Part) {
	w := &e.w
	w.Key("source")
	w.BeginObject()
	if p.Media.FileID != "" {
		w.Key("s3Location")
		w.BeginObject()
		w.StringField("uri", p.Media.FileID)
		writeExtra(w, p.Extra, "source.")
		w.EndObject()
	} else {
		w.StringField("bytes", p.Media.Data)
	}
	w.EndObject()
}

// writeDocument writes a document [bed:DocumentBlock]. Text in base64 is of some format, text as such is plain.
func (e *encoder) writeDocument(p *llm.Part, kind string) {
	w := &e.w
	d := p.Document
	if d == nil {
		d = &llm.Document{}
	}
	e.beginBlock("document")
	switch {
	case p.Media != nil:
		e.format(documentFormat(kind), kind)
	case !hasExtra(p.Extra, "format"):
		w.StringField("format", "txt")
	}
	w.StringField("name", e.documentName(d.Name))
	switch {
	case p.Media != nil:
		e.writeSource(p)
	case len(d.Parts) > 0:
		e.writeParts(d.Parts)
	default:
		w.Key("source")
		w.BeginObject()
		w.StringField("text", d.Text)
		w.EndObject()
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

// writeParts writes a document that is given in parts, which are of text [bed:DocumentContentBlock].
func (e *encoder) writeParts(parts []llm.Part) {
	w := &e.w
	w.Key("source")
	w.BeginObject()
	w.Key("content")
	w.BeginArray()
	for _, p := range e.spoken(parts) {
		if p.Kind != llm.PartText {
			e.fail(unsupported("messages", "The target's API takes only text in the parts of a document."))
		}
		w.BeginObject()
		w.StringField("text", p.Text)
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
}

// maxDocumentName is the limit of a document's name [bed:DocumentBlockNameString].
const maxDocumentName = 200

// documentName makes a legal name that no other document of the request has: letters, digits, single spaces,
// hyphens, parentheses and square brackets. An ending goes, since the format says what the document is.
func (e *encoder) documentName(name string) string {
	stem, ending := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		stem, ending = name[:i], name[i+1:]
	}
	if documentType(strings.ToLower(ending)) == "" {
		stem = name
	}
	legal := legalDocumentName(stem)
	if legal == "" {
		legal = "document"
	}
	sent := e.documents.Take(legal, true, func(n int) string {
		number := " " + strconv.Itoa(n+2)
		return legal[:min(len(legal), maxDocumentName-len(number))] + number
	})
	if sent != name && name != "" {
		e.lose("document_name", llm.ActionRepaired, llm.Harmless, "characters that the target does not take")
	}
	return sent
}

func legalDocumentName(name string) string {
	b := make([]byte, 0, min(len(name), maxDocumentName))
	for i := 0; i < len(name) && len(b) < maxDocumentName; i++ {
		c := name[i]
		switch {
		case isWordByte(c) && c != '_', c == '(', c == ')', c == '[', c == ']':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != ' ':
			b = append(b, ' ')
		}
	}
	return strings.TrimRight(string(b), " ")
}
