package gemini

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestJSONSchema(t *testing.T) {
	const tuning, harmless = "json_schema=approximated(tuning)", "schema_annotations=dropped(harmless)"
	for _, c := range []struct{ name, schema, want, losses string }{
		{"what the vendor takes stays", `{"type":"object","properties":{"b":{"type":["string","null"],"format":"date"},"a":{"enum":[1,2]}},"required":["b"],"additionalProperties":false}`, "", ""},
		{
			"T103", `{"$schema":"x","type":"object","properties":{"n":{"type":"integer","exclusiveMinimum":0,"multipleOf":2,"description":"Count."},"l":{"type":"array","uniqueItems":true,"items":{"type":"string","pattern":"^a"}}},"additionalProperties":false}`,
			`{"type":"object","properties":{"n":{"type":"integer","description":"Count. Limits: exclusiveMinimum 0, multipleOf 2."},` +
				`"l":{"type":"array","items":{"type":"string","description":"Limits: pattern \"^a\"."},"description":"Limits: uniqueItems true."}},"additionalProperties":false}`, tuning,
		},
		{"annotations", `{"$schema":"x","type":"object","$comment":"y","readOnly":true}`, `{"type":"object"}`, harmless},
		{"const", `{"type":"object","properties":{"a":{"const":"x"},"b":{"const":true}}}`, `{"type":"object","properties":{"a":{"enum":["x"]},"b":{"description":"Limits: const true."}}}`, tuning},
		{"null in an enum", `{"type":["string","null"],"enum":["a",null]}`, `{"type":["string","null"],"enum":["a"]}`, ""},
		{"nullable", `{"type":"string","nullable":true}`, `{"type":["string","null"]}`, ""},
		{"oneOf", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"string"},{"type":"number"}]}`, ""},
		{"an allOf of one", `{"description":"d","allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"type":"string"}}}`, `{"description":"d","anyOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"type":"string"}}}`, ""},
		{"an allOf of two", `{"type":"object","allOf":[{"required":["a"]},{"required":["b"]}]}`, `{"type":"object","description":"Limits: allOf [{\"required\":[\"a\"]},{\"required\":[\"b\"]}]."}`, tuning},
		{
			"older drafts", `{"definitions":{"A":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/A"}},"items":[{"type":"string"}]}`,
			`{"$defs":{"A":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/A"}},"prefixItems":[{"type":"string"}]}`, "",
		},
		{"beside a reference", `{"properties":{"a":{"$ref":"#/$defs/A","description":"d"}}}`, `{"properties":{"a":{"anyOf":[{"$ref":"#/$defs/A"}],"description":"d"}}}`, ""},
		{"a cycle", `{"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}},"$ref":"#/$defs/N"}`, `{"anyOf":[{"$ref":"#/$defs/N"}],"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}}`, ""},
		{"true and false", `{"properties":{"a":true,"b":false}}`, `{"properties":{"a":{},"b":{}}}`, tuning},
		{"a default", `{"type":"string","default":"x","description":"d"}`, `{"type":"string","description":"d Limits: default \"x\"."}`, tuning},
		{"lists twice", `{"items":[{}],"prefixItems":[{}],"$defs":{},"definitions":{}}`, `{"prefixItems":[{}],"$defs":{}}`, tuning},
		{"choices twice", `{"anyOf":[{"type":"string"}],"oneOf":[{"type":"number"}]}`, `{"anyOf":[{"type":"string"}]}`, tuning},
	} {
		e := encoder{}
		got := e.jsonSchema([]byte(c.schema), llm.FeatureJSONSchema)
		expected := c.want
		if expected == "" {
			expected = c.schema
		}
		if string(got) != expected || lossNames(e.losses) != c.losses {
			t.Errorf("%s: got\n%s %v\nwant\n%s %s", c.name, got, lossNames(e.losses), expected, c.losses)
		}
		again := encoder{}
		if twice := again.jsonSchema(got, llm.FeatureJSONSchema); string(twice) != string(got) || len(again.losses) > 0 {
			t.Errorf("%s: a second time: got\n%s %v\nwant\n%s", c.name, twice, again.losses, got)
		}
	}
}

