//go:build unix

package dialect_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
)

// TestWaitingIsQuick answers many in the order that takes longest to search.
func TestWaitingIsQuick(t *testing.T) { // not in parallel: it measures
	const n = 200_000
	begun := spent()
	var w dialect.Waiting[int]
	var u dialect.Unused
	for i := range n {
		w.Add(i, fmt.Sprint(i), "all")
		u.Take("same", true, func(n int) string { return fmt.Sprint("same", n) })
	}
	for i := range n {
		if got, ok := w.Take(fmt.Sprint(n - 1 - i)); !ok || got != n-1-i || w.Len() > 0 && w.First() != 0 {
			t.Fatalf("got %d, want %d", got, n-1-i)
		}
	}
	if took := spent() - begun; took > 5*time.Second {
		t.Errorf("got %v for %d, want it to grow with their number alone", took, n)
	}
}

// spent is the CPU time of the program: how busy the machine is with others does not count.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
