package gateway

import "sync"

// maxOwners bounds how many objects are remembered; the oldest are forgotten first.
const maxOwners = 1 << 16

// owners remembers which provider keeps an object: a file, a batch, a stored answer. What
// one provider has made, no other knows. It is lost when the program ends; then every
// provider that may have an object is asked for it.
type owners struct {
	mu    sync.Mutex
	of    map[string]kept // by the object's id
	order []string        // ids, the oldest first
}

// kept is what is known of an object.
type kept struct {
	provider string
	// uncounted says that it was made here, and that what it used has not been counted: an
	// answer in the background, or a batch, tells that only when it is looked up.
	uncounted bool
}

// put remembers that a provider keeps an object; made says that it was made just now, if it was
// not known before.
func (o *owners) put(id, provider string, made bool) {
	const longest = 256
	if id == "" || len(id) > longest {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = make(map[string]kept)
	}
	was, known := o.of[id]
	if !known {
		if len(o.order) == maxOwners {
			delete(o.of, o.order[0])
			o.order = o.order[1:]
		}
		o.order = append(o.order, id)
	}
	o.of[id] = kept{provider, was.uncounted || made && !known}
}

// count reports whether what an object used is yet to be counted; it is not asked twice.
func (o *owners) count(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	k, ok := o.of[id]
	if !ok || !k.uncounted {
		return false
	}
	o.of[id] = kept{provider: k.provider}
	return true
}

// get returns the provider that keeps an object, if it is known.
func (o *owners) get(id string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k, ok := o.of[id]
	return k.provider, ok
}

// keeps notes that an attempt's answer is kept by its provider.
func (c *call) keeps(a *attempt, id string) {
	a.object = id
	c.g.owners.put(id, a.target.Provider.ID, true)
}
