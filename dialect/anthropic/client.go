package anthropic

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

var _ dialect.ClientSide = clientSide{}

// DecodeRequest reads a request whose JSON has been checked.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	var d requestReader
	if err := jsontext.Value(bytes.TrimSpace(body)).Object(d.member); err != nil {
		return nil, forms.Invalid(err)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if len(d.system) > 0 {
		lead := llm.Message{Role: llm.RoleSystem, Parts: d.system}
		d.req.Messages = append([]llm.Message{lead}, d.req.Messages...)
	}
	d.req.StreamUsage, d.req.Unread = d.req.Stream, insides.Unread(body)
	return &d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(nil, [][2]string{
	{"cache_control", "type ttl"},
	{"system[].cache_control", "type ttl"},
	{"tools[].cache_control", "type ttl"},
	{"output_config.format", "type schema"},
	{"output_format", "type schema"},
	{"messages[]", "role content"}, // a turn may become several messages, and those of results keep nothing
	{"messages[].content[].cache_control", "type ttl"},
	{"messages[].content[].citations", "enabled"},
	{"messages[].content[].source", "type media_type data url file_id content"},
	{"messages[].content[].source.content[].cache_control", "type ttl"},
	{"messages[].content[].source.content[].source", "type media_type data url file_id"},
	{"messages[].content[].content[].cache_control", "type ttl"},
	{"messages[].content[].content[].citations", "enabled"},
	{"messages[].content[].content[].source", "type media_type data url file_id content"},
}...)

// requestReader fills a request with the members of its body, in whatever order they come.
type requestReader struct {
	req    llm.Request
	system []llm.Part
}

func (d *requestReader) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() && key != "messages" && key != "model" {
		return nil
	}
	r := &d.req
	switch key {
	case "model":
		r.Model, err = v.Text()
	case "messages":
		err = v.Array(func(_ int, m jsontext.Value) error { return d.message(m) })
	case "system":
		d.system, err = readBlocks(v)
	case "max_tokens":
		r.MaxTokens, err = intOf(v)
	case "tools":
		err = v.Array(func(_ int, t jsontext.Value) error { return d.tool(t) })
	case "tool_choice":
		err = d.toolChoice(v)
	case "stop_sequences":
		err = v.Array(func(_ int, s jsontext.Value) error {
			stop, err := s.Text()
			r.Stop = append(r.Stop, stop)
			return err
		})
	case "stream":
		r.Stream, err = v.Bool()
	case "cache_control":
		r.Cache, err = readCacheMark(v)
	case "thinking":
		err = v.Object(d.thinking)
	case "output_config":
		err = v.Object(d.outputConfig)
	case "output_format": // the name that output_config.format had in beta
		err = d.format(v)
	case "metadata":
		err = v.Object(d.metadata)
	case "service_tier":
		r.Tier, err = v.Text()
	case "thread":
		err = v.Object(func(key string, m jsontext.Value) error {
			if !m.IsNull() {
				r.Extra = r.Extra.Add(issuer, "thread."+key, clone(m))
			}
			return nil
		})
	default:
		err = d.sampling(key, v)
	}
	return err
}

func (d *requestReader) sampling(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch key {
	case "temperature":
		r.Temperature, err = floatOf(v, 1)
	case "top_p":
		if !isUnset(v) {
			r.TopP, err = floatOf(v, 1)
		}
	case "top_k":
		if !isUnset(v) {
			r.TopK, err = intOf(v)
		}
	default:
		r.Extra = r.Extra.Add(issuer, key, clone(v))
	}
	return err
}

// isUnset reports whether a number is -1, which the vendor takes for not set, as its older clients say.
func isUnset(v jsontext.Value) bool { return string(v) == "-1" }

// intOf reads an integer that is not negative.
func intOf(v jsontext.Value) (*int64, error) {
	n, err := v.Int()
	if err == nil && n < 0 {
		err = fmt.Errorf("want 0 or more, got %d", n)
	}
	return &n, err
}

// floatOf reads a number from 0 to limit.
func floatOf(v jsontext.Value, limit float64) (*float64, error) {
	f, err := v.Float()
	if err == nil && (f < 0 || f > limit) {
		err = fmt.Errorf("want 0 to %g, got %g", limit, f)
	}
	return &f, err
}

