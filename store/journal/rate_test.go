package journal

import (
	"testing"
	"time"
)

// TestGather: a flush waits for more where calls come often, not where a few happen to come together.
func TestGather(t *testing.T) {
	const ms = time.Millisecond
	flushes := func(n, calls int, every time.Duration) []int {
		list := make([]int, 0, 2*n)
		for range n {
			list = append(list, calls, int(every))
		}
		return list
	}
	for name, tc := range map[string]struct {
		taken []int // calls and the time since the last flush, one after the other
		want  time.Duration
	}{
		"none yet":                        {nil, 0},
		"one each millisecond":            {flushes(100, 1, ms), 0},
		"two at once among them":          {append(flushes(100, 1, ms), 2, int(300*time.Microsecond)), 0},
		"three each millisecond":          {flushes(100, 3, ms), 500 * time.Microsecond},
		"all that 32 connections can ask": {flushes(100, 20, 2500*time.Microsecond), 2 * ms},
		"a crowd that has just come":      {flushes(2, 16, 300*time.Microsecond), 500 * time.Microsecond},
		"a stalled disk":                  {append(flushes(100, 1, ms), 60, int(60*ms)), 0},
		"quiet after a crowd":             {append(flushes(100, 20, 2500*time.Microsecond), 1, int(time.Minute)), 0},
		"at the same moment":              {flushes(1, 1, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			r := rate{at: now}
			for i := 0; i < len(tc.taken); i += 2 {
				now = now.Add(time.Duration(tc.taken[i+1]))
				r.took(tc.taken[i], now)
			}
			if got := r.gather(); got != tc.want {
				t.Errorf("%.2f calls a millisecond: got %v, want %v", r.calls, got, tc.want)
			}
		})
	}
}
