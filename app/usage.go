package app

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
)

// UsageColumns are what usage can be told apart by.
func UsageColumns() []string {
	var names []string
	for _, c := range budget.Columns() {
		names = append(names, string(c))
	}
	return names
}

// LedgerKinds are the kinds that an entry can end as, in the order of reports.
func LedgerKinds() []budget.Kind { return budget.Kinds() }

// DayName is a day, counted from 1970, as YYYY-MM-DD.
func DayName(day int64) string { return budget.DayName(day) }

// Usage reports what was used and what it cost, from one day to another in UTC, by columns.
func Usage(ctx context.Context, c *config.Config, from, until time.Time, by []string) ([]*budget.Usage, error) {
	var columns []budget.Column
	for _, name := range by {
		columns = append(columns, budget.Column(name))
	}
	var report []*budget.Usage
	err := ReadLedger(ctx, c, func(b budget.Book) error {
		totals, err := totalsOf(ctx, b, budget.DayOf(from), budget.DayOf(until))
		if err == nil {
			report, err = budget.ReportBy(totals, columns)
		}
		return err
	})
	return report, err
}

// totalsOf are sums as they stand, corrections included.
func totalsOf(ctx context.Context, b budget.Book, from, to int64) ([]budget.Total, error) {
	totals, err := b.Totals(ctx, from, to)
	if err != nil {
		return nil, err
	}
	rows, err := b.Corrections(ctx)
	if err != nil || len(rows) == 0 {
		return totals, err
	}
	lines, err := b.Lines(ctx)
	if err != nil {
		return nil, err
	}
	return budget.Corrected(totals, rows, lines, from, to)
}

// Reconcile compares a vendor's invoice or usage export with what the ledger has of its provider.
func Reconcile(ctx context.Context, c *config.Config, provider string, invoice io.Reader) ([]budget.Difference, error) {
	charges, err := readInvoice(invoice)
	if err != nil {
		return nil, err
	}
	first := slices.MinFunc(charges, func(a, b budget.Charge) int { return int(a.Day - b.Day) }).Day
	last := slices.MaxFunc(charges, func(a, b budget.Charge) int { return int(a.Day - b.Day) }).Day
	var found []budget.Difference
	err = ReadLedger(ctx, c, func(b budget.Book) error {
		totals, err := totalsOf(ctx, b, first, last)
		if err == nil {
			found, err = budget.Reconcile(totals, provider, charges)
		}
		return err
	})
	return found, err
}

// UsageRows is Usage as the admin API has it.
func UsageRows(ctx context.Context, c *config.Config, from, until time.Time, by []string) ([]admin.UsageRow, error) {
	report, err := Usage(ctx, c, from, until, by)
	rows := make([]admin.UsageRow, len(report))
	for i, u := range report {
		rows[i] = admin.NewUsageRow(u, by)
	}
	return rows, err
}

// ledgerView is the ledger of a config, for the admin API.
type ledgerView struct {
	config *config.Config
	sync   func(context.Context) error
}

var _ admin.Ledger = ledgerView{}

// Usage is the report.
func (l ledgerView) Usage(ctx context.Context, from, until time.Time, by []string) ([]*budget.Usage, error) {
	l.await(ctx)
	return Usage(ctx, l.config, from, until, by)
}

// await gives the store the time that whoever looks has for what is settled.
func (l ledgerView) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshTime)
	defer cancel()
	_ = l.sync(ctx) // what there is is shown in any case
}

// Verify holds every row to its invariants.
func (l ledgerView) Verify(ctx context.Context) (*budget.Report, error) {
	l.await(ctx)
	return verifyLedger(ctx, l.config, budget.VerifyBeside)
}
