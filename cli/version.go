package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// Help shows how version is used.
func (versionCommand) Help() string { return examples("understudy version") }

// Run says what this is.
func (versionCommand) Run(s *session) error {
	v := readVersion()
	fmt.Fprintf(s.out, "%s %s (%s%s, %s/%s)\n", name, v.number, v.commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version is what the binary was built from.
type version struct {
	number string
	commit string // with ", " after it; empty when the build does not know
}

// readVersion reads what the Go tool wrote into the binary.
func readVersion() version {
	v := version{number: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if n := info.Main.Version; n != "" && n != "(devel)" {
		v.number = n
	}
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	if revision := setting["vcs.revision"]; len(revision) >= 12 {
		v.commit = "commit " + revision[:12] + " of " + setting["vcs.time"] + ", "
		if setting["vcs.modified"] == "true" {
			v.commit = "commit " + revision[:12] + " with changes, "
		}
	}
	return v
}
