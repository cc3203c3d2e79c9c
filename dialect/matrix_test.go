package dialect_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The matrix is every client's dialect on every provider's. Its fixtures are those that the dialects have anyway: a
// scenario is one canonical exchange, and each dialect's golden file of it. What is asserted of a pair is derived.

// spoken is a dialect and the folder with its golden files.
type spoken struct {
	*dialect.Dialect
	folder string
}

func everyDialect() []spoken {
	return []spoken{
		{openaichat.New(), "openaichat"},
		{anthropic.New(), "anthropic"},
		{openairesponses.New(), "openairesponses"},
		{gemini.New(), "gemini"},
		{bedrock.New(), "bedrock"},
		{cohere.New(), "cohere"},
		{ollama.New(), "ollama"},
	}
}

func TestMatrixIsComplete(t *testing.T) {
	folders, err := filepath.Glob("*/testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !slices.ContainsFunc(everyDialect(), func(d spoken) bool { return d.folder == filepath.Dir(folder) }) {
			t.Errorf("got no dialect of %s among those that are tried with each other", filepath.Dir(folder))
		}
	}
	if len(folders) != len(everyDialect()) {
		t.Errorf("got fixtures in %v want those of each dialect", folders)
	}
}

// eachPair runs f for every client's dialect and every provider's that is another.
func eachPair(t *testing.T, f func(t *testing.T, from, to spoken)) {
	t.Helper()
	for _, from := range everyDialect() {
		for _, to := range everyDialect() {
			if from.Name != to.Name {
				t.Run(string(from.Name)+" to "+string(to.Name), func(t *testing.T) { f(t, from, to) })
			}
		}
	}
}

