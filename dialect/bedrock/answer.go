package bedrock

import (
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
		return p.Thinking == nil
	case llm.PartImage:
		return p.Media == nil || p.Media.Data == "" || imageFormat(p.Media.Type) == ""
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

// stop reports what of the end of an answer has no place.
func (l *lossList) stop(stop llm.Stop) {
	if stop.Detail != "" {
		l.add("stop_detail", llm.Tuning, "why the answer ended, in words")
	}
}

// usage reports what of the usage has no place.
func (l *lossList) usage(u llm.Usage) {
	if !u.Known {
		l.add("usage", llm.Harmless, "the provider told none; zeros stand for it")
	}
}

// citation reports what of a citation has no place.
func (l *lossList) citation(c *llm.Citation) {
	if c.Start != 0 || c.End != 0 {
		l.append(llm.Loss{
			Feature: "citation_span", Action: llm.ActionApproximated, Severity: llm.Tuning,
			Detail: "a citation holds for the whole text that it stands in",
		})
	}
}

// EncodeResponse writes a whole answer. An error means that the answer is not legal in this dialect.
func (clientSide) EncodeResponse(resp *llm.Response) ([]byte, []llm.Loss, error) {
	if len(resp.Choices) == 0 {
		return nil, nil, badAnswer("it has no choice", nil)
	}
	choice := &resp.Choices[0]
	if choice.Stop.Reason == "" {
		return nil, nil, truncated("it has no stop reason")
	}
	var a answerWriter
	if len(resp.Choices) > 1 {
		a.losses.add(llm.FeatureChoices, llm.Contract, "the dialect has one choice")
	}
	if len(choice.LogProbs) > 0 {
		a.losses.add(llm.FeatureLogProbs, llm.Tuning, "the dialect has none")
	}
	a.losses.stop(choice.Stop)
	a.losses.usage(resp.Usage)
	w := &a.w
	w.Reset(make([]byte, 0, forms.AnswerSize(resp)))
	w.BeginObject()
	w.Key("output")
	w.BeginObject()
	w.Key("message")
	w.BeginObject()
	w.StringField("role", roleAssistant)
	w.Key("content")
	w.BeginArray()
	for i := range choice.Parts {
		if err := a.part(&choice.Parts[i], choice.Stop.Reason); err != nil {
			return nil, nil, err
		}
	}
	w.EndArray()
	w.EndObject()
	w.EndObject()
	writeStop(w, choice.Stop, resp.Extra)
	writeUsage(w, resp.Usage)
	writeAccount(w, resp.Extra, resp.Tier)
	w.EndObject()
	return w.Bytes(), a.losses, nil
}

// writeAccount writes what an answer says of how it came about.
func writeAccount(w *jsontext.Writer, extra llm.Extra, tier string) {
	writeMetrics(w, extra)
	writeKept(w, extra, "trace")
	writeKept(w, extra, "performanceConfig")
	switch tier {
	case "standard", "on_demand": // the others' words for it
		tier = "default"
	}
	switch tier {
	case "priority", "default", "flex", "reserved":
		w.Key("serviceTier")
		w.BeginObject()
		w.StringField("type", tier)
		w.EndObject()
	}
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
	case llm.PartImage:
		w.BeginObject()
		w.Key("image")
		w.BeginObject()
		w.StringField("format", imageFormat(p.Media.Type))
		w.Key("source")
		w.BeginObject()
		w.StringField("bytes", p.Media.Data)
		w.EndObject()
		w.EndObject()
		w.EndObject()
	default:
		if p.Text == "" {
			return nil
		}
		for i := range p.Citations {
			a.losses.citation(&p.Citations[i])
		}
		writeText(w, p)
	}
	return nil
}

// thinking writes a thinking block. One without text is shown for its signature alone.
func (a *answerWriter) thinking(p *llm.Part) {
	t := p.Thinking
	switch {
	case t.Sealed != "":
		writeReasoning(&a.w, "", "", wrapSealed(t.Issuer, t.Sealed))
	case p.Text == "" && t.Signature == "":
	default:
		writeReasoning(&a.w, p.Text, wrap(t.Issuer, t.Signature), "")
	}
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
	w.Key("toolUse")
	w.BeginObject()
	w.StringField("toolUseId", a.ids.show(p.Call.ID))
	w.StringField("name", p.Call.Name)
	w.RawField("input", jsontext.Compact(nil, jsontext.Value(input)))
	writeExtra(w, p.Extra, "")
	w.EndObject()
	w.EndObject()
	return nil
}
