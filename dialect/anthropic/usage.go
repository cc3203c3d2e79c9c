package anthropic

import (
	"cmp"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// missing stands for a number that the vendor has not given; zero is a number.
const missing = -1

// counts are the numbers of a usage object. In a stream they come several times, each time cumulative: the last
// one given for a field counts.
type counts struct {
	input, output, thinking     int64
	cacheRead                   int64
	cacheWrite, write5, write1h int64

	read forms.Counts
}

func noCounts() counts {
	return counts{
		input: missing, output: missing, thinking: missing, cacheRead: missing, cacheWrite: missing, write5: missing, write1h: missing,
	}
}

// usageText is where a usage object says what.
type usageText struct {
	input, output, cacheRead, cacheWrite, tier, speed, place jsontext.Value

	split, details jsontext.Node
}

func (u *usageText) member(name []byte, n jsontext.Node) {
	switch v := n.Value(); string(name) {
	case "input_tokens":
		u.input = v
	case "output_tokens":
		u.output = v
	case "cache_read_input_tokens":
		u.cacheRead = v
	case "cache_creation_input_tokens":
		u.cacheWrite = v
	case "cache_creation":
		u.split = n
	case "output_tokens_details":
		u.details = n
	case "service_tier":
		u.tier = v
	case "speed":
		u.speed = v
	case "inference_geo":
		u.place = v
	}
}

// merge takes over the numbers that a usage object gives, and returns the service tier that it names, by which a message
// begins.
func (c *counts) merge(usage jsontext.Node) (tier string) {
	var u usageText
	usage.Each(u.member)
	c.take(&c.input, u.input)
	c.take(&c.output, u.output)
	c.take(&c.cacheRead, u.cacheRead)
	c.take(&c.cacheWrite, u.cacheWrite)
	c.take(&c.write5, u.split.Get("ephemeral_5m_input_tokens").Value())
	c.take(&c.write1h, u.split.Get("ephemeral_1h_input_tokens").Value())
	c.take(&c.thinking, u.details.Get("thinking_tokens").Value())
	return servedAt(u.tier, u.speed, u.place)
}

func (c *counts) take(n *int64, v jsontext.Value) {
	if v.Kind() == jsontext.Number {
		*n = c.read.Read(v)
	}
}

// usage puts each token into one field.
func (c *counts) usage() llm.Usage {
	u := llm.Usage{
		InFresh:      max(c.input, 0),
		InCacheRead:  max(c.cacheRead, 0),
		InCacheWrite: max(c.cacheWrite, 0),
	}
	if c.cacheWrite == missing {
		u.InCacheWrite = max(c.write5, 0) + max(c.write1h, 0)
	}
	u.InCache1h = min(max(c.write1h, 0), u.InCacheWrite)
	u.InCacheWrite -= u.InCache1h
	output := max(c.output, 0)
	u.OutReasoning = min(max(c.thinking, 0), output)
	u.OutVisible = output - u.OutReasoning
	return c.read.Usage(u)
}

// servedAt is one name for all that makes a service cost something else than usual: how fast it is, and that it is of
// one country [asdk:Usage]. What a vendor says of the tier alone does not say that it was not fast.
func servedAt(tier, speed, place jsontext.Value) string {
	isFast, isNear := is(speed, "fast"), is(place, "us")
	switch {
	case isFast && isNear:
		return "fast-us"
	case isFast:
		return "fast"
	case isNear:
		return "us"
	case speed.Kind() == jsontext.String:
		return cmp.Or(forms.TextOf(tier), "standard")
	case is(tier, "standard"):
		return ""
	}
	return forms.TextOf(tier)
}

// writeUsage writes the usage object of a whole message, with the members that every one has
// [asdk:Usage]. Tiers that are no words of this dialect are null.
func writeUsage(w *jsontext.Writer, u llm.Usage, tier string) {
	w.BeginObject()
	writeCounts(w, u)
	w.Key("cache_creation")
	w.BeginObject()
	w.IntField("ephemeral_5m_input_tokens", u.InCacheWrite)
	w.IntField("ephemeral_1h_input_tokens", u.InCache1h)
	w.EndObject()
	w.NullField("server_tool_use")
	switch tier {
	case "standard", "priority", "batch":
		w.StringField("service_tier", tier)
	case "default", "on_demand": // the others' words for it
		w.StringField("service_tier", "standard")
	default:
		w.NullField("service_tier")
	}
	w.NullField("inference_geo")
	w.EndObject()
}

// writeDeltaUsage writes the usage object of a message_delta: counts alone [asdk:MessageDeltaUsage].
func writeDeltaUsage(w *jsontext.Writer, u llm.Usage) {
	w.BeginObject()
	writeCounts(w, u)
	w.EndObject()
}

func writeCounts(w *jsontext.Writer, u llm.Usage) {
	w.IntField("input_tokens", u.InFresh)
	w.IntField("cache_creation_input_tokens", u.InCacheWrite+u.InCache1h)
	w.IntField("cache_read_input_tokens", u.InCacheRead)
	w.IntField("output_tokens", u.Output())
	if u.OutReasoning > 0 {
		w.Key("output_tokens_details")
		w.BeginObject()
		w.IntField("thinking_tokens", u.OutReasoning)
		w.EndObject()
	}
}
