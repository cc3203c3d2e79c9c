package fakeprovider

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	defaultChunks = 3
	dripMillis    = 100
	pingWait      = 20 * time.Millisecond
)

// without leaves out the frames of one kind.
func without(fs []frame, drop frameKind) []frame {
	return slices.DeleteFunc(slices.Clone(fs), func(f frame) bool { return f.kind == drop })
}

// until returns the frames before the content frame number n+1, and at least one frame short of the
// finish.
func until(fs []frame, n int) []frame {
	for i, f := range fs {
		if f.content() {
			if n == 0 {
				return fs[:i:i]
			}
			n--
		}
		if f.kind == frameShut && n == 0 || f.kind == frameFinish {
			return fs[:i:i]
		}
	}
	return fs
}

// head returns the frames before the first content.
func head(fs []frame) []frame { return until(fs, 0) }

func streamKind(name, row, what string, want Outcome, apply func(x *exchange, p *plan)) kind {
	return kind{Info: Info{Kind: name, Rows: strings.Fields(row), What: what, Want: want, Stream: true}, apply: apply}
}

// ending cuts the stream after some chunks and ends it with an action.
func ending(act action) func(x *exchange, p *plan) {
	return func(x *exchange, p *plan) {
		p.steps = append(p.frameSteps(until(p.frames, x.after(defaultChunks))), step{act: act})
	}
}

// endingEarly cuts the stream before its content.
func endingEarly(act action) func(x *exchange, p *plan) {
	return func(_ *exchange, p *plan) { p.steps = append(p.frameSteps(head(p.frames)), step{act: act}) }
}

// inside cuts the stream some bytes into the text frame that stands after the head.
func inside(text string, cut func(data string) int) func(x *exchange, p *plan) {
	return func(x *exchange, p *plan) {
		respeak(x, p, Reply{Text: "First " + text + " last."})
		fs := until(p.frames, 2)
		last := string(fs[len(fs)-1].bytes())
		p.steps = append(p.frameSteps(fs[:len(fs)-1]), step{write: []byte(last[:cut(last)])})
	}
}

// firstBytes joins all frames and returns the first n bytes.
func firstBytes(p *plan, n int) []byte {
	var all []byte
	for _, f := range p.frames {
		all = append(all, f.bytes()...)
	}
	return all[:min(n, len(all))]
}

// cutBytes cuts the stream after Fault.After bytes, by default inside the event after the second
// chunk.
func cutBytes(act action) func(x *exchange, p *plan) {
	return func(x *exchange, p *plan) {
		def := 20
		for _, f := range until(p.frames, 2) {
			def += len(f.bytes())
		}
		p.steps = []step{{write: firstBytes(p, x.after(def)), act: act}}
	}
}

