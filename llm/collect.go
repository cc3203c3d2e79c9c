package llm

import (
	"cmp"
	"slices"
	"strings"
)

// Collector folds a stream's events into the Response they amount to. The zero
// value is ready.
type Collector struct {
	resp Response
	// parts are by a choice's index and a part's.
	parts map[[2]int]*collected
}

// collected is a part of an answer: its place in Parts, and what it says if that came in more than one piece.
type collected struct {
	place      int
	text, args strings.Builder
}

// join appends a piece to s, for which b has room: adding strings would copy all that was said for each of many pieces.
func join(s *string, b *strings.Builder, piece string) {
	if *s == "" {
		*s = piece
		return
	}
	if b.Len() == 0 {
		b.WriteString(*s)
	}
	b.WriteString(piece)
	*s = b.String()
}

// Add folds one event.
func (c *Collector) Add(e Event) {
	switch e.Kind {
	case EventStart:
		c.resp.ID, c.resp.Model, c.resp.Created = e.ID, e.Model, e.Created
		c.resp.Tier = e.Tier
		c.resp.Usage.Hear(e.Usage)
	case EventPartStart:
		ch := c.choice(e.Choice)
		if c.parts == nil {
			c.parts = make(map[[2]int]*collected)
		}
		c.parts[[2]int{e.Choice, e.Index}] = &collected{place: len(ch.Parts)}
		ch.Parts = append(ch.Parts, clonePart(e.Part))
	case EventPartDelta:
		c.delta(e)
	case EventLogProbs:
		ch := c.choice(e.Choice)
		ch.LogProbs = append(ch.LogProbs, e.LogProbs...)
	case EventFinish:
		c.choice(e.Choice).Stop = e.Stop
		c.resp.Tier = cmp.Or(e.Tier, c.resp.Tier)
	case EventUsage:
		c.resp.Usage = e.Usage
		c.resp.Tier = cmp.Or(e.Tier, c.resp.Tier)
	case EventEnd:
		c.resp.Model = cmp.Or(e.Model, c.resp.Model)
	case EventPartEnd:
		c.settle(e)
	case EventPing:
	}
	for dialect, members := range e.Extra {
		for _, m := range members {
			c.resp.Extra = c.resp.Extra.Add(dialect, m.Key, m.Raw)
		}
	}
}

func (c *Collector) delta(e Event) {
	of, ok := c.parts[[2]int{e.Choice, e.Index}]
	if !ok {
		return
	}
	p := &c.choice(e.Choice).Parts[of.place]
	if e.Delta.Text != "" {
		join(&p.Text, &of.text, e.Delta.Text)
	}
	if p.Call != nil && e.Delta.Args != "" {
		join(&p.Call.Args, &of.args, e.Delta.Args)
	}
	if e.Delta.Signature != "" && p.Thinking != nil {
		p.Thinking.Signature = e.Delta.Signature
	}
	if e.Delta.Citation != nil {
		p.Citations = append(p.Citations, *e.Delta.Citation)
	}
}

// settle takes back an issuer that was said at the start of thinking which then came without a signature.
func (c *Collector) settle(e Event) {
	of, ok := c.parts[[2]int{e.Choice, e.Index}]
	if !ok {
		return
	}
	if t := c.choice(e.Choice).Parts[of.place].Thinking; t != nil && t.Signature == "" && t.Sealed == "" {
		t.Issuer = ""
	}
}

func (c *Collector) choice(index int) *Choice {
	for i := range c.resp.Choices {
		if c.resp.Choices[i].Index == index {
			return &c.resp.Choices[i]
		}
	}
	c.resp.Choices = append(c.resp.Choices, Choice{Index: index})
	return &c.resp.Choices[len(c.resp.Choices)-1]
}

// Response returns what has been folded so far, its choices in order.
func (c *Collector) Response() *Response {
	r := c.resp
	r.Choices = slices.Clone(r.Choices)
	slices.SortFunc(r.Choices, func(a, b Choice) int { return a.Index - b.Index })
	return &r
}

// Collect folds whole streams: the Response that events amount to.
func Collect(events []Event) *Response {
	var c Collector
	for _, e := range events {
		c.Add(e)
	}
	return c.Response()
}

// Events unfolds r into a legal stream with one delta a part, so that a vendor
// that answers a streaming request with one body can still be streamed.
func (r *Response) Events() []Event {
	events := []Event{{Kind: EventStart, ID: r.ID, Model: r.Model, Created: r.Created, Tier: r.Tier, Extra: r.Extra}}
	for _, ch := range r.Choices {
		left := ch.LogProbs
		for i, p := range ch.Parts {
			start, delta := splitPart(p)
			events = append(events, Event{Kind: EventPartStart, Choice: ch.Index, Index: i, Part: start})
			if delta != (Delta{}) {
				events = append(events, Event{Kind: EventPartDelta, Choice: ch.Index, Index: i, Delta: delta})
			}
			for j := range p.Citations {
				events = append(events, Event{
					Kind: EventPartDelta, Choice: ch.Index, Index: i,
					Delta: Delta{Citation: &p.Citations[j]},
				})
			}
			events = append(events, Event{Kind: EventPartEnd, Choice: ch.Index, Index: i})
			if p.Kind == PartText && len(left) > 0 { // in some streams they stand with the text that they are of
				events = append(events, Event{Kind: EventLogProbs, Choice: ch.Index, LogProbs: left})
				left = nil
			}
		}
		if len(left) > 0 {
			events = append(events, Event{Kind: EventLogProbs, Choice: ch.Index, LogProbs: left})
		}
		events = append(events, Event{Kind: EventFinish, Choice: ch.Index, Stop: ch.Stop})
	}
	if r.Usage.IsTold() {
		events = append(events, Event{Kind: EventUsage, Usage: r.Usage})
	}
	return append(events, Event{Kind: EventEnd})
}

// splitPart divides a part into what its start says and one delta with the rest.
func splitPart(p Part) (Part, Delta) {
	start := clonePart(p)
	start.Citations = nil
	var d Delta
	switch p.Kind {
	case PartText, PartRefusal, PartThinking:
		d.Text, start.Text = p.Text, ""
		if start.Thinking != nil {
			d.Signature, start.Thinking.Signature = p.Thinking.Signature, ""
		}
	case PartToolCall:
		d.Args, start.Call.Args = p.Call.Args, ""
	default:
	}
	return start, d
}

// clonePart copies the parts of p that folding writes to.
func clonePart(p Part) Part {
	if p.Call != nil {
		call := *p.Call
		p.Call = &call
	}
	if p.Thinking != nil {
		thinking := *p.Thinking
		p.Thinking = &thinking
	}
	p.Citations = slices.Clone(p.Citations)
	return p
}
