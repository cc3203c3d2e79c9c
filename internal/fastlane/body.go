package fastlane

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// maxUnread is how much of a body that no handler has read is read for the sake of the next request.
const maxUnread = 256 << 10

// body is a request's body, of known length.
type body struct {
	x *exchange // nil if there is none

	mu     sync.Mutex
	left   int64
	closed bool
	early  bool // it was closed with more left than is worth reading
}

// Read reads up to the end of the body, and says with the last bytes that they are the last.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

func (b *body) read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	c := b.x.c
	p = p[:min(int64(len(p)), b.left)]
	if c.start == c.end && len(p) < len(c.in) {
		if err = c.fill(); err != nil {
			return 0, b.failed(err)
		}
	}
	if c.start < c.end {
		n = copy(p, c.in[c.start:c.end])
		c.start += n
	} else if n, err = c.read(p); n == 0 && err != nil {
		return 0, b.failed(err)
	}
	b.left -= int64(n)
	if b.left == 0 {
		b.x.bodyOver()
		return n, io.EOF
	}
	return n, nil
}

// failed is what a reader is told when the client sends no more: the request is over with that.
func (b *body) failed(err error) error {
	b.x.life.end()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close ends the body. What is left of it is read if it is little, so that another request may follow.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.x == nil || b.closed {
		return nil
	}
	b.closed = true
	if b.left > maxUnread {
		b.early = true
		return nil
	}
	return b.discard()
}

// discard reads what is left.
func (b *body) discard() error {
	if b.left == 0 {
		return nil
	}
	_, err := io.Copy(io.Discard, readerFunc(b.read))
	return err //nolint:wrapcheck // a reader passes its source's error on
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// forAnswer reads what is left before the answer begins: there are clients that read nothing before they
// have sent all. It reports whether another request may follow, and whether there is too much.
func (b *body) forAnswer() (mayFollow, tooMuch bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.x == nil:
		return true, false
	case b.closed:
		return b.left == 0, false
	case b.left >= maxUnread:
		return true, true
	}
	b.closed = true
	return b.discard() == nil, false
}
