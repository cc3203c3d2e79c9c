package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTooLarge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(file, []byte(strings.Repeat("# padding\n", maxFile/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(file, catalog{})
	if want := "large.yaml:104858:1: got more than 1MiB up to this line"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func TestAbsent(t *testing.T) {
	_, err := Load("testdata/absent.yaml", catalog{})
	var p Problem
	if !errors.As(err, &p) || !strings.HasPrefix(err.Error(), "testdata/absent.yaml: cannot be opened: ") {
		t.Errorf("got %v, want a Problem that says it cannot be opened", err)
	}
}

// TestBombs feeds what makes YAML parsers slow; each must be refused with its line
// well before anybody gets impatient (S50).
func TestBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&laughs, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d]\n", i+1, i+1, i, i, i, i)
	}
	for name, text := range map[string]string{
		"anchors": laughs.String(),
		"flow":    "listen: " + strings.Repeat("[", 500_000),
		"maps":    strings.Repeat("{a: ", 200_000),
		"entries": "listen: 1\nx:\n" + strings.Repeat("- ", 400_000),
		"keys":    strings.Repeat("? ", 400_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse("f", []byte(text), catalog{})
			var p Problem
			if !errors.As(err, &p) || p.Line == 0 {
				t.Errorf("got %v, want a Problem with a line", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("got an answer after %v, want it at once", took)
			}
		})
	}
}

// TestNoSecrets puts a key wherever somebody may by mistake; no problem may quote it (S79).
func TestNoSecrets(t *testing.T) {
	const secret = "sk-canary4f9a1c77e2"
	for _, text := range []string{
		"providers: {openai: {key: %s}}",
		"providers: {openai: {key: env:%s}}",
		"providers: {openai: %s}",
		"providers: {openai: {key: [%s]}}",
		"providers: {openai: {key: {%s}}}",
		"providers: {openai: {key: {{%s}}}}",
		"providers: {openai: {key: {env: %s}}}",
		"providers: {openai: {key: {command: %s}}}",
		"providers: {openai: {key: command:echo %s}}",
		"providers: {openai: {key: {command: [./echo, %s]}}}",
		"providers: {openai: {key: {command: [echo, %s], every: -1s}}}",
		"access: {secret: {command: [echo, %s]}}",
		"providers: %s",
		"%s",
		"providers: {openai: {key: \"%s}}",
		"providers:\n  openai:\n   key: %s\n  - x",
		"providers: {openai: {headers: {Authorization: Bearer %s}}}",
		"providers: {openai: {base_url: \"https://u:%s@example.com\"}}",
		"providers: {openai: {base_url: \"https://example.com?key=%s\"}}",
		"providers: {openai: {base_url: \"http://[%s\"}}",
	} {
		_, err := Parse("f", []byte(strings.ReplaceAll(text, "%s", secret)), catalog{})
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v, want a problem without the secret", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.good.yaml", "testdata/*.bad.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data, catalog{})
		switch {
		case err == nil:
			for _, m := range c.Models {
				for _, target := range append([]Target{m.Lead}, m.Understudies...) {
					if _, ok := c.Provider(target.Provider); !ok {
						t.Errorf("accepted %s, whose provider is not there", target)
					}
				}
			}
		case err.Error() == "":
			t.Error("got an error without words, want some")
		case strings.Contains(strings.TrimSpace(err.Error()), "\n\n"):
			t.Errorf("got an empty problem in %q, want words", err)
		}
	})
}
