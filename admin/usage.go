package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/llm"
)

// Ledger is what the API shows of the ledger.
type Ledger interface {
	// Usage sums up the days from one to another in UTC, by columns.
	Usage(ctx context.Context, from, until time.Time, by []string) ([]*budget.Usage, error)
	// Verify holds every row to its invariants.
	Verify(ctx context.Context) (*budget.Report, error)
}

// ErrNoLedger is a gateway that keeps no books.
var ErrNoLedger = errors.New("no ledger is kept")

// UsageRow is what entries came to that are alike in what a report tells apart.
type UsageRow struct {
	By        map[string]string `json:"by" doc:"What the row is about, by the words that were asked for."`
	Attempts  int64             `json:"attempts"`
	Input     int64             `json:"input_tokens"`
	Output    int64             `json:"output_tokens"`
	Cost      string            `json:"cost_usd" doc:"All of it, at prices that are known."`
	Estimated string            `json:"estimated_usd" doc:"Of it by the gateway's own count."`
	Uncertain string            `json:"uncertain_usd" doc:"Of it for attempts of which nobody knows whether they ran."`
	Wasted    string            `json:"wasted_usd" doc:"Of it for what no client has had."`
	Unpriced  string            `json:"unpriced_usd" doc:"Beside it: what models of unknown price would cost at a cap."`
}

// NewUsageRow words a row of a report.
func NewUsageRow(u *budget.Usage, by []string) UsageRow {
	row := UsageRow{
		By: map[string]string{}, Attempts: u.Attempts, Input: u.Input, Output: u.Output, Cost: u.Cost.String(), Estimated: u.Estimated.String(),
		Uncertain: u.Uncertain.String(), Wasted: u.Wasted.String(), Unpriced: u.Unpriced.String(),
	}
	for i, word := range by {
		row.By[word] = u.Names[i]
	}
	return row
}

// Verification is what holding the ledger to its invariants has found.
type Verification struct {
	Entries        int64            `json:"entries"`
	Calls          int64            `json:"calls"`
	Kinds          map[string]int64 `json:"kinds" doc:"How the entries stand."`
	Amount         string           `json:"amount_usd"`
	Link           string           `json:"last_link" doc:"It stands for every entry: kept elsewhere, it shows if all of them are replaced."`
	Corrections    int64            `json:"corrections"`
	CorrectionLink string           `json:"last_correction_link" doc:"Likewise."`
	Seconds        float64          `json:"seconds" doc:"How long it took."`
	Problems       []string         `json:"problems" doc:"What is wrong; the first hundred."`
}

// NewVerification words a report.
func NewVerification(r *budget.Report, took time.Duration) Verification {
	v := Verification{
		Entries: r.Entries, Calls: r.Calls, Kinds: map[string]int64{}, Amount: r.Amount.String(), Link: hex.EncodeToString(r.Chain),
		Corrections: r.Corrections, CorrectionLink: hex.EncodeToString(r.CorrectionChain),
		Seconds: took.Round(time.Millisecond).Seconds(), Problems: append([]string{}, r.Problems...),
	}
	for _, k := range budget.Kinds() {
		v.Kinds[k.String()] = r.ByKind[k]
	}
	return v
}

func usageEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/usage", "What was used and what it cost, of what has come into the ledger.", (*api).listUsage)).with(
			query{name: "by", doc: "What to tell apart, with commas between: " + columnNames() + ". provider,model if not given."},
			query{name: "since", doc: "The first day in UTC, such as 2026-11-01; the first of this month if not given."},
			query{name: "until", doc: "The last day; today if not given."},
		),
		read("/v1/ledger/verification", "Every row of the ledger, held to its invariants. It reads all of them.", (*api).verifyLedger),
	}
}

func columnNames() string {
	var names []string
	for _, c := range budget.Columns() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// reportTime is how long a report may take, the answer of a store that says nothing included.
const reportTime = 10 * time.Second

func (a *api) listUsage(r *request) (List[UsageRow], error) {
	q := r.URL.Query()
	by := []string{string(budget.ByProvider), string(budget.ByModel)}
	if text := q.Get("by"); text != "" {
		by = strings.Split(text, ",")
	}
	for i, word := range by {
		if !slices.Contains(budget.Columns(), budget.Column(word)) || slices.Contains(by[:i], word) {
			return List[UsageRow]{}, llm.Invalid("by", "The parameter by must be some of %s, each once, with commas between.", columnNames())
		}
	}
	now := a.opts.Now().UTC()
	from, err := dayOf(q.Get("since"), "since", now.AddDate(0, 0, 1-now.Day()))
	if err != nil {
		return List[UsageRow]{}, err
	}
	until, err := dayOf(q.Get("until"), "until", now)
	if err != nil {
		return List[UsageRow]{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), reportTime)
	defer cancel()
	report, err := a.opts.Ledger.Usage(ctx, from, until, by)
	if err != nil {
		return List[UsageRow]{}, ledgerError(err)
	}
	rows := make([]UsageRow, len(report))
	for i, u := range report {
		rows[i] = NewUsageRow(u, by)
	}
	return page(r, rows, func(u UsageRow) string {
		key := ""
		for _, word := range by {
			key += u.By[word] + "\x1f" // behind a name that is empty, too: nothing would say that there are more
		}
		return key
	})
}

func dayOf(text, param string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, llm.Invalid(param, "The parameter %s must be a day such as 2026-11-01.", param)
	}
	return day, nil
}

func (a *api) verifyLedger(r *request) (Verification, error) {
	begun := a.opts.Now()
	report, err := a.opts.Ledger.Verify(r.Context())
	if err != nil {
		return Verification{}, ledgerError(err)
	}
	return NewVerification(report, a.opts.Now().Sub(begun)), nil
}

// ledgerError says why there is nothing to show.
func ledgerError(err error) error {
	if errors.Is(err, ErrNoLedger) {
		return &llm.Error{Code: llm.CodePathNotFound, Origin: llm.OriginClient, Message: "This gateway keeps no ledger: its config has data: none.", Err: err}
	}
	return &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The ledger cannot be read now.", Err: err}
}
