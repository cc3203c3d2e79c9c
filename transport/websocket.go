package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// maxMessage bounds one message of a WebSocket in bytes: audio comes as base64.
const maxMessage = 32 << 20

// Upgrade opens a WebSocket at a provider. subprotocols are offered to it. A provider that
// answers something else has that answer in the Response, whose Body is at most a kilobyte;
// otherwise the error is a *SendError, and when ctx ended it wraps ctx's cause. The
// connection outlives ctx's deadline for connecting and must be closed.
func (t *Transport) Upgrade(ctx context.Context, r Request, subprotocols []string) (*websocket.Conn, *Response, error) {
	p, u, err := t.pool(r.Provider, r.URL)
	if err != nil {
		return nil, nil, err
	}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host}
	shown, err := t.setHeader(ctx, req, r)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"Accept", "Accept-Encoding", "Content-Type"} {
		req.Header.Del(name) // of a body, which there is none of
	}
	limited, cancel := context.WithTimeoutCause(withConnectTime(ctx, r), upgradeTime, errConnectTimeout)
	defer cancel()
	conn, answer, err := websocket.Dial(limited, u.String(), &websocket.DialOptions{ //nolint:bodyclose // the library has read it
		HTTPClient:   &http.Client{Transport: t.upgrades(p), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader:   req.Header,
		Subprotocols: subprotocols,
	})
	switch {
	case err == nil:
		conn.SetReadLimit(maxMessage)
		return conn, t.response(answer, shown, true), nil
	case answer != nil:
		t.heed(answer.StatusCode, r.Provider)
		return nil, t.response(answer, shown, false), nil
	case limited.Err() != nil:
		return nil, nil, &SendError{Phase: PhaseConnect, Err: context.Cause(limited)}
	default:
		return nil, nil, upgradeError(err)
	}
}

// upgradeTime bounds connecting and the handshake of the upgrade.
const upgradeTime = 15 * time.Second

// upgrades is an HTTP client of one connection, by the pool's dialer and its egress guard. A
// WebSocket begins in HTTP/1.1.
func (t *Transport) upgrades(p *pool) *http.Transport {
	plain := *p.dialer
	plain.tls = plain.tls.Clone()
	plain.tls.NextProtos = []string{"http/1.1"}
	var proxy func(*http.Request) (*url.URL, error)
	if p.proxied {
		proxy = t.opts.Proxy
	}
	return &http.Transport{
		Proxy: proxy, OnProxyConnectResponse: proxyAnswer,
		DialContext: plain.dial, DialTLSContext: plain.dialTLS, TLSClientConfig: plain.tls,
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true, // nobody would close what an answer that is no upgrade leaves idle
	}
}

func upgradeError(err error) *SendError {
	e := &SendError{Phase: PhaseHeaders, Err: err, Local: isLocal(err)}
	var dial *dialError
	if errors.As(err, &dial) {
		e.Phase = dial.phase
	}
	return e
}
