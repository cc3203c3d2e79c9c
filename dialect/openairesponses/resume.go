package openairesponses

import (
	"slices"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// passing is what a tap keeps of a stream that is one text so far, so that it can be gone on with.
type passing struct {
	response responseHead
	item     string   // the id of the message with the text
	output   int64    // the output_index of that message
	at       int64    // the content_index of the text
	text     []byte   // of which this much came, as it stands between quotes
	stage    stage    // how far its end was said
	whole    []byte   // the message, once it was said to be done
	before   [][]byte // the items before it, which hold nothing that the client sees
	other    bool     // there is more than one text
}

// maxPassing bounds what is kept of a stream, in bytes; of one with more text nothing is.
const maxPassing = 256 << 10

// responseHead is what a response says of itself.
type responseHead struct {
	id, model, tier string
	created         int64
}

// stage is how far the end of a text was said. It is said on three levels.
type stage uint8

const (
	stageOpen stage = iota
	stageText       // output_text.done was seen
	stagePart       // and content_part.done
	stageItem       // and output_item.done
)

// isOf reports whether an event is about the text.
func (p *passing) isOf(e *eventText) bool {
	return p.text != nil && indexOf(e.output, p.output) == p.output && indexOf(e.content, p.at) == p.at
}

// say adds a piece to the text, and begins it with the first.
func (p *passing) say(e *eventText, piece []byte) {
	if p.text == nil {
		p.output, p.at = indexOf(e.output, p.output), indexOf(e.content, 0)
	}
	if len(p.text)+len(piece) > maxPassing {
		p.text, p.other = nil, true
		return
	}
	p.text = append(p.text, piece...)
}

// reach notes that an end of the text was said.
func (p *passing) reach(e *eventText, s stage) {
	if p.isOf(e) {
		p.stage = max(p.stage, s)
	}
}

// sent is a stream of one text, as far as a client has it.
type sent struct {
	next     int64
	response responseHead
	item     string
	text     string
	stage    stage
	before   [][]byte
	whole    []byte
}

// Sent is the text so far and where it stands. Items must be numbered as a writer numbers them.
func (t *tap) Sent() any {
	p := &t.passing
	if !t.started || t.ended || p.other || p.text == nil || p.item == "" || p.output != int64(len(p.before)) || p.at != 0 {
		return nil
	}
	text, err := jsontext.Value(slices.Concat([]byte{'"'}, p.text, []byte{'"'})).Text()
	if err != nil {
		return nil
	}
	return sent{
		next: t.numbers.next, response: p.response, item: p.item, text: text, stage: p.stage,
		before: slices.Clone(p.before), whole: p.whole,
	}
}

// resume goes on where another stream stopped. The text is the part that holds the wire, unless its item was done: then
// what comes more of it is a new one.
func (s *streamWriter) resume(b sent) {
	s.sequence, s.started = b.next, true
	s.options.ID, s.options.Model, s.options.Created, s.tier = b.response.id, b.response.model, b.response.created, b.response.tier
	s.items = b.before
	s.parts = []writerPart{{part: llm.Part{Kind: llm.PartText}}}
	s.open = 0
	if b.stage == stageItem {
		s.items = append(s.items, b.whole)
		return
	}
	s.parts[0].begun = true
	s.item = shownItem{kind: itemMessage, id: b.item, content: typeOutputText, ended: b.stage}
	s.item.said.WriteString(b.text)
}
