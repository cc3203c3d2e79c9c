package cohere

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// EncodeResponse writes a chat response. It returns an *llm.Error for an answer that came to nothing because the
// model's output was malformed.
func (clientSide) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	e := answerEncoder{}
	e.w.Reset(make([]byte, 0, forms.AnswerSize(r)))
	w := &e.w
	ch := &llm.Choice{Stop: llm.Stop{Reason: llm.StopEnd}}
	if len(r.Choices) > 0 {
		ch = &r.Choices[0]
	}
	if len(r.Choices) > 1 {
		e.shown.choices()
	}
	if ch.Stop.Reason == llm.StopMalformed && len(ch.Parts) == 0 {
		return nil, nil, forms.BadAnswer("the model's output is malformed: %s", ch.Stop.Raw)
	}
	w.BeginObject()
	w.StringField("id", r.ID)
	w.StringField("finish_reason", wordOf(ch.Stop.Reason))
	w.Key("message")
	e.message(ch)
	w.Key("usage")
	writeUsage(w, r.Usage)
	if len(ch.LogProbs) > 0 {
		w.Key("logprobs")
		w.BeginArray()
		for i := range ch.LogProbs {
			e.shown.logProb(&ch.LogProbs[i])
			writeLogProb(w, &ch.LogProbs[i])
		}
		w.EndArray()
	}
	w.EndObject()
	e.shown.stop(ch.Stop)
	return w.Bytes(), e.shown.losses, nil
}

// shown collects what of an answer the dialect cannot show.
type shown struct{ losses lossList }

func (s *shown) choices() {
	s.losses.add(llm.FeatureChoices, llm.ActionDropped, llm.Contract, "only the first choice is shown")
}

func (s *shown) logProb(t *llm.TokenLogProb) {
	if len(t.Top) > 0 {
		s.losses.add(llm.FeatureLogProbs, llm.ActionApproximated, llm.Tuning, "without the likeliest others")
	}
}

// part records a part that is not shown.
func (s *shown) part(p *llm.Part) {
	f := llm.FeatureVendorPart
	if p.Text != "" {
		f = llm.FeatureVendorPartText
	}
	s.losses.add(f, llm.ActionDropped, llm.Tuning, "a part of kind "+p.Kind.String()+" has no place in this dialect's answer")
}

// detail records that why an answer ended is not shown in the vendor's words.
func (s *shown) detail() {
	s.losses.add("stop_detail", llm.ActionDropped, llm.Tuning, "why the answer ended, in words, where that is no refusal without any")
}

// stop records a reason that the dialect has no word for.
func (s *shown) stop(stop llm.Stop) {
	switch stop.Reason {
	case llm.StopPause:
		s.losses.add("stop_reason", llm.ActionApproximated, llm.Tuning, "the vendor paused the turn and would go on; said as "+wordComplete)
	case llm.StopContentFilter, llm.StopRefusal:
		s.losses.add("stop_reason", llm.ActionApproximated, llm.Tuning, "refused or filtered; said as "+wordError)
	default:
	}
}

// citation reports whether a citation can be shown, and records it if not.
func (s *shown) citation(c *llm.Citation) bool {
	if isCitable(c) {
		return true
	}
	s.losses.add(llm.FeatureCitationHistory, llm.ActionDropped, llm.Harmless, "a citation that names no document and no URL has no form in this dialect")
	return false
}

// answerEncoder writes one answer.
type answerEncoder struct {
	w     jsontext.Writer
	shown shown
}

