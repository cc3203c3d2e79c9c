package journal

import (
	"errors"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// doubtful is a gateway among others whose store does not always say what it has done (K6).
type doubtful struct {
	*desk
	s           *shelf
	k           budget.Limit
	price, cost budget.Money
}

func openDoubtful(t *testing.T, strict bool) *doubtful {
	t.Helper()
	d := &doubtful{s: newShelf(), k: budget.Limit{Account: "key:a", Period: budget.Ever, Strict: strict}}
	d.desk = openJournal(t, t.TempDir(), d.s, func(o *Options) { o.StoreTime = time.Second / 5 })
	t.Cleanup(d.close)
	d.price, d.cost = prices(t, d.desk)
	d.k.Most = 160 * d.price
	limit(d.desk, d.k)
	<-d.leases.swept
	return d
}

// until tidies, as every second, until the store and the lease are as they are wanted.
func (d *doubtful) until(what string, is func(pending budget.Money, held int, doubt *doubt) bool) {
	d.t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_ = d.leases.tidy(d.t.Context())
		var pending budget.Money
		var held int
		d.s.set(func() { pending, held = d.s.drawn[d.k.Key(time.Now())], len(d.s.held) })
		d.leases.mu.Lock()
		now := d.leases.doubt
		d.leases.mu.Unlock()
		if is(pending, held, &now) {
			return
		}
		if time.Now().After(until) {
			d.t.Fatalf("got %v posted and pending, %d attempts held and %+v, want %s", pending, held, now, what)
		}
	}
}

// free waits until nothing is pending but what was spent.
func (d *doubtful) free(spent budget.Money) {
	d.t.Helper()
	d.until("nothing pending but what was spent, "+spent.String(), func(pending budget.Money, held int, doubt *doubt) bool {
		return pending == spent && held == 0 && !doubt.is && doubt.left == 0
	})
}

// TestReturnInDoubt gives back once what may have been given back, while an attempt runs that was reserved before.
func TestReturnInDoubt(t *testing.T) {
	t.Parallel()
	d := openDoubtful(t, false)
	n := d.wants("a", true)
	d.s.set(func() { d.s.doubt = 1 })
	d.until("doubt", func(_ budget.Money, _ int, doubt *doubt) bool { return doubt.is })
	d.until("another lease", func(pending budget.Money, _ int, doubt *doubt) bool {
		if pending != d.price {
			t.Fatalf("got %v pending, want what runs, %v, at any time", pending, d.price)
		}
		return doubt.since > n
	})
	if _, err := d.leases.reserve(t.Context(), budget.Hold{Attempt: n, At: time.Now(), Amount: 1, Limits: []budget.Limit{d.k}}); !errors.Is(err, errRenewed) {
		t.Errorf("an attempt from before: got %v, want %v", err, errRenewed)
	}
	more, err := d.reserve("a")
	for until := time.Now().Add(patience); err != nil && time.Now().Before(until); more, err = d.reserve("a") {
		time.Sleep(time.Millisecond) // a store that failed is left alone for a while
	}
	if err != nil {
		t.Fatal(err)
	}
	d.settle(more)
	if got := d.s.swept; got >= n {
		t.Errorf("got the lease of attempt %d freed up to %d, want it kept while that runs", n, got)
	}
	d.settle(n)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.free(2 * d.cost)
}

// TestReservedInDoubt frees what was drawn and not known to be, and what an attempt holds that was not made.
func TestReservedInDoubt(t *testing.T) {
	for name, strict := range map[string]bool{"draw": false, "hold": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoubtful(t, strict)
			d.s.set(func() { d.s.doubt = 1 })
			if _, err := d.reserve("a"); !errors.Is(err, budget.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, budget.ErrUnavailable)
			}
			d.free(0)
		})
	}
}
