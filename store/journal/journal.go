// Package journal is the ledger as the gateway sees it: a file that entries are appended to, which
// a call waits for until they are durable, and from which a store is filled in batches. Calls that
// come together share one flush. The database is off the path of a call, and may be slow or gone
// for a while: the journal grows, within a bound, and is filled in later. What an attempt cost is
// said by package budget, and where entries go in the end is a store's business.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
)

var _ gateway.Ledger = (*Journal)(nil)

// Options is what a Journal is opened with.
type Options struct {
	Folder string // where its files are, for this process alone
	Node   string // the gateway's name in the store
	Store  budget.Store
	// Alone says that no other gateway draws on the store's limits.
	Alone bool
	Log   *slog.Logger
	Now   func() time.Time
	// FileSize is when the next file begins, but for the first, which may be smaller. MaxSize is
	// how much may wait for a store that cannot be written; 8 MiB and 256 MiB if not given.
	FileSize, MaxSize int64
	// StoreTime is how long a call waits for the store; 2 s if not given.
	StoreTime time.Duration
	// Reach is called at named points, for tests that end the process there; nil does nothing.
	Reach func(point string)
}

func (o *Options) complete() {
	if o.FileSize == 0 {
		o.FileSize = 8 << 20
	}
	if o.MaxSize == 0 {
		o.MaxSize = 256 << 20
	}
	if o.StoreTime == 0 {
		o.StoreTime = 2 * time.Second
	}
	if o.Reach == nil {
		o.Reach = func(string) {}
	}
}

// firstSize is how large the file is that a start waits for.
const firstSize = 1 << 20

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	opts Options

	mu      sync.Mutex
	current *segment
	written *segment // the file of the latest flush; only the writer's
	spare   *segment // the next file; nil while it is not asked for, is being made, or cannot be
	asked   bool     // for the next file
	cramped bool     // it could not be made
	pending []chunk  // given and not yet written
	group   *group   // of those who wait for pending
	open    map[int64]*budget.Entry
	lines   map[int64]*budget.Line // those that the current file has
	next    int64                  // the next attempt's number
	failed  error                  // why nothing more is promised
	closed  bool
	timer   *time.Timer // wakes the writer for what nobody waits for
	later   bool        // it runs

	durable atomic.Pointer[budget.Mark]
	kept    atomic.Int64 // bytes of all files, were they all of FileSize
	behind  atomic.Bool  // the store cannot be written

	wake, wantSpare chan struct{}
	stop            chan struct{}
	writing, making sync.WaitGroup
	follower        *follower
	leases          *leases
}

// chunk is what goes into one file.
type chunk struct {
	seg *segment
	at  int64
	buf []byte
}

