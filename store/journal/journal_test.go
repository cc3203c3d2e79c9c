package journal

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/budget"
)

func TestMain(m *testing.M) {
	// They wait for the store or the disk for most of their time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("BUG: " + err.Error())
	}
	goleak.VerifyTestMain(m)
}

// patience is how long anything may take that only a failure keeps from coming: a disk that others write to, too, may take
// seconds for a flush.
const patience = time.Minute

// shelf is a store in memory, which can be made to fail.
type shelf struct {
	mu      sync.Mutex
	mark    budget.Mark
	entries map[int64]budget.Entry
	lines   map[int64]*budget.Line
	held    map[int64]bool
	swept   int64
	before  int   // entries that were there when it was swept
	down    bool  // writes fail
	lost    int   // so many writes succeed and fail to say so
	refuse  error // of every hold and draw
	silent  bool  // these are not answered
	draws   int
	drawn   map[budget.Key]budget.Money // posted and pending
}

func newShelf() *shelf {
	return &shelf{entries: map[int64]budget.Entry{}, lines: map[int64]*budget.Line{}, held: map[int64]bool{}, drawn: map[budget.Key]budget.Money{}}
}

var errDown = errors.New("the store is down")

func (s *shelf) Mark(context.Context, string) (budget.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return budget.Mark{}, errDown
	}
	return s.mark, nil
}

func (s *shelf) Write(_ context.Context, b *budget.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	if b.From != s.mark {
		return budget.ErrMark
	}
	for _, l := range b.Lines {
		s.lines[l.ID()] = l
	}
	for _, e := range b.Entries {
		if _, twice := s.entries[e.Attempt]; twice {
			return fmt.Errorf("attempt %d is closed twice", e.Attempt)
		}
		if s.lines[e.Line] == nil {
			return fmt.Errorf("attempt %d has no line", e.Attempt)
		}
		s.entries[e.Attempt] = e
		delete(s.held, e.Attempt)
	}
	s.mark = b.To
	if s.lost > 0 {
		s.lost--
		return errDown
	}
	return nil
}

// answers waits as a store does that says nothing.
func (s *shelf) answers(ctx context.Context) error {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func (s *shelf) Hold(ctx context.Context, _ string, h budget.Hold) ([]budget.Key, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.held[h.Attempt] = true
	return []budget.Key{{Account: h.Limits[0].Account, Period: budget.Ever}}, nil
}

func (s *shelf) Draw(ctx context.Context, _ budget.Lease, draws []budget.Draw) ([]budget.Money, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.draws++
	got := make([]budget.Money, len(draws))
	for i := range draws {
		amount, ok := draws[i].Grant(draws[i].Most - s.drawn[draws[i].Key])
		if !ok {
			return nil, draws[i].Refusal()
		}
		got[i] = amount
	}
	for i := range draws {
		s.drawn[draws[i].Key] += got[i]
	}
	return got, nil
}

func (s *shelf) Return(_ context.Context, _ budget.Lease, what map[budget.Key]budget.Money) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, amount := range what {
		s.drawn[k] -= amount
	}
	return nil
}

func (s *shelf) Sweep(_ context.Context, _ string, upTo int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swept, s.before = upTo, len(s.entries)
	for n := range s.held {
		if n <= upTo {
			delete(s.held, n)
		}
	}
	return nil
}

func (s *shelf) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// have is what is in the store, by kind.
func (s *shelf) have() map[budget.Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[budget.Kind]int{}
	for _, e := range s.entries {
		n[e.Kind]++
	}
	return n
}

type desk struct {
	*Journal
	t    *testing.T
	log  lockedText
	line *budget.Line
}

func openJournal(t *testing.T, folder string, s budget.Store, change ...func(*Options)) *desk {
	t.Helper()
	d := &desk{t: t}
	o := Options{Folder: folder, Node: "here", Store: s, Log: slog.New(slog.NewTextHandler(&d.log, nil)), Now: time.Now, FileSize: 1 << 20}
	for _, c := range change {
		c(&o)
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Journal = j
	d.line = budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Caller: "anonymous", Rates: budget.Cap()})
	return d
}

// lockedText is a log that may be read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (d *desk) reserve(key string) (int64, error) {
	return d.Reserve(d.t.Context(), &budget.Reservation{
		Call: "call_x", Ordinal: 1, Line: d.line, At: time.Now(), Most: budget.Tokens{Fresh: 10, Output: 100}, Payer: budget.Payer{Key: key},
	})
}

