package gemini

import (
	"bytes"
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// piece is one of the vendor's parts: its members, found but not decoded.
type piece struct {
	all             jsontext.Value
	thought, hasAny bool
	// At most one of these is set in a sound part.
	text, call, response, inline, file, other jsontext.Value

	kind      string // the name of other
	signature jsontext.Value
	rest      []llm.Member
}

// find reads the members of a part of a request.
func (p *piece) find(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	p.all = v
	return v.Members(p.member)
}

// findNode reads the members of a part of an answer.
func (p *piece) findNode(n jsontext.Node) error {
	*p = piece{all: n.Value()}
	if n.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", p.all)
	}
	return n.Members(func(name []byte, n jsontext.Node) error { return p.member(name, n.Value()) })
}

func (p *piece) member(name []byte, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	if bytes.IndexByte(name, '_') >= 0 {
		name = []byte(camel(string(name)))
	}
	want := jsontext.Object
	switch string(name) {
	case "text":
		p.text, want = v, jsontext.String
	case "thought":
		p.thought, err = v.Bool()
		return err
	case "thoughtSignature":
		p.signature, want = v, jsontext.String
	case "functionCall":
		p.call = v
	case "functionResponse":
		p.response = v
	case "inlineData":
		p.inline = v
	case "fileData":
		p.file = v
	case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
		p.kind, p.other = string(name), v
	default:
		p.rest = append(p.rest, llm.Member{Key: string(name), Raw: clone(v)})
		return nil
	}
	if v.Kind() != want {
		return jsontext.Mismatch(want.String(), v)
	}
	p.hasAny = true
	return nil
}

// extra is what else a part says, for the way back.
func (p *piece) extra() llm.Extra {
	if len(p.rest) == 0 {
		return nil
	}
	return llm.Extra{self: p.rest}
}

// opaque keeps a part that only this dialect knows.
func (p *piece) opaque() llm.Part {
	kind := p.kind
	if kind == "" && len(p.rest) > 0 {
		kind = p.rest[0].Key
	}
	return llm.Part{
		Kind: llm.PartOpaque, Text: inWords(kind, p.other),
		Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: clone(p.all)},
	}
}

// media reads a part that holds a file or names one; not if only this dialect has such files.
func (p *piece) media() (part llm.Part, err error) {
	if p.inline != nil {
		part, err = inlineOf(p.inline)
		err = jsontext.At("inlineData", err)
	} else {
		part, err = fileOf(p.file)
		err = jsontext.At("fileData", err)
	}
	if err != nil {
		return part, err
	}
	if part.Kind == 0 {
		return p.opaque(), nil
	}
	if part.Kind == llm.PartImage && len(p.rest) > 0 {
		p.rest = takeDetail(part.Media, p.rest)
	}
	part.Extra = p.extra()
	if signature := signedBy(p.signature); signature != "" {
		part.Extra = part.Extra.Add(self, "thoughtSignature", clone(p.signature))
	}
	return part, nil
}

// callOf reads a function call.
func callOf(v jsontext.Value) (*llm.ToolCall, error) {
	c := &llm.ToolCall{Args: "{}"}
	err := members(v, func(key string, v jsontext.Value) (err error) {
		switch key {
		case "id":
			c.ID, err = v.Text()
		case "name":
			c.Name, err = v.Text()
		case "args":
			if v.Kind() != jsontext.Object {
				return jsontext.Mismatch("object", v)
			}
			c.Args = string(jsontext.Compact(nil, v))
		}
		return err
	})
	if err == nil && c.Name == "" {
		err = jsontext.At("name", errors.New("want the function's name"))
	}
	return c, jsontext.At("functionCall", err)
}

// maxWords bounds what is said of an opaque part, in bytes.
const maxWords = 16 << 10

// inWords says for another vendor's model what a part of the vendor's own tools holds. It is empty for what cannot
// be said, such as a video.
func inWords(kind string, v jsontext.Value) string {
	compact := func(v jsontext.Value) string { return forms.Excerpt(string(jsontext.Compact(nil, v)), maxWords) }
	switch kind {
	case "executableCode":
		return "```" + strings.ToLower(forms.TextOf(get(v, "language"))) + "\n" + forms.Excerpt(forms.TextOf(v.Get("code")), maxWords) + "\n```"
	case "codeExecutionResult":
		return "[Output of the code, " + forms.TextOf(get(v, "outcome")) + ":\n" + forms.Excerpt(forms.TextOf(v.Get("output")), maxWords) + "]"
	case "toolCall":
		return "[" + forms.TextOf(get(v, "toolType")) + " " + compact(v.Get("args")) + "]"
	case "toolResponse":
		return "[" + forms.TextOf(get(v, "toolType")) + ": " + compact(v.Get("response")) + "]"
	}
	return ""
}
