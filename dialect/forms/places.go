package forms

// Places finds where in a list something with a key is, without a look at all of what is there when that is much. The
// zero value is that of an empty list.
type Places[K comparable] struct {
	few  []K // the keys, in order
	many map[K]int
}

// fewPlaces is for how many a look at all is faster.
const fewPlaces = 16

// Find returns the latest place of a key; -1 if it has none.
func (p *Places[K]) Find(key K) int {
	if p.many != nil {
		if at, ok := p.many[key]; ok {
			return at
		}
		return -1
	}
	for i := len(p.few) - 1; i >= 0; i-- {
		if p.few[i] == key {
			return i
		}
	}
	return -1
}

// Set gives what is at a place another key.
func (p *Places[K]) Set(at int, key K) {
	if p.few[at] = key; p.many != nil {
		p.many[key] = max(at, p.many[key])
	}
}

// Clear makes the list empty.
func (p *Places[K]) Clear() { p.few, p.many = p.few[:0], nil }

// Add notes that something with a key is now the last in the list.
func (p *Places[K]) Add(key K) {
	if p.few = append(p.few, key); p.many != nil {
		p.many[key] = len(p.few) - 1
	} else if len(p.few) > fewPlaces {
		p.many = make(map[K]int, 2*fewPlaces)
		for i, k := range p.few {
			p.many[k] = i
		}
	}
}
