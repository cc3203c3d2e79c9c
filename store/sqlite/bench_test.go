package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/store/storetest"
)

// large opens a database with many rows of a month, and says how long they took to write.
func large(b *testing.B, rows int) (path string, took time.Duration) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "ledger.db")
	d, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	took = storetest.Fill(b, d, rows)
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	return path, took
}

// BenchmarkSettled writes entries in groups, durably.
func BenchmarkSettled(b *testing.B) {
	rows := storetest.Rows(b)
	for b.Loop() {
		_, took := large(b, rows)
		b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
	}
}

// BenchmarkRead opens a large ledger as a gateway does when it starts, reports a month, and verifies every row.
func BenchmarkRead(b *testing.B) {
	rows := storetest.Rows(b)
	path, _ := large(b, rows)
	reading := func(b *testing.B, f func(context.Context, *Reader) error) {
		for b.Loop() {
			r, err := OpenReader(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			if err := f(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			d, err := Open(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("month", func(b *testing.B) {
		reading(b, func(ctx context.Context, r *Reader) error {
			totals, err := r.Totals(ctx, 0, 1<<40)
			if err == nil {
				_, err = budget.ReportBy(totals, []budget.Column{budget.ByDay, budget.ByModel})
			}
			return err
		})
	})
	b.Run("verify", func(b *testing.B) {
		reading(b, func(ctx context.Context, r *Reader) error {
			report, err := budget.Verify(ctx, r)
			if err == nil && (report.Entries != int64(rows) || len(report.Problems) > 0) {
				b.Fatalf("got %d entries and problems %v, want %d and none", report.Entries, report.Problems, rows)
			}
			return err
		})
		b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}
