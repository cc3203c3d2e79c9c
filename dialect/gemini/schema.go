package gemini

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// jsonSchema is a JSON Schema as the vendor takes it in the members for one [vtx:GenerationConfig.responseJsonSchema].
// What it does not take stands in the descriptions instead, and is reported under f.
func (e *encoder) jsonSchema(schema []byte, f llm.Feature) []byte {
	r := schemaRewriter{}
	out := r.schema(schema)
	switch {
	case r.stripped:
		e.lose(f, llm.ActionApproximated, llm.Tuning, "what the target does not enforce of a schema is said in its descriptions")
	case r.annotations:
		e.lose("schema_annotations", llm.ActionDropped, llm.Harmless, "members of a schema that say nothing of the value")
	}
	return out
}

// schemaRewriter rewrites a schema and notes what it did. Members keep their order.
type schemaRewriter struct {
	stripped    bool // a keyword became words
	annotations bool // one that says nothing of the value was left out
}

// takes reports how the vendor takes a keyword.
func takes(key string) (asIs bool) {
	switch key {
	case "$id", "$anchor", "type", "format", "title", "description", "minItems", "maxItems", "minimum", "maximum",
		"required", "propertyOrdering":
		return true
	}
	return false
}

// isAnnotation reports whether a keyword says nothing of the value that a model could go by.
func isAnnotation(key string) bool {
	switch key {
	case "$schema", "$comment", "$vocabulary", "deprecated", "readOnly", "writeOnly":
		return true
	}
	return false
}

// schema rewrites one schema. A schema that is true or false is one that allows anything: the vendor has no other.
func (r *schemaRewriter) schema(v jsontext.Value) []byte {
	if v.Kind() != jsontext.Object {
		if string(v) != "true" {
			r.stripped = true
		}
		return []byte("{}")
	}
	members := membersOf(v)
	if named(members, "$ref") != nil {
		return r.reference(members)
	}
	n := schemaWriter{r: r}
	n.w.Reset(make([]byte, 0, len(v)+64))
	n.nullable = string(named(members, "nullable")) == "true"
	n.hasEnum = named(members, "enum").Kind() == jsontext.Array
	n.limits = r.limits(members, n.hasEnum)
	if unmet := n.describe(members); len(unmet) > 0 {
		r.stripped = true
		n.limits = append(n.limits, "required "+strings.Join(unmet, ", "))
	}
	n.w.BeginObject()
	for _, m := range members {
		n.member(m.Key, m.Raw)
	}
	if len(n.limits) > 0 {
		n.w.StringField("description", withLimits("", n.limits))
	}
	n.w.EndObject()
	return n.w.Bytes()
}

// membersOf lists an object's members, so that its text, with all that is deeper in it, is gone over once; nil if it is
// none.
func membersOf(v jsontext.Value) (list []llm.Member) {
	if v.Kind() == jsontext.Object {
		_ = v.Object(func(key string, v jsontext.Value) error { // it is an object, and f returns no error
			list = append(list, llm.Member{Key: key, Raw: v})
			return nil
		})
	}
	return list
}

func named(members []llm.Member, key string) jsontext.Value {
	for i := range members {
		if members[i].Key == key {
			return members[i].Raw
		}
	}
	return nil
}

// reference rewrites a schema that refers to another: the vendor takes nothing beside that.
func (r *schemaRewriter) reference(members []llm.Member) []byte {
	var w, inner jsontext.Writer
	target := forms.TextOf(named(members, "$ref"))
	if rest, ok := strings.CutPrefix(target, "#/definitions/"); ok {
		target = "#/$defs/" + rest
	}
	inner.BeginObject()
	inner.StringField("$ref", target)
	inner.EndObject()
	if len(members) == 1 {
		return inner.Bytes()
	}
	w.BeginObject()
	w.Key("anyOf")
	w.BeginArray()
	w.Raw(inner.Bytes())
	w.EndArray()
	for _, m := range members {
		switch m.Key {
		case "$ref":
		case "anyOf":
			r.stripped = true
		default:
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	return r.schema(w.Bytes())
}

// limits says the keywords of a schema that the vendor does not take.
func (r *schemaRewriter) limits(members []llm.Member, hasEnum bool) []string {
	var limits []string
	for i := range members {
		key, m := members[i].Key, jsontext.Value(members[i].Raw)
		switch {
		case takes(key), holdsSchemas(key), isAnnotation(key), key == "nullable", key == "enum" && isPlainEnum(m),
			key == "const" && isPlainValue(m) && !hasEnum, key == "allOf" && soleOf(m) != nil:
		default:
			limits = append(limits, key+" "+forms.Excerpt(string(jsontext.Compact(nil, m)), maxLimit))
		}
	}
	r.stripped = r.stripped || len(limits) > 0
	return limits
}

// maxLimit bounds what is said of one keyword, in bytes.
const maxLimit = 400

// holdsSchemas reports whether the vendor takes a keyword whose value is, or holds, schemas.
func holdsSchemas(key string) bool {
	switch key {
	case "properties", "$defs", "definitions", "items", "prefixItems", "anyOf", "oneOf", "additionalProperties":
		return true
	}
	return false
}

// isPlainValue reports whether a value may stand in an enum.
func isPlainValue(v jsontext.Value) bool {
	return v.Kind() == jsontext.String || v.Kind() == jsontext.Number
}

// isPlainEnum reports whether an enum holds what the vendor takes, and null, which becomes a type.
func isPlainEnum(v jsontext.Value) bool {
	plain := v.Kind() == jsontext.Array
	n := 0
	_ = v.Array(func(_ int, v jsontext.Value) error { // f returns no error
		if v.Kind() != jsontext.Null {
			n++
			plain = plain && isPlainValue(v)
		}
		return nil
	})
	return plain && n > 0
}

// soleOf is the only element of a list, if it is an object.
func soleOf(v jsontext.Value) jsontext.Value {
	var sole jsontext.Value
	n := 0
	if v.Kind() != jsontext.Array {
		return nil
	}
	_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
		n++
		sole = v
		return nil
	})
	if n != 1 || sole.Kind() != jsontext.Object {
		return nil
	}
	return sole
}

