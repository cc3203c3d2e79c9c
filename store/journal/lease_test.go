package journal

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// price is what desk's attempts reserve, and cost is what they come to.
func prices(t *testing.T, d *desk) (price, cost budget.Money) {
	t.Helper()
	price, err := d.line.Rates.Cost(budget.Tokens{Fresh: 10, Output: 100})
	if err != nil {
		t.Fatal(err)
	}
	if cost, err = d.line.Rates.Cost(budget.Tokens{Fresh: 10, Output: 50}); err != nil {
		t.Fatal(err)
	}
	return price, cost
}

func limit(d *desk, l budget.Limit) {
	d.t.Helper()
	if err := d.SetLimits(d.t.Context(), []budget.Limit{l}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) wants(key string, admitted bool) int64 {
	d.t.Helper()
	n, err := d.reserve(key)
	var over *budget.LimitError
	if (err == nil) != admitted || err != nil && !errors.As(err, &over) {
		d.t.Fatalf("got %v, want it admitted: %v", err, admitted)
	}
	return n
}

// TestAlone spends a limit to the end, on one gateway: what is left is drawn once, and what an attempt has not used
// is there again at once.
func TestAlone(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s, func(o *Options) { o.Alone = true })
	defer d.close()
	price, cost := prices(t, d)
	k := budget.Limit{Account: "key:a", Period: budget.Ever, Most: 3*price + cost}
	limit(d, k)
	<-d.leases.swept // until then a refusal asks the store twice
	first := d.wants("a", true)
	d.wants("a", true)
	third := d.wants("a", true)
	d.wants("a", false)
	d.wants("b", true) // has no limit
	if s.draws != 2 {
		t.Errorf("got %d draws, want one of all that is left, and one more try", s.draws)
	}
	d.settle(first)
	d.wants("a", true) // what is left of the first and the rest
	d.wants("a", false)
	d.settle(third)
	limit(d, budget.Limit{Account: k.Account, Period: k.Period, Most: 2 * price}) // less than is spent
	d.wants("a", false)
	limit(d, budget.Limit{Account: k.Account, Period: k.Period, Most: 9 * price})
	d.wants("a", true)
	limit(d, budget.Limit{Account: k.Account, Period: k.Period, Most: 1, Soft: true})
	soft := d.wants("a", true)
	d.settle(soft)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := s.entries[soft]; len(e.Windows) != 1 {
		t.Errorf("got windows %v of an attempt under a soft limit, want it counted", e.Windows)
	}
}

// TestSweepsLast frees what an earlier start had leased only when the store has all that was spent of it: what ran
// when that ended is there as well, however long the journal takes to write it down.
func TestSweepsLast(t *testing.T) {
	t.Parallel()
	s := newShelf()
	folder := t.TempDir()
	d := openJournal(t, folder, s)
	price, _ := prices(t, d)
	limit(d, budget.Limit{Account: "key:a", Period: budget.Ever, Most: price})
	d.wants("a", true)
	left := copyFolder(t, folder)
	d.close()
	s.set(func() { s.mark, s.swept = budget.Mark{}, 0 })
	again := openJournal(t, left, s, func(o *Options) {
		o.Reach = func(point string) {
			const slow = 200 * time.Millisecond
			swept := func() (is bool) {
				s.set(func() { is = s.swept > 0 })
				return is
			}
			for until := time.Now().Add(slow); point == "before write" && !swept() && time.Now().Before(until); {
				time.Sleep(slow / 100)
			}
		}
	})
	defer again.close()
	<-again.leases.swept
	if s.before != 1 {
		t.Errorf("got %d attempts in the store when it was swept, want the one that ran", s.before)
	}
}

// TestShared draws parts of what is left, and gives back what it does not use.
func TestShared(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s)
	defer d.close()
	price, _ := prices(t, d)
	k := budget.Limit{Account: "key:a", Period: budget.Ever, Most: 160 * price}
	limit(d, k)
	n := d.wants("a", true)
	drawn := func() (m budget.Money) {
		s.set(func() { m = s.drawn[k.Key(time.Now())] })
		return m
	}
	if got := drawn(); got != 10*price {
		t.Errorf("got %v drawn, want a sixteenth of what is left, %v", got, 10*price)
	}
	for until := time.Now().Add(patience); drawn() != price; time.Sleep(tidyEvery / 20) {
		if time.Now().After(until) {
			t.Fatalf("got %v drawn, want no more than runs, %v, when nobody has asked for a while", drawn(), price)
		}
	}
	d.settle(n)
}

// TestStoreIsGone spends what is leased and refuses the rest, without waiting for a store that is gone.
func TestStoreIsGone(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s)
	defer d.close()
	price, _ := prices(t, d)
	limit(d, budget.Limit{Account: "key:a", Period: budget.Ever, Most: 32 * price})
	d.wants("a", true)
	s.set(func() { s.refuse = errDown })
	d.wants("a", true)
	for range 3 {
		if _, err := d.reserve("a"); !errors.Is(err, budget.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
		}
	}
	if s.draws != 1 {
		t.Errorf("got %d draws, want the one that succeeded", s.draws)
	}
	d.wants("b", true)
}

