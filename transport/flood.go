package transport

import (
	"errors"
	"io"
	"sync/atomic"
)

// maxFlood is how much an HTTP/2 peer may send while no request on the connection gets any further: beside what may
// wait to be read, only settings, pings and the like, of which hardly any are needed.
const maxFlood = 1 << 20

// framesAround bounds what frames and records add to the bytes of answers that they carry: small events of their own.
const framesAround = 8

var errFlood = errors.New("the peer sends frames without end and no answer")

// flow is what an HTTP/2 connection has brought, by which a peer is known that floods it: net/http answers pings and
// settings for as long as they come, whether or not anybody still asks for anything.
type flow struct {
	requests atomic.Int64 // under way
	since    atomic.Int64 // bytes read when one of them got further last
	isShared atomic.Bool
}

// isFlood reports whether so many bytes are too many.
func (f *flow) isFlood(read int64) bool {
	return f.isShared.Load() && read-f.since.Load() > maxFlood+f.requests.Load()*framesAround*answerWindow
}

// begin is called when a request is put on the connection.
func (w *writeBound) begin() {
	w.flow.isShared.Store(true)
	w.flow.requests.Add(1)
	w.further()
}

// further is called when a request has got further.
func (w *writeBound) further() { w.flow.since.Store(w.read.Load()) }

// end is called when a request is over.
func (w *writeBound) end() { w.flow.requests.Add(-1) }

// flowing is the body of an answer in HTTP/2.
type flowing struct {
	io.ReadCloser
	conn   *writeBound
	closed atomic.Bool
}

// Read reads, and what it reads shows that the connection is of use.
func (b *flowing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.conn.further()
	}
	return n, err //nolint:wrapcheck // a reader passes its source's error on
}

// Close ends the request.
func (b *flowing) Close() error {
	if !b.closed.Swap(true) {
		b.conn.end()
	}
	return b.ReadCloser.Close() //nolint:wrapcheck // as above
}
