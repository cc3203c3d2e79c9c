package dialect

// Waiting is what waits for an answer, in order, each found by the keys it has: tool calls wait for their results. A
// client chooses how many there are and in which order they are answered, so nothing here is searched.
type Waiting[T any] struct {
	order []*waiting[T] // answered ones stay until they stand first
	queue map[string][]*waiting[T]
	left  int
}

type waiting[T any] struct {
	value    T
	answered bool
}

// Add lets v wait, to be found by each of the keys.
func (w *Waiting[T]) Add(v T, keys ...string) {
	if w.queue == nil {
		w.queue = make(map[string][]*waiting[T])
	}
	one := &waiting[T]{value: v}
	w.order = append(w.order, one)
	for _, key := range keys {
		w.queue[key] = append(w.queue[key], one)
	}
	w.left++
}

// Take returns the first that waits with a key, which then waits no more.
func (w *Waiting[T]) Take(key string) (v T, ok bool) {
	queue := w.queue[key]
	for len(queue) > 0 && queue[0].answered {
		queue = queue[1:]
	}
	if len(queue) == 0 {
		delete(w.queue, key)
		return v, false
	}
	w.queue[key] = queue[1:]
	queue[0].answered = true
	w.left--
	return queue[0].value, true
}

// Len is how many wait.
func (w *Waiting[T]) Len() int { return w.left }

// First is the first of all that wait; there must be one.
func (w *Waiting[T]) First() T {
	for w.order[0].answered {
		w.order = w.order[1:]
	}
	return w.order[0].value
}

// Unused finds names that nothing has been given yet, without trying again what was tried for the same name.
type Unused struct {
	used  map[string]bool
	tried map[string]int // by the name: how many were made of it
}

// Has reports whether a name is taken.
func (u *Unused) Has(name string) bool { return u.used[name] }

// Take returns name if it is good and nothing has it, else the first of what try makes of 0, 1, 2 … that is so.
func (u *Unused) Take(name string, isGood bool, try func(n int) string) string {
	if u.used == nil {
		u.used, u.tried = make(map[string]bool), make(map[string]int)
	}
	given := name
	if !isGood || u.used[given] {
		n := u.tried[name]
		for given = try(n); u.used[given]; given = try(n) {
			n++
		}
		u.tried[name] = n + 1
	}
	u.used[given] = true
	return given
}
