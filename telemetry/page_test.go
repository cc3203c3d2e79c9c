package telemetry

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/budget"
)

// TestPage holds docs/telemetry.md to the metrics that there are.
func TestPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	m := metrics(Target{Provider: "p", Model: "m", Limit: 1, Latency: 1, FirstToken: 1})
	rec := rescued()
	rec.Attempts[1].Hedge, rec.Attempts[1].Other, rec.Attempts[0].Rejected = true, true, true
	rec.Over, rec.Denied = []*budget.LimitError{{Account: "key:a"}}, "tokens"
	m.Observe(rec)
	m.Changed(Change{})
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have, listed []string
	own := regexp.MustCompile(`^(understudy|gen_ai)_`)
	for _, f := range families {
		if own.MatchString(f.GetName()) {
			have = append(have, f.GetName())
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllSubmatch(text, -1) {
		listed = append(listed, string(row[1]))
	}
	slices.Sort(have)
	slices.Sort(listed)
	if !slices.Equal(have, listed) {
		t.Errorf("got the metrics\n%q\nwant those that docs/telemetry.md lists:\n%q", have, listed)
	}
}
