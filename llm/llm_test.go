package llm_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/understudy-ai/understudy/llm"
)

// A reply is the fold of its events, so that whole and streamed answers agree.
func TestCollectUndoesEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawResponse(t)
		got := llm.Collect(want.Events())
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v want %+v", got, want)
		}
	})
}

// TestCollectManyPieces: what came in many pieces is whole, and is not copied for each of them.
func TestCollectManyPieces(t *testing.T) {
	const pieces = 10_000
	events := []llm.Event{
		{Kind: llm.EventPartStart, Index: 0, Part: llm.Part{Kind: llm.PartText}},
		{Kind: llm.EventPartStart, Index: 1, Part: llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{Name: "f"}}},
	}
	var text, args strings.Builder
	for i := range pieces {
		word := strconv.Itoa(i)
		text.WriteString(word)
		args.WriteString("[" + word + "]")
		events = append(events,
			llm.Event{Kind: llm.EventPartDelta, Index: 0, Delta: llm.Delta{Text: word}},
			llm.Event{Kind: llm.EventPartDelta, Index: 1, Delta: llm.Delta{Args: "[" + word + "]"}})
	}
	var got *llm.Response
	allocs := testing.AllocsPerRun(1, func() { got = llm.Collect(events) })
	if parts := got.Choices[0].Parts; parts[0].Text != text.String() || parts[1].Call.Args != args.String() {
		t.Errorf("got %d and %d bytes, want %d and %d, in order", len(parts[0].Text), len(parts[1].Call.Args), text.Len(), args.Len())
	}
	if allocs > pieces/10 {
		t.Errorf("got %g allocations for %d pieces, want far fewer", allocs, 2*pieces)
	}
}

// The events of a response are a legal stream.
func TestEventsAreLegal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open := map[[2]int]bool{}
		finished := map[int]bool{}
		events := drawResponse(t).Events()
		for i, e := range events {
			key := [2]int{e.Choice, e.Index}
			switch e.Kind {
			case llm.EventPartStart:
				open[key] = true
			case llm.EventPartDelta:
				if !open[key] {
					t.Fatalf("got a delta of part %v, which is not open", key)
				}
			case llm.EventPartEnd:
				delete(open, key)
			case llm.EventFinish:
				if finished[e.Choice] || len(open) > 0 {
					t.Fatalf("got a finish of choice %d with open parts %v or twice", e.Choice, open)
				}
				finished[e.Choice] = true
			case llm.EventStart, llm.EventEnd:
				if (e.Kind == llm.EventStart) != (i == 0) || (e.Kind == llm.EventEnd) != (i == len(events)-1) {
					t.Fatalf("got event %d of %d: a start or an end out of place", i, len(events))
				}
			default:
			}
		}
	})
}

func drawResponse(t *rapid.T) *llm.Response {
	text := rapid.StringN(1, 20, 60)
	r := &llm.Response{ID: text.Draw(t, "id"), Model: text.Draw(t, "model"), Created: rapid.Int64Range(1, 9).Draw(t, "created")}
	for i := range rapid.IntRange(1, 3).Draw(t, "choices") {
		ch := llm.Choice{Index: i, Stop: llm.Stop{Reason: llm.StopEnd, Raw: "stop"}}
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			ch.Parts = append(ch.Parts, drawPart(t, text))
		}
		r.Choices = append(r.Choices, ch)
	}
	if rapid.Bool().Draw(t, "counted") {
		r.Usage = llm.Usage{Known: true, InFresh: 3, OutVisible: 4}
	}
	return r
}

func drawPart(t *rapid.T, text *rapid.Generator[string]) llm.Part {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		p := llm.Text(text.Draw(t, "text"))
		if rapid.Bool().Draw(t, "cited") {
			p.Citations = []llm.Citation{{Kind: llm.CiteURL, URL: text.Draw(t, "url")}}
		}
		return p
	case 1:
		return llm.Part{Kind: llm.PartRefusal, Text: text.Draw(t, "refusal")}
	case 2:
		return llm.Part{Kind: llm.PartThinking, Text: text.Draw(t, "thinking"), Thinking: &llm.Thinking{
			Issuer: "d", Signature: text.Draw(t, "signature"),
		}}
	case 3:
		return llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: "d", Sealed: text.Draw(t, "sealed")}}
	default:
		return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "1", Name: "f", Args: text.Draw(t, "args")}}
	}
}

func TestIsContent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event llm.Event
		want  bool
	}{
		"start":           {llm.Event{Kind: llm.EventStart, ID: "x"}, false},
		"ping":            {llm.Event{Kind: llm.EventPing}, false},
		"empty text":      {llm.Event{Kind: llm.EventPartStart, Part: llm.Text("")}, false},
		"tool call":       {llm.Event{Kind: llm.EventPartStart, Part: llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{}}}, true},
		"sealed thinking": {llm.Event{Kind: llm.EventPartStart, Part: llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Sealed: "x"}}}, true},
		"no delta":        {llm.Event{Kind: llm.EventPartDelta}, false},
		"text":            {llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "x"}}, true},
		"arguments":       {llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Args: "{"}}, true},
		"finish":          {llm.Event{Kind: llm.EventFinish}, false},
		"usage":           {llm.Event{Kind: llm.EventUsage}, false},
	} {
		if got := test.event.IsContent(); got != test.want {
			t.Errorf("%s: got %v want %v", name, got, test.want)
		}
	}
}

