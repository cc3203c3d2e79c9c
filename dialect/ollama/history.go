package ollama

import (
	"cmp"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// What is said in words because the dialect has no member for it.
const (
	errorPrefix  = "Error: "
	followsBelow = "[The images of this result follow in the next user message.]"
	imagesWith   = "[Images of the tool result "
	gif          = "R0lGOD" // how the base64 of a GIF begins
)

// messages writes the conversation.
func (e *requestEncoder) messages() error {
	list := slices.Clone(e.req.Messages)
	var results []llm.Part // of several messages in a row
	if len(list) == 0 {
		return llm.Invalid("messages", "There is no message to answer.")
	}
	e.w.Key("messages")
	e.w.BeginArray()
	for i := range list {
		m := &list[i]
		if m.Role == llm.RoleTool {
			results = append(results, m.Parts...)
			if i+1 < len(list) && list[i+1].Role == llm.RoleTool {
				continue
			}
			m.Parts, results = results, nil
		}
		if m.Role != llm.RoleTool && e.open.Len() > 0 {
			return e.orphan()
		}
		if err := e.message(m); err != nil {
			return err
		}
	}
	e.w.EndArray()
	if e.open.Len() > 0 {
		return e.orphan()
	}
	return nil
}

// orphan is the error for a call that is not followed by its result.
func (e *requestEncoder) orphan() error {
	return llm.Invalid("messages", "The message with tool call '%s' is not followed by its result.", forms.Clip(e.calls[e.open.First()].ID, 128))
}

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
	default:
		return llm.Invalid("messages", "Unknown role '%s'.", forms.Clip(string(m.Role), 64))
	}
}

// plain writes a message of text and images.
func (e *requestEncoder) plain(role string, m *llm.Message) error {
	said, err := e.said(m.Parts, "")
	if err != nil {
		return err
	}
	e.begin(role, said.text)
	e.images(said.images)
	writeExtra(&e.w, m.Extra, "")
	e.w.EndObject()
	return nil
}

func (e *requestEncoder) begin(role, content string) {
	e.w.BeginObject()
	e.w.StringField("role", role)
	e.w.StringField("content", content)
}

func (e *requestEncoder) images(list []string) {
	if len(list) == 0 {
		return
	}
	e.w.Key("images")
	e.w.BeginArray()
	for _, data := range list {
		e.w.String(data)
	}
	e.w.EndArray()
}

// said is what a message says in this dialect: one text, and images beside it.
type said struct {
	text   string
	images []string
}

// said makes one text of parts, and takes the images out of it. Texts that stood beside each other have between between
// them, and those with something else in the middle a new line.
func (e *requestEncoder) said(parts []llm.Part, between string) (said, error) {
	var s said
	var b strings.Builder
	texts, apart := 0, false
	for i := range parts {
		p := &parts[i]
		text := p.Text
		switch {
		case p.Kind == llm.PartImage && strings.HasPrefix(p.Media.Data, gif):
			e := unsupported(llm.FeatureImageData)
			e.Message = "The target's API (" + self + ") takes no GIF images."
			return s, e
		case p.Kind == llm.PartImage && p.Media.Data != "":
			s.images = append(s.images, p.Media.Data)
			apart = true
			continue
		case isTextDocument(p):
			text = inlineDocument(p.Document)
			apart = true
		case !isSaid(p):
			return s, refused(p)
		}
		switch {
		case b.Len() == 0:
		case apart:
			b.WriteByte('\n')
		default:
			b.WriteString(between)
		}
		if texts++; texts > 1 {
			e.lose("message_parts", llm.ActionRepaired, llm.Harmless, "content is one text, after it the images")
		}
		apart = p.Kind != llm.PartText
		b.WriteString(text)
	}
	s.text = b.String()
	return s, nil
}

// isSaid reports whether a part is words.
func isSaid(p *llm.Part) bool {
	return p.Kind == llm.PartText || p.Kind == llm.PartRefusal || p.Kind == llm.PartOpaque && p.Text != ""
}

// isTextDocument reports whether a part is a document whose text is known.
func isTextDocument(p *llm.Part) bool {
	return p.Kind == llm.PartDocument && p.Media == nil && p.Document != nil &&
		!slices.ContainsFunc(p.Document.Parts, func(p llm.Part) bool { return p.Kind != llm.PartText })
}

// inlineDocument is a document as text, with its title around it.
func inlineDocument(d *llm.Document) string {
	head := "<document"
	for _, a := range [...][2]string{{"title", d.Name}, {"context", d.Context}} {
		if a[1] != "" {
			head += " " + a[0] + `="` + strings.ReplaceAll(a[1], `"`, "'") + `"`
		}
	}
	var b strings.Builder
	b.WriteString(head + ">\n" + d.Text)
	for i := range d.Parts {
		b.WriteString(d.Parts[i].Text)
	}
	return b.String() + "\n</document>"
}

