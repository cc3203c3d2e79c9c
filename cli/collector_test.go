package cli

import (
	"context"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 8 << 20: 400, 8<<20 + 1: 100, 64 << 20: 100, 64<<20 + 1: 75, math.MaxUint64: 75} {
		if got := gcPercentFor(live, false); got != want {
			t.Errorf("%d bytes alive: got %d %%, want %d %%", live, got, want)
		}
		if want == 400 {
			want = 1200
		}
		if got := gcPercentFor(live, true); got != want {
			t.Errorf("%d bytes alive, at work: got %d %%, want %d %%", live, got, want)
		}
	}
	before := readHeap()
	ballast := make([]byte, 128<<20)
	runtime.GC()
	after := readHeap()
	if after.live < uint64(len(ballast)) || after.allocated-before.allocated < uint64(len(ballast)) {
		t.Errorf("got %+v after %+v, want at least the %d of the ballast alive and allocated", after, before, len(ballast))
	}
	runtime.KeepAlive(ballast)
}

// TestCollectorTidies: what work left behind is given back when there has been none for a while.
func TestCollectorTidies(t *testing.T) { // not in parallel: it is about the memory of the whole process
	t.Setenv("GOGC", "")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go easeCollector(ctx)
		kept := func() uint64 { // of the system's, with nothing in it that is alive
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.Sys - m.HeapReleased - m.HeapAlloc
		}
		for range 2 { // once after the start, and then after each time of work
			ballast := make([]byte, 128<<20)
			time.Sleep(time.Second)
			runtime.KeepAlive(ballast)
			runtime.GC()
			before := kept()
			time.Sleep(11 * time.Second)
			if after := kept(); after > 64<<20 {
				t.Errorf("got %d MiB kept, and %d before, want most of the 128 of the ballast given back", after>>20, before>>20)
			}
		}
	})
}
