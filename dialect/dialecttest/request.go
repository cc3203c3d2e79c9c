package dialecttest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// stranger is a client's dialect that has every feature and no name of its own for any.
var stranger = &dialect.Dialect{Name: "stranger"}

// request holds the provider side's encoding, the client side's decoding and the relay against each other.
func (r *runner) request(t *testing.T) {
	target := dialect.Target{Model: model, Facts: r.s.Facts}
	losses := dialect.Contract(stranger, r.d, r.s.Request)
	refused, _ := llm.LossLenient.Apply(losses)
	if len(refused) > 0 {
		r.refused(t, []byte(dialect.RefusalMessage(refused, r.d.Name)+"\n"))
		return
	}
	before := show(r.s.Request)
	enc, err := r.d.Provider.EncodeRequest(r.s.Request, target)
	if after := show(r.s.Request); after != before {
		t.Errorf("EncodeRequest changed the request: got %s want %s", after, before)
	}
	if err != nil {
		r.refused(t, []byte(asError(t, err).Error()+"\n"))
		return
	}
	r.golden(t, "refused.txt", nil)
	r.golden(t, "request.json", pretty(t, enc.Body))
	r.golden(t, "losses.txt", lossLines(append(losses, enc.Losses...)))
	r.decoded(t, enc, target)
	r.relayed(t, enc.Body)
}

func (r *runner) refused(t *testing.T, why []byte) {
	t.Helper()
	r.golden(t, "refused.txt", why)
	r.golden(t, "request.json", nil)
	r.golden(t, "losses.txt", nil)
}

// decoded reads back what was sent: what the contract calls mapped is there again, and encoding it once more
// gives the same bytes.
func (r *runner) decoded(t *testing.T, enc dialect.Encoded, target dialect.Target) {
	t.Helper()
	got, err := r.d.Client.DecodeRequest(enc.Body)
	if err != nil {
		t.Fatalf("DecodeRequest of what EncodeRequest wrote: %v\n%s", err, enc.Body)
	}
	if streamsByPath(r.d) {
		got.Stream, got.StreamUsage = r.s.Request.Stream, r.s.Request.StreamUsage
	}
	again, err := r.d.Provider.EncodeRequest(got, target)
	if err != nil {
		t.Fatalf("EncodeRequest of what DecodeRequest read: %v", err)
	}
	if !bytes.Equal(again.Body, enc.Body) {
		t.Errorf("encoded a second time: got\n%s\nwant\n%s", again.Body, enc.Body)
	}
	lost := lostFeatures(r.d, r.s.Request, enc)
	r.features(t, llm.Used(got), lost)
	want, got := comparable(r.s.Request), comparable(got)
	for _, f := range lost {
		if !erase(f, want) || !erase(f, got) {
			return // the loss changes the shape of the messages: the golden file and the second encoding hold it
		}
	}
	forget(want, got)
	equal(t, "decode(encode(request))", got, want)
}

// features asserts that a mapped feature is in what was sent, and a dropped one is not.
func (r *runner) features(t *testing.T, used []llm.Feature, lost []llm.Feature) {
	t.Helper()
	for _, f := range llm.Used(r.s.Request) {
		v, _ := dialect.Verdict(stranger, r.d, f)
		switch {
		case !has(lost, f) && !has(used, f):
			t.Errorf("%s: got it missing from the encoded request, want it mapped as the table says", f)
		case (v.Action == llm.ActionDropped || v.Action == llm.ActionRefused) && has(used, f):
			t.Errorf("%s: got it in the encoded request, want it %s as the table says", f, v.Action)
		}
	}
}

// lostFeatures lists what was lost, by the tables and by the encoding.
func lostFeatures(d *dialect.Dialect, req *llm.Request, enc dialect.Encoded) []llm.Feature {
	var lost []llm.Feature
	for _, l := range append(dialect.Contract(stranger, d, req), enc.Losses...) {
		if !has(lost, l.Feature) {
			lost = append(lost, l.Feature)
		}
	}
	return lost
}

