// Package fastlane serves the plain part of HTTP/1.1, which nearly all requests are, at half the
// cost of net/http's server, and hands the connection of any other request over to that: with
// all bytes read so far, for good and before anything has been answered to it. Plain is what can
// be read in one way only: a short head without anything odd in it, and a body whose length it says.
//
// A handler cannot tell the difference, but that nothing here can be hijacked: requests to upgrade
// are not plain. What net/http does with connections of its own is left to it.
package fastlane

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves plain requests itself and leaves others to HTTP. Handler, ReadHeaderTimeout,
// IdleTimeout, ConnState and ErrorLog of HTTP hold for both (without an ErrorLog nothing is logged here); what else HTTP has (MaxHeaderBytes, protocols)
// is about requests that are not plain. It must not have a ReadTimeout or WriteTimeout, a BaseContext
// or a ConnContext.
type Server struct {
	HTTP *http.Server
	// Handed makes what is handed over of a connection; nil hands it over as it is.
	Handed func(net.Conn) net.Conn
	// Malformed puts an answer together for what is no request, in the place of HTTP's own plain text: of r the method and the address are
	// known if they could be read, status goes out whatever w is told, and why is HTTP's word for it. It may be nil.
	Malformed func(w http.ResponseWriter, r *http.Request, status int, why string)

	watch watch
	rest  rest // connections that are handed over
	now   atomic.Pointer[second]

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	idle      idle
	over      atomic.Bool   // since Shutdown or Close
	shut      bool          // no connection is taken any more, not even one that had been accepted before
	served    chan struct{} // closed when none is accepted any more; nil before Serve
}

// New returns a server beside another one, which must be left to it.
func New(s *http.Server) *Server {
	l := &Server{HTTP: s, listeners: map[net.Listener]bool{}, conns: map[*conn]bool{}}
	l.rest.conns, l.rest.done = make(chan net.Conn), make(chan struct{})
	return l
}

// Serve serves the connections of a listener until the server is shut down, and then returns
// http.ErrServerClosed. It is called once.
func (s *Server) Serve(l net.Listener) error {
	if !s.keep(l) {
		return http.ErrServerClosed
	}
	defer close(s.served)
	defer l.Close()
	s.rest.address = l.Addr()
	go func() { _ = s.HTTP.Serve(&s.rest) }() // ends with the server, as there is nothing to fail
	const first, longest = 5 * time.Millisecond, time.Second
	pause := first
	for {
		nc, err := l.Accept()
		switch {
		case err == nil: // even if that was the last: its client has been let in
			pause = first
			s.begin(nc)
		case s.over.Load():
			return http.ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err //nolint:wrapcheck // as net/http does it
		default: // too many files are open, or the client has left already
			s.logf("fastlane: accept: %v; retrying in %v", err, pause)
			time.Sleep(pause)
			pause = min(2*pause, longest)
		}
	}
}

func (s *Server) keep(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return false
	}
	s.listeners[l], s.served = true, make(chan struct{})
	return true
}

// begin serves a connection in a goroutine of its own.
func (s *Server) begin(nc net.Conn) {
	if _, secure := nc.(*tls.Conn); secure {
		s.rest.hand(nc)
		return
	}
	c := newConn(s, nc)
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.conns[c] = true
	s.mu.Unlock()
	s.note(nc, http.StateNew)
	go c.serve()
}

// forget ends what Shutdown waits for.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) note(nc net.Conn, state http.ConnState) {
	if s.HTTP.ConnState != nil {
		s.HTTP.ConnState(nc, state)
	}
}

// farewell is how long Shutdown leaves a connection open that was just made, or whose latest answer had begun before: its
// client cannot know, and may be sending a request.
const farewell = 500 * time.Millisecond

// Shutdown stops listening, closes connections on which nothing runs, and waits for the others or for ctx.
// Their answers say that no more requests are taken. HTTP comes last: until then connections may be handed over to it.
func (s *Server) Shutdown(ctx context.Context) error {
	served := s.stop()
	s.HTTP.SetKeepAlivesEnabled(false)
	if served != nil {
		select {
		case <-served:
		case <-ctx.Done():
		}
	}
	const look = 5 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !s.closeIdle() {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.HTTP.Shutdown(ctx))
		case <-tick.C:
		}
	}
	return s.HTTP.Shutdown(ctx) //nolint:wrapcheck // it is the same thing
}

