package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/telemetry"
)

// budgets are the limits in force: those of the config, and those that were set while a gateway ran, which the
// store keeps.
type budgets struct {
	journal *journal.Journal
	store   budget.Limits
	log     *slog.Logger
	stop    chan struct{}
	looking sync.WaitGroup

	changing sync.Mutex // for whoever puts limits in force

	mu      sync.Mutex
	file    []budget.Limit
	kept    []budget.Limit
	force   []budget.Limit
	windows map[budget.Key]budget.Window
	told    map[budget.Key]bool // what the log was told of: that they are nearly used up, or over,
	ended   map[budget.Key]bool // and that they are used up
	failing bool
}

// lookEvery is how often accounts are looked at, and limits that another gateway may have set.
const lookEvery = time.Second

// openBudgets puts limits in force, and looks at accounts until close.
func openBudgets(j *journal.Journal, store budget.Limits, file []budget.Limit, log *slog.Logger) *budgets {
	b := &budgets{journal: j, store: store, log: log, stop: make(chan struct{}), file: file, told: map[budget.Key]bool{}, ended: map[budget.Key]bool{}}
	b.look()
	b.looking.Go(func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				b.look()
			case <-b.stop:
				return
			}
		}
	})
	return b
}

func (b *budgets) close() {
	close(b.stop)
	b.looking.Wait()
}

// lookTime bounds a look at the store.
const lookTime = 5 * time.Second

// look reads what the store has. While it does not answer, what was read last is in force.
func (b *budgets) look() {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	kept, err := b.store.Limits(ctx)
	if err == nil {
		err = b.enforce(ctx, func() { b.kept = kept })
	} else {
		_ = b.enforce(ctx, func() {}) // those of the config hold all the same
	}
	if err == nil && len(b.inForce()) > 0 {
		var windows []budget.Window
		if windows, err = b.store.Windows(ctx); err == nil {
			b.see(windows)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && !b.failing {
		b.log.Warn("budgets cannot be read from the ledger's store; what was read last holds", "error", err.Error())
	}
	b.failing = err != nil
}

// enforce changes the limits and puts them in force.
func (b *budgets) enforce(ctx context.Context, change func()) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	b.mu.Lock()
	change()
	force := slices.Clone(b.file)
	for _, l := range b.kept {
		if !slices.ContainsFunc(b.file, func(f budget.Limit) bool { return f.Account == l.Account && f.Period == l.Period }) {
			force = append(force, l)
		}
	}
	slices.SortFunc(force, func(x, y budget.Limit) int {
		return cmp.Or(strings.Compare(x.Account, y.Account), strings.Compare(string(x.Period), string(y.Period)))
	})
	same := slices.Equal(force, b.force)
	b.force = force
	b.mu.Unlock()
	if same {
		return nil
	}
	return b.journal.SetLimits(ctx, force) //nolint:wrapcheck // it says what it is about
}

// reload puts the limits of another config in force.
func (b *budgets) reload(file []budget.Limit) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	if err := b.enforce(ctx, func() { b.file = file }); err != nil {
		b.log.Warn("what was leased under other budgets is not given back yet", "error", err.Error())
	}
}

func (b *budgets) inForce() []budget.Limit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.force
}

// nearly is how many hundredths of a budget are spent when the log tells of it.
const nearly = 80

// see takes in how accounts stand, and tells the log once of each budget that is nearly used up, or soft and over.
func (b *budgets) see(windows []budget.Window) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	current := map[budget.Key]budget.Window{}
	told, ended := map[budget.Key]bool{}, map[budget.Key]bool{}
	for i := range b.force {
		l := &b.force[i]
		k := l.Key(now)
		j := slices.IndexFunc(windows, func(w budget.Window) bool { return w.Key == k })
		if j < 0 {
			continue
		}
		w := windows[j]
		current[k] = w
		told[k], ended[k] = b.told[k], b.ended[k]
		switch {
		case told[k]:
		case l.Soft && w.Posted >= l.Most:
			told[k] = true
			b.log.Warn("a soft budget is over", "account", l.Account, "period", string(l.Period), "spent", w.Posted.String(), "most", l.Most.String())
		case !l.Soft && w.Posted >= l.Most/100*nearly:
			told[k] = true
			b.log.Warn("a budget is nearly used up", "account", l.Account, "period", string(l.Period), "spent", w.Posted.String(), "most", l.Most.String())
		}
	}
	b.windows, b.told, b.ended = current, told, ended
}

