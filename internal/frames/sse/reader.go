package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxEvent is the number of bytes one event may have when NewReader is given no limit. Model
// vendors send whole images and whole answers in one data line, so it is large.
const MaxEvent = 32 << 20

const (
	firstBuffer = 1 << 10   // most events fit; ten thousand open streams stay small
	burstBuffer = 8 << 10   // what a stream gets that comes faster than it is read
	keepBuffer  = 256 << 10 // a larger buffer is given back once it is empty
	maxNames    = 64        // distinct event names remembered, so that a name costs no allocation
	maxEmpty    = 100       // reads in a row that may return nothing
)

// ErrTooLong is returned by Reader.Next when an event exceeds the reader's limit.
var ErrTooLong = errors.New("event stream: event too long")

// PartialError is returned by Reader.Next, together with the event as far as it was read, when the
// stream stopped before the empty line that ends an event. The standard discards such an event;
// some servers end their last one without the empty line, so the caller decides by looking at Data.
type PartialError struct {
	Clean     bool  // the source ended with io.EOF, not with an error of its own
	LineEnded bool  // the last line was whole; when false it may have been cut anywhere
	Err       error // the source's error, or io.ErrUnexpectedEOF after a clean end
}

// Error says that the stream stopped inside an event, and why.
func (e *PartialError) Error() string {
	return fmt.Sprintf("event stream: stopped inside an event: %v", e.Err)
}

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }

// Event is one block of a stream. Data and Raw alias the reader's memory and are valid until the
// next call of Next.
type Event struct {
	Name    string // value of the last "event:" line, "" when there was none
	Data    []byte // the values of the "data:" lines joined by LF
	Raw     []byte // the bytes received for this block; over a stream they add up to the stream
	ID      string // the last event id of the stream so far
	HasData bool   // there was a data line, even an empty one: the standard dispatches the event
	Comment bool   // no data line: comments, other fields or bare empty lines; carries nothing, but can be relayed
	HasNote bool   // there was a comment line, beside data or not
}

// Reader splits a stream into events. It is not safe for concurrent use.
type Reader struct {
	src io.Reader
	max int
	buf []byte // buf[start:] is not yet delivered
	err error  // why no more bytes will come

	filled bool // the last read filled the buffer

	start int // first byte of the current block's Raw
	body  int // first byte of its first line: after a byte order mark or an LF left over from the block before
	line  int // first byte of the line being looked for
	end   int // one past the block once it is complete, else 0

	lf, cr ending // the next LF and CR, so that each byte is searched once

	hasLine bool // the current block has a line that is not empty
	skipLF  bool // the byte before line was a CR at the end of the buffer: an LF here is its second half
	begun   bool // the byte order mark has been looked for

	joined []byte // data of an event with several data lines
	id     string
	names  map[string]string
}

// ending is a search for one kind of line ending.
type ending struct {
	at   int // where the next one is; meaningless when !found
	from int // bytes before this were searched
	has  bool
}

// NewReader returns a reader of the events in r. max limits the bytes of one event (the blank line
// included); 0 or less means MaxEvent.
func NewReader(r io.Reader, max int) *Reader {
	if max <= 0 {
		max = MaxEvent
	}
	return &Reader{src: r, max: max}
}

// Next returns the next event, blocking only while no complete one is buffered. At the end it
// returns io.EOF, or the source's error, or the unfinished event with a *PartialError. An event
// over the limit gives ErrTooLong. After an error every call returns an error.
func (r *Reader) Next() (Event, error) {
	for {
		if r.scan() {
			if r.tooLong(r.end) {
				return Event{}, ErrTooLong
			}
			ev := r.parse(r.end)
			r.advance(r.end)
			return ev, nil
		}
		if r.tooLong(len(r.buf)) {
			return Event{}, ErrTooLong
		}
		if r.err != nil {
			return r.finish()
		}
		r.fill()
	}
}

// Buffered reports whether Next will return a complete event without reading from the source, so
// that a writer can put off its flush.
func (r *Reader) Buffered() bool { return r.scan() }

// scan looks for the end of the current block in what is buffered and remembers how far it got.
func (r *Reader) scan() bool {
	if r.end > 0 {
		return true
	}
	for {
		if r.skipLF && r.line < len(r.buf) {
			r.skipLF = false
			if r.buf[r.line] == '\n' {
				if r.body == r.line {
					r.body++
				}
				r.line++
			}
		}
		i := r.lineEnd()
		if i < 0 {
			return false
		}
		r.skipBOM()
		blank := i == r.line
		next := i + 1
		if r.buf[i] == '\r' {
			switch {
			case next == len(r.buf):
				r.skipLF = true
			case r.buf[next] == '\n':
				next++
			}
		}
		r.line = next
		if !blank {
			r.hasLine = true
		} else if r.hasLine {
			r.end = next
			return true
		}
	}
}

// skipBOM steps over a byte order mark at the very start of the stream. It is called once the
// first line is whole or long enough, so that a mark that came in pieces is seen.
func (r *Reader) skipBOM() {
	if r.begun {
		return
	}
	r.begun = true
	if bytes.HasPrefix(r.buf, bom) {
		r.body, r.line = len(bom), len(bom)
	}
}