// brokenStreams stop, or never get going.
func brokenStreams() []kind {
	slow := func(k kind) kind {
		k.Slow = true
		return k
	}
	toolCut := streamKind("tool-cut", "D27", "the arguments of a tool call are cut, then a clean end; Fault.After counts chunks", Broken, func(x *exchange, p *plan) {
		x.fault = &Fault{Kind: x.fault.Kind, After: x.after(2)}
		ending(proceed)(x, p)
	})
	toolCut.tools = true
	toolReset := streamKind("tool-reset", "D27", "RST in the arguments of a tool call; Fault.After counts chunks", Broken, func(x *exchange, p *plan) {
		x.fault = &Fault{Kind: x.fault.Kind, After: x.after(2)}
		ending(reset)(x, p)
	})
	toolReset.tools = true
	return []kind{
		slow(streamKind("silent", "D2", "headers, then nothing", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: []byte{}, act: stall}} })),
		slow(streamKind("stall-start", "D2", "the start event, then nothing", Failover, endingEarly(stall))),
		slow(streamKind("pings-only", "D3", "the start event, then pings for ever", Failover, pings)),
		slow(streamKind("comments-only", "D3", "comments for ever", Failover, func(x *exchange, p *plan) {
			comment := []byte(": keep-alive\n\n")
			if x.ask.Dialect == OllamaChat {
				comment = []byte("\n")
			}
			p.steps = []step{{wait: pingWait, write: comment, act: flood}}
		})),
		slow(streamKind("stall", "D4", "nothing more after some chunks", Rescue, ending(stall))),
		streamKind("drip", "D5", "each chunk Fault.After milliseconds after the last, by default 100", Serve, func(x *exchange, p *plan) {
			p.delay = max(p.delay, time.Duration(x.after(dripMillis))*time.Millisecond)
		}),
		streamKind("reset-start", "D6", "RST after the start event", Failover, endingEarly(reset)),
		streamKind("reset-stream", "D6", "RST after some chunks", Rescue, ending(reset)),
		streamKind("reset-bytes", "D6 D8", "RST after Fault.After bytes, by default inside the event after the second chunk", Rescue, cutBytes(reset)),
		streamKind("drop-start", "D6", "the chunked body ends without its last chunk after the start event", Failover, endingEarly(drop)),
		streamKind("drop-stream", "D6 A8", "the chunked body ends without its last chunk after some chunks; under TLS without close_notify", Rescue, ending(drop)),
		streamKind("eof-empty", "D7", "an event stream with no event", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: []byte{}}} }),
		streamKind("eof-start", "D7", "a clean end after the start event", Failover, endingEarly(proceed)),
		streamKind("eof-stream", "D7", "a clean end after some chunks", Rescue, ending(proceed)),
		streamKind("eof-bytes", "D7 D8", "a clean end after Fault.After bytes, by default inside the event after the second chunk", Rescue, cutBytes(proceed)),
		streamKind("eof-event", "D8", "a clean end inside an event", Rescue, inside("second", func(s string) int { return strings.Index(s, "econd") })),
		streamKind("eof-utf8", "D8", "a clean end inside a UTF-8 sequence", Rescue, inside("é", func(s string) int { return strings.Index(s, "é") + 1 })),
		streamKind("eof-escape", "D8", "a clean end inside a JSON escape", Rescue, inside("say\"so", func(s string) int { return strings.Index(s, `\"so`) + 1 })),
		streamKind("first-event-cut", "D8", "a clean end inside the first event", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: firstBytes(p, 40)}} }),
		toolCut, toolReset,
		streamKind("endless-line", "D17", "one line that never ends", Failover, func(_ *exchange, p *plan) {
			p.steps = []step{{write: []byte(`data: {"x":"`)}, {write: []byte(strings.Repeat("x", 64<<10)), act: flood}}
		}),
		slow(streamKind("endless-stream", "D24", "chunks without end", Broken, func(_ *exchange, p *plan) {
			fs := until(p.frames, 1)
			again := fs[len(fs)-1]
			again.data = eventNumber.ReplaceAllString(again.data, "") // or it would be the same event
			p.steps = append(p.frameSteps(fs), step{wait: time.Millisecond, write: again.bytes(), act: flood})
		})),
	}
}

// eventNumber is that of an event of Responses.
var eventNumber = regexp.MustCompile(`"sequence_number":\d+,`)

// pings sends the start event, then the vendor's keep-alive for ever.
func pings(x *exchange, p *plan) {
	ping := []byte(": ping\n\n")
	if x.ask.Dialect == OllamaChat {
		ping = []byte("\n")
	}
	if x.ask.Dialect == Messages {
		ping = frame{name: "ping", data: `{"type":"ping"}`}.bytes()
	}
	p.steps = append(p.frameSteps(p.frames[:1]), step{wait: pingWait, write: ping, act: flood})
}

