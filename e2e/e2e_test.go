// Package e2e runs the built binary as its users do: each *.txtar beside this file
// is a session at a terminal. Besides testscript's own commands there are
//
//	expand FILE                   replace $NAME in a file of the script
//	vendor NAME [KEY]             start a simulated vendor; sets $NAME to its URL and $NAME_ADDRESS
//	fault NAME KIND|none          break the vendor, or mend it
//	pause NAME on|off             keep the vendor's streams from going on after their first content, or let them
//	journal NAME                  print what the vendor was asked: path, model, stream, user agent
//	serve ARGS...                 start the gateway; sets $CLIENTS and $ADMIN to its URLs, and $ADMIN_ADDRESS
//	token                         wait for the admin token that serve shows, and keep it where commands look for it
//	keep NAME                     keep what the command before printed in $NAME
//	logs PATTERN                  wait for a line of the gateway's log, after those seen before
//	signal NAME                   send the gateway a signal
//	ended CODE                    wait for the gateway to end with an exit code
//	http [-H 'NAME: V']... METHOD URL [FILE]
//	                              send a request, print status, headers and body
//	open NAME METHOD URL FILE     send a request, return after its first bytes
//	rest NAME                     wait for the end of an open answer, print all of it
package e2e

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the binary once, and puts it first on the path.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "understudy-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if out, err := build(filepath.Join(dir, "understudy"+exeSuffix())); err != nil {
		fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Most tests wait for something, so more of them run at a time than there are
	// processors.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build makes the program, with flags of the go command that say which. What `go run` makes is kept in Go's cache,
// where `go build` links it anew each time.
func build(path string, flags ...string) ([]byte, error) {
	args := append(append([]string{"run", "-exec", "cp"}, flags...), "..", path)
	if runtime.GOOS == "windows" { // where there is no cp
		args = append(append([]string{"build", "-o", path}, flags...), "..")
	}
	return exec.Command("go", args...).CombinedOutput()
}

// TestProgramIsLookedAt looks at each file that the program may be made of. Go keeps the results of tests until a file changes that
// they have looked at, and what the go command reads to build the program is not among them.
func TestProgramIsLookedAt(t *testing.T) {
	const tree = ".."
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil:
			return err
		case d.IsDir() && path != tree && (name[0] == '.' || name == "bin" || name == "sdktest"):
			return filepath.SkipDir
		}
		_, err = os.Stat(path)
		return err //nolint:wrapcheck // it says which file
	})
	if err != nil {
		t.Error(err)
	}
}

// TestScripts plays every script that no test below plays by name.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	play(t, slices.DeleteFunc(scripts, func(s string) bool { return s == "check.txtar" || s == "evacuate.txtar" || s == "reload.txtar" })...)
}

// A58: a config that names a provider which does not exist is refused, by its line.
func TestA58UnknownProviderIsRefused(t *testing.T) { play(t, "check.txtar") }

// A59: a config with a mistake leaves the old one in force, and says so.
func TestA59MistakeKeepsTheOldConfig(t *testing.T) { play(t, "reload.txtar") }

// A65: an evacuation lets streams that run end where they are, and moves what is new; it is undone.
func TestA65EvacuationLetsStreamsEnd(t *testing.T) { play(t, "evacuate.txtar") }

func play(t *testing.T, scripts ...string) {
	t.Helper()
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// The scripts meet no key, config or proxy of the machine they run on.
			env.Vars = append(env.Vars, "NO_COLOR=1", "NO_PROXY=*")
			env.Values[stageKey{}] = newStage(env)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"expand":  command(1, 1, (*stage).expand),
			"vendor":  command(1, 2, (*stage).vendor),
			"fault":   command(2, 2, (*stage).fault),
			"pause":   command(2, 2, (*stage).pause),
			"journal": command(1, 1, (*stage).journal),
			"serve":   command(0, 9, (*stage).serve),
			"token":   command(0, 0, (*stage).token),
			"keep":    command(1, 1, (*stage).keep),
			"logs":    command(1, 1, (*stage).logs),
			"signal":  command(1, 1, (*stage).signal),
			"ended":   command(1, 1, (*stage).ended),
			"http":    command(2, 9, (*stage).http),
			"open":    command(4, 4, (*stage).open),
			"rest":    command(1, 1, (*stage).rest),
		},
	})
}

// command makes a testscript command of a method that takes least to most arguments.
func command(least, most int, do func(*stage, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) < least || len(args) > most {
			ts.Fatalf("got %d arguments, want %d to %d", len(args), least, most)
		}
		err := do(ts.Value(stageKey{}).(*stage), ts, args)
		switch {
		case neg && err == nil:
			ts.Fatalf("got success, want failure")
		case !neg:
			ts.Check(err)
		}
	}
}
