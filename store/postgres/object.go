package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/gateway"
)

// keptObjects is for how long an object is remembered after it was noted last. Vendors keep answers and batches for a
// month, and files until they are removed.
const keptObjects = 90 * 24 * time.Hour

const (
	objectTime   = 2 * time.Second       // for one question or one group of notes
	gatherTime   = 20 * time.Millisecond // for which notes are gathered before they are written
	againTime    = time.Second           // between tries, while the database is gone
	sweepTime    = time.Hour             // between removals of what is old
	maxPending   = 1 << 16               // notes that wait for the database
	upsertObject = `INSERT INTO object VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET
		provider = excluded.provider, credential = excluded.credential, caller = excluded.caller,
		uncounted = object.uncounted AND excluded.uncounted, at = excluded.at`
)

var _ gateway.Objects = (*Objects)(nil)

// Objects remembers which provider keeps what, for every gateway that has the database. What this one notes it knows
// at once, the others a little later. Close it before the database.
type Objects struct {
	gateway.ObjectTable
	db  *DB
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	pending []gateway.Object
	wake    chan struct{}
	stop    chan struct{}
	writing sync.WaitGroup
}

// Objects begins to remember.
func (d *DB) Objects(log *slog.Logger, now func() time.Time) *Objects {
	o := &Objects{db: d, log: log, now: now, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	o.writing.Go(o.write)
	return o
}

// Find asks the database for what this gateway does not know.
func (o *Objects) Find(ctx context.Context, ids ...string) (map[string]gateway.Object, error) {
	found, _ := o.ObjectTable.Find(ctx, ids...) // never fails
	var unknown []string
	for _, id := range ids {
		if _, ok := found[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	if err := o.db.prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := o.db.pool.Query(ctx, "SELECT id, provider, credential, caller, answer, uncounted, at FROM object WHERE id = ANY($1)", unknown)
	if err != nil {
		return nil, fmt.Errorf("read what providers keep: %w", err)
	}
	read, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k gateway.Object, err error) {
		var at int64
		err = row.Scan(&k.ID, &k.Provider, &k.Credential, &k.Caller, &k.IsAnswer, &k.Uncounted, &at)
		k.At = time.UnixMilli(at)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what providers keep: %w", err)
	}
	o.ObjectTable.Note(read...)
	for _, k := range read {
		found[k.ID] = k
	}
	return found, nil
}

// Note remembers objects, and has them written soon.
func (o *Objects) Note(objects ...gateway.Object) {
	o.ObjectTable.Note(objects...)
	o.mu.Lock()
	if len(o.pending)+len(objects) <= maxPending { // the rest is known to this gateway alone
		o.pending = append(o.pending, objects...)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default: // the writer knows
	}
}

// Count is true once for all gateways. While the database cannot be asked nothing is counted: that is done when
// somebody looks the object up later.
func (o *Objects) Count(ctx context.Context, id string) bool {
	found, err := o.Find(ctx, id)
	if err != nil || !found[id].Uncounted {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	done, err := o.db.pool.Exec(ctx, "UPDATE object SET uncounted = false WHERE id = $1 AND uncounted", id)
	if err != nil {
		return false
	}
	o.ObjectTable.Count(ctx, id)
	return done.RowsAffected() == 1
}

// Close writes what is yet to be written, if the database is there.
func (o *Objects) Close() error {
	close(o.stop)
	o.writing.Wait()
	return nil
}

// write writes what comes, gathered, until it is stopped.
func (o *Objects) write() {
	swept, failed := time.Time{}, false
	for running := true; running; {
		wait := gatherTime
		select {
		case <-o.wake:
		case <-time.After(sweepTime):
		case <-o.stop:
			running = false
		}
		if failed {
			wait = againTime
		}
		if running {
			select {
			case <-time.After(wait):
			case <-o.stop:
				running = false
			}
		}
		err := o.flush()
		if now := o.now(); err == nil && now.Sub(swept) > sweepTime {
			swept, err = now, o.sweep()
		}
		if err != nil && !failed {
			o.log.Error("what providers keep is not written down for now", "error", err.Error())
		}
		failed = err != nil
	}
}

// flush writes what was noted since the last time; what cannot be written waits.
func (o *Objects) flush() error {
	o.mu.Lock()
	pending := o.pending
	o.pending = nil
	o.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	var do pgx.Batch
	for _, k := range pending {
		do.Queue(upsertObject, k.ID, k.Provider, k.Credential, k.Caller, k.IsAnswer, k.Uncounted, k.At.UnixMilli())
	}
	ctx, cancel := context.WithTimeout(context.Background(), objectTime)
	defer cancel()
	err := o.db.prepare(ctx)
	if err == nil {
		err = o.db.pool.SendBatch(ctx, &do).Close()
	}
	if err == nil {
		return nil
	}
	o.mu.Lock()
	o.pending = append(pending, o.pending...)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return fmt.Errorf("write what providers keep: %w", err)
}

func (o *Objects) sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), objectTime)
	defer cancel()
	if err := o.db.prepare(ctx); err != nil {
		return err
	}
	if _, err := o.db.pool.Exec(ctx, "DELETE FROM object WHERE at < $1", o.now().Add(-keptObjects).UnixMilli()); err != nil {
		return fmt.Errorf("remove what is old: %w", err)
	}
	return nil
}
