package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/internal/headtext"
)

// HTTP/1.1 is spoken here rather than by net/http: its client hands every request from
// one goroutine to two others and back, which costs as much as all else that is done for
// a request, and sends requests again by itself. Answers are parsed by net/http, but for the
// heads of plain ones (head.go).

const (
	// inOne is the largest request that goes out in one write, and before its answer is
	// looked for; what is larger is written beside.
	inOne = 64 << 10
	// maxInformational is how many 1xx answers may come before the answer.
	maxInformational = 5
	// lastWords is how long an answer is waited for when the peer takes no more of the
	// request, since it may have said why, and the end of a request when there is an answer.
	lastWords = 50 * time.Millisecond
)

var (
	errHeaderTooLarge = errors.New("the answer's headers are larger than the limit")
	errStatus         = errors.New("the answer's status is none of HTTP's")
	errInformational  = errors.New("the provider sends no final answer")
	errSwitching      = errors.New("the provider switches to a protocol that was not asked for")
	errUnclean        = errors.New("the connection is not as its last answer should have left it")
	errClosed         = errors.New("the answer's body is closed")
)

// line is an HTTP/1.1 connection. It serves one request at a time.
type line struct {
	conn   net.Conn // as it is written to and read from
	tcp    *writeBound
	reader *bufio.Reader
	left   int64                                         // bytes that may still be read; headers are bounded so
	read   int64                                         // bytes read since the request was written
	used   bool                                          // it has carried a request before
	since  time.Time                                     // when it was last put to use, or back
	quiet  func() bool                                   // see probe
	ask    func(request *[]byte) (quiet bool, err error) // see asker; nil if there is none
	hangUp func()                                        // closes conn
}

const unbounded = int64(1) << 62

func newLine(conn net.Conn) *line {
	l := &line{conn: conn, tcp: under(conn), left: unbounded, since: time.Now()}
	l.reader = bufio.NewReaderSize(source{l}, ioBuffer)
	l.quiet = probe(l.tcp)
	if _, secure := conn.(*tls.Conn); !secure {
		l.ask = asker(l.tcp)
	}
	l.hangUp = func() { conn.Close() }
	return l
}

// source reads a line's connection within its bound.
type source struct{ l *line }

func (s source) Read(b []byte) (int, error) {
	if s.l.left <= 0 {
		return 0, errHeaderTooLarge
	}
	n, err := s.l.conn.Read(b[:min(int64(len(b)), s.l.left)])
	s.l.left -= int64(n)
	s.l.read += int64(n)
	return n, err
}

// isClean reports whether nothing waits to be read: an answer that is there before its
// request is another one's, or nobody's, and a peer that has closed takes no request.
func (l *line) isClean() bool { return l.reader.Buffered() == 0 && l.isDrained() && l.quiet() }

// isDrained reports whether TLS, too, has nothing that waits to be read: it may have received
// more than it was asked for.
func (l *line) isDrained() bool {
	secure, ok := l.conn.(*tls.Conn)
	if !ok {
		return true
	}
	if secure.SetReadDeadline(time.Unix(1, 0)) != nil { // over, so that nothing new is received
		return false
	}
	n, err := secure.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && secure.SetReadDeadline(time.Time{}) == nil
}

