package dialecttest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// streamOptions are what the writers of the golden streams are told.
var streamOptions = dialect.StreamOptions{ID: "resp_0", Model: model, Created: 1767225600, Usage: true}

func (r *runner) options() dialect.StreamOptions {
	o := streamOptions
	o.Framing = r.d.Framing
	return o
}

// response holds the client side's whole answer against the provider side's reading of it.
func (r *runner) response(t *testing.T) {
	body, losses, err := r.d.Client.EncodeResponse(r.s.Response)
	if err != nil {
		r.golden(t, "response.json", nil)
		r.golden(t, "hidden.txt", []byte(asError(t, err).Error()+"\n"))
		return
	}
	r.golden(t, "response.json", pretty(t, body))
	r.golden(t, "hidden.txt", lossLines(losses))
	got, err := r.d.Provider.DecodeResponse(body)
	if err != nil {
		t.Fatalf("DecodeResponse of what EncodeResponse wrote: %v", err)
	}
	r.compare(t, "decode(encode(response))", got, losses)
	sig, err := r.d.Relay.NewTap(dialect.Ask{}).Body(body)
	if err != nil {
		t.Fatalf("Body: %v", err)
	}
	if want := hasContent(got); sig.Content != want {
		t.Errorf("Body: got content %v want %v", sig.Content, want)
	}
	checkTier(t, "Body", sig.Tier, got.Tier)
	r.beside(t, body)
}

// TapBody holds that a tap says of an answer's body what the provider side makes of it.
func TapBody(t *testing.T, d *dialect.Dialect, body []byte) {
	t.Helper()
	r, wantErr := d.Provider.DecodeResponse(body)
	tap := d.Relay.NewTap(dialect.Ask{})
	got, gotErr := tap.Body(body)
	if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		t.Fatalf("%s: got %v want %v", body, gotErr, wantErr)
	}
	if wantErr != nil {
		return
	}
	content := slices.ContainsFunc(r.Choices, func(c llm.Choice) bool { return len(c.Parts) > 0 || len(c.LogProbs) > 0 })
	if got.Content != content || got.Model != r.Model || !got.Finish || !got.End || tap.Usage() != r.Usage {
		t.Fatalf("%s: got %+v, usage %+v want content %v, model %s, usage %+v", body, got, tap.Usage(), content, r.Model, r.Usage)
	}
}

// beside holds that the dialect's own writer writes nothing that its reader passes over.
func (r *runner) beside(t *testing.T, said []byte) {
	t.Helper()
	if r.d.Beside == nil {
		t.Fatal("got no Beside, want what answers hold that is not read to be listed")
	}
	if paths := r.d.Beside(said); len(paths) > 0 {
		t.Errorf("got %v beside what is read of an answer, want none in %s", paths, said)
	}
}

// stream holds the stream writer, the stream reader and the tap against each other.
func (r *runner) stream(t *testing.T) {
	stream, losses := r.write(Events(r.s.Response))
	r.golden(t, "stream.txt", Legible(t, r.d.Framing, stream))
	list := FramesOf(t, r.d.Framing, stream)
	read, closed, err := ReadStream(r.d.Provider.NewStreamReader(), list)
	if err != nil {
		t.Fatalf("reading what the writer wrote: %v\n%s", err, stream)
	}
	events := slices.Concat(read, closed)
	if err := CheckEvents(events); err != nil {
		t.Errorf("the reader's events: got %v, want a legal stream", err)
	}
	got := llm.Collect(events)
	r.compare(t, "collect(read(write(events)))", got, losses)
	r.tapped(t, list, got)
	r.resumed(t, list, got)
	Repeats(t, r.d, list)
	for _, f := range list {
		r.beside(t, f.Data)
	}
	r.cut(t, stream, events)
	r.overlapping(t)
	r.broken(t)
}

// broken ends a stream in the middle with an error: the reader gives it back, and nothing reads like a normal end.
func (r *runner) broken(t *testing.T) {
	t.Helper()
	events := Events(r.s.Response)
	for i := 1; i < len(events); i++ {
		if events[i].Kind == llm.EventFinish {
			break
		}
		w := r.d.Client.NewStreamWriter(r.options())
		var stream []byte
		for _, e := range events[:i] {
			stream = w.Heartbeat(w.Write(stream, e))
		}
		stream = w.Error(stream, &llm.Error{Code: llm.CodeOverloaded, Origin: llm.OriginProvider, Message: "No capacity."})
		_, _, err := ReadStream(r.d.Provider.NewStreamReader(), FramesOf(t, r.d.Framing, stream))
		if err == nil {
			t.Fatalf("broken after %d events: got a normal end, want the error", i)
		}
		if e := asError(t, err); e.Code != llm.CodeOverloaded && e.Code != llm.CodeServerError {
			t.Errorf("broken after %d events: got %v want %s", i, e, llm.CodeOverloaded)
		}
	}
}

