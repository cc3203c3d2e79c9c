package cli

import (
	"runtime"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: gcPercentSmall, largeHeap: gcPercentSmall, largeHeap + 1: gcPercentLarge} {
		if got := gcPercentFor(live); got != want {
			t.Errorf("%d bytes alive: got %d %%, want %d %%", live, got, want)
		}
	}
	ballast := make([]byte, 2*largeHeap)
	runtime.GC()
	if got := liveHeap(); got < uint64(len(ballast)) {
		t.Errorf("got %d bytes alive, want at least the %d of the ballast", got, len(ballast))
	}
	runtime.KeepAlive(ballast)
}
