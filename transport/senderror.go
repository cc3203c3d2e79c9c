package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Phase is how far a request came before it failed.
type Phase string

// The phases, in order.
const (
	PhaseResolve Phase = "resolve"
	PhaseProxy   Phase = "proxy" // the proxy could not be reached or refused: not the provider's fault
	PhaseConnect Phase = "connect"
	PhaseTLS     Phase = "tls"
	PhaseWrite   Phase = "write"
	PhaseHeaders Phase = "headers" // the request is written, the answer's headers are not whole
)

// SendError is how a request failed before there was an answer.
type SendError struct {
	Phase Phase
	// Reused is set when a connection that had been kept idle broke as soon as it was
	// used, before any byte of an answer: the peer had closed it meanwhile.
	Reused bool
	// Refused is set when the peer said, in HTTP/2, that it did not begin with the
	// request.
	Refused bool
	// Wrote is set when the whole request was written, so that the provider may have
	// run it.
	Wrote bool
	// Local is set when this machine lacked what a connection needs: files, ports or
	// memory. The provider is not to blame.
	Local bool
	// Conn is as Response.Conn, if that connection was lost.
	Conn any
	Err  error
}

// Error returns the phase and the cause.
func (e *SendError) Error() string { return string(e.Phase) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// MayRepeat reports whether the request may be sent once more to the same provider
// on a fresh connection, since the provider cannot have processed it and the next
// connection is likely to do better.
func (e *SendError) MayRepeat() bool { return (e.Reused || e.Refused) && !e.Local }

// Untrusted reports whether what was found in the provider's place cannot be the provider: an
// address that the egress guard refuses, or a certificate that is not the provider's.
func (e *SendError) Untrusted() bool {
	var certificate *tls.CertificateVerificationError
	return errors.Is(e.Err, ErrAddress) || errors.As(e.Err, &certificate)
}

// Calm reports whether an HTTP/2 peer asked for fewer requests.
func (e *SendError) Calm() bool { return strings.Contains(e.Err.Error(), "ENHANCE_YOUR_CALM") }

// MayHaveArrived reports whether the provider may have had some of the request.
func (e *SendError) MayHaveArrived() bool {
	return e.Wrote || e.Phase == PhaseWrite || e.Phase == PhaseHeaders
}

// raceWindow is how soon after its reuse a connection breaks if the peer had closed
// it before: a round trip. Later, the peer may well have had the request.
const raceWindow = time.Second

// sending follows one request. net/http calls from several goroutines.
type sending struct {
	connected func() bool // stops the time to connect; may be nil

	mu       sync.Mutex
	at       time.Time // when there was a connection; zero before
	idle     bool      // it had been kept, unused
	wrote    bool
	received bool
	conn     *writeBound // nil for HTTP/2, and if net/http dialled it
	shared   net.Conn    // in HTTP/2
	flows    *writeBound // beneath it, while the request is on it
	before   int64       // bytes read from conn when the request's headers were written
	asked    bool        // they were
	stray    bool        // the answer was there before the request
}

// errStray is the error of an answer that was there before the request: it is
// another one's, or nobody's.
var errStray = errors.New("the connection held an answer that nobody had asked for")

// flow puts the request on a connection in HTTP/2. net/http may have had it on another before.
func (s *sending) flow(conn net.Conn) {
	if s.flows != nil {
		s.flows.end()
	}
	if s.flows = beneath(conn); s.flows != nil {
		s.flows.begin()
	}
}

// flowing takes the body of an answer for what the connection is of use for; nil ends a request that has none.
func (s *sending) flowing(body io.ReadCloser) io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.flows
	switch s.flows = nil; {
	case w == nil:
		return body
	case body == nil:
		w.end()
		return nil
	}
	w.further()
	return &flowing{ReadCloser: body, conn: w}
}

// under is our connection beneath what net/http has; nil for HTTP/2, whose answers
// are numbered and cannot be mistaken for each other.
func under(conn net.Conn) *writeBound {
	if isHTTP2(conn) {
		return nil
	}
	return beneath(conn)
}

func beneath(conn net.Conn) *writeBound {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	w, _ := conn.(*writeBound)
	return w
}

func isHTTP2(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

// sharedConn is the connection that other requests may be on, too; nil if there is none.
func (s *sending) sharedConn() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == nil {
		return nil
	}
	return s.shared
}

func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if s.connected != nil {
				s.connected()
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.at, s.idle = time.Now(), info.Reused && info.WasIdle
			if s.conn = under(info.Conn); isHTTP2(info.Conn) {
				s.shared = info.Conn
				s.flow(info.Conn)
			}
		},
		WroteHeaders: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked = true
			if s.conn != nil {
				s.before = s.conn.read.Load()
			}
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wrote = info.Err == nil
		},
		GotFirstResponseByte: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.received = true
			s.stray = s.conn != nil && (!s.asked || s.conn.read.Load() == s.before)
		},
	}
}

// discard closes a connection that brought an answer before its request, and
// reports whether it did.
func (s *sending) discard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stray {
		s.conn.Close()
	}
	return s.stray
}

// failure makes the error of a request that had no answer.
func (s *sending) failure(ctx context.Context, err error, proxied bool) *SendError {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &SendError{Phase: s.phase(err, proxied), Wrote: s.wrote, Err: err}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
		return e
	}
	if s.shared != nil && IsLost(err) {
		e.Conn = s.shared
	}
	e.Local = isLocal(err)
	e.Refused = isRefused(err)
	e.Reused = s.idle && !s.received && time.Since(s.at) < raceWindow
	return e
}

func (s *sending) phase(err error, proxied bool) Phase {
	var dial *dialError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect", errors.Is(err, errProxyRefused):
		return PhaseProxy
	case errors.As(err, &dial):
		return dial.phase
	case s.at.IsZero() && proxied:
		return PhaseProxy
	case s.at.IsZero():
		return PhaseConnect
	case !s.wrote:
		return PhaseWrite
	}
	return PhaseHeaders
}

// IsLost reports whether an error, of a request or of reading its answer, is that of a whole connection
// that was lost, and not of the one stream in it.
func IsLost(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "stream error: stream ID")
}

// LacksFiles reports whether something could not be opened since this process, or its machine, has as many files as it may.
func LacksFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// isLocal reports whether err is this machine's own want of something.
func isLocal(err error) bool {
	if LacksFiles(err) {
		return true
	}
	for _, want := range []syscall.Errno{syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, want) {
			return true
		}
	}
	// A DNS error holds its cause as text alone.
	var dns *net.DNSError
	return errors.As(err, &dns) &&
		(strings.Contains(dns.Err, "socket: ") || strings.Contains(dns.Err, syscall.EMFILE.Error()))
}

// hadNoRoom reports whether net/http gave a request to a connection in HTTP/2 that has as many streams as its peer takes,
// and would have looked for another, had it been able to read the body again. Nothing of the request was sent.
func (s *sending) hadNoRoom(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.wrote && !s.received && strings.Contains(err.Error(), "net/http: cannot rewind body after connection loss")
}

// isRefused reports whether an HTTP/2 peer said that it left the request alone:
// GOAWAY with a lower last stream, or REFUSED_STREAM. net/http would have sent the
// request again by itself, and tells why it could not in words alone.
func isRefused(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "http2: Transport: cannot retry err [") &&
		(strings.Contains(text, "REFUSED_STREAM") || strings.Contains(text, "GOAWAY"))
}
