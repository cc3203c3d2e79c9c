package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/store/objects"
	"github.com/understudy-ai/understudy/store/postgres"
	"github.com/understudy-ai/understudy/store/sqlite"
)

// What is in the data folder.
const (
	ledgerFile    = "ledger.db"
	journalFolder = "journal"
	objectsFile   = "objects"
	nodeFile      = "node"
	nodeName      = "local" // of the one gateway that writes a ledger in a file
)

// books are the ledger: a journal, and the store that is filled from it; and beside it what providers keep. The gateway
// has them from the beginning, and uses them when they are open.
type books struct {
	gateway.Objects
	objects io.Closer // the same
	journal *journal.Journal
	store   store
	budgets *budgets
	closing time.Duration // that the journal has at the end, closeTime if 0
}

// store keeps entries and limits.
type store interface {
	budget.Store
	access.Store
	budget.Limits
	gateway.Replays
	Close() error
}

func (b *books) open(c *config.Config, o *Options) error {
	folder, node := c.DataFolder(), nodeName
	var err error
	if c.Store == "" {
		err = b.openFiles(folder, o)
	} else if node, err = nodeOf(folder); err == nil {
		err = b.openDatabase(c, node, o)
	}
	if err != nil {
		return err
	}
	opts := journal.Options{
		Folder: filepath.Join(folder, journalFolder), Node: node, Store: b.store, Alone: c.Store == "", Log: o.Log, Now: time.Now,
	}
	failpoints(&opts)
	b.journal, err = journal.Open(opts)
	if err != nil {
		return errors.Join(err, b.objects.Close(), b.store.Close())
	}
	b.budgets = openBudgets(b.journal, b.store, c.SpendingLimits(), o.Log)
	return nil
}

func (b *books) openFiles(folder string, o *Options) error {
	db, err := sqlite.Open(context.Background(), filepath.Join(folder, ledgerFile))
	if err != nil {
		return err
	}
	kept, err := objects.Open(filepath.Join(folder, objectsFile), o.Log, time.Now)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	b.store, b.Objects, b.objects = db, kept, kept
	return nil
}

func (b *books) openDatabase(c *config.Config, node string, o *Options) error {
	db, err := openPostgres(c, o.Env)
	if err != nil {
		return err
	}
	db.For(node)
	kept := db.Objects(o.Log, time.Now)
	b.store, b.Objects, b.objects = db, kept, kept
	return nil
}

// openPostgres opens the database that the config names.
func openPostgres(c *config.Config, env func(string) (string, bool)) (*postgres.DB, error) {
	url, err := addressOf(c, c.Store, env)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return postgres.Open(context.Background(), url, postgres.DefaultSchema)
}

// addressOf is a URL that the config has, or says where to find.
func addressOf(c *config.Config, text string, env func(string) (string, bool)) (string, error) {
	var key config.Key
	if key.UnmarshalText([]byte(text)) != nil { // it is the URL itself
		return text, nil
	}
	if key.File != "" && !filepath.IsAbs(key.File) {
		key.File = filepath.Join(filepath.Dir(c.File()), key.File)
	}
	secret, err := resolve(config.Provider{Key: key, Facts: provider.Facts{Auth: provider.AuthBearer}}, sources{env: env})
	if err != nil {
		return "", err
	}
	return secret.Reveal(), nil
}

// nodeOf is the name by which a database knows the gateway of a data folder: any, and always the same.
func nodeOf(folder string) (string, error) {
	path := filepath.Join(folder, nodeFile)
	name, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(name) == 0 {
		name = []byte("node_" + strings.ToLower(rand.Text()))
		err = replace(path, name) // on the disk before the database knows it
	}
	if err != nil {
		return "", fmt.Errorf("name the gateway: %w", err)
	}
	return string(name), nil
}

// closeTime is how long the journal has to fill the store at the end; the next start does the rest.
const closeTime = 5 * time.Second

func (b *books) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(b.closing, closeTime))
	defer cancel()
	b.budgets.close()
	return errors.Join(b.journal.Close(ctx), b.objects.Close(), b.store.Close())
}

