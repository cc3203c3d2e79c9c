package cohere

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// What is said in words because the dialect has no member for it.
const (
	errorPrefix  = "Error: "
	followsBelow = "[The images of this result follow in the next user message.]"
	imagesOf     = "[Images of the tool result "
	noResult     = "[no output]"
	opening      = "(The conversation begins here.)"
)

// messages writes the conversation: the system's text first, in one message, since the vendor takes it nowhere else.
func (e *requestEncoder) messages(list []llm.Message) error {
	if len(list) == 0 {
		return llm.Invalid("messages", "There is no message to answer.")
	}
	e.w.Key("messages")
	e.w.BeginArray()
	list = slices.Clone(list)
	first := 0
	for first < len(list) && isSystem(&list[first]) {
		first++
	}
	if err := e.system(list[:first]); err != nil {
		return err
	}
	var held []llm.Message // system messages between a call and its result
	var results []llm.Part // of several messages in a row
	for i := first; i < len(list); i++ {
		m := &list[i]
		if m.Role == llm.RoleTool {
			results = append(results, m.Parts...)
			if i+1 < len(list) && list[i+1].Role == llm.RoleTool {
				continue
			}
			m.Parts, results = results, nil
		}
		switch {
		case isSystem(m) && e.calls.open.Len() > 0:
			held = append(held, *m)
			continue
		case m.Role != llm.RoleTool && e.calls.open.Len() > 0:
			return e.calls.orphan()
		case isSystem(m):
			held = append(held, *m)
		case saysNothing(m):
			e.lose("empty_message", llm.ActionDropped, llm.Harmless, "the target takes no empty messages")
		default:
			if err := e.message(m); err != nil {
				return err
			}
		}
		if e.calls.open.Len() == 0 {
			for j := range held {
				if err := e.laterSystem(&held[j]); err != nil {
					return err
				}
			}
			held = held[:0]
		}
	}
	if !e.begun { // but by the system
		e.begin("user")
		e.w.StringField("content", opening)
		e.w.EndObject()
		e.lose("first_message", llm.ActionApproximated, llm.Tuning, "the target wants a message of the user's, so one was made up")
	}
	e.w.EndArray()
	return e.calls.orphan()
}

// saysNothing reports whether all that a message holds is empty text.
func saysNothing(m *llm.Message) bool {
	return !slices.ContainsFunc(m.Parts, func(p llm.Part) bool { return !isSaid(&p) || p.Text != "" })
}

func isSystem(m *llm.Message) bool { return m.Role == llm.RoleSystem || m.Role == llm.RoleDeveloper }

// system writes the messages that come first as one.
func (e *requestEncoder) system(list []llm.Message) error {
	var texts []string
	var one *llm.Message
	for i := range list {
		text, err := systemText(&list[i])
		if err != nil {
			return err
		}
		if text != "" {
			texts, one = append(texts, text), &list[i]
		}
	}
	if len(texts) == 0 {
		return nil
	}
	e.begin("system")
	e.w.Key("content")
	if len(texts) == 1 {
		if err := e.content(one.Parts); err != nil {
			return err
		}
		writeExtra(&e.w, one.Extra, "")
	} else {
		e.w.String(strings.Join(texts, "\n\n"))
		e.lose("system_messages", llm.ActionRepaired, llm.Harmless, "several at the beginning become one")
	}
	e.w.EndObject()
	return nil
}

