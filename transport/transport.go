// Package transport is how bytes reach a provider: credentials, connections and
// their reuse, timeouts, the egress guard, decompression, and a careful account
// of how far a request came when it failed.
//
// A request is sent once. Nothing is repeated behind the caller's back, no
// redirect is followed, and no header goes out that was not chosen here or handed
// over by name. It does not judge answers and knows no dialect.
package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// Options is what a Transport is built from. The zero value works.
type Options struct {
	Log       *slog.Logger // discarded if nil
	UserAgent string       // as in "understudy/1.2.3"; "understudy" if empty
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
	// Resolver finds addresses; net.DefaultResolver if nil.
	Resolver Resolver
	// Proxy finds the proxy of a request; http.ProxyFromEnvironment if nil, so
	// HTTPS_PROXY and NO_PROXY are respected. What a proxy connects to is not seen
	// from here, so behind one the egress guard is the proxy's business.
	Proxy func(*http.Request) (*url.URL, error)
	// MaxBody bounds a whole answer's decoded body in bytes; 64 MiB if 0. Streams have
	// no bound of their own here.
	MaxBody int64
	// MakeRoom closes something else that holds a file of this process, and reports whether there was anything to close;
	// there never is if it is nil.
	MakeRoom func() bool
	Now      func() time.Time // time.Now if nil
}

// Resolver finds the addresses of a host. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Request is one request to a provider.
type Request struct {
	Provider *provider.Provider
	Method   string // POST if empty
	URL      string
	// Header are the client's headers that belong to the dialect; those that the
	// transport itself decides on are left out.
	Header http.Header
	// Body may be shared by attempts and is never written to.
	Body   []byte
	Stream bool
	// Accept is the media type asked for; "application/json" if empty.
	Accept string
	// Connect bounds resolving, dialling and the TLS handshake together; 2s if 0.
	Connect time.Duration
	// Fresh asks for a connection of its own.
	Fresh bool
	// For says what the request is made for, to whoever stands before the Transport; nothing
	// of it is sent.
	For Purpose
}

// Purpose is the call that a request is made for.
type Purpose struct {
	Call, Caller string
	Asked        string // the model that the client asked for
	Model        string // the provider's name for the one that is asked
}

// Response is a provider's answer, of whatever status.
type Response struct {
	Status int
	Header http.Header
	// Body is decoded where the answer was compressed; reading fails with ErrTooLarge
	// or ErrEncoding. It must be closed. Closing it early, like ending the context
	// that it was asked for with, ends the request at the provider, too.
	Body io.ReadCloser
	// Unsent says that the provider has not been asked: the answer is made up by somebody who
	// stands before the Transport.
	Unsent bool
	// Shown is the secret that the request showed: the key, or a token made of it.
	Shown provider.Secret
	// Conn tells apart the connections that several requests share; nil for one that only this
	// request has.
	Conn any
	now  func() time.Time // time.Now if nil
}

// Date is when the provider says it answered, so that its times can be read by its own
// clock; the local time if it does not say.
func (r *Response) Date() time.Time {
	date, err := http.ParseTime(r.Header.Get("Date"))
	switch {
	case err == nil:
		return date
	case r.now == nil:
		return time.Now()
	default:
		return r.now()
	}
}

const (
	defaultConnect = 2 * time.Second
	defaultMaxBody = 64 << 20
)

// errURL is a provider's address that nothing may be sent to. It does not quote
// the address, which may hold a password.
var errURL = errors.New("the provider's URL is not an http or https address without user and password")

// errPlain is a provider's address that would show its key to the network.
var errPlain = errors.New("plain http is only for providers at a private address")

// Transport sends requests and owns the connections. It is used concurrently.
type Transport struct {
	opts        Options
	names       names
	credentials *credentials
	fixed       fixedHeaders

	mu    sync.RWMutex
	pools map[poolKey]*pool
}

