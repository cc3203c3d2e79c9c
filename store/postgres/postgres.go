// Package postgres keeps the ledger of several gateways in one PostgreSQL database. Limits hold for all of them
// together: each reservation is a transaction. Its schema is in migrations. It makes no backups.
package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

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

// DefaultSchema is where the tables are.
const DefaultSchema = "understudy"

// DB is an open database. Close it.
type DB struct {
	pool   *pgxpool.Pool
	schema string

	// node is the gateway's name, and process tells this start of it from others.
	node, process string

	preparing chan struct{} // holds one while somebody brings the schema up to date
	ready     atomic.Bool   // it is

	replays   gateway.ReplayRoom
	ending    sync.Mutex
	ownIsOver bool // what ran when the gateway last ended is known to be over
}

// For says which gateway the database is used for, before it is used.
func (d *DB) For(node string) { d.node, d.process = node, node+"/"+rand.Text() }

// maxConnections bounds how many connections a gateway has, however many calls wait.
const maxConnections = 16

// openTime is how long the server may take to answer when a gateway starts.
const openTime = 5 * time.Second

// Open opens the database at a URL, makes a schema in it if there is none, and brings that up to date. One that a
// newer version has written is refused. A server that cannot be reached is no error: entries wait in the journal, and
// the schema is brought up to date when it can.
func Open(ctx context.Context, url, schema string) (*DB, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("open the ledger: the address is no URL of a PostgreSQL database") // the error would quote it
	}
	conf.MaxConns = maxConnections
	conf.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	d := &DB{pool: pool, schema: schema, preparing: make(chan struct{}, 1)}
	d.For("")
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var said *pgconn.PgError
	if err := d.prepare(ctx); errors.Is(err, ErrNewer) || errors.As(err, &said) {
		pool.Close()
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return d, nil
}

// prepare brings the schema up to date, once. Who has less time than another that tries waits no longer than that.
func (d *DB) prepare(ctx context.Context) error {
	if d.ready.Load() {
		return nil
	}
	select {
	case d.preparing <- struct{}{}:
		defer func() { <-d.preparing }()
	case <-ctx.Done():
		return fmt.Errorf("prepare the ledger: %w", context.Cause(ctx))
	}
	if d.ready.Load() {
		return nil
	}
	if err := d.transact(ctx, d.migrate); err != nil {
		return fmt.Errorf("prepare the ledger: %w", err)
	}
	d.ready.Store(true)
	return nil
}

// Close closes the database.
func (d *DB) Close() error {
	d.pool.Close()
	return nil
}

// ErrNewer is a database that a newer version has written.
var ErrNewer = errors.New("a newer version of understudy has written it: use that, or restore a copy from before")

// migrationLock is held while the schema is brought up to date: several gateways may start at once.
const migrationLock = 0x75736479

func (d *DB) migrate(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	name := pgx.Identifier{d.schema}.Sanitize()
	if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+name+"; CREATE TABLE IF NOT EXISTS "+name+".version (version INTEGER NOT NULL)"); err != nil {
		return err
	}
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("schema %d, this version knows %d: %w", version, len(steps), ErrNewer)
	}
	for ; version < len(steps); version++ {
		text, err := migrations.ReadFile(steps[version])
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(text)); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO version VALUES ($1)", version+1); err != nil {
			return err
		}
	}
	return nil
}

// maxTries is how often a transaction is tried that collided with another one.
const maxTries = 4

// transact does something in a transaction, and again if it collided with another one.
func (d *DB) transact(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	for try := 1; ; try++ {
		sent := false // to be committed
		err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
			err := do(ctx, tx)
			sent = err == nil
			return err
		})
		var pg *pgconn.PgError
		if err != nil && sent && !errors.As(err, &pg) && !errors.Is(err, pgx.ErrTxCommitRollback) {
			return fmt.Errorf("%w: %w", budget.ErrInDoubt, err)
		}
		const serialization, deadlock = "40001", "40P01"
		if try == maxTries || !errors.As(err, &pg) || pg.Code != serialization && pg.Code != deadlock {
			return err
		}
		select {
		case <-time.After(jitter(25 * time.Millisecond << try)): // not both at once again
		case <-ctx.Done():
			return err
		}
	}
}
