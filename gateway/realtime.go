package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/transport"
)

// Upgrader opens a WebSocket at a provider. A Sender that is one serves realtime sessions.
type Upgrader interface {
	Upgrade(ctx context.Context, r transport.Request, subprotocols []string) (*websocket.Conn, *transport.Response, error)
}

// sessionTime is how long a realtime session may last at least, whatever the route's total
// time is: vendors end theirs after an hour.
const sessionTime = 2 * time.Hour

// serveRealtime joins the client's WebSocket to one at a provider. Until that is open
// another provider can be tried; after it the two are one connection.
func (c *call) serveRealtime() *llm.Error {
	if !strings.EqualFold(c.r.Header.Get("Upgrade"), "websocket") {
		return &llm.Error{Code: llm.CodeInvalidRequest, Origin: llm.OriginClient, Message: "This path takes a WebSocket: the request must ask for an upgrade to one."}
	}
	c.bodyRead() // there is none
	c.peeked.Model = c.r.URL.Query().Get("model")
	if err := c.checkModelName(); err != nil {
		return err
	}
	if err := c.pickRelays(); err != nil {
		return err
	}
	return c.attemptAll()
}

// exchangeRealtime is exchange for a session.
func (c *call) exchangeRealtime(ctx context.Context, a *attempt, w *watchdog) *llm.Error {
	up, ok := c.g.opts.Sender.(Upgrader)
	if !ok {
		return &llm.Error{Code: llm.CodeNotImplemented, Origin: llm.OriginGateway, Message: "This gateway opens no WebSockets."}
	}
	far, resp, err := up.Upgrade(ctx, c.upstream(a), subprotocols(c.r))
	if err != nil {
		return c.sendError(a, err)
	}
	a.status, a.shown = resp.Status, resp.Shown
	if far == nil {
		defer func() { _ = resp.Body.Close() }()
		if err := c.checkStatus(a, resp); err != nil {
			return err
		}
		return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider opens no WebSocket."}
	}
	defer far.CloseNow() //nolint:errcheck // it is closed in order before, or broken
	w.stop()
	a.committed, a.firstContent = true, c.g.opts.Now()
	c.answerHeaders(a)
	near, err := c.reply.upgrade(c.r, far.Subprotocol())
	if err != nil {
		return clientGone(err)
	}
	defer near.CloseNow() //nolint:errcheck // likewise
	near.SetReadLimit(c.g.opts.Limits.Body)
	return c.join(ctx, a, near, far)
}

// subprotocols are those that the client offers, but for the ones that hold its credential.
func subprotocols(r *http.Request) []string {
	var offered []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.HasPrefix(name, "openai-insecure-api-key.") {
				offered = append(offered, name)
			}
		}
	}
	return offered
}

// ended is how one direction of a session came to its end.
type ended struct {
	fromVendor bool
	err        error
}

// join passes messages both ways until either side closes, and closes the other as that
// one did.
func (c *call) join(ctx context.Context, a *attempt, near, far *websocket.Conn) *llm.Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan ended, 2)
	go func() { over <- ended{false, pass(ctx, far, near, nil)} }()
	go func() { over <- ended{true, pass(ctx, near, far, func(b []byte) { a.count(b) })} }()
	first := <-over
	to := far
	if first.fromVendor {
		to = near
	}
	status := websocket.CloseStatus(first.err)
	switch {
	case c.ctx.Err() != nil:
		_ = far.Close(websocket.StatusGoingAway, "")
		_ = near.Close(websocket.StatusGoingAway, "The gateway ends the session.")
	case status == websocket.StatusNoStatusRcvd:
		_ = to.Close(websocket.StatusNormalClosure, "")
	case status > 0:
		var said websocket.CloseError
		_ = errors.As(first.err, &said)
		_ = to.Close(status, said.Reason)
	default:
		_ = to.Close(websocket.StatusInternalError, "The other side of the session broke off.")
	}
	cancel()
	<-over
	switch {
	case c.ended() != nil:
		return c.ended()
	case status > 0 || !first.fromVendor:
		return nil
	}
	return &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's session broke off.", Err: first.err}
}

// pass passes messages on until there are no more. see looks at each text.
func pass(ctx context.Context, to, from *websocket.Conn, see func([]byte)) error {
	for {
		kind, message, err := from.Read(ctx)
		if err != nil {
			return err //nolint:wrapcheck // it is looked at by the package that made it
		}
		if see != nil && kind == websocket.MessageText {
			see(message)
		}
		if err := to.Write(ctx, kind, message); err != nil {
			return err //nolint:wrapcheck // likewise
		}
	}
}

// count adds the tokens of an answer in a session: openai-realtime.yaml,
// RealtimeServerEventResponseDone.
func (a *attempt) count(message []byte) {
	if !bytes.Contains(message, []byte(`"response.done"`)) {
		return
	}
	event, err := jsontext.ParseLenient(message)
	if err != nil || string(event.Get("type")) != `"response.done"` {
		return
	}
	u := usageIn(event.Get("response", "usage"))
	a.usage.Known = a.usage.Known || u.Known
	a.usage.InFresh += u.InFresh
	a.usage.OutVisible += u.OutVisible
}

// upgrade makes the client's connection a WebSocket, in the subprotocol that the provider
// chose.
func (p *reply) upgrade(r *http.Request, subprotocol string) (*websocket.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.begun {
		return nil, errors.New("the answer has begun")
	}
	p.begun, p.closed, p.status = true, true, http.StatusSwitchingProtocols
	chosen := slices.DeleteFunc([]string{subprotocol}, func(s string) bool { return s == "" })
	return websocket.Accept(p.w, r, &websocket.AcceptOptions{Subprotocols: chosen})
}
