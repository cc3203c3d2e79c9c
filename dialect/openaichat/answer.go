package openaichat

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// EncodeResponse writes a chat completion. It returns an *llm.Error for an answer that came to nothing because the
// model's output was malformed.
func (clientSide) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	e := answerEncoder{}
	e.w.Reset(make([]byte, 0, forms.AnswerSize(r)))
	w := &e.w
	w.BeginObject()
	w.StringField("id", r.ID)
	w.StringField("object", "chat.completion")
	w.IntField("created", r.Created)
	w.StringField("model", r.Model)
	w.Key("choices")
	w.BeginArray()
	for i := range r.Choices {
		if isMalformed(&r.Choices[i]) {
			return nil, nil, forms.BadAnswer("the model's output is malformed: %s", r.Choices[i].Stop.Raw)
		}
		e.choice(&r.Choices[i])
	}
	w.EndArray()
	if r.Usage.Known {
		w.Key("usage")
		writeUsage(w, r.Usage)
	}
	writeTier(w, r.Tier)
	w.EndObject()
	e.shown.kept(r.Extra)
	return w.Bytes(), e.shown.list, nil
}

// isRefusal reports whether the explanation of an end is why nothing, or no more, was said.
func isRefusal(r llm.StopReason) bool { return r == llm.StopRefusal || r == llm.StopContentFilter }

// isMalformed reports whether a choice ended in malformed output and has nothing else to show.
func isMalformed(ch *llm.Choice) bool {
	return ch.Stop.Reason == llm.StopMalformed && len(ch.Parts) == 0
}

// writeTier writes service_tier where the dialect has a word for it: clients check it.
func writeTier(w *jsontext.Writer, tier string) {
	if tier = forms.OpenAITier(tier); tier != "" {
		w.StringField("service_tier", tier)
	}
}

// shown collects what of an answer the dialect cannot show, each kind once.
type shown struct{ list []llm.Loss }

func (s *shown) lose(l llm.Loss) {
	for _, have := range s.list {
		if have.Feature == l.Feature {
			return
		}
	}
	s.list = append(s.list, l)
}

// part records a part that is not shown.
func (s *shown) part(p *llm.Part) {
	f := llm.FeatureVendorPart
	if p.Kind == llm.PartOpaque && p.Text != "" {
		f = llm.FeatureVendorPartText
	}
	s.lose(loss(f, llm.ActionDropped, llm.Tuning, "a part of kind "+p.Kind.String()+" has no place in this dialect's answer"))
}

// stop records a reason that the dialect has no word for.
func (s *shown) stop(stop llm.Stop) {
	if stop.Reason == llm.StopPause {
		s.lose(loss("stop_reason", llm.ActionApproximated, llm.Tuning, "the vendor paused the turn and would go on; said as stop"))
	}
}

// kept records what was kept of another answer of this dialect, which is not put back.
func (s *shown) kept(extra llm.Extra) {
	if len(extra[self]) > 0 {
		s.lose(dialect.BesideLosses([]string{pathNotes})[0])
	}
}

// detail records that why an answer ended is not shown in the vendor's words.
func (s *shown) detail() {
	s.lose(loss("stop_detail", llm.ActionDropped, llm.Tuning, "why the answer ended, in words, where that is no refusal without any"))
}

// citation records a citation that the dialect has no form for, and reports whether it has one.
func (s *shown) citation(c *llm.Citation) bool {
	if c.Kind == llm.CiteURL {
		return true
	}
	s.lose(loss(llm.FeatureCitationHistory, llm.ActionDropped, llm.Harmless, "only citations of URLs have a form in this dialect"))
	return false
}

// answerEncoder writes one answer.
type answerEncoder struct {
	w     jsontext.Writer
	shown shown
}

func (e *answerEncoder) choice(ch *llm.Choice) {
	w := &e.w
	w.BeginObject()
	w.IntField("index", int64(ch.Index))
	w.Key("message")
	e.message(ch)
	if len(ch.LogProbs) > 0 {
		writeLogProbs(w, ch.LogProbs)
	} else {
		w.NullField("logprobs")
	}
	w.StringField("finish_reason", finishWord(ch.Stop.Reason, slices.ContainsFunc(ch.Parts, isOldCall)))
	w.EndObject()
	e.shown.stop(ch.Stop)
}

