package anthropic

import (
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// turn is what one message of the request will be: one or more of llm's.
type turn struct {
	role    string
	results []llm.Part // tool results stand before everything else in a user's turn
	parts   []llm.Part
	extra   llm.Extra
}

// opening is said where the client said nothing but system messages: a request needs one turn. It may be the
// assistant's, contrary to what the vendor's documentation once said.
const opening = "(The conversation begins here.)"

// arrange puts the messages in the vendor's order: system text first, then turns of alternating roles in which
// every call has its result.
func (e *encoder) arrange() error {
	lead := true
	var held []llm.Message // system messages that stood between a call and its result
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		if m.Role == llm.RoleSystem || m.Role == llm.RoleDeveloper {
			err := onlyText(m, i)
			switch {
			case err != nil:
				return err
			case lead:
				e.system = append(e.system, e.spoken(m.Parts)...)
			case e.to.Facts.MidSystem && e.calls.open.Len() > 0:
				held = append(held, *m)
			default:
				e.midSystem(m)
			}
			continue
		}
		lead = false
		if err := e.message(m, i); err != nil {
			return err
		}
		if e.calls.open.Len() == 0 {
			for j := range held {
				e.midSystem(&held[j])
			}
			held = nil
		}
	}
	if e.calls.open.Len() > 0 {
		return orphanedCall(e.calls.open.First().id)
	}
	e.jsonMode()
	e.ends()
	return nil
}

func (e *encoder) message(m *llm.Message, at int) error {
	switch m.Role {
	case llm.RoleUser:
		parts := e.spoken(m.Parts)
		if len(parts) == 0 {
			e.lose("empty_message", llm.ActionDropped, llm.Harmless, "the target takes no empty messages")
			return nil
		}
		t := e.turn(roleUser)
		t.parts = append(t.parts, parts...)
		t.extra = joinExtra(t.extra, m.Extra)
		return nil
	case llm.RoleTool:
		return e.results(m, at)
	case llm.RoleAssistant:
		return e.assistant(m)
	default:
		return llm.Invalid(messagePath(at, "role"), "The role %q is not known.", forms.Excerpt(string(m.Role), 40))
	}
}

func messagePath(at int, member string) string {
	return "messages[" + strconv.Itoa(at) + "]." + member
}

// turn returns the last turn if it has the role, else a new one.
func (e *encoder) turn(role string) *turn {
	if n := len(e.turns); n == 0 || e.turns[n-1].role != role {
		e.turns = append(e.turns, turn{role: role})
	}
	return &e.turns[len(e.turns)-1]
}

func (e *encoder) results(m *llm.Message, at int) error {
	if len(m.Parts) == 0 {
		return nil
	}
	t := e.turn(roleUser)
	for _, p := range m.Parts {
		if p.Result == nil {
			return llm.Invalid(messagePath(at, "content"), "A tool's message holds something that is no tool result.")
		}
		sent, ok := e.calls.answer(p.Result.CallID)
		if !ok {
			return llm.Invalid(messagePath(at, "tool_call_id"),
				"The tool result for %q answers no tool call that still waits for one.", forms.Excerpt(p.Result.CallID, 80))
		}
		result := *p.Result
		result.CallID = sent
		p.Result = &result
		t.results = append(t.results, p)
	}
	return nil
}

func orphanedCall(id string) error {
	return llm.Invalid("messages", "The tool call %q has no tool result after it.", forms.Excerpt(id, 80))
}

func (e *encoder) assistant(m *llm.Message) error {
	if n := len(e.turns); e.calls.open.Len() > 0 && n > 0 && e.turns[n-1].role != roleAssistant {
		return orphanedCall(e.calls.open.First().id)
	}
	parts := e.spoken(m.Parts)
	kept := parts[:0]
	for _, p := range parts {
		switch p.Kind {
		case llm.PartThinking:
			if !isOurs(p.Thinking) {
				e.lose(llm.FeatureThinkingHistory, llm.ActionDropped, llm.Harmless, "thinking that the target's vendor did not sign")
				continue
			}
		case llm.PartToolCall:
			call := *p.Call
			call.ID = e.calls.begin(call.ID, call.Name)
			p.Call = &call
		default:
		}
		kept = append(kept, p)
	}
	if len(kept) == 0 {
		return nil
	}
	t := e.turn(roleAssistant)
	t.parts = append(t.parts, kept...)
	t.extra = joinExtra(t.extra, m.Extra)
	return nil
}