// check refuses what the vendor refuses too, and what no other vendor could be asked for.
func (d *requestReader) check() error {
	r := &d.req
	switch {
	case r.Model == "":
		return llm.Invalid("model", "model: Field required")
	case r.MaxTokens == nil:
		return llm.Invalid("max_tokens", "max_tokens: Field required")
	case *r.MaxTokens == 0:
		return unsupported("max_tokens", "max_tokens: 0 only fills the vendor's prompt cache, which no other API can do")
	case len(r.Messages) == 0:
		return llm.Invalid("messages", "messages: at least one message is required")
	case len(r.Tools) == 0 && r.ToolChoice.IsForced() && !hasExtra(r.Extra, "mcp_servers"):
		return llm.Invalid("tool_choice", "tool_choice: a tool must be called, and the request has none")
	case r.Reasoning != nil && r.Reasoning.Mode == llm.ReasoningBudget && r.Reasoning.Budget < minBudget:
		return llm.Invalid("thinking.budget_tokens", "thinking.budget_tokens: want %d or more, got %d",
			minBudget, r.Reasoning.Budget)
	}
	for i := range d.system {
		if d.system[i].Kind != llm.PartText {
			return llm.Invalid("system", "system: want text blocks only")
		}
	}
	return nil
}

// message reads one turn. What a user's turn holds besides tool results becomes a message of its own, after them.
func (d *requestReader) message(v jsontext.Value) error {
	role, err := v.Get("role").Text()
	if err != nil {
		return jsontext.At("role", err)
	}
	if role != roleUser && role != roleAssistant && role != roleSystem {
		return jsontext.At("role", fmt.Errorf("want user, assistant or system, got %q", forms.Excerpt(role, 40)))
	}
	var parts []llm.Part
	var extra llm.Extra
	err = v.Object(func(key string, m jsontext.Value) (err error) {
		switch key {
		case "role":
		case "content":
			parts, err = readBlocks(m)
		default:
			extra = extra.Add(issuer, key, clone(m))
		}
		return err
	})
	if err != nil {
		return err
	}
	if v.Get("content") == nil {
		return jsontext.At("content", errors.New("want it"))
	}
	return d.turn(role, parts, extra)
}

func (d *requestReader) turn(role string, parts []llm.Part, extra llm.Extra) error {
	if role != roleUser {
		for i := range parts {
			if parts[i].Kind == llm.PartToolResult {
				return jsontext.At("content", errors.New("want tool_result blocks in user messages only"))
			}
		}
		d.add(llm.Message{Role: llm.Role(role), Parts: parts, Extra: extra})
		return nil
	}
	results, rest := []llm.Part(nil), parts[:0] // which is never behind where it is read
	for _, p := range parts {
		switch p.Kind {
		case llm.PartToolResult:
			results = append(results, p)
		case llm.PartToolCall, llm.PartThinking:
			return jsontext.At("content", fmt.Errorf("want %s blocks in assistant messages only", p.Kind))
		default:
			rest = append(rest, p)
		}
	}
	if len(results) > 0 {
		d.add(llm.Message{Role: llm.RoleTool, Parts: results})
	}
	return d.userParts(rest, extra, len(results) == 0)
}

// userParts adds what a user said; a system instruction inside it becomes a system message at its place.
func (d *requestReader) userParts(parts []llm.Part, extra llm.Extra, alone bool) error {
	said := llm.Message{Role: llm.RoleUser, Extra: extra}
	begin := 0
	for i := range parts {
		p := &parts[i]
		if p.Opaque == nil || p.Opaque.Type != blockMidSystem {
			said.Parts = parts[begin : i+1 : i+1]
			continue
		}
		begin = i + 1
		inner, err := readBlocks(jsontext.Value(p.Opaque.Raw).Get("content"))
		if err != nil {
			return jsontext.At("content", err)
		}
		if len(said.Parts) > 0 {
			d.add(said)
			said = llm.Message{Role: llm.RoleUser}
		}
		d.add(llm.Message{Role: llm.RoleSystem, Parts: inner})
		alone = false
	}
	if len(said.Parts) > 0 || alone {
		d.add(said)
	}
	return nil
}

func (d *requestReader) add(m llm.Message) { d.req.Messages = append(d.req.Messages, m) }

