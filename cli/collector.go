package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// easeCollector sets four times a second how far the heap may grow before it is collected, by how much of it
// is alive, until ctx ends. It leaves it alone if the operator decided.
func easeCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	percent := gcPercentFor(0)
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if want := gcPercentFor(liveHeap()); want != percent {
				percent = want
				debug.SetGCPercent(percent) // stops the world for a moment, so only on a change
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
// usual doubling of the heap collects many times a second, for a few megabytes. Where much is alive, thousands of
// open streams for example, that doubling is rare enough, and more would only be memory
// (docs/decisions/0006-garbage-collection.md and 0014-garbage-of-many-streams.md).
func gcPercentFor(live uint64) int {
	switch {
	case live <= 8<<20:
		return 400
	case live <= 64<<20:
		return 100
	default:
		return 75
	}
}

// liveHeap is how much of the heap was alive when it was last collected, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
