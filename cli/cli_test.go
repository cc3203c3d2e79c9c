package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestVersionFlag takes what most programs take.
func TestVersionFlag(t *testing.T) {
	var flag, command, errOut bytes.Buffer
	if code := Main([]string{"--version"}, strings.NewReader(""), &flag, &errOut); code != exitDone {
		t.Errorf("got exit code %d and %s, want 0", code, &errOut)
	}
	if Main([]string{"version"}, strings.NewReader(""), &command, &errOut); flag.String() != command.String() || flag.Len() == 0 {
		t.Errorf("got %q, want what version says: %q", &flag, &command)
	}
}

// TestHelpHasVariables holds the help of serve to every variable that the program reads by name.
func TestHelpHasVariables(t *testing.T) {
	var help bytes.Buffer
	Main([]string{"serve", "--help"}, strings.NewReader(""), &help, &help)
	named := regexp.MustCompile(`(?:Getenv|LookupEnv|\bEnv)\("([A-Z_]+)"\)|Variable += "([A-Z_]+)"|Env += "([A-Z_]+)"`)
	// Of a cloud's own the help has some; these are places of the system.
	exempt := []string{"HOME", "APPDATA", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"}
	found := 0
	for _, folder := range []string{".", "../app", "../transport", "../telemetry", "../store/postgres"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: got no files and %v", folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "failpoint_on.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				name := m[1] + m[2] + m[3]
				found++
				if !slices.Contains(exempt, name) && !strings.Contains(help.String(), name) {
					t.Errorf("%s reads %s, want it in the help of serve", file, name)
				}
			}
		}
	}
	if found < 12 {
		t.Errorf("got %d variables in the source, want all of them found", found)
	}
	for line := range strings.Lines(help.String()) {
		if len(line) > 81 {
			t.Errorf("got a line of %d characters, want 80 at most: %s", len(line)-1, line)
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
