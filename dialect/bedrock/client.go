package bedrock

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

// DecodeRequest reads a request whose JSON has been checked. The model, and whether a stream is asked for, are in
// the path.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	var d requestReader
	if err := jsontext.Value(bytes.TrimSpace(body)).Object(d.member); err != nil {
		return nil, forms.Invalid(err)
	}
	if len(d.req.Messages) == 0 {
		return nil, llm.Invalid("messages", "messages: want at least one message")
	}
	d.placeMark()
	if len(d.system) > 0 {
		lead := llm.Message{Role: llm.RoleSystem, Parts: d.system}
		d.req.Messages = append([]llm.Message{lead}, d.req.Messages...)
	}
	d.req.Unread = append(d.req.Unread, insides.Unread(body)...)
	return &d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(nil, [][2]string{
	{"system[].cachePoint", "type ttl"},
	{"messages[]", "role content"}, // one may become several, and those of results keep nothing
	{"messages[].content[].cachePoint", "type ttl"},
	{"messages[].content[].document.citations", "enabled"},
	{"outputConfig.textFormat", "type structure"},
	{"outputConfig.textFormat.structure", "jsonSchema"},
	{"outputConfig.textFormat.structure.jsonSchema", "schema name description"},
	{"toolConfig.tools[].cachePoint", "type ttl"},
	{"toolConfig.tools[].toolSpec.inputSchema", "json"},
	{"toolConfig.toolChoice.auto", ""},
	{"toolConfig.toolChoice.any", ""},
	{"toolConfig.toolChoice.tool", "name"},
}...)

// requestReader fills a request with the members of its body, in whatever order they come.
type requestReader struct {
	req    llm.Request
	system []llm.Part
	// mark is a cache point at the very beginning of the conversation.
	mark *llm.CacheMark
}

func (d *requestReader) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() && key != "messages" {
		return nil
	}
	r := &d.req
	switch key {
	case "messages":
		err = v.Array(func(_ int, m jsontext.Value) error { return d.message(m) })
	case "system":
		err = d.systemBlocks(v)
	case inferenceConfig:
		err = v.Object(d.inference)
	case "toolConfig":
		err = v.Object(d.toolConfig)
	case additionalFields:
		err = v.Object(d.additional)
	case outputConfig:
		err = v.Object(d.outputConfig)
	case "serviceTier":
		err = v.Object(func(name string, m jsontext.Value) (err error) {
			if name == "type" {
				r.Tier, err = forms.Text(m)
				return err
			}
			d.kept("serviceTier."+name, m)
			return nil
		})
	case "requestMetadata":
		var odd bool
		if r.Metadata, odd, err = forms.ReadLabels(v); odd {
			r.Unread = append(r.Unread, "requestMetadata[]")
		}
	default:
		d.kept(key, v)
	}
	return err
}

// kept keeps a member that llm has no word for.
func (d *requestReader) kept(key string, v jsontext.Value) {
	if !v.IsNull() {
		d.req.Extra = d.req.Extra.Add(issuer, key, clone(v))
	}
}

func (d *requestReader) systemBlocks(v jsontext.Value) (err error) {
	if d.system, _, err = readBlocks(v); err != nil {
		return err
	}
	for i := range d.system {
		p := &d.system[i]
		if p.Kind != llm.PartText && (p.Opaque == nil || p.Opaque.Type != "guardContent") {
			return errors.New("want blocks of text, guardContent and cachePoint only")
		}
	}
	return nil
}

func (d *requestReader) inference(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch {
	case v.IsNull():
	case key == "maxTokens":
		r.MaxTokens, err = intOf(v, 1)
	case key == "temperature":
		r.Temperature, err = floatOf(v)
	case key == "topP":
		r.TopP, err = floatOf(v)
	case key == "stopSequences":
		err = v.Array(func(_ int, s jsontext.Value) error {
			stop, err := s.Text()
			r.Stop = append(r.Stop, stop)
			return err
		})
	default:
		d.kept(inferenceConfig+"."+key, v)
	}
	return err
}

