package gemini

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
)

// spec reads the properties of schemas in the vendor's description, and skips the test where it is not at hand.
func spec(t *testing.T, file string) map[string]map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "specs", "google", file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the vendor's description of the API is not beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	type schemas map[string]struct {
		Properties map[string]any `yaml:"properties"`
	}
	var doc struct {
		Components struct {
			Schemas schemas `yaml:"schemas"`
		} `yaml:"components"`
		Schemas schemas `yaml:"schemas"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, list := range []schemas{doc.Components.Schemas, doc.Schemas} {
		for name, schema := range list {
			all[name] = schema.Properties
		}
	}
	return all
}

// TestEveryFieldHasARow holds the table of fields against the vendor's own descriptions of a request.
func TestEveryFieldHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, f := range fields() {
		rows[f.Path] = true
	}
	const gemini, vertex = "gemini-v1beta.openapi.yaml", "vertex-v1.schemas.yaml"
	const declaration = "tools[].functionDeclarations[]."
	for _, c := range []struct {
		file, schema, prefix string
		except               []string
	}{
		{gemini, "GenerateContentRequest", "", nil},
		{vertex, "GenerateContentRequest", "", nil},
		{gemini, "GenerationConfig", "generationConfig.", nil},
		{vertex, "GenerationConfig", "generationConfig.", nil},
		{gemini, "ThinkingConfig", "generationConfig.thinkingConfig.", nil},
		{gemini, "ToolConfig", "toolConfig.", nil},
		{vertex, "ToolConfig", "toolConfig.", nil},
		{gemini, "FunctionCallingConfig", "toolConfig.functionCallingConfig.", nil},
		{vertex, "FunctionCallingConfig", "toolConfig.functionCallingConfig.", nil},
		{gemini, "FunctionDeclaration", declaration, nil},
		{vertex, "FunctionDeclaration", declaration, nil},
		{gemini, "FunctionResponse", "contents[].parts[].functionResponse.", []string{"id", "name", "parts"}},
		// What a part may be, which is read, and the code that the vendor runs, which has a row of its own.
		{gemini, "Part", "contents[].parts[].", []string{
			"text", "thought", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse",
		}},
	} {
		properties := spec(t, c.file)[c.schema]
		if len(properties) == 0 {
			t.Errorf("%s: got no properties of %s", c.file, c.schema)
		}
		for name := range properties {
			if !rows[c.prefix+name] && !slices.Contains(c.except, name) {
				t.Errorf("%s: %s: got no row for %s%s", c.file, c.schema, c.prefix, name)
			}
		}
	}
}

// TestEveryFinishReasonIsKnown holds the words for why an answer ended against the vendor's lists.
func TestEveryFinishReasonIsKnown(t *testing.T) {
	known := []string{"OTHER", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED"}
	property, ok := spec(t, "gemini-v1beta.openapi.yaml")["Candidate"]["finishReason"].(map[string]any)
	if !ok {
		t.Fatal("got no finishReason in the description")
	}
	list, ok := property["enum"].([]any)
	if !ok || len(list) < 10 {
		t.Fatalf("got %v, want the list of reasons", property["enum"])
	}
	for _, v := range list {
		raw, _ := v.(string)
		if stopReason(raw) == "other" && !slices.Contains(known, raw) {
			t.Errorf("%s: got it as other, want a reason of its own", raw)
		}
	}
}
