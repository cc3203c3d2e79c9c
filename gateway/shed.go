package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// What a call takes of memory: callCost for itself, its connections and its stream, and bodyCost
// times its body, of which there may be the client's bytes, their values and the vendor's bytes at
// the same time, and as much again until the collector has looked.
const (
	callCost = 64 << 10
	bodyCost = 5
)

// smallBody is the size up to which a body is read although its call is refused, if it is there already.
const (
	smallBody     = 16 << 10
	smallBodyTime = 5 * time.Millisecond
)

// shedRetryAfter is when a client that was shed may come back.
const shedRetryAfter = time.Second

// room is what calls share: how many there may be, and the memory of them all. A call that it has no
// place for is shed at once, so that those inside go on undisturbed.
type room struct {
	maxCalls, maxMemory, maxText int64 // 0 for no limit
	calls, memory, text          atomic.Int64
	shedCalls, shedMemory        atomic.Int64
	unkept                       atomic.Int64 // texts that there was no room for
}

var errNoRoom = errors.New("no memory for the rest of the body")

// Load is how much runs at a moment, and what was turned away so far.
type Load struct {
	Calls, MaxCalls   int64 // a limit is 0 where there is none
	Memory, MaxMemory int64 // in bytes, by estimate
	// Shed counts the calls that were refused for the one limit or the other.
	ShedForCalls, ShedForMemory int64
	// Text is what is kept of running streams so that others can go on with them, in bytes, and
	// Unkept counts the streams that went on without since there was no room.
	Text, MaxText, Unkept int64
}

// Load says how much runs.
func (g *Gateway) Load() Load {
	r := &g.room
	return Load{
		Calls: r.calls.Load(), MaxCalls: r.maxCalls, Memory: r.memory.Load(), MaxMemory: r.maxMemory,
		ShedForCalls: r.shedCalls.Load(), ShedForMemory: r.shedMemory.Load(),
		Text: r.text.Load(), MaxText: r.maxText, Unkept: r.unkept.Load(),
	}
}

// enterRoom takes a place for the call before its body is read, or sheds it.
func (c *call) enterRoom() *llm.Error {
	r := &c.g.room
	if n := r.calls.Add(1); r.maxCalls > 0 && n > r.maxCalls {
		r.calls.Add(-1)
		r.shedCalls.Add(1)
		return c.shed()
	}
	c.inside = true
	length := max(c.r.ContentLength, 0)
	if length > c.g.opts.Limits.Body {
		length = 0 // it is refused unread
	}
	if !c.take(callCost + bodyCost*length) {
		return c.shed()
	}
	return nil
}

// keepText makes room for what is kept of a stream, if there may be so much.
func (r *room) keepText(n int64) bool {
	if all := r.text.Add(n); r.maxText > 0 && all > r.maxText {
		r.text.Add(-n)
		r.unkept.Add(1)
		return false
	}
	return true
}

// leaveRoom gives back what the call took.
func (c *call) leaveRoom() {
	for _, a := range c.attempts {
		if a.stream != nil {
			a.stream.said.drop()
		}
	}
	if c.inside {
		c.g.room.calls.Add(-1)
	}
	c.g.room.memory.Add(-c.weight.Swap(0))
}

// take takes memory, if there is as much.
func (c *call) take(n int64) bool {
	r := &c.g.room
	if all := r.memory.Add(n); r.maxMemory > 0 && all > r.maxMemory {
		r.memory.Add(-n)
		r.shedMemory.Add(1)
		return false
	}
	c.weight.Add(n)
	return true
}

// hold takes memory for an answer, which is on its way: there is no refusing it any more, but other
// calls can be. A small one is in what every call takes.
func (c *call) hold(size int64) {
	if size > callCost {
		c.weight.Add(size)
		c.g.room.memory.Add(size)
	}
}

// shed refuses the call. It costs as little as can be, whatever the size of the body.
func (c *call) shed() *llm.Error {
	c.skipSmallBody() // the connection can then be kept
	return noRoom()
}

// skipSmallBody reads a small body that nobody wants, if it is there already.
func (c *call) skipSmallBody() {
	if n := c.r.ContentLength; c.bodyLeft && n >= 0 && n <= smallBody {
		_ = c.reply.control.SetReadDeadline(time.Now().Add(smallBodyTime))
		if _, err := io.CopyN(io.Discard, c.r.Body, n+1); errors.Is(err, io.EOF) {
			c.bodyRead()
		}
	}
}

// Shed refuses a request whose connection there is no room for, whatever is asked and whoever asks.
func (g *Gateway) Shed(w http.ResponseWriter, r *http.Request) {
	c := g.newCall(w, r)
	defer c.settle()
	err := c.open()
	if err == nil {
		err = noRoom()
	}
	c.fail(err)
}

func noRoom() *llm.Error {
	return &llm.Error{
		Code: llm.CodeOverloaded, Origin: llm.OriginGateway, RetryAfter: shedRetryAfter,
		Message: "The gateway has as much to do as it can. Nothing was sent to a provider. Come back in a moment.",
	}
}

// growing is a body of unknown size, which takes memory as it comes.
type growing struct {
	r    io.Reader
	c    *call
	left int64 // of what was taken
}

// Read reads no further than there is memory.
func (g *growing) Read(b []byte) (int, error) {
	n, err := g.r.Read(b)
	if g.left -= int64(n); g.left < 0 {
		const step = 64 << 10
		more := -g.left + step
		if !g.c.take(bodyCost * more) {
			return n, errNoRoom
		}
		g.left += more
	}
	return n, err //nolint:wrapcheck // a reader passes its source's error on
}