// New builds a Transport.
func New(o Options) *Transport {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "understudy"
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.MakeRoom == nil {
		o.MakeRoom = func() bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Transport{
		opts:  o,
		fixed: fixedHeaders{json: []string{"application/json"}, identity: []string{"identity"}, userAgent: []string{o.UserAgent}},
		names: names{resolver: o.Resolver, now: o.Now, log: o.Log},
		pools: make(map[poolKey]*pool),
	}
	t.credentials = newCredentials(&t.opts, &t.names)
	return t
}

// Close closes the connections that are idle. Running requests go on.
func (t *Transport) Close() {
	t.credentials.close()
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.pools {
		p.close()
	}
}

// MakeRoom closes the connection of each provider that was unused for longest, or something else if there is none, so that
// another one may be opened where LacksFiles says that there are no files left for it. It reports whether there was anything.
func (t *Transport) MakeRoom() bool {
	t.mu.RLock()
	closed := false
	for _, p := range t.pools {
		closed = p.closeOldest() || closed
	}
	t.mu.RUnlock()
	return closed || t.opts.MakeRoom()
}

// Send sends r once and returns when the answer's headers are there. The error is
// a *SendError; when ctx ended, it wraps ctx's cause.
func (t *Transport) Send(ctx context.Context, r Request) (*Response, error) {
	p, address, err := t.pool(r.Provider, r.URL)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: method(r), URL: address, Host: address.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: r.Fresh,
	}
	shown, err := t.setHeader(ctx, req, r)
	if err != nil {
		return nil, err
	}
	resp, err := p.send(ctx, req, r) //nolint:bodyclose // the caller of Send closes it
	if err != nil {
		return nil, err
	}
	t.heed(resp.StatusCode, r.Provider)
	return t.response(resp, shown, r.Stream), nil
}

// send sends in HTTP/1.1 or, where the provider speaks it or a proxy stands before it, as
// net/http does.
func (p *pool) send(ctx context.Context, req *http.Request, r Request) (*http.Response, error) {
	for !p.proxied && !p.speaksHTTP2.Load() {
		l, failed := p.line(ctx, r)
		if failed != nil {
			return nil, failed
		}
		if l == nil {
			break
		}
		if resp, err := p.exchange(ctx, l, req, r); !errors.Is(err, errUnclean) {
			return resp, err
		}
	}
	return p.sendHTTP2(withConnectTime(ctx, r), req, r)
}

func method(r Request) string {
	if r.Method == "" {
		return http.MethodPost
	}
	return r.Method
}

func (t *Transport) response(resp *http.Response, shown provider.Secret, stream bool) *Response {
	limit := t.opts.MaxBody
	if stream && resp.StatusCode == http.StatusOK {
		limit = 0
	}
	made := new(struct { // at once, as they live as long as each other
		resp Response
		body answer
	})
	made.body.decode(resp, limit)
	made.resp = Response{Status: resp.StatusCode, Header: resp.Header, Body: &made.body, Shown: shown, now: t.opts.Now}
	out := &made.resp
	if resp.ProtoMajor == 2 && resp.Request != nil {
		out.Conn = resp.Request.Context().Value(sharedKey{})
	}
	return out
}

// poolKey tells connections apart that are never shared: they belong to one
// provider, since an answer that comes late on a shared connection would be
// another one's.
type poolKey struct {
	provider, origin string
	private          bool
}

// pool returns the connections to an address, and the address read and checked. A path
// can name a model, and clients name many: they share the connections to their host.
func (t *Transport) pool(p *provider.Provider, address string) (*pool, *url.URL, error) {
	key := poolKey{p.ID, origin(address), p.Private}
	t.mu.RLock()
	found := t.pools[key]
	t.mu.RUnlock()
	if found != nil {
		if last := found.last.Load(); last.text == address {
			return found, last.url, nil
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, &SendError{Phase: PhaseConnect, Err: errURL}
	}
	if u.Scheme == "http" && !p.Private {
		return nil, nil, &SendError{Phase: PhaseConnect, Err: errPlain}
	}
	if found == nil {
		if found, err = t.newPoolFor(p, key, u); err != nil {
			return nil, nil, err
		}
	}
	found.last.Store(&parsed{address, u})
	return found, u, nil
}

// newPoolFor makes room for the connections to an address, unless somebody has meanwhile.
func (t *Transport) newPoolFor(p *provider.Provider, key poolKey, u *url.URL) (*pool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.pools[key]; found != nil {
		return found, nil
	}
	proxy, err := t.opts.Proxy(&http.Request{URL: u})
	if err != nil {
		return nil, &SendError{Phase: PhaseProxy, Err: fmt.Errorf("find the proxy: %w", errProxySetting)}
	}
	if proxy != nil {
		t.opts.Log.Info("requests go through a proxy", "provider", p.ID, "proxy", proxy.Host)
	}
	made := t.newPool(p.Private, proxy, u)
	made.last.Store(&parsed{u.String(), u})
	t.pools[key] = made
	return made, nil
}

// origin is the part of an address that says where to connect to.
func origin(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return address[:len(scheme)+len("://")+end]
	}
	return address
}