// refused is the error for a part that the dialect has no place for.
func refused(p *llm.Part) error {
	switch {
	case p.Kind == llm.PartImage && p.Media.URL != "":
		return unsupported(llm.FeatureImageURL)
	case p.Kind == llm.PartImage:
		return unsupported(llm.FeatureFileID)
	case p.Kind == llm.PartDocument && p.Media == nil:
		return unsupported(llm.FeatureDocumentText)
	case p.Kind == llm.PartDocument && p.Media.URL != "":
		return unsupported(llm.FeatureDocumentURL)
	case p.Kind == llm.PartDocument && p.Media.Data != "":
		return unsupported(llm.FeatureDocumentData)
	case p.Kind == llm.PartDocument:
		return unsupported(llm.FeatureFileID)
	case p.Kind == llm.PartAudio:
		return unsupported(llm.FeatureAudio)
	case p.Kind == llm.PartOpaque:
		return unsupported(llm.FeatureVendorPart)
	}
	return llm.Invalid("messages", "A part of kind %s cannot stand in this message.", p.Kind)
}

// assistant writes a turn of the model. A turn of which nothing remains is left out whole.
func (e *requestEncoder) assistant(m *llm.Message) error {
	var rest []llm.Part
	var thinking strings.Builder
	var calls []*llm.ToolCall
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind == llm.PartToolCall:
			calls = append(calls, p.Call)
		case p.Kind != llm.PartThinking:
			rest = append(rest, *p)
		case isSigned(p.Thinking):
			e.lose(llm.FeatureThinkingHistory, llm.ActionDropped, llm.Harmless, "another vendor signed it")
		default:
			thinking.WriteString(p.Text)
		}
	}
	said, err := e.said(rest, "")
	if err != nil {
		return err
	}
	if len(rest) == 0 && thinking.Len() == 0 && len(calls) == 0 {
		return nil
	}
	e.begin("assistant", said.text)
	if thinking.Len() > 0 {
		e.w.StringField(keyThinking, thinking.String())
	}
	e.images(said.images)
	if len(calls) > 0 {
		e.w.Key("tool_calls")
		e.w.BeginArray()
		for i, call := range calls {
			e.call(call, i)
		}
		e.w.EndArray()
	}
	writeExtra(&e.w, m.Extra, "")
	e.w.EndObject()
	e.calls, e.open = calls, dialect.Waiting[int]{}
	for i, call := range calls {
		e.open.Add(i, call.ID)
	}
	return nil
}

func (e *requestEncoder) call(c *llm.ToolCall, index int) {
	args, ok := argsText(c.Args)
	if !ok {
		args = []byte(emptyArgs)
		e.lose("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments in the history that are no JSON object are sent as {}")
	}
	writeCall(&e.w, c.ID, c.Name, index, args)
}

// results writes one message for each result, in the order of their calls, and after all of them one of the user's with
// the images they should not hold.
func (e *requestEncoder) results(m *llm.Message) error {
	order := make([]int, len(m.Parts)) // by result: which call it answers
	calls := e.calls
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != llm.PartToolResult {
			return llm.Invalid("messages", "A part of kind %s cannot stand in a tool's message.", p.Kind)
		}
		at, ok := e.open.Take(p.Result.CallID)
		if !ok {
			return llm.Invalid("messages", "The result of tool call '%s' does not follow a message with that call.", forms.Clip(p.Result.CallID, 128))
		}
		order[i] = at
	}
	if e.open.Len() > 0 {
		return e.orphan()
	}
	results := make([]int, len(m.Parts))
	for i := range results {
		results[i] = i
	}
	slices.SortStableFunc(results, func(a, b int) int { return cmp.Compare(order[a], order[b]) })
	if !slices.IsSorted(order) {
		e.lose("tool_result_order", llm.ActionRepaired, llm.Harmless, "results stand in the order of their calls")
	}
	var follow []llm.Part
	for _, i := range results {
		images, err := e.result(&m.Parts[i], calls[order[i]])
		if err != nil {
			return err
		}
		if len(images) > 0 {
			follow = append(append(follow, llm.Text(imagesWith+calls[order[i]].ID+".]")), images...)
		}
	}
	if len(follow) == 0 {
		return nil
	}
	return e.plain("user", &llm.Message{Parts: follow})
}

// result writes one result and returns the images in it.
func (e *requestEncoder) result(p *llm.Part, call *llm.ToolCall) (images []llm.Part, err error) {
	var rest []llm.Part
	for _, in := range p.Result.Parts {
		if in.Kind == llm.PartImage {
			images = append(images, in)
		} else {
			rest = append(rest, in)
		}
	}
	said, err := e.said(rest, "\n")
	if err != nil {
		return nil, err
	}
	text := said.text
	if len(images) > 0 {
		text = strings.TrimPrefix(text+"\n"+followsBelow, "\n")
	}
	if p.Result.Error {
		text = strings.TrimSpace(errorPrefix + text)
	}
	e.begin("tool", text)
	e.w.StringField("tool_name", call.Name)
	e.w.StringField("tool_call_id", call.ID)
	writeExtra(&e.w, p.Extra, "")
	e.w.EndObject()
	return images, nil
}
