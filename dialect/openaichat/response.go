package openaichat

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// DecodeResponse reads a chat completion.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	w, err := readWhole(tree, body)
	if err != nil {
		return nil, err
	}
	r := &llm.Response{
		ID: forms.Scalar(w.id), Model: forms.Scalar(w.model), Created: forms.Count(w.created), Tier: forms.Scalar(w.tier), Usage: usageOf(w.usage),
	}
	var c wholeChoice
	err = w.eachChoice(&c, func(i int) (bool, error) {
		index, a := indexOf(c.index, i), &c.answer
		if err := a.parts(r.ID, index); err != nil {
			return false, err
		}
		if len(a.stray) > 0 {
			r.Extra = keepNotes(r.Extra, a.stray)
		}
		r.Choices = append(r.Choices, llm.Choice{
			Index: index, Parts: a.list, Stop: stopOf(c.word, a.calls > 0, a.refused), LogProbs: logProbsOf(c.logprobs),
		})
		return len(a.list) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.Choices, func(a, b llm.Choice) int { return a.Index - b.Index })
	return r, nil
}

// indexOf reads an index; one that is missing is the position.
func indexOf(v jsontext.Value, position int) int {
	n, err := v.Int()
	if err != nil || n < 0 || n >= 1<<16 {
		return position
	}
	return int(n)
}

// answer is the members of a message or a delta that say something, and the parts they amount to.
type answer struct {
	content, refusal, reasoning, detail   jsontext.Value
	toolCalls, functionCall, audio, notes jsontext.Value

	list    []llm.Part
	stray   []jsontext.Value // the notes of no text
	calls   int
	refused bool
}

// read finds the members of a message or a delta.
func (a *answer) read(n jsontext.Node) error {
	return n.Members(func(name []byte, n jsontext.Node) error { return a.member(name, n.Value()) })
}

// hasOnlyText reports whether a piece of text, perhaps an empty one, is all that is said.
func (a *answer) hasOnlyText() bool {
	return a.content.Kind() == jsontext.String && len(a.refusal)+len(a.reasoning)+len(a.detail)+len(a.toolCalls)+
		len(a.functionCall)+len(a.audio)+len(a.notes) == 0
}

func (a *answer) member(name []byte, v jsontext.Value) error {
	if v.IsNull() {
		return nil
	}
	switch string(name) {
	case "content":
		a.content = v
	case "refusal":
		a.refusal = v
	case keyReasoning:
		a.reasoning = v
	case "reasoning":
		if len(a.reasoning) == 0 {
			a.reasoning = v
		}
	case keyDetails:
		a.detail = v
	case "tool_calls":
		a.toolCalls = v
	case "function_call":
		a.functionCall = v
	case "audio":
		a.audio = v
	case keyNotes:
		a.notes = v
	}
	return nil
}

// parts makes the parts of a whole message: thinking, text, refusal, calls.
func (a *answer) parts(id string, choice int) error {
	a.thinking()
	err := eachText(a.content, func(kind llm.PartKind, v jsontext.Value) error {
		text, err := v.Text()
		if err != nil || text == "" {
			return err
		}
		p := llm.Part{Kind: kind, Text: text}
		if kind == llm.PartThinking {
			p.Thinking = &llm.Thinking{}
		}
		a.list = append(a.list, p)
		return nil
	})
	if err != nil {
		return jsontext.At("content", err)
	}
	a.annotate()
	if text, err := a.refusal.Text(); err == nil && text != "" {
		a.refused = true
		a.list = append(a.list, llm.Part{Kind: llm.PartRefusal, Text: text})
	}
	if len(a.audio) > 0 {
		a.list = append(a.list, llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: "audio", Raw: a.audio}})
	}
	return a.callParts(id, choice)
}

func (a *answer) thinking() {
	list, _ := carriedThinking(a.detail)
	for _, d := range list {
		a.list = append(a.list, d.part())
	}
	if len(list) > 0 {
		return
	}
	text := reasoningText(a.reasoning, a.detail)
	if text != "" {
		a.list = append(a.list, llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{}})
	}
}

// reasoningText is thinking that nobody signed: said in a string, or in the entries of others' reasoning_details.
func reasoningText(reasoning, details jsontext.Value) string {
	if text, err := reasoning.Text(); err == nil {
		return text
	}
	var b strings.Builder
	_ = details.Array(func(_ int, v jsontext.Value) error {
		if _, ours := readDetail(v); ours {
			return nil
		}
		for _, key := range [...]string{"text", "summary"} {
			if s, err := v.Get(key).Text(); err == nil {
				b.WriteString(s)
			}
		}
		return nil
	})
	return b.String()
}

