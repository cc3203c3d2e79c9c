package drill

import (
	"context"
	"io"
	"mime"
	"strconv"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/transport"
)

const (
	// afterPieces is how many pieces of a streamed answer pass before it breaks: more than
	// any dialect begins a stream with.
	afterPieces = 6
	// afterBytes is how much of an answer passes that does not say how long it is.
	afterBytes = 64
)

// body is an answer that breaks in its middle, or comes slowly.
type body struct {
	ctx    context.Context //nolint:containedctx // of the request, whose answer this is
	run    *run
	call   string
	source io.ReadCloser
	pieces *pieces // nil if the answer is not streamed
	left   int64   // bytes that pass of one that is not
	passed int     // pieces
	rest   []byte  // read and not yet passed on
	broken bool
	closed chan struct{}
	once   sync.Once
}

func newBody(ctx context.Context, r *run, req *transport.Request, resp *transport.Response) *body {
	b := &body{ctx: ctx, run: r, call: req.For.Call, source: resp.Body, closed: make(chan struct{})}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if req.Stream && kind != jsonType {
		b.pieces = &pieces{isBinary: kind == "application/vnd.amazon.eventstream", isLines: kind == "application/x-ndjson"}
		return b
	}
	b.left = afterBytes
	if size, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err == nil && size > 0 {
		b.left = size / 2
	}
	return b
}

// Read passes on what comes until the answer is to break.
func (b *body) Read(p []byte) (int, error) {
	if b.broken {
		return 0, b.end()
	}
	if len(b.rest) > 0 {
		return b.pass(p, copy(p, b.rest))
	}
	n, err := b.source.Read(p)
	if n == 0 || b.run.over.Err() != nil {
		return n, err //nolint:wrapcheck // a reader passes its source's error on
	}
	n, passErr := b.pass(p, n)
	if passErr == nil && !b.broken && len(b.rest) == 0 {
		passErr = err
	}
	return n, passErr
}

// pass says how much of what stands in p the reader gets, which is where a piece ends, if one
// does. What is left waits its turn, or is dropped where the answer breaks.
func (b *body) pass(p []byte, n int) (int, error) {
	if from := len(b.rest); from > 0 {
		b.rest = b.rest[n:]
	}
	act := b.run.fault.act
	if b.pieces == nil {
		if act == drip {
			return n, nil
		}
		m := int(min(int64(n), b.left))
		b.left -= int64(m)
		if b.left == 0 {
			b.strike()
		}
		return m, nil
	}
	m, whole := b.pieces.next(p[:n])
	if m < n {
		b.rest = append(append([]byte(nil), p[m:n]...), b.rest...)
	}
	if !whole {
		return m, nil
	}
	b.passed++
	switch {
	case act == drip:
		b.run.strike(b.call)
		if err := b.run.wait(b.ctx, b.closed, b.run.delay()); err != nil {
			return 0, err
		}
	case b.passed == afterPieces:
		b.strike()
	}
	return m, nil
}

// strike ends the request at the provider, whose answer is of no more use.
func (b *body) strike() {
	if b.run.over.Err() != nil {
		return
	}
	b.broken, b.rest = true, nil
	b.run.strike(b.call)
	b.source.Close()
}

// end is what comes in place of the rest.
func (b *body) end() error {
	if b.run.fault.act == stall {
		if err := b.run.wait(b.ctx, b.closed, maxSeconds*time.Second); err != nil {
			return err
		}
	}
	return b.run.mark(b.run.fault.cause())
}

// Close ends the request at the provider.
func (b *body) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.source.Close() //nolint:wrapcheck // it is the source's
}

// pieces finds where the events of a stream end.
type pieces struct {
	isBinary bool // messages that begin with their length
	isLines  bool // one a line
	// Of text: whether the line so far is empty. An empty line ends an event.
	began, filled bool
	// Of messages: the bytes of the length seen so far, and those still to come.
	head []byte
	left int64
}

// next returns how many bytes of b belong to the piece at hand, and whether they end it.
func (s *pieces) next(b []byte) (n int, whole bool) {
	if s.isBinary {
		return s.message(b)
	}
	for i, c := range b {
		switch {
		case c == '\r':
		case c != '\n':
			s.began, s.filled = true, true
		case s.isLines && s.filled, s.began && !s.filled:
			s.began, s.filled = false, false
			return i + 1, true
		default:
			s.filled = false
		}
	}
	return len(b), false
}

// message is next for messages of the AWS event stream, each of which begins with its whole
// length in four bytes.
func (s *pieces) message(b []byte) (n int, whole bool) {
	const word = 4
	for n < len(b) && len(s.head) < word {
		s.head = append(s.head, b[n])
		n++
		if len(s.head) == word {
			s.left = int64(s.head[0])<<24 | int64(s.head[1])<<16 | int64(s.head[2])<<8 | int64(s.head[3])
			s.left = max(s.left-word, 0)
		}
	}
	if len(s.head) < word {
		return n, false
	}
	m := min(int64(len(b)-n), s.left)
	s.left -= m
	n += int(m)
	if s.left > 0 {
		return n, false
	}
	s.head = s.head[:0]
	return n, true
}
