//go:build unix

package program_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/program"
)

// sh is a program that does what a shell's script says, with patience for a machine that has much to do.
func sh(script string) program.Program {
	return program.Program{Words: []string{"/bin/sh", "-c", script, "sh", "canary-argument"}, Dir: "/", Limit: time.Minute, Most: 64}
}

func TestRun(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	folder := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, broken := file("plain", "echo hello", 0o600), file("broken", "#!/nowhere/interpreter\n", 0o700)
	for _, tc := range []struct {
		name, want, err string
		p               program.Program
		change          func(*program.Program)
		ctx             context.Context //nolint:containedctx // of one case
	}{
		{name: "prints", p: sh("echo hello"), want: "hello\n"},
		{name: "prints in pieces", p: sh("printf a; printf b"), want: "ab"},
		{name: "prints nothing", p: sh("true"), want: ""},
		{name: "gets its arguments as they are", p: sh(`printf %s "$1"`), change: func(p *program.Program) { p.Words[4] = "$HOME; `id` *" }, want: "$HOME; `id` *"},
		{name: "has no input", p: sh("cat; echo end"), want: "end\n"},
		{name: "has no terminal", p: sh("(: </dev/tty) 2>/dev/null && echo a terminal || echo none"), want: "none\n"},
		{name: "runs where it is told", p: sh("pwd"), want: "/\n"},
		{name: "has this environment", p: sh("echo $A $B"), change: func(p *program.Program) { p.Env = []string{"A=one", "B=two"} }, want: "one two\n"},
		{name: "as much as it may", p: sh("printf %064d 1"), want: strings.Repeat("0", 63) + "1"},
		{name: "more than it may", p: sh("printf %065d 1"), err: "printed more than 64 bytes, and was ended"},
		{name: "without an end", p: sh("trap '' PIPE; while :; do echo canary; done"), err: "printed more than 64 bytes, and was ended"},
		{name: "fails", p: sh("echo canary; echo canary >&2; exit 3"), err: "ended with exit status 3"},
		{name: "is killed", p: sh("kill -9 $$"), err: "ended with signal: killed"},
		{name: "hangs", p: sh("sleep 1000"), change: func(p *program.Program) { p.Limit = 50 * time.Millisecond }, err: "did not end within 50ms, and was ended with all that it had started"},
		{name: "is given up", p: sh("sleep 1000"), ctx: ended, err: "context canceled"},
		{name: "leaves something behind", p: sh("sleep 1000 & echo canary"), err: "left a program behind that holds its output open"},
		{name: "is nowhere", p: program.Program{Words: []string{"understudy-no-such-program"}, Limit: time.Minute}, err: "is not found on PATH"},
		{name: "is at no path", p: program.Program{Words: []string{"/nowhere/canary"}, Limit: time.Minute}, err: "cannot be started: no such file or directory"},
		{name: "is no program", p: program.Program{Words: []string{plain}, Limit: time.Minute}, err: "cannot be started: permission denied"},
		{name: "has no interpreter", p: program.Program{Words: []string{broken}, Limit: time.Minute}, err: "cannot be started: no such file or directory"},
		{name: "has no folder", p: sh("true"), change: func(p *program.Program) { p.Dir = "/nowhere/canary" }, err: "cannot be started: no such file or directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.change != nil {
				tc.change(&tc.p)
			}
			ctx := t.Context()
			if tc.ctx != nil {
				ctx = tc.ctx
			}
			out, err := tc.p.Run(ctx)
			switch {
			case (err != nil) != (tc.err != ""), err != nil && err.Error() != tc.err:
				t.Errorf("got error %v, want %q", err, tc.err)
			case err == nil && string(out) != tc.want:
				t.Errorf("got %q, want %q", out, tc.want)
			case err != nil && out != nil:
				t.Errorf("got %q beside an error, want nothing", out)
			}
		})
	}
}

// TestCurrentFolder: a program in the current folder is not the one that is meant, whatever PATH says.
func TestCurrentFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("op", []byte("#!/bin/sh\necho planted\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	for _, path := range []string{".", "", ":/nowhere", "/nowhere::"} {
		t.Setenv("PATH", path)
		if found, err := program.Find("op"); err == nil {
			t.Errorf("with PATH %q: got %s, want none", path, found)
		}
	}
}

// TestGroupEnds: what a program has started ends with it. A pipe says when: it ends when nobody has it open any more.
func TestGroupEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, script string }{
		{"is given up", "exec sleep 1000"},
		{"prints too much", "trap '' PIPE; while :; do echo much; done"},
		{"leaves something behind", "exit 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			ended := make(chan error, 1)
			go func() {
				f, err := os.Open(pipe)
				if err == nil {
					defer f.Close()
					_, err = io.ReadFull(f, make([]byte, 1)) // all of them run
					if tc.name == "is given up" {
						giveUp()
					}
				}
				if err == nil {
					_, err = io.Copy(io.Discard, f)
				}
				ended <- err
			}()
			p := sh("exec 3>'" + pipe + "'; (exec sleep 1000) & echo >&3; " + tc.script)
			if _, err := p.Run(ctx); err == nil {
				t.Error("got no error, want one")
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("got a program that still runs, want all of them ended")
			}
		})
	}
}

// TestGivenUp: a program whose caller goes ends at once, and not when its time is over.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, end)
	if _, err := sh("sleep 1000").Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the caller", err)
	}
}