func (r *runner) write(events []llm.Event) ([]byte, []llm.Loss) {
	w := r.d.Client.NewStreamWriter(r.options())
	var stream []byte
	for _, e := range events {
		stream = w.Write(stream, e)
	}
	return stream, w.Losses()
}

// tapped asserts that the tap sees what the reader sees.
func (r *runner) tapped(t *testing.T, list []dialect.Frame, want *llm.Response) {
	t.Helper()
	tap := r.d.Relay.NewTap(dialect.Ask{})
	var content, finish, end bool
	var last dialect.Signal
	tier := ""
	for i, f := range list {
		sig, err := tap.Frame(f)
		if err != nil {
			t.Fatalf("tap: frame %d: %v", i, err)
		}
		if sig.Hide || sig.Data != nil {
			t.Errorf("tap: frame %d: got it changed, want it left alone since nothing was asked for", i)
		}
		content, finish, end = content || sig.Content, finish || sig.Finish, end || sig.End
		last, tier = sig, cmp.Or(sig.Tier, tier)
	}
	if last.Finish {
		end = true // a dialect without a terminator: nothing follows the finish
	}
	if wantContent := hasContent(want); content != wantContent || !finish || !end {
		t.Errorf("tap: got content %v, finish %v, end %v want %v, true, true", content, finish, end, wantContent)
	}
	if terminator, err := tap.Close(); err != nil || len(terminator) > 0 {
		t.Errorf("tap: Close: got %q, %v want nothing to add", terminator, err)
	}
	if want.Usage.Known {
		equal(t, "tap: usage", tap.Usage(), want.Usage)
	}
	checkTier(t, "tap", tier, want.Tier)
}

// checkTier asserts that a tap sees the tier that a reader reads. The usual one may go without saying.
func checkTier(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want && (got != "" || want != "standard") && want != "auto" { // what was asked for says nothing
		t.Errorf("%s: got the tier %q want %q", what, got, want)
	}
}

// cut ends the stream after every byte. Either that is noticed, or all but bookkeeping had arrived; and what had
// been read until then is a prefix of the whole.
func (r *runner) cut(t *testing.T, stream []byte, whole []llm.Event) {
	t.Helper()
	full := comparableResponse(llm.Collect(whole))
	last := -1
	for i := range stream {
		list := FramesOf(t, r.d.Framing, stream[:i])
		if len(list) == last {
			continue // the same frames as one byte less
		}
		last = len(list)
		read, closed, err := ReadStream(r.d.Provider.NewStreamReader(), list)
		if len(read) > len(whole) || len(read) > 0 && !reflect.DeepEqual(read, whole[:len(read)]) {
			t.Fatalf("cut after %d bytes: got events that are not a prefix of the whole", i)
		}
		tap := r.d.Relay.NewTap(dialect.Ask{})
		for _, f := range list {
			if _, err := tap.Frame(f); err != nil {
				t.Fatalf("cut after %d bytes: tap: %v", i, err)
			}
		}
		_, tapErr := tap.Close()
		if (tapErr == nil) != (err == nil) {
			t.Errorf("cut after %d bytes: tap says %v, reader says %v", i, tapErr, err)
		}
		if err != nil {
			if e := asError(t, err); e.Code != llm.CodeTruncated {
				t.Errorf("cut after %d bytes: got %v want %s", i, err, llm.CodeTruncated)
			}
			continue
		}
		events := slices.Concat(read, closed)
		if err := CheckEvents(events); err != nil {
			t.Errorf("cut after %d bytes: %v", i, err)
		}
		got := comparableResponse(llm.Collect(events))
		want := *full
		want.Choices = want.Choices[:min(len(got.Choices), len(full.Choices))] // no reader knows how many were asked for
		got.Usage, got.Extra = want.Usage, want.Extra
		equal(t, "cut stream that ended well", got, &want)
	}
}

