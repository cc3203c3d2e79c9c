package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// benchRows is how many rows the ledger of the benchmarks has: a few, or UNDERSTUDY_LEDGER_ROWS.
func benchRows(b *testing.B) int {
	b.Helper()
	text := os.Getenv("UNDERSTUDY_LEDGER_ROWS")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// groupOf is how many entries come in at once: as many as of a busy gateway's.
const groupOf = 4000

// large opens a database with many rows of a month, and says how long they took to write.
func large(b *testing.B, rows int) (path string, took time.Duration) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "ledger.db")
	d, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	lines := make([]*budget.Line, 40)
	for i := range lines {
		lines[i] = budget.NewLine(budget.Line{
			Provider: fmt.Sprint("vendor", i%4), Model: fmt.Sprint("model-", i%10), Asked: "assistant", Operation: "generate", Caller: fmt.Sprint("team", i%7),
			Rates: budget.Rates{Input: 2.5e12, Output: 10e12, CacheRead: 1.25e12},
		})
	}
	begun := time.Now()
	mark := budget.Mark{}
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	for n := 0; n < rows; {
		batch := &budget.Batch{Node: "n", From: mark, To: budget.Mark{File: 1, Offset: mark.Offset + 1}, Lines: lines}
		for range min(groupOf, rows-n) {
			l := lines[n%len(lines)]
			e := budget.Entry{
				Attempt: int64(n + 1), Call: fmt.Sprintf("call_%026d", n), Ordinal: 1, Line: l.ID(), Kind: budget.Posted, Status: 200,
				At: day + int64(n)*30*86_400_000/int64(rows), Took: 1200, Tokens: budget.Tokens{Fresh: 400, CacheRead: 100, Output: int64(n % 900)}, Reserved: 1e12,
			}
			if e.Amount, err = l.Rates.Cost(e.Tokens); err != nil {
				b.Fatal(err)
			}
			batch.Entries = append(batch.Entries, e)
			n++
		}
		if err := d.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		mark = batch.To
	}
	took = time.Since(begun)
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	return path, took
}

// BenchmarkSettled writes entries in groups, durably.
func BenchmarkSettled(b *testing.B) {
	rows := benchRows(b)
	for b.Loop() {
		_, took := large(b, rows)
		b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
	}
}

// BenchmarkRead opens a large ledger as a gateway does when it starts, reports a month, and verifies every row.
func BenchmarkRead(b *testing.B) {
	rows := benchRows(b)
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
