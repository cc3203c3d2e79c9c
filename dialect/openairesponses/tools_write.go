package openairesponses

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// tools writes the tools, the choice among them, and whether one turn may call several.
func (e *requestEncoder) tools() {
	r, w := e.req, &e.w
	written := 0
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Opaque != nil && t.Opaque.Dialect != self {
			continue
		}
		if written++; written == 1 {
			w.Key("tools")
			w.BeginArray()
		}
		e.tool(t)
	}
	if written == 0 {
		return // a choice without tools is refused, and means nothing
	}
	w.EndArray()
	e.toolChoice()
	if r.ParallelCalls != nil {
		w.BoolField("parallel_tool_calls", *r.ParallelCalls)
	}
}

func (e *requestEncoder) tool(t *llm.Tool) {
	w := &e.w
	if t.Opaque != nil {
		w.Raw(t.Opaque.Raw)
		return
	}
	if custom := kept(t.Extra, typeCustom); custom != nil {
		w.Raw(custom)
		return
	}
	w.BeginObject()
	w.StringField("type", typeFunction)
	w.StringField("name", e.names.Sent(t.Name))
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	schema := e.parameters(t.Schema)
	w.RawField("parameters", schema)
	strict := t.Strict != nil && *t.Strict
	if strict && !forms.FitsStrict(schema) {
		strict = false
		e.losses.add(llm.FeatureToolStrict, llm.ActionApproximated, tuning,
			"strict is for schemas whose objects are closed and whose properties are all required")
	}
	w.BoolField("strict", strict) // left out, the vendor would try it
	writeExtra(w, t.Extra, "")
	w.EndObject()
}

// parameters is a tool's schema; a root object without properties, which the vendor refuses, gets none.
func (e *requestEncoder) parameters(schema []byte) []byte {
	v := forms.Trim(schema)
	if v.IsNull() {
		return []byte(emptySchema)
	}
	if !is(v.Get("type"), "object") || v.Get("properties") != nil || v.Get("$ref") != nil {
		return v
	}
	repaired, err := jsontext.Set(v, "properties", []byte("{}"))
	if err != nil {
		return v
	}
	e.losses.add("tool_schema", llm.ActionRepaired, harmless, "an object without properties is given an empty list of them")
	return repaired
}

func (e *requestEncoder) toolChoice() {
	w, c := &e.w, e.req.ToolChoice
	own := kept(e.req.Extra, "tool_choice.type")
	switch {
	case own != nil:
		w.RawField("tool_choice", own)
	case c.Mode == llm.ChoiceUnset && len(c.Names) == 0:
	case c.Mode == llm.ChoiceNamed && len(c.Names) > 0:
		w.Key("tool_choice")
		e.namedTool(c.Names[0])
	case len(c.Names) > 0 && c.Mode != llm.ChoiceNone:
		w.Key("tool_choice")
		w.BeginObject()
		w.StringField("type", "allowed_tools")
		mode := c.Mode
		if mode != llm.ChoiceRequired {
			mode = llm.ChoiceAuto
		}
		w.StringField("mode", string(mode))
		w.Key("tools")
		w.BeginArray()
		for _, name := range c.Names {
			e.namedTool(name)
		}
		w.EndArray()
		w.EndObject()
	default:
		w.StringField("tool_choice", string(c.Mode))
	}
}

// namedTool writes a tool's name as a choice does.
func (e *requestEncoder) namedTool(name string) {
	w := &e.w
	w.BeginObject()
	if e.isCustomTool(name) {
		custom, _ := isCustom(name)
		w.StringField("type", typeCustom)
		w.StringField("name", custom)
	} else {
		w.StringField("type", typeFunction)
		w.StringField("name", e.names.Sent(name))
	}
	w.EndObject()
}

// isCustomTool reports whether a name is that of a free-form tool of this dialect, and not of another's function that
// happens to look like one.
func (e *requestEncoder) isCustomTool(name string) bool {
	if _, ok := isCustom(name); !ok {
		return false
	}
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Name == name {
			return t.Opaque != nil || kept(t.Extra, typeCustom) != nil
		}
	}
	return true
}