// head reads up to the answer's body, past what is only informational. It has a for a plain one.
func (l *line) head(req *http.Request, a *plainAnswer) (*http.Response, error) {
	if l.plainHead(a) {
		return &a.resp, nil
	}
	for range maxInformational + 1 {
		resp, err := http.ReadResponse(l.reader, req)
		switch {
		case err != nil:
			return nil, unquoted(err)
		case resp.StatusCode < 100:
			return nil, errStatus
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitching
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
	return nil, errInformational
}

// unquoted is an error of reading an answer's head, without what the peer sent: that may be anything, our key included.
func unquoted(err error) error {
	var lost net.Error
	if errors.As(err, &lost) {
		return err
	}
	words := err.Error()
	if i := strings.IndexByte(words, '"'); i >= 0 {
		return errors.New(strings.TrimRight(words[:i], " :")) // of these nobody asks what they are
	}
	var malformed textproto.ProtocolError
	if errors.As(err, &malformed) {
		what, _, _ := strings.Cut(words, ":")
		return errors.New(what)
	}
	return err
}

// buffers are what requests are put together in.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// appendHead writes a request up to its body.
func appendHead(dst []byte, req *http.Request, body int) []byte {
	dst = append(append(dst, req.Method...), ' ')
	dst = append(append(dst, req.URL.RequestURI()...), " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, req.Host...), "\r\n"...)
	for name, values := range req.Header {
		for _, value := range values {
			dst = append(append(append(dst, name...), ": "...), plain(value)...)
			dst = append(dst, "\r\n"...)
		}
	}
	if body > 0 || req.Method != http.MethodGet && req.Method != http.MethodHead {
		dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(body), 10)
		dst = append(dst, "\r\n"...)
	}
	if req.Close {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// plain is a header's value on one line, whatever is in it.
func plain(value string) string {
	if !headtext.IsFieldValue(value) {
		return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(value)
	}
	return value
}

// writing is a large request on its way, while its answer is already looked for: a
// provider may refuse what it has not read.
type writing struct {
	done chan struct{}
	err  error
}

// run writes piece by piece: each has its own time.
func (w *writing) run(conn net.Conn, head *[]byte, body []byte) {
	defer close(w.done)
	_, w.err = conn.Write(*head)
	buffers.Put(head)
	for piece := range slices.Chunk(body, inOne) {
		if w.err != nil {
			break
		}
		_, w.err = conn.Write(piece)
	}
	if w.err != nil {
		_ = conn.SetReadDeadline(time.Now().Add(lastWords)) // if that fails the connection is closed already
	}
}

// wait returns when nothing is written any more. The connection must be closed, or the
// request whole.
func (w *writing) wait() error {
	<-w.done
	return w.err
}

// isOver reports whether the request is out, as it is at once if the provider has read it.
func (w *writing) isOver() bool {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-w.done:
		return w.err == nil
	case <-timer.C:
		return false
	}
}

// exchange is a request on a line and, as a reader, the body of its answer. At the body's
// end the line is free for another request.
type exchange struct {
	ctx   context.Context //nolint:containedctx // it is the request's, whose end ends the body
	p     *pool
	l     *line
	stop  func() bool // lets the line outlive ctx
	w     *writing    // of a large request; nil for others
	body  io.Reader
	keep  bool // the line may carry another request
	ended bool
	err   error // what a read gives after the end
	plain plainAnswer
}

// exchange sends a request and reads the head of its answer. It fails with errUnclean, and has sent nothing, if another line must
// be taken.
func (p *pool) exchange(ctx context.Context, l *line, req *http.Request, r Request) (*http.Response, error) {
	e := &exchange{ctx: ctx, p: p, l: l, stop: AfterFunc(ctx, l.hangUp)}
	l.read, l.left = 0, maxHeader
	switch err := e.write(req, r.Body); {
	case errors.Is(err, errUnclean):
		e.stop()
		l.conn.Close()
		return nil, err
	case err != nil:
		return nil, e.failure(PhaseWrite, err)
	}
	resp, err := l.head(req, &e.plain)
	if err != nil {
		return nil, e.failure(PhaseHeaders, err)
	}
	l.left = unbounded
	e.body, e.keep = resp.Body, !r.Fresh && !resp.Close && !contradictory(resp)
	resp.Body = e
	return resp, nil
}

// AfterFunc is context.AfterFunc, less what that makes around a context which can do so itself.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(f func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// contradictory reports whether an answer that has no body says that it has one. Where the
// next one begins is then anybody's guess.
func contradictory(resp *http.Response) bool {
	length := resp.Header.Get("Content-Length")
	return resp.StatusCode == http.StatusNoContent && (length != "" && length != "0" || len(resp.TransferEncoding) > 0)
}

// write sends the request, or begins to, unless the line has been used before and is not clean.
func (e *exchange) write(req *http.Request, body []byte) error {
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	*buf = appendHead((*buf)[:0], req, len(body))
	inPieces := len(*buf)+len(body) > inOne
	asks := e.l.used && e.l.ask != nil && !inPieces
	if e.l.used && !asks && !e.l.isClean() {
		return errUnclean
	}
	if inPieces {
		e.w = &writing{done: make(chan struct{})}
		go e.w.run(e.l.conn, buf, body)
		return nil
	}
	*buf = append(*buf, body...)
	if !asks {
		_, err := e.l.conn.Write(*buf)
		buffers.Put(buf)
		return err
	}
	quiet, err := e.l.ask(buf)
	if !quiet {
		return errUnclean
	}
	return err
}

// failure gives the line up and says how far the request came.
func (e *exchange) failure(phase Phase, err error) *SendError {
	took := time.Since(e.l.since)
	e.stop()
	e.l.conn.Close()
	if e.w != nil {
		if writeErr := e.w.wait(); writeErr != nil {
			phase = PhaseWrite
			if !errors.Is(writeErr, net.ErrClosed) { // it was not we who ended it
				err = writeErr
			}
		}
	}
	failed := &SendError{Phase: phase, Wrote: phase == PhaseHeaders, Err: err}
	if e.ctx.Err() != nil {
		failed.Err = context.Cause(e.ctx)
		return failed
	}
	failed.Local = isLocal(err)
	failed.Reused = e.l.used && e.l.read == 0 && took < raceWindow
	return failed
}

// Read reads the body.
func (e *exchange) Read(b []byte) (int, error) {
	if e.ended {
		return 0, e.err
	}
	n, err := e.body.Read(b)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		e.end(true, io.EOF)
	case e.ctx.Err() != nil:
		e.end(false, context.Cause(e.ctx))
	default:
		e.end(false, err)
	}
	return n, e.err
}

// Close ends the request, if the answer is not whole.
func (e *exchange) Close() error {
	if !e.ended {
		e.end(false, errClosed)
	}
	return nil
}

func (e *exchange) end(whole bool, err error) {
	e.ended, e.err = true, err
	lives := e.stop()
	if whole && lives && e.keep && (e.w == nil || e.w.isOver()) && e.l.reader.Buffered() == 0 {
		e.p.put(e.l)
		return
	}
	e.l.conn.Close()
	if e.w != nil {
		_ = e.w.wait() // the answer is what counts
	}
}

// line finds or makes an HTTP/1.1 connection. It is nil where the provider turns out to
// speak HTTP/2.
func (p *pool) line(ctx context.Context, r Request) (*line, *SendError) {
	if !r.Fresh {
		if l := p.take(); l != nil {
			return l, nil
		}
	}
	dial := p.dialer.dial
	if p.secure {
		dial = p.dialer.dialTLS
	}
	conn, err := dial(withConnectTime(ctx, r), "tcp", p.address)
	if err != nil {
		e := &SendError{Phase: PhaseConnect, Err: err}
		var at *dialError
		if errors.As(err, &at) {
			e.Phase = at.phase
		}
		if ctx.Err() != nil {
			e.Err = context.Cause(ctx)
			return nil, e
		}
		e.Local = isLocal(err)
		return nil, e
	}
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		p.handOver(secure)
		return nil, nil
	}
	return newLine(conn), nil
}