// errorStreams say in the stream that something is wrong, or are not what a stream may be.
func errorStreams() []kind {
	var all []kind
	for _, e := range []struct {
		name   string
		openai wire
		claude wire
	}{
		{"overloaded", wire{"server_error", "", "The server is overloaded."}, wire{"overloaded_error", "", "Overloaded"}},
		{"api", wire{"server_error", "", "The server had an error while processing your request."}, wire{"api_error", "", "Internal server error"}},
		{"rate", wire{"requests", "rate_limit_exceeded", "Rate limit reached."}, wire{"rate_limit_error", "", "Rate limit reached"}},
		{"quota", wire{"insufficient_quota", "insufficient_quota", "You exceeded your current quota."}, wire{"billing_error", "", "Your credit balance is too low"}},
	} {
		event := func(x *exchange) step {
			said := vendorError{name: e.name, openai: e.openai, anthropic: e.claude}
			w := said.in(x.vendor)
			return step{write: x.vendor.errorFrame(&Error{Status: statusIn(x.vendor, said), Type: w.kind, Code: w.code, Message: w.message}, x.number).bytes()}
		}
		all = append(all,
			streamKind(e.name+"-at-once", "D9 D10", "the first event is an error ("+e.name+")", Failover, func(x *exchange, p *plan) { p.steps = []step{event(x)} }),
			streamKind(e.name+"-start", "D9 D10", "an error event ("+e.name+") after the start event and before content", Failover, func(x *exchange, p *plan) {
				p.steps = append(p.frameSteps(head(p.frames)), event(x))
			}),
			streamKind(e.name+"-stream", "D9 D10", "an error event ("+e.name+") after some chunks", Rescue, func(x *exchange, p *plan) {
				p.steps = append(p.frameSteps(until(p.frames, x.after(defaultChunks))), event(x))
			}),
		)
	}
	junk := func(p *plan) []byte {
		f := p.frames[0] // so that it is framed as the vendor does
		f.data = `{"id":"x","choices":[{`
		return f.bytes()
	}
	deltaFirst := streamKind("delta-first", "D15", "content deltas without message_start and content_block_start", Failover, func(_ *exchange, p *plan) {
		p.frames = without(without(p.frames, frameStart), frameOpen)
	})
	deltaFirst.Dialect = Messages
	unknownBlock := streamKind("unknown-block", "D15", "a delta for a block that was never opened", Broken, func(x *exchange, p *plan) {
		p.steps = append(p.frameSteps(until(p.frames, x.after(defaultChunks))), step{write: frame{name: "content_block_delta", data: `{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"lost"}}`}.bytes()})
	})
	unknownBlock.Dialect = Messages
	jumps := streamKind("tool-index", "D28", "a fragment of a tool call whose index was never opened, without id", Broken, func(_ *exchange, p *plan) {
		fs := until(p.frames, 2)
		p.frames = append(append(fs, frame{kind: frameTool, data: jumpIndex(fs[len(fs)-1].data)}), p.frames[len(fs):]...)
	})
	jumps.tools, jumps.Dialect = true, Chat
	return append(all,
		deltaFirst, unknownBlock, jumps,
		streamKind("not-json-first", "D16", "the first event is not JSON", Failover, func(_ *exchange, p *plan) { p.steps = append([]step{{write: junk(p)}}, p.frameSteps(p.frames)...) }),
		streamKind("not-json", "D16", "an event after some chunks is not JSON", Broken, func(x *exchange, p *plan) {
			fs := until(p.frames, x.after(defaultChunks))
			p.steps = append(append(p.frameSteps(fs), step{write: junk(p)}), p.frameSteps(p.frames[len(fs):])...)
		}),
		streamKind("usage-no-deltas", "D34", "a finish and usage with output tokens, but not one delta", Failover, func(_ *exchange, p *plan) {
			p.frames = slices.DeleteFunc(p.frames, func(f frame) bool {
				return f.content() || f.kind == frameOpen || f.kind == frameShut
			})
		}),
	)
}

func jumpIndex(data string) string {
	return strings.Replace(data, `"tool_calls":[{"index":0`, fmt.Sprintf(`"tool_calls":[{"index":%d`, 9), 1)
}
