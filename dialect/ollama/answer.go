package ollama

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// EncodeResponse writes a chat response that is done. It returns an *llm.Error for an answer that came to nothing because
// the model's output was malformed, or that calls a tool with arguments that are no object.
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
	w.StringField("model", r.Model)
	w.StringField("created_at", createdAt(r.Created))
	w.Key("message")
	if err := e.message(ch); err != nil {
		return nil, nil, err
	}
	w.BoolField("done", true)
	w.StringField("done_reason", wordOf(ch.Stop.Reason))
	writeUsage(w, r.Usage)
	if len(ch.LogProbs) > 0 {
		w.Key("logprobs")
		writeLogProbs(w, ch.LogProbs, true)
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

// part records a part that is not shown.
func (s *shown) part(p *llm.Part) {
	f := llm.FeatureVendorPart
	if p.Text != "" {
		f = llm.FeatureVendorPartText
	}
	s.losses.add(f, llm.ActionDropped, llm.Tuning, "a part of kind "+p.Kind.String()+" has no place in this dialect's answer")
}

func (s *shown) citation() {
	s.losses.add(llm.FeatureCitationHistory, llm.ActionDropped, llm.Harmless, "the dialect has no citations")
}

// isRefusal reports whether the explanation of an end is why nothing, or no more, was said.
func isRefusal(r llm.StopReason) bool { return r == llm.StopRefusal || r == llm.StopContentFilter }

// cutCall records a call that the token limit cut: it must not look whole.
func (s *shown) cutCall() {
	s.losses.add("tool_arguments", llm.ActionDropped, llm.Tuning, "a call that was cut by the token limit is left out")
}

// detail records that why an answer ended is not shown in the vendor's words.
func (s *shown) detail() {
	s.losses.add("stop_detail", llm.ActionDropped, llm.Tuning, "why the answer ended, in words, where that is no refusal without any")
}

// stop records a reason that the dialect has no word for.
func (s *shown) stop(stop llm.Stop) {
	switch stop.Reason {
	case llm.StopPause:
		s.losses.add("stop_reason", llm.ActionApproximated, llm.Tuning, "the vendor paused the turn and would go on; said as "+doneStop)
	case llm.StopRefusal:
		s.losses.add("stop_reason", llm.ActionApproximated, llm.Tuning, "a refusal; said as "+doneFilter)
	default:
	}
}

// answerEncoder writes one answer.
type answerEncoder struct {
	w     jsontext.Writer
	shown shown
}

func (e *answerEncoder) message(ch *llm.Choice) error {
	var text, thinking strings.Builder
	apart, refusal := false, false
	var calls []shownCall
	for i := range ch.Parts {
		switch p := &ch.Parts[i]; p.Kind {
		case llm.PartText, llm.PartRefusal:
			if text.Len() > 0 && apart && p.Text != "" {
				text.WriteString("\n\n")
			}
			apart, refusal = false, refusal || p.Kind == llm.PartRefusal
			text.WriteString(p.Text)
			if len(p.Citations) > 0 {
				e.shown.citation()
			}
		case llm.PartThinking:
			thinking.WriteString(p.Text)
		case llm.PartToolCall:
			apart = true
			args, ok := argsText(p.Call.Args)
			switch {
			case ok:
				calls = append(calls, shownCall{p.Call, args})
			case ch.Stop.Reason == llm.StopLength:
				e.shown.cutCall()
			default:
				return forms.BadAnswer("the arguments of a tool call are no JSON object")
			}
		default:
			e.shown.part(p)
		}
	}
	switch {
	case ch.Stop.Detail == "":
	case isRefusal(ch.Stop.Reason) && !refusal:
		text.WriteString(ch.Stop.Detail)
	default:
		e.shown.detail()
	}
	w := &e.w
	w.BeginObject()
	w.StringField("role", "assistant")
	w.StringField("content", text.String())
	if thinking.Len() > 0 {
		w.StringField(keyThinking, thinking.String())
	}
	e.signed(ch.Parts)
	if len(calls) > 0 {
		w.Key("tool_calls")
		w.BeginArray()
		for i, c := range calls {
			writeCall(w, c.ID, c.Name, i, c.args)
		}
		w.EndArray()
	}
	w.EndObject()
	return nil
}

// shownCall is a call whose arguments are an object.
type shownCall struct {
	*llm.ToolCall

	args []byte
}

// signed writes what other vendors signed or sealed.
func (e *answerEncoder) signed(parts []llm.Part) {
	begun := false
	for i := range parts {
		p := &parts[i]
		if p.Kind != llm.PartThinking || !isSigned(p.Thinking) {
			continue
		}
		if !begun {
			begun = true
			e.w.Key(keySigned)
			e.w.BeginArray()
		}
		writeSigned(&e.w, p.Text, p.Thinking)
	}
	if begun {
		e.w.EndArray()
	}
}

func writeSigned(w *jsontext.Writer, text string, t *llm.Thinking) {
	w.BeginObject()
	w.StringField("issuer", t.Issuer)
	if t.Sealed != "" {
		w.StringField("sealed", t.Sealed)
	} else {
		w.StringField("text", text)
		w.StringField("signature", t.Signature)
	}
	w.EndObject()
}

// writeCall writes one of tool_calls. Arguments that are no object are a string.
func writeCall(w *jsontext.Writer, id, name string, index int, args []byte) {
	w.BeginObject()
	if id != "" {
		w.StringField("id", id)
	}
	w.Key(typeFunction)
	w.BeginObject()
	w.IntField("index", int64(index))
	w.StringField("name", name)
	w.RawField("arguments", args)
	w.EndObject()
	w.EndObject()
}

// writeLogProbs writes a list of [oll:Logprob].
func writeLogProbs(w *jsontext.Writer, list []llm.TokenLogProb, withTop bool) {
	w.BeginArray()
	for i := range list {
		t := &list[i]
		w.BeginObject()
		w.StringField("token", t.Token)
		w.FloatField("logprob", t.LogProb)
		if t.Bytes != nil {
			w.Key("bytes")
			w.BeginArray()
			for _, b := range t.Bytes {
				w.Int(int64(b))
			}
			w.EndArray()
		}
		if withTop && len(t.Top) > 0 {
			w.Key("top_logprobs")
			writeLogProbs(w, t.Top, false)
		}
		w.EndObject()
	}
	w.EndArray()
}
