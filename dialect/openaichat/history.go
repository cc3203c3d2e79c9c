package openaichat

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// What is said in words because the dialect has no member for it.
const (
	errorPrefix   = "Error: "
	followsBelow  = "[The files of this result follow in the next user message.]"
	filesOf       = "[Files of the tool result "
	documentBegin = "<document"
	documentEnd   = "</document>"
)

// messages writes the conversation.
func (e *requestEncoder) messages(list []llm.Message) error {
	if err := checkPairs(list); err != nil {
		return err
	}
	if len(list) == 0 {
		return llm.Invalid("messages", "There is no message to answer.")
	}
	e.w.Key("messages")
	e.w.BeginArray()
	for i := 0; i < len(list); i++ {
		m := list[i]
		if m.Role == llm.RoleTool {
			m.Parts = slices.Clip(m.Parts) // they are the request's
		}
		for m.Role == llm.RoleTool && i+1 < len(list) && list[i+1].Role == llm.RoleTool {
			i++
			m.Parts = append(m.Parts, list[i].Parts...)
		}
		if err := e.message(&m); err != nil {
			return err
		}
	}
	e.w.EndArray()
	return nil
}

// checkPairs refuses calls without a result directly after them, and results without a call directly before.
func checkPairs(list []llm.Message) error {
	var open dialect.Waiting[string]
	for i := range list {
		m := &list[i]
		if m.Role != llm.RoleTool && open.Len() > 0 {
			break
		}
		for j := range m.Parts {
			p := &m.Parts[j]
			switch {
			case p.Call != nil:
				open.Add(p.Call.ID, p.Call.ID)
			case p.Result != nil:
				if _, ok := open.Take(p.Result.CallID); !ok {
					return llm.Invalid("messages", "The result of tool call '%s' does not follow a message with that call.", clipID(p.Result.CallID))
				}
			}
		}
	}
	if open.Len() > 0 {
		return llm.Invalid("messages", "The message with tool call '%s' is not followed by its result.", clipID(open.First()))
	}
	return nil
}

func clipID(s string) string { return strings.ToValidUTF8(s[:min(len(s), 128)], "") }

func (e *requestEncoder) message(m *llm.Message) error {
	switch m.Role {
	case llm.RoleSystem, llm.RoleDeveloper:
		return e.plain("system", m)
	case llm.RoleUser:
		return e.plain("user", m)
	case llm.RoleAssistant:
		return e.assistant(m)
	case llm.RoleTool:
		return e.results(m)
	}
	return llm.Invalid("messages", "Unknown role '%s'.", clipID(string(m.Role)))
}

func (e *requestEncoder) plain(role string, m *llm.Message) error {
	w := &e.w
	w.BeginObject()
	w.StringField("role", role)
	if m.Name != "" {
		w.StringField("name", m.Name)
	}
	w.Key("content")
	if err := e.content(m.Parts); err != nil {
		return err
	}
	writeExtra(w, m.Extra, "")
	w.EndObject()
	return nil
}

// content writes parts: one plain text as a string, anything else as a list.
func (e *requestEncoder) content(parts []llm.Part) error {
	w := &e.w
	if len(parts) == 0 {
		w.String("")
		return nil
	}
	if p := &parts[0]; len(parts) == 1 && p.Kind == llm.PartText && len(p.Extra[self]) == 0 {
		w.String(p.Text)
		return nil
	}
	w.BeginArray()
	for i := range parts {
		if err := e.part(&parts[i]); err != nil {
			return err
		}
	}
	w.EndArray()
	return nil
}

func (e *requestEncoder) part(p *llm.Part) error {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		e.textPart(p.Text, p.Extra)
	case llm.PartImage:
		return e.image(p)
	case llm.PartDocument:
		return e.document(p)
	case llm.PartAudio:
		return e.audio(p)
	case llm.PartOpaque:
		switch {
		case p.Opaque != nil && p.Opaque.Dialect == self:
			e.w.Raw(p.Opaque.Raw)
		case p.Text != "":
			e.textPart(p.Text, nil)
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
		Message: "The target's API (" + string(dialect.OpenAIChat) + ") cannot carry " + f.Info().Doc + ".",
	}
}