// request is the scenario as a client of the dialect sends it; nil if it has no way to say it.
func (s spoken) request(t *testing.T, scenario string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(s.folder, "testdata", scenario, "request.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return jsontext.Compact(nil, body)
}

// TestMatrixRequests takes what a client of each dialect sends in each scenario to each other dialect. The target's
// own client side reads it as the same request but for what is reported; a request is refused where the canonical one
// is, in the contract's words.
func TestMatrixRequests(t *testing.T) {
	scenarios := dialecttest.Scenarios()
	eachPair(t, func(t *testing.T, from, to spoken) {
		sent := 0
		for _, s := range scenarios {
			body := from.request(t, s.Name)
			if s.Request == nil || body == nil {
				continue
			}
			req, err := from.Client.DecodeRequest(body)
			if err != nil {
				t.Errorf("%s: %v", s.Name, err)
				continue
			}
			enc, losses, err := crossRequest(from.Dialect, to.Dialect, string(body), s.Facts)
			if err != nil {
				holdRefusal(t, s, to, losses, err)
				continue
			}
			sent++
			holdRequest(t, s.Name, req, enc, to, losses)
		}
		if sent < len(scenarios)/3 {
			t.Errorf("got %d of %d scenarios sent", sent, len(scenarios))
		}
	})
}

// holdRefusal asserts that a request which is not sent says what the target cannot carry, and that it is the target
// which cannot.
func holdRefusal(t *testing.T, s dialecttest.Scenario, to spoken, losses []llm.Loss, err error) {
	t.Helper()
	var e *llm.Error
	refused, _ := llm.LossReport.Apply(losses)
	switch {
	case errors.As(err, &e):
		if e.Code != llm.CodeUnsupported && e.Code != llm.CodeInvalidRequest || e.Message == "" {
			t.Errorf("%s: got %+v want an error that says why", s.Name, e)
		}
	case len(refused) == 0 || !strings.Contains(err.Error(), "The target's API ("+string(to.Name)+") cannot carry: "+refused[0].Name()):
		t.Errorf("%s: got %v want the contract's words for one of %v", s.Name, err, refused)
	}
	canonical, _ := llm.LossReport.Apply(dialect.Contract(&dialect.Dialect{Name: "stranger"}, to.Dialect, s.Request))
	enc, err := to.Provider.EncodeRequest(s.Request, dialect.Target{Model: "target", Facts: s.Facts})
	more, _ := llm.LossReport.Apply(enc.Losses)
	if len(canonical) == 0 && len(more) == 0 && err == nil {
		t.Errorf("%s: got it refused (%v), and the canonical request carried", s.Name, refused)
	}
}

// holdRequest asserts that what is sent says what the client said.
func holdRequest(t *testing.T, name string, req *llm.Request, enc dialect.Encoded, to spoken, losses []llm.Loss) {
	t.Helper()
	got, err := to.Client.DecodeRequest(enc.Body)
	if err != nil {
		t.Errorf("%s: got what the target's own dialect does not read: %v\n%s", name, err, enc.Body)
		return
	}
	lost := func(f llm.Feature) bool {
		return slices.ContainsFunc(losses, func(l llm.Loss) bool { return l.Feature == f })
	}
	used := llm.Used(got)
	for _, f := range llm.Used(req) {
		if f == llm.FeatureThinkingDisplay && req.Reasoning.Display == "omitted" {
			continue // where nobody is asked to think, there is nothing to hide
		}
		if !slices.Contains(used, f) && !lost(f) {
			t.Errorf("%s: got %s neither sent nor reported\n%s\nlosses %v", name, f, enc.Body, losses)
		}
	}
	for _, said := range texts(req.Messages) {
		if all := strings.Join(texts(got.Messages), "\x00"); !strings.Contains(all, said) {
			t.Errorf("%s: got %q want %q in it", name, all, said)
		}
	}
	calls, results := loop(got.Messages, enc.ToolNames)
	wantCalls, wantResults := loop(req.Messages, nil)
	if !slices.Equal(calls, wantCalls) || len(results) != len(wantResults) {
		t.Errorf("%s: got calls %q with results of %q want %q, %q", name, calls, results, wantCalls, wantResults)
	}
	for call, want := range wantResults { // an error, or that there is nothing, may be said in words beside them
		for _, said := range want {
			if all := strings.Join(results[call], "\x00"); !strings.Contains(all, said) {
				t.Errorf("%s: got %q as the result of %s want %q in it", name, all, call, said)
			}
		}
	}
}

// texts lists what was said in words by anybody but tools.
func texts(list []llm.Message) []string {
	var all []string
	for _, m := range list {
		for _, p := range m.Parts {
			if (p.Kind == llm.PartText || p.Kind == llm.PartRefusal) && strings.TrimSpace(p.Text) != "" {
				all = append(all, p.Text)
			}
		}
	}
	return all
}

// loop lists the calls of a conversation by the names that the client knows, and by call the texts of its result.
func loop(list []llm.Message, names map[string]string) (calls []string, results map[string][]string) {
	results = map[string][]string{}
	byID := map[string]string{}
	for _, m := range list {
		for _, p := range m.Parts {
			switch {
			case p.Call != nil:
				name := p.Call.Name
				if own, renamed := names[name]; renamed {
					name = own
				}
				call := name + "(" + canonicalJSON(p.Call.Args) + ")"
				calls, byID[p.Call.ID] = append(calls, call), call
			case p.Result != nil:
				call := byID[p.Result.CallID] // empty for a result without its call, which no client sent
				results[call] = append(results[call], texts([]llm.Message{{Parts: p.Result.Parts}})...)
			}
		}
	}
	return calls, results
}

// canonicalJSON is JSON text in one spelling, or what is no JSON as it is.
func canonicalJSON(s string) string {
	if jsontext.Check([]byte(s), jsontext.Limits{}) != nil {
		return s
	}
	return string(jsontext.Compact(nil, []byte(s)))
}

// TestMatrixAnswers takes each scenario's answer from each provider's dialect to each client's, whole and streamed. The
// client's own dialect reads back the same words, calls, ending and counts, but for what is reported (T014, T058).
func TestMatrixAnswers(t *testing.T) {
	scenarios := dialecttest.Scenarios()
	eachPair(t, func(t *testing.T, from, to spoken) {
		for _, s := range scenarios {
			if s.Response == nil {
				continue
			}
			t.Run(s.Name, func(t *testing.T) {
				if body, _, err := to.Client.EncodeResponse(s.Response); err == nil {
					holdWhole(t, from, to, body)
				}
				holdStream(t, from, to, dialecttest.Events(s.Response))
			})
		}
	})
}

func holdWhole(t *testing.T, from, to spoken, body []byte) {
	t.Helper()
	resp, err := to.Provider.DecodeResponse(body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	shown, losses, err := from.Client.EncodeResponse(resp)
	if err != nil {
		var e *llm.Error
		if !errors.As(err, &e) || e.Message == "" {
			t.Errorf("whole: got %v want an error that says why", err)
		}
		return
	}
	back, err := from.Provider.DecodeResponse(shown)
	if err != nil {
		t.Fatalf("whole: got an answer that is not legal: %v\n%s", err, shown)
	}
	same(t, "whole", back, resp, losses)
}

func holdStream(t *testing.T, from, to spoken, said []llm.Event) {
	t.Helper()
	options := func(d spoken) dialect.StreamOptions {
		return dialect.StreamOptions{ID: "resp_0", Model: "m", Created: 1767225600, Usage: true, Framing: d.Framing}
	}
	upstream := to.Client.NewStreamWriter(options(to))
	var sent []byte
	for _, e := range said {
		sent = upstream.Write(sent, e)
	}
	events := readAll(t, to, sent)
	if want := llm.Collect(events).Choices[0]; want.Stop.Reason == llm.StopMalformed && len(want.Parts) == 0 {
		return // the gateway passes on to another target, and no client sees it
	}
	writer := from.Client.NewStreamWriter(options(from))
	var shown []byte
	for _, e := range events {
		shown = writer.Heartbeat(writer.Write(shown, e))
	}
	same(t, "stream", llm.Collect(readAll(t, from, shown)), llm.Collect(events), writer.Losses())
}

// readAll reads a stream as a provider's, and holds it against the grammar.
func readAll(t *testing.T, d spoken, stream []byte) []llm.Event {
	t.Helper()
	read, closed, err := dialecttest.ReadStream(d.Provider.NewStreamReader(), dialecttest.FramesOf(t, d.Framing, stream))
	if err != nil {
		t.Fatalf("%s: %v\n%s", d.Name, err, dialecttest.Legible(t, d.Framing, stream))
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("%s: got %v want a legal stream\n%s", d.Name, err, dialecttest.Legible(t, d.Framing, stream))
	}
	return events
}

// same compares what the client is told with what the provider said, less the losses.
func same(t *testing.T, what string, got, want *llm.Response, losses []llm.Loss) {
	t.Helper()
	lost := func(f llm.Feature) bool {
		return slices.ContainsFunc(losses, func(l llm.Loss) bool { return l.Feature == f })
	}
	choices := len(want.Choices)
	if lost(llm.FeatureChoices) {
		choices = 1
	}
	if len(got.Choices) != choices {
		t.Errorf("%s: got %d choices want %d", what, len(got.Choices), choices)
		return
	}
	for i := range got.Choices {
		g, w := gist(got.Choices[i], lost), gist(want.Choices[i], lost)
		if g != w {
			t.Errorf("%s: got\n%s\nwant\n%s\nlosses %v", what, g, w, losses)
		}
	}
	if g, w := got.Usage, want.Usage; w.Known && (!g.Known || g.Input() != w.Input() || g.Output() != w.Output()) {
		t.Errorf("%s: got usage %+v want the sums of %+v", what, g, w)
	}
}

// gist is what of a choice every client must learn: its words, its calls in their order, and how it ended.
func gist(c llm.Choice, lost func(llm.Feature) bool) string {
	var b strings.Builder
	var said, thought string
	for _, p := range c.Parts {
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			said += p.Text
		case llm.PartThinking:
			thought += p.Text
		case llm.PartToolCall:
			if !lost("tool_arguments") {
				fmt.Fprintf(&b, "calls %s(%s)\n", p.Call.Name, canonicalJSON(p.Call.Args))
			}
		default:
			fmt.Fprintf(&b, "%s\n", p.Kind)
		}
	}
	ending := endingOf(c.Stop.Reason)
	if said == "" && ending == "refused" {
		said = c.Stop.Detail
	}
	if lost("stop_detail") {
		said = strings.TrimSuffix(said, c.Stop.Detail)
	}
	if lost(llm.FeatureThinkingHistory) {
		thought = ""
	}
	if lost("tool_arguments") {
		ending = ""
	}
	return fmt.Sprintf("thinks %q\nsays %q\n%sends %s", thought, said, b.String(), ending)
}

// endingOf is a stop reason as far as every dialect tells them apart.
func endingOf(r llm.StopReason) string {
	switch r {
	case llm.StopToolCalls:
		return "calling"
	case llm.StopLength, llm.StopContextFull:
		return "cut"
	case llm.StopContentFilter, llm.StopRefusal:
		return "refused"
	default:
		return "well"
	}
}

// TestMatrixErrors takes each error from each provider's dialect to each client's: as a status and a body, and as the
// end of a stream that has begun.
func TestMatrixErrors(t *testing.T) {
	told := []llm.Code{
		llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeTooLarge, llm.CodeRateLimit, llm.CodeQuota, llm.CodeOverloaded, llm.CodeTimeout,
	}
	eachPair(t, func(t *testing.T, from, to spoken) {
		for _, info := range llm.Codes() {
			said := &llm.Error{Code: info.Code, Origin: llm.OriginProvider, Message: "It went wrong."}
			status, body := to.Client.EncodeError(said, "call_1")
			e := to.Provider.DecodeError(status, body)
			shownStatus, shown := from.Client.EncodeError(e, "call_1")
			back := from.Provider.DecodeError(shownStatus, shown)
			if slices.Contains(told, info.Code) && back.Code != info.Code {
				t.Errorf("%s: got %d %s read as %s", info.Code, shownStatus, shown, back.Code)
			}
			if want, _ := from.Client.EncodeError(&llm.Error{Code: e.Code, Origin: e.Origin, Message: e.Message}, "call_1"); shownStatus != want {
				t.Errorf("%s: got status %d want %d, as for every %s", info.Code, shownStatus, want, e.Code)
			}
			if !bytes.Contains(shown, []byte(e.Message)) {
				t.Errorf("%s: got %s want %q in it", info.Code, shown, e.Message)
			}
		}
		w := from.Client.NewStreamWriter(dialect.StreamOptions{ID: "resp_0", Model: "m", Framing: from.Framing})
		stream := w.Write(nil, llm.Event{Kind: llm.EventStart})
		stream = w.Error(stream, to.Provider.DecodeError(to.Client.EncodeError(&llm.Error{Code: llm.CodeOverloaded, Message: "Busy."}, "call_1")))
		_, _, err := dialecttest.ReadStream(from.Provider.NewStreamReader(), dialecttest.FramesOf(t, from.Framing, stream))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeOverloaded && e.Code != llm.CodeServerError {
			t.Errorf("in a stream: got %v want %s\n%s", err, llm.CodeOverloaded, dialecttest.Legible(t, from.Framing, stream))
		}
	})
}
