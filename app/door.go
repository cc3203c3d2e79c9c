package app

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/transport"
)

// Clients that there is no room for are told so in the words of their API, which takes reading what they ask. They are let
// in for toldWithin, as some of a few: mostTold, or a share of as many as are served. To more it is said before they have
// asked, and without words.
const (
	toldWithin = 2 * time.Second
	mostTold   = 256
	toldShare  = 8
)

// newPorter returns a server for connections that there is no room for: refuse answers their requests.
func newPorter(refuse http.HandlerFunc, log *slog.Logger, patience time.Duration) *server {
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r)
		// The answer could get lost if the connection were closed while the client sends, and some read none before they
		// have sent all.
		_ = http.NewResponseController(w).Flush() // if that fails there is nothing to be read either
		_, _ = io.Copy(io.Discard, r.Body)
	}), log, patience)
	s.most = min(s.most/toldShare, mostTold)
	s.leaving.Store(true)
	return s
}

// tell has what comes on a connection answered for a short while, and reports whether there was room for that.
func (s *server) tell(conn net.Conn) bool {
	if s == nil || s.open.Load() >= s.most {
		return false
	}
	b := brief{conn, time.Now().Add(toldWithin)}
	if b.SetDeadline(b.by) != nil {
		return false
	}
	only := &single{conn: b}
	_ = s.http.Serve(only) // until there are no others
	return only.taken
}

// single is a listener with one connection.
type single struct {
	conn  net.Conn
	taken bool
}

// Accept returns the connection, and then that there are no others.
func (l *single) Accept() (net.Conn, error) {
	if l.taken {
		return nil, net.ErrClosed
	}
	l.taken = true
	return l.conn, nil
}

// Close leaves the connection to whoever has it.
func (l *single) Close() error { return nil }

// Addr is where the client has connected to.
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// brief is a connection that is of no use after a time.
type brief struct {
	net.Conn
	by time.Time
}

func (b brief) bound(t time.Time) time.Time {
	if t.IsZero() || t.After(b.by) {
		return b.by
	}
	return t
}

// SetDeadline sets both deadlines, within the connection's time.
func (b brief) SetDeadline(t time.Time) error { return b.Conn.SetDeadline(b.bound(t)) } //nolint:wrapcheck // a connection passes its errors on

// SetReadDeadline bounds reads, within the connection's time.
func (b brief) SetReadDeadline(t time.Time) error { return b.Conn.SetReadDeadline(b.bound(t)) } //nolint:wrapcheck // as above

// SetWriteDeadline bounds writes, within the connection's time.
func (b brief) SetWriteDeadline(t time.Time) error { return b.Conn.SetWriteDeadline(b.bound(t)) } //nolint:wrapcheck // as above

// limited is a listener that turns connections away when there are too many, so that the files that
// are left suffice for the connections to providers.
type limited struct {
	net.Listener
	server *server
}

// Accept returns the next connection that there is room for. Room is made where that takes no more than to close a connection
// that nobody uses.
func (l limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case transport.LacksFiles(err) && l.server.makeRoom():
		case err != nil:
			return conn, err
		case l.server.hasRoom():
			if tcp, ok := conn.(*net.TCPConn); ok {
				conn, _ = transport.Client(tcp, l.server.patience) // if it is not set up, only the delay is longer, and more is buffered
			}
			return conn, nil
		default:
			l.server.turnAway(conn)
		}
	}
}

// hasRoom reports whether there is room for a connection, or another could be closed for it.
func (s *server) hasRoom() bool {
	return s.open.Load() < s.most || s.fast != nil && s.fast.CloseIdle()
}

const tooMany = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

// turnAway has a client told that there is no room.
func (s *server) turnAway(conn net.Conn) {
	s.turned.Add(1)
	if s.porter.tell(conn) {
		return
	}
	// Nothing has been written to the connection yet, so this does not wait.
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, tooMany)
	conn.Close()
}
