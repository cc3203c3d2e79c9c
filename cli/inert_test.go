package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/admin/client"
)

// TestInert: what others have worded tells a terminal nothing (S53, S101).
func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"plain\tä\n":          "plain\tä\n",
		"\x1b[31mred":         `\u001b[31mred`,
		"\x1b]0;title\x07":    `\u001b]0;title\u0007`,
		"a\rb\bc\x7f":         `a\u000db\u0008c\u007f`,
		"\u009b31m":           `\u009b31m`,
		"\x9b31m":             "\ufffd31m",
		"\u202egnp.exe\u2069": `\u202egnp.exe\u2069`,
	} {
		var out bytes.Buffer
		if n, err := fmt.Fprint(inert{&out}, text); n != len(text) || err != nil || out.String() != want {
			t.Errorf("%q: got %q, %d bytes and %v; want %q", text, out.String(), n, err, want)
		}
	}
}

// TestTablesAreInert: neither an invoice's names nor a failure's words form a row or reach the terminal.
func TestTablesAreInert(t *testing.T) {
	const evil = "m\n2026-01-01\tforged\x1b[2J\u009b"
	var out, told bytes.Buffer
	s := &session{out: &out, err: &told}
	if err := s.showCompared([]compared{{Day: "2026-11-01", Model: evil, Charged: "1", Ledger: "1", Sure: "1", Within: true}}); err != nil {
		t.Fatal(err)
	}
	if err := s.writeJSON(map[string]string{"model": evil}); err != nil {
		t.Fatal(err)
	}
	s.report(errors.New(evil))
	if text := out.String() + told.String(); strings.ContainsAny(text, "\x1b\u009b") || strings.Count(out.String(), "\n") != 2+3 {
		t.Errorf("got %q, want two rows, three lines of JSON and nothing for the terminal", text)
	}
	if !strings.Contains(out.String(), `"model": "m\n2026-01-01\tforged\u001b[2J\u009b"`) {
		t.Errorf("got %q, want the name in JSON as it is", out.String())
	}
}

// TestCSVHasNoFormulas: a model's name is chosen by clients, and a report is opened by whoever pays.
func TestCSVHasNoFormulas(t *testing.T) {
	var out bytes.Buffer
	c := reportCommand{By: []string{"provider", "model"}}
	rows := []client.UsageRow{{By: map[string]string{"provider": "chat", "model": `=HYPERLINK("http://evil.example")`}, Cost: "-1"}}
	if err := c.writeCSV(&session{out: &out}, rows); err != nil {
		t.Fatal(err)
	}
	if want := "chat,\"'=HYPERLINK(\"\"http://evil.example\"\")\",0,0,0,-1,"; !strings.Contains(out.String(), want) {
		t.Errorf("got %q, want %q in it", out.String(), want)
	}
}
