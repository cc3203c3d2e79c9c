package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// netHTTP builds what HTTP/2 and proxies are left to.
func (p *pool) netHTTP(proxy *url.URL) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:                  http.ProxyURL(proxy),
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            p.dialer.dial,
		DialTLSContext:         p.dialTLS,
		TLSClientConfig:        p.dialer.tls.Clone(), // behind a proxy, where dialTLS is not asked; net/http writes to it
		TLSHandshakeTimeout:    3 * time.Second,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		WriteBufferSize:        ioBuffer,
		ReadBufferSize:         ioBuffer,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: deadAfter / 2, PingTimeout: deadAfter / 4,
			WriteByteTimeout:          deadAfter,
			MaxReceiveBufferPerStream: answerWindow,
		},
	}
}

// handOver leaves a connection that turned out to be HTTP/2 to net/http, and what follows
// as well. Of several that are made at once net/http needs only the first, and would not look
// after the others.
func (p *pool) handOver(conn *tls.Conn) {
	if p.speaksHTTP2.Swap(true) {
		_ = conn.Close() // nothing was sent on it
		return
	}
	p.handed.Store(&handed{conn, time.Now()})
}

// dialTLS connects for net/http.
func (p *pool) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	if h := p.handed.Swap(nil); h != nil {
		if time.Since(h.since) < raceWindow {
			return h.conn, nil
		}
		_ = h.conn.Close() // nobody has kept it alive, nor seen its end
	}
	return p.dialer.dialTLS(ctx, network, addr)
}

// sendHTTP2 sends by net/http.
func (p *pool) sendHTTP2(ctx context.Context, req *http.Request, r Request) (*http.Response, error) {
	s := &sending{}
	if p.proxied {
		// net/http does the CONNECT and what follows, and gives it a minute.
		limited, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(connectTimeout(ctx), func() { cancel(errConnectTimeout) })
		s.connected, ctx = timer.Stop, limited
	}
	ctx = httptrace.WithClientTrace(ctx, s.trace())
	req = req.WithContext(ctx)
	// Made by hand, the request has no GetBody: with it, net/http would send it again
	// on its own when a connection turns out to be dead. As a reader that is known to
	// wait for nothing, the body goes out in one write with the headers.
	rt := p.kept
	switch {
	case r.Fresh:
		rt = p.single
	case r.Stream:
		rt = p.streams
	}
	var resp *http.Response
	var err error
	for again := true; again; again = err != nil && s.hadNoRoom(err) && ctx.Err() == nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
		resp, err = rt.RoundTrip(req)
	}
	if err != nil {
		s.flowing(nil)
		return nil, s.failure(ctx, err, p.proxied)
	}
	resp.Body = s.flowing(resp.Body)
	if resp.ProtoMajor == 2 {
		resp.Request = req.WithContext(context.WithValue(ctx, sharedKey{}, s.sharedConn()))
	}
	if s.discard() {
		resp.Body.Close()
		return nil, &SendError{Phase: PhaseHeaders, Wrote: true, Err: errStray}
	}
	return resp, nil
}

// sharedKey is the context's key of the connection that an answer in HTTP/2 came on.
type sharedKey struct{}

// proxyAnswer turns a refused CONNECT into an error that can be told from the
// provider's.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return errProxyRefused
	}
	return nil
}
