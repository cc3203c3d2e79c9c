package openaichat

import (
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// decodeTools reads tools. One that is no function stays as it is.
func decodeTools(v jsontext.Value) ([]llm.Tool, error) {
	tools := []llm.Tool{}
	err := v.Array(func(_ int, v jsontext.Value) error {
		t, err := toolOf(v)
		tools = append(tools, t)
		return err
	})
	return tools, err
}

func toolOf(v jsontext.Value) (t llm.Tool, err error) {
	kind := typeFunction
	if k := v.Get("type"); !k.IsNull() {
		if kind, err = k.Text(); err != nil {
			return t, jsontext.At("type", err)
		}
	}
	if kind != typeFunction {
		name := kind
		if n, err := v.Get(kind, "name").Text(); err == nil {
			name = n
		}
		return llm.Tool{Name: name, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}, nil
	}
	if f := v.Get(typeFunction); !f.IsNull() {
		if t, err = functionTool(f); err != nil {
			return t, jsontext.At(typeFunction, err)
		}
	}
	err = v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case key == "type" || key == typeFunction || v.IsNull():
		case key == "cache_control":
			t.Cache, err = cacheMarkOf(v)
		default:
			t.Extra = t.Extra.Add(self, key, v)
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = jsontext.At("function", errors.New("missing required parameter"))
	}
	return t, err
}

// functionTool reads openai.yaml, FunctionObject.
func functionTool(v jsontext.Value) (llm.Tool, error) {
	var t llm.Tool
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "name":
			t.Name, err = v.Text()
		case key == "description":
			t.Description, err = v.Text()
		case key == "strict":
			t.Strict, err = forms.BoolOf(v)
		case key == "parameters":
			if v.Kind() != jsontext.Object {
				return jsontext.Mismatch("object", v)
			}
			t.Schema = v
		case key == "cache_control":
			t.Cache, err = cacheMarkOf(v)
		default:
			t.Extra = t.Extra.Add(self, "function."+key, v)
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = jsontext.At("name", errors.New("missing required parameter"))
	}
	return t, err
}

// decodeFunctions reads functions, the old name of tools.
func decodeFunctions(v jsontext.Value) ([]llm.Tool, error) {
	tools := []llm.Tool{}
	err := v.Array(func(_ int, v jsontext.Value) error {
		t, err := functionTool(v)
		tools = append(tools, t)
		return err
	})
	return tools, err
}

// toolChoiceOf reads tool_choice: openai.yaml, ChatCompletionToolChoiceOption.
func toolChoiceOf(v jsontext.Value) (llm.ToolChoice, error) {
	if v.Kind() == jsontext.String {
		return choiceWord(v, "required")
	}
	if v.Kind() != jsontext.Object {
		return llm.ToolChoice{}, jsontext.Mismatch("string or object", v)
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		return llm.ToolChoice{}, jsontext.At("type", err)
	}
	switch kind {
	case typeFunction, typeCustom:
		name, err := v.Get(kind, "name").Text()
		return llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{name}}, jsontext.At(kind, jsontext.At("name", err))
	case "allowed_tools":
		c, err := allowedTools(v.Get("allowed_tools"))
		return c, jsontext.At("allowed_tools", err)
	}
	return llm.ToolChoice{}, jsontext.At("type", errors.New("supported values are 'function', 'allowed_tools' and 'custom'"))
}

// choiceWord reads none, auto, or the word for a forced call where there is one.
func choiceWord(v jsontext.Value, forced string) (llm.ToolChoice, error) {
	s, err := v.Text()
	switch {
	case err != nil:
		return llm.ToolChoice{}, err
	case s == "none":
		return llm.ToolChoice{Mode: llm.ChoiceNone}, nil
	case s == "auto":
		return llm.ToolChoice{Mode: llm.ChoiceAuto}, nil
	case s == forced, s == "any" && forced != "": // the word of several compatible servers
		return llm.ToolChoice{Mode: llm.ChoiceRequired}, nil
	}
	return llm.ToolChoice{}, fmt.Errorf("%q is not a choice", clip(s))
}

// allowedTools reads openai.yaml, ChatCompletionAllowedTools.
func allowedTools(v jsontext.Value) (llm.ToolChoice, error) {
	mode, err := forms.OneOf(v.Get("mode"), "auto", "required")
	if err != nil {
		return llm.ToolChoice{}, jsontext.At("mode", err)
	}
	c := llm.ToolChoice{Mode: llm.ChoiceMode(mode)}
	err = v.Get("tools").Array(func(_ int, v jsontext.Value) error {
		kind, err := v.Get("type").Text()
		if err != nil {
			return jsontext.At("type", err)
		}
		name, err := v.Get(kind, "name").Text()
		c.Names = append(c.Names, name)
		return jsontext.At(kind, jsontext.At("name", err))
	})
	if err == nil && len(c.Names) == 0 {
		err = errors.New("expected at least one tool")
	}
	return c, jsontext.At("tools", err)
}

// functionChoiceOf reads function_call, the old name of tool_choice.
func functionChoiceOf(v jsontext.Value) (llm.ToolChoice, error) {
	if v.Kind() == jsontext.String {
		return choiceWord(v, "")
	}
	if v.Kind() != jsontext.Object {
		return llm.ToolChoice{}, jsontext.Mismatch("string or object", v)
	}
	name, err := v.Get("name").Text()
	return llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{name}}, jsontext.At("name", err)
}
