package journal

import (
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// write makes durable what is pending, group by group, until the journal is closed.
func (j *Journal) write() {
	var spare []chunk
	comes := rate{at: time.Now()}
	for open := true; open; {
		select {
		case <-j.wake:
		case <-j.stop:
			open = false
		}
		if wait := comes.gather(); open && wait > 0 {
			time.Sleep(wait)
		}
		j.mu.Lock()
		chunks, g := j.pending, j.group
		j.pending, j.group = spare[:0], newGroup()
		failed := j.failed
		if j.later {
			j.later = false
			j.timer.Stop()
		}
		j.mu.Unlock()
		comes.took(g.waiting, time.Now())
		spare = chunks // when they are written; never what is pending now
		if len(chunks) == 0 {
			continue
		}
		if failed == nil {
			failed = j.commit(chunks)
		}
		if failed != nil {
			g.err = j.fail(failed)
		}
		close(g.done)
	}
}

// rate is how many calls come in a millisecond, of late.
type rate struct {
	calls float64
	at    time.Time // up to when they are counted
}

// recent is how far back a rate looks: two calls that happen to come together are no crowd.
const recent = 10 * time.Millisecond

// took counts what a flush is for.
func (r *rate) took(calls int, now time.Time) {
	passed := max(now.Sub(r.at), time.Microsecond)
	r.at = now
	share := float64(passed) / float64(passed+recent)
	r.calls += (float64(calls)/(float64(passed)/float64(time.Millisecond)) - r.calls) * share
}

// gather is how long to wait for more before a flush, which costs as much for one as for many: not at all where few
// would come, who would all be late for little, and longer where there are many: whoever is that busy has better use for
// what flushes cost.
func (r *rate) gather() time.Duration {
	switch {
	case r.calls < 2:
		return 0
	case r.calls < 6:
		return 500 * time.Microsecond
	default:
		return 2 * time.Millisecond
	}
}

// commit writes chunks and waits until they are durable.
func (j *Journal) commit(chunks []chunk) error {
	j.opts.Reach("before write")
	for i := range chunks {
		c := &chunks[i]
		if err := c.seg.write(c.buf, c.at); err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
		j.opts.Reach("written")
		if err := flush(c.seg.file); err != nil {
			return fmt.Errorf("flush the journal: %w", err)
		}
		if j.written != nil && j.written != c.seg {
			_ = j.written.file.Close() // all of it is durable
		}
		j.written = c.seg
	}
	j.opts.Reach("flushed")
	last := &chunks[len(chunks)-1]
	j.durable.Store(&budget.Mark{File: last.seg.number, Offset: last.at + int64(len(last.buf))})
	j.follower.signal()
	return nil
}

// fail ends all promises. A flush that failed may have lost what it was for, and a second one that
// succeeds says nothing about that: only a new start, which reads what is there, can tell.
func (j *Journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = err
		j.opts.Log.Error("the ledger cannot be written; calls are refused until the gateway is started again", "error", err.Error())
	}
	return j.unavailable()
}

// retrySpare is how long to wait where a file could not be made.
const retrySpare = 250 * time.Millisecond

// makeSpares makes the next file, each time that the current one is half full: most starts need none.
func (j *Journal) makeSpares() {
	var retry <-chan time.Time
	for {
		select {
		case <-j.wantSpare:
		case <-retry:
		case <-j.stop:
			return
		}
		j.mu.Lock()
		number := j.current.number + 1
		j.mu.Unlock()
		seg, err := create(j.opts.Folder, number, j.opts.FileSize)
		j.mu.Lock()
		j.spare, j.cramped = seg, err != nil
		j.mu.Unlock()
		if err != nil {
			j.opts.Log.Warn("no room for another journal file", "error", err.Error())
			retry = time.After(retrySpare)
			continue
		}
		j.kept.Add(j.opts.FileSize)
		retry = nil
	}
}
