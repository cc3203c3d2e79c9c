package journal

import (
	"context"
	"errors"
	"flag"
	"os"
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
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic("BUG: " + err.Error())
	}
	goleak.VerifyTestMain(m)
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

// TestReadFails has the disk return something else for a while: what the store lacks is read again, from its mark on.
func TestReadFails(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s)
	s.set(func() { s.down = true }) // all stays in the journal
	const calls = 60
	for range calls {
		n, err := d.reserve("")
		if err != nil {
			t.Fatal(err)
		}
		d.settle(n)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Close(over); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.down = false })
	number := d.current.number
	r, err := openReader(pathOf(folder, number), number)
	if err != nil {
		t.Fatal(err)
	}
	for range calls {
		if _, _, err := r.next(d.end().Offset); err != nil {
			t.Fatal(err)
		}
	}
	r.close()
	f, err := os.OpenFile(pathOf(folder, number), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var frame [frameSize]byte
	if _, err := f.ReadAt(frame[:], r.at); err != nil {
		t.Fatal(err)
	}
	late := newFollower(d.Journal, []int64{number})
	defer late.finish(over)
	for _, read := range []struct {
		what [frameSize]byte
		want error
	}{{[frameSize]byte{0xff}, errTorn}, {[frameSize]byte{}, errTorn}, {frame, nil}} {
		if _, err := f.WriteAt(read.what[:], r.at); err != nil {
			t.Fatal(err)
		}
		if err := late.fill(); !errors.Is(err, read.want) {
			t.Errorf("with %x in a record's place: got %v, want %v", read.what, err, read.want)
		}
	}
	if got := s.have()[budget.Estimated]; got != calls {
		t.Errorf("got %d entries in the store, want %d", got, calls)
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
	for until := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(until); n, err = d.reserve("a") {
		time.Sleep(100 * time.Millisecond) // a store that failed is left alone for a while
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
