package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/app"
)

type ledgerCommand struct {
	Verify  verifyCommand        `cmd:"" help:"Hold every row of the ledger to its invariants."`
	Backup  backupCommand        `cmd:"" help:"Copy the ledger into a file, while the gateway runs."`
	Correct correctCommand       `cmd:"" help:"Write down what an attempt really cost."`
	Restore restoreLedgerCommand `cmd:"" help:"Put a backup in the ledger's place."`
}

// Help shows how ledger is used.
func (ledgerCommand) Help() string {
	return examples("understudy ledger verify", "understudy ledger backup ledger-2026-11-30.db")
}

type verifyCommand struct {
	gatewayFlags
	JSON bool `help:"Write JSON: what was found."`
}

// Help shows how ledger verify is used.
func (verifyCommand) Help() string {
	return "Reads every row: each attempt is closed once, its amount is that of its tokens at the price that was pinned to it, no row was " +
		"changed, removed or put in between, and every sum, limit and account is that of its rows. A gateway may be running; what " +
		"it has not yet brought from its journal into the ledger is not looked at. Exits with 1 if anything is wrong. The last link " +
		"stands for all rows before it: keep it elsewhere to notice if all of the ledger is replaced. Corrections have a chain of their own. " +
		"With --admin the running gateway does it.\n\n" +
		examples("understudy ledger verify", "understudy ledger verify --config understudy.yaml --json")
}

// verification is that of the gateway that was named, or else of the ledger of the config.
func (c verifyCommand) verification() (client.Verification, error) {
	ctx := context.Background()
	if c.Admin != "" {
		api, err := c.client()
		if err != nil {
			return client.Verification{}, err
		}
		defer api.Close()
		return api.VerifyLedger(ctx)
	}
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return client.Verification{}, err
	}
	return app.Verification(ctx, conf)
}

// Run verifies the ledger.
func (c verifyCommand) Run(s *session) error {
	v, err := c.verification()
	if err != nil {
		return err
	}
	var kinds []string
	for _, k := range app.LedgerKinds() {
		if n := v.Kinds[k.String()]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
		}
	}
	if !c.JSON {
		ofKinds := ""
		if len(kinds) > 0 {
			ofKinds = ": " + strings.Join(kinds, ", ")
		}
		fmt.Fprintf(s.out, "%d entries of %d calls%s\n", v.Entries, v.Calls, ofKinds)
		fmt.Fprintf(s.out, "amount     %s USD\nlast link  %s\n", v.Amount, v.Link)
		if v.Corrections > 0 {
			fmt.Fprintf(s.out, "%d corrections, in the amount\nlast link  %s\n", v.Corrections, v.CorrectionLink)
		}
		return s.tellProblems(v.Problems)
	}
	if err := s.writeJSON(v); err != nil || len(v.Problems) == 0 {
		return err
	}
	return errTold
}
