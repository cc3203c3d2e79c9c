package gateway

import (
	"sync"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/llm"
)

// purse is what a call has cost, with what the attempts that run may yet cost. It is kept where the route bounds that.
type purse struct {
	mu    sync.Mutex // two attempts may run
	taken budget.Money
}

// afford takes out of the purse what so many tokens of an attempt's may cost, in the place of what it took before.
// Another target may be cheaper.
func (c *call) afford(a *attempt, most budget.Tokens) *llm.Error {
	if c.route.Most == 0 {
		return nil
	}
	cost, err := a.line.Rates.Cost(most)
	if err != nil {
		return unreserved(err)
	}
	c.purse.mu.Lock()
	defer c.purse.mu.Unlock()
	others := c.purse.taken - a.cost
	if left := budget.Money(c.route.Most) - others; cost > left {
		message := "The request may cost " + cost.String() + " USD at " + a.target.Name() + ", and a call of this model may cost " +
			budget.Money(c.route.Most).String() + " USD"
		if others > 0 {
			message += ", of which it has spent or set aside " + others.String() + " USD"
		}
		return &llm.Error{Code: llm.CodeQuota, Origin: llm.OriginGateway, Message: message + ". Ask for fewer tokens at most."}
	}
	c.purse.taken, a.cost = others+cost, cost
	return nil
}

// repay puts back what an attempt did not cost after all.
func (c *call) repay(a *attempt, line *budget.Line) {
	if a.cost == 0 {
		return
	}
	cost, err := line.Rates.Cost(a.outcome.Tokens)
	if err != nil {
		return // all that it may have cost stays taken
	}
	c.purse.mu.Lock()
	defer c.purse.mu.Unlock()
	c.purse.taken, a.cost = c.purse.taken-a.cost+cost, cost
}