// relayed asserts that the relay reads the request and changes nothing but the model.
func (r *runner) relayed(t *testing.T, body []byte) {
	t.Helper()
	peeked, err := r.d.Relay.Peek(body)
	if err != nil {
		t.Fatalf("Peek: %v", err)
	}
	if peeked.Model != model && peeked.Model != "" || peeked.Stream != r.s.Request.Stream && !streamsByPath(r.d) {
		t.Errorf("Peek: got %+v want model %q, stream %v", peeked, model, r.s.Request.Stream)
	}
	if req, err := r.d.Client.DecodeRequest(body); err == nil && req.Tier != peeked.Tier {
		t.Errorf("Peek: got the tier %q want %q", peeked.Tier, req.Tier)
	}
	other, err := r.d.Relay.SetModel(body, "model-y", dialect.Ask{})
	if err != nil {
		t.Fatalf("SetModel: %v", err)
	}
	want := body // a dialect's model may stand in its path
	if peeked.Model != "" {
		want = bytes.Replace(body, []byte(`"`+model+`"`), []byte(`"model-y"`), 1)
	}
	if !bytes.Equal(other, want) {
		t.Errorf("SetModel: got\n%s\nwant\n%s", other, want)
	}
	stripped, losses, err := r.d.Relay.Strip(body)
	if err != nil {
		t.Fatalf("Strip: %v", err)
	}
	if len(losses) == 0 && &stripped[0] != &body[0] {
		t.Error("Strip: got a copy without a loss, want the body itself")
	}
}

// streamsByPath reports whether the path of a request says that a stream is asked for, and its body does not.
func streamsByPath(d *dialect.Dialect) bool {
	return slices.ContainsFunc(d.Endpoints, func(e dialect.Endpoint) bool { return e.Stream })
}

// comparable is r in the form in which requests are compared: what two dialects may write differently and mean
// alike is made equal.
func comparable(r *llm.Request) *llm.Request {
	c := *r
	c.Model = ""
	c.Messages = nil
	for _, m := range r.Messages {
		if m.Role == llm.RoleDeveloper {
			m.Role = llm.RoleSystem
		}
		m.Parts = slices.Clone(m.Parts)
		if n := len(c.Messages); n > 0 && c.Messages[n-1].Role == m.Role && c.Messages[n-1].Name == m.Name {
			c.Messages[n-1].Parts = append(c.Messages[n-1].Parts, m.Parts...)
			continue
		}
		c.Messages = append(c.Messages, m)
	}
	orderResults(c.Messages)
	c.Tools = slices.Clone(r.Tools)
	for i := range c.Tools {
		c.Tools[i].Schema = jsontext.Compact(nil, c.Tools[i].Schema)
	}
	if r.Format != nil {
		f := *r.Format
		c.Format = &f
	}
	if r.Reasoning != nil {
		reasoning := *r.Reasoning
		c.Reasoning = &reasoning
	}
	if c.ToolChoice.Mode == llm.ChoiceUnset {
		c.ToolChoice.Mode = llm.ChoiceAuto
	}
	if c.N == 0 {
		c.N = 1
	}
	return &c
}

// orderResults puts the results of one turn in the order of their calls, whatever order the client had.
func orderResults(list []llm.Message) {
	var calls []string
	for _, m := range list {
		for _, p := range m.Parts {
			if p.Call != nil {
				calls = append(calls, p.Call.ID)
			}
		}
		if m.Role == llm.RoleTool {
			slices.SortStableFunc(m.Parts, func(a, b llm.Part) int {
				return slices.Index(calls, a.Result.CallID) - slices.Index(calls, b.Result.CallID)
			})
		}
	}
}

