package openaichat

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// decodeMessages reads the conversation. Consecutive tool messages become one.
func decodeMessages(v jsontext.Value) ([]llm.Message, error) {
	d := conversation{pending: map[string][]string{}}
	if err := v.Array(d.message); err != nil {
		return nil, err
	}
	if len(d.list) == 0 {
		return nil, errors.New("expected at least one message")
	}
	return d.list, nil
}

// conversation reads messages and gives ids to the calls of role function, which had none: the calls by name that
// wait for their result.
type conversation struct {
	list    []llm.Message
	pending map[string][]string
	minted  int
}

// message is one message's members, to be made parts in the order in which the dialect says them.
type message struct {
	role, name, callID              string
	content, refusal, calls         jsontext.Value
	functionCall, reasoning, detail jsontext.Value
	cache                           *llm.CacheMark
	extra                           llm.Extra
}

func (m *message) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	switch key {
	case "role":
		m.role, err = v.Text()
	case "name":
		m.name, err = v.Text()
	case "tool_call_id":
		m.callID, err = v.Text()
	case "content":
		m.content = v
	case "refusal":
		m.refusal = v
	case "tool_calls":
		m.calls = v
	case "function_call":
		m.functionCall = v
	case keyReasoning:
		m.reasoning = v
	case "reasoning":
		if len(m.reasoning) == 0 {
			m.reasoning = v
		}
	case keyDetails:
		m.detail = v
	case "cache_control":
		m.cache, err = cacheMarkOf(v)
	default:
		m.extra = m.extra.Add(self, key, v)
	}
	return err
}

func (c *conversation) message(i int, v jsontext.Value) error {
	var m message
	if err := v.Object(m.member); err != nil {
		return err
	}
	out := llm.Message{Role: llm.Role(m.role), Name: m.name}
	var err error
	switch m.role {
	case "system", "developer", "user":
		out.Parts, err = contentOf(m.content, m.role == "user")
		if err == nil && len(m.content) == 0 {
			err = jsontext.At("content", errors.New("missing required parameter"))
		}
	case "assistant":
		out.Parts, err = c.assistant(&m)
	case "tool", "function":
		return c.result(&m)
	case "":
		err = jsontext.At("role", errors.New("missing required parameter"))
	default:
		err = jsontext.At("role", fmt.Errorf("%q is not one of system, developer, user, assistant, tool and function", clip(m.role)))
	}
	if err != nil {
		return err
	}
	if m.cache != nil && len(out.Parts) > 0 {
		out.Parts[len(out.Parts)-1].Cache = m.cache
	}
	out.Extra = m.extra
	c.list = append(c.list, out)
	return nil
}

// clip shortens a client's word for a message.
func clip(s string) string { return s[:min(len(s), maxNameLength)] }

// assistant reads a turn of the model: thinking, text, refusal, calls.
func (c *conversation) assistant(m *message) ([]llm.Part, error) {
	parts, later := thinkingOf(m)
	content, err := contentOf(m.content, false)
	if err != nil {
		return nil, err
	}
	hasCalls := len(m.calls) > 0 || len(m.functionCall) > 0
	if hasCalls && len(content) == 1 && content[0].Kind == llm.PartText && content[0].Text == "" {
		content = nil
	}
	parts = append(parts, content...)
	if len(m.refusal) > 0 {
		text, err := m.refusal.Text()
		if err != nil {
			return nil, jsontext.At("refusal", err)
		}
		if text != "" {
			parts = append(parts, llm.Part{Kind: llm.PartRefusal, Text: text})
		}
	}
	if len(m.calls) > 0 {
		err := m.calls.Array(func(i int, v jsontext.Value) error {
			for ; len(later) > 0 && later[0].after <= int64(i); later = later[1:] {
				parts = append(parts, later[0].part())
			}
			p, err := callOf(v)
			parts = append(parts, p)
			return err
		})
		if err != nil {
			return nil, jsontext.At("tool_calls", err)
		}
	}
	for _, d := range later {
		parts = append(parts, d.part())
	}
	if len(m.functionCall) > 0 {
		call, err := functionOf(m.functionCall)
		if err != nil {
			return nil, jsontext.At("function_call", err)
		}
		c.minted++
		call.ID = "call_fn_" + strconv.Itoa(c.minted)
		c.pending[call.Name] = append(c.pending[call.Name], call.ID)
		parts = append(parts, llm.Part{Kind: llm.PartToolCall, Call: call})
	}
	return parts, nil
}

