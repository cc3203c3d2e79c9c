package admin

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/budget"
)

// purse is budgets in memory.
type purse struct {
	mu     sync.Mutex
	limits []budget.Limit
}

func (p *purse) List(context.Context) []Budget {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Budget
	for _, l := range p.limits {
		list = append(list, Budget{Account: l.Account, Period: string(l.Period), Most: l.Most.String(), Soft: l.Soft, Strict: l.Strict, Spent: "0.00", Reserved: "0.00"})
	}
	return list
}

func (p *purse) Set(ctx context.Context, l budget.Limit) error {
	_ = p.Remove(ctx, l.Account, l.Period)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = append(p.limits, l)
	return nil
}

func (p *purse) Remove(_ context.Context, account string, period budget.Period) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []budget.Limit
	for _, l := range p.limits {
		if l.Account != account || l.Period != period {
			rest = append(rest, l)
		}
	}
	p.limits = rest
	return nil
}

// TestBudgetTerms refuses what is no budget, and changes nothing then.
func TestBudgetTerms(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ path, body, want string }{
		{"team/month", `{"most_usd":"5"}`, "account"},
		{"staff:a/month", `{"most_usd":"5"}`, "account"},
		{"team:a/year", `{"most_usd":"5"}`, "period"},
		{"team:a/month", `{"most_usd":"5 USD"}`, "most_usd"},
		{"team:a/month", `{"most_usd":"-5"}`, "most_usd"},
		{"team:a/month", `{"most_usd":"1e3"}`, "most_usd"},
		{"team:a/month", `{"most_usd":5}`, "body"},
		{"team:a/month", `{"most_usd":"5","spent_usd":"0"}`, "spent_usd"},
		{"team:a/month", `{"most_usd":"5","soft":true,"strict":true}`, "strict"},
	} {
		rec := w.ask("PUT", "/v1/budgets/"+tc.path, tc.body)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), tc.want) {
			t.Errorf("%s %s: got status %d and %s, want 400 that names %s", tc.path, tc.body, rec.Code, rec.Body, tc.want)
		}
	}
	if got := w.budgets.List(t.Context()); len(got) != 0 {
		t.Errorf("got %v, want no budget of what was refused", got)
	}
}
