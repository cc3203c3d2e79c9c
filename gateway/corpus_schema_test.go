package gateway_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// schemas are what a vendor's API description says of requests and answers.
type schemas struct {
	name              dialect.Name
	request, response *jsonschema.Schema
}

// described says where the descriptions are. Bedrock's is none in JSON Schema.
var described = map[dialect.Name][2]string{
	dialect.OpenAIChat:        {"openai/openai.yaml#/components/schemas/CreateChatCompletionRequest", "openai/openai.yaml#/components/schemas/CreateChatCompletionResponse"},
	dialect.OpenAIResponses:   {"openai/openai.yaml#/components/schemas/CreateResponse", "openai/openai.yaml#/components/schemas/Response"},
	dialect.OpenAIEmbeddings:  {"openai/openai.yaml#/components/schemas/CreateEmbeddingRequest", "openai/openai.yaml#/components/schemas/CreateEmbeddingResponse"},
	dialect.AnthropicMessages: {"anthropic/anthropic.openapi.yaml#/components/schemas/CreateMessageParams", "anthropic/anthropic.openapi.yaml#/components/schemas/Message"},
	dialect.GeminiGenerate:    {"google/gemini-v1beta.openapi.yaml#/components/schemas/GenerateContentRequest", "google/gemini-v1beta.openapi.yaml#/components/schemas/GenerateContentResponse"},
	dialect.CohereChat:        {"cohere/cohere-v2.openapi.yaml#/paths/~1v2~1chat/post/requestBody/content/application~1json/schema", "cohere/cohere-v2.openapi.yaml#/components/schemas/ChatResponseV2"},
	dialect.CohereEmbed:       {"cohere/cohere-v2.openapi.yaml#/paths/~1v2~1embed/post/requestBody/content/application~1json/schema", "cohere/cohere-v2.openapi.yaml#/components/schemas/EmbedByTypeResponse"},
	dialect.CohereRerank:      {"cohere/cohere-v2.openapi.yaml#/paths/~1v2~1rerank/post/requestBody/content/application~1json/schema", "cohere/cohere-v2.openapi.yaml#/paths/~1v2~1rerank/post/responses/200/content/application~1json/schema"},
	dialect.OllamaChat:        {"ollama/ollama.openapi.yaml#/components/schemas/ChatRequest", "ollama/ollama.openapi.yaml#/components/schemas/ChatResponse"},
	dialect.OllamaEmbed:       {"ollama/ollama.openapi.yaml#/components/schemas/EmbedRequest", "ollama/ollama.openapi.yaml#/components/schemas/EmbedResponse"},
	dialect.GeminiEmbedBatch:  {"google/gemini-v1beta.openapi.yaml#/components/schemas/BatchEmbedContentsRequest", "google/gemini-v1beta.openapi.yaml#/components/schemas/BatchEmbedContentsResponse"},
}

// describedAs compiles what the description of a dialect says; nil if there is none.
func describedAs(t *testing.T, name dialect.Name) *schemas {
	t.Helper()
	at, ok := described[name]
	if !ok {
		return nil
	}
	return &schemas{name: name, request: compileSchema(t, at[0]), response: compileSchema(t, at[1])}
}

func (s *schemas) holdRequest(t *testing.T, what string, body []byte) {
	t.Helper()
	if s != nil {
		s.hold(t, what+": request", s.request, body)
	}
}

func (s *schemas) holdResponse(t *testing.T, what string, body []byte) {
	t.Helper()
	if s != nil {
		s.hold(t, what+": answer", s.response, body)
	}
}

func (s *schemas) hold(t *testing.T, what string, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: got no JSON: %v\n%.500s", what, err, body)
		return
	}
	if answer, ok := value.(map[string]any); ok && answer["usage"] == nil {
		delete(answer, "usage")
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: got what %s's description forbids: %v\n%.400s", what, s.name, err, body)
	}
}

// descriptions are the API descriptions that have been read, by file.
type descriptions struct {
	sync.Mutex
	parsed   map[string]any
	compiled map[string]*jsonschema.Schema
}

var read = descriptions{parsed: map[string]any{}, compiled: map[string]*jsonschema.Schema{}}

// compileSchema reads a schema in a vendor's API description.
func compileSchema(t *testing.T, at string) *jsonschema.Schema {
	t.Helper()
	read.Lock()
	defer read.Unlock()
	if s := read.compiled[at]; s != nil {
		return s
	}
	file, pointer, _ := strings.Cut(at, "#")
	if read.parsed[file] == nil {
		read.parsed[file] = parseDescription(t, file)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("spec.json", read.parsed[file]); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("spec.json#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	read.compiled[at] = schema
	return schema
}

func parseDescription(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dialecttest.Reference(t), "specs", file))
	if err != nil {
		t.Fatal(err)
	}
	// An example that is nothing but line ends is beyond the parser, and no part of the schema.
	text = bytes.ReplaceAll(text, []byte("example: |2+\n\n"), []byte("example: x\n"))
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	tidySchema(doc)
	relax(doc)
	encoded, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// tidySchema makes a description that mixes OpenAPI 3.0 and 3.1 plain JSON Schema: "nullable" becomes a type, a choice
// for which a discriminator decides is one of any, and what the parsers do not read is left out: a bound that is beyond
// their numbers, and recursion by the words of an older draft.
func tidySchema(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			tidySchema(item)
		}
	case map[string]any:
		for _, key := range []string{"minimum", "maximum"} {
			if _, text := v[key].(string); text {
				delete(v, key)
			}
		}
		delete(v, "$recursiveAnchor")
		delete(v, "$recursiveRef")
		if list, ok := v["oneOf"]; ok && v["discriminator"] != nil {
			delete(v, "oneOf")
			v["anyOf"] = list
		}
		if required, ok := v["required"].([]any); ok {
			v["required"] = slices.DeleteFunc(required, func(name any) bool { return isOptional(v, name) })
		}
		if v["nullable"] == true {
			if one, ok := v["type"].(string); ok {
				v["type"] = []any{one, "null"}
			}
			for _, key := range []string{"oneOf", "anyOf"} {
				if list, ok := v[key].([]any); ok {
					v[key] = append(list, map[string]any{"type": "null"})
				}
			}
		}
		for _, item := range v {
			tidySchema(item)
		}
	}
}

// isOptional reports whether a member that a schema demands may be missing all the same: what the schema does not
// describe, and what recorded exchanges do without. Anthropic's description demands the citations of every text, where a
// widely used client refuses the null that could stand for none; OpenAI's the detail of every image, and the usage of
// every response, which is not to be made up where the vendor does not count.
func isOptional(schema map[string]any, name any) bool {
	properties, ok := schema["properties"].(map[string]any)
	key, _ := name.(string)
	return ok && properties[key] == nil || slices.Contains([]string{"citations", "detail", "usage"}, key)
}

// relax lets an earlier message of the assistant's be its texts alone, as OpenAI was recorded to take it.
func relax(doc any) {
	components, _ := doc.(map[string]any)["components"].(map[string]any)
	all, _ := components["schemas"].(map[string]any)
	for name, required := range map[string][]any{"OutputMessage": {"role", "content"}, "OutputTextContent": {"type", "text"}} {
		if schema, ok := all[name].(map[string]any); ok {
			schema["required"] = required
		}
	}
}