// overlapping streams the tool calls of a response interleaved, as some vendors do.
func (r *runner) overlapping(t *testing.T) {
	t.Helper()
	events, ok := interleave(Events(r.s.Response))
	if !ok {
		return
	}
	stream, losses := r.write(events)
	read, closed, err := ReadStream(r.d.Provider.NewStreamReader(), FramesOf(t, r.d.Framing, stream))
	if err != nil {
		t.Fatalf("interleaved: %v\n%s", err, stream)
	}
	all := slices.Concat(read, closed)
	if err := CheckEvents(all); err != nil {
		t.Errorf("interleaved: %v", err)
	}
	r.compare(t, "interleaved", llm.Collect(all), losses)
}

// hasContent reports whether a client would see or act on anything in r.
func hasContent(r *llm.Response) bool {
	for _, e := range r.Events() {
		if e.IsContent() {
			return true
		}
	}
	return false
}

// compare compares what came back with the canonical response, less what was reported lost.
func (r *runner) compare(t *testing.T, what string, got *llm.Response, losses []llm.Loss) {
	t.Helper()
	g, w := comparableResponse(got), comparableResponse(r.s.Response)
	for _, l := range losses {
		eraseShown(l.Feature, g)
		eraseShown(l.Feature, w)
	}
	if g.ID == "" { // not every dialect says who answered; the golden file shows that it does not
		w.ID = ""
	}
	if g.Model == "" {
		w.Model = ""
	}
	if g.Created == 0 {
		w.Created = 0
	}
	if g.Tier == "" {
		w.Tier = ""
	}
	if g.Usage.InCache1h == 0 { // the dialect does not tell lifetimes apart
		w.Usage.InCacheWrite += w.Usage.InCache1h
		w.Usage.InCache1h = 0
	}
	foldUsage(&g.Usage, &w.Usage)
	if !w.Usage.Known { // where a dialect must have counts, zeros stand for none
		g.Usage.Absurd = false
	}
	if g.Usage.InAudio == 0 && g.Usage.OutAudio == 0 && g.Usage.AcceptedPrediction == 0 {
		w.Usage.InAudio, w.Usage.OutAudio = 0, 0
		w.Usage.AcceptedPrediction, w.Usage.RejectedPrediction = 0, 0
	}
	if len(g.Choices) == len(w.Choices) {
		for i := range g.Choices {
			if slices.ContainsFunc(losses, isBadArguments) && g.Choices[i].Stop.Reason == llm.StopMalformed {
				w.Choices[i].Stop = g.Choices[i].Stop // the dialect's word for a call that cannot be shown
			}
			weaken(&g.Choices[i], &w.Choices[i])
			if string(r.d.Name) != signer {
				unsign(&g.Choices[i], &w.Choices[i])
			}
		}
	}
	g.Extra, w.Extra = nil, nil
	equal(t, what, g, w)
}

func isBadArguments(l llm.Loss) bool {
	return l.Feature == "tool_arguments" && l.Action == llm.ActionDropped
}

// foldUsage adds the canonical counts that the dialect has no place for to the sum they are part of. The golden file
// shows that it has none.
func foldUsage(got, want *llm.Usage) {
	if got.InCacheWrite == 0 {
		want.InFresh, want.InCacheWrite = want.InFresh+want.InCacheWrite, 0
	}
	if got.InCacheRead == 0 {
		want.InFresh, want.InCacheRead = want.InFresh+want.InCacheRead, 0
	}
	if got.OutReasoning == 0 {
		want.OutVisible, want.OutReasoning = want.OutVisible+want.OutReasoning, 0
	}
}

// weaker lists the stop reasons that a dialect without a word for one says instead, without losing anything that a
// client of it could have acted on.
var weaker = map[llm.StopReason][]llm.StopReason{
	llm.StopSequence:      {llm.StopEnd},
	llm.StopContextFull:   {llm.StopLength},
	llm.StopContentFilter: {llm.StopRefusal},
	llm.StopRefusal:       {llm.StopContentFilter},
	llm.StopPause:         {llm.StopEnd},
	llm.StopMalformed:     {llm.StopEnd},
	llm.StopOther:         {llm.StopEnd},
}

