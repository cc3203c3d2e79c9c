package cohere

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage [coh:Usage]. Cached and reasoning tokens are part of the sums. What is billed leaves out the
// vendor's own preamble; it stands for the tokens only where they are missing.
func usageOf(v jsontext.Value) llm.Usage {
	var counts forms.Counts
	in, out := tokensOf(&counts, v.Get("tokens"))
	billedIn, billedOut := tokensOf(&counts, v.Get("billed_units"))
	if in+out == 0 {
		in, out = billedIn, billedOut
	}
	var u llm.Usage
	u.InCacheRead = min(forms.Count(v.Get("cached_tokens")), in)
	u.InFresh = in - u.InCacheRead
	u.OutReasoning = min(forms.Count(v.Get("tokens", "reasoning_tokens")), out)
	u.OutVisible = out - u.OutReasoning
	if billedIn > 0 { // nothing is not believed
		u.InFree = max(in-billedIn, 0)
	}
	if billedOut > 0 {
		u.OutFree = min(max(out-billedOut, 0), u.OutVisible)
	}
	return counts.Usage(u)
}

// tokensOf reads a pair of counts.
func tokensOf(c *forms.Counts, v jsontext.Value) (in, out int64) {
	return c.Read(v.Get("input_tokens")), c.Read(v.Get("output_tokens"))
}

func writeUsage(w *jsontext.Writer, u llm.Usage) {
	w.BeginObject()
	if u.Known {
		w.Key("billed_units")
		w.BeginObject()
		w.IntField("input_tokens", u.Input()-u.InFree)
		w.IntField("output_tokens", u.Output()-u.OutFree)
		w.EndObject()
		w.Key("tokens")
		w.BeginObject()
		w.IntField("input_tokens", u.Input())
		w.IntField("output_tokens", u.Output())
		if u.OutReasoning > 0 {
			w.IntField("reasoning_tokens", u.OutReasoning)
		}
		w.EndObject()
		w.IntField("cached_tokens", u.InCacheRead)
	}
	w.EndObject()
}
