package bedrock

import (
	"slices"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// chooseTools decides which tools are sent and what the model may do with them.
func (e *encoder) chooseTools() {
	e.choice = e.req.ToolChoice
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Opaque == nil || t.Opaque.Dialect == issuer {
			e.tools = append(e.tools, *t)
		}
	}
	if len(e.choice.Names) > 0 && e.choice.Mode != llm.ChoiceNamed {
		e.tools = slices.DeleteFunc(e.tools, func(t llm.Tool) bool {
			return t.Opaque == nil && !slices.Contains(e.choice.Names, t.Name)
		})
		if len(e.tools) == 0 && len(e.req.Tools) > 0 {
			e.fail(llm.Invalid("tool_choice", "None of the allowed tools is defined in the request."))
		}
	}
	called := e.fromHistory()
	switch {
	case e.choice.Mode == llm.ChoiceNone && len(called) == 0:
		if len(e.tools) > 0 {
			e.lose(llm.FeatureToolChoice, llm.ActionEmulated, llm.Harmless, "the tools are not sent")
			e.lose(llm.FeatureTools, llm.ActionEmulated, llm.Harmless, "none is to be called, so none is sent")
		}
		e.tools, e.choice = nil, llm.ToolChoice{}
	case len(e.tools) == 0 && len(called) > 0:
		e.tools, e.choice = called, llm.ToolChoice{}
		e.barTools()
		e.lose("tool_definitions", llm.ActionEmulated, llm.Harmless, "tools of the history, which the request does not define, are named")
	case len(e.tools) == 0:
		e.choice = llm.ToolChoice{}
	case e.choice.Mode == llm.ChoiceNone:
		e.choice = llm.ToolChoice{}
		e.barTools()
		e.lose(llm.FeatureToolChoice, llm.ActionApproximated, llm.Tuning,
			"asked for in words: the target cannot bar tools that the history uses")
	}
}

// barTools asks in words for what the dialect has no switch for: it wants the tools beside tool blocks, and has no
// choice "none".
func (e *encoder) barTools() {
	e.system = append(e.system, llm.Text("Do not call any tool in this answer."))
}

// fromHistory lists the tools that the history used: the vendor wants tools beside tool blocks.
func (e *encoder) fromHistory() []llm.Tool {
	var called []llm.Tool
	seen := map[string]bool{}
	for i := range e.turns {
		for _, p := range e.turns[i].parts {
			if p.Call != nil && !seen[p.Call.Name] {
				seen[p.Call.Name] = true
				called = append(called, llm.Tool{Name: p.Call.Name})
			}
		}
	}
	return called
}

func (e *encoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	w := &e.w
	w.Key("toolConfig")
	w.BeginObject()
	w.Key("tools")
	w.BeginArray()
	for i := range e.tools {
		e.writeTool(&e.tools[i])
		e.cachePoint(e.tools[i].Cache)
	}
	w.EndArray()
	e.writeChoice()
	writeExtra(w, e.req.Extra, "toolConfig.")
	w.EndObject()
}

func (e *encoder) writeTool(t *llm.Tool) {
	w := &e.w
	if t.Opaque != nil {
		w.Raw(t.Opaque.Raw)
		return
	}
	w.BeginObject()
	w.Key("toolSpec")
	w.BeginObject()
	w.StringField("name", e.names.Sent(t.Name))
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	w.Key("inputSchema")
	w.BeginObject()
	w.RawField("json", inputSchema(t))
	w.EndObject()
	if t.Strict != nil {
		w.BoolField("strict", *t.Strict)
	}
	writeExtra(w, t.Extra, "")
	w.EndObject()
	w.EndObject()
}

// inputSchema is a tool's schema as the vendor takes it: that of an object.
func inputSchema(t *llm.Tool) []byte {
	schema := jsontext.Value(t.Schema)
	if schema.IsNull() {
		return []byte(`{"type":"object","properties":{}}`)
	}
	if schema.Kind() == jsontext.Object && schema.Get("type").IsNull() {
		if typed, err := jsontext.Set(schema, "type", []byte(`"object"`)); err == nil {
			schema = typed
		}
	}
	return jsontext.Compact(nil, schema)
}

func (e *encoder) writeChoice() {
	w := &e.w
	name := ""
	switch e.choice.Mode {
	case llm.ChoiceAuto:
		name = "auto"
	case llm.ChoiceRequired:
		name = "any"
	case llm.ChoiceNamed:
		name = "tool"
	default:
		return
	}
	w.Key("toolChoice")
	w.BeginObject()
	w.Key(name)
	w.BeginObject()
	if e.choice.Mode == llm.ChoiceNamed {
		w.StringField("name", e.names.Sent(e.choice.Names[0]))
	}
	w.EndObject()
	w.EndObject()
}
