package gemini

import (
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// tools reads one Tool: functions, and what the vendor runs itself, each by its name.
func (d *requestReader) tools(v jsontext.Value) error {
	return members(v, func(key string, v jsontext.Value) error {
		if key == "functionDeclarations" {
			return each(v, d.function)
		}
		var w jsontext.Writer
		w.BeginObject()
		w.RawField(key, v)
		w.EndObject()
		d.req.Tools = append(d.req.Tools, llm.Tool{Name: key, Opaque: &llm.Opaque{Dialect: self, Type: key, Raw: w.Bytes()}})
		return nil
	})
}

// function reads a FunctionDeclaration.
func (d *requestReader) function(v jsontext.Value) error {
	var t llm.Tool
	err := members(v, func(key string, v jsontext.Value) (err error) {
		switch key {
		case "name":
			t.Name, err = v.Text()
		case "description":
			t.Description, err = v.Text()
		case "parameters":
			t.Schema, err = openAPISchema(v)
		case "parametersJsonSchema":
			if v.Kind() != jsontext.Object {
				return jsontext.Mismatch("object", v)
			}
			t.Schema = clone(v)
		default:
			t.Extra = t.Extra.Add(self, "functionDeclarations[]."+key, clone(v))
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = jsontext.At("name", errors.New("want the function's name"))
	}
	d.req.Tools = append(d.req.Tools, t)
	return err
}

func (d *requestReader) toolConfig(key string, v jsontext.Value) error {
	if key != "functionCallingConfig" {
		d.req.Extra = d.req.Extra.Add(self, "toolConfig."+key, clone(v))
		return nil
	}
	mode := ""
	var allowed []string
	err := members(v, func(key string, v jsontext.Value) (err error) {
		switch key {
		case "mode":
			mode, err = v.Text()
		case "allowedFunctionNames":
			err = each(v, func(v jsontext.Value) error {
				name, err := v.Text()
				allowed = append(allowed, name)
				return err
			})
		default:
			d.req.Extra = d.req.Extra.Add(self, "toolConfig.functionCallingConfig."+key, clone(v))
		}
		return err
	})
	if err != nil {
		return err
	}
	return jsontext.At("mode", d.choose(mode, allowed))
}

// choose reads the mode in which functions are called.
func (d *requestReader) choose(mode string, allowed []string) error {
	c := &d.req.ToolChoice
	switch mode {
	case "", "MODE_UNSPECIFIED":
	case "AUTO":
		c.Mode = llm.ChoiceAuto
	case "NONE":
		c.Mode = llm.ChoiceNone
	case "VALIDATED":
		c.Mode, c.Names, d.validated = llm.ChoiceAuto, allowed, true
	case "ANY":
		c.Mode, c.Names = llm.ChoiceRequired, allowed
		if len(allowed) == 1 {
			c.Mode = llm.ChoiceNamed
		}
	default:
		return fmt.Errorf("want AUTO, ANY, NONE or VALIDATED, got %q", forms.Excerpt(mode, 40))
	}
	return nil
}

// strictTools says of every function what the mode says of all.
func (d *requestReader) strictTools() {
	for i := range d.req.Tools {
		if t := &d.req.Tools[i]; t.Opaque == nil {
			strict := true
			t.Strict = &strict
		}
	}
}
