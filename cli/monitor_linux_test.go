package cli

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestCalmMonitor(t *testing.T) { // not in parallel: it changes how many goroutines may run
	was := runtime.GOMAXPROCS(0)
	defer func() { runtime.GOMAXPROCS(was) }()
	t.Setenv("GOMAXPROCS", "")
	runtime.SetDefaultGOMAXPROCS()
	before := runtime.GOMAXPROCS(0)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		calmMonitor(ctx)
	}()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.GOMAXPROCS(0) != before+1 {
		if time.Now().After(deadline) {
			t.Fatalf("got %d processors, want %d", runtime.GOMAXPROCS(0), before+1)
		}
		time.Sleep(time.Millisecond)
	}
	work(3 * napping) // so that it naps
	stop()
	<-ended
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("got %d processors at the end, want the %d there were", got, before)
	}

	t.Setenv("GOMAXPROCS", "2")
	calmMonitor(t.Context()) // which returns at once
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("got %d processors, want the %d that the operator chose", got, before)
	}
}

func TestLoadIsBusy(t *testing.T) { // not in parallel: others would be its load
	var l load
	if l.isBusy() {
		t.Error("got busy before anything was measured")
	}
	deadline := time.Now().Add(10 * time.Second)
	for l.isBusy() {
		if time.Now().After(deadline) {
			t.Fatal("got busy, want a program that does nothing but nap to be idle")
		}
		for range 5 {
			naps()
		}
	}
	deadline = time.Now().Add(10 * time.Second)
	for work(napping); !l.isBusy(); work(napping) { // it may be others who had the processors meanwhile
		if time.Now().After(deadline) {
			t.Fatal("got idle, want a program that does nothing but work to be busy")
		}
	}
}

func work(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; { //nolint:revive // it is the load
	}
}