// lineEnd returns the index of the first CR or LF from r.line on, or -1.
func (r *Reader) lineEnd() int {
	r.lf.search(r.buf, '\n', r.line)
	r.cr.search(r.buf, '\r', r.line)
	switch {
	case r.lf.has && (!r.cr.has || r.lf.at < r.cr.at):
		return r.lf.at
	case r.cr.has:
		return r.cr.at
	}
	return -1
}

func (e *ending) search(buf []byte, c byte, line int) {
	if e.has && e.at >= line {
		return
	}
	from := max(e.from, line)
	i := bytes.IndexByte(buf[from:], c)
	e.has = i >= 0
	if e.has {
		e.at, e.from = from+i, from+i+1
	} else {
		e.from = len(buf)
	}
}

// tooLong reports, and remembers as the stream's error, that the block up to end is over the limit.
// The second half of a CRLF does not count: whether it is here yet depends on how the bytes came.
func (r *Reader) tooLong(end int) bool {
	if len(r.buf) >= len(bom) {
		r.skipBOM()
	}
	n := end - r.body
	if n <= r.max {
		return false
	}
	if n == r.max+1 && end == r.end && r.buf[end-2] == '\r' && r.buf[end-1] == '\n' {
		return false
	}
	r.err = ErrTooLong
	r.buf, r.end = r.buf[:r.start], 0
	r.hasLine, r.skipLF, r.line, r.body = false, false, r.start, r.start
	r.lf, r.cr = ending{}, ending{}
	return true
}

// advance makes next the start of a new block.
func (r *Reader) advance(next int) {
	r.start, r.body, r.line, r.end = next, next, next, 0
	r.hasLine = false
}

// fill reads once, making room first.
func (r *Reader) fill() {
	if r.start > 0 {
		r.shift()
	}
	if len(r.buf) == 0 && cap(r.buf) > keepBuffer {
		r.buf = nil
	}
	// A read that filled the buffer left bytes behind. With those of the event that was cut
	// they would be read by and by, each time less than a source holds.
	if len(r.buf) == cap(r.buf) || r.filled && cap(r.buf) < burstBuffer {
		grown := make([]byte, len(r.buf), max(firstBuffer, 2*cap(r.buf)))
		copy(grown, r.buf)
		r.buf = grown
	}
	for range maxEmpty {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err, r.filled = err, len(r.buf) == cap(r.buf)
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// shift drops the delivered bytes.
func (r *Reader) shift() {
	n := copy(r.buf, r.buf[r.start:])
	r.buf = r.buf[:n]
	r.body -= r.start
	r.line -= r.start
	for _, e := range []*ending{&r.lf, &r.cr} {
		e.at -= r.start
		e.from = max(0, e.from-r.start)
	}
	r.start = 0
}

// finish delivers what remains when no more bytes will come.
func (r *Reader) finish() (Event, error) {
	if r.start == len(r.buf) {
		return Event{}, r.err
	}
	r.skipBOM()
	ended := r.line == len(r.buf)
	ev := r.parse(len(r.buf))
	clean := r.err == io.EOF //nolint:errorlint // a reader ends with io.EOF itself; a wrapped one is a failure
	harmless := clean && !ev.HasData && r.onlyComments()
	r.advance(len(r.buf))
	if harmless {
		return ev, nil
	}
	pe := &PartialError{Clean: clean, LineEnded: ended, Err: r.err}
	if clean {
		pe.Err = io.ErrUnexpectedEOF
	}
	return ev, pe
}

// onlyComments reports whether the unfinished block holds no field, so that nothing was lost.
func (r *Reader) onlyComments() bool {
	for rest := r.buf[r.body:]; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if len(line) > 0 && line[0] != ':' {
			return false
		}
	}
	return true
}

// parse reads the lines of the block that ends at end.
func (r *Reader) parse(end int) Event {
	ev := Event{Raw: r.buf[r.start:end:end]}
	joined := false
	for rest := r.buf[r.body:end]; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		field, value := cutField(line)
		switch string(field) {
		case "data":
			switch {
			case !ev.HasData:
				ev.Data, ev.HasData = value[:len(value):len(value)], true
			case !joined:
				joined = true
				r.joined = append(r.joined[:0], ev.Data...)
				fallthrough
			default:
				r.joined = append(append(r.joined, '\n'), value...)
				ev.Data = r.joined
			}
		case "event":
			ev.Name = r.name(value)
		case "id":
			if string(value) != r.id && bytes.IndexByte(value, 0) < 0 {
				r.id = string(value)
			}
		case "":
			ev.HasNote = ev.HasNote || len(line) > 0
		}
	}
	ev.ID, ev.Comment = r.id, !ev.HasData
	return ev
}

// name returns b as a string, without allocating for the few names a stream uses.
func (r *Reader) name(b []byte) string {
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if r.names == nil {
		r.names = make(map[string]string)
	}
	if len(r.names) < maxNames {
		r.names[s] = s
	}
	return s
}

// cutLine splits b after its first line; the line comes without its ending.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		i = len(b)
	}
	if c := bytes.IndexByte(b[:i], '\r'); c >= 0 {
		rest = b[c+1:]
		if len(rest) > 0 && rest[0] == '\n' {
			rest = rest[1:]
		}
		return b[:c], rest
	}
	return b[:i], b[min(i+1, len(b)):]
}

// cutField splits a line at its first colon. A comment has the field name "".
func cutField(line []byte) (field, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, nil
	}
	value = line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:i], value
}
