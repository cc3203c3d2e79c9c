// Package sqlite keeps the ledger in a file: SQLite, embedded, written by one goroutine that puts
// what comes together into one transaction. Its schema is in migrations. It is for one gateway on
// one machine; that a second process does not write the same file is seen to by whoever opens it.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
)

var (
	_ budget.Store  = (*DB)(nil)
	_ budget.Limits = (*DB)(nil)
	_ budget.Book   = (*Reader)(nil)
	_ access.Store  = (*DB)(nil)
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks our files ("usdy").
const applicationID = 0x75736479

// DB is an open database. Close it.
type DB struct {
	db   *sql.DB
	conn *sql.Conn // the writer's
	jobs chan *job
	stop chan struct{}
	// process tells this start from others.
	process string
	replays gateway.ReplayRoom

	writing sync.WaitGroup
	lines   map[int64]bool // those that are known to be there; the writer's
	last    link
}

// Open opens the database at a path, makes it if there is none, and brings its schema up to date.
// One that a newer version has written is refused.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", address(path,
		"_pragma=busy_timeout(5000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		"_pragma=cache_size(-4000)", "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	d := &DB{db: db, jobs: make(chan *job, maxJobs), stop: make(chan struct{}), process: rand.Text(), lines: map[int64]bool{}}
	if err := d.begin(ctx); err != nil {
		_ = db.Close() // the error tells of more
		return nil, fmt.Errorf("open the ledger %s: %w%s", path, err, repair(err))
	}
	d.writing.Go(d.write)
	return d, nil
}

func (d *DB) begin(ctx context.Context) error {
	d.db.SetMaxOpenConns(2) // the writer and whoever asks
	if err := migrate(ctx, d.db); err != nil {
		return err
	}
	var err error
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return err
	}
	if d.last, err = lastLink(ctx, d.conn); err != nil {
		_ = d.conn.Close() // the error tells of more
		return err
	}
	return nil
}

// repair is what to do about a file that is no database, or a broken one.
func repair(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_NOTADB && e.Code()&0xff != sqlite3.SQLITE_CORRUPT {
		return ""
	}
	return "\nhint: understudy ledger restore FILE puts a backup in its place; without the file the next start makes a new one"
}

// address is a path as SQLite's URI.
func address(path string, options ...string) string {
	u := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
	for i, o := range options {
		u += map[bool]string{true: "?", false: "&"}[i == 0] + o
	}
	return u
}

// private makes a file that only its owner can read, or finds that it is one.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("open the ledger %s: others can use it: got mode %04o, want 0600\nhint: chmod 600 %s", path, mode, path)
	}
	return nil
}

// Close ends the writer and closes the database.
func (d *DB) Close() error {
	close(d.stop)
	d.writing.Wait()
	if err := errors.Join(d.conn.Close(), d.db.Close()); err != nil {
		return fmt.Errorf("close the ledger: %w", err)
	}
	return nil
}

// ErrNewer is a database that a newer version has written.
var ErrNewer = errors.New("a newer version of understudy has written it: use that, or restore a copy from before")

// migrate brings the schema up to date, all missing steps or none.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var id, version, tables int
	row := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`)
	if err := row.Scan(&id, &version, &tables); err != nil {
		return err
	}
	switch {
	case id != applicationID && tables > 0:
		return errors.New("it is another program's database")
	case version > len(steps):
		return fmt.Errorf("schema %d, this version knows %d: %w", version, len(steps), ErrNewer)
	}
	if version == len(steps) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it is committed, or the error tells of more
	for ; version < len(steps); version++ {
		text, err := migrations.ReadFile(steps[version])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)); err != nil {
		return fmt.Errorf("migrate to schema %d: %w", version, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate to schema %d: %w", version, err)
	}
	return nil
}
