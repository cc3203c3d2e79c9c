package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

var _ gateway.Replays = (*DB)(nil)

// maxReplays bounds what all answers that are kept take; further ones are not kept.
const maxReplays = 256 << 20

// Claim remembers a request.
func (d *DB) Claim(ctx context.Context, r *gateway.Replay) (before *gateway.Replay, err error) {
	err = d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM replay WHERE at <= ?1 AND (id = ?2 OR id IN (SELECT id FROM replay WHERE at <= ?1 ORDER BY at LIMIT ?3))",
			r.At.Add(-gateway.ReplayTime).UnixMilli(), r.ID[:], gateway.ReplaysAtOnce)
		if err != nil {
			return fmt.Errorf("forget old requests: %w", err)
		}
		done, err := tx.ExecContext(ctx, "INSERT INTO replay (id, request, call, process, at, state) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			r.ID[:], r.Request[:], r.Call, d.process, r.At.UnixMilli(), int64(gateway.ReplayRuns))
		if err != nil {
			return fmt.Errorf("remember a request: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return err
		}
		before, err = d.replay(ctx, tx, r.ID)
		return err
	})
	return before, err
}

// replay is what is remembered of a request. One that ran when the gateway last ended has lost its answer.
func (d *DB) replay(ctx context.Context, tx *sql.Tx, id [sha256.Size]byte) (*gateway.Replay, error) {
	r := &gateway.Replay{ID: id}
	var request []byte
	var process string
	var at int64
	err := tx.QueryRowContext(ctx, "SELECT request, call, process, at, state, status, header, body FROM replay WHERE id = ?", id[:]).
		Scan(&request, &r.Call, &process, &at, &r.State, &r.Status, &r.Header, &r.Body)
	if err != nil {
		return nil, fmt.Errorf("read a request that was made: %w", err)
	}
	copy(r.Request[:], request)
	r.At = time.UnixMilli(at)
	if r.State == gateway.ReplayRuns && process != d.process {
		r.State = gateway.ReplayLost
	}
	return r, nil
}

// Keep remembers what a request was answered.
func (d *DB) Keep(ctx context.Context, r *gateway.Replay) error {
	kept := *r
	fits, err := d.replays.Take(int64(len(r.Header)+len(r.Body)), maxReplays, func() (sum int64, err error) {
		err = d.db.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0) FROM replay").Scan(&sum)
		return sum, err
	})
	if err != nil {
		return fmt.Errorf("sum up answers: %w", err)
	}
	if !fits {
		kept.State, kept.Header, kept.Body = gateway.ReplayLost, nil, nil
	}
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE replay SET state = ?, status = ?, header = ?, body = ?, size = ? WHERE id = ? AND call = ? AND state = 0",
			int64(kept.State), kept.Status, kept.Header, kept.Body, len(kept.Header)+len(kept.Body), r.ID[:], r.Call)
		if err != nil {
			return fmt.Errorf("keep an answer: %w", err)
		}
		return nil
	})
}

// Forget lets a request be made again.
func (d *DB) Forget(ctx context.Context, r *gateway.Replay) error {
	return d.change(ctx, "DELETE FROM replay WHERE id = ? AND call = ?", r.ID[:], r.Call)
}