// weaken makes the canonical choice as weak as the dialect had to say it.
func weaken(got, want *llm.Choice) {
	if slices.Contains(weaker[want.Stop.Reason], got.Stop.Reason) {
		want.Stop.Reason = got.Stop.Reason
	}
	if got.Stop.Sequence == "" {
		want.Stop.Sequence = ""
	}
	if got.Stop.Detail == "" { // said as a refusal instead, or as text
		got.Parts = slices.DeleteFunc(got.Parts, func(p llm.Part) bool {
			return (p.Kind == llm.PartRefusal || p.Kind == llm.PartText) && p.Text != "" && p.Text == want.Stop.Detail
		})
		if len(got.Parts) == 0 {
			got.Parts = nil
		}
		want.Stop.Detail = ""
	}
	for i := range min(len(got.Parts), len(want.Parts)) {
		weakenCitations(&got.Parts[i], &want.Parts[i])
	}
	isRefusal := func(p llm.Part) bool { return p.Kind == llm.PartRefusal }
	if !slices.ContainsFunc(got.Parts, isRefusal) { // a refusal said as text, with the stop reason telling
		for i := range want.Parts {
			if isRefusal(want.Parts[i]) && (got.Stop.Reason == llm.StopRefusal || got.Stop.Reason == llm.StopContentFilter) {
				want.Parts[i].Kind = llm.PartText
			}
		}
	}
}

// unsign makes the canonical thinking unsigned where it came back so. The signature is of another dialect's vendor: a
// client of this one carries it, but this one's vendor never sends it, and in a stream it would come when the part has
// begun as its own.
func unsign(got, want *llm.Choice) {
	for i := range min(len(got.Parts), len(want.Parts)) {
		if g, w := got.Parts[i].Thinking, want.Parts[i].Thinking; g != nil && w != nil && *g == (llm.Thinking{}) && w.Signature != "" {
			want.Parts[i].Thinking = &llm.Thinking{}
		}
	}
}

// weakenCitations makes equal what the dialects say differently of a citation: a span that is the whole part, and
// the words cited, where there is no place for them.
func weakenCitations(got, want *llm.Part) {
	whole := utf8.RuneCountInString(want.Text)
	for i := range min(len(got.Citations), len(want.Citations)) {
		g, w := &got.Citations[i], &want.Citations[i]
		for _, c := range []*llm.Citation{g, w} {
			if c.Start == 0 && c.End == whole {
				c.End = 0
			}
		}
		if g.Text == "" {
			w.Text = ""
		}
	}
}

// comparableResponse copies r without what only its vendor's words tell.
func comparableResponse(r *llm.Response) *llm.Response {
	c := *r
	c.Choices = slices.Clone(r.Choices)
	for i := range c.Choices {
		ch := &c.Choices[i]
		ch.Stop.Raw = ""
		ch.Extra = nil
		ch.Parts = slices.Clone(ch.Parts)
		for j := range ch.Parts {
			p := &ch.Parts[j]
			p.Extra = nil
			p.Citations = slices.Clone(p.Citations)
			for k := range p.Citations {
				p.Citations[k].Opaque = nil
			}
			if len(p.Citations) == 0 {
				p.Citations = nil
			}
		}
		if len(ch.Parts) == 0 {
			ch.Parts = nil
		}
	}
	return &c
}

// eraseShown removes what was reported as lost from a response.
func eraseShown(f llm.Feature, r *llm.Response) {
	drop := func(lost func(llm.Part) bool) {
		for i := range r.Choices {
			r.Choices[i].Parts = slices.DeleteFunc(r.Choices[i].Parts, lost)
			if len(r.Choices[i].Parts) == 0 {
				r.Choices[i].Parts = nil
			}
		}
	}
	switch f {
	case llm.FeatureLogProbs:
		for i := range r.Choices {
			r.Choices[i].LogProbs = nil
		}
	case llm.FeatureChoices:
		if len(r.Choices) > 1 {
			r.Choices = r.Choices[:1]
		}
	case llm.FeatureCitationHistory:
		for i := range r.Choices {
			for j := range r.Choices[i].Parts {
				r.Choices[i].Parts[j].Citations = nil
			}
		}
	case llm.FeatureThinkingHistory:
		drop(func(p llm.Part) bool { return p.Kind == llm.PartThinking })
	case llm.FeatureVendorPart, llm.FeatureVendorPartText:
		drop(func(p llm.Part) bool { return p.Kind == llm.PartOpaque })
	case "prediction_tokens":
		r.Usage.AcceptedPrediction, r.Usage.RejectedPrediction = 0, 0
	case "tool_arguments": // cut by the token limit, where arguments must be an object
		drop(func(p llm.Part) bool { return p.Kind == llm.PartToolCall })
	default:
	}
}
