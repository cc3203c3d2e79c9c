package app

import (
	"regexp"
	"sync"
	"testing"
)

// TestIDs makes ids of calls by many at once: none is made twice.
func TestIDs(t *testing.T) {
	var s ids
	var mu sync.Mutex
	seen, form := map[string]bool{}, regexp.MustCompile(`^call_[a-z2-7]{26}$`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				id := s.next()
				mu.Lock()
				if seen[id] || !form.MatchString(id) {
					t.Errorf("got id %q, seen before: %v", id, seen[id])
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
