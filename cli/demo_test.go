package cli

import (
	"strings"
	"testing"
)

// TestDemoUsage is about the flags alone; what the demo does is tested where it is.
func TestDemoUsage(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"demo --duration 4s", exitUsage, "want 5s to 1h"},
		{"demo --duration soon", exitUsage, "duration"},
		{"demo --keep --json", exitUsage, "can't be used together"},
		{"demo --help", exitDone, "understudy demo --keep"},
	} {
		var out, errOut strings.Builder
		code := Main(strings.Fields(tc.args), strings.NewReader(""), &out, &errOut)
		if got := out.String() + errOut.String(); code != tc.code || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got code %d and %q, want %d and %q", tc.args, code, got, tc.code, tc.want)
		}
	}
}
