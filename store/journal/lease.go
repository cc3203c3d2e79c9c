package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// leases are what this gateway may spend in the windows of limits without asking the store. Only it spends
// from them, so memory says what is left: an attempt costs a look under a lock, and what it has not used is there
// again when it is over. The store has them as pending until their entries are written, or they are given back.
type leases struct {
	store budget.Store
	lease budget.Lease // of attempts from now on; changed by whoever draws
	share int64        // of what is left, the part that is drawn
	// wait bounds the time that a call waits for the store. For half of it the store is then left alone;
	// meanwhile calls that need it are refused at once, and so are all others while one tries again.
	wait time.Duration
	now  func() time.Time

	limits atomic.Pointer[map[string][]budget.Limit] // by account; nil if there are none

	holding chan struct{} // for those that hold something in the store themselves
	drawing sync.Mutex    // for whoever asks the store for more
	swept   chan struct{} // closed when what earlier starts had leased is free again
	hurry   func()        // makes that happen soon

	mu      sync.Mutex
	windows map[budget.Key]*window
	spent   map[int64][]*window // by attempts under limits whose entries are not yet in the store
	owed    map[budget.Key]budget.Money
	doubt   doubt
	failed  error     // why the store did not answer;
	again   time.Time // until then it is left alone
}

// window is what is leased of one.
type window struct {
	budget.Key
	since  int64        // of the lease that it is part of
	most   budget.Money // the limit that it was drawn under
	drawn  budget.Money // as the store has it
	free   budget.Money // less than nothing where attempts cost more than they had reserved
	slice  budget.Money // the latest draw
	open   int          // attempts in spent, and those that run
	used   bool         // since the latest tidying
	lacked budget.Money // so much was refused,
	until  time.Time    // and will be until then
}

const (
	// evenShare is what a gateway draws of what a window has left, where there are others.
	evenShare = 16
	// lackTime is how long a refusal stands: others may give back what they do not use.
	lackTime = 50 * time.Millisecond
	// tidyEvery is how often what is not used is given back.
	tidyEvery = time.Second
	// maxHolding is how many attempts reserve in the store at a time.
	maxHolding = 4
)

func newLeases(o *Options, since int64, hurry func()) *leases {
	share := int64(evenShare)
	if o.Alone {
		share = 1
	}
	return &leases{
		store: o.Store, lease: budget.Lease{Node: o.Node, Since: since}, share: share, wait: o.StoreTime, now: o.Now,
		swept: make(chan struct{}), hurry: hurry, holding: make(chan struct{}, maxHolding),
		windows: map[budget.Key]*window{}, spent: map[int64][]*window{}, owed: map[budget.Key]budget.Money{},
	}
}

// of lists the limits of those who pay.
func (l *leases) of(p *budget.Payer) []budget.Limit {
	table := l.limits.Load()
	if table == nil {
		return nil
	}
	var found []budget.Limit
	for _, account := range p.Accounts() {
		found = append(found, (*table)[account]...)
	}
	return found
}

// set puts limits in force. What was drawn under another limit is given back.
func (l *leases) set(ctx context.Context, limits []budget.Limit) error {
	var table *map[string][]budget.Limit
	if len(limits) > 0 {
		table = &map[string][]budget.Limit{}
		for _, limit := range limits {
			(*table)[limit.Account] = append((*table)[limit.Account], limit)
		}
	}
	l.drawing.Lock()
	defer l.drawing.Unlock()
	l.limits.Store(table)
	l.mu.Lock()
	for _, w := range l.windows {
		i := slices.IndexFunc(limits, func(m budget.Limit) bool { return m.Account == w.Account && m.Period == w.Period })
		if i < 0 || limits[i].Most != w.most || limits[i].Soft || limits[i].Strict {
			l.giveBack(w, w.free)
		}
		w.until = time.Time{}
	}
	l.mu.Unlock()
	return l.pay(ctx)
}

