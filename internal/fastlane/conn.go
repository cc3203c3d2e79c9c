package fastlane

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHead is the longest head that is read here, and how much of a connection is read ahead.
	maxHead = 4 << 10
	// outSize is how much of an answer is put together before it is written, headers included.
	outSize = 4 << 10
)

// States of a connection.
const (
	waiting int32 = iota // for a request
	running
	closing // by Shutdown
)

// conn is a connection. Its goroutine reads requests and runs the handler; while that runs and has
// read the request's body, a watcher may read on.
type conn struct {
	s      *Server
	nc     net.Conn
	remote string
	state  atomic.Int32
	opened time.Time
	ready  atomic.Int64 // since when, in Unix nanoseconds, a request is due that Shutdown waits for; 0 for none
	headBy time.Time    // when the head must be there that is being read; zero for none
	since  atomic.Int64 // when it began to wait for a request of which nothing has been read, in Unix nanoseconds; 0 if it does not

	in      []byte   // of it, in[start:end] has been read from the connection and not been used
	few     [16]byte // in while a request runs, see narrow
	start   int
	end     int
	readErr error // what comes after these
	spare   int   // how many of the next bytes may be line ends too many: some clients send them after a POST

	out      *bufio.Writer // nil while nothing waits to be written
	writeErr error         // the first
	running  *exchange

	reads, writes deadline
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, opened: time.Now()}
	c.widen()
	c.ready.Store(c.opened.UnixNano())
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.reads.apply, c.writes.apply = nc.SetReadDeadline, nc.SetWriteDeadline
	return c
}

// serve answers requests until there is one that is not plain, or none any more.
func (c *conn) serve() {
	ours := true
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			stack := make([]byte, 64<<10)
			c.s.logf("http: panic serving %v: %v\n%s", c.remote, p, stack[:runtime.Stack(stack, false)])
		}
		if x := c.running; x != nil {
			x.abandon()
		}
		if ours {
			_ = c.flush() // what has been said stands, but has no end
			c.nc.Close()
		}
		if ours {
			c.s.note(c.nc, http.StateClosed) // first, as Shutdown may return once the connection is forgotten
		}
		c.s.forget(c)
	}()
	for first := true; ; first = false {
		x, found := c.next(first)
		switch found {
		case nothing:
			return
		case odd:
			ours = false
			c.s.note(c.nc, http.StateHijacked)    // first, as net/http may have answered before hand returns
			_ = c.nc.SetReadDeadline(time.Time{}) // if that fails the connection is closed already
			c.s.handOver(c.s.newBegun(c.nc, bytes.Clone(c.in[c.start:c.end]), c.headBy))
			return
		case plain:
		}
		if !c.answer(x) {
			return
		}
		if c.s.over.Load() {
			c.ready.Store(time.Now().UnixNano()) // the client was not told that this was the last answer
		}
		if !c.state.CompareAndSwap(running, waiting) {
			return
		}
		c.s.note(c.nc, http.StateIdle)
	}
}

// found is what there is on a connection.
type found int

const (
	nothing found = iota // the client has left, or is to be left
	plain                // a request
	odd                  // something for net/http
)

// aRequest is from how many bytes on net/http takes what follows a request for another one.
const aRequest = 4

// next reads the next request's head. A client may take its time before a request, but not in its head.
func (c *conn) next(first bool) (*exchange, found) {
	since, by, limited := c.opened, time.Time{}, first
	if c.headBy = by; first {
		by = after(since, c.s.headerTime())
		c.headBy = by
	} else {
		since = time.Now()
	}
	for got := c.end - c.start; ; {
		if c.skip(); c.start < c.end {
			text := c.in[c.start:c.end]
			if end := bytes.Index(text, headEnd); end >= 0 {
				return c.take(end)
			}
			if len(text) == len(c.in) || (first || got >= aRequest) && !couldBePlain(text) {
				return c.leave()
			}
			if !limited {
				by, limited = after(time.Now(), c.s.headerTime()), true
				c.headBy = by
			}
		} else if !limited {
			by = after(since, c.s.idleTime())
		}
		c.reads.set(by)
		had := c.end - c.start
		if had == 0 {
			c.since.Store(since.UnixNano())
		}
		err := c.fill()
		if c.since.Store(0); err != nil {
			if c.start == c.end || !first && got < aRequest || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, nothing
			}
			return c.leave() // net/http has words for what is cut short
		}
		got += c.end - c.start - had
	}
}

