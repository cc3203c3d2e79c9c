package openairesponses

import (
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// customSchema is the argument of a free-form tool as others are given it.
const customSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The tool's whole input, as plain text."}},` +
	`"required":["input"],"additionalProperties":false}`

// decodeTools reads tools: openai.yaml, Tool. Those of a namespace are tools like the others.
func decodeTools(v jsontext.Value) ([]llm.Tool, error) {
	tools := []llm.Tool{}
	err := v.Array(func(_ int, v jsontext.Value) error {
		if v.Kind() == jsontext.Object && is(v.Get("type"), typeNamespace) {
			inner, err := namespaceTools(v)
			tools = append(tools, inner...)
			return err
		}
		t, err := toolOf(v)
		tools = append(tools, t)
		return err
	})
	return tools, err
}

// namespaceTools reads openai.yaml, NamespaceToolParam. What is said of the namespace is said of each of its tools.
func namespaceTools(v jsontext.Value) ([]llm.Tool, error) {
	space, err := v.Get("name").Text()
	if err != nil {
		return nil, jsontext.At("name", err)
	}
	var about string
	if d := v.Get("description"); !d.IsNull() {
		if about, err = d.Text(); err != nil {
			return nil, jsontext.At("description", err)
		}
	}
	var tools []llm.Tool
	err = v.Get("tools").Array(func(_ int, v jsontext.Value) error {
		t, err := toolOf(v)
		if t.Opaque == nil {
			t.Name = inNamespace(space, t.Name)
			t.Description = strings.Trim(about+"\n\n"+t.Description, "\n")
		}
		tools = append(tools, t)
		return err
	})
	return tools, jsontext.At("tools", err)
}

// inNamespace is the name of a tool of a namespace; of none if that is empty. A free-form tool's prefix stays in front.
func inNamespace(space, name string) string {
	if space == "" {
		return name
	}
	bare, custom := isCustom(name)
	name = namespacePrefix + space + namespaceEnd + bare
	if custom {
		name = customPrefix + name
	}
	return name
}

// splitNamespace takes apart what inNamespace made of a name that is not of a free-form tool.
func splitNamespace(name string) (space, bare string) {
	rest, ok := strings.CutPrefix(name, namespacePrefix)
	if !ok {
		return "", name
	}
	space, bare, ok = strings.Cut(rest, namespaceEnd)
	if !ok || space == "" || bare == "" {
		return "", name
	}
	return space, bare
}

func isInNamespace(t llm.Tool) bool {
	name, _ := isCustom(t.Name)
	space, _ := splitNamespace(name)
	return space != ""
}

// addTools adds tools that an item of the input has made available. One that is there already is the same, once more.
func (d *requestDecoder) addTools(tools []llm.Tool) {
	if len(tools) == 0 {
		return
	}
	known := make(map[string]bool, len(d.req.Tools)+len(tools))
	for i := range d.req.Tools {
		known[d.req.Tools[i].Name] = true
	}
	for _, t := range tools {
		if t.Opaque == nil && known[t.Name] {
			continue
		}
		known[t.Name] = true
		d.req.Tools = append(d.req.Tools, t)
	}
}

// toolOf reads one tool. One that is run by the vendor, or whose input follows a grammar, stays as it is.
func toolOf(v jsontext.Value) (llm.Tool, error) {
	kind, err := v.Get("type").Text()
	if err != nil {
		if v.Kind() != jsontext.Object {
			return llm.Tool{}, jsontext.Mismatch("object", v)
		}
		return llm.Tool{}, jsontext.At("type", err)
	}
	switch {
	case kind == typeFunction:
		return functionTool(v)
	case kind == typeCustom && !hasGrammar(v):
		return customTool(v)
	}
	name := kind
	if n, err := v.Get("name").Text(); err == nil && kind == typeCustom {
		name = customPrefix + n
	}
	return llm.Tool{Name: name, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}, nil
}

// hasGrammar reports whether a free-form tool's input is more than text.
func hasGrammar(v jsontext.Value) bool {
	format := v.Get("format")
	return !format.IsNull() && !is(format.Get("type"), typeText)
}

// customTool reads openai.yaml, CustomToolParam, as a function with one argument.
func customTool(v jsontext.Value) (llm.Tool, error) {
	name, err := v.Get("name").Text()
	if err == nil && name == "" {
		err = errors.New("missing required parameter")
	}
	if err != nil {
		return llm.Tool{}, jsontext.At("name", err)
	}
	t := llm.Tool{Name: customPrefix + name, Schema: []byte(customSchema)}
	if d := v.Get("description"); !d.IsNull() {
		if t.Description, err = d.Text(); err != nil {
			return t, jsontext.At("description", err)
		}
	}
	t.Extra = t.Extra.Add(self, "custom", v)
	return t, nil
}

// functionTool reads openai.yaml, FunctionTool. Its arguments need not follow the schema strictly unless it says so:
// the vendor's own default is to try.
func functionTool(v jsontext.Value) (llm.Tool, error) {
	var t llm.Tool
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull() || key == "type":
		case key == "name":
			t.Name, err = v.Text()
		case key == "description":
			t.Description, err = v.Text()
		case key == "strict":
			t.Strict, err = forms.BoolOf(v)
			if err == nil && !*t.Strict {
				t.Strict = nil
			}
		case key == "parameters":
			if v.Kind() != jsontext.Object {
				return jsontext.Mismatch("object", v)
			}
			t.Schema = v
		default:
			t.Extra = t.Extra.Add(self, key, v)
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = jsontext.At("name", errors.New("missing required parameter"))
	}
	return t, err
}

