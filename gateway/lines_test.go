package gateway_test

import (
	"regexp"
	"slices"
	"testing"
)

var lineOfAttempt = regexp.MustCompile(`level=(\w+) msg="?(attempt[ a-z]*)"? .*provider=(\w+)`)

// TestLines: who reads the log at its usual level sees all attempts of a call, the one that succeeded included. What a
// call's only attempt did is in the call's own line.
func TestLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		fault string
		want  []string
	}{
		{"", []string{"DEBUG attempt chat1"}},
		{"unavailable-503", []string{"WARN attempt failed chat1", "INFO attempt chat2"}},
	} {
		if tt.fault != "" {
			w.fail("chat1", tt.fault)
		}
		from := len(w.log.String())
		w.post(apis[0], body("chat1>chat2|", "Hello", false), nil)
		w.record()
		var got []string
		for _, m := range lineOfAttempt.FindAllStringSubmatch(w.log.String()[from:], -1) {
			got = append(got, m[1]+" "+m[2]+" "+m[3])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("fault %q: got %q, want %q", tt.fault, got, tt.want)
		}
	}
}