func (d *desk) settle(n int64) {
	r := budget.Result{Sent: true, Status: 200, Whole: true, Output: 50, Input: 10}
	d.Settle(n, &budget.Settlement{Outcome: r.Outcome(), At: time.Now(), Status: 200})
}

func (d *desk) close() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		d.t.Error(err)
	}
}

// copyFolder copies a journal as it is while it is written, as a crash would leave it.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*"+extension))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestAllArrive has many calls at once, over many files, in slow batches.
func TestAllArrive(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s, func(o *Options) { o.FileSize = 64 << 10 })
	const clients, each = 16, 200
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				n, err := d.reserve("")
				if err != nil {
					t.Error(err)
					return
				}
				d.settle(n)
			}
		})
	}
	all.Go(func() {
		for range 300 { // woken for nothing
			d.signal()
			time.Sleep(time.Millisecond)
		}
	})
	all.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.have(); got[budget.Estimated] != clients*each || len(got) != 1 {
		t.Errorf("got %v, want %d estimated", got, clients*each)
	}
	d.close()
	if files, _ := numbers(folder); len(files) > 2 {
		t.Errorf("got %d files left, want those removed that are in the store", len(files))
	}
	if log := d.log.String(); strings.Contains(log, "ERROR") {
		t.Errorf("log: got %s, want no error", log)
	}
}

// TestCrash copies the journal while calls run and opens the copy: what was reserved is there, once, settled or uncertain (I14).
func TestCrash(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s, func(o *Options) { o.FileSize = 64 << 10 })
	s.set(func() { s.down = true }) // all stays in the journal
	var mu sync.Mutex
	promised := map[int64]bool{}
	var all sync.WaitGroup
	stop := make(chan struct{})
	for client := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				n, err := d.reserve("")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				promised[n] = true
				mu.Unlock()
				if client > 0 || i%50 != 0 { // some are never settled
					d.settle(n)
				}
			}
		})
	}
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		want := make([]int64, 0, len(promised))
		for n := range promised {
			want = append(want, n)
		}
		mu.Unlock()
		other := newShelf()
		revived := openJournal(t, copyFolder(t, folder), other)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := revived.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		revived.close()
		for _, n := range want {
			e, ok := other.entries[n]
			if !ok || e.Kind == budget.Open {
				t.Fatalf("attempt %d was promised: got %v, %v, want it closed", n, e, ok)
			}
			if orphan := e.Flags.Has(budget.Orphan); orphan && (e.Kind != budget.Uncertain || e.Amount != e.Reserved) {
				t.Errorf("an orphan: got %v %v, want uncertain all that was reserved, %v", e.Kind, e.Amount, e.Reserved)
			}
		}
		// A second start finds nothing to do.
		again := newShelf()
		again.mark, again.entries, again.lines = other.mark, other.entries, other.lines
		before := len(other.entries)
		third := openJournal(t, revived.opts.Folder, again)
		if err := third.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		third.close()
		if len(again.entries) != before {
			t.Errorf("a second start: got %d entries, want the %d there were", len(again.entries), before)
		}
	}
	close(stop)
	all.Wait()
	s.set(func() { s.down = false })
	d.close()
}

// TestStoreIsDown refuses nothing while there is room, then everything, and brings all in when the store is back.
func TestStoreIsDown(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s, func(o *Options) { o.FileSize, o.MaxSize = 64<<10, 512<<10 })
	s.set(func() { s.down = true })
	taken := 0
	for {
		n, err := d.reserve("")
		if err != nil {
			if !errors.Is(err, budget.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
			}
			break
		}
		taken++
		d.settle(n)
		if taken > 50_000 {
			t.Fatal("got no refusal, want the journal bounded")
		}
	}
	s.set(func() { s.down, s.lost = false, 2 }) // the first commits succeed and fail to say so
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.have(); got[budget.Estimated] != taken {
		t.Errorf("got %v, want all %d", got, taken)
	}
	if n, err := d.reserve(""); err != nil {
		t.Errorf("with the store back: got %v, want a place", err)
	} else {
		d.settle(n)
	}
	d.close()
}