func (e *requestEncoder) textPart(s string, extra llm.Extra) {
	w := &e.w
	w.BeginObject()
	w.StringField("type", "text")
	w.StringField("text", s)
	writeExtra(w, extra, "")
	w.EndObject()
}

func (e *requestEncoder) image(p *llm.Part) error {
	w, m := &e.w, p.Media
	if m.Data == "" && m.URL == "" {
		return unsupported(llm.FeatureFileID)
	}
	w.BeginObject()
	w.StringField("type", "image_url")
	w.Key("image_url")
	w.BeginObject()
	if m.Data != "" {
		w.StringField("url", dialect.MediaURI(m, "image/png"))
	} else {
		w.StringField("url", m.URL)
	}
	if m.Detail != "" {
		w.StringField("detail", m.Detail)
	}
	w.EndObject()
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
	switch {
	case p.Media != nil && p.Media.Data != "":
		if d.Context != "" {
			e.textPart(documentBegin+forms.Attribute("title", d.Name)+forms.Attribute("context", d.Context)+"/>", nil)
		}
		return e.file(p, d.Name)
	case p.Media != nil && p.Media.URL != "":
		return unsupported(llm.FeatureDocumentURL)
	case p.Media != nil:
		return unsupported(llm.FeatureFileID)
	}
	begin := documentBegin + forms.Attribute("title", d.Name) + forms.Attribute("context", d.Context) + ">\n"
	if d.Text != "" || len(d.Parts) == 0 {
		e.textPart(begin+d.Text+"\n"+documentEnd, nil)
		return nil
	}
	e.textPart(begin, nil)
	for i := range d.Parts {
		if err := e.part(&d.Parts[i]); err != nil {
			return err
		}
	}
	e.textPart(documentEnd, nil)
	return nil
}