// toolChoice reads tool_choice: openai.yaml, ToolChoiceParam. A choice of a tool that the vendor runs stays as it is.
func (d *requestDecoder) toolChoice(v jsontext.Value) error {
	c := &d.req.ToolChoice
	if v.Kind() == jsontext.String {
		word, err := forms.OneOf(v, "none", "auto", "required")
		c.Mode = llm.ChoiceMode(word)
		return err
	}
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("string or object", v)
	}
	kind, err := v.Get("type").Text()
	switch {
	case err != nil && v.Get("tools") != nil: // seen without its type
		kind = "allowed_tools"
	case err != nil:
		return jsontext.At("type", err)
	}
	switch kind {
	case typeFunction, typeCustom:
		name, err := chosenName(kind, v)
		c.Mode, c.Names = llm.ChoiceNamed, []string{name}
		return err
	case "allowed_tools":
		return d.allowedTools(v)
	}
	d.req.Extra = d.req.Extra.Add(self, "tool_choice.type", v)
	return nil
}

// chosenName is the name of a tool that a choice names.
func chosenName(kind string, v jsontext.Value) (string, error) {
	name, err := v.Get("name").Text()
	if kind == typeCustom {
		name = customPrefix + name
	}
	return name, jsontext.At("name", err)
}

// allowedTools reads openai.yaml, ToolChoiceAllowed.
func (d *requestDecoder) allowedTools(v jsontext.Value) error {
	mode, err := forms.OneOf(v.Get("mode"), "auto", "required")
	if err != nil {
		return jsontext.At("mode", err)
	}
	var names []string
	hasForeign := false
	err = v.Get("tools").Array(func(_ int, v jsontext.Value) error {
		kind, err := v.Get("type").Text()
		if err != nil {
			return jsontext.At("type", err)
		}
		if kind != typeFunction && kind != typeCustom {
			hasForeign = true
			return nil
		}
		name, err := chosenName(kind, v)
		names = append(names, name)
		return err
	})
	switch {
	case err != nil:
		return jsontext.At("tools", err)
	case hasForeign:
		d.req.Extra = d.req.Extra.Add(self, "tool_choice.type", v)
	case len(names) == 0:
		return jsontext.At("tools", errors.New("expected at least one tool"))
	default:
		d.req.ToolChoice = llm.ToolChoice{Mode: llm.ChoiceMode(mode), Names: names}
	}
	return nil
}

// checkChoice refuses a choice of a tool that is not there.
func (d *requestDecoder) checkChoice() error {
	if len(d.req.Tools) == 0 {
		return nil
	}
	for _, name := range d.req.ToolChoice.Names {
		if !hasTool(d.req.Tools, name) {
			return llm.Invalid("tool_choice", "Tool choice '%s' not found in 'tools' parameter.", clip(name))
		}
	}
	return nil
}

func hasTool(tools []llm.Tool, name string) bool {
	for i := range tools {
		if tools[i].Name == name {
			return true
		}
	}
	return false
}

// clip shortens a client's word for a message.
func clip(s string) string { return forms.Clip(s, maxNameLength) }

// isCustom reports whether a tool's name is that of a free-form one, and returns the vendor's name for it.
func isCustom(name string) (string, bool) {
	if len(name) > len(customPrefix) && name[:len(customPrefix)] == customPrefix {
		return name[len(customPrefix):], true
	}
	return name, false
}

// customArgs is the input of a free-form tool as a function's arguments.
func customArgs(input string) string {
	var w jsontext.Writer
	w.BeginObject()
	w.StringField(customInput, input)
	w.EndObject()
	return string(w.Bytes())
}

// customInputOf is the input of a free-form tool in a function's arguments. A model that wrote them otherwise has
// written the input itself.
func customInputOf(args string) string {
	v, err := jsontext.ParseLenient([]byte(args))
	if err != nil {
		return args
	}
	if s, err := v.Get(customInput).Text(); err == nil {
		return s
	}
	return args
}