// TestFlushFails promises nothing any more once a flush has failed.
func TestFlushFails(t *testing.T) {
	t.Parallel()
	d := openJournal(t, t.TempDir(), newShelf())
	n, err := d.reserve("")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.current.file.Close(); err != nil { // as if the disk were gone
		t.Fatal(err)
	}
	for range 2 {
		if _, err := d.reserve(""); !errors.Is(err, budget.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
		}
	}
	d.settle(n)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := d.Close(ctx); err == nil {
		t.Error("close: got no error, want the failed flush")
	}
}

// TestHolds takes what is held only with a place in the journal, and frees what a crash left.
func TestHolds(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s)
	if err := d.SetLimits(t.Context(), []budget.Limit{{Account: "key:a", Period: budget.Day, Most: 100 * budget.USD, Strict: true}}); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.refuse = &budget.LimitError{Account: "key:a", Period: budget.Day} })
	var over *budget.LimitError
	if _, err := d.reserve("a"); !errors.As(err, &over) {
		t.Errorf("got %v, want the limit's refusal", err)
	}
	s.set(func() { s.refuse = errDown })
	if _, err := d.reserve("a"); !errors.Is(err, budget.ErrUnavailable) {
		t.Errorf("no store to ask: got %v, want %v", err, budget.ErrUnavailable)
	}
	if n, err := d.reserve(""); err != nil {
		t.Errorf("without a limit: got %v, want a place", err)
	} else {
		d.settle(n)
	}
	s.set(func() { s.refuse = nil })
	n, err := d.reserve("a")
	for until := time.Now().Add(5 * storePause); err != nil && time.Now().Before(until); n, err = d.reserve("a") {
		time.Sleep(storePause / 10) // a store that failed is left alone for a while
	}
	if err != nil {
		t.Fatal(err)
	}
	d.settle(n)
	d.settle(n) // is noted, and changes nothing
	s.set(func() { s.held[n-1] = true })
	d.close()
	if e := s.entries[n]; len(e.Windows) != 1 || e.Windows[0].Account != "key:a" {
		t.Errorf("got windows %v, want that of the key", e.Windows)
	}
	if !strings.Contains(d.log.String(), "settled twice") {
		t.Errorf("log: got %s, want it told of the second settlement", &d.log)
	}
	again := openJournal(t, folder, s)
	if err := again.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.close()
	if len(s.held) != 0 || s.swept < n {
		t.Errorf("got %v held after a start, want nothing", s.held)
	}
}

// TestIdleStarts starts more often without a call than there is room for files, and refuses nothing for that.
func TestIdleStarts(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	small := func(o *Options) { o.FileSize, o.MaxSize = 1<<20, 6<<20 }
	for range 8 {
		d := openJournal(t, folder, s, small)
		if err := d.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		n, err := numbers(folder)
		if err != nil || len(n) > 5 {
			t.Fatalf("got files %v, %v, want no more than there is room for", n, err)
		}
		d.close()
	}
	d := openJournal(t, folder, s, small)
	defer d.close()
	n, err := d.reserve("a")
	if err != nil {
		t.Fatal(err)
	}
	d.settle(n)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.have(); len(got) != 1 || strings.Contains(d.log.String(), "gap") {
		t.Errorf("got %v and the log %s, want the attempt that was made, and no gap", got, &d.log)
	}
}

// TestTorn cuts the last record short, at every byte.
func TestTorn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := openJournal(t, folder, newShelf())
	var last int64
	for range 3 {
		n, err := d.reserve("")
		if err != nil {
			t.Fatal(err)
		}
		last = n
	}
	end := d.durable.Load().Offset
	copied := copyFolder(t, folder)
	for _, n := range []int64{last - 2, last - 1, last} {
		d.settle(n)
	}
	d.close()
	files, err := filepath.Glob(filepath.Join(copied, "*"+extension))
	if err != nil {
		t.Fatal(err)
	}
	for cut := int64(1); cut < 60; cut += 7 {
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := end - cut; i < end; i++ {
			text[i] ^= 0x55
		}
		torn := t.TempDir()
		if err := os.WriteFile(filepath.Join(torn, filepath.Base(files[0])), text, 0o600); err != nil {
			t.Fatal(err)
		}
		left, err := recoverFrom(torn)
		if err != nil {
			t.Fatal(err)
		}
		if len(left.open) != 2 {
			t.Errorf("%d bytes torn off: got %d attempts, want the two that are whole", cut, len(left.open))
		}
	}
}

