package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/budget"
)

// budgets checks each budget, and that none is given twice.
func (k *checker) budgets() {
	if k.config.Data == NoData && len(k.config.Budgets) > 0 {
		k.bad("budgets", "", "budgets: got some and data: %s, want a folder: what was spent is kept there", NoData)
	}
	for i := range k.config.Budgets {
		b := &k.config.Budgets[i]
		path := "budgets." + strconv.Itoa(i)
		k.account(b.Account, path)
		if periods := budget.Periods(); !slices.Contains(periods, b.Period) {
			k.bad(path+".period", didYouMean(string(b.Period), words(periods)), "%s.period: got %s, want one of %s",
				path, quote(string(b.Period)), strings.Join(words(periods), ", "))
		}
		if _, given := k.config.at[path+".most"]; !given {
			k.bad(path+".most", "for example: most: 500 USD", "%s: got no most, want the amount", path)
		}
		if b.Soft && b.Strict {
			k.bad(path+".strict", "", "%s.strict: got a soft budget that is strict, want one or the other", path)
		}
		for j := range i {
			if other := &k.config.Budgets[j]; other.Account == b.Account && other.Period == b.Period {
				k.bad(path, "", "%s: got %s by the %s again, want each once", path, b.Account, b.Period)
			}
		}
	}
}

func words(periods []budget.Period) []string {
	list := make([]string, len(periods))
	for i, p := range periods {
		list[i] = string(p)
	}
	return list
}

// account checks the name of an account.
func (k *checker) account(account, path string) {
	kind, id, _ := strings.Cut(account, ":")
	if err := budget.CheckAccount(account); err != nil {
		hint := ""
		if kinds := budget.AccountKinds(); !slices.Contains(kinds, kind) {
			hint = didYouMean(kind, kinds)
		}
		k.bad(path+".account", hint, "%s.account: %v", path, err)
		return
	}
	if _, ok := k.config.Provider(id); kind == budget.OfProvider && !ok {
		names := make([]string, len(k.config.Providers))
		for i, p := range k.config.Providers {
			names[i] = p.Name
		}
		k.bad(path+".account", didYouMean(id, names), "%s.account: got %s, want a provider among those configured: %s", path, quote(account), strings.Join(names, ", "))
	}
}

// SpendingLimits are the budgets as they are enforced.
func (c *Config) SpendingLimits() []budget.Limit {
	limits := make([]budget.Limit, len(c.Budgets))
	for i, b := range c.Budgets {
		limits[i] = budget.Limit{Account: b.Account, Period: b.Period, Most: budget.Money(b.Most), Soft: b.Soft, Strict: b.Strict}
	}
	return limits
}
