package openaichat

import (
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// terminator is the data of a stream's last frame.
const terminator = "[DONE]"

// isTerminator reports whether a frame ends the stream.
func isTerminator(data []byte) bool {
	isObject := len(data) > 0 && data[0] == '{' // as nearly all are
	return !isObject && string(forms.Trim(data)) == terminator
}

// progress is how far a stream has come: the grammar to which both its reader and a tap hold it.
type progress struct {
	choices []*openChoice
	places  forms.Places[int] // of the choices
	repeat  repeat

	id, model, tier string
	created         int64
	renamed, late   string // the model that a later chunk named, and the tier that the first one did not say
	usage           llm.Usage

	started, ended bool
}

// repeat recognises chunks that say what the latest did but for a piece of text, as most chunks of a stream do.
type repeat struct {
	jsontext.Repeat
	choice int
	usage  jsontext.Value // null where the chunks have such a member

	// While a chunk is read: the text, if it is all that the chunk says, and the vendor's padding.
	only, padding jsontext.Value
	first         bool // no choice was read yet
}

// matches returns the text of a chunk that is such a repeat.
func (r *repeat) matches(f dialect.Frame) (text jsontext.Value, ok bool) {
	if f.Event != "" {
		return nil, false
	}
	strings, ok := r.Match(f.Data)
	return strings[0], ok
}

// says notes what a choice of the chunk says.
func (r *repeat) says(index int, c *choiceText, a *answer) {
	r.choice, r.only = index, nil
	if r.first && a.hasOnlyText() && c.reason.IsNull() && c.logprobs.IsNull() {
		r.only = a.content
	}
	r.first = false
}

// learn makes the chunk that was just read the one that others are compared with.
func (r *repeat) learn(data []byte, c *chunkText) {
	r.Forget()
	if r.only == nil || !c.count.IsNull() {
		return
	}
	r.usage = nil
	if c.usage != nil {
		r.usage = jsontext.Value("null")
	}
	if r.padding.Kind() != jsontext.String {
		r.padding = nil
	}
	r.Learn(data, r.only, r.padding)
}

// openChoice is one choice of the stream as far as it was read.
type openChoice struct {
	index   int
	parts   int
	length  int // characters of content so far
	text    openText
	calls   []*openCall
	slots   forms.Places[int64]  // of the calls, by their index in the stream
	ids     forms.Places[string] // likewise
	refused bool
	notes   []jsontext.Value // annotations that came while no text was open
	word    string           // the finish reason, once it was there
	blank   bool             // a finish reason was there and empty
}

// openText is the part that plain text goes to: text, refusal or thinking. Kind 0 is none.
type openText struct {
	kind   llm.PartKind
	index  int
	offset int // where it begins in the choice's content, in characters
	joiner jsontext.TextJoiner
	issuer string          // of thinking: who will have signed it
	seen   strings.Builder // of thinking with an issuer: its text
}

// chunkText is where a chunk says what: openai.yaml, CreateChatCompletionStreamResponse.
type chunkText struct {
	choices      jsontext.Node
	usage        jsontext.Value // the member of this name
	count, fault jsontext.Value // the usage, wherever it is, and the error
}

// chunk reads the top of a frame that is not the terminator, and throws the error that one may hold instead.
func (p *progress) chunk(tree *jsontext.Tree, f dialect.Frame) (c chunkText, err error) {
	p.repeat.only, p.repeat.padding, p.repeat.first = nil, nil, true
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return c, forms.BadAnswer("read chunk: %w", err)
	}
	if f.Event == "error" {
		var said forms.Fault
		said.Read(root.Value())
		return c, said.ToError(0)
	}
	if root.Kind() != jsontext.Object {
		return c, forms.BadAnswer("chunk is %s, not an object", root.Kind())
	}
	err = root.Members(func(name []byte, n jsontext.Node) error {
		switch string(name) {
		case "choices":
			c.choices = n
		case "usage":
			c.usage = n.Value()
			if !n.IsNull() {
				c.count = n.Value()
			}
		case "x_groq": // one server's place for usage
			if u := n.Value().Get("usage"); !u.IsNull() {
				c.count = u
			}
		case "error":
			c.fault = n.Value()
		case "obfuscation": // openai.yaml: a text of random length, so that the stream's sizes tell nothing
			p.repeat.padding = n.Value()
		case "id", "model", "created", "service_tier":
			switch {
			case !p.started:
				p.learn(string(name), n.Value())
			case string(name) == "model":
				p.renamed = forms.Renamed(p.model, p.renamed, n.Value())
			case string(name) == "service_tier" && p.tier == "" && p.late == "":
				p.late = forms.Scalar(n.Value())
			}
		}
		return nil
	})
	if err != nil {
		return c, forms.BadAnswer("read chunk: %w", err)
	}
	if !c.fault.IsNull() || c.choices.Kind() == jsontext.Invalid {
		if e := inBandError(root.Value()); e != nil {
			return c, e
		}
	}
	if c.count != nil {
		p.usage.Hear(usageOf(jsontext.Plain(c.count)))
	}
	return c, nil
}

