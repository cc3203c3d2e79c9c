package admin

import (
	"context"
	"slices"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/llm"
)

// Budgets are what the API shows and changes of budgets.
type Budgets interface {
	// List shows every budget, by account and period, as they stand when the store answers in time.
	List(ctx context.Context) []Budget
	Set(ctx context.Context, l budget.Limit) error
	// Remove forgets a budget; one that there is not is forgotten already.
	Remove(ctx context.Context, account string, p budget.Period) error
}

// Budget is how much an account may spend, and how it stands in the period that runs. Amounts are exact.
type Budget struct {
	Account  string    `json:"account"`
	Period   string    `json:"period" doc:"day, week, month or ever."`
	Most     string    `json:"most_usd"`
	Soft     bool      `json:"soft" doc:"It is only watched."`
	Strict   bool      `json:"strict" doc:"Each call asks the database."`
	Spent    string    `json:"spent_usd" doc:"By calls that are over."`
	Reserved string    `json:"reserved_usd" doc:"What calls that run may cost, and what other gateways have leased."`
	Ends     time.Time `json:"ends,omitzero" doc:"When it begins anew."`
	InFile   bool      `json:"in_file" doc:"It is one of the config file, and changed there."`
}

// BudgetTerms are what a budget is to be.
type BudgetTerms struct {
	Most   string `json:"most_usd" doc:"Dollars, exactly: 500 or 0.25."`
	Soft   bool   `json:"soft,omitempty" doc:"Only watch it."`
	Strict bool   `json:"strict,omitempty" doc:"Ask the database for each call."`
}

func budgetEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/budgets", "Every budget, and how it stands.", (*api).listBudgets)),
		write("PUT", "/v1/budgets/{account}/{period}", "Set how much an account may spend in a period.", (*api).setBudget),
		write("DELETE", "/v1/budgets/{account}/{period}", "Remove a budget.", (*api).removeBudget),
	}
}

func nameOfBudget(b Budget) string { return b.Account + "/" + b.Period }

func (a *api) listBudgets(r *request) (List[Budget], error) {
	return page(r, a.opts.Budgets.List(r.Context()), nameOfBudget)
}

// budgetOf is the account and the period that the path names.
func budgetOf(r *request) (account string, p budget.Period, err error) {
	account, p = r.PathValue("account"), budget.Period(r.PathValue("period"))
	if err := budget.CheckAccount(account); err != nil {
		return "", "", llm.Invalid("account", "The account cannot be read: %v.", err)
	}
	if !slices.Contains(budget.Periods(), p) {
		return "", "", llm.Invalid("period", "The period must be day, week, month or ever.")
	}
	return account, p, nil
}

func (a *api) setBudget(r *request, terms BudgetTerms) (Budget, error) {
	account, p, err := budgetOf(r)
	if err != nil {
		return Budget{}, err
	}
	most, err := budget.ParseMoney(terms.Most)
	if err != nil || most < 0 {
		return Budget{}, llm.Invalid("most_usd", "The member most_usd must be an amount in dollars such as \"500\" or \"0.25\".")
	}
	if terms.Soft && terms.Strict {
		return Budget{}, llm.Invalid("strict", "A soft budget cannot be strict, too.")
	}
	if err := a.opts.Budgets.Set(r.Context(), budget.Limit{Account: account, Period: p, Most: most, Soft: terms.Soft, Strict: terms.Strict}); err != nil {
		return Budget{}, err
	}
	for _, b := range a.opts.Budgets.List(r.Context()) {
		if b.Account == account && b.Period == string(p) {
			return b, nil
		}
	}
	return Budget{}, notFound("The budget was removed again at the same time.")
}

// Removed names what is no longer there.
type Removed struct {
	Account string `json:"account"`
	Period  string `json:"period"`
}

func (a *api) removeBudget(r *request, _ None) (Removed, error) {
	account, p, err := budgetOf(r)
	if err != nil {
		return Removed{}, err
	}
	if err := a.opts.Budgets.Remove(r.Context(), account, p); err != nil {
		return Removed{}, err
	}
	return Removed{account, string(p)}, nil
}
