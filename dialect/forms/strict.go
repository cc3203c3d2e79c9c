package forms

import (
	"errors"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// errLoose ends a walk through a schema that strict mode does not take.
var errLoose = errors.New("schema is not strict")

// FitsStrict reports whether the vendor's strict mode takes a schema: every object is closed, all of its properties
// are required, and none of the keywords it refuses is used
// (https://platform.openai.com/docs/guides/structured-outputs).
func FitsStrict(schema []byte) bool {
	v := Trim(schema)
	return v.Get("anyOf") == nil && strictNode(v) == nil
}

// strictNode checks one schema and those below it.
func strictNode(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return errLoose
	}
	required := 0
	properties := 0
	err := v.Object(func(key string, v jsontext.Value) error {
		switch key {
		case "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "oneOf", "patternProperties", "default":
			return errLoose
		case "required":
			return v.Array(func(int, jsontext.Value) error { required++; return nil })
		case "properties":
			return v.Object(func(_ string, v jsontext.Value) error { properties++; return strictNode(v) })
		case "$defs", "definitions":
			return v.Object(func(_ string, v jsontext.Value) error { return strictNode(v) })
		case "items":
			return strictNode(v)
		case "anyOf":
			return v.Array(func(_ int, v jsontext.Value) error { return strictNode(v) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	isObject := properties > 0 || mentionsObject(v.Get("type"))
	if isObject && (string(v.Get("additionalProperties")) != "false" || required < properties) {
		return errLoose
	}
	return nil
}

// mentionsObject reports whether a schema's type is, or may be, object.
func mentionsObject(v jsontext.Value) bool {
	found := string(v) == `"object"`
	if v.Kind() == jsontext.Array {
		_ = v.Array(func(_ int, v jsontext.Value) error {
			found = found || string(v) == `"object"`
			return nil
		})
	}
	return found
}
