package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deadAfter is how long a peer that has vanished without a word goes unnoticed.
	deadAfter = 20 * time.Second
	// idleTimeout is how long an unused connection is kept: less than services keep
	// theirs, so that it is seldom they who close it just as it is used.
	idleTimeout = 90 * time.Second
	// sweepEvery is how often unused connections are looked over.
	sweepEvery = 15 * time.Second
	// maxIdle is how many unused connections are kept for a provider.
	maxIdle = 512
	// maxHeader bounds an answer's headers, the informational ones before it
	// included.
	maxHeader = 256 << 10
	// ioBuffer is a connection's buffer, one for each direction.
	ioBuffer = 4 << 10
	// answerWindow is how much of one HTTP/2 answer may wait to be read, and so may come in the time that there and
	// back takes. Of a stream it is less: whoever reads one may be slow, and what waits for them is in our memory.
	answerWindow, streamWindow = 256 << 10, 64 << 10
)

var (
	errConnectTimeout = errors.New("no connection within the time to connect")
	errProxySetting   = errors.New("the proxy in the environment is not a URL")
	errProxyRefused   = errors.New("the proxy refused the connection")
)

// pool is the connections of one provider to one host.
type pool struct {
	address string // host and port
	secure  bool
	dialer  *dialer
	proxied bool
	last    atomic.Pointer[parsed] // the latest address there, which mostly is the next

	mu     sync.Mutex
	lines  []*line // unused; the one that was used last is last
	sweeps *time.Timer
	closed bool

	// net/http's connections, for HTTP/2 and through proxies. Those of streams are apart: a connection has one window
	// for all that it carries.
	kept, streams, single *http.Transport
	speaksHTTP2           atomic.Bool
	handed                atomic.Pointer[handed] // shaken hands on before it was known to be HTTP/2
}

// handed is a connection for net/http, which asks for it at once if it asks at all.
type handed struct {
	conn  *tls.Conn
	since time.Time
}

// parsed is an address as text and read. It is not changed.
type parsed struct {
	text string
	url  *url.URL
}

// newPool builds the connections to one host.
func (t *Transport) newPool(private bool, proxy, u *url.URL) *pool {
	d := &dialer{
		names: &t.names, makeRoom: t.MakeRoom,
		// An operator's proxy mostly stands at a private address.
		private: private || proxy != nil,
		tls: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: t.opts.RootCAs, Time: t.opts.Now,
			NextProtos:         []string{"h2", "http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
	}
	p := &pool{secure: u.Scheme == "https", dialer: d, proxied: proxy != nil}
	port := u.Port()
	switch {
	case port != "":
	case p.secure:
		port = "443"
	default:
		port = "80"
	}
	p.address = net.JoinHostPort(u.Hostname(), port)
	if p.secure || p.proxied {
		p.kept, p.streams, p.single = p.netHTTP(proxy), p.netHTTP(proxy), p.netHTTP(proxy)
		p.streams.HTTP2.MaxReceiveBufferPerStream = streamWindow
		p.single.DisableKeepAlives = true
	}
	return p
}

// take returns an unused line, the one that was used last; nil if there is none.
func (p *pool) take() *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.lines)
	if n == 0 {
		return nil
	}
	l := p.lines[n-1]
	p.lines[n-1] = nil
	p.lines = p.lines[:n-1]
	now := time.Now()
	if now.Sub(l.since) > idleTimeout {
		l.conn.Close() // and so are all others, which the sweep will find
		return nil
	}
	l.since = now
	return l
}

// put keeps a line for the next request.
func (p *pool) put(l *line) {
	l.used, l.since = true, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.lines) >= maxIdle {
		l.conn.Close()
		return
	}
	p.lines = append(p.lines, l)
	if p.sweeps == nil {
		p.sweeps = time.AfterFunc(sweepEvery, p.sweep)
	}
}

// closeOldest closes the line that was unused for longest, and reports whether there was one.
func (p *pool) closeOldest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) == 0 {
		return false
	}
	p.lines[0].conn.Close()
	p.lines = slices.Delete(p.lines, 0, 1)
	return true
}

// sweep closes lines that were unused for long, and those that the provider has closed.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = slices.DeleteFunc(p.lines, func(l *line) bool {
		gone := time.Since(l.since) > idleTimeout || !l.isClean()
		if gone {
			l.conn.Close()
		}
		return gone
	})
	p.sweeps = nil
	if len(p.lines) > 0 && !p.closed {
		p.sweeps = time.AfterFunc(sweepEvery, p.sweep)
	}
}

// close closes the connections that are unused, and those in use as they get free.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweeps != nil {
		p.sweeps.Stop()
	}
	for _, l := range p.lines {
		l.conn.Close()
	}
	p.lines = nil
	if h := p.handed.Swap(nil); h != nil {
		_ = h.conn.Close() // nothing was sent on it
	}
	if p.kept != nil {
		p.kept.CloseIdleConnections()
		p.streams.CloseIdleConnections()
		p.single.CloseIdleConnections()
	}
}
