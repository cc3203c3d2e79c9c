package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// reserve writes down in the ledger that an attempt is about to begin. Nothing goes out before
// that is durable.
func (c *call) reserve(ctx context.Context, a *attempt) *llm.Error {
	if c.g.opts.Ledger == nil && c.route.Most == 0 {
		return nil
	}
	a.line = c.lineOf(a)
	a.most = c.most(a)
	most := c.dearest(a, a.most)
	if err := c.afford(a, most); err != nil || c.g.opts.Ledger == nil {
		return err
	}
	number, err := c.g.opts.Ledger.Reserve(ctx, &budget.Reservation{
		Call: c.id, Ordinal: c.booked + 1, Line: a.line, At: c.g.opts.Now(), Most: most, Payer: c.payer(a),
	})
	if a.number = number; err == nil {
		c.booked++
	}
	return unreserved(err)
}

// extend reserves more for an attempt whose answer has come to more than was reserved: where neither the request nor what is
// known of the model has a limit, or the vendor does not keep to it.
func (c *call) extend(a *attempt, output int64) *llm.Error {
	if a.line == nil || a.most.Output >= budget.MaxTokens {
		return nil
	}
	most := a.most
	var failed *llm.Error
	// Little at a time: what one answer keeps for later, another that runs out may need now.
	for _, more := range [...]int64{output/16 + 256, output / 16} {
		most.Output = min(output+more, budget.MaxTokens)
		if failed = c.reserveMore(a, c.dearest(a, most)); failed == nil {
			a.most = most
			return nil
		}
	}
	return failed
}

// reserveMore reserves what so many tokens cost for an attempt that runs, in the place of what was reserved if that is less.
func (c *call) reserveMore(a *attempt, most budget.Tokens) *llm.Error {
	if err := c.afford(a, most); err != nil || a.number == 0 {
		return err
	}
	return unreserved(c.g.opts.Ledger.Extend(&c.ctx, a.number, most))
}

// unreserved is the error for what the ledger does not admit; nil if it does.
func unreserved(err error) *llm.Error {
	if err == nil {
		return nil
	}
	var over *budget.LimitError
	if errors.As(err, &over) {
		return overBudget(over)
	}
	return &llm.Error{Code: llm.CodeLedger, Origin: llm.OriginGateway, Message: llm.CodeLedger.Info().Doc, Err: err}
}

// payer is who pays for an attempt. Whoever has no key has the account of all of these.
func (c *call) payer(a *attempt) budget.Payer {
	return budget.Payer{
		Key: cmp.Or(c.caller.Key, access.Anonymous), User: c.caller.User, Team: c.caller.Team, Organisation: c.caller.Organisation,
		Provider: a.target.Provider.ID,
	}
}

// overBudget is the error for a budget that is used up. Only that of a provider is no matter of the others.
func overBudget(over *budget.LimitError) *llm.Error {
	e := &llm.Error{
		Code: llm.CodeQuota, Origin: llm.OriginGateway, Err: over,
		Message: "The budget of " + over.Account + " by the " + string(over.Period) + " has too little left for this request.",
	}
	if over.Period == budget.Ever {
		e.Message = "The budget of " + over.Account + " has too little left for this request."
	} else {
		e.Message += " It begins anew at " + over.Ends.Format(time.RFC3339) + "."
	}
	return e
}

// isShared reports whether an error is a budget's that all targets are paid from.
func isShared(err *llm.Error) bool {
	var over *budget.LimitError
	return errors.As(err.Err, &over) && !strings.HasPrefix(over.Account, budget.OfProvider+":")
}

// account closes an attempt in the ledger, whatever became of it.
func (c *call) account(a *attempt) {
	r := c.spent(a)
	outcome := r.Outcome()
	isNothing := outcome.Kind == budget.Posted && outcome.Tokens.All() == 0 && c.operation == dialect.Generate
	switch {
	case c.operation == dialect.Realtime: // it has no other count
		if outcome.Rejected = a.usage.Absurd; outcome.Rejected && outcome.Kind == budget.Posted {
			outcome.Kind = budget.Estimated
		}
	case outcome.Kind == budget.Estimated, outcome.Kind == budget.Uncertain, isNothing:
		r.Input, r.Output = c.promptTokens(a), c.answerTokens(a, r.Output)
		outcome = r.Outcome()
	}
	if a.line != nil && c.peeked.Background && (outcome.Kind == budget.Estimated || outcome.Kind == budget.Uncertain) {
		outcome = budget.Outcome{Kind: budget.Uncertain, Tokens: c.dearest(a, a.most), Rejected: outcome.Rejected} // it runs on, seen by nobody
	}
	var line *budget.Line
	if a.line != nil {
		line = c.settledLine(a)
		if cmp.Or(line, a.line).Rates.Guessed && outcome.Kind == budget.Posted {
			outcome.Kind, a.guessed = budget.Estimated, true
		}
	}
	a.outcome = outcome
	s := budget.Settlement{Outcome: outcome, At: a.end, Line: line, Status: a.status, Code: r.Code}
	c.repay(a, cmp.Or(line, a.line))
	if a.number == 0 {
		return
	}
	if !a.committed && outcome.Kind != budget.Void {
		s.Flags |= budget.Wasted
	}
	if a.rescue != nil {
		s.Flags |= budget.Rescue
	}
	if a.hedge {
		s.Flags |= budget.Hedge
	}
	if a.other {
		s.Flags |= budget.Other
	}
	c.g.opts.Ledger.Settle(a.number, &s)
}

