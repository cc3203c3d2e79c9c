package gemini

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// content reads one turn. Results of functions become a message of their own, before the rest of the turn.
func (d *requestReader) content(v jsontext.Value) error {
	role, extra := roleUser, llm.Extra(nil)
	var parts jsontext.Value
	err := members(v, func(key string, v jsontext.Value) (err error) {
		switch key {
		case "role":
			if role, err = v.Text(); role == "" {
				role = roleUser
			}
		case "parts":
			parts = v
		default:
			extra = extra.Add(self, key, clone(v))
		}
		return err
	})
	if err != nil {
		return err
	}
	if role != roleUser && role != roleModel && role != roleFunction {
		return jsontext.At("role", fmt.Errorf("please use a valid role: user, model; got %q", forms.Excerpt(role, 40)))
	}
	if parts == nil {
		return jsontext.At("parts", errors.New("want at least one part"))
	}
	if role == roleModel {
		return jsontext.At("parts", d.modelParts(parts, extra))
	}
	return jsontext.At("parts", d.userParts(parts, extra))
}

// modelParts adds a turn of the model's.
func (d *requestReader) modelParts(v jsontext.Value, extra llm.Extra) error {
	m := llm.Message{Role: llm.RoleAssistant, Extra: extra}
	err := each(v, func(v jsontext.Value) error {
		var p piece
		if err := p.find(v); err != nil {
			return err
		}
		switch {
		case p.text != nil:
			return addText(&m.Parts, &p)
		case p.call != nil:
			c, err := callOf(p.call)
			if err != nil {
				return err
			}
			d.calls.begin(c)
			if signature := signedBy(p.signature); signature != "" {
				m.Parts = append(m.Parts, sealed(onCall, signature))
			}
			m.Parts = append(m.Parts, llm.Part{Kind: llm.PartToolCall, Call: c, Extra: p.extra()})
		case p.response != nil:
			return errors.New("want functionResponse in a user's content only")
		default:
			return addOther(&m.Parts, &p)
		}
		return nil
	})
	if err == nil {
		d.addModel(m)
	}
	return err
}

// addModel adds a turn of the model's, or to the latest one: contents of the model's that follow one another are one
// turn. Google's SDKs, where they keep a conversation by themselves, send back each chunk of a stream as one.
func (d *requestReader) addModel(m llm.Message) {
	n := len(d.req.Messages)
	if n == 0 || d.req.Messages[n-1].Role != llm.RoleAssistant || m.Extra != nil {
		d.add(m)
		return
	}
	turn := &d.req.Messages[n-1]
	turn.Parts = append(turn.Parts, m.Parts...)
}

// addText adds a text or a thought, and keeps the signature on it.
func addText(parts *[]llm.Part, p *piece) error {
	s, err := p.text.Text()
	if err != nil {
		return jsontext.At("text", err)
	}
	if p.thought {
		*parts = append(*parts, thoughtOf(s, p))
		return nil
	}
	signature := signedBy(p.signature)
	if s != "" || signature == "" {
		*parts = append(*parts, llm.Part{Kind: llm.PartText, Text: s, Extra: p.extra()})
	}
	switch {
	case signature == "":
	case s == "":
		*parts = append(*parts, sealed(onEmpty, signature))
	default:
		*parts = append(*parts, sealed(onText, signature))
	}
	return nil
}

// thoughtOf is a thought, with who signed it.
func thoughtOf(s string, p *piece) llm.Part {
	t := &llm.Thinking{}
	if foreign, _, ok := unwrap(forms.TextOf(p.signature)); ok {
		t = foreign
	} else if signature := signedBy(p.signature); signature != "" {
		t.Issuer, t.Signature = self, signature
	}
	return llm.Part{Kind: llm.PartThinking, Text: s, Thinking: t}
}

// joinThoughts makes one thought of those that follow one another, up to one that is signed: streamed ones come in pieces.
func joinThoughts(list []llm.Part) []llm.Part {
	out := list[:0]
	for len(list) > 0 {
		whole, n := list[0], 1
		for n < len(list) && areOneThought(&list[n-1], &list[n]) {
			n++
		}
		if n > 1 {
			var b strings.Builder
			for i := range list[:n] {
				b.WriteString(list[i].Text)
			}
			whole.Text, whole.Thinking = b.String(), list[n-1].Thinking
		}
		out, list = append(out, whole), list[n:]
	}
	return out
}

func areOneThought(first, next *llm.Part) bool {
	return first.Kind == llm.PartThinking && first.Thinking.Issuer == "" && next.Kind == llm.PartThinking && next.Thinking.Sealed == ""
}

// addOther adds a file, or what only this dialect has.
func addOther(parts *[]llm.Part, p *piece) error {
	switch {
	case p.inline != nil, p.file != nil:
		part, err := p.media()
		*parts = append(*parts, part)
		return err
	case p.other != nil || len(p.rest) > 0:
		*parts = append(*parts, p.opaque())
		return nil
	case p.signature != nil:
		if signature := signedBy(p.signature); signature != "" {
			*parts = append(*parts, sealed(onEmpty, signature))
		}
		return nil
	}
	return errors.New("want one of text, inlineData, fileData, functionCall, functionResponse")
}

