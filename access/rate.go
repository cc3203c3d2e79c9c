package access

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Draw asks for some of what a caller may have in a minute.
type Draw struct {
	Name      string // what is counted, and whose it is
	PerMinute int64  // how many it may have; never 0
	N         int64  // how many are wanted; less than none gives back
	// Owed takes them although there may be too few left: they were had already.
	Owed bool
}

// Level is how a caller stands to a limit after a Draw.
type Level struct {
	OK        bool
	Remaining int64
	Wait      time.Duration // until there are as many as were wanted; 0 if there were
	Full      time.Duration // until all that are possible are there again
}

// minute is how long what a caller has not used adds up.
const minute = time.Minute

// Cost is the time in which as many as a draw wants come back.
func (d *Draw) Cost() time.Duration {
	return time.Duration(float64(d.N) * float64(minute) / float64(d.PerMinute))
}

// LevelAt is the level where all that is missing comes back in a time; cost is that of the draw, if it was refused.
func (d *Draw) LevelAt(missing, cost time.Duration, ok bool) Level {
	l := Level{OK: ok, Full: max(missing, 0)}
	l.Remaining = max(int64(float64(minute-missing)*float64(d.PerMinute)/float64(minute)), 0)
	if !ok {
		l.Wait = max(missing+min(cost, minute)-minute, time.Millisecond)
	}
	return l
}

// Rates counts what callers have by the minute and at once, on one gateway. What is not used comes back evenly, up to a
// minute's. The zero Rates are full.
type Rates struct {
	mu      sync.RWMutex
	begun   time.Time // its clock does not jump
	from    map[string]*bucket
	running map[string]*atomic.Int64 // calls, by key
}

// Place is a call's among those of its key that run at once. The zero Place is none.
type Place struct {
	Key string
	ID  int64 // tells places of a key apart, where somebody gave it one

	calls *atomic.Int64
}

// bucket is when all of a limit is there again.
type bucket struct {
	mu   sync.Mutex
	full time.Duration // since Rates began
}

// Draw takes what is wanted, all or nothing. A draw of more than a minute's is granted when all is there.
func (r *Rates) Draw(_ context.Context, d Draw) Level {
	r.mu.RLock()
	b, begun := r.from[d.Name], r.begun
	r.mu.RUnlock()
	if b == nil {
		b, begun = r.open(d.Name)
	}
	now, cost := time.Since(begun), d.Cost()
	b.mu.Lock()
	defer b.mu.Unlock()
	missing := max(b.full-now, 0)
	if !d.Owed && missing+min(cost, minute) > minute {
		return d.LevelAt(missing, cost, false)
	}
	missing = max(missing+cost, 0)
	b.full = now + missing
	return d.LevelAt(missing, cost, true)
}

func (r *Rates) open(name string) (*bucket, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.from == nil {
		r.from, r.begun = map[string]*bucket{}, time.Now()
	}
	b := r.from[name]
	if b == nil {
		b = &bucket{}
		r.from[name] = b
	}
	return b, r.begun
}

// Enter takes a place among the calls of a key, of which so many may run at once.
func (r *Rates) Enter(key string, most int64) (Place, bool) {
	r.mu.RLock()
	n := r.running[key]
	r.mu.RUnlock()
	if n == nil {
		n = r.count(key)
	}
	if n.Add(1) > most {
		n.Add(-1)
		return Place{}, false
	}
	return Place{Key: key, calls: n}, true
}

func (r *Rates) count(key string) *atomic.Int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		r.running = map[string]*atomic.Int64{}
	}
	if r.running[key] == nil {
		r.running[key] = &atomic.Int64{}
	}
	return r.running[key]
}

// Leave gives a place back.
func (r *Rates) Leave(p Place) { p.calls.Add(-1) }
