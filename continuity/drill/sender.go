package drill

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/transport"
)

// Sender sends requests to providers, as the gateway wants it.
type Sender interface {
	Send(ctx context.Context, r transport.Request) (*transport.Response, error)
	Upgrade(ctx context.Context, r transport.Request, subprotocols []string) (*websocket.Conn, *transport.Response, error)
}

var _ Sender = (*Drills)(nil)

// Send sends a request, unless a drill strikes it.
func (d *Drills) Send(ctx context.Context, r transport.Request) (*transport.Response, error) {
	run := d.current.Load()
	if run == nil || !run.strikes(&r) {
		return d.opts.Sender.Send(ctx, r)
	}
	if resp, err := run.before(ctx, &r); resp != nil || err != nil {
		return resp, err
	}
	resp, err := d.opts.Sender.Send(ctx, r)
	if err == nil && resp.Status == 200 && (run.fault.act == stall || run.fault.act == cut || run.fault.act == drip) {
		resp.Body = newBody(ctx, run, &r, resp)
	}
	return resp, err
}

// Upgrade opens a WebSocket, unless a drill strikes it. What would break an answer in its
// middle leaves sessions alone.
func (d *Drills) Upgrade(ctx context.Context, r transport.Request, subprotocols []string) (*websocket.Conn, *transport.Response, error) {
	run := d.current.Load()
	if run != nil && run.strikes(&r) {
		if resp, err := run.before(ctx, &r); resp != nil || err != nil {
			return nil, resp, err
		}
	}
	return d.opts.Sender.Upgrade(ctx, r, subprotocols)
}

// strikes reports whether the drill is about a request. The call decides, not the attempt:
// to ask the same provider again is of no use where it is broken.
func (r *run) strikes(req *transport.Request) bool {
	s := &r.spec
	switch {
	case req.Provider.ID != s.Provider, r.over.Err() != nil:
		return false
	case s.Model != "" && s.Model != req.For.Asked && s.Model != req.For.Model:
		return false
	case s.Caller != "" && s.Caller != req.For.Caller:
		return false
	}
	return place(req.For.Call) < s.Share
}

// place is where a call stands among all, from 0 to 1. Ids of calls are random.
func place(call string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(call)) // does not fail
	// The sum's low bits are the better mixed, and a float64 holds 53.
	const bits = 53
	sum := h.Sum64()
	sum ^= sum >> 32
	return float64(sum&(1<<bits-1)) / (1 << bits)
}

// before is what becomes of a struck request before the provider is asked; nothing if it is
// asked all the same.
func (r *run) before(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	f := &r.fault
	switch f.act {
	case refuse, reset:
		r.strike(req.For.Call)
		return nil, sendError(r.mark(f.cause()))
	case hang:
		r.strike(req.For.Call)
		if err := r.wait(ctx, nil, maxSeconds*time.Second); err != nil {
			return nil, sendError(err)
		}
		return nil, sendError(r.mark(f.cause()))
	case answer:
		r.strike(req.For.Call)
		return f.response(), nil
	case slow:
		r.strike(req.For.Call)
		if err := r.wait(ctx, nil, r.delay()); err != nil {
			return nil, sendError(err)
		}
		return nil, nil //nolint:nilnil // the provider is asked, late
	case stall, cut, drip:
	}
	return nil, nil //nolint:nilnil // the provider is asked
}

func (r *run) delay() time.Duration { return time.Duration(r.spec.DelayMS * float64(time.Millisecond)) }

// mark says in the log that it was not the provider.
func (r *run) mark(err error) error { return fmt.Errorf("drill %s: %w", r.id, err) }

// wait waits for d, or for the end of the drill. The error is ctx's, when that ends first;
// closed ends the waiting, too.
func (r *run) wait(ctx context.Context, closed <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.over.Done():
	case <-closed:
	case <-ctx.Done():
		return r.mark(context.Cause(ctx))
	}
	return nil
}