// schemaWriter writes one schema anew.
type schemaWriter struct {
	r        *schemaRewriter
	w        jsontext.Writer
	limits   []string // not yet said
	nullable bool
	hasEnum  bool
	hasAny   bool // anyOf is written
	hasDefs  bool // $defs is
	hasList  bool // prefixItems is

	properties []llm.Member
	described  map[string]bool // the names of properties; nil if nothing is required that is none
}

func (n *schemaWriter) member(key string, v jsontext.Value) {
	w := &n.w
	switch {
	case key == "type":
		w.Key(key)
		n.types(v)
	case key == "description":
		w.StringField(key, withLimits(forms.TextOf(v), n.limits))
		n.limits = nil
	case key == "enum" && isPlainEnum(v):
		w.Key(key)
		n.enum(v)
	case key == "const" && isPlainValue(v) && !n.hasEnum:
		w.Key("enum")
		w.BeginArray()
		w.Raw(v)
		w.EndArray()
	case key == "required" && n.described != nil:
		n.required(v)
	case takes(key):
		w.RawField(key, v)
	case holdsSchemas(key):
		n.schemas(key, v)
	case key == "allOf" && soleOf(v) != nil && !n.hasAny:
		n.any([]jsontext.Value{soleOf(v)})
	case isAnnotation(key):
		n.r.annotations = true
	}
}

func withLimits(description string, limits []string) string {
	if len(limits) == 0 {
		return description
	}
	said := "Limits: " + strings.Join(limits, ", ") + "."
	if description == "" {
		return said
	}
	return description + " " + said
}

// types writes a type, with null where the schema says so by another word.
func (n *schemaWriter) types(v jsontext.Value) {
	if !n.nullable || v.Kind() != jsontext.String || is(v, "null") {
		n.w.Raw(v)
		return
	}
	n.w.BeginArray()
	n.w.Raw(v)
	n.w.String("null")
	n.w.EndArray()
}

// describe notes the properties, and returns what the schema requires and does not describe: the vendor refuses that. A
// schema without properties may stand beside one that has them.
func (n *schemaWriter) describe(members []llm.Member) (unmet []string) {
	properties, required := named(members, "properties"), named(members, "required")
	n.properties = membersOf(properties)
	if properties.Kind() != jsontext.Object || required.Kind() != jsontext.Array {
		return nil
	}
	described := make(map[string]bool, len(n.properties))
	for i := range n.properties {
		described[n.properties[i].Key] = true
	}
	_ = required.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
		if name := forms.TextOf(v); !described[name] {
			unmet = append(unmet, forms.Excerpt(name, maxLimit))
			n.described = described
		}
		return nil
	})
	return unmet
}

// required writes the names of the properties that there are.
func (n *schemaWriter) required(v jsontext.Value) {
	n.w.Key("required")
	n.w.BeginArray()
	_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
		if n.described[forms.TextOf(v)] {
			n.w.Raw(v)
		}
		return nil
	})
	n.w.EndArray()
}

// enum writes the values other than null, which is a type's business.
func (n *schemaWriter) enum(v jsontext.Value) {
	n.w.BeginArray()
	_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
		if v.Kind() != jsontext.Null {
			n.w.Raw(v)
		}
		return nil
	})
	n.w.EndArray()
}

// schemas writes the schemas in the value of one keyword.
func (n *schemaWriter) schemas(key string, v jsontext.Value) {
	w, r := &n.w, n.r
	switch {
	case key == "anyOf" || key == "oneOf":
		var list []jsontext.Value
		if v.Kind() == jsontext.Array {
			_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
				list = append(list, v)
				return nil
			})
		}
		n.any(list)
	case key == "additionalProperties" && v.Kind() == jsontext.Bool:
		w.RawField(key, v)
	case v.Kind() == jsontext.Array && (key == "items" || key == "prefixItems") && !n.hasList:
		n.hasList = true
		w.Key("prefixItems") // as lists were called in older drafts
		w.BeginArray()
		_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
			w.Raw(r.schema(v))
			return nil
		})
		w.EndArray()
	case key == "items" && v.Kind() != jsontext.Array, key == "additionalProperties":
		w.RawField(key, r.schema(v))
	case v.Kind() == jsontext.Object && key != "prefixItems" && (key == "properties" || !n.hasDefs):
		list := n.properties
		if key != "properties" {
			key, n.hasDefs, list = "$defs", true, membersOf(v)
		}
		w.Key(key)
		w.BeginObject()
		for _, m := range list {
			w.RawField(m.Key, r.schema(m.Raw))
		}
		w.EndObject()
	default:
		r.stripped = true
	}
}

// any writes alternatives. A schema that has several lists of them keeps the first.
func (n *schemaWriter) any(list []jsontext.Value) {
	if n.hasAny || len(list) == 0 {
		n.r.stripped = true
		return
	}
	n.hasAny = true
	n.w.Key("anyOf")
	n.w.BeginArray()
	for _, v := range list {
		n.w.Raw(n.r.schema(v))
	}
	n.w.EndArray()
}
