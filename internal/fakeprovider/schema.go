package fakeprovider

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

const maxSchemaDepth = 16

// example makes a value that satisfies a JSON schema: every property, the first enum value, the
// smallest allowed number, two characters more than needed. Local references are followed.
func example(schema any) any {
	root, _ := schema.(map[string]any)
	return exampleAt(root, schema, 0)
}

func exampleAt(root map[string]any, schema any, depth int) any {
	m, ok := schema.(map[string]any)
	if !ok || depth > maxSchemaDepth {
		return nil
	}
	if ref, ok := m["$ref"].(string); ok {
		return exampleAt(root, resolve(root, ref), depth+1)
	}
	if v, ok := m["const"]; ok {
		return v
	}
	if v, ok := m["enum"].([]any); ok && len(v) > 0 {
		return v[0]
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := m[key].([]any); ok && len(list) > 0 {
			return exampleAt(root, list[0], depth+1)
		}
	}
	switch kindOf(m) {
	case "object":
		return exampleObject(root, m, depth)
	case "array":
		n := max(int(number(m["minItems"])), 1)
		var list []any
		for range n {
			list = append(list, exampleAt(root, m["items"], depth+1))
		}
		return list
	case "integer", "number":
		if v, ok := m["minimum"]; ok {
			return v
		}
		if v, ok := m["exclusiveMinimum"]; ok {
			return number(v) + 1
		}
		return 7
	case "boolean":
		return true
	case "null":
		return nil
	}
	return exampleString(m)
}

func exampleObject(root, m map[string]any, depth int) any {
	props, _ := m["properties"].(map[string]any)
	out := map[string]any{}
	for name, p := range props {
		required := contains(m["required"], name)
		if depth >= maxSchemaDepth/2 && !required {
			continue
		}
		out[name] = exampleAt(root, p, depth+1)
	}
	return out
}

func exampleString(m map[string]any) string {
	switch m["format"] {
	case "date":
		return "2026-01-01"
	case "date-time":
		return "2026-01-01T00:00:00Z"
	case "email":
		return "a@example.com"
	case "uri":
		return "https://example.com/"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	}
	s := "Oslo ☀"
	if n := int(number(m["minLength"])); len([]rune(s)) < n {
		s += strings.Repeat("x", n)
	}
	if n, ok := m["maxLength"]; ok {
		s = string([]rune(s)[:min(int(number(n)), len([]rune(s)))])
	}
	return s
}

// kindOf returns a schema's type, the first of several, guessed where it is missing.
func kindOf(m map[string]any) string {
	switch t := m["type"].(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			s, _ := t[0].(string)
			return s
		}
	}
	if m["properties"] != nil || len(m) == 0 {
		return "object"
	}
	if m["items"] != nil {
		return "array"
	}
	return "string"
}

func resolve(root map[string]any, ref string) any {
	var at any = root
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	for _, step := range strings.Split(strings.Trim(path, "/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		if step != "" {
			at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		}
	}
	return at
}

// strictness returns what a strict mode refuses in a schema, or "". all asks for every property to
// be required (OpenAI); bare refuses bounds of numbers and strings (Anthropic).
func strictness(schema any, all, bare bool) string {
	switch v := schema.(type) {
	case []any:
		for _, e := range v {
			if why := strictness(e, all, bare); why != "" {
				return why
			}
		}
	case map[string]any:
		if why := strictObject(v, all, bare); why != "" {
			return why
		}
		for key, e := range v {
			switch key {
			case "enum", "const", "default", "examples", "required":
				continue
			case "properties", "$defs", "definitions":
				e = values(e)
			}
			if why := strictness(e, all, bare); why != "" {
				return why
			}
		}
	}
	return ""
}

func strictObject(m map[string]any, all, bare bool) string {
	if t, _ := m["type"].(string); t == "object" {
		if m["additionalProperties"] != false {
			return "'additionalProperties' is required to be supplied and to be false."
		}
		props, _ := m["properties"].(map[string]any)
		for name := range props {
			if all && !contains(m["required"], name) {
				return "'required' is required to be supplied and to be an array including every key in properties. Missing '" + name + "'."
			}
		}
	}
	refused := []string{"not", "if", "dependentRequired"}
	if all {
		refused = append(refused, "allOf", "default")
	}
	if bare {
		refused = append(refused, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "oneOf")
	}
	for _, key := range refused {
		if _, ok := m[key]; ok {
			return "'" + key + "' is not permitted."
		}
	}
	return ""
}

func values(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	var list []any
	for _, e := range m {
		list = append(list, e)
	}
	return list
}

func contains(list any, name string) bool {
	l, _ := list.([]any)
	return slices.Contains(l, any(name))
}

func number(v any) float64 {
	switch n := v.(type) {
	case json.Number:
		f, _ := n.Float64()
		return f
	case float64:
		return n
	case int:
		return float64(n)
	}
	return 0
}

// compact writes v as JSON without the HTML escapes of encoding/json.
func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("BUG: fake provider cannot write its own value: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
