package access

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRates spends a minute's at once, and then as they come back.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Rates
		draw := func(n int64, ok bool, remaining int64, wait time.Duration) {
			t.Helper()
			got := r.Draw(t.Context(), Draw{Name: "a", PerMinute: 60, N: n})
			if got.OK != ok || got.Remaining != remaining || got.Wait != wait {
				t.Errorf("got %+v, want %v with %d left and %v to wait", got, ok, remaining, wait)
			}
		}
		for i := range int64(60) {
			draw(1, true, 59-i, 0)
		}
		draw(1, false, 0, time.Second)
		time.Sleep(1500 * time.Millisecond)
		draw(2, false, 1, 500*time.Millisecond)
		draw(1, true, 0, 0)
		time.Sleep(24 * time.Hour)
		draw(1000, true, 0, 0) // more than there ever are: what is missing is waited for afterwards
		time.Sleep(15 * time.Minute)
		draw(1, false, 0, 16*time.Minute+40*time.Second+time.Second-minute-15*time.Minute)
		time.Sleep(3 * time.Minute)
		draw(60, true, 0, 0)
		if got := r.Draw(t.Context(), Draw{Name: "a", PerMinute: 60, N: 30, Owed: true}); !got.OK || got.Full != 90*time.Second {
			t.Errorf("got %+v, want what is owed taken", got)
		}
		draw(-60, true, 30, 0)
		draw(-1000, true, 60, 0)
	})
}

// TestRatesRace admits so many of those that come at once, and no more.
func TestRatesRace(t *testing.T) {
	var r Rates
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 512 {
		all.Go(func() {
			if r.Draw(t.Context(), Draw{Name: "a", PerMinute: 7, N: 1}).OK {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	if got := admitted.Load(); got != 7 {
		t.Errorf("got %d admitted, want 7", got)
	}
}
