package gemini

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// openAPISchema reads a Schema, the vendor's subset of OpenAPI's, as a JSON Schema: types in lower case, null as a
// type, numbers as numbers, and properties in the order that is asked for. What it does not know stays as it is.
func openAPISchema(v jsontext.Value) ([]byte, error) {
	if v.Kind() != jsontext.Object {
		return nil, jsontext.Mismatch("object", v)
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, len(v)+32))
	err := writeOpenAPI(&w, v)
	return w.Bytes(), err
}

// writeOpenAPI writes one value, whatever it returns.
func writeOpenAPI(w *jsontext.Writer, v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		w.Null()
		return jsontext.Mismatch("object", v)
	}
	s := openAPIWriter{w: w, nullable: string(v.Get("nullable")) == "true"}
	if order := get(v, "propertyOrdering"); order.Kind() == jsontext.Array {
		_ = order.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
			s.order = append(s.order, forms.TextOf(v))
			return nil
		})
	}
	w.BeginObject()
	err := members(v, s.member)
	w.EndObject()
	return err
}

// openAPIWriter writes one schema.
type openAPIWriter struct {
	w        *jsontext.Writer
	nullable bool
	order    []string
}

func (s *openAPIWriter) member(key string, v jsontext.Value) error {
	w := s.w
	switch key {
	case "type", "type_": // as some clients write their language's word
		w.Key("type")
		s.types(v)
	case "nullable", "propertyOrdering":
	case "format":
		if f := forms.TextOf(v); f != "enum" { // says what enum does
			w.RawField(key, v)
		}
	case "enum":
		w.Key(key)
		s.enum(v)
	case "items", "not", "additionalProperties":
		if v.Kind() != jsontext.Object {
			w.RawField(key, v)
			return nil
		}
		w.Key(key)
		return writeOpenAPI(w, v)
	case "anyOf":
		return s.list(key, v)
	case "properties":
		return s.properties(v)
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		w.Key(key)
		w.Raw(number(v))
	case "example":
		w.Key("examples")
		w.BeginArray()
		w.Raw(v)
		w.EndArray()
	default:
		w.RawField(key, v)
	}
	return nil
}

// types writes a type in JSON Schema's words. The vendor knows types by number too.
func (s *openAPIWriter) types(v jsontext.Value) {
	name := strings.ToLower(forms.TextOf(v))
	if n, err := v.Int(); err == nil {
		known := [...]string{"", "string", "number", "integer", "boolean", "array", "object", "null"}
		if n > 0 && n < int64(len(known)) {
			name = known[n]
		}
	}
	switch {
	case name == "" || name == "type_unspecified":
		s.w.Raw(v)
	case s.nullable && name != "null":
		s.w.BeginArray()
		s.w.String(name)
		s.w.String("null")
		s.w.EndArray()
	default:
		s.w.String(name)
	}
}

// enum writes the allowed values, null among them where it is allowed.
func (s *openAPIWriter) enum(v jsontext.Value) {
	if !s.nullable || v.Kind() != jsontext.Array {
		s.w.Raw(v)
		return
	}
	hasNull := false
	s.w.BeginArray()
	_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and f returns no error
		hasNull = hasNull || v.Kind() == jsontext.Null
		s.w.Raw(v)
		return nil
	})
	if !hasNull {
		s.w.Null()
	}
	s.w.EndArray()
}

func (s *openAPIWriter) list(key string, v jsontext.Value) error {
	s.w.Key(key)
	s.w.BeginArray()
	err := v.Array(func(_ int, v jsontext.Value) error { return writeOpenAPI(s.w, v) })
	s.w.EndArray()
	return err
}

// properties writes the properties in the order that is asked for, and then the others.
func (s *openAPIWriter) properties(v jsontext.Value) error {
	s.w.Key("properties")
	s.w.BeginObject()
	write := func(key string, v jsontext.Value) error {
		s.w.Key(key)
		return writeOpenAPI(s.w, v)
	}
	var err error
	done := make([]string, 0, len(s.order))
	for _, key := range s.order {
		if m := v.Get(key); m != nil && err == nil && !slices.Contains(done, key) {
			done = append(done, key)
			err = jsontext.At(key, write(key, m))
		}
	}
	if err == nil {
		err = v.Object(func(key string, v jsontext.Value) error {
			if slices.Contains(done, key) {
				return nil
			}
			return write(key, v)
		})
	}
	s.w.EndObject()
	return err
}

// number is a number that may be spelled as text, as the vendor spells large ones.
func number(v jsontext.Value) jsontext.Value {
	if inner := jsontext.Value(forms.TextOf(v)); inner.Kind() == jsontext.Number {
		if n, err := inner.Int(); err == nil {
			return jsontext.AppendInt(nil, n)
		}
	}
	return v
}