// Reserve passes on to the journal.
func (b *books) Reserve(ctx context.Context, r *budget.Reservation) (int64, error) {
	return b.journal.Reserve(ctx, r) //nolint:wrapcheck // it is the journal
}

// Extend passes on to the journal.
func (b *books) Extend(ctx context.Context, attempt int64, most budget.Tokens) error {
	return b.journal.Extend(ctx, attempt, most) //nolint:wrapcheck // it is the journal
}

// Claim passes on to the store.
func (b *books) Claim(ctx context.Context, r *gateway.Replay) (*gateway.Replay, error) {
	return b.store.Claim(ctx, r) //nolint:wrapcheck // it is the store
}

// Keep passes on to the store.
func (b *books) Keep(ctx context.Context, r *gateway.Replay) error {
	return b.store.Keep(ctx, r) //nolint:wrapcheck // likewise
}

// Forget passes on to the store.
func (b *books) Forget(ctx context.Context, r *gateway.Replay) error {
	return b.store.Forget(ctx, r) //nolint:wrapcheck // likewise
}

// Settle passes on to the journal.
func (b *books) Settle(attempt int64, s *budget.Settlement) { b.journal.Settle(attempt, s) }

// errNoLedger is a config that keeps no books.
var errNoLedger = fmt.Errorf("the config has data: %s: %w", config.NoData, admin.ErrNoLedger)

const noLedgerYet = "\nhint: the ledger is made when the gateway starts with this config"

// ReadLedger calls f with the ledger of a config, as it is at one moment. A gateway may be writing it.
func ReadLedger(ctx context.Context, c *config.Config, f func(budget.Book) error) error {
	folder := c.DataFolder()
	if folder == "" {
		return errNoLedger
	}
	if c.Store != "" {
		return readPostgres(ctx, c, f)
	}
	r, err := openCaughtUp(ctx, folder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w%s", err, noLedgerYet)
		}
		return err
	}
	return errors.Join(f(r), r.Close())
}

// catchUp is how long a reader waits for what is in the journal only. A gateway that runs brings it into the ledger in
// half a second; where none does, it is there after the next start.
const catchUp = 2 * time.Second

// openCaughtUp opens the ledger of a folder when it has the attempts that are over by now.
func openCaughtUp(ctx context.Context, folder string) (*sqlite.Reader, error) {
	const look = 20 * time.Millisecond
	var end *budget.Mark
	for until := time.Now().Add(catchUp); ; time.Sleep(look) {
		r, err := sqlite.OpenReader(ctx, filepath.Join(folder, ledgerFile))
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what it is about
		}
		mark, err := r.Mark(ctx, nodeName)
		if err == nil && end == nil {
			var closed budget.Mark
			closed, err = journal.Closed(filepath.Join(folder, journalFolder), mark)
			end = &closed
		}
		if err != nil || !mark.Before(*end) || time.Now().After(until) || ctx.Err() != nil {
			return r, nil // what it has is shown in any case
		}
		_ = r.Close() // it is opened again
	}
}

func readPostgres(ctx context.Context, c *config.Config, f func(budget.Book) error) error {
	db, err := openPostgres(c, os.LookupEnv)
	if err != nil {
		return err
	}
	r, err := db.Read(ctx)
	if err == nil {
		err = errors.Join(f(r), r.Close(ctx))
	}
	return errors.Join(err, db.Close())
}

// Verification is VerifyLedger as the admin API has it.
func Verification(ctx context.Context, c *config.Config) (admin.Verification, error) {
	begun := time.Now()
	report, err := VerifyLedger(ctx, c)
	if err != nil {
		return admin.Verification{}, err
	}
	return admin.NewVerification(report, time.Since(begun)), nil
}

// VerifyLedger holds every row of a ledger to its invariants.
func VerifyLedger(ctx context.Context, c *config.Config) (*budget.Report, error) {
	return verifyLedger(ctx, c, budget.Verify)
}

func verifyLedger(ctx context.Context, c *config.Config, verify func(context.Context, budget.Book) (*budget.Report, error)) (report *budget.Report, err error) {
	err = ReadLedger(ctx, c, func(b budget.Book) error {
		var err error
		report, err = verify(ctx, b)
		return err
	})
	return report, err
}
