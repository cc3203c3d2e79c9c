package storetest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// groupOf is how many entries come in at once: as many as of a busy gateway's.
const groupOf = 4000

// Rows is how many rows the ledger of a benchmark has: 100,000, or UNDERSTUDY_LEDGER_ROWS.
func Rows(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv("UNDERSTUDY_LEDGER_ROWS")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Fill writes rows of a month, and says how long that took.
func Fill(tb testing.TB, s budget.Store, rows int) time.Duration {
	tb.Helper()
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
		batch := &budget.Batch{Node: "filler", From: mark, To: budget.Mark{File: 1, Offset: mark.Offset + 1}, Lines: lines}
		for range min(groupOf, rows-n) {
			l := lines[n%len(lines)]
			e := budget.Entry{
				Attempt: int64(n + 1), Call: fmt.Sprintf("call_%026d", n), Ordinal: 1, Line: l.ID(), Kind: budget.Posted, Status: 200,
				At: day + int64(n)*30*86_400_000/int64(rows), Took: 1200, Tokens: budget.Tokens{Fresh: 400, CacheRead: 100, Output: int64(n % 900)}, Reserved: 1e12,
			}
			var err error
			if e.Amount, err = l.Rates.Cost(e.Tokens); err != nil {
				tb.Fatal(err)
			}
			batch.Entries = append(batch.Entries, e)
			n++
		}
		if err := s.Write(tb.Context(), batch); err != nil {
			tb.Fatal(err)
		}
		mark = batch.To
	}
	return time.Since(begun)
}
