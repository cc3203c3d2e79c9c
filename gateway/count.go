package gateway

import (
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// countTokens counts the tokens of a prompt for the model that leads the route: another's
// tokenizer would count something else. Where its provider has no counter, or that one
// fails, the gateway estimates, and says so.
func (c *call) countTokens() *llm.Error {
	c.route.Targets = c.route.Targets[:1]
	lead := c.route.Targets[0]
	if _, ok := c.plan(lead); !ok || !c.mayAsk(&lead) {
		return c.estimate()
	}
	err := c.attemptAll()
	if err == nil || err.Code.Info().Next == llm.GiveUp || c.ctx.Err() != nil || c.policy == llm.LossStrict {
		return err
	}
	if _, readErr := c.decoded(); readErr != nil {
		return err // what only the vendor can read, only it can count
	}
	return c.estimate()
}

// mayAsk reports whether a target is what the request requires, and not evacuated.
func (c *call) mayAsk(t *route.Target) bool {
	for _, tag := range c.tags {
		if !t.Is(tag) {
			return false
		}
	}
	posture, share := c.g.opts.Health.Posture(t.Provider.ID)
	return posture != route.PostureEvacuated || share > 0
}

// estimate answers with an estimate of the prompt's tokens.
func (c *call) estimate() *llm.Error {
	loss := llm.Loss{
		Feature: "input_tokens", Action: llm.ActionApproximated, Severity: llm.Tuning,
		Detail: "an estimate: the provider does not count tokens",
	}
	if c.policy.Refuses(loss) {
		return &llm.Error{
			Code: llm.CodeUnsupported, Origin: llm.OriginGateway,
			Message: "The target's provider does not count tokens, and an estimate is refused by the loss policy.",
		}
	}
	req, err := c.decoded()
	if err != nil {
		return err
	}
	c.estimated = estimateTokens(req)
	body, _, encodeErr := c.dialect.Client.EncodeResponse(&llm.Response{Usage: llm.Usage{Known: true, InFresh: c.estimated}})
	if encodeErr != nil {
		return asError(encodeErr, llm.CodeInternal)
	}
	h := c.reply.header()
	c.attemptHeaders(h, "")
	h.Set(HeaderLoss, llm.FormatLosses([]llm.Loss{loss}, maxHeader))
	c.reply.send(body)
	return nil
}