// take reads a head that is there up to its end.
func (c *conn) take(end int) (*exchange, found) {
	x := &exchange{c: c}
	if !x.head.parse(string(c.in[c.start : c.start+end+len(lineEnd)])) {
		return c.leave()
	}
	c.start += end + len(headEnd)
	if x.head.request.Method == http.MethodPost {
		c.spare = maxSpare
	}
	if !c.begin() {
		return nil, nothing
	}
	return x, plain
}

// leave leaves the connection to net/http.
func (c *conn) leave() (*exchange, found) {
	if !c.begin() {
		return nil, nothing
	}
	return nil, odd
}

// begin says that a request has begun, unless the connection is being closed.
func (c *conn) begin() bool {
	if !c.state.CompareAndSwap(waiting, running) {
		return false
	}
	if c.ready.Load() != 0 {
		c.ready.Store(0)
	}
	c.s.note(c.nc, http.StateActive)
	return true
}

// after is zero, which means never, if there is no limit.
func after(t time.Time, limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return t.Add(limit)
}

// maxSpare is how many bytes net/http looks at for line ends too many.
const maxSpare = 4

// skip passes over them.
func (c *conn) skip() {
	for c.spare > 0 && c.start < c.end {
		if b := c.in[c.start]; b != '\r' && b != '\n' {
			c.spare = 0
			return
		}
		c.start++
		c.spare--
	}
}

// fill reads more of the connection.
func (c *conn) fill() error {
	if c.readErr != nil {
		return c.readErr
	}
	switch {
	case c.start == c.end:
		c.start, c.end = 0, 0
	case c.end == len(c.in):
		c.end = copy(c.in, c.in[c.start:c.end])
		c.start = 0
	}
	n, err := c.read(c.in[c.end:])
	c.end += n
	if n > 0 {
		err = nil // it comes again
	}
	return err
}

// read reads from the connection within its deadline.
func (c *conn) read(p []byte) (int, error) {
	if err := c.reads.begin(); err != nil {
		return 0, err
	}
	defer c.reads.over()
	return c.nc.Read(p) //nolint:wrapcheck // a connection passes its errors on
}

// ins and outs are the buffers of connections that read or write just now. Those of ten thousand open streams mostly
// do neither.
var (
	ins  = sync.Pool{New: func() any { return new([maxHead]byte) }}
	outs = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, outSize) }}
)

// widen makes room for a head.
func (c *conn) widen() {
	if len(c.in) == maxHead {
		return
	}
	in := ins.Get().(*[maxHead]byte)[:] //nolint:forcetypeassert // it holds nothing else
	c.start, c.end = 0, copy(in, c.in[c.start:c.end])
	c.in = in
}

// narrow gives the room for a head back, if it is empty: little or nothing comes while a request runs.
func (c *conn) narrow() {
	if c.start < c.end {
		return
	}
	ins.Put((*[maxHead]byte)(c.in))
	c.in, c.start, c.end = c.few[:], 0, 0
}

// buffer is where an answer is put together.
func (c *conn) buffer() *bufio.Writer {
	if c.out == nil {
		c.out = outs.Get().(*bufio.Writer) //nolint:forcetypeassert // it holds nothing else
		c.out.Reset((*sink)(c))
	}
	return c.out
}

// flush writes what has been put together. A buffer that could not be written keeps the error.
func (c *conn) flush() error {
	if c.out == nil {
		return nil
	}
	if err := c.out.Flush(); err != nil {
		return err //nolint:wrapcheck // a writer passes its errors on
	}
	c.out.Reset(nil)
	outs.Put(c.out)
	c.out = nil
	return nil
}

// sink writes to a connection.
type sink conn

// Write writes within the connection's deadline. If it fails, the client is gone.
func (k *sink) Write(p []byte) (int, error) {
	c := (*conn)(k)
	if err := c.writes.begin(); err != nil {
		return 0, err
	}
	n, err := c.nc.Write(p)
	c.writes.over()
	if err != nil && c.writeErr == nil {
		c.writeErr = err
		if x := c.running; x != nil {
			x.life.end()
		}
	}
	return n, err //nolint:wrapcheck // as above
}

// closeGently ends the answer's direction first: what the client still sends would otherwise make its
// system throw away what it has not read of the answer. It is read for a while, since there are clients that
// read nothing before they have sent all.
func (c *conn) closeGently() {
	const farewell = 500 * time.Millisecond // as net/http
	_ = c.flush()                           // nobody is left to hear of it
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(farewell))
	_, _ = io.Copy(io.Discard, c.nc) // until the client has left, or is to be left
}
