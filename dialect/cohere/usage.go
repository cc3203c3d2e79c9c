package cohere

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage [coh:Usage]. Cached and reasoning tokens are part of the sums. What is billed leaves out the
// vendor's own preamble; it stands for the tokens only where they are missing.
func usageOf(n jsontext.Node) llm.Usage {
	var tokens, billed pair
	var cached jsontext.Value
	n.Each(func(name []byte, n jsontext.Node) {
		switch string(name) {
		case "tokens":
			tokens = pairOf(n)
		case "billed_units":
			billed = pairOf(n)
		case "cached_tokens":
			cached = n.Value()
		}
	})
	var counts forms.Counts
	in, out := counts.Read(tokens.in), counts.Read(tokens.out)
	billedIn, billedOut := counts.Read(billed.in), counts.Read(billed.out)
	if in+out == 0 {
		in, out = billedIn, billedOut
	}
	var u llm.Usage
	u.InCacheRead = min(forms.Count(cached), in)
	u.InFresh = in - u.InCacheRead
	u.OutReasoning = min(forms.Count(tokens.reasoning), out)
	u.OutVisible = out - u.OutReasoning
	if billedIn > 0 { // nothing is not believed
		u.InFree = max(in-billedIn, 0)
	}
	if billedOut > 0 {
		u.OutFree = min(max(out-billedOut, 0), u.OutVisible)
	}
	return counts.Usage(u)
}

// pair is where a pair of counts says what, and how much of the output was thought.
type pair struct{ in, out, reasoning jsontext.Value }

func pairOf(n jsontext.Node) (p pair) {
	n.Each(func(name []byte, n jsontext.Node) {
		switch string(name) {
		case "input_tokens":
			p.in = n.Value()
		case "output_tokens":
			p.out = n.Value()
		case "reasoning_tokens":
			p.reasoning = n.Value()
		}
	})
	return p
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
