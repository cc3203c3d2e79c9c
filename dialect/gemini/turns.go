package gemini

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// turn is what one content of the request will be: one or more of llm's messages.
type turn struct {
	role    string
	results bool // results of functions and nothing else: the vendor wants them by themselves
	parts   []signedPart
	extra   llm.Extra
}

// signedPart is a part with the signature that stands on it.
type signedPart struct {
	llm.Part
	signature string
	order     int // of a result: the place of its call
}

// opening is said where the client said nothing but system messages, or where the model is the first to speak.
const opening = "(The conversation begins here.)"

// filesOf begins what is said before the files of a result, on models that take none in it.
const filesOf = "[Files of the tool result "

// arrange puts the messages in the vendor's order: system text first, then turns in which every call has its result.
func (e *encoder) arrange() error {
	lead := true
	var held []*llm.Message // system messages that stood between a call and its result
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		if m.Role == llm.RoleSystem || m.Role == llm.RoleDeveloper {
			err := onlyText(m, i)
			switch {
			case err != nil:
				return err
			case lead:
				e.system = append(e.system, e.spoken(m.Parts)...)
			case e.calls.open.Len() > 0:
				held = append(held, m)
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
			for _, m := range held {
				e.midSystem(m)
			}
			held = nil
		}
	}
	if e.calls.open.Len() > 0 {
		return orphanedCall(e.calls.open.First().id)
	}
	e.ends()
	return nil
}

func messagePath(at int, member string) string { return "messages[" + strconv.Itoa(at) + "]." + member }

func onlyText(m *llm.Message, at int) error {
	for i := range m.Parts {
		if m.Parts[i].Kind != llm.PartText {
			return unsupported(messagePath(at, "content"), "The target's API takes only text in a system message, and "+
				messagePath(at, "content")+" holds "+m.Parts[i].Kind.String()+".")
		}
	}
	return nil
}

func orphanedCall(id string) error {
	return llm.Invalid("messages", "The tool call %q has no tool result after it.", forms.Excerpt(id, 80))
}

func (e *encoder) message(m *llm.Message, at int) error {
	if m.Role != llm.RoleTool && e.calls.open.Len() > 0 && (m.Role != llm.RoleAssistant || e.turns[len(e.turns)-1].role != roleModel) {
		return orphanedCall(e.calls.open.First().id)
	}
	switch m.Role {
	case llm.RoleUser:
		parts := e.spoken(m.Parts)
		if len(parts) == 0 {
			e.lose("empty_message", llm.ActionDropped, llm.Harmless, "the target takes no empty messages")
			return nil
		}
		e.turn(roleUser).add(parts, m.Extra)
		return nil
	case llm.RoleTool:
		return e.results(m, at)
	case llm.RoleAssistant:
		e.assistant(m)
		return nil
	default:
		return llm.Invalid(messagePath(at, "role"), "The role %q is not known.", forms.Excerpt(string(m.Role), 40))
	}
}

// turn returns the last turn if it has the role and is no turn of results, else a new one.
func (e *encoder) turn(role string) *turn {
	if n := len(e.turns); n == 0 || e.turns[n-1].role != role || e.turns[n-1].results {
		e.turns = append(e.turns, turn{role: role})
	}
	return &e.turns[len(e.turns)-1]
}

func (t *turn) add(parts []llm.Part, extra llm.Extra) {
	t.parts = slices.Grow(t.parts, len(parts))
	for _, p := range parts {
		t.parts = append(t.parts, signedPart{Part: p})
	}
	t.extra = joinExtra(t.extra, extra)
}

func joinExtra(a, b llm.Extra) llm.Extra {
	if len(b[self]) == 0 {
		return a
	}
	return llm.Extra{self: append(a[self], b[self]...)} // a is a turn's own
}

// results adds the results of one message to those of the same calls, in the order of the calls: where ids are not
// sent, the vendor goes by it.
func (e *encoder) results(m *llm.Message, at int) error {
	if len(m.Parts) == 0 {
		return nil
	}
	if n := len(e.turns); n == 0 || !e.turns[n-1].results {
		e.turns = append(e.turns, turn{role: roleUser, results: true})
	}
	t := &e.turns[len(e.turns)-1]
	var follow []llm.Part
	for _, p := range m.Parts {
		if p.Result == nil {
			return llm.Invalid(messagePath(at, "content"), "A tool's message holds something that is no tool result.")
		}
		call, ok := e.calls.answer(p.Result.CallID)
		if !ok {
			return llm.Invalid(messagePath(at, "tool_call_id"),
				"The tool result for %q answers no tool call that still waits for one.", forms.Excerpt(p.Result.CallID, 80))
		}
		result := llm.ToolResult{CallID: call.sent, Name: call.name, Error: p.Result.Error}
		var files []llm.Part
		result.Parts, files = e.splitResult(p.Result.Parts)
		if len(files) > 0 {
			follow = append(append(follow, llm.Text(filesOf+call.sent+".]")), files...)
		}
		p.Result = &result
		t.parts = append(t.parts, signedPart{Part: p, order: call.order})
	}
	slices.SortStableFunc(t.parts, func(a, b signedPart) int { return a.order - b.order })
	t.extra = joinExtra(t.extra, m.Extra)
	if len(follow) > 0 {
		e.follow = append(e.follow, follow...)
	}
	if e.calls.open.Len() == 0 && len(e.follow) > 0 {
		e.turn(roleUser).add(e.follow, nil)
		e.follow = nil
	}
	return nil
}

