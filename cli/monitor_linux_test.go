package cli

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestCalmMonitor(t *testing.T) { // not in parallel: it changes how many goroutines may run
	before := runtime.GOMAXPROCS(0)
	t.Setenv("GOMAXPROCS", "")
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
			t.Fatal("got busy, want an idle program to be idle")
		}
		time.Sleep(200 * time.Millisecond)
	}
	for begun := time.Now(); time.Since(begun) < 50*time.Millisecond; { //nolint:revive // it is the load
	}
	if !l.isBusy() {
		t.Error("got idle, want busy")
	}
}
