package openairesponses

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage: openai.yaml, ResponseUsage.
func usageOf(n jsontext.Node) llm.Usage {
	var counts forms.Counts
	var input, output, total int64
	var u llm.Usage
	n.Each(func(key []byte, n jsontext.Node) {
		v := n.Value()
		switch string(key) {
		case "input_tokens":
			input = counts.Read(v)
		case "output_tokens":
			output = counts.Read(v)
		case "total_tokens":
			total = counts.Read(v)
		case "input_tokens_details":
			u.InCacheRead = forms.Count(n.Get("cached_tokens").Value())
			u.InCacheWrite = forms.Count(n.Get("cache_write_tokens").Value())
		case "output_tokens_details":
			u.OutReasoning = forms.Count(n.Get("reasoning_tokens").Value())
		}
	})
	return counts.OfSums(u, input, output, total)
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