// splitResult divides a result into what may stand in it and the files that must follow: the vendor takes bytes
// only, and models before the third generation take none.
func (e *encoder) splitResult(parts []llm.Part) (inside, files []llm.Part) {
	for _, p := range e.spoken(parts) {
		isFile := p.Media != nil
		if !isFile || p.Media.Data != "" && e.thinksByLevel() {
			inside = append(inside, p)
			continue
		}
		files = append(files, p)
		f := llm.FeatureToolResultImage
		if p.Kind != llm.PartImage {
			f = llm.FeatureToolResultDoc
		}
		e.lose(f, llm.ActionApproximated, llm.Tuning, "in a user's turn after the results")
	}
	return inside, files
}

// assistant adds a turn of the model's, and puts signatures back on the parts at which they stood.
func (e *encoder) assistant(m *llm.Message) {
	var parts []signedPart
	var onCalls, onTexts []string // signatures whose parts have not come yet
	take := func(waiting *[]string) (signature string) {
		if len(*waiting) > 0 {
			signature, *waiting = (*waiting)[0], (*waiting)[1:]
		}
		return signature
	}
	for _, p := range e.spoken(m.Parts) {
		place, signature, isSealed := unsealed(&p)
		n := len(parts)
		switch {
		case isSealed && place == onCall:
			onCalls = append(onCalls, signature)
		case isSealed && place == onText && n > 0 && parts[n-1].Kind == llm.PartText && parts[n-1].signature == "":
			parts[n-1].signature = signature
		case isSealed && place == onText:
			onTexts = append(onTexts, signature)
		case isSealed:
			parts = append(parts, signedPart{Part: llm.Text(""), signature: signature})
		case p.Kind == llm.PartThinking && p.Thinking != nil && p.Thinking.Issuer == self && p.Thinking.Signature != "":
			parts = append(parts, signedPart{Part: p, signature: p.Thinking.Signature})
		case p.Kind == llm.PartThinking:
			e.lose(llm.FeatureThinkingHistory, llm.ActionDropped, llm.Harmless, "thinking that the target's vendor did not sign")
		case p.Kind == llm.PartToolCall:
			call := *p.Call
			call.ID = e.calls.begin(call.ID, call.Name)
			p.Call = &call
			parts = append(parts, signedPart{Part: p, signature: take(&onCalls)})
		case p.Kind == llm.PartText:
			parts = append(parts, signedPart{Part: p, signature: take(&onTexts)})
		default:
			parts = append(parts, signedPart{Part: p})
		}
	}
	for _, signature := range onTexts {
		parts = append(parts, signedPart{Part: llm.Text(""), signature: signature})
	}
	if len(parts) == 0 {
		return
	}
	t := e.turn(roleModel)
	t.parts = append(t.parts, parts...)
	t.extra = joinExtra(t.extra, m.Extra)
}

// midSystem places a system message that stands inside the conversation.
func (e *encoder) midSystem(m *llm.Message) {
	parts := e.spoken(m.Parts)
	if len(parts) == 0 {
		return
	}
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].Text
	}
	e.turn(roleUser).add([]llm.Part{llm.Text("<system_instruction>\n" + strings.Join(texts, "\n") + "\n</system_instruction>")}, nil)
}

// ends makes the first and the last turn what the vendor takes, and sees that there is one.
func (e *encoder) ends() {
	if n := len(e.turns); n > 0 && e.turns[n-1].role == roleModel {
		e.turns = e.turns[:n-1] // the table says that it is refused
	}
	isCall := func(p signedPart) bool { return p.Kind == llm.PartToolCall }
	if len(e.turns) == 0 || e.turns[0].role == roleModel && slices.ContainsFunc(e.turns[0].parts, isCall) {
		e.turns = slices.Insert(e.turns, 0, turn{role: roleUser, parts: []signedPart{{Part: llm.Text(opening)}}})
		e.lose("first_message", llm.ActionApproximated, llm.Tuning, "the target wants a user's turn first, so one was made up")
	}
	for i := range e.turns {
		if e.turns[i].role == roleUser && !e.turns[i].results {
			e.current = i
		}
	}
}

// spoken copies the parts that say something. A refusal, and what only another dialect knows, become text; a
// document given in parts becomes these.
func (e *encoder) spoken(parts []llm.Part) []llm.Part {
	kept := make([]llm.Part, 0, len(parts))
	for _, p := range parts {
		if p.Kind == llm.PartRefusal || p.Kind == llm.PartOpaque && p.Opaque.Dialect != self {
			p = llm.Text(p.Text)
		}
		switch d := p.Document; {
		case p.Kind == llm.PartText && p.Text == "":
		case p.Kind == llm.PartDocument && p.Media == nil && d != nil && len(d.Parts) > 0:
			kept = append(kept, llm.Text(documentTag(d)))
			kept = append(append(kept, e.spoken(d.Parts)...), llm.Text(documentEnd))
		default:
			kept = append(kept, p)
		}
	}
	return kept
}