// reserve takes an amount in the windows of limits, in all of them or in none, and returns these.
func (l *leases) reserve(ctx context.Context, h budget.Hold) ([]budget.Key, error) {
	keys := make([]budget.Key, 0, len(h.Limits))
	strict := budget.Hold{Attempt: h.Attempt, At: h.At, Amount: h.Amount}
	var leased []*window
	l.mu.Lock()
	if !l.doubt.enter(h.Attempt) {
		l.mu.Unlock()
		return nil, errRenewed
	}
	for _, limit := range h.Limits {
		k := limit.Key(h.At)
		switch {
		case limit.Soft:
			keys = append(keys, k)
		case limit.Strict:
			strict.Limits = append(strict.Limits, limit)
		default:
			keys = append(keys, k)
			w := l.windows[k]
			if w == nil {
				w = &window{Key: k, since: l.lease.Since}
				l.windows[k] = w
			}
			w.most = limit.Most
			leased = append(leased, w)
		}
	}
	for _, w := range leased {
		w.open++ // so that it stays
	}
	slices.SortFunc(leased, func(a, b *window) int { return a.Compare(b.Key) })
	l.spent[h.Attempt] = leased
	l.mu.Unlock()
	if err := l.take(ctx, leased, h.Amount); err != nil {
		l.undo(h.Attempt, 0)
		return nil, err
	}
	if len(strict.Limits) > 0 {
		held, err := l.hold(ctx, strict)
		if err != nil {
			l.undo(h.Attempt, h.Amount)
			return nil, err
		}
		keys = append(keys, held...)
	}
	slices.SortFunc(keys, budget.Key.Compare)
	return keys, nil
}

func leave(windows []*window) {
	for _, w := range windows {
		w.open--
	}
}

// undo gives up what an attempt took that is not made.
func (l *leases) undo(attempt int64, amount budget.Money) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.spent[attempt] {
		w.free += amount
	}
	leave(l.spent[attempt])
	delete(l.spent, attempt)
}

// take takes an amount in all windows, and draws what they lack.
func (l *leases) take(ctx context.Context, windows []*window, amount budget.Money) error {
	for {
		l.mu.Lock()
		if !slices.ContainsFunc(windows, func(w *window) bool { return w.free < amount }) {
			for _, w := range windows {
				w.free -= amount
				w.used = true
			}
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		if err := l.draw(ctx, windows, amount); err != nil {
			return err
		}
	}
}

// draw asks the store for what windows lack.
func (l *leases) draw(ctx context.Context, windows []*window, amount budget.Money) error {
	if failed := l.failure(); failed == nil {
		l.drawing.Lock()
	} else if !l.drawing.TryLock() {
		return failed // another asks already, perhaps in vain
	}
	defer l.drawing.Unlock()
	windows, draws, err := l.lacking(windows, amount)
	if err != nil || len(draws) == 0 {
		return err
	}
	got, err := l.ask(ctx, windows[0].since, draws)
	var over *budget.LimitError
	if errors.As(err, &over) && l.awaitSweep(ctx) {
		got, err = l.ask(ctx, windows[0].since, draws)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.As(err, &over):
		for i, w := range windows {
			if w.Account == over.Account && w.Period == over.Period {
				w.lacked, w.until = draws[i].Need, l.now().Add(lackTime)
			}
		}
		return err
	case err != nil:
		return err
	}
	for i, w := range windows {
		w.drawn += got[i]
		w.free += got[i]
		w.slice = got[i]
	}
	return nil
}

// lacking is which windows lack something, and what, or the refusal that still stands.
func (l *leases) lacking(windows []*window, amount budget.Money) (short []*window, draws []budget.Draw, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, w := range windows {
		need := amount - w.free
		if need <= 0 {
			continue
		}
		if now.Before(w.until) && need >= w.lacked {
			return nil, nil, w.Refusal()
		}
		short = append(short, w)
		draws = append(draws, budget.Draw{Key: w.Key, Most: w.most, Need: need, Share: l.share})
	}
	return short, draws, nil
}

func (l *leases) ask(ctx context.Context, since int64, draws []budget.Draw) (got []budget.Money, err error) {
	err = l.call(ctx, func(ctx context.Context) error {
		got, err = l.store.Draw(ctx, budget.Lease{Node: l.lease.Node, Since: since}, draws)
		return err
	})
	return got, err
}

// hold reserves in the store itself, a few attempts at a time: all those under one limit would wait for one row.
func (l *leases) hold(ctx context.Context, h budget.Hold) (keys []budget.Key, err error) {
	if failed := l.failure(); failed != nil && len(l.holding) > 0 {
		return nil, failed // others ask already, perhaps in vain
	}
	select {
	case l.holding <- struct{}{}:
		defer func() { <-l.holding }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", budget.ErrUnavailable, context.Cause(ctx))
	}
	ask := func(ctx context.Context) error {
		keys, err = l.store.Hold(ctx, l.lease.Node, h)
		return err
	}
	err = l.call(ctx, ask)
	var over *budget.LimitError
	if errors.As(err, &over) && l.awaitSweep(ctx) {
		err = l.call(ctx, ask)
	}
	return keys, err
}

// failure is why the store did not answer when it was last asked; nil if it did.
func (l *leases) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// call asks the store something, and waits no longer than a call may. A client that leaves changes nothing: whether
// the store did it would not be known.
func (l *leases) call(ctx context.Context, ask func(context.Context) error) error {
	l.mu.Lock()
	failed, again := l.failed, l.again
	l.mu.Unlock()
	if failed != nil && l.now().Before(again) {
		return failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.wait)
	defer cancel()
	err := ask(ctx)
	var over *budget.LimitError
	if err != nil && !errors.As(err, &over) {
		err = fmt.Errorf("%w: %w", budget.ErrUnavailable, err)
		failed = err
	} else {
		failed = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed, l.again = failed, l.now().Add(l.wait/2)
	l.doubt.is = l.doubt.is || errors.Is(err, budget.ErrInDoubt)
	return err
}

// awaitSweep waits until what earlier starts had leased is free again; not if it is already.
func (l *leases) awaitSweep(ctx context.Context) bool {
	select {
	case <-l.swept:
		return false
	default:
	}
	l.hurry()
	select {
	case <-l.swept:
		return true
	case <-time.After(l.wait):
		return false
	case <-ctx.Done():
		return false
	}
}

// settle lets go of what an attempt has not used.
func (l *leases) settle(attempt int64, reserved, amount budget.Money) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.spent[attempt] {
		w.free += reserved - amount
	}
}

// posted notes that entries are in the store, which has taken what they cost from the leases.
func (l *leases) posted(entries []budget.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spent) == 0 {
		return
	}
	for i := range entries {
		e := &entries[i]
		for _, w := range l.spent[e.Attempt] {
			taken := min(e.Amount, w.drawn)
			w.drawn -= taken
			w.free += e.Amount - taken // the store has it as posted
		}
		leave(l.spent[e.Attempt])
		delete(l.spent, e.Attempt)
	}
}

