package docs_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinks follows every link of a page of ours to another file of ours.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	links := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == ".venv" || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			to, err := url.Parse(found[1])
			if err != nil || to.IsAbs() || to.Path == "" {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(to.Path))); err != nil {
				t.Errorf("%s: got a link to %s, want one to what there is: %v", path, found[1], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 5 {
		t.Errorf("got %d links between pages, want more", links)
	}
}

// TestDecisions holds each note to its number, which no other has, to a date and to a page.
func TestDecisions(t *testing.T) {
	notes, err := filepath.Glob("decisions/*.md")
	if err != nil || len(notes) < 10 {
		t.Fatalf("got %d notes (%v), want some", len(notes), err)
	}
	form := regexp.MustCompile(`^# (\d+)\. \S.*\n\nDate: (\d{4}-\d\d-\d\d)\b`)
	numbers, before := map[string]string{}, ""
	for _, note := range notes { // in the order of their numbers
		text, err := os.ReadFile(note)
		if err != nil {
			t.Fatal(err)
		}
		head := form.FindStringSubmatch(string(text))
		if head == nil {
			t.Errorf("%s: got no title with a number and no date below it, want both", note)
			continue
		}
		number := fmt.Sprintf("%04s", head[1])
		if !strings.HasPrefix(filepath.Base(note), number+"-") {
			t.Errorf("%s: got number %s in its title, want that of its name", note, head[1])
		}
		if other, taken := numbers[number]; taken {
			t.Errorf("%s: got the number of %s, want one of its own", note, other)
		}
		numbers[number] = note
		if head[2] < before {
			t.Errorf("%s: got date %s, want none before that of an earlier note", note, head[2])
		}
		before = head[2]
		const page = 50
		if n := strings.Count(string(text), "\n"); n > page {
			t.Errorf("%s: got %d lines, want one page, of at most %d", note, n, page)
		}
	}
}
