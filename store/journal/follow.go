package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// follower reads closed entries behind the journal and brings them into the store.
type follower struct {
	j       *Journal
	numbers []int64 // of the files that are not all in the store, the oldest first
	mark    budget.Mark
	known   bool        // the mark has been read
	unsure  []sent      // behind the mark
	base    int64       // the first attempt of this start
	earlier budget.Mark // where the entries of those before it end
	swept   bool
	lines   map[int64]*budget.Line
	reader  *reader
	caught  atomic.Pointer[budget.Mark] // how far all that is closed is in the store

	ready   chan struct{}
	hurry   chan struct{} // somebody waits for what there is
	end     chan struct{}
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // it bounds the goroutine, which is the follower
	running sync.WaitGroup
}

// sent is a batch of which nobody has said what became of it: it may come to be in the store any time.
type sent struct {
	to      budget.Mark
	entries int
}

// How the store is filled: after a while, so that there is a batch; at most so much at once; and
// how long to wait after a failure, twice as long after each.
const (
	fillEvery  = 500 * time.Millisecond
	maxBatch   = 4000
	firstRetry = 50 * time.Millisecond
	maxRetry   = 5 * time.Second
	writeLimit = 30 * time.Second
)

func newFollower(j *Journal, numbers []int64) *follower {
	f := &follower{
		j: j, numbers: numbers, base: j.next, earlier: j.end(), lines: map[int64]*budget.Line{},
		ready: make(chan struct{}, 1), hurry: make(chan struct{}, 1), end: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

func (f *follower) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// hasten has what there is written without waiting for more.
func (f *follower) hasten() {
	select {
	case f.hurry <- struct{}{}:
	default:
	}
}

// run fills the store until the journal is closed and all is in it, or time is up.
func (f *follower) run() {
	retry := firstRetry
	ending := false
	for {
		last := ending
		err := f.fill()
		switch {
		case err == nil:
			retry = firstRetry
			if f.j.behind.CompareAndSwap(true, false) {
				f.j.opts.Log.Info("the ledger's store is written again")
			}
			if last {
				f.release()
				return
			}
			select {
			case <-f.ready:
			case <-f.end:
				ending = true
				continue
			}
		case f.ctx.Err() != nil:
			return
		default:
			if f.j.behind.CompareAndSwap(false, true) {
				f.j.opts.Log.Error("the ledger's store cannot be written; entries wait in the journal", "error", err.Error())
			}
			retry = min(2*retry, maxRetry)
		}
		wait, hurry, end := fillEvery, f.hurry, f.end
		if err != nil {
			wait, hurry = retry, nil
		}
		if ending {
			end = nil
		}
		select {
		case <-time.After(wait):
		case <-hurry:
		case <-end:
			ending, retry = true, firstRetry
		case <-f.ctx.Done():
			return
		}
	}
}

// finish brings what is left into the store, as long as ctx allows.
func (f *follower) finish(ctx context.Context) {
	close(f.end)
	stop := context.AfterFunc(ctx, f.cancel)
	f.running.Wait()
	stop()
	f.cancel()
	if f.reader != nil {
		f.reader.close()
	}
}

// fill writes batches until the store has all that is durable.
func (f *follower) fill() error {
	ctx, cancel := context.WithTimeout(f.ctx, writeLimit)
	defer cancel()
	if !f.known {
		if err := f.find(ctx); err != nil {
			return err
		}
	}
	for {
		durable := *f.j.durable.Load()
		b, err := f.collect(durable)
		if err != nil {
			f.rewind() // it is past what the batch would have had
			return err
		}
		// What is only open need not be told; but files of starts in which nothing was closed are not kept for ever.
		idle := len(b.Entries) == 0 && f.numbers[0] < durable.File && f.j.kept.Load() > f.j.opts.MaxSize/2
		if idle {
			b.To = durable
		}
		if len(b.Entries) > 0 || idle {
			if err := f.bring(ctx, b); err != nil {
				return err
			}
			if f.mark.Before(b.To) { // what was sent before has come instead
				continue
			}
		}
		if len(b.Entries) < maxBatch {
			if durable.Before(f.earlier) {
				return nil // what closes attempts of earlier starts is still being written
			}
			if err := f.sweep(ctx); err != nil {
				return err
			}
			f.caught.Store(&durable)
			return nil
		}
	}
}

// sweep frees, once all entries from before this start are in the store, what is held for no entry.
func (f *follower) sweep(ctx context.Context) error {
	if f.swept {
		return nil
	}
	if err := f.j.opts.Store.Sweep(ctx, f.j.opts.Node, f.base-1); err != nil {
		return err
	}
	f.swept = true
	close(f.j.leases.swept)
	return nil
}

// release frees, when all entries are in the store, what this start has leased and not used.
func (f *follower) release() {
	f.j.mu.Lock()
	open, next, failed := len(f.j.open), f.j.next, f.j.failed
	f.j.mu.Unlock()
	if open > 0 || failed != nil || !f.j.leases.isUsed() {
		return
	}
	ctx, cancel := context.WithTimeout(f.ctx, writeLimit)
	defer cancel()
	if err := f.j.opts.Store.Sweep(ctx, f.j.opts.Node, next-1); err != nil { // the next start frees it, too
		f.j.opts.Log.Warn("what was leased of budgets is not given back", "error", err.Error())
	}
}

// find asks the store where it has come to.
func (f *follower) find(ctx context.Context) error {
	mark, err := f.j.opts.Store.Mark(ctx, f.j.opts.Node)
	if err != nil {
		return err
	}
	back := mark.Before(f.mark)
	if back {
		f.j.opts.Log.Warn("the ledger's store has gone back, as a standby does that was behind; what the journal still has is written again")
	}
	if first := f.numbers[0]; mark.File < first && (back || mark != (budget.Mark{})) {
		f.j.opts.Log.Error("the ledger has a gap: the store has come to a journal file that is no longer there; was an old copy of it restored?",
			"file", mark.File, "first", first)
	}
	f.mark, f.known, f.unsure = mark, true, nil
	return nil
}

// bring writes a batch, or finds that one that was sent before is there, and lets go of the files that are in the store.
func (f *follower) bring(ctx context.Context, b *budget.Batch) error {
	f.j.opts.Reach("before store")
	err := f.j.opts.Store.Write(ctx, b)
	if err != nil { // it may be there nevertheless
		mark, markErr := f.j.opts.Store.Mark(ctx, f.j.opts.Node)
		if markErr != nil || mark != b.To {
			f.rewind()
			if markErr == nil && f.hasCome(mark, b) {
				return nil
			}
			// One that is ahead of us is another process's doing, and is not followed.
			f.known = markErr != nil || !mark.Before(f.mark)
			if n := len(f.unsure); n == 0 || f.unsure[n-1].to != b.To {
				f.unsure = append(f.unsure, sent{b.To, len(b.Entries)})
			}
			return err
		}
	}
	f.j.opts.Reach("stored")
	f.reached(b.To, b.Entries)
	for len(f.numbers) > 1 && f.numbers[0] < f.mark.File {
		if err := os.Remove(pathOf(f.j.opts.Folder, f.numbers[0])); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		f.j.kept.Add(-f.j.opts.FileSize)
		f.numbers = f.numbers[1:]
	}
	return nil
}

// reached says that the store has come to a mark.
func (f *follower) reached(mark budget.Mark, entries []budget.Entry) {
	f.mark, f.unsure = mark, nil
	f.j.leases.posted(entries)
}

// hasCome reports whether the store is where a batch ends that was sent before. It holds what the one sent now begins with: all were
// collected from the mark on.
func (f *follower) hasCome(mark budget.Mark, b *budget.Batch) bool {
	i := slices.IndexFunc(f.unsure, func(s sent) bool { return s.to == mark })
	if i < 0 {
		return false
	}
	f.reached(mark, b.Entries[:f.unsure[i].entries])
	return true
}

// rewind reads again from the mark on.
func (f *follower) rewind() {
	if f.reader != nil {
		f.reader.close()
		f.reader = nil
	}
}

// collect reads what is durable behind the mark into a batch.
func (f *follower) collect(durable budget.Mark) (*budget.Batch, error) {
	b := &budget.Batch{Node: f.j.opts.Node, From: f.mark, To: f.mark}
	if durable.File == f.mark.File {
		const bytes = 200 // that an attempt leaves behind, about
		b.Entries = make([]budget.Entry, 0, min((durable.Offset-f.mark.Offset)/bytes, maxBatch))
	}
	used := map[int64]bool{}
	for len(b.Entries) < maxBatch {
		if f.reader == nil {
			if err := f.seek(f.following(f.mark.File-1, durable.File)); err != nil {
				return nil, err
			}
		}
		limit := int64(math.MaxInt64)
		if f.reader.number == durable.File {
			limit = durable.Offset
		}
		holds, body, err := f.reader.next(limit)
		switch {
		case (errors.Is(err, io.EOF) || errors.Is(err, errTorn)) && f.reader.number < durable.File:
			if err := f.seek(f.following(f.reader.number, durable.File)); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, io.EOF) && f.reader.at < limit:
			return nil, fmt.Errorf("the journal ends at %d, and was written up to %d: %w", f.reader.at, limit, errTorn)
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
		if err := f.take(b, used, holds, body); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// take adds what a record holds to the batch, if the store has not come past it.
func (f *follower) take(b *budget.Batch, used map[int64]bool, holds byte, body []byte) error {
	at := f.reader.mark()
	if holds == holdsLine {
		line, err := budget.ParseLine(body)
		if err != nil {
			return err
		}
		f.lines[line.ID()] = line
	} else if e, err := budget.ParseClosed(body); err != nil {
		return err
	} else if e.Kind != budget.Open && f.mark.Before(at) {
		line := f.lines[e.Line]
		if line == nil {
			return fmt.Errorf("the journal has no line %d of attempt %d", e.Line, e.Attempt)
		}
		if !used[e.Line] {
			used[e.Line] = true
			b.Lines = append(b.Lines, line)
		}
		b.Entries = append(b.Entries, e)
	}
	if b.To.Before(at) {
		b.To = at
	}
	return nil
}

// following is the file behind another one.
func (f *follower) following(number, last int64) int64 {
	for _, n := range f.numbers {
		if n > number {
			return n
		}
	}
	// Files of this start have numbers one after the other.
	n := number + 1
	if n <= last {
		f.numbers = append(f.numbers, n)
	}
	return n
}

// seek goes on at the beginning of a file: there are the lines of its entries.
func (f *follower) seek(number int64) error {
	f.rewind()
	r, err := openReader(pathOf(f.j.opts.Folder, number), number)
	if err != nil {
		return err
	}
	f.reader = r
	clear(f.lines)
	return nil
}
