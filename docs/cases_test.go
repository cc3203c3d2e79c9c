package docs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A list of cases is held against the tests that name them. What a row is called in the list, `T001`, is what the
// test says: in its own name, or in a comment.
type caseList struct {
	file string
	note string // of the reasons why some have no test
	part string // of the note, a heading; empty for all of it
	row  *regexp.Regexp
	// in and beside narrow that to tests whose names begin so, and to all others; either may be nil.
	in, beside *regexp.Regexp
}

const (
	noteOfTranslation = "decisions/0017-cases-of-translation.md"
	noteOfLedger      = "decisions/0030-a-ledger-that-is-killed.md"
	noteOfAttacks     = "decisions/0031-attacks-and-how-they-are-held.md"
)

// scenarios are the tests of the sixteen scenarios of the list of fail-over, which are called as rows of the list of
// attacks are.
var scenarios = regexp.MustCompile(`^TestS\d`)

// tiers are the tests of service tiers, of which the list of fail-over has a row that is called as one of the list of
// acceptance is.
var tiers = regexp.MustCompile(`^TestServiceTier`)

var caseLists = []caseList{
	{file: "translation-bugs.md", note: noteOfTranslation, row: regexp.MustCompile(`^T\d{3}$`)},
	{file: "security.md", note: noteOfAttacks, part: "## Attacks", row: regexp.MustCompile(`^S\d{1,3}$`), beside: scenarios},
	{file: "failover-bugs.md", note: noteOfAttacks, part: "## Fail-over", row: regexp.MustCompile(`^S\d\d$`), in: scenarios},
	{file: "failover-bugs.md", note: noteOfAttacks, part: "## Fail-over", row: regexp.MustCompile(`^F\d\d$`)},
	{file: "ledger.md", note: noteOfLedger, part: "## Faults", row: regexp.MustCompile(`^K\d\d?$`)},
	{file: "ledger.md", note: noteOfLedger, part: "## Invariants", row: regexp.MustCompile(`^I\d\d?$`)},
	{file: "failover-bugs.md", note: noteOfAttacks, part: "## Fail-over", row: regexp.MustCompile(`^A08$`), in: tiers},
	{file: "acceptance.md", note: noteOfAttacks, part: "## Acceptance", row: regexp.MustCompile(`^A\d\d$`), beside: tiers},
}

// TestCasesHaveTests holds that every case that went wrong elsewhere, and every attack, is named by a test of ours, or
// has its reason in a decision note why it is not. A reason that begins with "with" is about what is not there yet.
func TestCasesHaveTests(t *testing.T) {
	said := sayings(t)
	for _, l := range caseLists {
		list, err := os.ReadFile("../../shared/cases/" + l.file)
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("the lists of cases are not here")
		}
		if err != nil {
			t.Fatal(err)
		}
		reasons, tested := l.reasons(t), l.tested(said)
		known := map[string]bool{}
		for line := range strings.Lines(string(list)) {
			id, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |")
			if !ok || !l.row.MatchString(id) {
				continue
			}
			known[id] = true
			if !tested[id] && reasons[id] == "" {
				t.Errorf("%s %s: got neither a test that names it nor a reason in the note", l.file, id)
			}
		}
		if len(known) == 0 {
			t.Errorf("%s: got no rows %s, want some", l.file, l.row)
		}
		for id, reason := range reasons {
			if !known[id] || tested[id] && !strings.HasPrefix(reason, "with ") {
				t.Errorf("%s %s: got a reason for no test in the note, want it gone: there is a test, or no such case", l.file, id)
			}
		}
	}
}

