package dialecttest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Rewritten writes the events of a whole stream and reads what was written: a legal stream that says the same and ends
// for the same reason, but for what the writer reports as lost. It is for fuzz targets, whose streams are of any shape.
//
// Parts that overlap may come back cut and in another order: no dialect orders what is said at the same time, and most
// have one place for it.
func Rewritten(t *testing.T, d *dialect.Dialect, events []llm.Event) {
	t.Helper()
	r := runner{d: d}
	stream, losses := r.write(events)
	read, closed, err := ReadStream(d.Provider.NewStreamReader(), FramesOf(t, d.Framing, stream))
	if err != nil {
		t.Fatalf("reading what was written: %v\n%s", err, Legible(t, d.Framing, stream))
	}
	again := slices.Concat(read, closed)
	if err := CheckEvents(again); err != nil {
		t.Fatalf("reading what was written: got %v, want a legal stream\n%s", err, Legible(t, d.Framing, stream))
	}
	got, want := llm.Collect(again), llm.Collect(events)
	for _, l := range losses {
		eraseShown(l.Feature, got)
		eraseShown(l.Feature, want)
	}
	if len(got.Choices) != len(want.Choices) {
		t.Fatalf("got %d choices want %d\n%s", len(got.Choices), len(want.Choices), Legible(t, d.Framing, stream))
	}
	for i := range want.Choices {
		g, w := &got.Choices[i], &want.Choices[i]
		weaken(g, w)
		heard, meant := saidOf(g), saidOf(w)
		if len(w.Parts) > 1 { // set apart by white space where the dialect has one place for them
			heard, meant = heard.eachText(squeezed), meant.eachText(squeezed)
		}
		if overlap(events, w.Index) {
			heard, meant = heard.eachText(sorted), meant.eachText(sorted)
		}
		if heard != meant {
			t.Fatalf("choice %d: got %q want %q\n%s", w.Index, heard, meant, Legible(t, d.Framing, stream))
		}
	}
}

// said is what a choice says, as far as every dialect can say it.
type said struct {
	text, thinking, calls string
	stop                  llm.StopReason
}

func saidOf(c *llm.Choice) said {
	s := said{stop: c.Stop.Reason}
	var calls []string
	for i := range c.Parts {
		switch p := &c.Parts[i]; p.Kind {
		case llm.PartText, llm.PartRefusal:
			s.text += p.Text
		case llm.PartThinking:
			s.thinking += p.Text
		case llm.PartToolCall:
			calls = append(calls, p.Call.Name+"("+argsOf(p.Call)+")")
		default:
		}
	}
	s.calls = strings.Join(calls, " ")
	return s
}

func (s said) eachText(change func(string) string) said {
	s.text, s.thinking = change(s.text), change(s.thinking)
	return s
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }

func sorted(s string) string {
	runes := []rune(s)
	slices.Sort(runes)
	return string(runes)
}

// argsOf is a call's arguments without what may differ in how they are written.
func argsOf(c *llm.ToolCall) string {
	args := strings.TrimSpace(c.Args)
	if args == "" {
		return "{}"
	}
	var v any
	if json.Unmarshal([]byte(args), &v) != nil {
		return args
	}
	canonical, _ := json.Marshal(v) // of what has just been unmarshalled
	return string(canonical)
}

// overlap reports whether two parts of a choice are open at the same time.
func overlap(events []llm.Event, choice int) bool {
	open := false
	for i := range events {
		switch e := &events[i]; {
		case e.Choice != choice:
		case e.Kind == llm.EventPartStart && open:
			return true
		case e.Kind == llm.EventPartStart:
			open = true
		case e.Kind == llm.EventPartEnd:
			open = false
		}
	}
	return false
}
