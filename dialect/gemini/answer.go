package gemini

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// lossList collects what of an answer could not be shown, each feature once.
type lossList []llm.Loss

func (l *lossList) add(f llm.Feature, action llm.Action, severity llm.Severity, detail string) {
	for _, have := range *l {
		if have.Feature == f {
			return
		}
	}
	*l = append(*l, llm.Loss{Feature: f, Action: action, Severity: severity, Detail: detail})
}

// isHidden reports whether the dialect has no place for a part of an answer.
func isHidden(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal, llm.PartToolCall:
		return false
	case llm.PartThinking:
		return p.Thinking == nil
	case llm.PartImage, llm.PartAudio:
		return p.Media == nil || p.Media.FileID != "" && p.Media.Issuer != self
	case llm.PartOpaque:
		return p.Opaque.Dialect != self
	default:
		return true
	}
}

// hide reports a hidden part.
func (l *lossList) hide(p *llm.Part) {
	if p.Kind == llm.PartOpaque {
		l.add(llm.FeatureVendorPart, llm.ActionDropped, llm.Contract, "content that only another dialect knows")
		return
	}
	l.add(llm.Feature(p.Kind.String()), llm.ActionDropped, llm.Contract, "answers of the dialect hold none")
}

// usage reports what of a count the dialect has no word for.
func (l *lossList) usage(u llm.Usage) {
	if u.InCacheWrite+u.InCache1h > 0 {
		l.add("cache_write_tokens", llm.ActionApproximated, llm.Harmless, "counted as part of the prompt")
	}
	if u.AcceptedPrediction+u.RejectedPrediction > 0 {
		l.add("prediction_tokens", llm.ActionDropped, llm.Harmless, "the dialect has no count of them")
	}
}

// EncodeResponse writes a whole answer. An error means that the answer is not legal in this dialect.
func (clientSide) EncodeResponse(resp *llm.Response) ([]byte, []llm.Loss, error) {
	if len(resp.Choices) == 0 {
		return nil, nil, badAnswer("it has no choice", nil)
	}
	var a answerWriter
	w := &a.w
	w.Reset(make([]byte, 0, forms.AnswerSize(resp)))
	w.BeginObject()
	w.Key("candidates")
	w.BeginArray()
	for i := range resp.Choices {
		if resp.Choices[i].Stop.Reason == "" {
			return nil, nil, truncated("it has no stop reason")
		}
		if err := a.choice(&resp.Choices[i], resp); err != nil {
			return nil, nil, err
		}
	}
	w.EndArray()
	if resp.Usage.Known {
		writeUsage(w, resp.Usage, resp.Tier)
		a.losses.usage(resp.Usage)
	}
	w.StringField("modelVersion", resp.Model)
	w.StringField("responseId", resp.ID)
	w.EndObject()
	return w.Bytes(), a.losses, nil
}

// answerWriter writes the candidates of a whole answer.
type answerWriter struct {
	w      jsontext.Writer
	losses lossList
	parts  int // parts written of the current candidate
	cited  []textCitations
	onCall []string // signatures for the calls to come
	called bool     // the current candidate has a call
	signed bool     // the text before has the signature that comes next
}

func (a *answerWriter) choice(ch *llm.Choice, resp *llm.Response) error {
	w := &a.w
	a.parts, a.cited, a.onCall, a.called = 0, nil, nil, false
	w.BeginObject()
	w.Key("content")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	for i := range ch.Parts {
		if i+1 < len(ch.Parts) && a.signedText(&ch.Parts[i], &ch.Parts[i+1]) {
			continue
		}
		if err := a.part(&ch.Parts[i], ch.Stop.Reason); err != nil {
			return err
		}
	}
	w.EndArray()
	w.StringField("role", roleModel)
	w.EndObject()
	writeFinish(w, ch.Stop)
	w.IntField("index", int64(ch.Index))
	if len(ch.LogProbs) > 0 {
		writeLogProbs(w, ch.LogProbs)
	}
	extra := ch.Extra
	if ch.Index == 0 && len(resp.Extra[self]) > 0 {
		extra = resp.Extra
	}
	writeMetadata(w, a.cited, extra)
	w.EndObject()
	return nil
}

// signedText keeps the signature that follows a text for it, and reports whether a part is such a signature's text.
func (a *answerWriter) signedText(p, next *llm.Part) bool {
	place, signature, ok := unsealed(next)
	if !ok || place != onText || p.Kind != llm.PartText || p.Text == "" {
		return false
	}
	a.text(p, signature)
	a.signed = true
	return true
}

// text writes a text.
func (a *answerWriter) text(p *llm.Part, signature string) {
	if len(p.Citations) > 0 {
		a.cited = append(a.cited, textCitations{part: a.parts, text: forms.CharsOf(p.Text), list: p.Citations})
	}
	writeTextPart(&a.w, p.Text, false, signature)
	a.parts++
}