// group is the reservations that one flush makes durable.
type group struct {
	done    chan struct{}
	err     error
	waiting int
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// Open opens the journal of a folder, which it makes if there is none. Attempts that ran when the
// gateway last ended without closing them are closed as uncertain. Close it.
func Open(o Options) (*Journal, error) {
	o.complete()
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the journal's folder: %w", err)
	}
	left, err := recoverFrom(o.Folder)
	if err != nil {
		return nil, err
	}
	for _, path := range left.damaged {
		o.Log.Error("the journal was damaged, and the ledger may lack what was in it; what it was is kept", "file", path)
	}
	now := o.Now()
	first := max(left.lastFile+1, now.UnixMilli())
	current, err := create(o.Folder, first, min(o.FileSize, firstSize))
	if err != nil {
		return nil, err
	}
	j := &Journal{
		opts: o, current: current, group: newGroup(), open: map[int64]*budget.Entry{}, lines: map[int64]*budget.Line{},
		// A number is never used twice, even if the journal was lost and the store was not.
		next: max(left.lastAttempt+1, now.UnixMicro()),
		wake: make(chan struct{}, 1), wantSpare: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	j.timer = time.AfterFunc(unhurried, j.signal)
	j.durable.Store(&budget.Mark{File: first, Offset: int64(headerSize)})
	j.kept.Store(int64(left.files+1) * o.FileSize)
	j.closeOrphans(left, now)
	j.follower = newFollower(j, append(left.numbers, first))
	j.leases = newLeases(&o, j.next, func() {
		j.follower.signal()
		j.follower.hasten()
	})
	j.writing.Go(j.write)
	j.making.Go(j.makeSpares)
	j.making.Go(func() { j.leases.run(j.stop) })
	j.follower.running.Go(j.follower.run)
	j.signal()
	return j, nil
}

// closeOrphans closes what nobody will settle any more. What such an attempt cost is not known and
// cannot be more than was reserved, so that is posted until somebody knows better.
func (j *Journal) closeOrphans(left *leftover, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range left.open {
		e.Kind, e.Amount, e.Flags = budget.Uncertain, e.Reserved, e.Flags|budget.Orphan|budget.Wasted
		e.Took = max(now.UnixMilli()-e.At, 0)
		j.append(&e, left.lines[e.Line])
	}
	if n := len(left.open); n > 0 {
		j.opts.Log.Warn("attempts that ran when the gateway last ended are in the ledger as uncertain", "attempts", n)
	}
}

// Reserve writes down an attempt and returns its number when that is durable. Whoever gets one
// settles it, once.
func (j *Journal) Reserve(ctx context.Context, r *budget.Reservation) (int64, error) {
	most, err := r.Line.Rates.Cost(r.Most)
	if err != nil {
		return 0, fmt.Errorf("price the attempt: %w", err)
	}
	e := &budget.Entry{
		Call: r.Call, Ordinal: r.Ordinal, Line: r.Line.ID(), Reserved: most, At: r.At.UnixMilli(),
	}
	if err := j.begin(ctx, e, r); err != nil {
		return 0, err
	}
	j.mu.Lock()
	if j.failed != nil || j.closed {
		j.mu.Unlock()
		j.leases.undo(e.Attempt, most)
		return 0, j.unavailable()
	}
	j.append(e, r.Line)
	j.open[e.Attempt] = e
	g := j.group
	g.waiting++
	j.mu.Unlock()
	j.signal()
	<-g.done
	if g.err != nil {
		return 0, g.err
	}
	return e.Attempt, nil
}

// begin gives an attempt its number, and reserves in the windows of those who pay.
func (j *Journal) begin(ctx context.Context, e *budget.Entry, r *budget.Reservation) error {
	limits := j.leases.of(&r.Payer)
	for {
		n, err := j.admit()
		if err != nil {
			return err
		}
		if e.Attempt = n; len(limits) == 0 || e.Reserved == 0 {
			return nil
		}
		e.Windows, err = j.leases.reserve(ctx, budget.Hold{Attempt: n, At: r.At, Amount: e.Reserved, Limits: limits})
		if err == nil {
			j.opts.Reach("held")
		}
		if !errors.Is(err, errRenewed) {
			return err
		}
	}
}

// admit gives an attempt its number, if there is room for it and for its settlement.
func (j *Journal) admit() (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	const room = 8 // of a file's room one part is for settlements, where no other file can be made
	switch {
	case j.failed != nil, j.closed:
		return 0, j.unavailable()
	case j.cramped && j.current.off > j.current.size-j.current.size/room:
		return 0, fmt.Errorf("%w: there is no room for another journal file", budget.ErrUnavailable)
	case j.kept.Load() > j.opts.MaxSize:
		return 0, fmt.Errorf("%w: the store has been gone for too long", budget.ErrUnavailable)
	}
	j.next++
	return j.next - 1, nil
}

func (j *Journal) unavailable() error {
	if j.failed == nil {
		return fmt.Errorf("%w: it is closed", budget.ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", budget.ErrUnavailable, j.failed)
}

// Settle closes an attempt. It does not wait: if the gateway dies before it is durable, the
// attempt is uncertain.
func (j *Journal) Settle(attempt int64, s *budget.Settlement) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.open[attempt]
	if !ok {
		j.opts.Log.Error("an attempt was settled twice, or never reserved", "attempt", attempt)
		return
	}
	delete(j.open, attempt)
	line := s.Line
	if line == nil {
		line = j.lines[e.Line]
	}
	e.Took = max(s.At.UnixMilli()-e.At, 0)
	e.Kind, e.Tokens, e.Status, e.Code = s.Outcome.Kind, s.Outcome.Tokens, int64(s.Status), s.Code
	e.Line = line.ID()
	var err error
	if e.Amount, err = line.Rates.Cost(e.Tokens); err != nil {
		panic("BUG: journal: an outcome that has no price: " + err.Error())
	}
	e.Flags = s.Flags
	if s.Outcome.Rejected {
		e.Flags |= budget.Rejected
	}
	if e.Amount > e.Reserved {
		e.Flags |= budget.Overrun
	}
	if len(e.Windows) > 0 {
		j.leases.settle(attempt, e.Reserved, e.Amount)
	}
	j.append(e, line)
	// Nobody waits for it, so it goes with the next reservation, or a little later.
	if !j.later {
		j.later = true
		j.timer.Reset(unhurried)
	}
}

// unhurried is how long a settlement may wait for a reservation to go with.
const unhurried = 20 * time.Millisecond

// append gives an entry to the current file, or the next one.
func (j *Journal) append(e *budget.Entry, line *budget.Line) {
	const most = 4 << 10 // of an entry and its line, nearly always
	switch size := j.current.size; {
	case j.current.off+most > size && j.spare != nil:
		j.rotate()
	case j.current.off > size/2 && !j.asked:
		j.asked = true
		j.wantSpare <- struct{}{} // has room: it is asked for once
	}
	if j.lines[e.Line] == nil {
		j.lines[e.Line] = line
		j.put(holdsLine, line)
	}
	j.put(holdsEntry, e)
}

// rotate goes on in the next file. What is open is written again there, so that no file is needed
// when its closed entries are in the store.
func (j *Journal) rotate() {
	j.current, j.spare, j.asked = j.spare, nil, false
	lines := j.lines
	j.lines = make(map[int64]*budget.Line, len(lines))
	for _, e := range j.open {
		if j.lines[e.Line] == nil {
			j.lines[e.Line] = lines[e.Line]
			j.put(holdsLine, lines[e.Line])
		}
		j.put(holdsEntry, e)
	}
}

// put frames a record into what is pending for the current file.
func (j *Journal) put(holds byte, what appender) {
	n := len(j.pending)
	if n == 0 || j.pending[n-1].seg != j.current {
		var buf []byte
		if cap(j.pending) > n {
			buf = j.pending[:n+1][n].buf[:0] // of a chunk that was written
		}
		j.pending = append(j.pending, chunk{j.current, j.current.off, buf})
		n++
	}
	c := &j.pending[n-1]
	before := len(c.buf)
	c.buf = appendRecord(c.buf, holds, what)
	j.current.off += int64(len(c.buf) - before)
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// SetLimits puts limits in force, in the place of those before.
func (j *Journal) SetLimits(ctx context.Context, limits []budget.Limit) error {
	return j.leases.set(ctx, limits)
}

// IsBroken reports whether nothing can be reserved any more, because a flush has failed.
func (j *Journal) IsBroken() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed != nil
}

// Behind reports whether the store cannot be written, so that entries wait in the journal.
func (j *Journal) Behind() bool { return j.behind.Load() }

// end is where the journal ends when all that was given to it is written.
func (j *Journal) end() budget.Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return budget.Mark{File: j.current.number, Offset: j.current.off}
}

// Sync returns when what is settled by now is in the store, or ctx ends.
func (j *Journal) Sync(ctx context.Context) error {
	end := j.end()
	const look = 5 * time.Millisecond
	for {
		if caught := j.follower.caught.Load(); caught != nil && !caught.Before(end) {
			return nil
		}
		j.signal()
		j.follower.hasten()
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the store: %w", context.Cause(ctx))
		case <-time.After(look):
		}
	}
}

// Close writes what there is, fills the store as far as ctx allows, and ends. What does not come
// into the store is there at the next start.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	j.timer.Stop()
	j.writing.Wait()
	j.making.Wait()
	j.follower.finish(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	err := errors.Join(j.failed, j.current.file.Close())
	if j.spare != nil {
		err = errors.Join(err, j.spare.file.Close(), os.Remove(pathOf(j.opts.Folder, j.spare.number)))
	}
	if err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}
