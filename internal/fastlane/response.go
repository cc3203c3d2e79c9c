package fastlane

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// beforeChunks is how much of an answer is held back to see whether that is all: then its length is told.
const beforeChunks = 2 << 10

var holds = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, beforeChunks) }}

// response is an http.ResponseWriter, to the letter of what net/http's does, but for two things: how an
// answer is framed is not the handler's to say (it may have no Transfer-Encoding), and trailers
// are those named with http.TrailerPrefix.
type response struct {
	x      *exchange
	isHead bool
	close  bool // no other request is answered after this one

	header http.Header
	asked  bool          // the handler has had the header
	sent   http.Header   // the header as it was when the status was written; nil if nobody can have changed it
	hold   *bufio.Writer // what is held back; nil as long as nothing is

	status  int   // 0 until it is written
	length  int64 // of the body, if told; else -1
	written int64 // of it
	over    bool  // the handler has returned
	begun   bool  // the header has been put out
	chunked bool
	tooMuch bool // of the request is left to be read
}

func (r *response) begin(x *exchange, req *http.Request) {
	r.x, r.isHead, r.close = x, req.Method == http.MethodHead, req.Close
	r.header, r.length = make(http.Header), -1
}

// Header is the header, until the status is written.
func (r *response) Header() http.Header {
	if r.sent == nil && r.status != 0 && !r.begun {
		r.sent = r.header.Clone() // the handler has it only now, so nothing has changed
	}
	r.asked = true
	return r.header
}

// WriteHeader writes the status.
func (r *response) WriteHeader(status int) {
	if r.status != 0 {
		r.x.c.s.logf("fastlane: superfluous WriteHeader call with %d after %d", status, r.status)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("BUG: invalid WriteHeader code %d", status))
	}
	if status <= 199 && status != http.StatusSwitchingProtocols {
		r.inform(status)
		return
	}
	r.status = status
	if told := first(r.header, "Content-Length"); told != "" {
		n, err := strconv.ParseInt(told, 10, 64)
		if err != nil || n < 0 {
			r.x.c.s.logf("fastlane: invalid Content-Length of %q", told)
			r.header.Del("Content-Length")
		} else {
			r.length = n
		}
	}
	switch {
	case r.length >= 0 && r.header["Content-Type"] != nil:
		r.putHead(nil) // nothing that is written can change it
	case r.asked:
		r.sent = r.header.Clone()
	}
}

// Write writes some of the body.
func (r *response) Write(p []byte) (int, error) {
	if err := r.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return r.behind().Write(p) //nolint:wrapcheck // a writer passes its errors on
}

// WriteString writes some of the body.
func (r *response) WriteString(s string) (int, error) {
	if err := r.admit(len(s)); err != nil || s == "" {
		return 0, err
	}
	return io.WriteString(r.behind(), s) //nolint:wrapcheck // as above
}

// behind is where the body is written to. What has a length need not be held back.
func (r *response) behind() io.Writer {
	if r.hold != nil {
		return r.hold
	}
	if r.begun && r.length >= 0 {
		return (*tail)(r)
	}
	r.hold = holds.Get().(*bufio.Writer) //nolint:forcetypeassert // it holds nothing else
	r.hold.Reset((*tail)(r))
	return r.hold
}

func (r *response) admit(n int) error {
	if r.over {
		return http.ErrHandlerTimeout
	}
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !hasBody(r.status) {
		return http.ErrBodyNotAllowed
	}
	r.written += int64(n)
	if r.length >= 0 && r.written > r.length {
		return http.ErrContentLength
	}
	return nil
}

// Flush writes what is held back.
func (r *response) Flush() { _ = r.FlushError() }

// FlushError is Flush with its error.
func (r *response) FlushError() error {
	if r.over {
		return http.ErrHandlerTimeout
	}
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	var err error
	if r.hold != nil {
		if err = r.hold.Flush(); err == nil {
			r.release()
		}
	}
	if !r.begun {
		r.putHead(nil)
	}
	if flushErr := r.x.c.flush(); err == nil {
		err = flushErr
	}
	return err //nolint:wrapcheck // as above
}

// SetReadDeadline bounds how long the body's reader waits.
func (r *response) SetReadDeadline(t time.Time) error {
	r.x.c.reads.set(t)
	return nil
}

// SetWriteDeadline bounds how long writes wait.
func (r *response) SetWriteDeadline(t time.Time) error {
	r.x.c.writes.set(t)
	return nil
}

// finish ends the answer.
func (r *response) finish() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.over = true
	if r.hold != nil {
		_ = r.hold.Flush() // writeErr has it
		r.release()
	}
	if !r.begun {
		r.putHead(nil)
	}
	if r.chunked {
		out := r.x.c.buffer()
		b := appendFields(append(out.AvailableBuffer(), "0\r\n"...), r.trailer(), none)
		_, _ = out.Write(append(b, "\r\n"...)) // as above
	}
	_ = r.x.c.flush()
}

// release gives back what an answer was held back in.
func (r *response) release() {
	r.hold.Reset(nil)
	holds.Put(r.hold)
	r.hold = nil
}

// mayFollow reports whether the connection can be used for another request.
func (r *response) mayFollow() bool {
	short := !r.isHead && r.length >= 0 && hasBody(r.status) && r.length != r.written
	return !r.close && !short && r.x.c.writeErr == nil && !r.x.body.early
}

// trailer is what a chunked answer ends with.
func (r *response) trailer() http.Header {
	var t http.Header
	for name, values := range r.header {
		if own, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			if t == nil {
				t = http.Header{}
			}
			t[own] = values
		}
	}
	return t
}

// tail is the body behind what is held back.
type tail response

// Write writes the body as it is framed.
func (t *tail) Write(p []byte) (int, error) {
	r := (*response)(t)
	if !r.begun {
		r.putHead(p)
	}
	if r.isHead {
		return len(p), nil
	}
	out := r.x.c.buffer()
	if r.chunked {
		_, _ = out.Write(append(strconv.AppendInt(out.AvailableBuffer(), int64(len(p)), 16), '\r', '\n')) // the error comes again
	}
	n, err := out.Write(p)
	if r.chunked && err == nil {
		_, err = out.WriteString("\r\n")
	}
	if err != nil {
		r.x.c.nc.Close()
	}
	return n, err //nolint:wrapcheck // as above
}

// hasBody reports whether an answer of a status may have a body.
func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
