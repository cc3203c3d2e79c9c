package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

type budgetsCommand struct {
	List   listBudgetsCommand  `cmd:"" default:"withargs" help:"Show every budget, and how it stands."`
	Set    setBudgetCommand    `cmd:"" help:"Set how much an account may spend in a period."`
	Remove removeBudgetCommand `cmd:"" help:"Remove a budget."`
}

// Help shows how budgets is used.
func (budgetsCommand) Help() string {
	return examples("understudy budgets", "understudy budgets set team:search month 500", "understudy budgets remove team:search month")
}

type listBudgetsCommand struct{ operatorFlags }

// Help shows how budgets list is used.
func (listBudgetsCommand) Help() string {
	return "Spent is what calls that are over have cost in the period that runs; reserved is what those that run may cost at most, and what other gateways have leased.\n\n" +
		examples("understudy budgets list", "understudy budgets list --json")
}

// Run shows budgets.
func (c listBudgetsCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Budgets(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	return s.showBudgets(all)
}

func (s *session) showBudgets(all []client.Budget) error {
	if len(all) == 0 {
		fmt.Fprintln(s.out, "there are no budgets")
		return nil
	}
	w := s.table()
	fmt.Fprintln(w, "ACCOUNT\tPERIOD\tMOST\tSPENT\tRESERVED\tANEW\tKIND")
	for _, b := range all {
		anew := "-"
		if !b.Ends.IsZero() {
			anew = b.Ends.UTC().Format(time.DateOnly)
		}
		kind := []string{"hard"}
		if b.Soft {
			kind[0] = "soft"
		}
		if b.Strict {
			kind = append(kind, "strict")
		}
		if b.InFile {
			kind = append(kind, "of the config")
		}
		fmt.Fprintf(w, "%s\t%s\t$%s\t$%s\t$%s\t%s\t%s\n", b.Account, b.Period, b.Most, b.Spent, b.Reserved, anew, strings.Join(kind, ", "))
	}
	return w.Flush()
}

type setBudgetCommand struct {
	operatorFlags
	Account string `arg:"" help:"Who pays: key:ID, user:ID, team:ID, organisation:ID or provider:NAME."`
	Period  string `arg:"" help:"day, week, month or ever."`
	Most    string `arg:"" help:"The amount in USD: 500, or 0.25."`
	Soft    bool   `help:"Only watch it: what is over it is served, and told of." xor:"kind"`
	Strict  bool   `help:"Ask the database for each call, where several gateways share one." xor:"kind"`
}

// Help shows how budgets set is used.
func (setBudgetCommand) Help() string {
	return "It holds at once, on every gateway of the same database within a second or so, and over restarts. What was spent in the period counts. " +
		"A budget of the config file is changed there.\n\n" +
		examples("understudy budgets set team:search month 500", "understudy budgets set provider:openai day 40 --soft", "understudy budgets set key:anonymous ever 0")
}

// Run sets a budget.
func (c setBudgetCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	b, err := api.SetBudget(context.Background(), c.Account, c.Period, client.BudgetTerms{Most: c.Most, Soft: c.Soft, Strict: c.Strict})
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(b)
	}
	return s.showBudgets([]client.Budget{b})
}

type removeBudgetCommand struct {
	operatorFlags
	Account string `arg:"" help:"Who pays, as budgets list shows it."`
	Period  string `arg:"" help:"day, week, month or ever."`
}

// Help shows how budgets remove is used.
func (removeBudgetCommand) Help() string {
	return "The account may then spend as much as its other budgets allow.\n\n" + examples("understudy budgets remove team:search month")
}

// Run removes a budget.
func (c removeBudgetCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.RemoveBudget(context.Background(), c.Account, c.Period); err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(map[string]string{"account": c.Account, "period": c.Period})
	}
	fmt.Fprintf(s.out, "%s has no budget by the %s now\n", c.Account, c.Period)
	return nil
}
