package bedrock

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// readUsage puts each token into one field [bed:TokenUsage]: what was read from a cache or written to one is not in
// inputTokens.
func readUsage(n jsontext.Node) llm.Usage {
	var t usageText
	n.Each(t.member)
	var counts forms.Counts
	u := llm.Usage{
		InFresh:      counts.Read(t.input),
		InCacheRead:  max(counts.Read(t.cacheRead), counts.Read(t.cacheReadCount)),
		InCacheWrite: max(counts.Read(t.cacheWrite), counts.Read(t.cacheWriteCount)),
		OutVisible:   counts.Read(t.output),
	}
	if t.details.Kind() == jsontext.Array {
		_ = t.details.Array(func(_ int, d jsontext.Value) error { // it is one, and the function returns no error
			if is(d.Get("ttl"), "1h") {
				u.InCache1h = min(counts.Read(d.Get("inputTokens")), u.InCacheWrite)
			}
			return nil
		})
		u.InCacheWrite -= u.InCache1h
	}
	return counts.Usage(u)
}

// usageText is where a usage object says what. What is cached goes by either of two names.
type usageText struct {
	input, output, cacheRead, cacheReadCount, cacheWrite, cacheWriteCount, details jsontext.Value
}

func (u *usageText) member(name []byte, n jsontext.Node) {
	switch v := n.Value(); string(name) {
	case "inputTokens":
		u.input = v
	case "outputTokens":
		u.output = v
	case "cacheReadInputTokens":
		u.cacheRead = v
	case "cacheReadInputTokenCount":
		u.cacheReadCount = v
	case "cacheWriteInputTokens":
		u.cacheWrite = v
	case "cacheWriteInputTokenCount":
		u.cacheWriteCount = v
	case "cacheDetails":
		u.details = v
	}
}

// writeUsage writes the usage of an answer. Reasoning is part of the output, and not told apart.
func writeUsage(w *jsontext.Writer, u llm.Usage) {
	w.Key("usage")
	w.BeginObject()
	w.IntField("inputTokens", u.InFresh)
	w.IntField("outputTokens", u.Output())
	w.IntField("totalTokens", u.Total())
	w.IntField("cacheReadInputTokens", u.InCacheRead)
	w.IntField("cacheWriteInputTokens", u.InCacheWrite+u.InCache1h)
	if u.InCacheWrite+u.InCache1h > 0 {
		w.Key("cacheDetails")
		w.BeginArray()
		writeLifetime(w, "1h", u.InCache1h)
		writeLifetime(w, "5m", u.InCacheWrite)
		w.EndArray()
	}
	w.EndObject()
}

func writeLifetime(w *jsontext.Writer, ttl string, n int64) {
	if n == 0 {
		return
	}
	w.BeginObject()
	w.StringField("ttl", ttl)
	w.IntField("inputTokens", n)
	w.EndObject()
}

// writeMetrics writes the vendor's own measure of time, which a gateway has none of: the member must be there.
func writeMetrics(w *jsontext.Writer, extra llm.Extra) {
	if hasExtra(extra, "metrics") {
		writeKept(w, extra, "metrics")
		return
	}
	w.Key("metrics")
	w.BeginObject()
	w.IntField("latencyMs", 0)
	w.EndObject()
}
