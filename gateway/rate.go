package gateway

import (
	"sync"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Limits of keys, as records and metrics name them.
const (
	limitRequests   = "requests"
	limitTokens     = "tokens"
	limitConcurrent = "concurrent"
)

// isCounted reports whether the call is one that limits of keys are about: what asks no provider is not.
func (c *call) isCounted() bool {
	if c.grant == nil || c.grant.Limits == (access.Limits{}) {
		return false
	}
	switch c.operation {
	case dialect.ListModels, dialect.GetModel, dialect.GetVersion:
		return false
	default:
		return true
	}
}

// enterRates takes the call's place among those of its key, before its body costs anything.
func (c *call) enterRates() *llm.Error {
	if !c.isCounted() {
		return nil
	}
	limits := &c.grant.Limits
	if most := limits.Concurrent; most > 0 {
		place, ok := c.g.opts.Rates.Enter(c.caller.Key, most)
		if !ok {
			return c.deny(limitConcurrent, time.Second)
		}
		c.place = place
	}
	if limits.RequestsPerMinute > 0 {
		d := access.Draw{Name: limitRequests + ":" + c.caller.Key, PerMinute: limits.RequestsPerMinute, N: 1}
		if level := c.draw(limitRequests, d); !level.OK {
			return c.deny(limitRequests, level.Wait)
		}
	}
	return nil
}

// chargePrompt takes what the prompt has about of the key's tokens. What the call uses is charged when it is over, so that
// a key may come to owe some: then it waits.
func (c *call) chargePrompt() *llm.Error {
	if !c.isCounted() || c.grant.Limits.TokensPerMinute == 0 {
		return nil
	}
	d := c.tokens(max(roughTokens(len(c.body)), 1))
	level := c.draw(limitTokens, d)
	if !level.OK {
		return c.deny(limitTokens, level.Wait)
	}
	c.charged = d.N
	return nil
}

func (c *call) tokens(n int64) access.Draw {
	return access.Draw{Name: limitTokens + ":" + c.caller.Key, PerMinute: c.grant.Limits.TokensPerMinute, N: n}
}

// draw asks for some, and tells the client how it stands.
func (c *call) draw(of string, d access.Draw) access.Level {
	level := c.g.opts.Rates.Draw(&c.ctx, d)
	if c.dialect.Rates == nil {
		return level
	}
	c.reply.mu.Lock()
	defer c.reply.mu.Unlock()
	for _, h := range c.dialect.Rates(dialect.Rate{Of: of, Limit: d.PerMinute, Remaining: level.Remaining, Full: level.Full, Now: c.g.opts.Now()}) {
		c.reply.put(h.Name, h.Value)
	}
	return level
}

// deny refuses the call for a limit of its key.
func (c *call) deny(limit string, wait time.Duration) *llm.Error {
	c.denied = limit
	e := &llm.Error{Code: llm.CodeRateLimit, Origin: llm.OriginGateway, RetryAfter: wait}
	switch limit {
	case limitConcurrent:
		e.Message = "The key has as many requests running as it may have at once."
	case limitTokens:
		e.Message = "The key has used as many tokens as it may by the minute."
	default:
		e.Message = "The key has sent as many requests as it may by the minute."
	}
	return e
}

// leaveRates gives up the call's place, and charges the tokens that it came to.
func (c *call) leaveRates() {
	if c.place != (access.Place{}) {
		c.g.opts.Rates.Leave(c.place)
	}
	if c.charged == 0 {
		return
	}
	used := int64(0)
	for _, a := range c.attempts {
		if !a.committed {
			continue // the client has had nothing of it
		}
		used += a.outcome.Tokens.Input() + a.outcome.Tokens.All()
		if !isPriced(c.operation) { // nobody counts
			used += roughTokens(len(a.body))
		}
	}
	if d := c.tokens(used - c.charged); d.N != 0 {
		d.Owed = true
		c.g.opts.Rates.Draw(&c.ctx, d)
	}
}

// denials are those of late, by key: a client that asks on and on must not fill the log. The metrics count each.
type denials struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// sampleEvery is how often a key's denial is logged.
const sampleEvery = time.Second

func (d *denials) isSample(key string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if since := now.Sub(d.last[key]); since >= 0 && since < sampleEvery {
		return false
	}
	if d.last == nil {
		d.last = map[string]time.Time{}
	}
	d.last[key] = now
	return true
}
