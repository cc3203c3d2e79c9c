package gateway

import (
	"cmp"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
)

// tierOf is the tier of the provider's service that an attempt asks for, as it goes out: a translation or an edit may
// have changed what the client asked for, or left it out. The account may have one for requests that ask for none.
func (c *call) tierOf(a *attempt) string {
	if c.operation != dialect.Generate {
		return ""
	}
	word, account := c.peeked.Tier, a.target.Provider.ServiceTier
	if a.plan.mode != ModeRelay && (word != "" || len(a.plan.edits.Set) > 0) {
		if asked, err := a.plan.dialect.Relay.Peek(a.body); err == nil { // else it is refused, and served at no tier
			word = asked.Tier
		}
	}
	if account != "" && isUntold(word) {
		word = account
	}
	if word == "" {
		return ""
	}
	return a.target.Provider.Facts.TierName(a.target.Price, word)
}

// isUntold reports whether a word leaves the tier to the account.
func isUntold(word string) bool { return word == "" || word == "auto" || word == "unspecified" }

// serves takes up the tier that the vendor says it serves, which it may say again and again.
func (a *attempt) serves(tier string) {
	if tier != "" {
		a.served = tier
	}
}

// servedTier is the tier that an attempt was served at, as far as the vendor says, or else the one that was asked for.
func (a *attempt) servedTier() string {
	if isUntold(a.served) {
		return a.tier
	}
	return a.target.Provider.Facts.TierName(a.target.Price, a.served)
}

// lineOf is the line that an attempt is reserved at: that of the tier that it asks for, or the usual one where that is
// dearer, since a vendor may serve it at that.
func (c *call) lineOf(a *attempt) *budget.Line {
	k := c.lineKey(a)
	usual := c.g.lines.of(k)
	if a.tier == "" {
		return usual
	}
	k.tier = a.tier
	line := c.g.lines.of(k)
	most := c.most(a)
	here, err := line.Rates.Cost(most)
	there, usualErr := usual.Rates.Cost(most)
	if err == nil && usualErr == nil && there > here {
		return usual
	}
	return line
}

// settledLine is the line that an attempt is settled at, if it is another than it was reserved at: it was served at another
// tier, or by another model.
func (c *call) settledLine(a *attempt) *budget.Line {
	tier, line := a.servedTier(), a.line
	key := func() lineKey {
		k := c.lineKey(a)
		k.tier = tier
		return k
	}
	if tier != line.Rates.ServiceTier {
		line = c.g.lines.of(key())
	}
	if a.model != "" && a.model != a.target.Model {
		line = cmp.Or(c.g.lines.answeredBy(line, a.model, key), line)
	}
	if line == a.line {
		return nil
	}
	return line
}
