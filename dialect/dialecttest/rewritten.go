package dialecttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
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
	list := FramesOf(t, d.Framing, stream)
	read, closed, err := ReadStream(d.Provider.NewStreamReader(), list)
	if err != nil && slices.ContainsFunc(list, func(f dialect.Frame) bool { return isDeeper(f.Data) }) {
		return
	}
	again := slices.Concat(read, closed)
	if err == nil {
		err = CheckEvents(again)
	}
	if err != nil {
		t.Fatalf("reading what was written: got %v, want a legal stream\n%s", err, Legible(t, d.Framing, stream))
	}
	w := written{losses: losses, again: llm.Collect(again), overlap: func(choice int) bool { return overlap(events, choice) }}
	if diff := w.differs(llm.Collect(events)); diff != "" {
		t.Fatalf("%s\n%s", diff, Legible(t, d.Framing, stream))
	}
}

// Written is what JSON must be that was made of other JSON. What was read stands deeper there by a few levels where one
// value became a list of one, or a text a value, and so what is as deep as may be read is then deeper; names repeat
// where a model has repeated them.
var Written = jsontext.Limits{Depth: jsontext.DefaultDepth + 8, AllowDuplicates: true} // never changed

// isDeeper reports whether JSON is as it may be written and too deep to be read: by a gateway, not by its client.
func isDeeper(body []byte) bool {
	return jsontext.Check(body, Written) == nil && jsontext.Check(body, jsontext.Limits{AllowDuplicates: true}) != nil
}

// Reencoded writes a whole answer and reads what was written, likewise. One that the dialect cannot write is an error,
// and nothing to compare.
func Reencoded(t *testing.T, d *dialect.Dialect, r *llm.Response) {
	t.Helper()
	body, losses, err := d.Client.EncodeResponse(r)
	if err != nil {
		_ = asError(t, err)
		return
	}
	if err := jsontext.Check(body, Written); err != nil { // arguments are the model's
		t.Fatalf("got an answer that is no JSON: %v\n%s", err, body)
	}
	again, err := d.Provider.DecodeResponse(body)
	if err != nil && isDeeper(body) {
		return
	}
	if err != nil {
		t.Fatalf("decode the encoded answer: %v\n%s", err, body)
	}
	w := written{losses: losses, again: again, overlap: func(int) bool { return false }}
	if diff := w.differs(r); diff != "" {
		t.Fatalf("%s\n%s", diff, body)
	}
}

// written is an answer that was written and read again.
type written struct {
	again   *llm.Response
	losses  []llm.Loss
	overlap func(choice int) bool // parts of the choice were open at the same time
}

// differs says in what the answer differs from the one that was to be written; nothing if they say the same.
func (w *written) differs(r *llm.Response) string {
	got, want := comparableResponse(w.again), comparableResponse(r)
	for _, l := range w.losses {
		eraseShown(l.Feature, got)
		eraseShown(l.Feature, want)
	}
	if len(got.Choices) != len(want.Choices) {
		return fmt.Sprintf("got %d choices want %d", len(got.Choices), len(want.Choices))
	}
	for i := range want.Choices {
		g, c := &got.Choices[i], &want.Choices[i]
		if slices.ContainsFunc(w.losses, isBadArguments) && g.Stop.Reason == llm.StopMalformed {
			c.Stop = g.Stop // the dialect's word for a call that cannot be shown
		}
		weaken(g, c)
		heard, meant := saidOf(g), saidOf(c)
		if len(c.Parts) > 1 { // set apart by white space where the dialect has one place for them
			heard, meant = heard.eachText(squeezed), meant.eachText(squeezed)
		}
		if w.overlap(c.Index) {
			heard, meant = heard.eachText(sorted), meant.eachText(sorted)
		}
		if heard != meant {
			return fmt.Sprintf("choice %d: got %q want %q", c.Index, heard, meant)
		}
	}
	return ""
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
	slices.Sort(calls) // made at once: those that cannot be written as they come are written last
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
		if v = exactly(args); v == nil {
			return args
		}
	}
	canonical, _ := json.Marshal(v) // of what has just been unmarshalled
	return string(canonical)
}

// exactly is JSON text whose numbers are kept as they are written: some are more than a float64 can hold. It is nil of
// what is no JSON.
func exactly(text string) (v any) {
	if !json.Valid([]byte(text)) {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&v) // it is valid
	return v
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