func (d *requestReader) tool(v jsontext.Value) error {
	kind, err := forms.Text(v.Get("type"))
	if err != nil {
		return jsontext.At("type", err)
	}
	var t llm.Tool
	if kind != "" && kind != "custom" {
		t.Name = forms.TextOf(v.Get("name"))
		t.Opaque = &llm.Opaque{Dialect: issuer, Type: kind, Raw: clone(v)}
		d.req.Tools = append(d.req.Tools, t)
		return nil
	}
	err = v.Object(func(key string, m jsontext.Value) (err error) {
		switch key {
		case "type":
		case "name":
			t.Name, err = m.Text()
		case "description":
			t.Description, err = forms.Text(m)
		case "input_schema":
			t.Schema = clone(m)
			if m.Kind() != jsontext.Object {
				err = jsontext.Mismatch("object", m)
			}
		case "strict":
			t.Strict, err = boolOf(m)
		case "cache_control":
			t.Cache, err = readCacheMark(m)
		default:
			if !m.IsNull() {
				t.Extra = t.Extra.Add(issuer, key, clone(m))
			}
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case t.Name == "":
		return jsontext.At("name", errors.New("want the tool's name"))
	case t.Schema == nil:
		return jsontext.At("input_schema", errors.New("want a JSON Schema"))
	}
	d.req.Tools = append(d.req.Tools, t)
	return nil
}

func boolOf(v jsontext.Value) (*bool, error) {
	if v.IsNull() {
		return nil, nil //nolint:nilnil // null says nothing, which is no error
	}
	b, err := v.Bool()
	return &b, err
}

func (d *requestReader) toolChoice(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		return jsontext.At("type", err)
	}
	c := &d.req.ToolChoice
	switch kind {
	case "auto":
		c.Mode = llm.ChoiceAuto
	case "any":
		c.Mode = llm.ChoiceRequired
	case "none":
		c.Mode = llm.ChoiceNone
	case "tool":
		name, err := v.Get("name").Text()
		if err != nil {
			return jsontext.At("name", err)
		}
		c.Mode, c.Names = llm.ChoiceNamed, []string{name}
	default:
		return jsontext.At("type", fmt.Errorf("want auto, any, tool or none, got %q", forms.Excerpt(kind, 40)))
	}
	return v.Object(func(key string, m jsontext.Value) error {
		switch key {
		case "type", "name":
		case "disable_parallel_tool_use":
			off, err := boolOf(m)
			if err == nil && off != nil && *off {
				allowed := false
				d.req.ParallelCalls = &allowed
			}
			return err
		default:
			d.req.Extra = d.req.Extra.Add(issuer, "tool_choice."+key, clone(m))
		}
		return nil
	})
}

func (d *requestReader) reasoning() *llm.Reasoning {
	if d.req.Reasoning == nil {
		d.req.Reasoning = &llm.Reasoning{}
	}
	return d.req.Reasoning
}

func (d *requestReader) thinking(key string, v jsontext.Value) (err error) {
	r := d.reasoning()
	switch key {
	case "type":
		switch {
		case is(v, "enabled"):
			r.Mode = llm.ReasoningBudget
		case is(v, "adaptive"):
			r.Mode = llm.ReasoningAdaptive
		case is(v, "disabled"):
			r.Mode = llm.ReasoningOff
		default:
			return errors.New("want enabled, adaptive or disabled")
		}
	case "budget_tokens":
		r.Budget, err = v.Int()
	case "display":
		r.Display, err = forms.Text(v)
	default:
		d.req.Extra = d.req.Extra.Add(issuer, "thinking."+key, clone(v))
	}
	return err
}

func (d *requestReader) outputConfig(key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "effort":
		d.reasoning().Effort, err = v.Text()
	case key == "format":
		err = d.format(v)
	default:
		d.req.Extra = d.req.Extra.Add(issuer, "output_config."+key, clone(v))
	}
	return err
}

// format reads an answer's schema. The vendor always enforces it, so it is strict.
func (d *requestReader) format(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	if kind := v.Get("type"); !is(kind, "json_schema") {
		return jsontext.At("type", errors.New("want json_schema"))
	}
	schema := v.Get("schema")
	if schema.Kind() != jsontext.Object {
		return jsontext.At("schema", jsontext.Mismatch("object", schema))
	}
	strict := true
	d.req.Format = &llm.Format{Kind: llm.FormatSchema, Schema: clone(schema), Strict: &strict}
	return nil
}

func (d *requestReader) metadata(key string, v jsontext.Value) (err error) {
	if key == "user_id" {
		d.req.User, err = forms.Text(v)
		return err
	}
	d.req.Extra = d.req.Extra.Add(issuer, "metadata."+key, clone(v))
	return nil
}