// spent is what became of an attempt, as far as money goes.
func (c *call) spent(a *attempt) budget.Result {
	r := budget.Result{
		Sent: !a.unsent, Status: a.status, Whole: a.err == nil, Begun: a.committed, Usage: a.usage,
		Input: roughTokens(len(a.body)),
	}
	if a.err != nil {
		r.Code = a.err.Code
		// One that was outrun at the very end, or came of another model, had its answer, and so its count.
		r.Whole = (r.Code == llm.CodeOutrun || r.Code == llm.CodeOtherModel) && !c.peeked.Stream && a.usage.Known
	}
	if c.operation == dialect.Realtime { // each answer was held to what can be true when it came
		r.Input, r.Output = a.usage.Input(), a.usage.Output()
		r.Whole = r.Whole || r.Code == llm.CodeQuota || r.Code == llm.CodeLedger || r.Code == llm.CodeAuthentication
	}
	if s := a.stream; s != nil {
		r.Streamed, r.Begun, r.Output = true, s.begun || a.committed, s.tokens
	} else if c.operation == dialect.Generate {
		r.Output = roughTokens(max(len(a.whole)-wrapping, 0))
	}
	if r.Whole && !isPriced(c.operation) { // there is nothing to count
		r.Usage = llm.Usage{Known: true}
		r.Output = 0
	}
	return r
}

// wrapping is about what an answer's JSON has around its text.
const wrapping = 600

// roughTokens is about how many tokens are in so many bytes of JSON and text.
func roughTokens(size int) int64 { return int64(size) / 4 }

// promptTokens estimates an attempt's prompt, as well as can be done.
func (c *call) promptTokens(a *attempt) int64 {
	if !c.operation.IsRelayed() {
		if req, err := c.decoded(); err == nil {
			return estimateTokens(req)
		}
	}
	return roughTokens(len(a.body))
}

// answerTokens estimates a whole answer, as well as can be done: rough is by its size, which says nothing of a short one.
func (c *call) answerTokens(a *attempt, rough int64) int64 {
	answer := a.collected
	if answer == nil {
		if len(a.whole) == 0 || c.operation != dialect.Generate {
			return rough
		}
		var err error
		if answer, err = a.plan.dialect.Provider.DecodeResponse(a.whole); err != nil {
			return rough
		}
	}
	n := 0.0
	for i := range answer.Choices {
		for j := range answer.Choices[i].Parts {
			n += partTokens(&answer.Choices[i].Parts[j])
		}
	}
	return int64(n + 0.5)
}

// unlimited is how many tokens are reserved for an answer where neither the request nor what is
// known of the model has a limit.
const unlimited = 16384

// most is the most tokens an attempt may use: hardly a token is of less than two bytes, and an
// answer is no longer than it may be.
func (c *call) most(a *attempt) budget.Tokens {
	size := int64(len(a.body))
	for _, b := range a.encoded.More {
		size += int64(len(b))
	}
	t := budget.Tokens{Fresh: min(size/2+1, budget.MaxTokens)}
	switch limit := c.peeked.MaxTokens; {
	case c.operation == dialect.Rerank:
		if req, err := c.decoded(); err == nil && req.Rerank != nil { // each document is read with the query
			t.Fresh = min(t.Fresh+int64(len(req.Rerank.Query)/2*len(req.Rerank.Documents)), budget.MaxTokens)
		}
	case c.operation == dialect.Embed, !isPriced(c.operation):
	case limit > 0:
		t.Output = min(limit, budget.MaxTokens)
	case a.target.Facts.MaxOutput > 0:
		t.Output = min(a.target.Facts.MaxOutput*max(c.peeked.Choices, 1), budget.MaxTokens)
	default:
		t.Output = min(unlimited*max(c.peeked.Choices, 1), budget.MaxTokens)
	}
	return t
}

