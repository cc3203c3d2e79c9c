package bedrock

import "github.com/understudy-ai/understudy/dialect/forms"

// open is the blocks of a stream that are open, and what is known of each. The zero value has none.
type open[T any] struct {
	list   []opened[T]
	places forms.Places[int64] // of these, by their index
	n      int                 // how many have not ended
}

// opened is a block that has begun, with some others that have not ended.
type opened[T any] struct {
	wire   int64 // the vendor's index
	of     T
	isOpen bool
}

// find returns what is known of the open block of an index; nil if there is none.
func (o *open[T]) find(wire int64) *T {
	at := o.places.Find(wire)
	if at < 0 || !o.list[at].isOpen {
		return nil
	}
	return &o.list[at].of
}

// add opens a block. What it returns is good until the next is opened.
func (o *open[T]) add(wire int64, of T) *T {
	o.list = append(o.list, opened[T]{wire, of, true})
	o.places.Add(wire)
	o.n++
	return &o.list[len(o.list)-1].of
}

// end ends the open block of an index, if there is one. When none is left, all are forgotten.
func (o *open[T]) end(wire int64) {
	at := o.places.Find(wire)
	if at < 0 || !o.list[at].isOpen {
		return
	}
	var none T
	o.list[at].isOpen, o.list[at].of = false, none
	if o.n--; o.n == 0 {
		o.list = o.list[:0]
		o.places.Clear()
	}
}

// first is the index of the open block that began first.
func (o *open[T]) first() int64 {
	for i := range o.list {
		if o.list[i].isOpen {
			return o.list[i].wire
		}
	}
	return missing
}
