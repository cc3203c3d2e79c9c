package forms

import (
	"testing"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// TestOfSums: whatever servers take for a part and for a sum, each token is counted once (A04, I7, T157).
func TestOfSums(t *testing.T) {
	for name, tc := range map[string]struct {
		parts                llm.Usage
		input, output, total string
		want                 llm.Usage
	}{
		"parts of the sums":     {llm.Usage{InCacheRead: 40, InCacheWrite: 10, OutReasoning: 12}, "150", "30", "180", llm.Usage{Known: true, InFresh: 100, InCacheRead: 40, InCacheWrite: 10, OutVisible: 18, OutReasoning: 12}},
		"no total":              {llm.Usage{}, "150", "30", "null", llm.Usage{Known: true, InFresh: 150, OutVisible: 30}},
		"a total that is less":  {llm.Usage{}, "150", "30", "100", llm.Usage{Known: true, InFresh: 150, OutVisible: 30}},
		"thought beside":        {llm.Usage{OutReasoning: 340}, "12", "2", "354", llm.Usage{Known: true, InFresh: 12, OutVisible: 2, OutReasoning: 340}},
		"heard beside":          {llm.Usage{InAudio: 375, InCacheRead: 9}, "11", "15", "401", llm.Usage{Known: true, InFresh: 377, InCacheRead: 9, InAudio: 375, OutVisible: 15}},
		"heard, of the input":   {llm.Usage{InAudio: 5}, "11", "15", "26", llm.Usage{Known: true, InFresh: 11, InAudio: 5, OutVisible: 15}},
		"a total of its own":    {llm.Usage{}, "79", "2", "83", llm.Usage{Known: true, InFresh: 79, OutVisible: 2}},
		"more thought than all": {llm.Usage{OutReasoning: 340}, "12", "20", "32", llm.Usage{Known: true, InFresh: 12, OutReasoning: 20}},
		"no output":             {llm.Usage{OutReasoning: 3}, "10", "null", "15", llm.Usage{Known: true, InFresh: 10, OutVisible: 2, OutReasoning: 3}},
		"no input":              {llm.Usage{}, "null", "5", "15", llm.Usage{Known: true, OutVisible: 5}},
		"cached beside":         {llm.Usage{InCacheRead: 40}, "10", "3", "53", llm.Usage{Known: true, InFresh: 10, InCacheRead: 40, OutVisible: 3}},
		"more cached than all":  {llm.Usage{InCacheRead: 40}, "10", "3", "13", llm.Usage{Absurd: true}},
		"more written than all": {llm.Usage{InCacheRead: 6, InCacheWrite: 5}, "10", "3", "null", llm.Usage{Absurd: true}},
		"a negative answer":     {llm.Usage{}, "10", "-3", "7", llm.Usage{Absurd: true}},
	} {
		var c Counts
		read := func(text string) int64 { return c.Read(jsontext.Value(text)) }
		input, output, total := read(tc.input), read(tc.output), read(tc.total)
		if got := c.OfSums(tc.parts, input, output, total); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}
