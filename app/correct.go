package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/store/sqlite"
)

// Correction is what an operator knows better than the ledger.
type Correction struct {
	Call    string
	Attempt int64  // its place among the call's
	Cost    string // in dollars
	Reason  string
	Maker   string // who says so
}

// errSameCost is a correction that changes nothing.
var errSameCost = errors.New("the attempt costs that already")

// CorrectLedger writes down what an attempt really cost, and returns what it cost before, in dollars. A gateway may be running.
func CorrectLedger(ctx context.Context, c *config.Config, k *Correction) (was string, err error) {
	cost, err := budget.ParseMoney(k.Cost)
	if err != nil {
		return "", err
	}
	if cost < 0 {
		return "", fmt.Errorf("got a cost of %v, want no less than nothing", cost)
	}
	books, err := openCorrector(ctx, c)
	if err != nil {
		return "", err
	}
	found, err := books.Find(ctx, k.Call, k.Attempt)
	switch {
	case err != nil:
	case found.Cost == cost && found.Kind == budget.Posted:
		err = errSameCost
	default:
		was = found.Cost.String()
		err = books.Correct(ctx, found.Correction(cost, k.Reason, k.Maker, time.Now().UnixMilli()))
	}
	return was, errors.Join(err, books.Close())
}

// corrector is a store that corrections are written to.
type corrector interface {
	budget.Corrector
	Close() error
}

func openCorrector(ctx context.Context, c *config.Config) (corrector, error) {
	if c.Store != "" {
		return openPostgres(c, os.LookupEnv)
	}
	if err := ReadLedger(ctx, c, func(budget.Book) error { return nil }); err != nil { // which makes none
		return nil, err
	}
	return sqlite.Open(ctx, filepath.Join(c.DataFolder(), ledgerFile))
}
