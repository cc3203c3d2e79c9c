//go:build unix

package app

import (
	"crypto/rand"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/llm"
)

// BenchmarkBooks reserves and settles as a busy gateway does, with 32 calls at a time; cpu/op is of the whole
// process, the store's filling included.
func BenchmarkBooks(b *testing.B) {
	k := &books{}
	o := Options{}
	o.complete()
	if err := k.open(&config.Config{Data: b.TempDir()}, &o); err != nil {
		b.Fatal(err)
	}
	line := budget.NewLine(budget.Line{Provider: "p", Model: "m", Asked: "p/m", Operation: "generate", Caller: "anonymous", Rates: budget.Cap()})
	var failed atomic.Int64
	begun := cpuTime()
	b.SetParallelism(32 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := budget.Reservation{Call: rand.Text(), Ordinal: 1, Line: line, At: time.Now(), Most: budget.Tokens{Fresh: 500, Output: 1000}}
			n, err := k.Reserve(b.Context(), &r)
			if err != nil {
				failed.Add(1)
				continue
			}
			res := budget.Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InFresh: 250, OutVisible: 100}, Input: 250, Output: 100}
			k.Settle(n, &budget.Settlement{Outcome: res.Outcome(), At: time.Now(), Status: 200})
		}
	})
	b.StopTimer()
	if err := k.close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-begun).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if n := failed.Load(); n > 0 {
		b.Errorf("got %d of %d reservations refused, want none", n, b.N)
	}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