// eachText calls f for the strings of content: a string, a list of parts, or, in the JSON mode of one server, the
// object itself, which is passed as a string.
func eachText(content jsontext.Value, f func(llm.PartKind, jsontext.Value) error) error {
	switch content.Kind() {
	case jsontext.Invalid, jsontext.Null:
		return nil
	case jsontext.String:
		return f(llm.PartText, content)
	case jsontext.Array:
		return content.Array(func(_ int, v jsontext.Value) error { return eachInPart(v, f) })
	case jsontext.Object:
		return f(llm.PartText, jsontext.AppendString(nil, string(content)))
	default:
		return jsontext.Mismatch("string", content)
	}
}

// eachInPart calls f for the strings of one part of content: text, or thinking, which is itself a list of parts.
func eachInPart(v jsontext.Value, f func(llm.PartKind, jsontext.Value) error) error {
	if v.Kind() == jsontext.String {
		return f(llm.PartText, v)
	}
	kind := llm.PartText
	text := v.Get("text")
	if inner := v.Get("thinking"); !inner.IsNull() {
		kind, text = llm.PartThinking, inner
	}
	switch text.Kind() {
	case jsontext.String:
		return f(kind, text)
	case jsontext.Array:
		return text.Array(func(_ int, v jsontext.Value) error {
			if s := v.Get("text"); s.Kind() == jsontext.String {
				return f(kind, s)
			}
			return nil
		})
	default:
		return nil // a reference or another kind that carries no text
	}
}

// annotate puts the citations on the text parts that they are about.
func (a *answer) annotate() {
	var texts, ends []int // the places of the texts, and where each ends in the content, in characters
	length := 0
	for i := range a.list {
		if p := &a.list[i]; p.Kind == llm.PartText && len(a.notes) > 0 {
			length += utf8.RuneCountInString(p.Text)
			texts, ends = append(texts, i), append(ends, length)
		}
	}
	_ = a.notes.Array(func(_ int, v jsontext.Value) error {
		if len(texts) == 0 {
			a.stray = append(a.stray, v)
			return nil
		}
		c := citationOf(v)
		at := min(sort.SearchInts(ends, c.Start), len(ends)-1)
		p := &a.list[texts[at]]
		offset := 0
		if at > 0 {
			offset = ends[at-1]
		}
		size := ends[at] - offset
		c.Start, c.End = min(max(c.Start-offset, 0), size), min(max(c.End-offset, 0), size)
		p.Citations = append(p.Citations, c)
		return nil
	})
}

// keepNotes keeps annotations of no text. They are no part of the answer: one that holds nothing else has nothing to show.
func keepNotes(extra llm.Extra, notes []jsontext.Value) llm.Extra {
	raw := []byte{'['}
	for i, v := range notes {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, v...)
	}
	return extra.Add(self, keyNotes, append(raw, ']'))
}

// citationOf reads an annotation: openai.yaml, ChatCompletionResponseMessage.annotations.
func citationOf(v jsontext.Value) llm.Citation {
	kind := forms.Scalar(v.Get("type"))
	c := llm.Citation{Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: slices.Clone(v)}}
	if kind != "url_citation" {
		return c
	}
	in := v.Get("url_citation")
	c.Kind = llm.CiteURL
	c.URL, c.Title = forms.Scalar(in.Get("url")), forms.Scalar(in.Get("title"))
	c.Start, c.End = int(forms.Count(in.Get("start_index"))), int(forms.Count(in.Get("end_index")))
	return c
}

// callParts makes the parts of calls.
func (a *answer) callParts(id string, choice int) error {
	return a.eachCall(func(v, function jsontext.Value) {
		if function == nil {
			a.list = append(a.list, llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: "tool_calls.custom", Raw: v}})
			return
		}
		c := &llm.ToolCall{ID: forms.Scalar(v.Get("id")), Name: forms.Scalar(function.Get("name")), Args: argsOf(function.Get("arguments"))}
		if c.ID == "" {
			c.ID = mintID(id, choice, a.calls)
		}
		a.calls++
		a.list = append(a.list, llm.Part{Kind: llm.PartToolCall, Call: c})
	})
}

// noArgs is what some models write for the arguments of a call that has none.
const noArgs = "null"

// argsOf reads arguments: JSON in a string, or, from some servers, the object itself.
func argsOf(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.String:
		s, err := v.Text()
		if err == nil && s != noArgs {
			return s
		}
	case jsontext.Object:
		return string(jsontext.Compact(nil, v))
	default:
	}
	return ""
}

// logProbsOf reads logprobs: openai.yaml, ChatCompletionTokenLogprob. A refusal's come after the content's. Some
// servers give them another shape; those are not read, and the answer is none the worse.
func logProbsOf(v jsontext.Value) []llm.TokenLogProb {
	if v.Kind() != jsontext.Object {
		return nil
	}
	var list []llm.TokenLogProb
	for _, key := range [...]string{"content", "refusal"} {
		more, err := forms.TokensOf(v.Get(key), true)
		if err != nil {
			return nil
		}
		list = append(list, more...)
	}
	return list
}