// result reads a message of role tool or function into the tool message that is being collected.
func (c *conversation) result(m *message) error {
	r := &llm.ToolResult{CallID: m.callID, Name: m.name}
	if m.role == "function" {
		if m.name == "" {
			return jsontext.At("name", errors.New("missing required parameter"))
		}
		ids := c.pending[m.name]
		if len(ids) == 0 {
			return jsontext.At("name", fmt.Errorf("no earlier function_call of %q waits for its result", clip(m.name)))
		}
		r.CallID, c.pending[m.name] = ids[0], ids[1:]
	}
	if r.CallID == "" {
		return jsontext.At("tool_call_id", errors.New("missing required parameter"))
	}
	parts, err := contentOf(m.content, true)
	if err != nil {
		return err
	}
	if len(parts) != 1 || parts[0].Kind != llm.PartText || parts[0].Text != "" {
		r.Parts = parts
	}
	p := llm.Part{Kind: llm.PartToolResult, Result: r, Cache: m.cache, Extra: m.extra}
	if n := len(c.list); n > 0 && c.list[n-1].Role == llm.RoleTool {
		c.list[n-1].Parts = append(c.list[n-1].Parts, p)
		return nil
	}
	c.list = append(c.list, llm.Message{Role: llm.RoleTool, Parts: []llm.Part{p}})
	return nil
}

// callOf reads one of tool_calls. A call of a free-form tool stays as it is.
func callOf(v jsontext.Value) (llm.Part, error) {
	id, kind := v.Get("id"), v.Get("type")
	if !kind.IsNull() && string(kind) != `"function"` {
		word, err := kind.Text()
		if err != nil {
			return llm.Part{}, jsontext.At("type", err)
		}
		return llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: "tool_calls." + word, Raw: v}}, nil
	}
	text, err := id.Text()
	if err != nil {
		return llm.Part{}, jsontext.At("id", err)
	}
	call, err := functionOf(v.Get("function"))
	if err != nil {
		return llm.Part{}, jsontext.At("function", err)
	}
	call.ID = text
	return llm.Part{Kind: llm.PartToolCall, Call: call}, nil
}

// functionOf reads the name and the arguments of a call.
func functionOf(v jsontext.Value) (*llm.ToolCall, error) {
	call := &llm.ToolCall{}
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "name":
			call.Name, err = v.Text()
		case key == "arguments":
			call.Args, err = v.Text()
		}
		return err
	})
	if err == nil && call.Name == "" {
		err = jsontext.At("name", errors.New("missing required parameter"))
	}
	return call, err
}

// thinkingOf reads the thinking of a turn: what this gateway carried for another vendor, else the plain text, which
// nobody signed. What came after calls is apart. Details of others' making are kept as they are.
func thinkingOf(m *message) (parts []llm.Part, later []detail) {
	list, foreign := carriedThinking(m.detail)
	if foreign {
		m.extra = m.extra.Add(self, keyDetails, m.detail)
	}
	for i, d := range list {
		if d.after > 0 {
			return parts, list[i:]
		}
		parts = append(parts, d.part())
	}
	if len(parts) > 0 {
		return parts, nil
	}
	if text, err := m.reasoning.Text(); err == nil && text != "" {
		return []llm.Part{{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{}}}, nil
	}
	return nil, nil
}

// carriedThinking reads the entries of reasoning_details that this gateway wrote, and reports whether there are
// others. An entry that only names the issuer began a streamed block; the whole one follows it.
func carriedThinking(v jsontext.Value) (list []detail, foreign bool) {
	if v.Kind() != jsontext.Array {
		return nil, len(v) > 0
	}
	_ = v.Array(func(_ int, v jsontext.Value) error {
		d, ok := readDetail(v)
		switch {
		case !ok:
			foreign = true
		case d.isWhole():
			list = append(list, d)
		}
		return nil
	})
	return list, foreign
}

// detail is an entry of reasoning_details by which this gateway carries signed thinking.
type detail struct {
	issuer, text, signature, data string
	after                         int64 // this many of the calls
}

func (d detail) isWhole() bool { return d.issuer != "" && (d.signature != "" || d.data != "") }

func (d detail) part() llm.Part {
	return llm.Part{
		Kind: llm.PartThinking, Text: d.text,
		Thinking: &llm.Thinking{Issuer: d.issuer, Signature: d.signature, Sealed: d.data},
	}
}

// nobody is the issuer, in an entry of ours, of thinking that no vendor signed.
const nobody = "unsigned"

// readDetail reads an entry, and reports whether it is one of ours.
func readDetail(v jsontext.Value) (d detail, ours bool) {
	if kind, err := v.Get("type").Text(); err != nil || kind != typeThinking {
		return detail{}, false
	}
	for _, f := range [...]struct {
		key string
		to  *string
	}{{"issuer", &d.issuer}, {"text", &d.text}, {"signature", &d.signature}, {"data", &d.data}} {
		if s, err := v.Get(f.key).Text(); err == nil {
			*f.to = s
		}
	}
	if d.issuer == nobody {
		d.issuer = ""
	}
	if n, err := v.Get("after").Int(); err == nil {
		d.after = n
	}
	if d.data != "" { // what is sealed has no text, and what there is beside it was not written here
		d.text, d.signature = "", ""
	}
	return d, true
}

