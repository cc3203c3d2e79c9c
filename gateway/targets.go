package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// Request headers by which a client narrows what its route allows.
const (
	HeaderLoss     = "X-Understudy-Loss"     // strict, report or lenient
	HeaderFallback = "X-Understudy-Fallback" // off: the lead only, once
	HeaderRescue   = "X-Understudy-Rescue"   // off: nobody goes on with an answer that another began
	HeaderTimeout  = "X-Understudy-Timeout"  // a duration, for the whole call
	HeaderRequire  = "X-Understudy-Require"  // tags that a provider must have, with commas between them
	HeaderTag      = "X-Understudy-Tag"      // what the call is for, in the ledger
)

// HeaderSession names the session that a request belongs to.
const HeaderSession = "X-Understudy-Session"

var errTotal = errors.New("the call's total time is over")

// pickTargets finds the model's route and narrows it by what the request says.
func (c *call) pickTargets() *llm.Error {
	model := c.peeked.Model
	if model == "" {
		return llm.Invalid("model", "The request names no model.")
	}
	r, ok := (*c.g.routes.Load()).Pick(model)
	if !ok {
		return c.noModel(model)
	}
	if err := c.permit(&r); err != nil {
		return err
	}
	var err *llm.Error
	if r.Targets, err = c.ownedTargets(r.Targets); err != nil {
		return err
	}
	return c.useRoute(r)
}

// useRoute takes a route, narrowed by what the request says.
func (c *call) useRoute(r route.Route) *llm.Error {
	c.route, c.policy = r, r.Loss
	if c.operation == dialect.Embed {
		c.keepModel()
	}
	if err := c.narrow(c.r.Header); err != nil {
		return err
	}
	total := c.route.Timeouts.Total
	c.deadline = c.start.Add(total)
	c.total = time.AfterFunc(time.Until(c.deadline), func() { c.ctx.end(errTotal) })
	return c.order()
}

// narrow applies the request's own wishes; they can only take away.
func (c *call) narrow(h http.Header) *llm.Error {
	if !hasWishes(h) {
		return nil
	}
	for _, name := range []string{HeaderLoss, HeaderFallback, HeaderRescue, HeaderTimeout, HeaderRequire, HeaderSession, HeaderTag} {
		if len(h[name]) > 1 {
			return llm.Invalid(name, "The header %s must be sent once.", name)
		}
	}
	if v := h.Get(HeaderLoss); v != "" {
		policy := llm.LossPolicy(v)
		if !policy.Valid() {
			return llm.Invalid(HeaderLoss, "The header %s must be strict, report or lenient.", HeaderLoss)
		}
		c.policy = c.policy.Narrower(policy)
	}
	switch v := h.Get(HeaderFallback); v {
	case "", "on":
	case "off":
		c.route.Targets = c.route.Targets[:1]
		c.onlyOnce = true
	default:
		return llm.Invalid(HeaderFallback, "The header %s must be off, or not be sent.", HeaderFallback)
	}
	switch v := h.Get(HeaderRescue); llm.RescuePolicy(v) {
	case "", llm.RescueText:
	case llm.RescueOff:
		c.route.Rescue = llm.RescueOff
	default:
		return llm.Invalid(HeaderRescue, "The header %s must be off, or not be sent.", HeaderRescue)
	}
	c.tags = readTags(h.Get(HeaderRequire))
	if v := h.Get(HeaderTimeout); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return llm.Invalid(HeaderTimeout, "The header %s must be a duration such as 30s or 2m.", HeaderTimeout)
		}
		c.hurried = d < c.route.Timeouts.Total
		c.route.Timeouts.Total = min(c.route.Timeouts.Total, d)
	}
	if c.tag = h.Get(HeaderTag); !isTag(c.tag) {
		return llm.Invalid(HeaderTag, "The header %s must be up to %d printable ASCII characters.", HeaderTag, maxTag)
	}
	return nil
}

// hasWishes reports whether there is any header of the gateway's own: few requests have one, and all would pay for looking
// each of them up.
func hasWishes(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Understudy-") {
			return true
		}
	}
	return false
}

// noModel refuses a name that no model has. Whoever may not ask for it learns nothing.
func (c *call) noModel(model string) *llm.Error {
	if !c.grant.MayAsk(model) {
		return forbidden(model)
	}
	return modelNotFound(model)
}

// shortName bounds a model's name where it is shown again.
func shortName(model string) string {
	const shown = 100
	if len(model) > shown {
		return model[:shown] + "…"
	}
	return model
}

func modelNotFound(model string) *llm.Error {
	return &llm.Error{
		Code: llm.CodeModelNotFound, Origin: llm.OriginClient, Param: "model",
		Message: "The model " + strconv.QuoteToASCII(shortName(model)) + " is not configured. The model list of this API shows what there is.",
	}
}

// byteCount words a size as people do.
func byteCount(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
