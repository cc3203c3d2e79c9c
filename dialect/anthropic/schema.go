package anthropic

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// answerSchema is the schema of a structured answer as the vendor enforces it. What the format's description says
// is kept in the schema.
func (e *encoder) answerSchema(f *llm.Format) []byte {
	return e.enforceable(forms.Described(f, e.lose), f.Strict != nil && *f.Strict, llm.FeatureJSONSchema)
}

// enforceable returns schema itself, or a copy in which objects are closed and the keywords that the vendor does
// not enforce stand in the descriptions. Nothing else is changed, and members keep their order.
func (e *encoder) enforceable(schema []byte, strict bool, f llm.Feature) []byte {
	r := schemaRewriter{}
	out := r.node(schema)
	if r.loosened {
		e.lose(f, llm.ActionApproximated, llm.Tuning, "oneOf is enforced as anyOf: the target has only that")
	}
	if r.stripped {
		e.lose(f, llm.ActionApproximated, llm.Tuning, "limits that the target does not enforce are said in the descriptions")
	}
	switch {
	case r.opened:
		e.lose(f, llm.ActionApproximated, llm.Tuning, "additional properties are forbidden: the target allows none")
	case r.closed && strict:
		e.lose("additional_properties", llm.ActionRepaired, llm.Harmless, "said to be false where the schema left it open")
	}
	return out
}

// schemaRewriter rewrites a schema and notes what it did.
type schemaRewriter struct {
	stripped bool // a keyword became words
	loosened bool // oneOf became anyOf
	closed   bool // additionalProperties was absent
	opened   bool // additionalProperties was allowed
}

// The keywords whose values are schemas, lists of schemas, or schemas by name.
func holdsSchemas(key string) (one, list, named bool) {
	switch key {
	case "items", "not", "if", "then", "else", "contains":
		return true, key == "items", false
	case "anyOf", "oneOf", "allOf", "prefixItems":
		return false, true, false
	case "properties", "$defs", "definitions", "patternProperties", "dependentSchemas":
		return false, false, true
	}
	return false, false, false
}

// isUnenforced reports whether the vendor refuses a keyword in a schema that it enforces. Its page on structured
// outputs names no numeric limits, no lengths, and of array sizes only minItems 0 and 1.
func isUnenforced(key string, v jsontext.Value) bool {
	switch key {
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties":
		return true
	case "minItems":
		return string(v) != "0" && string(v) != "1"
	}
	return false
}

// node rewrites one schema. It returns v itself if nothing is to be changed.
func (r *schemaRewriter) node(v jsontext.Value) []byte {
	if v.Kind() != jsontext.Object {
		return v
	}
	limits := unenforced(v)
	n := nodeWriter{rewriter: r, limits: limits, changed: len(limits) > 0, hasAny: v.Get("anyOf") != nil}
	n.w.Reset(make([]byte, 0, len(v)+64))
	n.w.BeginObject()
	_ = v.Object(n.member) // v is an object, and member returns no error
	if len(n.limits) > 0 {
		n.w.StringField("description", describe("", n.limits))
	}
	if n.isObject && !n.closed {
		r.closed, n.changed = true, true
		n.w.BoolField("additionalProperties", false)
	}
	n.w.EndObject()
	r.stripped = r.stripped || len(limits) > 0
	if !n.changed {
		return v
	}
	return n.w.Bytes()
}

// unenforced says the keywords of a schema that the vendor does not enforce.
func unenforced(v jsontext.Value) []string {
	var limits []string
	_ = v.Object(func(key string, m jsontext.Value) error { // v is an object, and f returns no error
		if isUnenforced(key, m) {
			limits = append(limits, key+" "+string(jsontext.Compact(nil, m)))
		}
		return nil
	})
	return limits
}

// nodeWriter writes one schema anew.
type nodeWriter struct {
	rewriter *schemaRewriter
	w        jsontext.Writer
	limits   []string // not yet said
	changed  bool
	hasAny   bool // the schema has an anyOf of its own
	isObject bool // the schema is for objects
	closed   bool // it says something of additional properties
}

func (n *nodeWriter) member(key string, v jsontext.Value) error {
	switch {
	case isUnenforced(key, v), isMisspelt(key):
		return nil
	case key == "description" && len(n.limits) > 0:
		n.w.StringField(key, describe(forms.TextOf(v), n.limits))
		n.limits = nil
		return nil
	case key == "oneOf" && !n.hasAny:
		key = "anyOf"
		n.rewriter.loosened, n.changed = true, true
	case key == "additionalProperties":
		n.closed = true
		if string(v) != "false" {
			n.rewriter.opened, n.changed = true, true
			v = jsontext.Value("false")
		}
	case key == "type":
		n.isObject = n.isObject || hasType(v, "object")
	case key == "properties":
		n.isObject = true
	}
	inner := n.rewriter.member(key, v)
	n.changed = n.changed || string(inner) != string(v)
	n.w.RawField(key, inner)
	return nil
}

// isMisspelt reports whether a keyword differs only by case from one that is written anew. It means nothing in a schema,
// and beside the other it would leave open which of them a reader takes.
func isMisspelt(key string) bool {
	for _, written := range [...]string{"description", "anyOf", "additionalProperties"} {
		if key != written && strings.EqualFold(key, written) {
			return true
		}
	}
	return false
}

func describe(description string, limits []string) string {
	said := "Limits: " + strings.Join(limits, ", ") + "."
	if description == "" {
		return said
	}
	return description + " " + said
}

// hasType reports whether a schema's type is, or lists, name.
func hasType(v jsontext.Value, name string) bool {
	found := is(v, name)
	if v.Kind() == jsontext.Array {
		_ = v.Array(func(_ int, t jsontext.Value) error { // v is an array, and f returns no error
			found = found || is(t, name)
			return nil
		})
	}
	return found
}

// member rewrites the schemas in the value of one keyword.
func (r *schemaRewriter) member(key string, v jsontext.Value) []byte {
	one, list, named := holdsSchemas(key)
	var w jsontext.Writer
	w.Reset(make([]byte, 0, len(v)+64))
	same := true
	add := func(inner, old []byte) {
		same = same && string(inner) == string(old)
		w.Raw(inner)
	}
	switch {
	case one && v.Kind() == jsontext.Object:
		return r.node(v)
	case list && v.Kind() == jsontext.Array:
		w.BeginArray()
		_ = v.Array(func(_ int, m jsontext.Value) error { // v is an array, and f returns no error
			add(r.node(m), m)
			return nil
		})
		w.EndArray()
	case named && v.Kind() == jsontext.Object:
		w.BeginObject()
		_ = v.Object(func(name string, m jsontext.Value) error { // v is an object, and f returns no error
			w.Key(name)
			add(r.node(m), m)
			return nil
		})
		w.EndObject()
	default:
		return v
	}
	if same {
		return v
	}
	return w.Bytes()
}
