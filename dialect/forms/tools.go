package forms

import (
	"errors"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// FunctionTool reads a tool as OpenAI has functions, and many after it. One that is no function stays as it is; so do
// members that only the dialect self knows.
func FunctionTool(v jsontext.Value, self string) (t llm.Tool, err error) {
	const typeFunction = "function"
	if kind := Scalar(v.Get("type")); kind != typeFunction && kind != "" {
		return llm.Tool{Name: kind, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}, nil
	}
	err = v.Get(typeFunction).Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull():
		case key == "name":
			t.Name, err = v.Text()
		case key == "description":
			t.Description, err = v.Text()
		case key == "parameters":
			if v.Kind() != jsontext.Object {
				return jsontext.Mismatch("object", v)
			}
			t.Schema = v
		default:
			t.Extra = t.Extra.Add(self, "function."+key, v)
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = jsontext.At("name", errors.New("a name is required"))
	}
	if err != nil {
		return t, jsontext.At(typeFunction, err)
	}
	return t, v.Object(func(key string, v jsontext.Value) error {
		if key != "type" && key != typeFunction && !v.IsNull() {
			t.Extra = t.Extra.Add(self, key, v)
		}
		return nil
	})
}
