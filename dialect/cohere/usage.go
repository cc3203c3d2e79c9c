package cohere

import (
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage [coh:Usage]. Cached and reasoning tokens are part of the sums. What is billed leaves out the
// vendor's own preamble; it stands for the tokens only where they are missing.
func usageOf(v jsontext.Value) llm.Usage {
	in, out, ok := tokensOf(v.Get("tokens"))
	if !ok {
		if in, out, ok = tokensOf(v.Get("billed_units")); !ok {
			return llm.Usage{}
		}
	}
	u := llm.Usage{Known: true}
	u.InCacheRead = min(count(v.Get("cached_tokens")), in)
	u.InFresh = in - u.InCacheRead
	u.OutReasoning = min(count(v.Get("tokens", "reasoning_tokens")), out)
	u.OutVisible = out - u.OutReasoning
	return u
}

// tokensOf reads a pair of counts. Without a token of the prompt they are none.
func tokensOf(v jsontext.Value) (in, out int64, ok bool) {
	if v.Kind() != jsontext.Object {
		return 0, 0, false
	}
	in, out = count(v.Get("input_tokens")), count(v.Get("output_tokens"))
	return in, out, in+out > 0
}

// count reads a number of tokens, which the description allows to be a float; anything else is none.
func count(v jsontext.Value) int64 {
	if v.Kind() != jsontext.Number {
		return 0
	}
	if n, err := v.Int(); err == nil {
		return min(max(n, 0), maxCount)
	}
	f, err := v.Float()
	if err != nil || !(f > 0) {
		return 0
	}
	return int64(min(f, maxCount))
}

// maxCount bounds counts, so that sums of them stay numbers that every client can read.
const maxCount = 1 << 52

func writeUsage(w *jsontext.Writer, u llm.Usage) {
	w.BeginObject()
	if u.Known {
		w.Key("billed_units")
		w.BeginObject()
		w.IntField("input_tokens", u.Input())
		w.IntField("output_tokens", u.Output())
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
