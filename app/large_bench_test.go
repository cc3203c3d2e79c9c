//go:build unix

package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/store/sqlite"
	"github.com/understudy-ai/understudy/store/storetest"
)

// BenchmarkLargeLedger fills a ledger with many rows and opens it, and then reserves and settles 500 attempts a second on a ledger of many rows, alone, and while a month is reported,
// every row is verified, and a backup is made (L13). It tells how long the slowest in a hundred and the slowest reservation
// took, and the slowest write to the database itself.
func BenchmarkLargeLedger(b *testing.B) {
	rows := storetest.Rows(b)
	conf := &config.Config{Data: b.TempDir()}
	db, err := sqlite.Open(b.Context(), filepath.Join(conf.Data, ledgerFile))
	if err != nil {
		b.Fatal(err)
	}
	took := storetest.Fill(b, db, rows)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	o := Options{}
	o.complete()
	k := &books{}
	begun := time.Now()
	if err := k.open(conf, &o); err != nil {
		b.Fatal(err)
	}
	opened := time.Since(begun)
	file, err := os.Stat(filepath.Join(conf.Data, ledgerFile))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() { // it was filled and opened already
			b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
			b.ReportMetric(opened.Seconds(), "s")
			b.ReportMetric(float64(file.Size())/float64(rows), "B/row")
		}
	})
	defer func() {
		if err := k.close(); err != nil {
			b.Error(err)
		}
	}()
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, job := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"alone", func(context.Context) error { time.Sleep(3 * time.Second); return nil }},
		{"month", func(ctx context.Context) error {
			_, err := Usage(ctx, conf, month, month.AddDate(0, 1, -1), []string{"day", "provider", "model"})
			return err
		}},
		{"verify", func(ctx context.Context) error { _, err := VerifyLedger(ctx, conf); return err }},
		{"backup", func(ctx context.Context) error {
			_, err := BackUpLedger(ctx, conf, filepath.Join(conf.Data, fmt.Sprint("copy", time.Now().UnixNano(), ".db")))
			return err
		}},
	} {
		b.Run(job.name, func(b *testing.B) {
			for b.Loop() {
				stop := make(chan struct{})
				var reserved, written []time.Duration
				var busy sync.WaitGroup
				busy.Go(func() { reserved = k.spend(b, stop) })
				busy.Go(func() { written = k.write(b, stop) })
				at, before := time.Now(), cpuTime()
				err := job.do(b.Context())
				took, cpu := time.Since(at), cpuTime()-before
				close(stop)
				busy.Wait()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(took.Seconds(), "s")
				b.ReportMetric(cpu.Seconds(), "cpu-s") // of the attempts beside it, too
				if len(reserved) > 0 && len(written) > 0 {
					slices.Sort(reserved)
					b.ReportMetric(millis(reserved[len(reserved)*99/100]), "reserve-p99-ms")
					b.ReportMetric(millis(reserved[len(reserved)-1]), "reserve-max-ms")
					b.ReportMetric(millis(slices.Max(written)), "write-max-ms")
				}
			}
		})
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// spend reserves and settles 500 attempts a second until stop, and says how long each reservation took.
func (b *books) spend(tb testing.TB, stop <-chan struct{}) (took []time.Duration) {
	line := budget.NewLine(budget.Line{Provider: "p", Model: "m", Asked: "p/m", Operation: "generate", Caller: "anonymous", Rates: budget.Cap()})
	var mu sync.Mutex
	var running sync.WaitGroup
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			running.Wait()
			return took
		case <-ticker.C:
		}
		running.Go(func() {
			at := time.Now()
			n, err := b.Reserve(tb.Context(), &budget.Reservation{Call: rand.Text(), Ordinal: 1, Line: line, At: at, Most: budget.Tokens{Fresh: 500, Output: 1000}})
			if err != nil {
				tb.Error(err)
				return
			}
			mu.Lock()
			took = append(took, time.Since(at))
			mu.Unlock()
			res := budget.Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InFresh: 250, OutVisible: 100}, Input: 250, Output: 100}
			b.Settle(n, &budget.Settlement{Outcome: res.Outcome(), At: time.Now(), Status: 200})
		})
	}
}

// write writes to the database twenty times a second until stop, and says how long each took.
func (b *books) write(tb testing.TB, stop <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-stop:
			return took
		case <-time.After(50 * time.Millisecond):
		}
		at := time.Now()
		if err := b.store.PutLimit(tb.Context(), budget.Limit{Account: "key:x", Period: budget.Day, Most: budget.USD}); err != nil {
			tb.Error(err)
			return took
		}
		took = append(took, time.Since(at))
	}
}
