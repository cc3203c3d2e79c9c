// Package dialecttest is the suite that every dialect passes: canonical exchanges in the words of llm, and the
// properties that must hold for them in any wire format. A dialect's test calls Run with its folder of golden
// files; a crossing of two dialects follows from each of them agreeing with the same canonical values.
//
// For a scenario named tools the folder holds, as far as the scenario has them,
//
//	tools/request.json   what the provider side sends for the canonical request
//	tools/losses.txt     what of the request that does not carry, one loss a line
//	tools/refused.txt    instead of both: why the request is not sent at all
//	tools/response.json  what the client side answers for the canonical response
//	tools/stream.txt     the same as a stream; of a binary one, a line an event
//	tools/hidden.txt     what of the response the client side cannot show, one loss a line
//	errors.txt           status and body for every code of llm
//
// Run the tests with -update to write them; then read them.
//
// The package does not test what only one vendor sends: those samples are in the dialect's own tests.
package dialecttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// model is the name the canonical requests are sent under.
const model = "model-x"

// Run holds d against every scenario, with the golden files in dir, and against the rules for its tables and
// errors.
func Run(t *testing.T, d *dialect.Dialect, dir string) {
	t.Helper()
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			r := runner{d: d, s: s, dir: filepath.Join(dir, s.Name)}
			if s.Request != nil {
				r.request(t)
			}
			if s.Response != nil {
				r.response(t)
				r.stream(t)
			}
		})
	}
	t.Run("tables", func(t *testing.T) { tables(t, d) })
	t.Run("footnotes", func(t *testing.T) { footnotes(t, d) })
	t.Run("untrue counts", func(t *testing.T) { untrueCounts(t, d) })
	t.Run("errors", func(t *testing.T) { errorBodies(t, d, filepath.Join(dir, "errors.txt")) })
	t.Run("models", func(t *testing.T) { models(t, d) })
}

// Golden compares got with the file at path, or writes it under -update. An empty got means that the file is not
// there.
func Golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		writeGolden(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", filepath.Base(path), got, want)
	}
}

func writeGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if len(got) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, got, 0o644); err != nil {
		t.Fatal(err)
	}
}

// runner holds one dialect against one scenario.
type runner struct {
	d   *dialect.Dialect
	s   Scenario
	dir string
}

func (r *runner) golden(t *testing.T, name string, got []byte) {
	t.Helper()
	Golden(t, filepath.Join(r.dir, name), got)
}

// pretty indents JSON for the golden file; the test also asserts that what was written has no white space.
func pretty(t *testing.T, body []byte) []byte {
	t.Helper()
	var out, compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		t.Fatalf("got a body that is not JSON: %v\n%s", err, body)
	}
	if err := jsontext.Check(body, jsontext.Limits{}); err != nil {
		t.Errorf("got a body that fails the gateway's own check: %v\n%s", err, body)
	}
	if compact.Len() != len(body) {
		t.Errorf("got a body with white space, want it compact:\n%s", body)
	}
	if err := json.Indent(&out, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func lossLines(losses []llm.Loss) []byte {
	var b bytes.Buffer
	for _, l := range losses {
		fmt.Fprintln(&b, l)
	}
	return b.Bytes()
}

// asError fails unless err is an *llm.Error with a code of the closed list.
func asError(t *testing.T, err error) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %T (%v), want *llm.Error", err, err)
	}
	_ = e.Code.Info() // panics on a code that is not listed
	if e.Message == "" {
		t.Errorf("got an error without a message: %+v", e)
	}
	return e
}

// Frames splits a stream of server-sent events into frames for ReadStream. A block at the end that no blank line ends
// is left out, as the standard says. The data is copied.
func Frames(t *testing.T, stream []byte) []dialect.Frame {
	t.Helper()
	return FramesOf(t, dialect.FramingSSE, stream)
}