// writeFinish says why a candidate ended.
func writeFinish(w *jsontext.Writer, stop llm.Stop) {
	w.StringField("finishReason", stopWord(stop))
	if stop.Detail != "" {
		w.StringField("finishMessage", stop.Detail)
	}
}

// writeMetadata restores what this dialect kept of a candidate, or else writes the citations.
func writeMetadata(w *jsontext.Writer, cited []textCitations, extra llm.Extra) {
	hasGrounding := false
	for _, m := range extra[self] {
		if m.Key != "promptFeedback" {
			w.RawField(m.Key, m.Raw)
			hasGrounding = hasGrounding || m.Key == "groundingMetadata" || m.Key == "citationMetadata"
		}
	}
	if len(cited) > 0 && !hasGrounding {
		writeGrounding(w, cited)
	}
}

func (a *answerWriter) part(p *llm.Part, stop llm.StopReason) error {
	if isHidden(p) {
		a.losses.hide(p)
		return nil
	}
	switch p.Kind {
	case llm.PartToolCall:
		return a.call(p, stop)
	case llm.PartThinking:
		a.thinking(p)
		return nil
	case llm.PartText, llm.PartRefusal:
		if p.Text != "" {
			a.text(p, "")
		}
	default:
		writeFilePart(&a.w, p)
		a.parts++
	}
	return nil
}

// thinking writes a thought, or keeps a signature for the call on which it stood.
func (a *answerWriter) thinking(p *llm.Part) {
	place, signature, isSealed := unsealed(p)
	switch {
	case isSealed && place == onCall:
		a.onCall = append(a.onCall, signature)
		return
	case a.signed:
		a.signed = false
		return
	case isSealed:
		writeTextPart(&a.w, "", false, signature)
	default:
		signature := shownSignature(p.Thinking)
		if p.Text == "" && p.Thinking.Signature == "" && p.Thinking.Sealed == "" {
			return
		}
		writeTextPart(&a.w, p.Text, true, signature)
	}
	a.parts++
}

// shownSignature is the signature under which a thought is shown: the vendor's own, or one of this gateway's that
// holds that of another vendor.
func shownSignature(t *llm.Thinking) string {
	switch {
	case t.Issuer == self:
		return t.Signature
	case t.Sealed != "":
		return wrap(foreignSealed, t.Issuer, t.Sealed)
	case t.Signature != "":
		return wrap(foreignSignature, t.Issuer, t.Signature)
	}
	return wrap(foreignNone, t.Issuer, "")
}

func (a *answerWriter) call(p *llm.Part, stop llm.StopReason) error {
	args := forms.OrEmptyObject(p.Call.Args)
	if !forms.IsObject(args) {
		if stop != llm.StopLength {
			return badAnswer("the model wrote arguments for the function "+forms.Excerpt(p.Call.Name, 80)+" that are no JSON object", nil)
		}
		args = "{}"
		a.losses.add("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments that the token limit cut are shown as {}")
	}
	signature := ""
	switch {
	case len(a.onCall) > 0:
		signature, a.onCall = a.onCall[0], a.onCall[1:]
	case !a.called:
		signature = unsigned
	}
	a.called = true
	writeCallPart(&a.w, p.Call, args, signature)
	a.parts++
	return nil
}

func writeCallPart(w *jsontext.Writer, c *llm.ToolCall, args, signature string) {
	w.BeginObject()
	writeCall(w, c.ID, c.Name, jsontext.Compact(nil, jsontext.Value(strings.TrimSpace(args))))
	if signature != "" {
		w.StringField("thoughtSignature", signature)
	}
	w.EndObject()
}

func writeTextPart(w *jsontext.Writer, s string, isThought bool, signature string) {
	w.BeginObject()
	w.StringField("text", s)
	if isThought {
		w.BoolField("thought", true)
	}
	if signature != "" {
		w.StringField("thoughtSignature", signature)
	}
	w.EndObject()
}

// writeFilePart writes an image, audio or what only this dialect knows.
func writeFilePart(w *jsontext.Writer, p *llm.Part) {
	if p.Kind == llm.PartOpaque {
		w.Raw(p.Opaque.Raw)
		return
	}
	m := p.Media
	w.BeginObject()
	if m.Data != "" {
		w.Key("inlineData")
		w.BeginObject()
		w.StringField("mimeType", m.Type)
		w.StringField("data", m.Data)
	} else {
		w.Key("fileData")
		w.BeginObject()
		if m.Type != "" {
			w.StringField("mimeType", m.Type)
		}
		w.StringField("fileUri", m.URL+m.FileID)
	}
	w.EndObject()
	writeExtra(w, p.Extra, "")
	w.EndObject()
}
