//go:build !race

package access_test

import (
	"testing"

	"github.com/understudy-ai/understudy/access"
)

// TestCost holds a check to no memory of its own. Under the race detector pools forget at random, so there it has some.
func TestCost(t *testing.T) {
	w := newWorld(t, access.Declared{})
	header := bearer(w.create(t, "web", all))
	if n := testing.AllocsPerRun(100, func() { _, _ = w.Check(header, "") }); n > 0 {
		t.Errorf("got %v allocations a check, want none", n)
	}
}
