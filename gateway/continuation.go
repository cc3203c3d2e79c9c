package gateway

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// continuation reads what an understudy says as the rest of an answer that another began:
// one text without a start of its own, without what was said before, and with the usage of
// both. It is a dialect.StreamReader around the understudy's.
type continuation struct {
	rescue  *rescue
	attempt *attempt
	seam    *seam
	prefill bool // the understudy was given the answer to continue

	reader dialect.StreamReader
	events []llm.Event // that reader returned
	texts  []int       // the indexes of the understudy's texts
	begun  bool        // something of them was passed on
	tokens int64       // of that, estimated
	// held is what follows the text, while nothing of it was passed on: until then another
	// understudy can be asked.
	held []llm.Event
}

// Read passes on what a frame adds to the answer.
func (c *continuation) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	var err error
	c.events, err = c.reader.Read(c.events[:0], f)
	return c.pass(dst, err)
}

// Close passes on what was left open.
func (c *continuation) Close(dst []llm.Event) ([]llm.Event, error) {
	var err error
	c.events, err = c.reader.Close(c.events[:0])
	return c.pass(dst, err)
}

// pass passes on what the understudy's events mean for the answer; err is what they ended in.
func (c *continuation) pass(dst []llm.Event, err error) ([]llm.Event, error) {
	for i := range c.events {
		e := &c.events[i]
		if e.Choice != 0 {
			continue
		}
		var failed error
		if dst, failed = c.event(dst, e); failed != nil {
			return dst, failed
		}
	}
	return dst, err
}

func (c *continuation) event(dst []llm.Event, e *llm.Event) ([]llm.Event, error) {
	c.attempt.serves(e.Tier)
	switch e.Kind {
	case llm.EventStart:
		c.attempt.named(e.Model)
		c.attempt.usage.Hear(e.Usage)
	case llm.EventPartStart:
		switch e.Part.Kind {
		case llm.PartText:
			c.texts = append(c.texts, e.Index)
			return c.say(dst, c.seam.add(e.Part.Text)), nil
		case llm.PartThinking: // the answer is past that
		default:
			return dst, &llm.Error{Code: llm.CodeBadAnswer, Message: "The provider went on with something other than the text."}
		}
	case llm.EventPartDelta:
		if slices.Contains(c.texts, e.Index) {
			return c.say(dst, c.seam.add(e.Delta.Text)), nil
		}
	case llm.EventFinish:
		return c.finish(dst, e.Stop), nil
	case llm.EventUsage:
		c.attempt.usage = e.Usage
		return c.emit(dst, llm.Event{Kind: llm.EventUsage, Usage: c.rescue.spent.Plus(e.Usage)}), nil
	case llm.EventEnd:
		c.attempt.named(e.Model)
		return append(append(dst, c.held...), *e), nil
	case llm.EventPartEnd, llm.EventLogProbs, llm.EventPing:
	}
	return dst, nil
}

// say adds text to the answer. From then on it is the client's.
func (c *continuation) say(dst []llm.Event, text string) []llm.Event {
	if text == "" {
		return dst
	}
	r := c.rescue
	c.begun = true
	if !r.isOpen {
		r.isOpen = true
		dst = append(dst, llm.Event{Kind: llm.EventPartStart, Index: r.part, Part: llm.Part{Kind: llm.PartText}})
	}
	if len(r.text) <= maxSaid { // what is longer nobody goes on with
		r.text = append(r.text, text...)
	}
	c.tokens += tokensOf(len(text))
	return append(dst, llm.Event{Kind: llm.EventPartDelta, Index: r.part, Delta: llm.Delta{Text: text}})
}

// finish ends the answer's text and says why it stops.
func (c *continuation) finish(dst []llm.Event, stop llm.Stop) []llm.Event {
	dst = c.say(dst, c.seam.end())
	if c.rescue.isOpen {
		dst = c.emit(dst, llm.Event{Kind: llm.EventPartEnd, Index: c.rescue.part})
	}
	return c.emit(dst, llm.Event{Kind: llm.EventFinish, Stop: stop})
}

// emit passes on an event that is no text, or holds it.
func (c *continuation) emit(dst []llm.Event, e llm.Event) []llm.Event {
	if !c.begun {
		c.held = append(c.held, e)
		return dst
	}
	return append(dst, e)
}
