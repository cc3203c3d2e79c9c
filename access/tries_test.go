package access

import (
	"strings"
	"testing"
	"time"
)

func TestTriesAreBounded(t *testing.T) {
	var many Tries
	for i := range 10 * tryFrom {
		many.Allow(strings.Repeat("1", i%100)+string(rune(i)), time.Now())
	}
	if len(many.full) > tryFrom {
		t.Errorf("got %d addresses remembered, want at most %d", len(many.full), tryFrom)
	}
}
