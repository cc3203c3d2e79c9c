package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/understudy-ai/understudy/app"
)

// Books is what the run's ledger has, and whether it holds.
type Books struct {
	Entries  int64    `json:"entries"`
	Calls    int64    `json:"calls"`
	Kinds    string   `json:"kinds"` // how many entries are of each kind, in words
	Lines    []Line   `json:"lines"`
	Problems []string `json:"problems"` // invariants that do not hold
}

// Line is what one target came to.
type Line struct {
	Target    string `json:"target"`
	Attempts  int64  `json:"attempts"`
	Input     int64  `json:"input_tokens"`
	Output    int64  `json:"output_tokens"`
	Cost      string `json:"cost_usd"`
	Estimated string `json:"estimated_usd"`
	Uncertain string `json:"uncertain_usd"`
	Wasted    string `json:"wasted_usd"`
}

// syncTime bounds the wait for the last entries.
const syncTime = 10 * time.Second

// readBooks reports and verifies the ledger of the run.
func (g *gateway) readBooks(ctx context.Context) (b Books, err error) {
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	if err := g.app.SyncLedger(ctx); err != nil {
		return b, fmt.Errorf("complete the ledger: %w", err)
	}
	now := time.Now()
	usage, err := app.Usage(ctx, g.conf, now.AddDate(0, 0, -1), now, []string{"provider", "model"})
	if err != nil {
		return b, fmt.Errorf("report the ledger: %w", err)
	}
	report, err := app.VerifyLedger(ctx, g.conf)
	if err != nil {
		return b, fmt.Errorf("verify the ledger: %w", err)
	}
	b = Books{Entries: report.Entries, Calls: report.Calls, Problems: report.Problems}
	for _, u := range usage {
		b.Lines = append(b.Lines, Line{
			Target: strings.Join(u.Names, "/"), Attempts: u.Attempts, Input: u.Input, Output: u.Output,
			Cost: u.Cost.String(), Estimated: u.Estimated.String(), Uncertain: u.Uncertain.String(), Wasted: u.Wasted.String(),
		})
	}
	var kinds []string
	for _, k := range app.LedgerKinds() {
		if n := report.ByKind[k]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
		}
	}
	b.Kinds = strings.Join(kinds, ", ")
	return b, nil
}

const ledgerIntroduction = `
The ledger has %d attempts of %d calls, those of the warm-up included: %s. Posted is what the vendor counted, and estimated what the gateway did in its place; of uncertain ones nobody knows whether the vendor ran them, and void ones it did not. Wasted is what no client has had.
`

// write writes the ledger as a table, and whether it holds.
func (b *Books) write(out io.Writer, width int) {
	fmt.Fprint(out, wrap(fmt.Sprintf(ledgerIntroduction, b.Entries, b.Calls, b.Kinds), width))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tATTEMPTS\tINPUT\tOUTPUT\tCOST USD\tESTIMATED\tUNCERTAIN\tWASTED")
	for _, l := range b.Lines {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", l.Target, l.Attempts, l.Input, l.Output, l.Cost, l.Estimated, l.Uncertain, l.Wasted)
	}
	_ = w.Flush() // the next line fails as well
	if len(b.Problems) == 0 {
		fmt.Fprint(out, wrap("Verified: every attempt is there once, at its pinned price, and every sum is that of its rows.\n", width))
	}
	for _, p := range b.Problems {
		fmt.Fprintln(out, "wrong: "+p)
	}
}
