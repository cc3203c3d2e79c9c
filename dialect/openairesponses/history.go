package openairesponses

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// errorPrefix says that a tool failed, for which the dialect has no member.
const errorPrefix = "Error: "

// input writes the conversation: the first of its system messages as instructions, if it is one plain text, and the
// rest as items.
func (e *requestEncoder) input(list []llm.Message) error {
	if err := e.checkPairs(list); err != nil {
		return err
	}
	w := &e.w
	if len(list) > 0 && isInstructions(&list[0]) {
		w.StringField("instructions", list[0].Parts[0].Text)
		list = list[1:]
	}
	if len(list) == 0 && !e.isKept() {
		return llm.Invalid("messages", "There is no message to answer.")
	}
	w.Key("input")
	w.BeginArray()
	for i := range list {
		if err := e.message(&list[i]); err != nil {
			return err
		}
	}
	w.EndArray()
	return nil
}

// isInstructions reports whether a message can be said as instructions.
func isInstructions(m *llm.Message) bool {
	return (m.Role == llm.RoleSystem || m.Role == llm.RoleDeveloper) && len(m.Parts) == 1 && isPlain(&m.Parts[0]) &&
		m.Parts[0].Text != "" && len(m.Extra[self]) == 0
}

// isPlain reports whether a part is a text and nothing more.
func isPlain(p *llm.Part) bool {
	return p.Kind == llm.PartText && len(p.Extra[self]) == 0 && len(p.Citations) == 0
}

// isKept reports whether the conversation began in what the vendor keeps.
func (e *requestEncoder) isKept() bool {
	for _, key := range [...]string{"previous_response_id", "conversation", "prompt"} {
		if kept(e.req.Extra, key) != nil {
			return true
		}
	}
	return false
}

// checkPairs refuses calls without a result somewhere after them, and results without a call before.
func (e *requestEncoder) checkPairs(list []llm.Message) error {
	if e.isKept() || hasReference(list) {
		return nil // the other half may be there
	}
	var open dialect.Waiting[string]
	for i := range list {
		for j := range list[i].Parts {
			p := &list[i].Parts[j]
			switch {
			case p.Call != nil:
				open.Add(p.Call.ID, p.Call.ID)
			case p.Result != nil:
				if _, ok := open.Take(p.Result.CallID); !ok {
					return llm.Invalid("messages", "The result of tool call '%s' does not follow a message with that call.", clip(p.Result.CallID))
				}
			}
		}
	}
	if open.Len() > 0 {
		return llm.Invalid("messages", "The message with tool call '%s' is not followed by its result.", clip(open.First()))
	}
	return nil
}

// hasReference reports whether a conversation names items that the vendor keeps.
func hasReference(list []llm.Message) bool {
	for i := range list {
		for j := range list[i].Parts {
			if o := list[i].Parts[j].Opaque; o != nil && o.Dialect == self && o.Type == itemReference {
				return true
			}
		}
	}
	return false
}

func (e *requestEncoder) message(m *llm.Message) error {
	switch m.Role {
	case llm.RoleSystem, llm.RoleDeveloper, llm.RoleUser, llm.RoleAssistant:
		return e.turn(m)
	case llm.RoleTool:
		for i := range m.Parts {
			p := &m.Parts[i]
			if p.Kind != llm.PartToolResult {
				return llm.Invalid("messages", "A part of kind %s cannot stand in a tool's message.", p.Kind)
			}
			if err := e.result(p); err != nil {
				return err
			}
		}
		return nil
	}
	return llm.Invalid("messages", "Unknown role '%s'.", clip(string(m.Role)))
}

// turn writes a message: its content as message items, and what stands between as items of their own.
func (e *requestEncoder) turn(m *llm.Message) error {
	from := 0
	flush := func(to int) error {
		if from >= to || m.Role == llm.RoleAssistant && !slices.ContainsFunc(m.Parts[from:to], saysAnything) {
			return nil
		}
		return e.content(m, m.Parts[from:to])
	}
	last := lastOfReasoning(m.Parts)
	for i := range m.Parts {
		p := &m.Parts[i]
		if !isItem(p) {
			continue
		}
		if err := flush(i); err != nil {
			return err
		}
		from = i + 1
		if p.Kind == llm.PartThinking && i > last {
			e.losses.add(llm.FeatureThinkingHistory, llm.ActionDropped, harmless, "thinking that nothing follows")
			continue
		}
		if err := e.item(m, p); err != nil {
			return err
		}
	}
	if len(m.Parts) == 0 && m.Role != llm.RoleAssistant {
		return e.content(m, nil)
	}
	return flush(len(m.Parts))
}

// lastOfReasoning is where the last part of a turn stands that is what came of thinking; -1 if there is none. The vendor
// refuses reasoning that nothing follows.
func lastOfReasoning(parts []llm.Part) int {
	i := len(parts) - 1
	for i >= 0 && parts[i].Kind == llm.PartThinking {
		i--
	}
	return i
}

