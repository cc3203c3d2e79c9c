package jsontext

import (
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	const doc = `{"type":"delta","index":0,"delta":{"text":"a"},"note":null,"list":[1]}`
	for name, tc := range map[string]struct {
		doc  string
		same bool
	}{
		"itself":             {doc, true},
		"other values":       {`{"type":"delta","index":-12.5e3,"delta":{"text":"\"{[null \\"},"note":null,"list":[]}`, true},
		"space":              {` { "type" : "delta", "index":1 , "delta":{ "text":""},"note" :null, "list":[2,3]} `, true},
		"another type":       {`{"type":"other","index":0,"delta":{"text":"a"},"note":null,"list":[1]}`, false},
		"one member more":    {`{"type":"delta","index":0,"delta":{"text":"a","more":1},"note":null,"list":[1]}`, false},
		"one member less":    {`{"type":"delta","index":0,"delta":{},"note":null,"list":[1]}`, false},
		"another place":      {`{"type":"delta","index":0,"delta":{},"text":"a","note":null,"list":[1]}`, false},
		"another name":       {`{"type":"delta","index":0,"delta":{"test":"a"},"note":null,"list":[1]}`, false},
		"something for null": {`{"type":"delta","index":0,"delta":{"text":"a"},"note":5,"list":[1]}`, false},
		"text for a number":  {`{"type":"delta","index":"0","delta":{"text":"a"},"note":null,"list":[1]}`, false},
		"objects in a list":  {`{"type":"delta","index":0,"delta":{"text":"a"},"note":null,"list":[{}]}`, false},
		"broken":             {`{"type":"delta","index`, false},
	} {
		if same := Shape([]byte(tc.doc)) == Shape([]byte(doc)); same != tc.same {
			t.Errorf("%s: got the same shape: %v, want %v", name, same, tc.same)
		}
	}
	seen := make(map[uint64]string)
	for _, name := range []string{"a", "b", "aa", "ab", "ba", "abcdefg", "abcdefh", "abcdefgh", "abcdefgi", "abcdefghi", "\\u0061"} {
		for _, doc := range []string{`{"` + name + `":1}`, `[{"` + name + `":1}]`, `{"` + name + `":{}}`, `{"` + name + `":""}`, `{"` + name + `":null}`} {
			h := Shape([]byte(doc))
			if seen[h] != "" {
				t.Errorf("got the same shape of %s and %s", seen[h], doc)
			}
			seen[h] = doc
		}
	}
}

func BenchmarkShape(b *testing.B) {
	doc := []byte(`{"id":"chatcmpl-123456789","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5-2025-08-07","service_tier":"default",` +
		`"system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" understudy"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aBcDe"}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if Shape(doc) == 0 {
			b.Fatal("got nothing")
		}
	}
}

func TestIsAlike(t *testing.T) {
	const doc = `{"type":"delta","index":0,"delta":{"text":"a word of some length"},"note":null}`
	for name, tc := range map[string]struct {
		doc   string
		alike bool
	}{
		"itself, but for the text": {`{"type":"delta","index":0,"delta":{"text":"another"},"note":null}`, true},
		"no text":                  {`{"type":"delta","index":0,"delta":{"text":""},"note":null}`, true},
		"brackets in the text":     {`{"type":"delta","index":0,"delta":{"text":"a null {[ length"},"note":null}`, true},
		"a member in the text":     {`{"type":"delta","index":0,"delta":{"text":"a","more":"length"},"note":null}`, false},
		"a quote in the text":      {`{"type":"delta","index":0,"delta":{"text":"a \" length"},"note":null}`, true},
		"a backslash at the end":   {`{"type":"delta","index":0,"delta":{"text":"a\\"},"note":null}`, true},
		"another number":           {`{"type":"delta","index":12,"delta":{"text":"a word of some length"},"note":null}`, true},
		"two differences":          {`{"type":"delta","index":7,"delta":{"text":"\\\""},"note":null}`, true},
		"no number":                {`{"type":"delta","index":null,"delta":{"text":"a word of some length"},"note":null}`, false},
		"a longer type":            {`{"type":"delta2","index":0,"delta":{"text":"a word of some length"},"note":null}`, false},
		"another type":             {`{"type":"other","index":0,"delta":{"text":"a word of some length"},"note":null}`, false},
		"another name":             {`{"type":"delta","index":0,"delta":{"test":"a word of some length"},"note":null}`, false},
		"something for null":       {`{"type":"delta","index":0,"delta":{"text":"a word of some length"},"note":5}`, false},
		"one member more":          {`{"type":"delta","index":0,"delta":{"text":"a word of some length"},"note":null,"more":1}`, false},
		"an object more":           {`{"type":"delta","index":0,"delta":{"text":"a word of some length"},"more":{},"note":null}`, false},
		"no object":                {`7`, false},
		"nothing":                  {``, false},
	} {
		if got := IsAlike([]byte(doc), []byte(tc.doc)); got != tc.alike {
			t.Errorf("%s: got %v want %v", name, got, tc.alike)
		}
		if got := IsAlike([]byte(tc.doc), []byte(doc)); got != tc.alike {
			t.Errorf("%s, the other way: got %v want %v", name, got, tc.alike)
		}
		if tc.alike && Shape([]byte(doc)) != Shape([]byte(tc.doc)) {
			t.Errorf("%s: got another shape", name)
		}
	}
}

func BenchmarkIsAlike(b *testing.B) {
	doc := `{"id":"chatcmpl-123456789","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5-2025-08-07","service_tier":"default",` +
		`"system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" understudy"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aBcDe"}`
	a, c := []byte(doc), []byte(strings.NewReplacer(" understudy", " stage", "aBcDe", "fGhIjKlM").Replace(doc))
	b.ReportAllocs()
	for b.Loop() {
		if !IsAlike(a, c) {
			b.Fatal("got false")
		}
	}
}
