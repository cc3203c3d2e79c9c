package redis

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// well reports whether Redis has answered all that was asked. A busy machine may take too long for one answer: then what was
// counted says nothing, and a test begins anew.
func well(all ...*Rates) bool {
	for _, r := range all {
		if r.failed.Load() {
			return false
		}
	}
	return true
}

// again runs a test on a few keys, until Redis was well all the while.
func again(t *testing.T, test func(key string) (isWell bool)) {
	t.Helper()
	for range 5 {
		if test(unique("web")) {
			return
		}
		time.Sleep(2 * probeEvery)
	}
	t.Error("got Redis too slow five times, want it once in time")
}

// warm makes a gateway known to Redis, however long that takes.
func warm(t *testing.T, r *Rates) {
	t.Helper()
	drawn(t, r, access.Draw{Name: unique("warm:"), PerMinute: 1, N: 1})
}

// TestPlacesTogether has three gateways enter many calls of one key at once: as many are inside as may be, and when all have
// left, as many again.
func TestPlacesTogether(t *testing.T) {
	address := server(t)
	var nodes []*Rates
	for range 3 {
		r, _ := opened(t, address)
		warm(t, r)
		nodes = append(nodes, r)
	}
	again(t, func(key string) bool {
		const most = 7
		for range 2 {
			var mu sync.Mutex
			inside := map[*Rates][]access.Place{}
			var n atomic.Int64
			var all sync.WaitGroup
			for _, r := range nodes {
				all.Go(func() { // as many at a time as may ask
					for range 50 {
						if p, ok := r.Enter(key, most); ok {
							n.Add(1)
							mu.Lock()
							inside[r] = append(inside[r], p)
							mu.Unlock()
						}
					}
				})
			}
			all.Wait()
			if !well(nodes...) {
				return false
			}
			if n.Load() != most {
				t.Errorf("got %d calls inside, want %d", n.Load(), most)
			}
			for r, places := range inside {
				for _, p := range places {
					r.Leave(p)
				}
			}
			if !well(nodes...) {
				return false
			}
		}
		return true
	})
}

// TestPlacesOfTheDead has a gateway die with calls inside: its places are free a while later, and those of one that lives
// are not, however long they last.
func TestPlacesOfTheDead(t *testing.T) {
	address := server(t)
	again(t, func(key string) bool {
		lives, _ := opened(t, address)
		dies, err := open(address, slog.New(slog.DiscardHandler), shortPlace)
		if err != nil {
			t.Fatal(err)
		}
		warm(t, lives)
		warm(t, dies)
		stays, ok := lives.Enter(key, 2)
		_, also := dies.Enter(key, 2)
		_, more := lives.Enter(key, 2)
		isWell := well(lives, dies)
		dies.Close() // without leaving
		if !isWell {
			return false
		}
		if !ok || !also || more {
			t.Fatalf("got %v, %v and %v, want two inside and a third refused", ok, also, more)
		}
		var next access.Place
		began := time.Now()
		for ok = false; !ok && time.Since(began) < 10*shortPlace; time.Sleep(shortPlace / 20) {
			next, ok = lives.Enter(key, 2)
		}
		if took := time.Since(began); well(lives) && (!ok || took < shortPlace/4 || took > 3*shortPlace) {
			t.Errorf("got a place %v after %v, want it about %v after the other gateway died", ok, took, shortPlace)
		}
		time.Sleep(2 * shortPlace) // both are renewed meanwhile
		_, more = lives.Enter(key, 2)
		if isWell = well(lives); isWell && more {
			t.Error("got a third inside, want those that run counted as long as they do")
		}
		lives.Leave(stays)
		lives.Leave(next)
		return isWell
	})
}

// TestPlacesAlone counts here while nothing answers, and forgets no call that ends meanwhile.
func TestPlacesAlone(t *testing.T) {
	r, _ := opened(t, "redis://127.0.0.1:1")
	var inside []access.Place
	for range 3 {
		if p, ok := r.Enter("web", 2); ok {
			inside = append(inside, p)
		}
	}
	if len(inside) != 2 {
		t.Fatalf("got %d inside, want 2", len(inside))
	}
	for _, p := range inside {
		r.Leave(p)
	}
	if _, ok := r.Enter("web", 2); !ok {
		t.Error("got a place that was left taken")
	}
	if calls, gone := r.inside.all(); len(calls["web"]) != 1 || len(gone["web"]) != 2 {
		t.Errorf("got %v inside and %v to be told of, want one and two", calls, gone)
	}
}