func TestOpenAPISchema(t *testing.T) {
	for _, c := range []struct{ name, schema, want string }{
		{
			"types, null and numbers as text", `{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true,"maxLength":"5"},"b":{"type":3}},"required":["a"]}`,
			`{"type":"object","properties":{"a":{"type":["string","null"],"maxLength":5},"b":{"type":"integer"}},"required":["a"]}`,
		},
		{
			"the order of properties", `{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"STRING"},"c":{"type":"STRING"}},"property_ordering":["c","x","a"]}`,
			`{"type":"object","properties":{"c":{"type":"string"},"a":{"type":"string"},"b":{"type":"string"}}}`,
		},
		{"enums", `{"type":"STRING","format":"enum","enum":["a","b"],"nullable":true}`, `{"type":["string","null"],"enum":["a","b",null]}`},
		{"choices and lists", `{"any_of":[{"type":"ARRAY","items":{"type":"NUMBER"},"min_items":"1"},{"type":"NULL"}],"example":7}`, `{"anyOf":[{"type":"array","items":{"type":"number"},"minItems":1},{"type":"null"}],"examples":[7]}`},
		{"JSON Schema, as some send it", `{"type":"object","properties":{"type":{"type":"string","enum":["x"]}},"additionalProperties":false}`, `{"type":"object","properties":{"type":{"type":"string","enum":["x"]}},"additionalProperties":false}`},
	} {
		got, err := openAPISchema(jsontext.Value(c.schema))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v want %s", c.name, got, err, c.want)
		}
	}
	for _, schema := range []string{
		`7`, `{"properties":[]}`, `{"items":{"anyOf":{}}}`, `{"properties":{"a":7}}`,
		`{"properties":{"a":7,"b":{}},"propertyOrdering":["b","a"]}`, `{"anyOf":[{"items":{"properties":{"a":[]},"propertyOrdering":["a","x"]}}]}`,
	} {
		if got, err := openAPISchema(jsontext.Value(schema)); err == nil {
			t.Errorf("%s: got %s, want it refused", schema, got)
		}
	}
}

// FuzzSchema holds that any schema becomes one that is JSON, that names no keyword the vendor refuses, and that is the
// same when it is rewritten again.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"a":{"$ref":"#/definitions/A","description":"x"}},"definitions":{"A":{"oneOf":[{"const":1},true]}}}`,
		`{"allOf":[{"anyOf":[{"type":"STRING","nullable":true}]}],"exclusiveMinimum":3,"enum":[1,null,true],"items":[{}],"prefixItems":[]}`,
		`{"any_of":[{"min_items":"7"}],"propertyOrdering":["b","a"],"properties":{"a":{},"b":{"example":{}}}}`,
		`{"propertyOrdering":["a"],"properties":{"a":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		v, err := jsontext.Parse(schema)
		if err != nil || v.Kind() != jsontext.Object {
			return
		}
		e := encoder{}
		got := e.jsonSchema(v, llm.FeatureJSONSchema)
		parsed, err := jsontext.Parse(got)
		if err != nil {
			t.Fatalf("got what is no JSON: %v\n%s", err, got)
		}
		if refused := refusedKeyword(parsed); refused != "" {
			t.Errorf("got the keyword %q in %s", refused, got)
		}
		again := encoder{}
		if twice := again.jsonSchema(got, llm.FeatureJSONSchema); string(twice) != string(got) {
			t.Errorf("a second time: got\n%s\nwant\n%s", twice, got)
		}
		if open, err := openAPISchema(v); err == nil {
			if err := jsontext.Check(open, jsontext.Limits{AllowDuplicates: true, Depth: 1000}); err != nil {
				t.Errorf("openAPISchema: got what is no JSON: %v\n%s", err, open)
			}
		}
	})
}

// refusedKeyword finds a keyword that the vendor does not take.
func refusedKeyword(v jsontext.Value) (found string) {
	_ = v.Object(func(key string, m jsontext.Value) error {
		inner := func(v jsontext.Value) {
			if f := refusedKeyword(v); f != "" {
				found = f
			}
		}
		switch key {
		case "properties", "$defs":
			_ = m.Object(func(_ string, m jsontext.Value) error { inner(m); return nil })
		case "anyOf", "prefixItems":
			_ = m.Array(func(_ int, m jsontext.Value) error { inner(m); return nil })
		case "items", "additionalProperties":
			inner(m)
		case "$ref", "enum":
		default:
			if !takes(key) {
				found = key
			}
		}
		return nil
	})
	return strings.TrimSpace(found)
}
