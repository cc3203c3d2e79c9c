package bedrock

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// shape is a part of the service description that AWS publishes.
type shape struct {
	Members map[string]struct {
		Shape string `json:"shape"`
	} `json:"members"`
	Enum []string `json:"enum"`
}

// spec reads the shapes of the vendor's description, and skips the test where it is not at hand.
func spec(t *testing.T) map[string]shape {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "specs", "bedrock", "bedrock-runtime.service.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the vendor's description of the API is not beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Shapes map[string]shape `json:"shapes"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Shapes
}

// TestEveryFieldHasARow holds the table of fields against the vendor's own description of a request.
func TestEveryFieldHasARow(t *testing.T) {
	shapes := spec(t)
	rows := map[string]bool{}
	for _, f := range fields() {
		rows[f.Path] = true
	}
	for _, c := range []struct{ shape, prefix string }{
		{"ConverseRequest", ""},
		{"ConverseStreamRequest", ""},
		{"InferenceConfiguration", "inferenceConfig."},
		{"ToolConfiguration", "toolConfig."},
		{"ToolSpecification", "toolConfig.tools[].toolSpec."},
		{"OutputConfig", "outputConfig."},
		{"SystemContentBlock", "system[]."},
	} {
		members := shapes[c.shape].Members
		if len(members) == 0 {
			t.Errorf("got no members of %s", c.shape)
		}
		for name := range members {
			if !rows[c.prefix+name] {
				t.Errorf("%s: got no row for %s%s", c.shape, c.prefix, name)
			}
		}
	}
	// What stands under other names of the table, or is part of what every dialect has.
	covered := []string{"text", "toolUse", "toolResult", "toolAddition", "toolRemoval", "guardContent", "cachePoint"}
	for name := range shapes["ContentBlock"].Members {
		if !rows["messages[].content[]."+name] && !slices.Contains(covered, name) {
			t.Errorf("ContentBlock: got no row for %s", name)
		}
	}
}

// TestWordsOfTheDescription holds the words in the code against the vendor's lists.
func TestWordsOfTheDescription(t *testing.T) {
	shapes := spec(t)
	for _, format := range shapes["DocumentFormat"].Enum {
		if got := documentFormat(documentType(format)); got != format {
			t.Errorf("document format %s: got %q back", format, got)
		}
	}
	for _, format := range shapes["ImageFormat"].Enum {
		if got := imageFormat(imageType(format)); got != format {
			t.Errorf("image format %s: got %q back", format, got)
		}
	}
	for _, format := range shapes["AudioFormat"].Enum {
		if got := audioFormat(audioType(format)); got != format && format != "mpeg" { // which is mp3
			t.Errorf("audio format %s: got %q back", format, got)
		}
	}
	for _, word := range shapes["StopReason"].Enum {
		if stop := readStop(jsontext.Plain([]byte(`{"stopReason":"` + word + `"}`))); stop.Reason == "" || stop.Reason == "other" {
			t.Errorf("stop reason %s: got %q", word, stop.Reason)
		}
	}
	for name := range shapes["ConverseStreamOutput"].Members {
		if _, known := dialect.CodeOfException(name); !isKnown(name) && !known {
			t.Errorf("event %s: got it unknown", name)
		}
	}
	for name := range shapes {
		if strings.HasSuffix(name, "Exception") {
			if _, known := dialect.CodeOfException(name); !known {
				t.Errorf("exception %s: got it unknown", name)
			}
		}
	}
}
