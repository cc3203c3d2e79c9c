package gateway

import "sync"

// maxOwners bounds how many objects are remembered; the oldest are forgotten first.
const maxOwners = 1 << 16

// owners remembers which provider keeps an object: a file, a batch, a stored answer. What
// one provider has made, no other knows. It is lost when the program ends; then every
// provider that may have an object is asked for it.
type owners struct {
	mu    sync.Mutex
	of    map[string]string // provider by the object's id
	order []string          // ids, the oldest first
}

// put remembers that a provider keeps an object.
func (o *owners) put(id, provider string) {
	const longest = 256
	if id == "" || len(id) > longest {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = make(map[string]string)
	}
	if _, known := o.of[id]; !known {
		if len(o.order) == maxOwners {
			delete(o.of, o.order[0])
			o.order = o.order[1:]
		}
		o.order = append(o.order, id)
	}
	o.of[id] = provider
}

// get returns the provider that keeps an object, if it is known.
func (o *owners) get(id string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.of[id]
	return p, ok
}