func (e *answerEncoder) message(ch *llm.Choice) {
	w := &e.w
	w.BeginObject()
	w.StringField("role", "assistant")
	var texts []*llm.Part // of content, in order
	calls := 0
	for i := range ch.Parts {
		switch p := &ch.Parts[i]; p.Kind {
		case llm.PartText, llm.PartRefusal, llm.PartThinking:
			texts = append(texts, p)
		case llm.PartToolCall:
			calls++
		default:
			e.shown.part(p)
		}
	}
	p := explanation(ch.Stop, ch.Parts)
	if p == nil && ch.Stop.Detail != "" {
		e.shown.detail()
	}
	if p != nil {
		texts = append(texts, p)
	}
	if len(texts) == 0 && calls == 0 {
		texts = append(texts, &llm.Part{Kind: llm.PartText}) // clients look at the first block
	}
	if len(texts) > 0 {
		w.Key("content")
		w.BeginArray()
		for _, p := range texts {
			writeBlock(w, p)
		}
		w.EndArray()
	}
	e.calls(ch, calls)
	e.citations(texts)
	w.EndObject()
}

// isRefusal reports whether the explanation of an end is why nothing, or no more, was said.
func isRefusal(r llm.StopReason) bool { return r == llm.StopRefusal || r == llm.StopContentFilter }

// explanation is the words for a refusal that came without any.
func explanation(stop llm.Stop, parts []llm.Part) *llm.Part {
	if !isRefusal(stop.Reason) || stop.Detail == "" {
		return nil
	}
	for i := range parts {
		if parts[i].Kind == llm.PartRefusal {
			return nil
		}
	}
	return &llm.Part{Kind: llm.PartText, Text: stop.Detail}
}

func writeBlock(w *jsontext.Writer, p *llm.Part) {
	w.BeginObject()
	if p.Kind != llm.PartThinking {
		w.StringField("type", typeText)
		w.StringField("text", p.Text)
		w.EndObject()
		return
	}
	w.StringField("type", typeThinking)
	w.StringField(typeThinking, p.Text)
	if isForeign(p.Thinking) {
		writeSigned(w, p.Thinking)
	}
	w.EndObject()
}

// writeSigned writes what another vendor signed or sealed.
func writeSigned(w *jsontext.Writer, t *llm.Thinking) {
	w.Key(keySigned)
	w.BeginObject()
	w.StringField("issuer", t.Issuer)
	if t.Signature != "" {
		w.StringField("signature", t.Signature)
	}
	if t.Sealed != "" {
		w.StringField("sealed", t.Sealed)
	}
	w.EndObject()
}

func (e *answerEncoder) calls(ch *llm.Choice, n int) {
	if n == 0 {
		return
	}
	w := &e.w
	w.Key("tool_calls")
	w.BeginArray()
	for i := range ch.Parts {
		if c := ch.Parts[i].Call; c != nil {
			writeCall(w, c.ID, c.Name, wholeArgs(c.Args, ch.Stop.Reason))
		}
	}
	w.EndArray()
}

// wholeArgs is the arguments of a call in an answer. None are an empty object, unless the answer was cut: then they
// were not written yet, and the call must not look whole.
func wholeArgs(args string, reason llm.StopReason) string {
	if strings.TrimSpace(args) == "" && isWhole(reason) {
		return emptyArgs
	}
	return args
}

func isWhole(reason llm.StopReason) bool {
	return reason == llm.StopToolCalls || reason == llm.StopEnd || reason == llm.StopSequence
}

func (e *answerEncoder) citations(texts []*llm.Part) {
	w := &e.w
	begun := false
	for i, p := range texts {
		var text *forms.Chars
		for j := range p.Citations {
			if !e.shown.citation(&p.Citations[j]) {
				continue
			}
			if !begun {
				begun = true
				w.Key("citations")
				w.BeginArray()
			}
			if text == nil {
				text = forms.CharsOf(p.Text)
			}
			writeCitation(w, &p.Citations[j], text, i)
		}
	}
	if begun {
		w.EndArray()
	}
}

// writeLogProb writes [coh:LogprobItem]. The token's numeric id is not known.
func writeLogProb(w *jsontext.Writer, t *llm.TokenLogProb) {
	w.BeginObject()
	w.StringField("text", t.Token)
	w.Key("token_ids")
	w.BeginArray()
	w.EndArray()
	w.Key("logprobs")
	w.BeginArray()
	w.Float(t.LogProb)
	w.EndArray()
	w.EndObject()
}
