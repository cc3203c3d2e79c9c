package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

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
	if !isHandshake(c.r) {
		return &llm.Error{Code: llm.CodeInvalidRequest, Origin: llm.OriginClient, Message: "This path takes a WebSocket: the request must ask for an upgrade to one."}
	}
	c.bodyRead() // there is none
	values := c.r.URL.Query()
	if c.peeked.Model = values.Get("model"); c.endpoint.Under != "" && c.peeked.Model == "" {
		c.peeked.Model = values.Get(deploymentParameter)
	}
	if err := c.checkModelName(); err != nil {
		return err
	}
	if err := c.pickRelays(); err != nil {
		return err
	}
	return c.attemptAll()
}

// isHandshake reports whether a request asks for a WebSocket in full (RFC 6455 section 4.2.1): no provider is asked for one
// that the client cannot have.
func isHandshake(r *http.Request) bool {
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 || r.Header.Get("Sec-WebSocket-Version") != "13" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(key) == 16 && r.ProtoMajor == 1 && slices.ContainsFunc(r.Header["Connection"], func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(word string) bool { return strings.EqualFold(strings.TrimSpace(word), "upgrade") })
	})
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
	a.status, a.shown, a.unsent = resp.Status, resp.Shown, resp.Unsent
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
	a.pass.Begun()
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

// ended is how a session came to its end, and from which side, or that the gateway failed.
type ended struct {
	fromVendor bool
	err        error
	failure    *llm.Error
}

// errNotTaken is the error of a message that a side did not take.
var errNotTaken = errors.New("the message was not taken")

// join passes messages both ways until either side closes, and closes the other as that
// one did.
func (c *call) join(ctx context.Context, a *attempt, near, far *websocket.Conn) *llm.Error {
	// With its end a read would break the connection off, so that it could not be closed in order.
	session, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	over := make(chan ended, 2)
	limit := c.g.opts.Limits.WriteTimeout
	pump := func(to, from *websocket.Conn, see func([]byte) *llm.Error) {
		end := ended{fromVendor: from == far}
		defer func() {
			if p := recover(); p != nil {
				end.failure = c.panicked(p)
			}
			over <- end
		}()
		end.err = pass(session, limit, to, from, see)
		_ = errors.As(end.err, &end.failure)
		if errors.Is(end.err, errNotTaken) {
			end.fromVendor = to == far
		}
	}
	go pump(far, near, nil)
	go pump(near, far, func(message []byte) *llm.Error { return c.payMessage(a, message) })
	var first ended
	left := 1
	select {
	case first = <-over:
	case <-ctx.Done():
		first, left = ended{err: ctx.Err()}, 2
	}
	closeAs(ctx, first, near, far)
	cancel()
	for range left {
		<-over
	}
	switch {
	case c.ended() != nil:
		return c.ended()
	case first.failure != nil:
		return first.failure
	case websocket.CloseStatus(first.err) > 0 || !first.fromVendor:
		return nil
	}
	return &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's session broke off.", Err: first.err}
}

// maxReason is how long a reason may be (RFC 6455 section 5.5).
const maxReason = 123

// closeTime is how long a side has to take its leave when the gateway ends a session.
const closeTime = 2 * time.Second

// closeAs closes the side that has not ended as the other one did, or both.
func closeAs(ctx context.Context, first ended, near, far *websocket.Conn) {
	if isPaidNoMore := first.failure != nil && first.err != nil; isPaidNoMore || ctx.Err() != nil {
		status, why := websocket.StatusGoingAway, "The gateway ends the session."
		if isPaidNoMore {
			status, why = websocket.StatusPolicyViolation, first.failure.Message
		}
		late := time.AfterFunc(closeTime, func() { _, _ = far.CloseNow(), near.CloseNow() })
		defer late.Stop()
		var both sync.WaitGroup
		both.Go(func() { _ = far.Close(websocket.StatusGoingAway, "") })
		both.Go(func() { _ = near.Close(status, why[:min(len(why), maxReason)]) })
		both.Wait()
		return
	}
	to := far
	if first.fromVendor {
		to = near
	}
	switch status := websocket.CloseStatus(first.err); {
	case status == websocket.StatusNoStatusRcvd:
		_ = to.Close(websocket.StatusNormalClosure, "")
	case status > 0:
		var said websocket.CloseError
		_ = errors.As(first.err, &said)
		_ = to.Close(status, said.Reason)
	default:
		_ = to.Close(websocket.StatusInternalError, "The other side of the session broke off.")
	}
}

// pass passes messages on until there are no more; each must be taken within the limit. see looks
// at each text, and may find that it is the last.
func pass(ctx context.Context, limit time.Duration, to, from *websocket.Conn, see func([]byte) *llm.Error) error {
	for {
		kind, message, err := from.Read(ctx)
		if err != nil {
			return err //nolint:wrapcheck // it is looked at by the package that made it
		}
		var last *llm.Error
		if see != nil && kind == websocket.MessageText {
			last = see(message)
		}
		if err := writeWithin(ctx, limit, to, kind, message); err != nil {
			return err
		}
		if last != nil {
			return last
		}
	}
}

// writeWithin fails when the other side does not read: its connection is broken off then.
func writeWithin(ctx context.Context, limit time.Duration, to *websocket.Conn, kind websocket.MessageType, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := to.Write(ctx, kind, message); err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	return nil
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