// learn remembers what the stream's start will say. Some servers leave it out of the first chunk.
func (p *progress) learn(key string, v jsontext.Value) {
	switch s := forms.Scalar(v); {
	case key == "created":
		p.created = forms.Count(v)
	case s == "":
	case key == "id":
		p.id = s
	case key == "model":
		p.model = s
	default:
		p.tier = s
	}
}

// eachChoice calls f for the choices of a chunk.
func (c *chunkText) eachChoice(f func(i int, n jsontext.Node) error) error {
	if c.choices.Kind() != jsontext.Array {
		return nil
	}
	err := c.choices.Array(f)
	if err == nil {
		return nil
	}
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return forms.BadAnswer("read chunk: %w", jsontext.At("choices", err))
}

// choiceText is where a choice of a chunk says what.
type choiceText struct {
	index, reason, logprobs jsontext.Value
	delta, message          jsontext.Node
}

func (c *choiceText) read(n jsontext.Node) error {
	err := n.Members(c.member)
	if c.delta.IsNull() {
		c.delta = c.message // a whole message where a piece was due
	}
	return err
}

func (c *choiceText) member(name []byte, n jsontext.Node) error {
	switch string(name) {
	case "index":
		c.index = n.Value()
	case "delta":
		c.delta = n
	case "message":
		c.message = n
	case "finish_reason":
		c.reason = n.Value()
	case "logprobs":
		c.logprobs = n.Value()
	}
	return nil
}

// open returns the choice of an index, and makes it if it is new.
func (p *progress) open(index int) *openChoice {
	if at := p.places.Find(index); at >= 0 {
		return p.choices[at]
	}
	ch := &openChoice{index: index}
	p.places.Add(index)
	p.choices = append(p.choices, ch)
	return ch
}

// finish takes up a finish reason. The first that is not empty counts.
func (ch *openChoice) finish(reason jsontext.Value) error {
	if reason.Kind() != jsontext.String {
		return nil
	}
	word := forms.Scalar(reason)
	if e := failedReason(word); e != nil {
		return e
	}
	if ch.word == "" {
		ch.word, ch.blank = word, word == ""
	}
	return nil
}

// complete says what is wrong with a stream that has come to its terminator, or to the end of the body without one.
func (p *progress) complete(terminated bool) error {
	switch {
	case !p.started && terminated:
		return forms.BadAnswer("stream has no choices")
	case !p.started:
		return forms.Truncated("stream ended before the first choice")
	}
	for _, ch := range p.choices {
		if ch.word == "" && (!terminated || !p.mayEnd(ch)) {
			return forms.Truncated("stream ended before a finish reason")
		}
	}
	for _, ch := range p.choices {
		for _, c := range ch.calls {
			if !c.started {
				return forms.BadAnswer("tool call without a name")
			}
		}
	}
	p.ended = true
	return nil
}

// mayEnd reports whether a choice without a finish reason is whole once the terminator has come. Some servers send an
// empty reason, some none; these have at least counted the tokens, which one that broke off has not.
func (p *progress) mayEnd(ch *openChoice) bool {
	for _, c := range ch.calls {
		if !c.started || jsontext.Check([]byte(c.seen.String()), jsontext.Limits{AllowDuplicates: true}) != nil {
			return false
		}
	}
	return ch.blank || p.usage.Known
}