// dearest has the tokens that an attempt may use as those that cost most of what they may turn out to be: what of an
// answer is thinking or sound, and what of a prompt a cache keeps, is known when it is over.
func (c *call) dearest(a *attempt, t budget.Tokens) budget.Tokens {
	rates := a.line.Rates.At(t.Fresh)
	switch isKept := func() bool { return a.mentions(`"cache`) }; {
	case rates.CacheWrite1h > max(rates.CacheWrite, rates.Input) && a.mentions(`"1h"`) && isKept():
		t.Fresh, t.Cache1h = 0, t.Fresh
	case rates.CacheWrite > rates.Input && isKept():
		t.Fresh, t.CacheWrite = 0, t.Fresh
	}
	switch {
	case rates.AudioOut > max(rates.Output, rates.Reasoning) && (c.operation == dialect.Realtime || a.mentions("audio") || a.mentions("AUDIO")):
		t.AudioOut = t.Output
	case rates.Reasoning > rates.Output:
		t.Output, t.Reasoning = 0, t.Output
	}
	return t
}

// mentions reports whether a text is, or may be behind escapes, in the request as it goes out.
func (a *attempt) mentions(text string) bool {
	return bytes.Contains(a.body, []byte(text)) || bytes.Contains(a.body, []byte(`\u00`))
}

// isPriced reports whether vendors ask money for an operation as it is called: for keeping files,
// counting tokens and moderation they ask none, and for a batch when it is run.
func isPriced(o dialect.Operation) bool {
	switch o {
	case dialect.CountTokens, dialect.Files, dialect.Batches, dialect.Stored, dialect.Moderations, dialect.ListModels, dialect.GetModel:
		return false
	default:
		return true
	}
}

// lineKey is what makes a line of the ledger.
type lineKey struct {
	provider     *provider.Provider
	price        *provider.Price
	model, asked string
	tier         string // of the provider's service; empty for the usual one
	caller, tag  string
	operation    dialect.Operation

	key, user, team, organisation string // whose the caller is
}

func (c *call) lineKey(a *attempt) lineKey {
	return lineKey{
		provider: a.target.Provider, price: a.target.Price, model: a.target.Model, asked: c.peeked.Model,
		caller: c.caller.Name, tag: cmp.Or(c.tag, c.caller.Tag), operation: c.operation,
		key: c.caller.Key, user: c.caller.User, team: c.caller.Team, organisation: c.caller.Organisation,
	}
}

// lines are the lines that calls have in common, made once.
type lines struct {
	asked memo[lineKey, *budget.Line]
	// answers are those for models that answered in another's place; nil where it costs the same.
	answers memo[answerKey, *budget.Line]
}

type answerKey struct {
	line     *budget.Line // that of the model that was asked
	answered string
}

func (l *lines) of(k lineKey) *budget.Line { return l.asked.of(k, lineKey.line) }

func (k lineKey) line() *budget.Line {
	return budget.NewLine(budget.Line{
		Provider: k.provider.ID, Model: k.model, Asked: k.asked, Operation: string(k.operation), Caller: k.caller, Tag: k.tag,
		Key: k.key, User: k.user, Team: k.team, Organisation: k.organisation, Rates: k.rates(),
	})
}

func (k lineKey) rates() budget.Rates {
	if !isPriced(k.operation) {
		return budget.Rates{}
	}
	return budget.RatesAt(&k.provider.Facts, k.price, k.tier)
}

// answeredBy is the line of a model that answered in the place of the one that was asked, if that
// has a price of its own; else nil. Most names that vendors answer with are one model's at a date.
func (l *lines) answeredBy(line *budget.Line, answered string, key func() lineKey) *budget.Line {
	return l.answers.of(answerKey{line, answered}, func(answerKey) *budget.Line {
		k := key()
		m, ok := k.provider.Model(answered)
		if !ok || m.Price == nil || !isPriced(k.operation) {
			return nil
		}
		isPriceKnown, rates := k.price != nil, k.rates()
		k.model, k.price = answered, m.Price
		if there := k.rates(); isPriceKnown && rates.Text() == there.Text() {
			return nil
		}
		return l.of(k)
	})
}

// maxTag bounds the header that says what a call is for.
const maxTag = 64

// isTag reports whether a text may be a tag; none is one, too.
func isTag(text string) bool {
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return len(text) <= maxTag
}
