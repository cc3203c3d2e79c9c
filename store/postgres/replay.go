package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/gateway"
)

var _ gateway.Replays = (*DB)(nil)

// maxReplays bounds what all answers that are kept take; further ones are not kept.
const maxReplays = 1 << 30

// Claim remembers a request.
func (d *DB) Claim(ctx context.Context, r *gateway.Replay) (before *gateway.Replay, err error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	if err := d.endOwn(ctx); err != nil {
		return nil, err
	}
	err = d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		before = nil
		_, err := tx.Exec(ctx, "DELETE FROM replay WHERE at <= $1 AND (id = $2 OR id IN (SELECT id FROM replay WHERE at <= $1 ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED))",
			r.At.Add(-gateway.ReplayTime).UnixMilli(), r.ID[:], gateway.ReplaysAtOnce)
		if err != nil {
			return fmt.Errorf("forget old requests: %w", err)
		}
		done, err := tx.Exec(ctx, "INSERT INTO replay (id, request, call, process, at, state) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			r.ID[:], r.Request[:], r.Call, d.process, r.At.UnixMilli(), int64(gateway.ReplayRuns))
		if err != nil {
			return fmt.Errorf("remember a request: %w", err)
		}
		if done.RowsAffected() == 1 {
			return nil
		}
		before, err = replay(ctx, tx, r.ID)
		return err
	})
	return before, err
}

// endOwn notes, once, that what this gateway answered when it last ended is over.
func (d *DB) endOwn(ctx context.Context) error {
	d.ending.Lock()
	defer d.ending.Unlock()
	if d.ownIsOver || d.node == "" {
		return nil
	}
	_, err := d.pool.Exec(ctx, "UPDATE replay SET state = 2 WHERE state = 0 AND starts_with(process, $1) AND process <> $2", d.node+"/", d.process)
	if err != nil {
		return fmt.Errorf("end what was answered: %w", err)
	}
	d.ownIsOver = true
	return nil
}

// replay is what is remembered of a request. Whether another gateway still answers it is not known here: it is told
// that it does.
func replay(ctx context.Context, tx pgx.Tx, id [sha256.Size]byte) (*gateway.Replay, error) {
	r := &gateway.Replay{ID: id}
	var request []byte
	var at int64
	err := tx.QueryRow(ctx, "SELECT request, call, at, state, status, header, body FROM replay WHERE id = $1", id[:]).
		Scan(&request, &r.Call, &at, &r.State, &r.Status, &r.Header, &r.Body)
	if err != nil {
		return nil, fmt.Errorf("read a request that was made: %w", err)
	}
	copy(r.Request[:], request)
	r.At = time.UnixMilli(at)
	return r, nil
}

// Keep remembers what a request was answered.
func (d *DB) Keep(ctx context.Context, r *gateway.Replay) error {
	kept := *r
	fits, err := d.replays.Take(int64(len(r.Header)+len(r.Body)), maxReplays, func() (sum int64, err error) {
		err = d.pool.QueryRow(ctx, "SELECT coalesce(sum(size), 0)::bigint FROM replay").Scan(&sum)
		return sum, err
	})
	if err != nil {
		return fmt.Errorf("sum up answers: %w", err)
	}
	if !fits {
		kept.State, kept.Header, kept.Body = gateway.ReplayLost, nil, nil
	}
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE replay SET state = $1, status = $2, header = $3, body = $4, size = $5 WHERE id = $6 AND call = $7 AND state = 0",
			int64(kept.State), kept.Status, kept.Header, kept.Body, len(kept.Header)+len(kept.Body), r.ID[:], r.Call)
		if err != nil {
			return fmt.Errorf("keep an answer: %w", err)
		}
		return nil
	})
}

// Forget lets a request be made again.
func (d *DB) Forget(ctx context.Context, r *gateway.Replay) error {
	return d.change(ctx, "DELETE FROM replay WHERE id = $1 AND call = $2", r.ID[:], r.Call)
}