// TestKeptWhileStoreIsGone keeps what is leased while the store does not answer, however long nobody asks for it.
func TestKeptWhileStoreIsGone(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s)
	defer d.close()
	price, _ := prices(t, d)
	k := budget.Limit{Account: "key:a", Period: budget.Ever, Most: 64 * price}
	limit(d, k)
	n := d.wants("a", true)
	s.set(func() { s.down, s.refuse = true, errDown })
	for range 3 {
		_ = d.leases.tidy(t.Context()) // as every second
	}
	if got := d.Free(k.Key(time.Now())); got != 3*price {
		t.Errorf("got %v left of what is leased, want %v", got, 3*price)
	}
	more := d.wants("a", true)
	s.set(func() { s.down, s.refuse = false, nil })
	d.settle(n)
	d.settle(more)
}

// TestStoreIsSilent has a store that does not answer: each time that one call tries it again, the others are refused at once.
func TestStoreIsSilent(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	for name, strict := range map[string]bool{"leased": false, "strict": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			d := openJournal(t, t.TempDir(), s, func(o *Options) { o.StoreTime = wait })
			defer d.close()
			price, _ := prices(t, d)
			limit(d, budget.Limit{Account: "key:a", Period: budget.Ever, Most: 1000 * price, Strict: strict})
			s.set(func() { s.silent = true })
			if _, err := d.reserve("a"); !errors.Is(err, budget.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
			}
			time.Sleep(wait / 2)
			var slow atomic.Int64
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					begun := time.Now()
					if _, err := d.reserve("a"); !errors.Is(err, budget.ErrUnavailable) {
						t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
					}
					if time.Since(begun) > wait/2 {
						slow.Add(1)
					}
				})
			}
			all.Wait()
			if n, most := slow.Load(), map[bool]int64{false: 1, true: maxHolding}[strict]; n < 1 || n > most {
				t.Errorf("got %d of 50 calls that waited, want one, or %d at most", n, most)
			}
			s.set(func() { s.silent = false })
			for until := time.Now().Add(patience); ; time.Sleep(wait / 20) {
				if n, err := d.reserve("a"); err == nil {
					d.settle(n)
					break
				}
				if time.Now().After(until) {
					t.Fatal("got calls refused, want them served when the store answers again")
				}
			}
		})
	}
}

// TestNoPlace gives up what was taken for an attempt that is not made.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	s := newShelf()
	d := openJournal(t, t.TempDir(), s, func(o *Options) { o.Alone = true })
	defer d.close()
	price, _ := prices(t, d)
	limits := []budget.Limit{{Account: "key:a", Period: budget.Ever, Most: price}, {Account: "key:a", Period: budget.Day, Most: price, Strict: true}}
	if err := d.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	hold := budget.Hold{Attempt: 7, At: time.Now(), Amount: price, Limits: limits}
	d.leases.undo(7, price) // nothing to give up
	if _, err := d.leases.reserve(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
	d.leases.undo(7, price)
	hold.Attempt = 8
	if keys, err := d.leases.reserve(t.Context(), hold); err != nil || len(keys) != 2 {
		t.Errorf("got %v, %v, want the place of the one that was given up", keys, err)
	}
}

// TestExtend reserves more for an attempt that runs, while there is some, and lets go of what it has not used.
func TestExtend(t *testing.T) {
	s := newShelf()
	d := openJournal(t, t.TempDir(), s, func(o *Options) { o.Alone = true })
	defer d.close()
	price, cost := prices(t, d)
	limit(d, budget.Limit{Account: "key:a", Period: budget.Ever, Most: 3 * price})
	n := d.wants("a", true)
	extend := func(times int64, want bool) {
		t.Helper()
		err := d.Extend(t.Context(), n, budget.Tokens{Fresh: 10, Output: 100 * times})
		var over *budget.LimitError
		if (err == nil) != want || err != nil && !errors.As(err, &over) {
			t.Errorf("%d times: got %v, want it reserved: %v", times, err, want)
		}
	}
	extend(1, true) // it has so much
	extend(2, true)
	d.wants("a", true)
	extend(3, false)
	extend(2, true)
	d.settle(n)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := s.entries[n]; e.Amount != cost || e.Reserved <= price || e.Flags&budget.Overrun != 0 {
		t.Errorf("got %+v, want all that was reserved, and nothing beyond it", e)
	}
	d.wants("a", true) // what it has not used
	unlimited := d.wants("b", true)
	n = unlimited
	extend(1000, true)
	limit(d, budget.Limit{Account: "key:c", Period: budget.Ever, Most: 9 * price, Strict: true})
	n = d.wants("c", true)
	extend(2, false)
}
