package cli

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/understudy-ai/understudy/app"
)

type backupCommand struct {
	configFlag
	File string `arg:"" help:"The new file." placeholder:"FILE"`
}

// Help shows how ledger backup is used.
func (backupCommand) Help() string {
	return "Copies the ledger as it is at one moment, and holds the copy to its invariants. A gateway may be running, and does not wait. What it " +
		"has not yet brought from its journal into the ledger is not in the copy. Only you can read the file.\n\n" +
		examples("understudy ledger backup ledger-2026-11-30.db")
}

// Run backs up the ledger.
func (c backupCommand) Run(s *session) error {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	r, err := app.BackUpLedger(context.Background(), conf, c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d entries of %d calls in %s\nlast link  %s\n", r.Entries, r.Calls, c.File, hex.EncodeToString(r.Chain))
	return s.tellProblems(r.Problems)
}

type restoreLedgerCommand struct {
	configFlag
	File string `arg:"" help:"A file that backup has written." placeholder:"FILE"`
}

// Help shows how ledger restore is used.
func (restoreLedgerCommand) Help() string {
	return "Puts a backup in the ledger's place if every invariant holds in it, and keeps what was there in a folder beside it. Stop the gateway " +
		"first. What its journal has from after the backup comes into the ledger at the next start; if the journal does not reach " +
		"back so far, this says so, and usage reconcile finds by the vendors' exports what is missing. Clients' keys are in it, too: one that was " +
		"revoked or made since is as it was before.\n\n" +
		examples("understudy ledger restore ledger-2026-11-30.db")
}

// Run restores the ledger.
func (c restoreLedgerCommand) Run(s *session) error {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	r, err := app.RestoreLedger(context.Background(), conf, c.File)
	if err != nil {
		return err
	}
	if len(r.Report.Problems) > 0 {
		fmt.Fprintln(s.out, "the ledger is as it was: what is wrong with the backup is")
		return s.tellProblems(r.Report.Problems)
	}
	fmt.Fprintf(s.out, "%d entries of %d calls from %s\n", r.Report.Entries, r.Report.Calls, c.File)
	if r.Kept != "" {
		fmt.Fprintf(s.out, "what was there is in %s\n", r.Kept)
	}
	if r.Gap {
		fmt.Fprintln(s.out, s.paint("the journal does not reach back to the backup: attempts in between are missing; usage reconcile compares with what the vendors charge", red))
	}
	return s.tellProblems(nil)
}

// tellProblems writes what is wrong with a ledger, or that nothing is.
func (s *session) tellProblems(problems []string) error {
	for _, p := range problems {
		fmt.Fprintf(s.out, "%s %s\n", s.paint("wrong:", red), p)
	}
	if len(problems) > 0 {
		return errTold
	}
	fmt.Fprintln(s.out, s.paint("all invariants hold", green))
	return nil
}