// TestNoRoom has a disk on which no other file can be made: calls are refused while there is still room to settle those
// that run.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s, func(o *Options) { o.FileSize = 64 << 10 })
	// The third file cannot be made where there is something already.
	if err := os.Mkdir(pathOf(folder, d.current.number+2), 0o700); err != nil {
		t.Fatal(err)
	}
	var open []int64
	for {
		n, err := d.reserve("")
		if err != nil {
			if !errors.Is(err, budget.ErrUnavailable) || !strings.Contains(err.Error(), "no room") {
				t.Errorf("got %v, want %v for want of room", err, budget.ErrUnavailable)
			}
			break
		}
		if open = append(open, n); len(open) > 10_000 {
			t.Fatal("got no refusal, want one before the file is full")
		}
	}
	for _, n := range open[:10] {
		d.settle(n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.have()[budget.Estimated]; got != 10 {
		t.Errorf("got %d settled, want 10", got)
	}
	if err := os.Remove(pathOf(folder, d.current.number+1)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n, err := d.reserve("")
		if err == nil {
			d.settle(n)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with room again: got %v, want a place", err)
		}
	}
	d.close()
}

// TestClock sets the clock back and forth while attempts run, and between starts: none is lost, none takes less than no time,
// and no number is used twice (K9).
func TestClock(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	at := time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC)
	var clock atomic.Pointer[time.Time] // which the journal also looks at by itself
	set := func(now time.Time) { at = now; clock.Store(&now) }
	seen := map[int64]bool{}
	for _, jump := range []time.Duration{0, -24 * time.Hour, time.Hour, 49 * time.Hour, -time.Hour, -400 * 24 * time.Hour} {
		set(at.Add(jump))
		d := openJournal(t, folder, s, func(o *Options) { o.Now = func() time.Time { return *clock.Load() } })
		for _, step := range []time.Duration{time.Second, -time.Hour, 25 * time.Hour, -48 * time.Hour} {
			n, err := d.Reserve(t.Context(), &budget.Reservation{Call: "call_x", Ordinal: 1, Line: d.line, At: at, Most: budget.Tokens{Fresh: 10}})
			if err != nil {
				t.Fatal(err)
			}
			if seen[n] {
				t.Errorf("after a jump of %v: got the number %d again, want another", jump, n)
			}
			seen[n] = true
			set(at.Add(step))
			d.Settle(n, &budget.Settlement{Outcome: budget.Outcome{Kind: budget.Void}, At: at})
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := d.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		d.close()
	}
	if got := s.have(); got[budget.Void] != len(seen) {
		t.Errorf("got %v, want %d", got, len(seen))
	}
	for n, e := range s.entries {
		if e.Took < 0 {
			t.Errorf("attempt %d: took %d ms, want no less than nothing", n, e.Took)
		}
	}
}

// TestStoreGoesBack has the store fall behind while it is written, as a standby does that takes over: what the journal still
// has is written again, and if that is not all, the log says so. A store that is ahead is somebody else's.
func TestStoreGoesBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		mark func(now budget.Mark) budget.Mark
		want string // in the log
		all  bool
	}{
		{"a little", func(m budget.Mark) budget.Mark { return budget.Mark{File: m.File, Offset: int64(headerSize)} }, "has gone back", true},
		{"too far", func(m budget.Mark) budget.Mark { return budget.Mark{File: m.File - 1, Offset: 99} }, "has a gap", true},
		{"ahead", func(m budget.Mark) budget.Mark { return budget.Mark{File: m.File + 9, Offset: 99} }, "cannot be written", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			d := openJournal(t, t.TempDir(), s)
			once := func() {
				n, err := d.reserve("")
				if err != nil {
					t.Fatal(err)
				}
				d.settle(n)
			}
			once()
			if err := d.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.set(func() { s.mark = tc.mark(s.mark); clear(s.entries) })
			once()
			for until := time.Now().Add(patience); !tc.all && !strings.Contains(d.log.String(), tc.want) && time.Now().Before(until); {
				time.Sleep(time.Millisecond) // until it has been tried
			}
			ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{true: patience, false: time.Second}[tc.all])
			defer cancel()
			if err := d.Sync(ctx); (err == nil) != tc.all {
				t.Errorf("got %v, want all written: %v", err, tc.all)
			}
			if got := len(s.entries); got != 2 && tc.all {
				t.Errorf("got %d entries, want both: the journal has them still", got)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_ = d.Close(ended) // not all may be in the store
			if log := d.log.String(); !strings.Contains(log, tc.want) {
				t.Errorf("log: got %s, want %q in it", log, tc.want)
			}
		})
	}
}
