package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/store/sqlite"
)

// What is in the data folder.
const (
	ledgerFile    = "ledger.db"
	journalFolder = "journal"
	nodeName      = "local" // of the one gateway that writes a ledger in a file
)

// books are the ledger: a journal, and the store that is filled from it. The gateway has them from
// the beginning, and uses them when they are open.
type books struct {
	journal *journal.Journal
	store   *sqlite.DB
}

func (b *books) open(folder string, log *slog.Logger) error {
	var err error
	if b.store, err = sqlite.Open(context.Background(), filepath.Join(folder, ledgerFile)); err != nil {
		return err
	}
	b.journal, err = journal.Open(journal.Options{
		Folder: filepath.Join(folder, journalFolder), Node: nodeName, Store: b.store, Log: log, Now: time.Now,
	})
	if err != nil {
		return errors.Join(err, b.store.Close())
	}
	return nil
}

// closeTime is how long the journal has to fill the store at the end; the next start does the rest.
const closeTime = 5 * time.Second

func (b *books) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return errors.Join(b.journal.Close(ctx), b.store.Close())
}

// Reserve passes on to the journal.
func (b *books) Reserve(ctx context.Context, r *budget.Reservation) (int64, error) {
	return b.journal.Reserve(ctx, r) //nolint:wrapcheck // it is the journal
}

// Settle passes on to the journal.
func (b *books) Settle(attempt int64, s *budget.Settlement) { b.journal.Settle(attempt, s) }

// errNoLedger is a config that keeps no books.
var errNoLedger = errors.New("the config keeps no ledger: it has data: " + config.NoData)

// ReadLedger calls f with the ledger of a config, as it is at one moment. A gateway may be writing it.
func ReadLedger(ctx context.Context, c *config.Config, f func(budget.Book) error) error {
	folder := c.DataFolder()
	if folder == "" {
		return errNoLedger
	}
	r, err := sqlite.OpenReader(ctx, filepath.Join(folder, ledgerFile))
	if err != nil {
		return fmt.Errorf("%w\nhint: the ledger is made when the gateway starts with this config", err)
	}
	return errors.Join(f(r), r.Close())
}

// VerifyLedger holds every row of a ledger to its invariants.
func VerifyLedger(ctx context.Context, c *config.Config) (report *budget.Report, err error) {
	err = ReadLedger(ctx, c, func(b budget.Book) error {
		var err error
		report, err = budget.Verify(ctx, b)
		return err
	})
	return report, err
}