// forget makes equal what one side could not know: a limit that the target demands, a name that the dialect has no
// place for, that thinking is to be shown where the dialect shows none unless it is told.
func forget(want, got *llm.Request) {
	if want.MaxTokens == nil {
		got.MaxTokens = nil
	}
	if want.Format != nil && got.Format != nil {
		if got.Format.Name == "" {
			want.Format.Name = ""
		}
		if got.Format.Description == "" {
			want.Format.Description = ""
		}
	}
	if want.Reasoning != nil && got.Reasoning != nil && want.Reasoning.Display == "" && got.Reasoning.Display == "summarized" {
		got.Reasoning.Display = ""
	}
	if len(got.Extra) == 0 {
		got.Extra = nil
	}
	eachPart(got, func(p *llm.Part) { // not every dialect says whose result it is
		if p.Result != nil {
			result := *p.Result
			result.Name = ""
			p.Result = &result
		}
	})
}

// erase removes a feature that was lost from a request, and reports whether it can be done without touching the
// order of messages.
func erase(f llm.Feature, r *llm.Request) bool {
	switch f {
	case llm.FeatureMessageName:
		for i := range r.Messages {
			r.Messages[i].Name = ""
		}
	case llm.FeatureTopK:
		r.TopK = nil
	case llm.FeatureTemperature:
		r.Temperature = nil
	case llm.FeatureTopP:
		r.TopP = nil
	case llm.FeatureFrequencyPenalty:
		r.FrequencyPenalty = nil
	case llm.FeaturePresencePenalty:
		r.PresencePenalty = nil
	case llm.FeatureSeed:
		r.Seed = nil
	case llm.FeatureLogProbs:
		r.LogProbs, r.TopLogProbs = false, nil
	case llm.FeatureLogitBias:
		r.LogitBias = nil
	case llm.FeatureChoices:
		r.N = 1
	case llm.FeatureStop:
		r.Stop = nil
	case llm.FeatureVerbosity:
		r.Verbosity = ""
	case llm.FeatureUser:
		r.User = ""
	case llm.FeatureTier:
		r.Tier = ""
	case llm.FeatureMetadata:
		r.Metadata = nil
	case llm.FeatureCacheKey:
		r.CacheKey = ""
	case llm.FeatureParallelCalls:
		r.ParallelCalls = nil
	case llm.FeatureEffort, llm.FeatureThinkingBudget, llm.FeatureThinkingAdaptive, llm.FeatureThinkingOff,
		llm.FeatureThinkingDisplay:
		r.Reasoning = nil
	case llm.FeatureJSONSchema, llm.FeatureSchemaLoose:
		r.Format = nil
	case llm.FeatureToolStrict:
		for i := range r.Tools {
			r.Tools[i].Strict = nil
		}
	case llm.FeatureImageDetail:
		eachPart(r, func(p *llm.Part) {
			if p.Media != nil && p.Media.Detail != "" {
				media := *p.Media
				media.Detail = ""
				p.Media = &media
			}
		})
	case llm.FeatureCacheMark:
		r.Cache = nil
		for i := range r.Tools {
			r.Tools[i].Cache = nil
		}
		eachPart(r, func(p *llm.Part) { p.Cache = nil })
	case "thought_signature": // of a call: nothing of the request itself
	case "file_name":
		eachPart(r, eraseName)
	case llm.FeatureCitationHistory:
		eachPart(r, func(p *llm.Part) { p.Citations = nil })
	default:
		return false
	}
	return true
}

// eraseName removes the name of a document, and of those in a result.
func eraseName(p *llm.Part) {
	if p.Document != nil {
		d := *p.Document
		d.Name = ""
		p.Document = &d
	}
	if p.Result != nil {
		r := *p.Result
		r.Parts = slices.Clone(r.Parts)
		for i := range r.Parts {
			eraseName(&r.Parts[i])
		}
		p.Result = &r
	}
}

// eachPart calls f for the parts of all messages.
func eachPart(r *llm.Request, f func(*llm.Part)) {
	for i := range r.Messages {
		for j := range r.Messages[i].Parts {
			f(&r.Messages[i].Parts[j])
		}
	}
}
