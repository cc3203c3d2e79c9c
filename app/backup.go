package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/store/sqlite"
)

// errOwnTools is a ledger that is not in a file.
var errOwnTools = errors.New("the ledger is in PostgreSQL, which has tools of its own for that: pg_dump and pg_restore, or a base backup with its log")

// BackUpLedger writes the ledger as it is at one moment into a new file, holds that to the ledger's invariants, and makes it
// durable. A gateway may be running. What it has not yet brought from its journal into the ledger, half a second's worth at
// most times, is not in the copy.
func BackUpLedger(ctx context.Context, c *config.Config, to string) (*budget.Report, error) {
	folder := c.DataFolder()
	switch {
	case folder == "":
		return nil, errNoLedger
	case c.Store != "":
		return nil, errOwnTools
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("back up the ledger: %s is there already", to), err)
	}
	part := to + ".part"
	_ = os.Remove(part) // of one that was not finished
	stop := writeOut(part)
	err := sqlite.Backup(ctx, filepath.Join(folder, ledgerFile), part)
	stop()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w%s", err, noLedgerYet)
	}
	if err != nil {
		return nil, err
	}
	report, _, err := verifyFile(ctx, part)
	if err == nil {
		err = errors.Join(syncPath(part), os.Rename(part, to), syncPath(filepath.Dir(to)))
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(part))
	}
	return report, nil
}

// verifyFile holds a copy of a ledger to its invariants, and says how far the journal was in it.
func verifyFile(ctx context.Context, path string) (*budget.Report, budget.Mark, error) {
	r, err := sqlite.OpenReader(ctx, path)
	if err != nil {
		return nil, budget.Mark{}, err
	}
	report, err := budget.Verify(ctx, r)
	mark, markErr := r.Mark(ctx, nodeName)
	return report, mark, errors.Join(err, markErr, r.Close())
}

// syncPath makes a file or a folder durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !isFolder(f) { // not every system can
		return err
	}
	return nil
}

func isFolder(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.IsDir()
}

// Restored is what became of a ledger that was restored.
type Restored struct {
	Report *budget.Report
	// Kept is the folder with the ledger that was there before; empty if there was none.
	Kept string
	// Gap says that attempts from after the copy was made are neither in it nor in the journal.
	Gap bool
}

// RestoreLedger puts a copy of a ledger in its place, if every invariant holds in it. No gateway may be running. What is in
// the journal from after the copy was made comes into the ledger when the gateway starts.
func RestoreLedger(ctx context.Context, c *config.Config, from string) (*Restored, error) {
	path := c.DataFolder()
	switch {
	case path == "":
		return nil, errNoLedger
	case c.Store != "":
		return nil, errOwnTools
	}
	data, err := openFolder(path)
	if err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", path, err)
	}
	defer data.close()
	fresh := filepath.Join(path, ledgerFile+".restored")
	if err := copyFile(from, fresh); err != nil {
		return nil, fmt.Errorf("restore the ledger: %w", err)
	}
	r := &Restored{}
	var mark budget.Mark
	if r.Report, mark, err = verifyFile(ctx, fresh); err != nil || len(r.Report.Problems) > 0 {
		if err != nil {
			err = fmt.Errorf("verify %s: %w\nhint: it takes a file that understudy ledger backup has written", from, err)
		}
		return r, errors.Join(err, os.Remove(fresh))
	}
	if r.Gap, err = journal.HasGap(filepath.Join(path, journalFolder), mark); err != nil {
		return nil, errors.Join(err, os.Remove(fresh))
	}
	if r.Kept, err = setAside(ctx, path); err != nil {
		return nil, fmt.Errorf("restore the ledger: %w", err)
	}
	if err := errors.Join(os.Rename(fresh, filepath.Join(path, ledgerFile)), syncPath(path)); err != nil {
		return nil, fmt.Errorf("restore the ledger: %w", err)
	}
	return r, nil
}

// copyFile copies a file durably into a new one that only its owner can read.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// setAside moves the ledger that there is into a folder of its own. Its log goes first: left beside another ledger, SQLite
// would take it for that one's.
func setAside(ctx context.Context, path string) (string, error) {
	ledger := filepath.Join(path, ledgerFile)
	if _, err := os.Stat(ledger); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if db, err := sqlite.Open(ctx, ledger); err == nil { // closing it brings the log into it; it may be broken
		_ = db.Close()
	}
	kept := filepath.Join(path, "replaced-"+time.Now().UTC().Format("20060102T150405.000Z"))
	if err := os.Mkdir(kept, 0o700); err != nil {
		return "", err
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := os.Rename(ledger+suffix, filepath.Join(kept, ledgerFile+suffix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return kept, errors.Join(syncPath(kept), syncPath(path))
}