// contentOf reads content: a string or a list of parts. Only user and tool messages may hold more than text.
func contentOf(v jsontext.Value, rich bool) ([]llm.Part, error) {
	switch v.Kind() {
	case jsontext.Invalid, jsontext.Null:
		return nil, nil
	case jsontext.String:
		s, err := v.Text()
		return []llm.Part{llm.Text(s)}, jsontext.At("content", err)
	case jsontext.Array:
		var parts []llm.Part
		err := v.Array(func(_ int, v jsontext.Value) error {
			p, err := contentPart(v)
			if err == nil && !rich && (p.Media != nil || p.Document != nil) {
				err = jsontext.At("type", errors.New("this role's content may only be text"))
			}
			parts = append(parts, p)
			return err
		})
		return parts, jsontext.At("content", err)
	default:
		return nil, jsontext.At("content", jsontext.Mismatch("string or array of parts", v))
	}
}

// contentPart reads one part: openai.yaml, ChatCompletionRequestMessageContentPart*. A part of a type unknown here
// stays as it is.
func contentPart(v jsontext.Value) (p llm.Part, err error) {
	if v.Kind() == jsontext.String { // an element may be given as bare text
		s, err := v.Text()
		return llm.Text(s), err
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		if v.Kind() != jsontext.Object {
			return p, jsontext.Mismatch("object", v)
		}
		return p, jsontext.At("type", err)
	}
	value := v.Get(kind)
	switch kind {
	case "text":
		p, err = textPart(value)
	case "refusal":
		p, err = textPart(value)
		p.Kind = llm.PartRefusal
	case "image_url":
		p, err = imagePart(value)
	case "file":
		p, err = filePart(value)
	case "input_audio":
		p, err = audioPart(value)
	default:
		return llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}, nil
	}
	if err != nil {
		return p, jsontext.At(kind, err)
	}
	return p, partMembers(&p, kind, v)
}

// partMembers reads what stands beside a part's value.
func partMembers(p *llm.Part, kind string, v jsontext.Value) error {
	return v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull() || key == "type" || key == kind:
		case key == "cache_control":
			p.Cache, err = cacheMarkOf(v)
		case key == "prompt_cache_breakpoint":
			p.Cache = &llm.CacheMark{}
		default:
			p.Extra = p.Extra.Add(self, key, v)
		}
		return err
	})
}

// cacheMarkOf reads cache_control, which clients of several gateways send in this dialect as they would to a vendor
// that has it.
func cacheMarkOf(v jsontext.Value) (*llm.CacheMark, error) {
	if v.Kind() != jsontext.Object {
		return nil, jsontext.Mismatch("object", v)
	}
	mark := &llm.CacheMark{}
	if ttl, err := v.Get("ttl").Text(); err == nil {
		mark.TTL = ttl
	}
	return mark, nil
}

func textPart(v jsontext.Value) (llm.Part, error) {
	s, err := v.Text()
	return llm.Text(s), err
}

func imagePart(v jsontext.Value) (llm.Part, error) {
	url := v
	if v.Kind() != jsontext.String { // some servers take the URL alone
		url = v.Get("url")
	}
	s, err := url.Text()
	if err != nil {
		return llm.Part{}, jsontext.At("url", err)
	}
	media, err := dialect.ParseMedia(s)
	if err != nil {
		return llm.Part{}, jsontext.At("url", err)
	}
	if d := v.Get("detail"); !d.IsNull() {
		if media.Detail, err = forms.OneOf(d, "auto", "low", "high"); err != nil {
			return llm.Part{}, jsontext.At("detail", err)
		}
	}
	return dialect.FilePart(media, "", llm.PartImage), nil
}

func filePart(v jsontext.Value) (llm.Part, error) {
	if v.Kind() != jsontext.Object {
		return llm.Part{}, jsontext.Mismatch("object", v)
	}
	var name string
	if n := v.Get("filename"); !n.IsNull() {
		var err error
		if name, err = n.Text(); err != nil {
			return llm.Part{}, jsontext.At("filename", err)
		}
	}
	if id := v.Get("file_id"); !id.IsNull() {
		s, err := id.Text()
		p := llm.Part{Kind: llm.PartDocument, Media: &llm.Media{FileID: s, Issuer: self}, Document: &llm.Document{Name: name}}
		return p, jsontext.At("file_id", err)
	}
	data, err := v.Get("file_data").Text()
	if err != nil {
		return llm.Part{}, jsontext.At("file_data", err)
	}
	var media *llm.Media
	if dialect.IsDataURI(data) {
		media, err = dialect.ParseMedia(data)
	} else {
		media, err = dialect.NewMedia("", data)
	}
	if err != nil {
		return llm.Part{}, jsontext.At("file_data", err)
	}
	return dialect.FilePart(media, name, llm.PartDocument), nil
}

func audioPart(v jsontext.Value) (llm.Part, error) {
	format, err := forms.OneOf(v.Get("format"), "wav", "mp3")
	if err != nil {
		return llm.Part{}, jsontext.At("format", err)
	}
	data, err := v.Get("data").Text()
	if err != nil {
		return llm.Part{}, jsontext.At("data", err)
	}
	media, err := dialect.NewMedia("audio/"+format, data)
	return llm.Part{Kind: llm.PartAudio, Media: media}, jsontext.At("data", err)
}
