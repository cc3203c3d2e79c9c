package demo

import (
	"bytes"
	"strings"
	"testing"
)

// TestRowHasNoMinusZero: an answer may be there a little earlier than usual.
func TestRowHasNoMinusZero(t *testing.T) {
	var out bytes.Buffer
	(&Row{Title: "a fault", AddedMedian: -0.2, AddedP99: 6.5}).write(&out, palette{})
	if got, want := strings.Join(strings.Fields(out.String()), " "), "a fault 0 0 0 0 0 0 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