// intOf reads an integer that is not less than least.
func intOf(v jsontext.Value, least int64) (*int64, error) {
	n, err := v.Int()
	if err == nil && n < least {
		err = fmt.Errorf("want %d or more, got %d", least, n)
	}
	return &n, err
}

// floatOf reads a number from 0 to 1.
func floatOf(v jsontext.Value) (*float64, error) {
	f, err := v.Float()
	if err == nil && (f < 0 || f > 1) {
		err = fmt.Errorf("want 0 to 1, got %g", f)
	}
	return &f, err
}

// additional reads the parameters of the vendor whose model it is: those that llm has a word for, in the spellings
// of the vendors that have them.
func (d *requestReader) additional(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch {
	case v.IsNull():
	case key == "top_k" && v.Kind() == jsontext.Number, key == "k" && v.Kind() == jsontext.Number:
		r.TopK, err = intOf(v, 0)
	case key == "thinking" || key == "reasoning_config": // the second is what it was called at first
		err = v.Object(d.thinking)
	case key == "reasoningConfig": // of Amazon's own models
		err = v.Object(d.novaReasoning)
	case key == "reasoning_effort": // of OpenAI's open models
		d.reasoning().Effort, err = v.Text()
	case key == inferenceConfig: // of Amazon's own models
		err = v.Object(func(name string, m jsontext.Value) (err error) {
			if name == "topK" {
				r.TopK, err = intOf(m, 0)
				return err
			}
			d.kept(additionalFields+"."+inferenceConfig+"."+name, m)
			return nil
		})
	default:
		d.kept(additionalFields+"."+key, v)
	}
	return err
}

func (d *requestReader) reasoning() *llm.Reasoning {
	if d.req.Reasoning == nil {
		d.req.Reasoning = &llm.Reasoning{}
	}
	return d.req.Reasoning
}

// thinking reads how a Claude model is told to think.
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
		d.kept(additionalFields+".thinking."+key, v)
	}
	return err
}

// novaReasoning reads how a model of Amazon's is told to think.
func (d *requestReader) novaReasoning(key string, v jsontext.Value) (err error) {
	r := d.reasoning()
	switch key {
	case "type":
		if is(v, "disabled") {
			r.Mode = llm.ReasoningOff
		}
	case "maxReasoningEffort":
		r.Effort, err = v.Text()
	default:
		d.kept(additionalFields+".reasoningConfig."+key, v)
	}
	return err
}

func (d *requestReader) outputConfig(key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "effort":
		d.reasoning().Effort, err = v.Text()
	case key == "textFormat":
		err = d.format(v)
	default:
		d.kept(outputConfig+"."+key, v)
	}
	return err
}

// format reads an answer's schema, which is JSON in a string. The vendor always enforces it, so it is strict.
func (d *requestReader) format(v jsontext.Value) error {
	if kind := v.Get("type"); !is(kind, "json_schema") {
		return jsontext.At("type", errors.New("want json_schema"))
	}
	definition := v.Get("structure", "jsonSchema")
	schema, err := definition.Get("schema").Text()
	if err != nil {
		return schemaAt(err)
	}
	doc, err := jsontext.Parse([]byte(schema))
	if err != nil || doc.Kind() != jsontext.Object {
		return schemaAt(errors.New("want a JSON Schema in a string"))
	}
	strict := true
	d.req.Format = &llm.Format{
		Kind: llm.FormatSchema, Schema: doc, Strict: &strict,
		Name: forms.TextOf(definition.Get("name")), Description: forms.TextOf(definition.Get("description")),
	}
	return nil
}

