package gemini

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// counts holds the numbers of UsageMetadata.
type counts struct {
	prompt, cached, toolUse, candidates, thoughts, total int64
	hasPrompt, hasCandidates                             bool
	audioIn, audioCached, audioOut                       int64

	read forms.Counts

	atCandidates, atTotal jsontext.Value // where the counts stand that grow in a stream
}

// usageOf reads UsageMetadata. In a stream each one replaces the one before.
func usageOf(n jsontext.Node) llm.Usage { return countsOf(n).usage() }

func countsOf(n jsontext.Node) (c counts) {
	n.Each(c.member)
	return c
}

func (c counts) usage() llm.Usage {
	c.fill()
	u := llm.Usage{InCacheRead: min(c.cached, c.prompt), OutVisible: c.candidates, OutReasoning: c.thoughts}
	u.InFresh = c.prompt - u.InCacheRead + c.toolUse // which the prompt's own count leaves out
	u.InAudio = min(max(c.audioIn-c.audioCached, 0), u.InFresh)
	u.OutAudio = min(c.audioOut, u.OutVisible)
	return c.read.Usage(u)
}

// fill makes a count that is missing what the total leaves for it: the vendor leaves out that of a prompt whose files
// it fetched.
func (c *counts) fill() {
	rest := max(c.total-c.prompt-c.toolUse-c.candidates-c.thoughts, 0)
	switch {
	case !c.hasPrompt:
		c.prompt = rest
	case !c.hasCandidates:
		c.candidates = rest
	}
}

func (c *counts) member(name []byte, n jsontext.Node) {
	switch v := n.Value(); string(name) {
	case "promptTokenCount":
		c.hasPrompt = c.take(&c.prompt, v)
	case "cachedContentTokenCount":
		c.take(&c.cached, v)
	case "toolUsePromptTokenCount":
		c.take(&c.toolUse, v)
	case "candidatesTokenCount", "responseTokenCount":
		if c.hasCandidates = c.take(&c.candidates, v); c.hasCandidates {
			c.atCandidates = v
		}
	case "thoughtsTokenCount":
		c.take(&c.thoughts, v)
	case "totalTokenCount":
		if c.take(&c.total, v) {
			c.atTotal = v
		}
	case "promptTokensDetails":
		c.audioIn = audioIn(n)
	case "cacheTokensDetails":
		c.audioCached = audioIn(n)
	case "candidatesTokensDetails", "responseTokensDetails":
		c.audioOut = audioIn(n)
	}
}

// take reads a count, and reports whether there is one. What is no count is none.
func (c *counts) take(to *int64, v jsontext.Value) bool {
	if v.Kind() != jsontext.Number {
		return false
	}
	*to = c.read.Read(v)
	return true
}

// audioIn is the audio among the modalities of a count.
func audioIn(list jsontext.Node) (sum int64) {
	if list.Kind() != jsontext.Array {
		return 0
	}
	_ = list.Array(func(_ int, n jsontext.Node) error { // it is an array, and f returns no error
		if kind := n.Get("modality").Value(); is(kind, "AUDIO") || string(kind) == "4" {
			if count, err := n.Get("tokenCount").Value().Int(); err == nil && count > 0 && count < 1<<53 {
				sum += count
			}
		}
		return nil
	})
	return sum
}

// writeUsage writes UsageMetadata. What was written to a cache counts as part of the prompt.
func writeUsage(w *jsontext.Writer, u llm.Usage, tier string) {
	w.Key("usageMetadata")
	w.BeginObject()
	w.IntField("promptTokenCount", u.Input())
	if u.InCacheRead > 0 {
		w.IntField("cachedContentTokenCount", u.InCacheRead)
	}
	w.IntField("candidatesTokenCount", u.OutVisible)
	if u.OutReasoning > 0 {
		w.IntField("thoughtsTokenCount", u.OutReasoning)
	}
	w.IntField("totalTokenCount", u.Total())
	writeAudio(w, "promptTokensDetails", u.InAudio, u.Input())
	writeAudio(w, "candidatesTokensDetails", u.OutAudio, u.OutVisible)
	switch tier {
	case "standard", "flex", "priority":
		w.StringField("serviceTier", tier)
	case "default", "on_demand": // the others' words for it
		w.StringField("serviceTier", "standard")
	}
	w.EndObject()
}

// writeAudio says how many of the tokens are audio, if any.
func writeAudio(w *jsontext.Writer, key string, audio, all int64) {
	if audio <= 0 {
		return
	}
	w.Key(key)
	w.BeginArray()
	for _, m := range [...]struct {
		modality string
		n        int64
	}{{"TEXT", max(all-audio, 0)}, {"AUDIO", audio}} {
		w.BeginObject()
		w.StringField("modality", m.modality)
		w.IntField("tokenCount", m.n)
		w.EndObject()
	}
	w.EndArray()
}
