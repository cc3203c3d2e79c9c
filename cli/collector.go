package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// easeStart lets a command make as much garbage as an idle gateway may, until end is called, any number of times: most
// commands are over before there is more of it. It leaves the collector alone if the operator decided.
func easeStart() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercentFor(0, false))
	return func() { debug.SetGCPercent(before) }
}

// easeCollector sets four times a second how far the heap may grow before it is collected, by how much of it
// is alive and whether there is work, until ctx ends. What work leaves behind goes back to the system when it is over, and
// so does what a start that read a large ledger does. It leaves all that alone if the operator decided.
func easeCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	const (
		look = 250 * time.Millisecond
		work = 4 << 20          // bytes that are allocated between two looks
		lull = 10 * time.Second // the work may go on at any moment
	)
	last, began, worked, isTidy := readHeap(), time.Now(), time.Time{}, false
	percent := gcPercentFor(last.live, false)
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			h := readHeap()
			if h.allocated-last.allocated > work {
				worked = now
			}
			last = h
			isBusy := now.Sub(worked) < lull
			if want := gcPercentFor(h.live, isBusy); want != percent {
				percent = want
				debug.SetGCPercent(percent) // stops the world for a moment, so only on a change
			}
			if isTidy = isTidy && !isBusy; !isTidy && !isBusy && now.Sub(began) >= lull {
				debug.FreeOSMemory()
				isTidy = true
			}
		}
	}
}

// unmanaged is about what the program takes of memory beside what Go's runtime manages: its code and its tables,
// and what the database maps.
const unmanaged = 32 << 20

// boundMemory lets the heap be collected as often as it takes for the program to stay below a limit; 0 is none.
// GOMEMLIMIT is about the runtime alone, and has been heard already.
func boundMemory(limit int64) {
	if limit > 0 && limit != debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(max(limit-unmanaged, limit/2))
	}
}

// gcPercentFor is how much garbage there may be beside what is alive. Little is alive in a gateway, so that the
// usual doubling of the heap collects many times a second, for a few megabytes; while there is work, a hundred
// megabytes are worth a call in a hundred that would meet a collection. Where much is alive, thousands of open streams
// for example, that doubling is rare enough, and more would only be memory (docs/decisions/0006-garbage-collection.md,
// 0014-garbage-of-many-streams.md and 0039-garbage-while-there-is-work.md).
func gcPercentFor(live uint64, isBusy bool) int {
	switch {
	case live <= 8<<20 && isBusy:
		return 1200
	case live <= 8<<20:
		return 400
	case live <= 64<<20:
		return 100
	default:
		return 75
	}
}

// heap is how much of it was alive when it was last collected, and how much was ever allocated, in bytes.
type heap struct{ live, allocated uint64 }

func readHeap() heap {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	var h heap
	for i, to := range []*uint64{&h.live, &h.allocated} {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			*to = samples[i].Value.Uint64()
		}
	}
	return h
}
