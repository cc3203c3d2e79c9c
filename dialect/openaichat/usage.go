package openaichat

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf reads usage: openai.yaml, CompletionUsage.
func usageOf(n jsontext.Node) llm.Usage {
	if n.Kind() != jsontext.Object {
		return llm.Usage{}
	}
	var counts forms.Counts
	var prompt, completion, total int64
	heard := false // counted in seconds, which is Mistral's way
	var u llm.Usage
	_ = n.Members(func(key []byte, n jsontext.Node) error {
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
			u.InCacheRead = max(u.InCacheRead, forms.Count(n.Get("cached_tokens").Value()))
			u.InCacheWrite = forms.Count(n.Get("cache_write_tokens").Value())
			u.InAudio = forms.Count(n.Get("audio_tokens").Value())
		case "prompt_cache_hit_tokens", "cached_tokens":
			u.InCacheRead = max(u.InCacheRead, forms.Count(v))
		case "completion_tokens_details":
			u.OutReasoning = forms.Count(n.Get("reasoning_tokens").Value())
			u.OutAudio = forms.Count(n.Get("audio_tokens").Value())
			u.AcceptedPrediction = forms.Count(n.Get("accepted_prediction_tokens").Value())
			u.RejectedPrediction = forms.Count(n.Get("rejected_prediction_tokens").Value())
		}
		return nil
	})
	if heard && u.InAudio == 0 { // streams do not say how many tokens that is
		u.InAudio = max(total-prompt-completion, 0)
	}
	return counts.OfSums(u, prompt, completion, total)
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
