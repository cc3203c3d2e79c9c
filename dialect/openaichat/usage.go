package openaichat

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage: openai.yaml, CompletionUsage.
func usageOf(n jsontext.Node) llm.Usage {
	var counts forms.Counts
	var prompt, completion, total int64
	heard := false // counted in seconds, which is Mistral's way
	var u llm.Usage
	n.Each(func(key []byte, n jsontext.Node) {
		v := n.Value()
		switch string(key) {
		case "prompt_tokens":
			prompt = counts.Read(v)
		case "completion_tokens":
			completion = counts.Read(v)
		case "total_tokens":
			total = counts.Read(v)
		case "prompt_audio_seconds":
			heard = v.Kind() == jsontext.Number
		case "prompt_tokens_details":
			var d details
			n.Each(d.member)
			u.InCacheRead, u.InCacheWrite, u.InAudio = max(u.InCacheRead, d.cached), d.written, d.audio
		case "prompt_cache_hit_tokens", "cached_tokens":
			u.InCacheRead = max(u.InCacheRead, forms.Count(v))
		case "completion_tokens_details":
			var d details
			n.Each(d.member)
			u.OutReasoning, u.OutAudio, u.AcceptedPrediction, u.RejectedPrediction = d.reasoning, d.audio, d.accepted, d.rejected
		}
	})
	if heard && u.InAudio == 0 { // streams do not say how many tokens that is
		u.InAudio = max(total-prompt-completion, 0)
	}
	return counts.OfSums(u, prompt, completion, total)
}

// details are the counts of prompt_tokens_details and of completion_tokens_details.
type details struct{ cached, written, audio, reasoning, accepted, rejected int64 }

func (d *details) member(name []byte, n jsontext.Node) {
	switch string(name) {
	case "cached_tokens":
		d.cached = forms.Count(n.Value())
	case "cache_write_tokens":
		d.written = forms.Count(n.Value())
	case "audio_tokens":
		d.audio = forms.Count(n.Value())
	case "reasoning_tokens":
		d.reasoning = forms.Count(n.Value())
	case "accepted_prediction_tokens":
		d.accepted = forms.Count(n.Value())
	case "rejected_prediction_tokens":
		d.rejected = forms.Count(n.Value())
	}
}

// writeUsage writes usage.
func writeUsage(w *jsontext.Writer, u llm.Usage) {
	w.BeginObject()
	w.IntField("prompt_tokens", u.Input())
	w.IntField("completion_tokens", u.Output())
	w.IntField("total_tokens", u.Total())
	w.Key("prompt_tokens_details")
	w.BeginObject()
	w.IntField("cached_tokens", u.InCacheRead)
	if written := u.InCacheWrite + u.InCache1h; written > 0 {
		w.IntField("cache_write_tokens", written)
	}
	w.IntField("audio_tokens", u.InAudio)
	w.EndObject()
	w.Key("completion_tokens_details")
	w.BeginObject()
	w.IntField("reasoning_tokens", u.OutReasoning)
	w.IntField("audio_tokens", u.OutAudio)
	w.IntField("accepted_prediction_tokens", u.AcceptedPrediction)
	w.IntField("rejected_prediction_tokens", u.RejectedPrediction)
	w.EndObject()
	w.EndObject()
}
