package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestAnswerSchemas(t *testing.T) {
	for _, c := range []struct{ name, schema, want, losses string }{
		{
			"T108, T112: one that is enforceable keeps its bytes",
			`{ "type":"object", "properties":{"z":{"$ref":"#/$defs/n"},"a":{"type":"integer"}}, "$defs":{"n":{"type":"string"}}, "additionalProperties":false }`,
			`{ "type":"object", "properties":{"z":{"$ref":"#/$defs/n"},"a":{"type":"integer"}}, "$defs":{"n":{"type":"string"}}, "additionalProperties":false }`, "",
		},
		{
			"T110: objects are closed",
			`{"type":"object","properties":{"o":{"type":["object","null"],"properties":{}}},"anyOf":[{"type":"object"}]}`,
			`{"type":"object","properties":{"o":{"type":["object","null"],"properties":{},"additionalProperties":false}},"anyOf":[{"type":"object","additionalProperties":false}],"additionalProperties":false}`,
			"additional_properties=repaired(harmless)",
		},
		{
			"A40: limits become words, in their place",
			`{"type":"object","properties":{"s":{"description":"A name","type":"string","minLength":1,"maxLength":5},"n":{"minimum":1,"type":"integer"}},"required":["s"],"additionalProperties":false}`,
			`{"type":"object","properties":{"s":{"description":"A name Limits: minLength 1, maxLength 5.","type":"string"},"n":{"type":"integer","description":"Limits: minimum 1."}},"required":["s"],"additionalProperties":false}`,
			"json_schema=approximated(tuning)",
		},
		{
			"open objects",
			`{"type":"object","additionalProperties":{"type":"string"}}`,
			`{"type":"object","additionalProperties":false}`, "json_schema=approximated(tuning)",
		},
		{
			"properties named like keywords",
			`{"type":"object","properties":{"minimum":{"type":"string"},"description":{"type":"string"}},"additionalProperties":false}`,
			`{"type":"object","properties":{"minimum":{"type":"string"},"description":{"type":"string"}},"additionalProperties":false}`, "",
		},
		{
			"values are not schemas",
			`{"enum":[{"minimum":1}],"default":{"type":"object"},"const":{"maxLength":1}}`,
			`{"enum":[{"minimum":1}],"default":{"type":"object"},"const":{"maxLength":1}}`, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := conversation(user("x"))
			req.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(c.schema), Strict: ptr(true)}
			enc := encode(t, req, llm.ModelFacts{})
			want(t, enc.Body, "output_config.format.schema", c.want)
			wantLosses(t, enc, c.losses)
			if string(req.Format.Schema) != c.schema {
				t.Errorf("the request's schema: got %s, want it left alone", req.Format.Schema)
			}
		})
	}
}

func TestToolSchemas(t *testing.T) {
	loose := `{"properties":{"a":{"type":"string","minLength":1}}, "oneof":1}`
	req := conversation(user("x"))
	req.Tools = []llm.Tool{{Name: "none"}, {Name: "loose", Schema: []byte(loose)}, {Name: "strict", Schema: []byte(loose), Strict: ptr(true)}}
	enc := encode(t, req, llm.ModelFacts{})
	want(t, enc.Body, "tools", `[{"name":"none","input_schema":{"type":"object","properties":{}}},`+
		`{"name":"loose","input_schema":{"properties":{"a":{"type":"string","minLength":1}}, "oneof":1,"type":"object"}},`+
		`{"name":"strict","input_schema":{"properties":{"a":{"type":"string","description":"Limits: minLength 1."}},"oneof":1,"type":"object","additionalProperties":false},"strict":true}]`)
	wantLosses(t, enc, "tool_strict=approximated(tuning) additional_properties=repaired(harmless)")

	req.Tools = []llm.Tool{{Name: "either", Schema: []byte(`{"anyOf":[{"type":"object"}]}`)}}
	_, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m"})
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || !strings.Contains(e.Message, "either") {
		t.Errorf("anyOf at the top: got %v, want the tool named as unsupported", err)
	}
}

// FuzzSchema holds that any schema becomes one that is JSON, and that is the same when it is rewritten again.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"a":{"$ref":"#/definitions/A","description":"x"}},"definitions":{"A":{"oneOf":[{"const":1},true]}}}`,
		`{"allOf":[{"anyOf":[{"type":["object","null"],"minProperties":1}]}],"exclusiveMinimum":3,"enum":[1,null,true],"items":[{}],"prefixItems":[]}`,
		`{"type":"object","properties":{"minimum":{"minimum":1e9,"pattern":"\"","description":7}},"additionalProperties":{"type":"string"}}`,
		`{"type":"object","additionalproperties":true,"Description":"x","minimum":1,"oneOf":[{}],"anyof":[{}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		v, err := jsontext.Parse(schema)
		if err != nil || v.Kind() != jsontext.Object {
			return
		}
		e := encoder{}
		got := e.enforceable(schema, true, llm.FeatureJSONSchema)
		if parsed, err := jsontext.Parse(got); err != nil || parsed.Kind() != jsontext.Object {
			t.Fatalf("got what is no JSON object: %v\n%s", err, got)
		}
		again := encoder{}
		if twice := again.enforceable(got, true, llm.FeatureJSONSchema); string(twice) != string(got) {
			t.Errorf("a second time: got\n%s\nwant\n%s", twice, got)
		}
	})
}
