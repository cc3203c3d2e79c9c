package docs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// caseID is a case of translation, or a span of them.
var caseID = regexp.MustCompile(`(?:\b|Test)T(\d{3})(?: to T(\d{3}))?(?:\D|$)`)

// TestCasesHaveTests holds that every case of translation that went wrong elsewhere is named by a test of ours, or has
// its reason in the decision note why it is not.
func TestCasesHaveTests(t *testing.T) {
	list, err := os.ReadFile("../../shared/cases/translation-bugs.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the list of cases is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	note, err := os.ReadFile("decisions/0017-cases-of-translation.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons, tested := map[string]bool{}, testedCases(t)
	for line := range strings.Lines(string(note)) {
		if id, rest, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && caseID.MatchString(id) {
			reasons[id] = len(rest) > len(" x |\n")
		}
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		id, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !ok || !caseID.MatchString(id) {
			continue
		}
		known[id] = true
		if !tested[id] && !reasons[id] {
			t.Errorf("%s: got neither a test that names it nor a reason in the note", id)
		}
	}
	for id := range reasons {
		if !known[id] || tested[id] {
			t.Errorf("%s: got a reason for no test in the note, want it gone: there is a test, or no such case", id)
		}
	}
}

// testedCases lists the cases that the tests of the module name.
func testedCases(t *testing.T) map[string]bool {
	t.Helper()
	named := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "cases_test.go" && filepath.Dir(path) == "." {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range caseID.FindAllStringSubmatch(string(text), -1) {
			first, _ := strconv.Atoi(m[1])
			last, err := strconv.Atoi(m[2])
			if err != nil { // no span
				last = first
			}
			for n := first; n <= last; n++ {
				named[fmt.Sprintf("T%03d", n)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// TestWireFactsHaveTests holds that every paragraph of what vendors really send has rows in the tests of such facts.
func TestWireFactsHaveTests(t *testing.T) {
	list, err := os.ReadFile("../../shared/cases/wire-facts.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the list of facts is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../dialect/wirefacts_test.go")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{
		"OpenAI Chat Completions and its relatives": "chat ", "Responses": "responses", "Anthropic": "anthropic", "Gemini": "gemini",
		"Bedrock": "bedrock", "Cohere and others": "cohere", "Error bodies": "errors",
	}
	rows, prefix := 0, ""
	for line := range strings.Lines(string(list)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			if prefix, ok = of[title]; !ok {
				t.Errorf("got a chapter %q of which the tests have nothing, want rows", title)
			}
		}
		number, _, isRow := strings.Cut(line, ". ")
		if _, err := strconv.Atoi(number); prefix != "chat " {
			number, isRow = "", strings.HasPrefix(line, "## ")
		} else if err != nil {
			continue
		}
		if !isRow {
			continue
		}
		rows++
		if name := prefix + number + ", "; !strings.Contains(string(tests), `{"`+name) {
			t.Errorf("%s: got no test of that name, want one", name)
		}
	}
	if rows < 17 {
		t.Errorf("got %d rows, want all of the list", rows)
	}
}
