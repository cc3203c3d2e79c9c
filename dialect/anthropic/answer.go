package anthropic

import (
	"crypto/sha256"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// lossList collects what of an answer could not be shown, each feature once.
type lossList []llm.Loss

func (l *lossList) add(f llm.Feature, severity llm.Severity, detail string) {
	l.append(llm.Loss{Feature: f, Action: llm.ActionDropped, Severity: severity, Detail: detail})
}

func (l *lossList) append(loss llm.Loss) {
	for _, have := range *l {
		if have.Feature == loss.Feature {
			return
		}
	}
	*l = append(*l, loss)
}

// isHidden reports whether the dialect has no place for a part of an answer.
func isHidden(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal, llm.PartToolCall:
		return false
	case llm.PartThinking:
		return p.Thinking == nil || p.Thinking.Sealed != "" && p.Thinking.Issuer == ""
	case llm.PartOpaque:
		return p.Opaque.Dialect != issuer
	default:
		return true
	}
}

// hide reports a hidden part.
func (l *lossList) hide(p *llm.Part) {
	switch p.Kind {
	case llm.PartThinking:
		l.add(llm.FeatureThinkingHistory, llm.Harmless, "thinking of which nothing is known")
	case llm.PartOpaque:
		l.add(llm.FeatureVendorPart, llm.Contract, "content that only another dialect knows")
	default:
		l.add(llm.Feature(p.Kind.String()), llm.Contract, "answers of the dialect hold none")
	}
}

// EncodeResponse writes a whole answer. An error means that the answer is not legal in this dialect.
func (clientSide) EncodeResponse(resp *llm.Response) ([]byte, []llm.Loss, error) {
	if len(resp.Choices) == 0 {
		return nil, nil, badAnswer("it has no choice", nil)
	}
	choice := &resp.Choices[0]
	switch {
	case choice.Stop.Reason == "":
		return nil, nil, truncated("it has no stop reason")
	case stopWord(choice.Stop.Reason) == "":
		return nil, nil, malformed()
	}
	var a answerWriter
	if len(resp.Choices) > 1 {
		a.losses.add(llm.FeatureChoices, llm.Contract, "the dialect has one choice")
	}
	if len(choice.LogProbs) > 0 {
		a.losses.add(llm.FeatureLogProbs, llm.Tuning, "the dialect has none")
	}
	if !resp.Usage.Known {
		a.losses.add("usage", llm.Harmless, "the provider told none; zeros stand for it")
	}
	w := &a.w
	w.Reset(make([]byte, 0, forms.AnswerSize(resp)))
	w.BeginObject()
	w.StringField("id", resp.ID)
	w.StringField("type", "message")
	w.StringField("role", roleAssistant)
	w.StringField("model", resp.Model)
	w.Key("content")
	w.BeginArray()
	for i := range choice.Parts {
		if err := a.part(&choice.Parts[i], choice.Stop.Reason); err != nil {
			return nil, nil, err
		}
	}
	w.EndArray()
	writeStop(w, choice.Stop, resp.Extra)
	w.Key("usage")
	writeUsage(w, resp.Usage, resp.Tier)
	writeKeptOrNull(w, resp.Extra, "container")
	writeKept(w, resp.Extra, "context_management")
	w.EndObject()
	return w.Bytes(), a.losses, nil
}

// answerWriter writes the content of a whole answer.
type answerWriter struct {
	w      jsontext.Writer
	losses lossList
	ids    shownIDs
}

func (a *answerWriter) part(p *llm.Part, stop llm.StopReason) error {
	if isHidden(p) {
		a.losses.hide(p)
		return nil
	}
	w := &a.w
	switch p.Kind {
	case llm.PartToolCall:
		return a.call(p, stop)
	case llm.PartThinking:
		a.thinking(p)
	case llm.PartOpaque:
		w.Raw(p.Opaque.Raw)
	default:
		if p.Text == "" {
			return nil
		}
		w.BeginObject()
		w.StringField("type", blockText)
		w.StringField("text", p.Text)
		a.citations(p.Citations)
		w.EndObject()
	}
	return nil
}

// thinking writes a thinking block. One without text is shown for its signature alone.
func (a *answerWriter) thinking(p *llm.Part) {
	t := p.Thinking
	signature := t.Signature
	switch {
	case t.Sealed != "":
	case p.Text == "" && signature == "":
		return
	case t.Issuer != issuer || signature == "":
		sum := sha256.New()
		sum.Write([]byte(p.Text))
		signature = shownSignature(t.Issuer, signature, sum)
	}
	writeThinkingBlock(&a.w, p.Text, signature, shownSealed(t))
}

func (a *answerWriter) call(p *llm.Part, stop llm.StopReason) error {
	input := forms.OrEmptyObject(p.Call.Args)
	if !forms.IsObject(input) {
		if stop != llm.StopLength {
			return badAnswer("the model wrote arguments for the tool "+forms.Excerpt(p.Call.Name, 80)+" that are no JSON object", nil)
		}
		input = "{}"
		a.losses.append(llm.Loss{
			Feature: "tool_arguments", Action: llm.ActionApproximated, Severity: llm.Tuning,
			Detail: "arguments that the token limit cut are shown as {}",
		})
	}
	w := &a.w
	w.BeginObject()
	w.StringField("type", blockToolUse)
	w.StringField("id", a.ids.show(p.Call.ID))
	w.StringField("name", p.Call.Name)
	w.RawField("input", jsontext.Compact(nil, jsontext.Value(input)))
	if !hasExtra(p.Extra, "caller") {
		w.RawField("caller", []byte(`{"type":"direct"}`)) // the model itself, not code that it runs
	}
	writeExtra(w, p.Extra, "")
	w.EndObject()
	return nil
}

// citations leaves out those of other vendors: the dialect's own need what only its vendor can give. Where none are
// left it writes no member, as the vendor does, though its description has a null: some clients refuse that.
func (a *answerWriter) citations(list []llm.Citation) {
	own := make([]llm.Citation, 0, len(list))
	for _, c := range list {
		if c.Opaque == nil || c.Opaque.Dialect != issuer {
			a.losses.add(llm.FeatureCitationHistory, llm.Tuning, "citations of another vendor")
			continue
		}
		own = append(own, c)
	}
	if len(own) > 0 {
		writeCitations(&a.w, own)
	}
}
