package ollama

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader of lines.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads one stream: lines that add to the message, and one that is done.
type streamReader struct {
	tree    jsontext.Tree
	out     []llm.Event
	started bool
	ended   bool
	parts   int
	calls   int
	text    openText
	sent    sent   // what every line says
	renamed string // the model that a later line named
}

// openText is the text or thinking that is open. Kind 0 is none.
type openText struct {
	kind   llm.PartKind
	part   int
	joiner jsontext.TextJoiner
	issuer string          // of thinking that will be signed
	seen   strings.Builder // its text, which its signature's entry repeats
}

// Read appends the events of one line.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.line(f.Data)
	dst, r.out = r.out, nil
	return dst, err
}

// Close ends a stream: whole if a line was done.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	if !r.ended {
		return dst, forms.Truncated("stream ended before a line that is done")
	}
	return dst, nil
}

func (r *streamReader) emit(e llm.Event) { r.out = append(r.out, e) }

func (r *streamReader) line(data []byte) error {
	var c chunk
	if err := c.read(&r.tree, data); err != nil {
		return err
	}
	if !r.started {
		r.started = true
		r.sent = sent{textOf(c.model), createdOf(textOf(c.created))}
		r.emit(llm.Event{Kind: llm.EventStart, Model: r.sent.model, Created: r.sent.created})
	}
	r.renamed = forms.Renamed(r.sent.model, r.renamed, c.model)
	if c.signed != nil {
		r.issuer(c.signed)
	}
	r.piece(llm.PartThinking, c.thinking)
	if c.signed != nil {
		for _, p := range signedThinking(c.signed) {
			r.signed(p)
		}
	}
	r.piece(llm.PartText, c.content)
	if err := c.eachCall(r.calls, r.call); err != nil {
		return err
	}
	if c.logprobs != nil {
		if list := logProbsOf(c.logprobs); len(list) > 0 {
			r.emit(llm.Event{Kind: llm.EventLogProbs, LogProbs: list})
		}
	}
	if c.isDone() {
		r.done(&c)
	}
	return nil
}

// piece adds to the open text of a kind, or opens one. An empty piece is nothing.
func (r *streamReader) piece(kind llm.PartKind, v jsontext.Value) {
	if v.Kind() != jsontext.String || string(v) == `""` {
		return
	}
	if r.text.kind != kind {
		issuer := r.text.issuer
		r.endText()
		r.text.kind, r.text.part = kind, r.parts
		r.parts++
		p := llm.Part{Kind: kind}
		if kind == llm.PartThinking {
			r.text.issuer = issuer
			p.Thinking = &llm.Thinking{Issuer: issuer}
		}
		r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.text.part, Part: p})
	}
	s, _ := r.text.joiner.Text(v) // it is a string
	r.add(s)
}

func (r *streamReader) add(s string) {
	if s == "" {
		return
	}
	if r.text.issuer != "" {
		r.text.seen.WriteString(s)
	}
	r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Text: s}})
}

func (r *streamReader) endText() {
	if r.text.kind == 0 {
		r.text.issuer = ""
		return
	}
	r.add(r.text.joiner.Flush())
	r.emit(llm.Event{Kind: llm.EventPartEnd, Index: r.text.part})
	r.text = openText{}
}

// issuer reads who will have signed the thinking that begins: an entry that says no more.
func (r *streamReader) issuer(v jsontext.Value) {
	_ = v.Array(func(_ int, v jsontext.Value) error { // what is no list holds none
		if issuer := textOf(v.Get("issuer")); issuer != "" && v.Get("signature") == nil && v.Get("sealed") == nil {
			r.endText()
			r.text.issuer = issuer
		}
		return nil
	})
}

// signed ends the open thinking with its signature, or makes a part of what is not the thinking that was streamed.
func (r *streamReader) signed(p llm.Part) {
	if r.text.kind == llm.PartThinking && p.Thinking.Signature != "" && r.text.issuer == p.Thinking.Issuer && r.text.seen.String() == p.Text {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Signature: p.Thinking.Signature}})
		r.endText()
		return
	}
	r.endText()
	delta := llm.Delta{Text: p.Text, Signature: p.Thinking.Signature}
	p.Text, p.Thinking.Signature = "", ""
	r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.parts, Part: p})
	if delta != (llm.Delta{}) {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.parts, Delta: delta})
	}
	r.emit(llm.Event{Kind: llm.EventPartEnd, Index: r.parts})
	r.parts++
}

// call passes on a call, which comes whole.
func (r *streamReader) call(c *llm.ToolCall) {
	r.endText()
	args := c.Args
	c.Args = ""
	r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.parts, Part: llm.Part{Kind: llm.PartToolCall, Call: c}})
	if args != "" {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.parts, Delta: llm.Delta{Args: args}})
	}
	r.emit(llm.Event{Kind: llm.EventPartEnd, Index: r.parts})
	r.parts++
	r.calls++
}

func (r *streamReader) done(c *chunk) {
	r.endText()
	r.emit(llm.Event{Kind: llm.EventFinish, Stop: stopOf(textOf(c.reason), r.calls > 0)})
	if u := usageOf(c.prompt, c.eval); u.IsTold() {
		r.emit(llm.Event{Kind: llm.EventUsage, Usage: u})
	}
	r.ended = true
	r.emit(llm.Event{Kind: llm.EventEnd, Model: r.renamed})
}
