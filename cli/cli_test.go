package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCommand holds each command of the tree to an example in its help, a row
// in the README, and a hint when it is used wrongly.
func TestEveryCommand(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var help, errOut bytes.Buffer
	if code := Main([]string{"--help"}, strings.NewReader(""), &help, &errOut); code != exitDone || errOut.Len() > 0 {
		t.Fatalf("--help: got exit code %d and %q, want 0 and nothing", code, &errOut)
	}
	_, list, _ := strings.Cut(help.String(), "Commands:\n")
	names := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(list, -1)
	if len(names) < 5 {
		t.Fatalf("got commands %v, want those of the tree", names)
	}
	for _, found := range names {
		command := found[1]
		var help bytes.Buffer
		if code := Main([]string{command, "--help"}, strings.NewReader(""), &help, &help); code != exitDone {
			t.Errorf("%s --help: got exit code %d, want 0", command, code)
		}
		if !regexp.MustCompile(`(?m)^    .*understudy ` + command).MatchString(help.String()) {
			t.Errorf("%s --help: got no example in\n%s", command, &help)
		}
		for _, below := range regexp.MustCompile(`(?m)^  `+command+` ([a-z]+) `).FindAllStringSubmatch(help.String(), -1) {
			var help bytes.Buffer
			code := Main([]string{command, below[1], "--help"}, strings.NewReader(""), &help, &help)
			if code != exitDone || !regexp.MustCompile(`(?m)^    .*understudy `+command).MatchString(help.String()) {
				t.Errorf("%s %s --help: got exit code %d and no example, want 0 and one, in\n%s", command, below[1], code, &help)
			}
		}
		if !strings.Contains(string(readme), "| `"+command+"` |") {
			t.Errorf("README.md: got no row for %s, want one", command)
		}
		var out, errOut bytes.Buffer
		code := Main([]string{command, "--no-such-flag"}, strings.NewReader(""), &out, &errOut)
		if code != exitUsage || out.Len() > 0 || !strings.Contains(errOut.String(), "hint: understudy "+command+" --help") {
			t.Errorf("%s --no-such-flag: got exit code %d, %q and %q, want 2, nothing and a hint", command, code, &out, &errOut)
		}
	}
}

// TestNoColor shows that only a terminal gets colours.
func TestNoColor(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(null) || isTerminal(file) || isTerminal(&bytes.Buffer{}) {
		t.Errorf("got a terminal among the null device, a file and a buffer, want none")
	}
	s := &session{out: &bytes.Buffer{}}
	if got := s.paint("OK", green); got != "OK" {
		t.Errorf("got %q, want plain text", got)
	}
}
