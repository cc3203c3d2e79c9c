package cli

import (
	"math"
	"runtime"
	"testing"
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
