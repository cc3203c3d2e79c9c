package dialect_test

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

func TestIsVariant(t *testing.T) {
	t.Parallel()
	names := dialect.NamesOf([]dialect.Field{{Path: "messages[].tool_calls"}, {Path: "top_k"}}, "strict")
	for key, want := range map[string]bool{
		"Messages": true, "tool_Calls": true, "top_\u212a": true, "\u017ftrict": true,
		"messages": false, "tool_calls": false, "top_k": false, "strict": false, "other": false, "": false,
	} {
		if got := names.IsVariant(key); got != want {
			t.Errorf("%q: got %v want %v", key, got, want)
		}
	}
}