func TestLossPolicies(t *testing.T) {
	t.Parallel()
	loss := func(a llm.Action, s llm.Severity, absolute bool) llm.Loss {
		return llm.Loss{Feature: "x", Action: a, Severity: s, Absolute: absolute}
	}
	for _, test := range []struct {
		loss                    llm.Loss
		strict, report, lenient bool // refused
	}{
		{loss(llm.ActionDropped, llm.Harmless, false), false, false, false},
		{loss(llm.ActionDropped, llm.Tuning, false), true, false, false},
		{loss(llm.ActionApproximated, llm.Tuning, false), true, false, false},
		{loss(llm.ActionEmulated, llm.Contract, false), false, false, false},
		{loss(llm.ActionRepaired, llm.Tuning, false), false, false, false},
		{loss(llm.ActionRefused, llm.Contract, false), true, true, false},
		{loss(llm.ActionRefused, llm.Contract, true), true, true, true},
	} {
		for policy, want := range map[llm.LossPolicy]bool{llm.LossStrict: test.strict, llm.LossReport: test.report, llm.LossLenient: test.lenient} {
			if got := policy.Refuses(test.loss); got != want {
				t.Errorf("%s of %v: got refused %v want %v", policy, test.loss, got, want)
			}
		}
	}
	_, reported := llm.LossLenient.Apply([]llm.Loss{loss(llm.ActionRefused, llm.Contract, false)})
	if len(reported) != 1 || reported[0].Action != llm.ActionDropped {
		t.Errorf("got %v, want what lenient lets through reported as dropped", reported)
	}
}

// A request may narrow what its route allows, and never widen it.
func TestNarrower(t *testing.T) {
	t.Parallel()
	order := []llm.LossPolicy{llm.LossStrict, llm.LossReport, llm.LossLenient}
	for i, route := range order {
		for j, asked := range order {
			if got, want := route.Narrower(asked), order[min(i, j)]; got != want {
				t.Errorf("route %s, asked %s: got %s want %s", route, asked, got, want)
			}
		}
	}
}

func TestFormatLosses(t *testing.T) {
	t.Parallel()
	losses := []llm.Loss{
		{Feature: "logprobs", Action: llm.ActionDropped, Severity: llm.Tuning},
		{Feature: "logprobs", Action: llm.ActionDropped, Severity: llm.Tuning},
		{Feature: "top_k", Action: llm.ActionDropped, Severity: llm.Tuning},
	}
	if got, want := llm.FormatLosses(losses, 1000), "logprobs=dropped(tuning), top_k=dropped(tuning)"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	wild := []llm.Loss{{Path: "a\r\nX-Evil: 1, é", Action: llm.ActionDropped, Severity: llm.Tuning}}
	if got := llm.FormatLosses(wild, 1000); strings.ContainsAny(got, "\r\n,é") {
		t.Errorf("got %q, want nothing that may not stand in a header", got)
	}
	var many []llm.Loss
	for i := range 1000 {
		many = append(many, llm.Loss{Path: strings.Repeat("x", i%50) + "p", Action: llm.ActionDropped, Severity: llm.Tuning})
	}
	if got := llm.FormatLosses(many, 200); len(got) > 200 || !strings.HasSuffix(got, " more") {
		t.Errorf("got %d bytes %q, want them cut and counted", len(got), got)
	}
	long := []llm.Loss{{Path: strings.Repeat("x", 300), Action: llm.ActionDropped, Severity: llm.Tuning}}
	if got, want := llm.FormatLosses(append(long, long...), 200), "1 with long names"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every code has one row, and every row a status that clients understand.
func TestCodes(t *testing.T) {
	t.Parallel()
	seen := map[llm.Code]bool{}
	for _, info := range llm.Codes() {
		if seen[info.Code] || info.Status < 400 || info.Doc == "" {
			t.Errorf("got row %+v twice or incomplete", info)
		}
		seen[info.Code] = true
		if info.Code.Info() != info {
			t.Errorf("%s: got another row than its own", info.Code)
		}
	}
	for status := range 600 {
		if code := llm.CodeOfStatus(status); !seen[code] {
			t.Errorf("status %d: got code %q, want one of the list", status, code)
		}
	}
}

func TestUsageSums(t *testing.T) {
	t.Parallel()
	u := llm.Usage{InFresh: 1, InCacheRead: 10, InCacheWrite: 100, InCache1h: 1000, OutVisible: 10000, OutReasoning: 100000, InAudio: 7, OutAudio: 7}
	if u.Input() != 1111 || u.Output() != 110000 || u.Total() != 111111 {
		t.Errorf("got %d in, %d out, %d in all; want each token once", u.Input(), u.Output(), u.Total())
	}
}
