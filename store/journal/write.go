package journal

import (
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// A flush costs as much for one as for many. When several came to the last one it waits a little for more, and
// longer when there were many: whoever is that busy has better use for what a flush costs.
const (
	gather     = 500 * time.Microsecond
	gatherMany = 2 * time.Millisecond
	many       = 8
)

// write makes durable what is pending, group by group, until the journal is closed.
func (j *Journal) write() {
	var spare []chunk
	last := 0 // how many came to the last one
	for open := true; open; {
		select {
		case <-j.wake:
		case <-j.stop:
			open = false
		}
		switch {
		case !open || last <= 1:
		case last < many:
			time.Sleep(gather)
		default:
			time.Sleep(gatherMany)
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
		last = g.waiting
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

// commit writes chunks and waits until they are durable.
func (j *Journal) commit(chunks []chunk) error {
	j.opts.Reach("before write")
	for i := range chunks {
		c := &chunks[i]
		if _, err := c.seg.file.WriteAt(c.buf, c.at); err != nil {
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