func (d *requestReader) userParts(v jsontext.Value, extra llm.Extra) error {
	said := llm.Message{Role: llm.RoleUser, Extra: extra}
	var results []llm.Part
	err := each(v, func(v jsontext.Value) error {
		var p piece
		if err := p.find(v); err != nil {
			return err
		}
		switch {
		case p.response != nil:
			r, err := d.result(&p)
			results = append(results, r)
			return err
		case p.call != nil:
			return errors.New("want functionCall in a model's content only")
		case p.text != nil:
			s, err := p.text.Text()
			said.Parts = append(said.Parts, llm.Part{Kind: llm.PartText, Text: s, Extra: p.extra()})
			return err
		default:
			return addOther(&said.Parts, &p)
		}
	})
	if err != nil {
		return err
	}
	if len(results) > 0 {
		d.add(llm.Message{Role: llm.RoleTool, Parts: results})
	}
	if len(said.Parts) > 0 || len(results) == 0 {
		d.add(said)
	}
	return nil
}

func (d *requestReader) add(m llm.Message) { d.req.Messages = append(d.req.Messages, m) }

// result reads a functionResponse.
func (d *requestReader) result(p *piece) (llm.Part, error) {
	r := &llm.ToolResult{}
	part := llm.Part{Kind: llm.PartToolResult, Result: r, Extra: p.extra()}
	var files []llm.Part
	err := members(p.response, func(key string, v jsontext.Value) (err error) {
		switch key {
		case "id":
			r.CallID, err = v.Text()
		case "name":
			r.Name, err = v.Text()
		case "response":
			var plain bool
			if r.Parts, r.Error, plain, err = outputOf(v); err == nil && !plain {
				part.Extra = part.Extra.Add(self, "functionResponse.response", clone(v))
			}
		case "parts":
			err = each(v, func(v jsontext.Value) error {
				var p piece
				if err := p.find(v); err != nil {
					return err
				}
				return addOther(&files, &p)
			})
		default:
			part.Extra = part.Extra.Add(self, "functionResponse."+key, clone(v))
		}
		return err
	})
	if err == nil && r.Name == "" {
		err = jsontext.At("name", errors.New("want the function's name"))
	}
	r.Parts = append(r.Parts, files...)
	r.CallID = d.calls.answer(r.CallID, r.Name)
	r.Name = ""
	return part, jsontext.At("functionResponse", err)
}

// outputOf reads what a function returned: text under output or error, as the vendor suggests, or an object of any
// kind, which plain says it is not.
func outputOf(v jsontext.Value) (parts []llm.Part, failed, plain bool, err error) {
	if v.Kind() != jsontext.Object {
		return nil, false, false, jsontext.Mismatch("object", v)
	}
	n := 0
	var key string
	var only jsontext.Value
	_ = v.Object(func(k string, m jsontext.Value) error { // v is an object, and f returns no error
		n++
		key, only = k, m
		return nil
	})
	failed = n == 1 && key == "error"
	switch {
	case n == 0:
		return nil, false, true, nil
	case n == 1 && (key == "output" || failed):
		if parts, ok := textsOf(only); ok {
			return parts, failed, true, nil
		}
	}
	return []llm.Part{llm.Text(string(jsontext.Compact(nil, v)))}, failed, false, nil
}

// textsOf reads a text, or a list of at least two.
func textsOf(v jsontext.Value) (parts []llm.Part, ok bool) {
	if v.Kind() == jsontext.String {
		return []llm.Part{llm.Text(forms.TextOf(v))}, true
	}
	if v.Kind() != jsontext.Array {
		return nil, false
	}
	err := v.Array(func(_ int, v jsontext.Value) error {
		s, err := v.Text()
		parts = append(parts, llm.Text(s))
		return err
	})
	return parts, err == nil && len(parts) > 1
}

// openCalls pairs calls with their results: by id, or where one lacks it by name and order.
type openCalls struct {
	open dialect.Waiting[string] // their ids
	made int                     // how many ids were made
}

// begin notes a call and sees that it has an id.
func (o *openCalls) begin(c *llm.ToolCall) {
	made := c.ID == ""
	if made {
		c.ID = o.make(c.Name)
	}
	keys := []string{"id " + c.ID, "name " + c.Name}
	if made {
		keys = append(keys, "made "+c.Name)
	}
	o.open.Add(c.ID, keys...)
}

// make is an id that depends on nothing but what stands before the call, so that it is the same each time the
// conversation is sent.
func (o *openCalls) make(name string) string {
	o.made++
	return callPrefix + forms.Hashed(strconv.Itoa(o.made)+"/"+name, idSize)
}

// answer returns the id of the call that a result answers.
func (o *openCalls) answer(id, name string) string {
	keys := []string{"name " + name}
	if id != "" {
		keys = []string{"id " + id, "made " + name} // whose id is not the client's
	}
	for _, key := range keys {
		if found, ok := o.open.Take(key); ok {
			return found
		}
	}
	if id == "" {
		id = o.make(name)
	}
	return id
}
