package fastlane

import (
	"sync"
	"time"
)

const (
	// slack is how much later than asked for a distant deadline may come.
	slack   = time.Second
	distant = 10 * time.Second
)

// deadline is one of a connection's two deadlines. It is set in earnest only when something may have to be
// waited for, and not again for a little more time: that would cost as much as to read a head.
type deadline struct {
	apply func(time.Time) error

	mu      sync.Mutex
	want    time.Time // what was asked for; zero is never
	is      time.Time // as it is set
	busy    bool      // a read or write may be waiting
	stopped bool
}

// set says by when reads, or writes, must be over.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.busy {
		_ = d.settle() // if that fails the connection is closed already
	}
}

// begin is called before a read or a write, and over after it.
func (d *deadline) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = true
	return d.settle()
}

func (d *deadline) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy, d.stopped = false, false
}

// open lets reads wait for ever, until stop. It is over's to end that.
func (d *deadline) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil
	}
	return d.put(time.Time{})
}

// stop ends reads at once, and lets none wait until over.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	_ = d.put(time.Unix(1, 0)) // if that fails the connection is closed, and nothing waits
}

func (d *deadline) settle() error {
	if d.want.IsZero() {
		return d.put(d.want)
	}
	far := time.Until(d.want) > distant
	if more := d.is.Sub(d.want); far && 0 <= more && more <= slack {
		return nil
	}
	if far {
		return d.put(d.want.Add(slack))
	}
	return d.put(d.want)
}

func (d *deadline) put(t time.Time) error {
	if t.Equal(d.is) {
		return nil
	}
	d.is = t
	return d.apply(t)
}
