package cli

import (
	"math"
	"runtime"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 8 << 20: 400, 8<<20 + 1: 100, 64 << 20: 100, 64<<20 + 1: 75, math.MaxUint64: 75} {
		if got := gcPercentFor(live); got != want {
			t.Errorf("%d bytes alive: got %d %%, want %d %%", live, got, want)
		}
	}
	ballast := make([]byte, 128<<20)
	runtime.GC()
	if got := liveHeap(); got < uint64(len(ballast)) {
		t.Errorf("got %d bytes alive, want at least the %d of the ballast", got, len(ballast))
	}
	runtime.KeepAlive(ballast)
}