func schemaAt(err error) error {
	return jsontext.At("structure", jsontext.At("jsonSchema", jsontext.At("schema", err)))
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
	var before *llm.CacheMark
	var extra llm.Extra
	err = v.Object(func(key string, m jsontext.Value) (err error) {
		switch key {
		case "role":
		case "content":
			parts, before, err = readBlocks(m)
		default:
			extra = extra.Add(issuer, key, clone(m))
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case v.Get("content") == nil:
		return jsontext.At("content", errors.New("want it"))
	}
	d.markBefore(before)
	return d.turn(role, parts, extra)
}

// markBefore puts a cache point that stands first in a message where it means the same: behind what came before.
func (d *requestReader) markBefore(mark *llm.CacheMark) {
	if mark == nil {
		return
	}
	for i := len(d.req.Messages) - 1; i >= 0; i-- {
		if parts := d.req.Messages[i].Parts; len(parts) > 0 {
			parts[len(parts)-1].Cache = mark
			return
		}
	}
	d.mark = mark
}

// placeMark puts a cache point before the first message behind the system prompt, or behind the tools.
func (d *requestReader) placeMark() {
	switch {
	case d.mark == nil:
	case len(d.system) > 0:
		d.system[len(d.system)-1].Cache = d.mark
	case len(d.req.Tools) > 0:
		d.req.Tools[len(d.req.Tools)-1].Cache = d.mark
	}
}

func (d *requestReader) turn(role string, parts []llm.Part, extra llm.Extra) error {
	if role != roleUser {
		for i := range parts {
			if parts[i].Kind == llm.PartToolResult {
				return jsontext.At("content", errors.New("want toolResult blocks in user messages only"))
			}
		}
		d.add(llm.Message{Role: llm.Role(role), Parts: parts, Extra: extra})
		return nil
	}
	var results, rest []llm.Part
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
	if len(rest) > 0 || len(results) == 0 {
		d.add(llm.Message{Role: llm.RoleUser, Parts: rest, Extra: extra})
	}
	return nil
}

func (d *requestReader) add(m llm.Message) { d.req.Messages = append(d.req.Messages, m) }

func (d *requestReader) toolConfig(key string, v jsontext.Value) (err error) {
	switch {
	case v.IsNull():
	case key == "tools":
		err = v.Array(func(_ int, t jsontext.Value) error { return d.tool(t) })
	case key == "toolChoice":
		err = d.toolChoice(v)
	default:
		d.kept("toolConfig."+key, v)
	}
	return err
}

func (d *requestReader) tool(v jsontext.Value) error {
	key, m, err := only(v)
	if err != nil {
		return err
	}
	switch key {
	case "toolSpec":
		return jsontext.At(key, d.toolSpec(m))
	case "cachePoint":
		mark, err := readCachePoint(m)
		if n := len(d.req.Tools); n > 0 {
			d.req.Tools[n-1].Cache = mark
		}
		return jsontext.At(key, err)
	}
	d.req.Tools = append(d.req.Tools, llm.Tool{
		Name: forms.TextOf(m.Get("name")), Opaque: &llm.Opaque{Dialect: issuer, Type: key, Raw: clone(v)},
	})
	return nil
}

func (d *requestReader) toolSpec(v jsontext.Value) error {
	var t llm.Tool
	err := v.Object(func(key string, m jsontext.Value) (err error) {
		switch key {
		case "name":
			t.Name, err = m.Text()
		case "description":
			t.Description, err = forms.Text(m)
		case "inputSchema":
			schema := m.Get("json")
			if schema.Kind() != jsontext.Object {
				return jsontext.At("json", jsontext.Mismatch("object", schema))
			}
			t.Schema = clone(schema)
		case "strict":
			if !m.IsNull() {
				var strict bool
				strict, err = m.Bool()
				t.Strict = &strict
			}
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
		return jsontext.At("inputSchema", errors.New("want a JSON Schema"))
	}
	d.req.Tools = append(d.req.Tools, t)
	return nil
}

func (d *requestReader) toolChoice(v jsontext.Value) error {
	key, m, err := only(v)
	if err != nil {
		return err
	}
	c := &d.req.ToolChoice
	switch key {
	case "auto":
		c.Mode = llm.ChoiceAuto
	case "any":
		c.Mode = llm.ChoiceRequired
	case "tool":
		name, err := m.Get("name").Text()
		if err != nil {
			return jsontext.At(key, jsontext.At("name", err))
		}
		c.Mode, c.Names = llm.ChoiceNamed, []string{name}
	default:
		return fmt.Errorf("want auto, any or tool, got %q", forms.Excerpt(key, 40))
	}
	return nil
}
