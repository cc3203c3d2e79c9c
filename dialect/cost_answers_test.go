//go:build unix && !race

package dialect_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestCostOfAnswersGrowsWithTheirSize: an answer of very many calls or citations costs what as many answers would, not a
// look at all of them for each. One size is compared with four times as much.
func TestCostOfAnswersGrowsWithTheirSize(t *testing.T) {
	alone(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // as in TestCostGrowsWithTheSize
	build := map[string]func(n int) []llm.Part{
		"calls": func(n int) (parts []llm.Part) {
			for i := range n {
				parts = append(parts, llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: fmt.Sprint("call_", i), Name: "f", Args: "{}"}})
			}
			return parts
		},
		"citations": func(n int) []llm.Part {
			p := llm.Text(strings.Repeat("wörd ", n))
			for i := range n {
				p.Citations = append(p.Citations, llm.Citation{Kind: llm.CiteURL, URL: "https://a.example", Title: "t", Text: "wörd", Start: i * 5, End: i*5 + 4})
			}
			return []llm.Part{p}
		},
		"cited texts": func(n int) (parts []llm.Part) {
			for range n {
				p := llm.Text("word")
				p.Citations = []llm.Citation{{Kind: llm.CiteURL, URL: "https://a.example", Title: "t", Text: "word", Start: 0, End: 4}}
				parts = append(parts, p)
			}
			return parts
		},
	}
	for name, parts := range build {
		for _, d := range everyDialect() {
			cost := func(n int) map[string]time.Duration {
				r := &llm.Response{ID: "r", Model: "m", Created: 1, Choices: []llm.Choice{{Parts: parts(n), Stop: llm.Stop{Reason: llm.StopEnd}}}}
				spentBy := make(map[string]time.Duration)
				measure := func(what string, f func()) {
					begun := spent()
					f()
					spentBy[what] = spent() - begun
				}
				var body, stream []byte
				measure("write an answer", func() { body, _, _ = d.Client.EncodeResponse(r) })
				measure("read an answer", func() { _, _ = d.Provider.DecodeResponse(body) })
				measure("write a stream", func() {
					w := d.Client.NewStreamWriter(dialect.StreamOptions{ID: "r", Model: "m", Framing: d.Framing})
					for _, e := range r.Events() {
						stream = w.Write(stream, e)
					}
				})
				list := framesOf(t, d.Dialect, stream)
				measure("read a stream", func() {
					reader := d.Provider.NewStreamReader()
					var events []llm.Event
					for _, f := range list {
						events, _ = reader.Read(events[:0], f)
					}
				})
				measure("follow a stream", func() {
					tap := d.Relay.NewTap(dialect.Ask{})
					for _, f := range list {
						_, _ = tap.Frame(f)
					}
				})
				runtime.GC()
				return spentBy
			}
			slow := make(map[string]string)
			for try := range 5 { // somebody else may be busy
				less, more := cost(2000), cost(8000)
				for what := range more {
					if try > 0 && slow[what] == "" {
						continue
					}
					delete(slow, what)
					if more[what] >= 8*less[what] && more[what] > 60*time.Millisecond {
						slow[what] = fmt.Sprintf("%v for 2000 and %v for 8000", less[what], more[what])
					}
				}
				if len(slow) == 0 {
					break
				}
			}
			for what, took := range slow {
				t.Errorf("%s, to %s of %s: got %s", name, what, d.Name, took)
			}
		}
	}
}
