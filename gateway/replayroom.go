package gateway

import (
	"sync"
	"time"
)

// ReplayRoom bounds what the answers that a store keeps take together. What they take is summed up in the store from time
// to time and not for each of them, since there may be a million. The zero ReplayRoom is empty.
type ReplayRoom struct {
	mu    sync.Mutex
	taken int64
	until time.Time // when it is to be summed up again
}

// sumEvery is how long a sum holds. What is forgotten meanwhile is room later.
const sumEvery = 10 * time.Second

// Take reports whether an answer of a size finds room, and takes it then. sum is what is taken in the store.
func (r *ReplayRoom) Take(size, most int64, sum func() (int64, error)) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.After(r.until) {
		taken, err := sum()
		if err != nil {
			return false, err
		}
		r.taken, r.until = taken, now.Add(sumEvery)
	}
	if r.taken+size > most {
		return false, nil
	}
	r.taken += size
	return true, nil
}