// FramesOf splits a stream of any framing. What the framing itself finds wrong at the end is left out.
func FramesOf(t testing.TB, framing dialect.Framing, stream []byte) []dialect.Frame {
	t.Helper()
	var list []dialect.Frame
	rd := frames.NewReader(frames.Kind(framing), bytes.NewReader(stream))
	for {
		f, err := rd.Next()
		if err != nil {
			var partial *frames.PartialError
			if !errors.Is(err, io.EOF) && !errors.As(err, &partial) {
				t.Fatal(err)
			}
			return list
		}
		if f.HasData {
			list = append(list, dialect.Frame{Event: f.Name, Data: bytes.Clone(f.Data), Exception: f.Exception})
		}
	}
}

// Legible is a stream as its golden file has it: as it is, or one line an event where it is binary.
func Legible(t *testing.T, framing dialect.Framing, stream []byte) []byte {
	t.Helper()
	if framing != dialect.FramingEventStream && framing != dialect.FramingChunks {
		return stream
	}
	var b bytes.Buffer
	for _, f := range FramesOf(t, framing, stream) {
		fmt.Fprintf(&b, "%s %s\n", f.Event, f.Data)
	}
	return b.Bytes()
}

// ReadStream runs frames through a reader to its end and returns the events, without those of Close, and the
// error of either.
func ReadStream(rd dialect.StreamReader, list []dialect.Frame) (read, closed []llm.Event, err error) {
	for _, f := range list {
		if read, err = rd.Read(read, f); err != nil {
			return read, nil, err
		}
	}
	closed, err = rd.Close(nil)
	return read, closed, err
}

// CheckEvents returns an error if events are no legal stream by the grammar of llm.EventKind.
func CheckEvents(events []llm.Event) error {
	var g grammar
	for i, e := range events {
		if err := g.add(e); err != nil {
			return fmt.Errorf("event %d of %d: %w", i, len(events), err)
		}
	}
	if !g.ended {
		return errors.New("no End")
	}
	return nil
}

// grammar follows a stream of events.
type grammar struct {
	started, ended bool
	finishes       int
	open           map[[2]int]bool // by choice and index; false once ended
	done           map[int]bool    // choices that finished
	parts          map[int]int     // how many parts a choice has
}

func (g *grammar) add(e llm.Event) error {
	switch {
	case g.ended:
		return errors.New("an event after End")
	case !g.started && e.Kind != llm.EventStart:
		return errors.New("an event before Start")
	}
	key := [2]int{e.Choice, e.Index}
	open, known := g.open[key]
	switch e.Kind {
	case llm.EventStart:
		if g.started {
			return errors.New("a second Start")
		}
		*g = grammar{started: true, open: map[[2]int]bool{}, done: map[int]bool{}, parts: map[int]int{}}
	case llm.EventPartStart:
		if known || e.Index != g.parts[e.Choice] || g.done[e.Choice] {
			return fmt.Errorf("part %v started out of order or after Finish", key)
		}
		g.open[key] = true
		g.parts[e.Choice]++
	case llm.EventPartDelta:
		if !open {
			return fmt.Errorf("a delta of part %v, which is not open", key)
		}
	case llm.EventPartEnd:
		if !open {
			return fmt.Errorf("the end of part %v, which is not open", key)
		}
		g.open[key] = false
	case llm.EventFinish:
		return g.finish(e.Choice)
	case llm.EventEnd:
		if g.finishes == 0 {
			return errors.New("an End without a Finish")
		}
		g.ended = true
	case llm.EventLogProbs, llm.EventUsage, llm.EventPing:
	default:
		return fmt.Errorf("unknown kind %d", e.Kind)
	}
	return nil
}

func (g *grammar) finish(choice int) error {
	if g.done[choice] {
		return fmt.Errorf("choice %d finished twice", choice)
	}
	for key, open := range g.open {
		if open && key[0] == choice {
			return fmt.Errorf("choice %d finished with part %d open", choice, key[1])
		}
	}
	g.done[choice] = true
	g.finishes++
	return nil
}

// equal reports a difference between two values, shown as JSON.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, show(got), show(want))
	}
}

func show(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return b.String()
}

func has(list []llm.Feature, f llm.Feature) bool { return slices.Contains(list, f) }
