package app

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

// A connection that speaks HTTP/2 is closed when its client gives up more streams than mostResets within resetTime of
// their beginning, and most of all that it opens: a call costs whoever resets it next to nothing.
const (
	resetTime  = time.Second
	mostResets = 500
)

var errResets = errors.New("most streams are reset as soon as they are opened")

// counted is a connection whose streams are counted as they are read: of those that are reset before their turn has come
// net/http tells nobody.
type counted struct {
	net.Conn
	tally
}

func countResets(nc net.Conn) net.Conn { return &counted{Conn: nc} }

// counting is a listener whose connections are counted.
type counting struct{ net.Listener }

// Accept returns the next connection.
func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // a listener passes its errors on
	}
	return countResets(conn), nil
}

// Read reads until there are too many resets.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.read(p[:n]); c.tooMany() {
		c.Close()
		return 0, errResets
	}
	return n, err //nolint:wrapcheck // a connection passes its errors on
}

// CloseWrite says that nothing more is sent.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // as above
	}
	return errors.ErrUnsupported
}

// preface is what HTTP/2 begins with (RFC 9113 section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// tally counts the streams of a connection, and those that were reset soon.
type tally struct {
	begun  int  // bytes of the preface
	other  bool // what is spoken is not HTTP/2
	head   [9]byte
	have   int    // bytes of it
	left   uint32 // bytes of the frame behind it
	opened int
	resets int
	newest uint32    // stream
	old    uint32    // the newest one at the time of mark
	mark   time.Time // no longer ago than resetTime when it matters
}

func (t *tally) tooMany() bool { return t.resets > mostResets && 2*t.resets > t.opened }

// read follows the frames, of which b has the next bytes.
func (t *tally) read(b []byte) {
	for len(b) > 0 && !t.other {
		switch {
		case t.begun < len(preface):
			n := min(len(b), len(preface)-t.begun)
			t.other = string(b[:n]) != preface[t.begun:t.begun+n]
			t.begun, b = t.begun+n, b[n:]
		case t.left > 0:
			n := min(len(b), int(t.left))
			t.left, b = t.left-uint32(n), b[n:] //nolint:gosec // it is no more than what is left
		default:
			n := copy(t.head[t.have:], b)
			if t.have, b = t.have+n, b[n:]; t.have == len(t.head) {
				t.have, t.left = 0, binary.BigEndian.Uint32(t.head[:])>>8
				t.frame(t.head[3], binary.BigEndian.Uint32(t.head[5:])&(1<<31-1))
			}
		}
	}
}

// frame counts a frame of a stream.
func (t *tally) frame(kind byte, stream uint32) {
	const headers, reset = 0x1, 0x3 // RFC 9113 sections 6.2 and 6.4
	if kind != headers && kind != reset {
		return
	}
	if now := time.Now(); now.Sub(t.mark) > resetTime {
		t.mark, t.old = now, t.newest
	}
	switch {
	case kind == headers && stream > t.newest:
		t.opened, t.newest = t.opened+1, stream
	case kind == reset && stream > t.old:
		t.resets++
	}
}