// reasons are those of the note, by the case.
func (l *caseList) reasons(t *testing.T) map[string]string {
	t.Helper()
	note, err := os.ReadFile(l.note)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(note), l.part)
	if !ok {
		t.Fatalf("%s: got no part %q", l.note, l.part)
	}
	if l.part != "" {
		text, _, _ = strings.Cut(text, "\n## ")
	}
	reasons := map[string]string{}
	for line := range strings.Lines(text) {
		cell, rest, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		reason := strings.Trim(rest, " |\n")
		if !ok || reason == "" {
			continue
		}
		for _, id := range rowsIn(cell) {
			if l.row.MatchString(id) {
				reasons[id] = reason
			}
		}
	}
	return reasons
}

// tested are the cases that tests name.
func (l *caseList) tested(said []saying) map[string]bool {
	named := map[string]bool{}
	for _, s := range said {
		if l.in != nil && !l.in.MatchString(s.test) || l.beside != nil && l.beside.MatchString(s.test) {
			continue
		}
		for _, id := range rowsIn(s.text) {
			named[id] = l.row.MatchString(id)
		}
	}
	return named
}

// rows are `S1`, `S1, S2` and `S1 to S5`, and in names `S1S2` and `S1ToS5`.
var rows = regexp.MustCompile(`([A-Z])(\d{1,3})(?:(?: to |To)[A-Z](\d{1,3}))?(?:\D|$)`)

func rowsIn(text string) (ids []string) {
	for begin := 0; begin < len(text); {
		m := rows.FindStringSubmatchIndex(text[begin:])
		if m == nil {
			break
		}
		part := func(i int) string { return text[begin+m[2*i] : begin+m[2*i+1]] }
		last := 2
		if m[2*3] >= 0 {
			last = 3
		}
		if before := begin + m[0] - 1; before < 0 || text[before] < 'A' || text[before] > 'Z' { // else it is the end of a word
			first, _ := strconv.Atoi(part(2))
			end, _ := strconv.Atoi(part(last))
			for n := first; n <= end; n++ {
				ids = append(ids, fmt.Sprintf("%s%0*d", part(1), len(part(2)), n))
			}
		}
		begin += m[2*last+1]
	}
	return ids
}

// saying is what a line of a test file says of cases: a test's name, a comment, a case's name in a table.
type saying struct {
	test string // the function that the line is in, or begins
	text string
}

var (
	testName = regexp.MustCompile(`^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	comment  = regexp.MustCompile(`//.*|"[^"]*\b[A-Z]\d\d\d?\b[^"]*"`)
)

// sayings reads all test files of the module but this one.
func sayings(t *testing.T) []saying {
	t.Helper()
	var all []saying
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") || path == filepath.Join("..", "docs", "cases_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all = append(all, sayingsOf(string(text))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sayingsOf(text string) []saying {
	var all []saying
	lines := slices.Collect(strings.Lines(text))
	test := ""
	for i := range slices.Backward(lines) { // a comment stands above what it is of
		if m := testName.FindStringSubmatch(lines[i]); m != nil {
			test = m[1]
			all = append(all, saying{test, test})
		}
		for _, c := range comment.FindAllString(lines[i], -1) {
			all = append(all, saying{test, c})
		}
	}
	return all
}

// TestCasesAreFound holds the search itself to what it should find.
func TestCasesAreFound(t *testing.T) {
	const file = `package x

// TestOne is S1 and S3 to S5.
func TestAttackS7ToS9S30(t *testing.T) {
	x := S40 // not said: only code
}

func TestS10Other(t *testing.T) {}
`
	security, scenario := caseLists[1], caseLists[2]
	got := security.tested(sayingsOf(file))
	for _, want := range []string{"S1", "S3", "S4", "S5", "S7", "S8", "S9", "S30"} {
		if !got[want] {
			t.Errorf("got no %s, want it found", want)
		}
	}
	if got["S40"] || got["S10"] || got["S6"] {
		t.Errorf("got %v, want no S6, S10, S40", got)
	}
	if got := scenario.tested(sayingsOf(file)); got["S1"] || !got["S10"] {
		t.Errorf("got scenarios %v, want S10 alone", got)
	}
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