// Close closes all connections at once.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	s.shut = true
	for c := range s.conns {
		c.nc.Close()
	}
	s.mu.Unlock()
	return s.HTTP.Close() //nolint:wrapcheck // it is the same thing
}

// stop closes the listeners, and returns what is closed when nothing is accepted any more.
func (s *Server) stop() (served chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over.Swap(true) {
		for l := range s.listeners {
			l.Close()
		}
	}
	return s.served
}

// closeIdle closes connections on which nothing runs, and reports whether there are no others.
func (s *Server) closeIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	none := true
	due := time.Now().Add(-farewell).UnixNano()
	for c := range s.conns {
		if c.state.Load() == waiting && c.ready.Load() > due {
			none = false
			continue
		}
		if c.state.CompareAndSwap(waiting, closing) || c.state.Load() == closing {
			c.nc.Close()
			continue
		}
		none = false
	}
	s.shut = s.shut || none
	return none
}

func (s *Server) logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...) //nolint:forbidigo // it is the logger that was passed in
	}
}

// headerTime is how long the head of a request may take; 0 if there is no limit.
func (s *Server) headerTime() time.Duration { return max(s.HTTP.ReadHeaderTimeout, 0) }

// idleTime is how long a connection may wait for its next request; 0 if there is no limit.
func (s *Server) idleTime() time.Duration {
	if s.HTTP.IdleTimeout != 0 {
		return max(s.HTTP.IdleTimeout, 0)
	}
	return s.headerTime()
}

// handOver leaves a connection to HTTP.
func (s *Server) handOver(nc net.Conn) {
	if s.Handed != nil {
		nc = s.Handed(nc)
	}
	s.rest.hand(nc)
}

// rest is the listener of connections that are handed over.
type rest struct {
	conns   chan net.Conn
	done    chan struct{}
	once    sync.Once
	address net.Addr
}

// hand hands a connection over, or closes it if nobody takes any more.
func (r *rest) hand(nc net.Conn) {
	select {
	case r.conns <- nc:
	case <-r.done:
		nc.Close()
	}
}

// Accept waits for a connection.
func (r *rest) Accept() (net.Conn, error) {
	select {
	case nc := <-r.conns:
		return nc, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

// Close lets no more connections in.
func (r *rest) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// Addr is where clients connect to.
func (r *rest) Addr() net.Addr { return r.address }

// begun is a connection of which something has been read already.
type begun struct {
	net.Conn
	read []byte
	by   atomic.Pointer[time.Time] // when the head must be there that was begun; nil once it is

	malformed func(w http.ResponseWriter, r *http.Request, status int, why string) // see Server
	line      []byte                                                               // the first that was read
	whole     bool                                                                 // nothing more of it is kept
}

func (s *Server) newBegun(nc net.Conn, read []byte, by time.Time) *begun {
	b := &begun{Conn: nc, read: read, malformed: s.Malformed}
	b.keep(read)
	if !by.IsZero() {
		b.by.Store(&by)
	}
	return b
}

// SetReadDeadline gives a head that was begun no more time than it had. It is there when there is no deadline any more.
func (b *begun) SetReadDeadline(t time.Time) error {
	if by := b.by.Load(); t.IsZero() {
		b.by.Store(nil)
	} else if by != nil && t.After(*by) {
		t = *by
	}
	return b.Conn.SetReadDeadline(t) //nolint:wrapcheck // a connection passes its errors on
}

// Read gives first what has been read already.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.read) > 0 {
		n := copy(p, b.read)
		b.read = b.read[n:]
		return n, nil
	}
	n, err := b.Conn.Read(p)
	b.keep(p[:n])
	return n, err //nolint:wrapcheck // a connection passes its errors on
}

// CloseWrite says that nothing more is sent.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // as above
	}
	return errors.ErrUnsupported
}