// isOurs reports whether thinking was signed or sealed by this dialect's vendor, and so may go back to it.
func isOurs(t *llm.Thinking) bool {
	return t != nil && t.Issuer == issuer && (t.Signature != "" || t.Sealed != "") &&
		!strings.HasPrefix(t.Signature, marker) && !strings.HasPrefix(t.Sealed, marker)
}

// midSystem places a system message that stands inside the conversation.
func (e *encoder) midSystem(m *llm.Message) {
	parts := e.spoken(m.Parts)
	if len(parts) == 0 {
		return
	}
	if e.to.Facts.MidSystem {
		e.turns = append(e.turns, turn{role: roleSystem, parts: parts, extra: m.Extra})
		return
	}
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].Text
	}
	p := llm.Text("<system_instruction>\n" + strings.Join(texts, "\n") + "\n</system_instruction>")
	p.Cache = parts[len(parts)-1].Cache
	t := e.turn(roleUser)
	t.parts = append(t.parts, p)
	e.lose(llm.FeatureSystemPosition, llm.ActionApproximated, llm.Tuning, "sent as marked text in the user's turn")
}

// jsonMode asks in words for what the vendor has no switch for.
func (e *encoder) jsonMode() {
	if f := e.req.Format; f != nil && f.Kind == llm.FormatJSON {
		e.system = append(e.system, llm.Text("Answer with one JSON object and nothing else: "+
			"no words before or after it, and no code fence around it."))
	}
}

// ends makes the last turn what the vendor takes, and sees that there is one.
func (e *encoder) ends() {
	if n := len(e.turns); n > 0 && e.turns[n-1].role == roleAssistant {
		if e.to.Facts.Prefill {
			e.trimPrefill(&e.turns[n-1])
		} else {
			e.lose(llm.FeaturePrefill, llm.ActionRefused, llm.Contract, "the model does not continue an assistant's message")
			e.turns = e.turns[:n-1]
		}
	}
	if len(e.turns) == 0 {
		e.turns = []turn{{role: roleUser, parts: []llm.Part{llm.Text(opening)}}}
		e.lose("first_message", llm.ActionApproximated, llm.Tuning, "the target wants a turn of the conversation, so one was made up")
	}
}

// trimPrefill removes the white space at the end of a prefill, which the vendor refuses.
func (e *encoder) trimPrefill(t *turn) {
	last := &t.parts[len(t.parts)-1]
	if last.Kind != llm.PartText {
		return
	}
	if trimmed := strings.TrimRight(last.Text, " \t\r\n"); trimmed != last.Text {
		last.Text = trimmed
		e.lose(llm.FeaturePrefill, llm.ActionRepaired, llm.Harmless, "white space at its end removed")
	}
	if last.Text == "" {
		t.parts = t.parts[:len(t.parts)-1]
	}
	if len(t.parts) == 0 {
		e.turns = e.turns[:len(e.turns)-1]
	}
}

// spoken copies the parts that say something: the vendor takes no empty texts. A refusal, and what only another
// dialect knows, become text; citations stay that the vendor made itself.
func (e *encoder) spoken(parts []llm.Part) []llm.Part {
	kept := make([]llm.Part, 0, len(parts))
	for _, p := range parts {
		if len(p.Citations) > 0 {
			p.Citations = e.ownCitations(p.Citations)
		}
		if p.Kind == llm.PartRefusal || p.Kind == llm.PartOpaque && p.Opaque.Dialect != issuer {
			p = llm.Part{Kind: llm.PartText, Text: p.Text, Cache: p.Cache}
		}
		if p.Kind != llm.PartText || strings.TrimSpace(p.Text) != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func (e *encoder) ownCitations(list []llm.Citation) []llm.Citation {
	own := make([]llm.Citation, 0, len(list))
	for _, c := range list {
		if c.Opaque == nil || c.Opaque.Dialect != issuer {
			e.lose(llm.FeatureCitationHistory, llm.ActionDropped, llm.Harmless, "citations of another vendor")
			continue
		}
		own = append(own, c)
	}
	return own
}

func onlyText(m *llm.Message, at int) error {
	for i := range m.Parts {
		if m.Parts[i].Kind != llm.PartText {
			return unsupported(messagePath(at, "content"),
				"The target's API takes only text in a system message, and messages["+strconv.Itoa(at)+"] holds "+
					m.Parts[i].Kind.String()+".")
		}
	}
	return nil
}

func joinExtra(a, b llm.Extra) llm.Extra {
	if len(b[issuer]) == 0 {
		return a
	}
	return llm.Extra{issuer: append(a[issuer], b[issuer]...)} // a is a turn's own
}
