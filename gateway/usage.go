package gateway

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// countIn takes what an answer of an operation that nobody translates has used, as far as it
// says so. What a vendor keeps is counted once, when it is done, however often it is looked up.
func (c *call) countIn(a *attempt, answer jsontext.Value) {
	if name, err := answer.Get("model").Text(); err == nil {
		a.named(name)
	}
	u := usageIn(answer.Get("usage"))
	if !u.Known {
		return
	}
	if c.operation.Keeps() {
		id, err := answer.Get("id").Text()
		status, statusErr := answer.Get("status").Text()
		running := []string{"queued", "in_progress", "validating", "finalizing", "cancelling"}
		if err != nil || statusErr == nil && slices.Contains(running, status) || !c.g.objects.Count(&c.ctx, id) {
			return
		}
	}
	a.usage = u
}

// countInEvent does so for an event of a stream, the last of which has the sum: openai.yaml,
// ImageGenCompletedEvent, TranscriptTextDoneEvent, SpeechAudioDoneEvent, CreateCompletionResponse,
// ResponseCompletedEvent.
func (c *call) countInEvent(a *attempt, data []byte) {
	if !bytes.Contains(data, []byte(`"usage"`)) {
		return // an event may hold an image
	}
	event, err := jsontext.ParseLenient(data)
	if err != nil {
		return
	}
	if answer := event.Get("response"); answer.Kind() == jsontext.Object {
		event = answer
	}
	c.countIn(a, event)
}

// countInHeaders takes what the headers of an answer say, where the dialect has some for it.
func (a *attempt) countInHeaders(h http.Header) {
	names := a.plan.dialect.UsageHeaders
	in, inErr := strconv.ParseInt(h.Get(names[0]), 10, 64)
	out, outErr := strconv.ParseInt(h.Get(names[1]), 10, 64)
	if inErr == nil && in >= 0 {
		a.usage.Known, a.usage.InFresh = true, in
	}
	if outErr == nil && out >= 0 {
		a.usage.Known, a.usage.OutVisible = true, out
	}
}

// payMessage adds what an answer in a realtime session has used, and reserves as much for the next one, with all that it
// may say: openai-realtime.yaml, RealtimeServerEventResponseDone. The error ends the session: there is too little left,
// or the key is taken no more.
func (c *call) payMessage(a *attempt, message []byte) *llm.Error {
	if !bytes.Contains(message, []byte(`"response.done"`)) {
		return nil
	}
	event, err := jsontext.ParseLenient(message)
	if err != nil || string(event.Get("type")) != `"response.done"` {
		return nil
	}
	u := usageIn(event.Get("response", "usage"))
	one := budget.Result{Sent: true, Whole: true, Usage: u}
	switch {
	case !u.Known:
	case one.Outcome().Rejected: // each is held to what can be true by itself: a session has no end of them
		a.usage.Absurd = true
	default:
		a.usage = a.usage.Plus(u)
	}
	if err := c.isStillTaken(); err != nil || a.line == nil {
		return err
	}
	used := budget.TokensOf(a.usage)
	next, answer := budget.TokensOf(a.usage.Plus(u)), c.dearest(a, budget.Tokens{Output: a.most.Output})
	next.Output, next.Reasoning, next.AudioOut = used.Output+answer.Output, used.Reasoning+answer.Reasoning, used.AudioOut+answer.AudioOut
	if c.reserveMore(a, next) == nil {
		return nil
	}
	return c.reserveMore(a, used) // what there is may do for another answer
}

// usageIn reads a usage object in any of OpenAI's forms: openai.yaml, CompletionUsage,
// ResponseUsage, ImageGenUsage and TranscriptTextUsageTokens; openai-realtime.yaml, RealtimeResponse.
// What was cached or reasoned is part of the sums.
func usageIn(v jsontext.Value) llm.Usage {
	in, hasIn := countAt(v, "input_tokens", "prompt_tokens")
	out, hasOut := countAt(v, "output_tokens", "completion_tokens")
	if !hasIn && !hasOut {
		return llm.Usage{}
	}
	detail := func(name string, members ...string) int64 {
		for _, member := range members {
			if n, ok := countAt(v.Get(member), name); ok {
				return n
			}
		}
		return 0
	}
	ins := []string{"input_tokens_details", "prompt_tokens_details", "input_token_details"}
	outs := []string{"output_tokens_details", "completion_tokens_details", "output_token_details"}
	u := llm.Usage{Known: true}
	u.InCacheRead = min(in, detail("cached_tokens", ins...))
	u.InFresh = in - u.InCacheRead
	cachedAudio, _ := countAt(v.Get("input_token_details", "cached_tokens_details"), "audio_tokens")
	u.InAudio = min(u.InFresh, max(0, detail("audio_tokens", ins...)-cachedAudio))
	u.OutReasoning = min(out, detail("reasoning_tokens", outs...))
	u.OutVisible = out - u.OutReasoning
	u.OutAudio = min(u.OutVisible, detail("audio_tokens", outs...))
	return u
}

// countAt reads the first of the members that is a number of tokens.
func countAt(v jsontext.Value, names ...string) (int64, bool) {
	for _, name := range names {
		if n, err := v.Get(name).Int(); err == nil && n >= 0 {
			return n, true
		}
	}
	return 0, false
}