// isOldCall reports whether a part is a call that the client knows by its old name.
func isOldCall(p llm.Part) bool { return p.Call != nil && p.Call.Old }

// finishWord is the finish reason of a choice, whose calls are of the old form or the new one.
func finishWord(reason llm.StopReason, old bool) string {
	if old && reason == llm.StopToolCalls {
		return keyOldCall
	}
	return wordOf(reason)
}

// oldCalls records that of several calls only the first is shown.
func (s *shown) oldCalls() {
	s.lose(loss("tool_calls", llm.ActionDropped, llm.Contract, "the old form has one call a turn; the first is shown"))
}

func (e *answerEncoder) message(ch *llm.Choice) {
	w := &e.w
	text := joinText(textsOf(ch.Parts))
	var refusal, thinking strings.Builder
	calls := 0
	for i := range ch.Parts {
		p := &ch.Parts[i]
		switch p.Kind {
		case llm.PartText:
		case llm.PartRefusal:
			refusal.WriteString(p.Text)
		case llm.PartThinking:
			thinking.WriteString(p.Text)
		case llm.PartToolCall:
			calls++
		default:
			e.shown.part(p)
		}
	}
	switch {
	case ch.Stop.Detail == "":
	case refusal.Len() == 0 && isRefusal(ch.Stop.Reason):
		refusal.WriteString(ch.Stop.Detail)
	default:
		e.shown.detail()
	}
	w.BeginObject()
	w.StringField("role", "assistant")
	if text == "" && (refusal.Len() > 0 || calls > 0) {
		w.NullField("content")
	} else {
		w.StringField("content", text)
	}
	if refusal.Len() > 0 {
		w.StringField("refusal", refusal.String())
	} else {
		w.NullField("refusal")
	}
	e.thinking(ch, thinking.String())
	if calls > 0 {
		e.calls(ch, calls)
	}
	e.annotations(ch.Parts)
	w.EndObject()
}

// calls writes the calls; in the old form only the first.
func (e *answerEncoder) calls(ch *llm.Choice, n int) {
	w := &e.w
	if first := slices.IndexFunc(ch.Parts, isOldCall); first >= 0 {
		c := ch.Parts[first].Call
		w.Key(keyOldCall)
		writeFunction(w, c.Name, wholeArgs(c.Args, ch.Stop.Reason))
		if n > 1 {
			e.shown.oldCalls()
		}
		return
	}
	w.Key("tool_calls")
	w.BeginArray()
	for i := range ch.Parts {
		if c := ch.Parts[i].Call; c != nil {
			writeCall(w, c.ID, c.Name, wholeArgs(c.Args, ch.Stop.Reason))
		}
	}
	w.EndArray()
}

// wholeArgs is the arguments of a call in an answer. None are an empty object, which the next turn's vendor may insist
// on, unless the answer was cut: then they were not written yet, and the call must not look whole.
func wholeArgs(args string, reason llm.StopReason) string {
	if strings.TrimSpace(args) == "" && isWhole(reason) {
		return emptyArgs
	}
	return args
}

func isWhole(reason llm.StopReason) bool {
	return reason == llm.StopToolCalls || reason == llm.StopEnd || reason == llm.StopSequence
}

// textsOf is parts without those whose words are not the model's.
func textsOf(parts []llm.Part) []llm.Part {
	for i := range parts {
		if parts[i].Kind == llm.PartOpaque {
			var list []llm.Part
			for _, p := range parts {
				if p.Kind != llm.PartOpaque {
					list = append(list, p)
				}
			}
			return list
		}
	}
	return parts
}

