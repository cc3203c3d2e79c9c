package anthropic

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect/forms"
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
	if len(e.tools) > 0 {
		return
	}
	e.choice = llm.ToolChoice{}
	e.fromHistory()
}

// fromHistory defines the tools that the history used when the request defines none: the vendor wants tools
// beside tool blocks. The model may not call them.
func (e *encoder) fromHistory() {
	for i := range e.turns {
		for _, p := range e.turns[i].parts {
			if p.Call == nil || slices.ContainsFunc(e.tools, func(t llm.Tool) bool { return t.Name == p.Call.Name }) {
				continue
			}
			e.tools = append(e.tools, llm.Tool{Name: p.Call.Name})
		}
	}
	if len(e.tools) > 0 {
		e.choice.Mode = llm.ChoiceNone
		e.lose("tool_definitions", llm.ActionEmulated, llm.Harmless, "tools of the history, which the request does not define, are named and barred")
	}
}

func (e *encoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	w := &e.w
	w.Key("tools")
	w.BeginArray()
	for i := range e.tools {
		e.writeTool(&e.tools[i])
	}
	w.EndArray()
	e.writeChoice()
}

func (e *encoder) writeTool(t *llm.Tool) {
	w := &e.w
	if t.Opaque != nil {
		w.Raw(t.Opaque.Raw)
		return
	}
	w.BeginObject()
	w.StringField("name", e.names.Sent(t.Name))
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	w.RawField("input_schema", e.inputSchema(t))
	if t.Strict != nil {
		w.BoolField("strict", *t.Strict)
	}
	e.cacheControl(t.Cache)
	writeExtra(w, t.Extra, "")
	w.EndObject()
}

// inputSchema is a tool's schema as the vendor takes it: an object, and of the enforceable kind where the tool is
// strict.
func (e *encoder) inputSchema(t *llm.Tool) []byte {
	schema := jsontext.Value(t.Schema)
	if schema.IsNull() {
		return []byte(`{"type":"object","properties":{}}`)
	}
	for _, key := range [...]string{"anyOf", "oneOf", "allOf"} {
		if !schema.Get(key).IsNull() {
			e.fail(unsupported("tools", "The target's API does not take "+key+" at the top of a tool's schema, as in the tool "+
				forms.Excerpt(t.Name, 80)+"."))
		}
	}
	if schema.Kind() == jsontext.Object && schema.Get("type").IsNull() {
		if typed, err := jsontext.Set(schema, "type", []byte(`"object"`)); err == nil {
			schema = typed
		}
	}
	if t.Strict == nil || !*t.Strict {
		return schema
	}
	return e.enforceable(schema, true, llm.FeatureToolStrict)
}

func (e *encoder) writeChoice() {
	one := e.req.ParallelCalls != nil && !*e.req.ParallelCalls
	mode := e.choice.Mode
	if mode == llm.ChoiceUnset && (one || hasExtra(e.req.Extra, "tool_choice.")) {
		mode = llm.ChoiceAuto
	}
	if mode == llm.ChoiceUnset {
		return
	}
	w := &e.w
	w.Key("tool_choice")
	w.BeginObject()
	switch mode {
	case llm.ChoiceNone:
		w.StringField("type", "none")
		one = false // there is nothing to call at once
	case llm.ChoiceRequired:
		w.StringField("type", "any")
	case llm.ChoiceNamed:
		w.StringField("type", "tool")
		w.StringField("name", e.names.Sent(e.choice.Names[0]))
	default:
		w.StringField("type", "auto")
	}
	if one {
		w.BoolField("disable_parallel_tool_use", true)
	}
	writeExtra(w, e.req.Extra, "tool_choice.")
	w.EndObject()
}