// giveBack puts a part of what is free aside.
func (l *leases) giveBack(w *window, part budget.Money) {
	if part <= 0 {
		return
	}
	w.free -= part
	w.drawn -= part
	l.owed[w.Key] += part
}

// pay gives what was put aside back to the store.
func (l *leases) pay(ctx context.Context) error {
	l.mu.Lock()
	owed := l.owed
	l.owed = map[budget.Key]budget.Money{}
	l.mu.Unlock()
	if len(owed) == 0 {
		return nil
	}
	err := l.call(ctx, func(ctx context.Context) error { return l.store.Return(ctx, l.lease, owed) })
	if err != nil {
		if !errors.Is(err, budget.ErrInDoubt) { // else the store may have it, and would take it twice
			l.mu.Lock()
			defer l.mu.Unlock()
			for k, amount := range owed {
				l.owed[k] += amount
			}
		}
		return fmt.Errorf("give back what is leased: %w", err)
	}
	return nil
}

// tidy gives back what is not used: in windows that are over, and where others may need it. While the store does not answer
// nobody can use it but this gateway, which keeps it.
func (l *leases) tidy(ctx context.Context) error {
	if !l.isUsed() || !l.isStoreThere(ctx) {
		return nil
	}
	l.drawing.Lock()
	defer l.drawing.Unlock()
	now := l.now()
	l.mu.Lock()
	for k, w := range l.windows {
		over := k.Period != budget.Ever && k.Start < k.Period.Start(now)
		switch {
		case over, l.share > 1 && !w.used:
			l.giveBack(w, w.free)
		case l.share > 1 && w.free > 2*w.slice:
			l.giveBack(w, w.free-w.slice)
		}
		w.used = false
		if w.open == 0 && w.free == 0 && w.drawn == 0 {
			delete(l.windows, k)
		}
	}
	l.mu.Unlock()
	if err := l.pay(ctx); err != nil {
		return err
	}
	return l.resolve(ctx)
}

// isStoreThere asks the store something that no call waits for, and that says nothing of what calls ask.
func (l *leases) isStoreThere(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.wait)
	defer cancel()
	_, err := l.store.Mark(ctx, l.lease.Node)
	return err == nil
}

// run tidies until stop is closed.
func (l *leases) run(stop <-chan struct{}) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			_ = l.tidy(context.Background()) // what could not be given back is owed still
		}
	}
}

// isUsed reports whether anything was leased or held.
func (l *leases) isUsed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.windows) > 0 || len(l.owed) > 0 || l.doubt.is || l.doubt.left > 0
}

// Free is what this gateway has leased of a window and not given to any attempt.
func (j *Journal) Free(k budget.Key) budget.Money {
	j.leases.mu.Lock()
	defer j.leases.mu.Unlock()
	w := j.leases.windows[k]
	if w == nil {
		return 0
	}
	return w.free
}
