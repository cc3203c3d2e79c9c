package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	// deadAfter is how long a peer that has vanished without a word goes unnoticed.
	deadAfter = 20 * time.Second
	// idleTimeout is how long an unused connection is kept: less than services keep
	// theirs, so that it is seldom they who close it just as it is used.
	idleTimeout = 90 * time.Second
	// maxIdle is how many unused connections are kept for a provider.
	maxIdle = 512
	// maxHeader bounds an answer's headers, the informational ones before it
	// included.
	maxHeader = 256 << 10
	// ioBuffer is a connection's buffer, one for each direction.
	ioBuffer = 4 << 10
	// streamWindow is how much of one HTTP/2 answer may wait to be read.
	streamWindow = 256 << 10
)

var (
	errConnectTimeout = errors.New("no connection within the time to connect")
	errProxySetting   = errors.New("the proxy in the environment is not a URL")
	errProxyRefused   = errors.New("the proxy refused the connection")
)

// newPool builds the connections to one host.
func (t *Transport) newPool(private bool, proxy *url.URL) *pool {
	d := &dialer{
		names: &t.names,
		// An operator's proxy mostly stands at a private address.
		private: private || proxy != nil,
		tls: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: t.opts.RootCAs, Time: t.opts.Now,
			NextProtos:         []string{"h2", "http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	build := func(single bool) *http.Transport {
		return &http.Transport{
			Proxy:                  http.ProxyURL(proxy),
			OnProxyConnectResponse: proxyAnswer,
			DialContext:            d.dial,
			DialTLSContext:         d.dialTLS,
			TLSClientConfig:        d.tls, // behind a proxy, where dialTLS is not asked
			TLSHandshakeTimeout:    3 * time.Second,
			Protocols:              protocols,
			DisableKeepAlives:      single,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
			WriteBufferSize:        ioBuffer,
			ReadBufferSize:         ioBuffer,
			HTTP2: &http.HTTP2Config{
				SendPingTimeout: deadAfter / 2, PingTimeout: deadAfter / 4,
				WriteByteTimeout:          deadAfter,
				MaxReceiveBufferPerStream: streamWindow,
			},
		}
	}
	return &pool{kept: build(false), single: build(true), proxied: proxy != nil}
}

// proxyAnswer turns a refused CONNECT into an error that can be told from the
// provider's.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return errProxyRefused
	}
	return nil
}
