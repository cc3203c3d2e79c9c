package gateway

import "sync"

// memo keeps what is the same for many calls, found once.
type memo[K comparable, V any] struct {
	mu    sync.RWMutex
	known map[K]V
}

// maxMemo bounds how much is kept: clients choose tags, and names of models.
const maxMemo = 4096

// of is what there is of k, which find finds out where it is new.
func (m *memo[K, V]) of(k K, find func(K) V) V {
	m.mu.RLock()
	v, known := m.known[k]
	m.mu.RUnlock()
	if known {
		return v
	}
	v = find(k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMemo {
		m.known = map[K]V{}
	}
	m.known[k] = v
	return v
}

// forget drops all of it.
func (m *memo[K, V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = nil
}