// systemText is the words of a system message, which can hold nothing else.
func systemText(m *llm.Message) (string, error) {
	var b strings.Builder
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != llm.PartText && (p.Kind != llm.PartOpaque || p.Text == "") {
			return "", llm.Invalid("messages", "A part of kind %s cannot stand in a system message.", p.Kind)
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

// laterSystem writes a system message that stands in the conversation as marked text of the user's.
func (e *requestEncoder) laterSystem(m *llm.Message) error {
	text, err := systemText(m)
	if err != nil || text == "" {
		return err
	}
	e.begin("user")
	e.w.StringField("content", "<system_instruction>\n"+text+"\n</system_instruction>")
	e.w.EndObject()
	return nil
}

func (e *requestEncoder) begin(role string) {
	e.begun = e.begun || role != "system"
	e.w.BeginObject()
	e.w.StringField("role", role)
}

func (e *requestEncoder) message(m *llm.Message) error {
	switch m.Role {
	case llm.RoleUser:
		return e.user(m)
	case llm.RoleAssistant:
		return e.assistant(m)
	case llm.RoleTool:
		return e.results(m)
	default:
		return llm.Invalid("messages", "Unknown role '%s'.", forms.Clip(string(m.Role), 64))
	}
}

func (e *requestEncoder) user(m *llm.Message) error {
	e.begin("user")
	e.w.Key("content")
	if err := e.content(m.Parts); err != nil {
		return err
	}
	writeExtra(&e.w, m.Extra, "")
	e.w.EndObject()
	return nil
}

// content writes parts: one plain text as a string, anything else as a list. Documents that stand beside the
// conversation are left out.
func (e *requestEncoder) content(parts []llm.Part) error {
	w := &e.w
	parts = slices.Clone(parts)
	parts = slices.DeleteFunc(parts, func(p llm.Part) bool { return isTextDocument(&p) && e.beside[p.Document] })
	if len(parts) == 0 {
		w.String("")
		return nil
	}
	if p := &parts[0]; len(parts) == 1 && isSaid(p) && len(p.Extra[self]) == 0 {
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

// isSaid reports whether a part is words, in the model's context.
func isSaid(p *llm.Part) bool {
	return p.Kind == llm.PartText || p.Kind == llm.PartRefusal || p.Kind == llm.PartOpaque && p.Opaque.Dialect != self && p.Text != ""
}

func (e *requestEncoder) part(p *llm.Part) error {
	switch {
	case isSaid(p):
		e.text(p.Text, p.Extra)
	case p.Kind == llm.PartImage:
		return e.image(p)
	case isTextDocument(p):
		e.lose(llm.FeatureDocumentText, llm.ActionApproximated, llm.Tuning, "as text in its message")
		e.text(inlineDocument(p.Document), nil)
	case p.Kind == llm.PartDocument && p.Media == nil: // of parts that are not all text
		return unsupported(llm.FeatureDocumentText)
	case p.Kind == llm.PartDocument && p.Media.URL != "":
		return unsupported(llm.FeatureDocumentURL)
	case p.Kind == llm.PartDocument && p.Media.Data != "":
		return unsupported(llm.FeatureDocumentData)
	case p.Kind == llm.PartDocument:
		return unsupported(llm.FeatureFileID)
	case p.Kind == llm.PartAudio:
		return unsupported(llm.FeatureAudio)
	case p.Kind == llm.PartOpaque && p.Opaque.Dialect == self:
		e.w.Raw(p.Opaque.Raw)
	case p.Kind == llm.PartOpaque:
		return unsupported(llm.FeatureVendorPart)
	default:
		return llm.Invalid("messages", "A part of kind %s cannot stand in this message.", p.Kind)
	}
	return nil
}

func (e *requestEncoder) text(s string, extra llm.Extra) {
	w := &e.w
	w.BeginObject()
	w.StringField("type", typeText)
	w.StringField("text", s)
	writeExtra(w, extra, "")
	w.EndObject()
}

func (e *requestEncoder) image(p *llm.Part) error {
	url := imageURL(p.Media)
	if url == "" {
		return unsupported(llm.FeatureFileID)
	}
	w := &e.w
	w.BeginObject()
	w.StringField("type", typeImage)
	w.Key(typeImage)
	w.BeginObject()
	w.StringField("url", url)
	if p.Media.Detail != "" {
		w.StringField("detail", p.Media.Detail)
	}
	w.EndObject()
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

// assistant writes a turn of the model: thinking and text as content, or, beside calls, its text as the plan. A turn of
// which nothing remains is left out whole.
func (e *requestEncoder) assistant(m *llm.Message) error {
	var content, calls []*llm.Part
	var plan strings.Builder
	hasCalls := slices.ContainsFunc(m.Parts, isCall)
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind == llm.PartToolCall:
			calls = append(calls, p)
		case p.Kind == llm.PartThinking && isForeign(p.Thinking):
			e.lose(llm.FeatureThinkingHistory, llm.ActionDropped, llm.Harmless, "another vendor signed it")
		case p.Kind == llm.PartThinking, p.Kind == llm.PartOpaque && p.Opaque.Dialect == self:
			content = append(content, p)
		case isSaid(p) && p.Text == "": // which the vendor refuses
		case isSaid(p) && hasCalls:
			plan.WriteString(p.Text)
		case isSaid(p):
			content = append(content, p)
		case p.Kind == llm.PartOpaque:
			return unsupported(llm.FeatureVendorPart)
		default:
			return llm.Invalid("messages", "A part of kind %s cannot stand in an assistant's message.", p.Kind)
		}
	}
	if len(content) == 0 && plan.Len() == 0 && !hasCalls {
		return nil
	}
	e.begin("assistant")
	if len(content) > 0 {
		e.answerContent(content)
	}
	if plan.Len() > 0 {
		e.w.StringField(keyPlan, plan.String())
	}
	if hasCalls {
		e.w.Key("tool_calls")
		e.w.BeginArray()
		for _, p := range calls {
			writeCall(&e.w, e.calls.begin(p.Call.ID), e.names.Sent(p.Call.Name), e.args(p.Call.Args))
		}
		e.w.EndArray()
	}
	writeExtra(&e.w, m.Extra, "")
	e.w.EndObject()
	return nil
}

// args is the arguments of a call that was made: the vendor wants the text of an object.
func (e *requestEncoder) args(args string) string {
	if strings.TrimSpace(args) == "" {
		return emptyArgs
	}
	if v, err := jsontext.ParseLenient([]byte(args)); err != nil || v.Kind() != jsontext.Object {
		e.lose("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments in the history that are no JSON object are sent as {}")
		return emptyArgs
	}
	return args
}

// isForeign reports whether somebody signed or sealed thinking. This dialect's vendor signs none.
func isForeign(t *llm.Thinking) bool {
	return t != nil && t.Issuer != "" && (t.Signature != "" || t.Sealed != "")
}

// answerContent writes content of the assistant's.
func (e *requestEncoder) answerContent(parts []*llm.Part) {
	w := &e.w
	w.Key("content")
	if p := parts[0]; len(parts) == 1 && isSaid(p) && len(p.Extra[self]) == 0 {
		w.String(p.Text)
		return
	}
	w.BeginArray()
	for _, p := range parts {
		switch {
		case p.Kind == llm.PartThinking:
			w.BeginObject()
			w.StringField("type", typeThinking)
			w.StringField(typeThinking, p.Text)
			writeExtra(w, p.Extra, "")
			w.EndObject()
		case isSaid(p):
			e.text(p.Text, p.Extra)
		default:
			w.Raw(p.Opaque.Raw)
		}
	}
	w.EndArray()
}

// results writes one message for each result, and after all of them one of the user's with the images they cannot hold.
func (e *requestEncoder) results(m *llm.Message) error {
	var follow []llm.Part
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != llm.PartToolResult {
			return llm.Invalid("messages", "A part of kind %s cannot stand in a tool's message.", p.Kind)
		}
		id, ok := e.calls.answer(p.Result.CallID)
		if !ok {
			return llm.Invalid("messages", "The result of tool call '%s' does not follow a message with that call.", forms.Clip(p.Result.CallID, 128))
		}
		images, err := e.result(p, id)
		if err != nil {
			return err
		}
		if len(images) > 0 {
			follow = append(append(follow, llm.Text(imagesOf+id+".]")), images...)
		}
	}
	switch {
	case len(follow) == 0:
		return nil
	case e.calls.open.Len() > 0:
		return e.calls.orphan()
	default:
		return e.user(&llm.Message{Parts: follow})
	}
}

// result writes one result and returns the images in it.
func (e *requestEncoder) result(p *llm.Part, id string) (images []llm.Part, err error) {
	var rest []llm.Part
	for _, in := range p.Result.Parts {
		if in.Kind == llm.PartImage {
			images = append(images, in)
		} else {
			rest = append(rest, in)
		}
	}
	if len(images) > 0 {
		rest = append(rest, llm.Text(followsBelow))
	}
	if p.Result.Error {
		if len(rest) > 0 && rest[0].Kind == llm.PartText {
			rest[0].Text = errorPrefix + rest[0].Text
		} else {
			rest = slices.Insert(rest, 0, llm.Text(strings.TrimSpace(errorPrefix)))
		}
	}
	if len(rest) == 0 || len(rest) == 1 && rest[0].Kind == llm.PartText && rest[0].Text == "" {
		rest = []llm.Part{llm.Text(noResult)}
		e.lose("tool_result_empty", llm.ActionRepaired, llm.Harmless, "the target refuses a result without content")
	}
	e.begin("tool")
	w := &e.w
	w.StringField("tool_call_id", id)
	w.Key("content")
	if len(rest) == 1 && isSaid(&rest[0]) && len(rest[0].Extra[self]) == 0 {
		w.String(rest[0].Text)
	} else {
		w.BeginArray()
		for i := range rest {
			if d := rest[i].Document; isTextDocument(&rest[i]) {
				w.BeginObject()
				w.StringField("type", typeDocument)
				w.Key(typeDocument)
				writeDocument(w, d, d.Name)
				w.EndObject()
			} else if err := e.part(&rest[i]); err != nil {
				return nil, err
			}
		}
		w.EndArray()
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return images, nil
}