// thinking writes the text of thinking, and apart from it what its issuer signed or sealed, or that nobody did: a text
// alone is of the dialect's own vendors, some of which want it back and others refuse it.
func (e *answerEncoder) thinking(ch *llm.Choice, text string) {
	w := &e.w
	if text != "" {
		w.StringField(keyReasoning, text)
	}
	begun, calls := false, int64(0)
	for i := range ch.Parts {
		p := &ch.Parts[i]
		if p.Kind == llm.PartToolCall {
			calls++
		}
		if p.Kind != llm.PartThinking || !isSigned(p.Thinking) {
			continue
		}
		if !begun {
			w.Key(keyDetails)
			w.BeginArray()
			begun = true
		}
		w.BeginObject()
		writeDetail(w, detail{p.Thinking.Issuer, p.Text, p.Thinking.Signature, p.Thinking.Sealed, calls})
		w.EndObject()
	}
	if !begun && text != "" {
		w.Key(keyDetails)
		w.BeginArray()
		w.BeginObject()
		writeDetail(w, detail{issuer: nobody})
		w.EndObject()
		begun = true
	}
	if begun {
		w.EndArray()
	}
}

// isSigned reports whether thinking is worth carrying: somebody will want it back unchanged.
func isSigned(t *llm.Thinking) bool {
	return t != nil && t.Issuer != "" && (t.Signature != "" || t.Sealed != "")
}

// writeDetail writes the members of an entry of reasoning_details. One without a signature and data only names the
// issuer.
func writeDetail(w *jsontext.Writer, d detail) {
	w.StringField("type", typeThinking)
	w.StringField("issuer", d.issuer)
	switch {
	case d.data != "":
		w.StringField("data", d.data)
	case d.signature != "":
		w.StringField("text", d.text)
		w.StringField("signature", d.signature)
	}
	if d.after > 0 {
		w.IntField("after", d.after)
	}
}

// annotations writes the citations of all text, with spans over the text as joinText joins it.
func (e *answerEncoder) annotations(parts []llm.Part) {
	w := &e.w
	begun, apart, length := false, false, 0
	for i := range parts {
		p := &parts[i]
		apart = apart || p.Kind == llm.PartToolCall
		if p.Kind != llm.PartText {
			continue
		}
		size := utf8.RuneCountInString(p.Text)
		if size > 0 && length > 0 && apart {
			length += len("\n\n")
		}
		for j := range p.Citations {
			c := &p.Citations[j]
			if !e.shown.citation(c) {
				continue
			}
			if !begun {
				w.Key(keyNotes)
				w.BeginArray()
				begun = true
			}
			w.BeginObject()
			writeCitation(w, c, length, size)
			w.EndObject()
		}
		length += size
		apart = apart && size == 0
	}
	if begun {
		w.EndArray()
	}
}

// writeCitation writes the members of an annotation of a text that begins at offset and has size characters.
func writeCitation(w *jsontext.Writer, c *llm.Citation, offset, size int) {
	start, end := c.Start, c.End
	if start == 0 && end == 0 {
		end = size
	}
	w.StringField("type", "url_citation")
	w.Key("url_citation")
	w.BeginObject()
	w.IntField("start_index", int64(offset+start))
	w.IntField("end_index", int64(offset+end))
	w.StringField("url", c.URL)
	w.StringField("title", c.Title)
	w.EndObject()
}

// writeLogProbs writes the member logprobs.
func writeLogProbs(w *jsontext.Writer, list []llm.TokenLogProb) {
	w.Key("logprobs")
	w.BeginObject()
	w.Key("content")
	writeTokens(w, list, true)
	w.NullField("refusal")
	w.EndObject()
}

func writeTokens(w *jsontext.Writer, list []llm.TokenLogProb, withTop bool) {
	w.BeginArray()
	for i := range list {
		t := &list[i]
		w.BeginObject()
		w.StringField("token", t.Token)
		w.FloatField("logprob", t.LogProb)
		w.Key("bytes")
		if t.Bytes == nil {
			w.Null()
		} else {
			w.BeginArray()
			for _, b := range t.Bytes {
				w.Int(int64(b))
			}
			w.EndArray()
		}
		if withTop {
			w.Key("top_logprobs")
			writeTokens(w, t.Top, false)
		}
		w.EndObject()
	}
	w.EndArray()
}
