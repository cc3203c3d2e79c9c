package anthropic

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
)

// spec reads the properties of schemas in the vendor's description, and skips the test where it is not at hand.
func spec(t *testing.T, file string) map[string]map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "specs", "anthropic", file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the vendor's description of the API is not beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `yaml:"properties"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for name, schema := range doc.Components.Schemas {
		all[name] = schema.Properties
	}
	return all
}

// TestEveryFieldHasARow holds the table of fields against the vendor's own descriptions of a request.
func TestEveryFieldHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, f := range fields() {
		rows[f.Path] = true
	}
	headers := map[string]bool{"anthropic-beta": true, "anthropic-user-profile-id": true}
	for _, c := range []struct{ file, schema, prefix string }{
		{"anthropic.openapi.yaml", "CreateMessageParams", ""},
		{"anthropic-sdk-types.yaml", "MessageCreateParams.MessageCreateParamsBase", ""},
		{"anthropic-sdk-types-beta.yaml", "BetaMessageCreateParams.MessageCreateParamsBase", ""},
		{"anthropic-sdk-types.yaml", "OutputConfigParam", "output_config."},
		{"anthropic-sdk-types-beta.yaml", "BetaOutputConfigParam", "output_config."},
		{"anthropic-sdk-types.yaml", "MetadataParam", "metadata."},
		{"anthropic-sdk-types.yaml", "ThinkingConfigEnabledParam", "thinking."},
		{"anthropic-sdk-types.yaml", "ThinkingConfigAdaptiveParam", "thinking."},
		{"anthropic-sdk-types.yaml", "ToolParam", "tools[]."},
	} {
		properties := spec(t, c.file)[c.schema]
		if len(properties) == 0 {
			t.Errorf("%s: got no properties of %s", c.file, c.schema)
		}
		for name := range properties {
			if !rows[c.prefix+name] && !headers[name] {
				t.Errorf("%s: %s: got no row for %s%s", c.file, c.schema, c.prefix, name)
			}
		}
	}
}
