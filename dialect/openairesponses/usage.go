package openairesponses

import (
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage: openai.yaml, ResponseUsage. Here cached, written and reasoning tokens are part of the sums.
// Counts that are missing, and those of a server that fills in zeros, are unknown: no prompt has no tokens.
func usageOf(n jsontext.Node) llm.Usage {
	if n.Kind() != jsontext.Object {
		return llm.Usage{}
	}
	var input, output, total int64
	var u llm.Usage
	_ = n.Members(func(key []byte, n jsontext.Node) error {
		v := n.Value()
		switch string(key) {
		case "input_tokens":
			input = count(v)
		case "output_tokens":
			output = count(v)
		case "total_tokens":
			total = count(v)
		case "input_tokens_details":
			u.InCacheRead = count(n.Get("cached_tokens").Value())
			u.InCacheWrite = count(n.Get("cache_write_tokens").Value())
		case "output_tokens_details":
			u.OutReasoning = count(n.Get("reasoning_tokens").Value())
		}
		return nil
	})
	if output == 0 && total > input && input > 0 {
		output = total - input
	}
	if input == 0 && output == 0 {
		return llm.Usage{}
	}
	u.Known = true
	u.InCacheRead = min(u.InCacheRead, input)
	u.InCacheWrite = min(u.InCacheWrite, input-u.InCacheRead)
	u.InFresh = input - u.InCacheRead - u.InCacheWrite
	u.OutReasoning = min(u.OutReasoning, output)
	u.OutVisible = output - u.OutReasoning
	return u
}

// count reads a number of tokens; anything else is none.
func count(v jsontext.Value) int64 {
	if v.Kind() != jsontext.Number {
		return 0 // many are missing, and an error would cost more than all the rest
	}
	n, err := v.Int()
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// writeUsage writes usage.
func writeUsage(w *jsontext.Writer, u llm.Usage) {
	w.BeginObject()
	w.IntField("input_tokens", u.Input())
	w.Key("input_tokens_details")
	w.BeginObject()
	w.IntField("cached_tokens", u.InCacheRead)
	w.IntField("cache_write_tokens", u.InCacheWrite+u.InCache1h)
	w.EndObject()
	w.IntField("output_tokens", u.Output())
	w.Key("output_tokens_details")
	w.BeginObject()
	w.IntField("reasoning_tokens", u.OutReasoning)
	w.EndObject()
	w.IntField("total_tokens", u.Total())
	w.EndObject()
}
