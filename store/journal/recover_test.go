package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

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

// TestStoreIsLate has a store in which a batch comes to be after its writer was told that it failed, and has looked for it in vain: what
// was settled meanwhile is written behind it, and all of it once.
func TestStoreIsLate(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s)
	defer d.close()
	price, _ := prices(t, d)
	limit(d, budget.Limit{Account: "key:a", Period: budget.Ever, Most: 10 * price})
	const rounds = 3
	s.set(func() { s.late = rounds })
	for round := range rounds {
		for range 2 {
			n, err := d.reserve("a")
			if err != nil {
				t.Fatal(err)
			}
			d.settle(n)
		}
		for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			left := 0
			if s.set(func() { left = s.late }); left < rounds-round {
				break
			}
			if time.Now().After(until) {
				t.Fatal("got no batch that was late")
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.have(); got[budget.Estimated] != 2*rounds || len(got) != 1 {
		t.Errorf("got %v, want %d estimated", got, 2*rounds)
	}
	d.leases.mu.Lock()
	defer d.leases.mu.Unlock()
	if n := len(d.leases.spent); n > 0 {
		t.Errorf("got %d attempts that still hold what they were leased, want none: the store has them", n)
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

// TestDamaged changes a journal's bytes one by one between what was promised: what is missing then is told of, and what
// was there is kept. Nothing is made up.
func TestDamaged(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := openJournal(t, folder, newShelf())
	for range 4 {
		if _, err := d.reserve(""); err != nil {
			t.Fatal(err)
		}
	}
	end := d.durable.Load().Offset
	copied := copyFolder(t, folder)
	d.close()
	files, err := filepath.Glob(filepath.Join(copied, "*"+extension))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:end+1000] // a part of the zeros will do
	was, err := recoverFrom(copied)
	if err != nil || len(was.open) != 4 || len(was.damaged) != 0 {
		t.Fatalf("got %+v, %v, want four attempts", was, err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(files[0]))
	for at := range end {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			text := slices.Clone(whole)
			text[at] ^= mask
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			left, err := recoverFrom(filepath.Dir(path))
			if err != nil {
				t.Fatalf("byte %d: %v", at, err)
			}
			for n, e := range left.open {
				if !reflect.DeepEqual(e, was.open[n]) {
					t.Errorf("byte %d: got %+v, want it as it was or not at all", at, e)
				}
			}
			// In the last record it is as if a crash had torn it.
			if len(left.open) < 3 && len(left.damaged) != 1 || len(left.open) == 4 {
				t.Errorf("byte %d by %x: got %d attempts and damage %v, want it told of", at, mask, len(left.open), left.damaged)
			}
			for _, kept := range left.damaged {
				if got, err := os.ReadFile(kept); err != nil || !bytes.Equal(got, text) {
					t.Errorf("byte %d: got %d bytes kept, %v, want all", at, len(got), err)
				}
				_ = os.Remove(kept)
			}
		}
	}
	// Who starts the gateway reads it in the log.
	whole[0]++
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	revived := openJournal(t, filepath.Dir(path), newShelf())
	revived.close()
	if !strings.Contains(revived.log.String(), "the journal was damaged") {
		t.Errorf("got the log %s, want the damage in it", &revived.log)
	}
}
