package demo

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 7, "one two\nthree"},
		{"one two three\n", 80, "one two three\n"},
		{"\none two\n\nthree\n", 4, "\none\ntwo\n\nthree\n"},
		{"incomprehensible word", 5, "incomprehensible\nword"},
		{"", 5, ""},
		{"ä ö ü", 3, "ä ö\nü"},
	} {
		if got := wrap(tc.text, tc.width); got != tc.want {
			t.Errorf("%q to %d: got %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

// TestProseFits holds all that is written beside tables to the width of the terminal: a line that the terminal breaks is broken in words.
func TestProseFits(t *testing.T) {
	t.Parallel()
	for _, width := range []int{60, 80} {
		var out bytes.Buffer
		if _, err := run(t.Context(), Options{Duration: 1, Terminal: true, Width: func() int { return width }, Out: &out}, script()[:1], true); err != nil {
			t.Fatal(err)
		}
		inTable := false
		for line := range strings.Lines(out.String()) {
			line = line[strings.LastIndexByte(line, '\r')+1:]
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.Contains(line, "\x1b"): // of the picture, which is cut
			case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "fault of") || strings.HasPrefix(line, "TARGET"):
				inTable = true
			case line == "":
				inTable = false
			case !inTable && utf8.RuneCountInString(line) > width && !strings.Contains(line, "/"):
				t.Errorf("width %d: got a line of %d columns: %s", width, utf8.RuneCountInString(line), line)
			}
		}
	}
}