// saysAnything reports whether a part is more than the empty text that some vendors end their streams with: as an item it
// would stand between calls and their results.
func saysAnything(p llm.Part) bool { return !isPlain(&p) || p.Text != "" }

// isItem reports whether a part stands beside messages and not in one.
func isItem(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartThinking, llm.PartToolCall, llm.PartToolResult:
		return true
	case llm.PartOpaque:
		return p.Opaque != nil && p.Opaque.Dialect == self && !isContent(p.Opaque)
	default:
		return false
	}
}

// isContent reports whether something of this dialect's own was a message's content and not an item.
func isContent(o *llm.Opaque) bool { return strings.HasPrefix(o.Type, ofContent) }

func (e *requestEncoder) item(m *llm.Message, p *llm.Part) error {
	switch {
	case p.Kind == llm.PartOpaque:
		e.w.Raw(p.Opaque.Raw)
	case m.Role != llm.RoleAssistant:
		return llm.Invalid("messages", "A part of kind %s cannot stand in this message.", p.Kind)
	case p.Kind == llm.PartThinking:
		e.thinking(p)
	case p.Kind == llm.PartToolCall:
		e.call(p)
	default:
		return llm.Invalid("messages", "A part of kind %s cannot stand in an assistant's message.", p.Kind)
	}
	return nil
}

// thinking writes what this dialect's vendor encrypted. Other thinking is left out, and all of it for a model that does
// none.
func (e *requestEncoder) thinking(p *llm.Part) {
	t := p.Thinking
	switch {
	case t == nil || t.Issuer != self || t.Signature == "" && t.Sealed == "":
		e.losses.add(llm.FeatureThinkingHistory, llm.ActionDropped, harmless, "thinking that the target's vendor did not seal")
		return
	case e.facts.Thinking == llm.ThinkingNone:
		e.losses.add(llm.FeatureThinkingHistory, llm.ActionDropped, harmless, "the model does not reason")
		return
	}
	id, encrypted := unseal(t.Signature + t.Sealed)
	writeReasoning(&e.w, id, p.Text, encrypted)
}

// writeReasoning writes a reasoning item whose text is its summary.
func writeReasoning(w *jsontext.Writer, id, text, encrypted string) {
	if id == "" {
		id = "rs_" + forms.Digest(encrypted, 24)
	}
	w.BeginObject()
	w.StringField("id", id)
	w.StringField("type", itemReasoning)
	w.Key("summary")
	w.BeginArray()
	if text != "" {
		writeSummary(w, text)
	}
	w.EndArray()
	w.StringField("encrypted_content", encrypted)
	w.EndObject()
}

func writeSummary(w *jsontext.Writer, text string) {
	w.BeginObject()
	w.StringField("type", typeSummary)
	w.StringField("text", text)
	w.EndObject()
}

func (e *requestEncoder) call(p *llm.Part) {
	w, c := &e.w, p.Call
	w.BeginObject()
	if e.isCustomTool(c.Name) {
		name, _ := isCustom(c.Name)
		if e.custom == nil {
			e.custom = make(map[string]bool)
		}
		e.custom[c.ID] = true
		w.StringField("type", itemCustomCall)
		w.StringField("call_id", e.ids.Sent(c.ID))
		w.StringField("name", name)
		w.StringField(customInput, customInputOf(c.Args))
	} else {
		args := c.Args
		if strings.TrimSpace(args) == "" {
			args = emptyArgs
		}
		w.StringField("type", itemCall)
		w.StringField("call_id", e.ids.Sent(c.ID))
		w.StringField("name", e.names.Sent(c.Name))
		w.StringField("arguments", args)
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
}

func (e *requestEncoder) result(p *llm.Part) error {
	w, r := &e.w, p.Result
	parts := r.Parts
	if r.Error {
		parts = asFailed(parts)
	}
	w.BeginObject()
	if e.custom[r.CallID] {
		w.StringField("type", itemCustomOutput)
	} else {
		w.StringField("type", itemOutput)
	}
	w.StringField("call_id", e.ids.Sent(r.CallID))
	w.Key("output")
	if err := e.parts(llm.RoleUser, parts); err != nil {
		return err
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

// asFailed says in words that a result is an error.
func asFailed(parts []llm.Part) []llm.Part {
	if len(parts) > 0 && parts[0].Kind == llm.PartText {
		parts = slices.Clone(parts)
		parts[0].Text = errorPrefix + parts[0].Text
		return parts
	}
	return append([]llm.Part{llm.Text(strings.TrimSpace(errorPrefix))}, parts...)
}

// content writes one message item.
func (e *requestEncoder) content(m *llm.Message, parts []llm.Part) error {
	w := &e.w
	w.BeginObject()
	w.StringField("type", itemMessage)
	w.StringField("role", string(m.Role))
	w.Key("content")
	if err := e.parts(m.Role, parts); err != nil {
		return err
	}
	writeExtra(w, m.Extra, "")
	w.EndObject()
	return nil
}
