package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `help:"Write JSON."`
}

// Help shows how version is used.
func (versionCommand) Help() string {
	return examples("understudy version", "understudy version --json")
}

// Run says what this is.
func (c versionCommand) Run(s *session) error {
	v := readVersion()
	if c.JSON {
		return s.writeJSON(map[string]string{
			"version": v.number, "commit": v.commit, "built_by": runtime.Version(), "platform": platform,
		})
	}
	from := ""
	if v.commit != "" {
		from = "commit " + v.commit + ", "
	}
	fmt.Fprintf(s.out, "%s %s (%s%s, %s)\n", name, v.number, from, runtime.Version(), platform)
	return nil
}

const platform = runtime.GOOS + "/" + runtime.GOARCH

// version is what the binary was built from.
type version struct {
	number string
	commit string // empty when the build does not know
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
		v.commit = revision[:12] + " of " + setting["vcs.time"]
		if setting["vcs.modified"] == "true" {
			v.commit = revision[:12] + " with changes"
		}
	}
	return v
}
