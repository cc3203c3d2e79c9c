package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPause: calls that failed together do not come back together, and none waits for long (F13).
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 200
		begun := time.Now()
		ends := make(chan time.Duration, calls)
		for range calls {
			go func() {
				c := &call{}
				c.pause()
				ends <- time.Since(begun)
			}()
		}
		tenths := map[time.Duration]int{}
		for range calls {
			waited := <-ends
			if waited > maxPause {
				t.Errorf("got a wait of %v, want at most %v", waited, maxPause)
			}
			tenths[waited/(maxPause/10)]++
		}
		for i := range time.Duration(10) {
			if n := tenths[i]; n == 0 || n > calls/3 {
				t.Errorf("got %d of %d calls back in the tenth part %d of the time, want them spread", n, calls, i)
			}
		}
	})
}