// reserved is what attempts that run may cost in a window, and what gateways have leased: of this one, only what
// is not free.
func (b *budgets) reserved(w *budget.Window) budget.Money {
	return max(w.Pending-b.journal.Free(w.Key), 0)
}

// freshTime is how long whoever looks at budgets waits for the store to have what is settled.
const freshTime = time.Second

// List shows every budget, by account and period.
func (b *budgets) List(ctx context.Context) []admin.Budget {
	ctx, cancel := context.WithTimeout(ctx, freshTime)
	defer cancel()
	if b.journal.Sync(ctx) == nil {
		b.look()
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]admin.Budget, len(b.force))
	for i, l := range b.force {
		w := b.windows[l.Key(now)]
		_, ends := l.Period.Window(now)
		list[i] = admin.Budget{
			Account: l.Account, Period: string(l.Period), Most: l.Most.String(), Soft: l.Soft, Strict: l.Strict,
			Spent: w.Posted.String(), Reserved: b.reserved(&w).String(), Ends: ends, InFile: b.isInFile(l.Account, l.Period),
		}
	}
	return list
}

func (b *budgets) isInFile(account string, p budget.Period) bool {
	return slices.ContainsFunc(b.file, func(l budget.Limit) bool { return l.Account == account && l.Period == p })
}

// errInFile refuses to change what the config says.
func errInFile() error {
	return &llm.Error{Code: llm.CodeConflict, Origin: llm.OriginClient, Message: "This budget is one of the config file: change it there."}
}

// Set keeps a limit and puts it in force.
func (b *budgets) Set(ctx context.Context, l budget.Limit) error {
	b.mu.Lock()
	inFile := b.isInFile(l.Account, l.Period)
	b.mu.Unlock()
	if inFile {
		return errInFile()
	}
	if err := b.store.PutLimit(ctx, l); err != nil {
		return unavailable(err)
	}
	b.look()
	return nil
}

// Remove forgets a limit that was set.
func (b *budgets) Remove(ctx context.Context, account string, p budget.Period) error {
	b.mu.Lock()
	inFile := b.isInFile(account, p)
	b.mu.Unlock()
	if inFile {
		return errInFile()
	}
	if err := b.store.DropLimit(ctx, account, p); err != nil {
		return unavailable(err)
	}
	b.look()
	return nil
}

func unavailable(err error) error {
	return &llm.Error{Code: llm.CodeLedger, Origin: llm.OriginGateway, Message: "The ledger's store cannot be written now.", Err: err}
}

// metrics shows every budget to monitoring systems.
func (b *budgets) metrics() []telemetry.Budget {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]telemetry.Budget, len(b.force))
	for i, l := range b.force {
		w := b.windows[l.Key(now)]
		list[i] = telemetry.Budget{
			Account: l.Account, Period: string(l.Period), Soft: l.Soft,
			Most: dollars(l.Most), Spent: dollars(w.Posted), Reserved: dollars(b.reserved(&w)),
		}
	}
	return list
}

// dollars is an amount for people and graphs, rounded.
func dollars(m budget.Money) float64 { return float64(m) / float64(budget.USD) }

// refused tells the log once for each window that a budget is used up.
func (b *budgets) refused(rec *gateway.Record) {
	for _, over := range rec.Over {
		k := (&budget.Limit{Account: over.Account, Period: over.Period}).Key(rec.Start)
		b.mu.Lock()
		told := b.ended[k]
		b.ended[k] = true
		b.mu.Unlock()
		if !told {
			b.log.Warn("a budget is used up; calls are refused", "account", over.Account, "period", string(over.Period), "call", rec.Call)
		}
	}
}

// noBudgets is what there is where nothing is kept.
type noBudgets struct{}

// List shows none.
func (noBudgets) List(context.Context) []admin.Budget { return nil }

// Set keeps none.
func (noBudgets) Set(context.Context, budget.Limit) error { return noData() }

// Remove has none to remove.
func (noBudgets) Remove(context.Context, string, budget.Period) error { return noData() }

func noData() error {
	return &llm.Error{Code: llm.CodeNotImplemented, Origin: llm.OriginGateway, Message: "This gateway keeps no ledger: its config has no data folder.", Err: errors.New("no data folder")}
}

var (
	_ admin.Budgets = (*budgets)(nil)
	_ admin.Budgets = noBudgets{}
)