// file writes a document as data: the vendor reads PDFs, and text.
func (e *requestEncoder) file(p *llm.Part, name string) error {
	w := &e.w
	if kind := p.Media.Type; kind != "" && kind != "application/pdf" && !strings.HasPrefix(kind, "text/") {
		err := unsupported(llm.FeatureDocumentData)
		err.Message = "The target's API (" + string(dialect.OpenAIChat) + ") takes no documents of type '" + clip(kind) + "'."
		return err
	}
	if name == "" {
		name = fallbackTitle
	}
	w.BeginObject()
	w.StringField("type", "file")
	w.Key("file")
	w.BeginObject()
	w.StringField("filename", name)
	w.StringField("file_data", dialect.MediaURI(p.Media, "application/pdf"))
	w.EndObject()
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

func (e *requestEncoder) audio(p *llm.Part) error {
	format := audioFormat(p.Media.Type)
	if format == "" || p.Media.Data == "" {
		return unsupported(llm.FeatureAudio)
	}
	w := &e.w
	w.BeginObject()
	w.StringField("type", "input_audio")
	w.Key("input_audio")
	w.BeginObject()
	w.StringField("data", p.Media.Data)
	w.StringField("format", format)
	w.EndObject()
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

// assistant writes a turn of the model. Thinking is left out: the dialect has nothing to replay. A turn of which
// nothing remains is left out whole.
func (e *requestEncoder) assistant(m *llm.Message) error {
	text, calls := joinText(m.Parts), 0
	var refused strings.Builder
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Kind {
		case llm.PartRefusal:
			refused.WriteString(p.Text)
		case llm.PartToolCall:
			calls++
		case llm.PartOpaque:
			if isOwnCall(p) {
				calls++
			} else if p.Text == "" {
				return unsupported(llm.FeatureVendorPart)
			}
		case llm.PartText, llm.PartThinking:
		default:
			return llm.Invalid("messages", "A part of kind %s cannot stand in an assistant's message.", p.Kind)
		}
	}
	refusal := refused.String()
	if text == "" && refusal == "" && calls == 0 && !slices.ContainsFunc(m.Parts, isText) {
		return nil
	}
	w := &e.w
	w.BeginObject()
	w.StringField("role", "assistant")
	if m.Name != "" {
		w.StringField("name", m.Name)
	}
	if text == "" && (refusal != "" || calls > 0) {
		w.NullField("content")
	} else {
		w.StringField("content", text)
	}
	if refusal != "" {
		w.StringField("refusal", refusal)
	}
	if calls > 0 {
		w.Key("tool_calls")
		w.BeginArray()
		for i := range m.Parts {
			e.call(&m.Parts[i])
		}
		w.EndArray()
	}
	writeExtra(w, m.Extra, "")
	w.EndObject()
	return nil
}

func isText(p llm.Part) bool { return p.Kind == llm.PartText }

// isOwnCall reports whether a part is a call of a free-form tool of this dialect.
func isOwnCall(p *llm.Part) bool {
	return p.Kind == llm.PartOpaque && p.Opaque != nil && p.Opaque.Dialect == self && strings.HasPrefix(p.Opaque.Type, "tool_calls.")
}

func (e *requestEncoder) call(p *llm.Part) {
	if isOwnCall(p) {
		e.w.Raw(p.Opaque.Raw)
		return
	}
	if p.Kind == llm.PartToolCall {
		args := p.Call.Args
		if strings.TrimSpace(args) == "" {
			args = emptyArgs // servers that keep calls as objects refuse an empty string
		}
		writeCall(&e.w, e.ids.Sent(p.Call.ID), e.names.Sent(p.Call.Name), args)
	}
}

// writeCall writes one of tool_calls.
func writeCall(w *jsontext.Writer, id, name, args string) {
	w.BeginObject()
	w.StringField("id", id)
	w.StringField("type", typeFunction)
	w.Key(typeFunction)
	writeFunction(w, name, args)
	w.EndObject()
}

func writeFunction(w *jsontext.Writer, name, args string) {
	w.BeginObject()
	w.StringField("name", name)
	w.StringField("arguments", args)
	w.EndObject()
}

// joinText is the text of a turn: pieces of one sentence are joined as they are, and those with a call or something
// foreign between them by an empty line.
func joinText(parts []llm.Part) string {
	var b strings.Builder
	apart := false
	for i := range parts {
		p := &parts[i]
		switch {
		case p.Kind == llm.PartToolCall || isOwnCall(p):
			apart = true
			continue
		case p.Text == "" || p.Kind != llm.PartText && p.Kind != llm.PartOpaque:
			continue
		}
		if b.Len() > 0 && (apart || p.Kind == llm.PartOpaque) {
			b.WriteString("\n\n")
		}
		apart = p.Kind == llm.PartOpaque
		b.WriteString(p.Text)
	}
	return b.String()
}

// results writes one message for each result, and after all of them one user message with what they cannot hold.
func (e *requestEncoder) results(m *llm.Message) error {
	var follow []llm.Part
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != llm.PartToolResult {
			return llm.Invalid("messages", "A part of kind %s cannot stand in a tool's message.", p.Kind)
		}
		texts, files := splitResult(p.Result)
		id := e.ids.Sent(p.Result.CallID)
		if len(files) > 0 {
			follow = append(follow, llm.Text(filesOf+id+".]"))
			follow = append(follow, files...)
		}
		w := &e.w
		w.BeginObject()
		w.StringField("role", "tool")
		w.StringField("tool_call_id", id)
		w.Key("content")
		if err := e.content(texts); err != nil {
			return err
		}
		writeExtra(w, p.Extra, "")
		w.EndObject()
	}
	if len(follow) == 0 {
		return nil
	}
	return e.plain("user", &llm.Message{Parts: follow})
}

// splitResult divides a result into the texts that a tool message may hold and the files that it may not.
func splitResult(r *llm.ToolResult) (texts, files []llm.Part) {
	for i := range r.Parts {
		p := r.Parts[i]
		if p.Kind == llm.PartImage || p.Kind == llm.PartAudio || p.Kind == llm.PartDocument && p.Media != nil {
			files = append(files, p)
			continue
		}
		texts = append(texts, p)
	}
	if len(files) > 0 {
		texts = append(texts, llm.Text(followsBelow))
	}
	if r.Error {
		if len(texts) > 0 && texts[0].Kind == llm.PartText {
			texts[0].Text = errorPrefix + texts[0].Text
		} else {
			texts = slices.Insert(texts, 0, llm.Text(strings.TrimSpace(errorPrefix)))
		}
	}
	return texts, files
}
