package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/app"
)

type usageCommand struct {
	Report    reportCommand    `cmd:"" default:"withargs" help:"Report what was used and what it cost."`
	Reconcile reconcileCommand `cmd:"" help:"Compare a vendor's invoice with the ledger."`
}

// Help shows how usage is used.
func (usageCommand) Help() string {
	return examples("understudy usage", "understudy usage --by day,provider --since 2026-11-01", "understudy usage reconcile invoice.csv --provider openai")
}

type reportCommand struct {
	gatewayFlags
	By    []string `help:"What to tell apart: ${columns}. provider,model if not given." default:"provider,model" placeholder:"WORD"`
	Since day      `help:"The first day, in UTC; the first of this month if not given." placeholder:"YYYY-MM-DD"`
	Until day      `help:"The last day; today if not given." placeholder:"YYYY-MM-DD"`
	CSV   bool     `help:"Write CSV." name:"csv" xor:"form"`
	JSON  bool     `help:"Write JSON: a list of rows." xor:"form"`
}

// Help shows how usage report is used.
func (reportCommand) Help() string {
	return "Costs are in USD, of every attempt that a vendor may charge for, failed ones included. Of the cost, estimated is by the gateway's own " +
		"count, uncertain for attempts of which nobody knows whether they ran, and wasted for what no client has had. Unpriced is what " +
		"models of unknown price would cost at a cap; it is in no other sum, and giving their price in the config ends it. " +
		"With --admin the running gateway is asked, else the ledger of the config is read.\n\n" +
		examples("understudy usage", "understudy usage --by day,provider,model --csv > usage.csv", "understudy usage --by tag --since 2026-11-01 --json")
}

// Run reports usage.
func (c reportCommand) Run(s *session) error {
	for _, word := range c.By {
		if !slices.Contains(app.UsageColumns(), word) {
			return usageError{fmt.Sprintf("--by: got %q, want some of %s", word, strings.Join(app.UsageColumns(), ", "))}
		}
	}
	now := time.Now().UTC()
	if c.Since.IsZero() {
		c.Since = day{now.AddDate(0, 0, 1-now.Day())}
	}
	if c.Until.IsZero() {
		c.Until = day{now}
	}
	rows, err := c.rows()
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return s.writeJSON(rows)
	case c.CSV:
		return c.writeCSV(s, rows)
	default:
		return c.writeTable(s, rows)
	}
}

// rows are the report's: of the gateway that was named, or else of the ledger of the config.
func (c reportCommand) rows() ([]client.UsageRow, error) {
	ctx := context.Background()
	if c.Admin != "" {
		api, err := c.client()
		if err != nil {
			return nil, err
		}
		defer api.Close()
		return api.Usage(ctx, c.Since.Time, c.Until.Time, c.By)
	}
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return nil, err
	}
	return app.UsageRows(ctx, conf, c.Since.Time, c.Until.Time, c.By)
}

// columns are a row's, as text.
func (c reportCommand) columns(u *client.UsageRow) []string {
	var names []string
	for _, word := range c.By {
		names = append(names, u.By[word])
	}
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	return append(names, count(u.Attempts), count(u.Input), count(u.Output), u.Cost, u.Estimated, u.Uncertain, u.Wasted, u.Unpriced)
}

func (c reportCommand) writeCSV(s *session, rows []client.UsageRow) error {
	w := csv.NewWriter(s.out)
	head := append(slices.Clone(c.By), "attempts", "input_tokens", "output_tokens", "cost_usd", "estimated_usd", "uncertain_usd", "wasted_usd", "unpriced_usd")
	_ = w.Write(head) // the writer keeps its first error
	for i := range rows {
		columns := c.columns(&rows[i])
		for j := range c.By {
			columns[j] = unformulated(columns[j])
		}
		_ = w.Write(columns)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// unformulated keeps a name, which a client may have chosen, from being a formula where a spreadsheet reads it.
func unformulated(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}

func (c reportCommand) writeTable(s *session, rows []client.UsageRow) error {
	if len(rows) == 0 {
		fmt.Fprintf(s.out, "nothing was used from %s to %s\n", c.Since.Format(time.DateOnly), c.Until.Format(time.DateOnly))
		return nil
	}
	w := s.table()
	fmt.Fprintf(w, "%s\tATTEMPTS\tINPUT\tOUTPUT\tCOST USD\tESTIMATED\tUNCERTAIN\tWASTED\tUNPRICED\n", strings.ToUpper(strings.Join(c.By, "\t")))
	for i := range rows {
		fmt.Fprintln(w, strings.Join(c.shown(&rows[i]), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// shown is columns for people: names where there are none, and money that fits a line.
func (c reportCommand) shown(u *client.UsageRow) []string {
	all := c.columns(u)
	for i := range all {
		if i < len(c.By) {
			all[i] = cmp.Or(all[i], "-")
		} else if i >= len(c.By)+3 {
			all[i] = shortMoney(all[i])
		}
	}
	return all
}

// shortMoney leaves an amount six decimals; what is less but not nothing shows as such.
func shortMoney(usd string) string {
	const decimals = 6
	whole, rest, _ := strings.Cut(usd, ".")
	if len(rest) <= decimals {
		return usd
	}
	short := whole + "." + rest[:decimals]
	if strings.Trim(short, "-0.") == "" {
		return "<0.000001"
	}
	return short
}

// day is a date, as a flag has it.
type day struct{ time.Time }

// UnmarshalText reads a date.
func (d *day) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("got %q, want a day such as 2026-11-01", text)
	}
	d.Time = t
	return nil
}

type reconcileCommand struct {
	configFlag
	File      string  `arg:"" help:"The vendor's invoice or usage export: CSV with columns for the day, the model and the cost in USD." placeholder:"FILE"`
	Provider  string  `help:"The provider it is of, by its name in the config." required:"" placeholder:"NAME"`
	Tolerance float64 `help:"By how much of the charge a model's day may differ, in per cent." default:"1"`
	JSON      bool    `help:"Write JSON: a list of differences."`
}

// Help shows how usage reconcile is used.
func (reconcileCommand) Help() string {
	return "Every model and day that the invoice or the ledger has is compared. Sure is what of the ledger's amount the vendor itself counted; the " +
		"rest is estimated or uncertain, and the invoice tells what it came to. Exits with 1 if any differs by more than the tolerance.\n\n" +
		examples("understudy usage reconcile invoice.csv --provider openai", "understudy usage reconcile invoice.csv --provider openai --tolerance 0.1 --json")
}

// compared is a row of the comparison.
type compared struct {
	Day     string  `json:"day"`
	Model   string  `json:"model"`
	Charged string  `json:"charged_usd"`
	Ledger  string  `json:"ledger_usd"`
	Sure    string  `json:"sure_usd"`
	Percent float64 `json:"difference_percent"`
	Within  bool    `json:"within_tolerance"`
}

// Run reconciles.
func (c reconcileCommand) Run(s *session) error {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	if _, ok := conf.Provider(c.Provider); !ok {
		return usageError{fmt.Sprintf("--provider: got %q, want a provider of the config", c.Provider)}
	}
	if !(c.Tolerance >= 0) { // that includes what is no number
		return usageError{fmt.Sprintf("--tolerance: got %v, want 0 or more", c.Tolerance)}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the invoice: %w", err)
	}
	defer f.Close()
	found, err := app.Reconcile(context.Background(), conf, c.Provider, f)
	if err != nil {
		return err
	}
	rows := make([]compared, len(found))
	differ := false
	for i, d := range found {
		percent := 100.0
		if d.Charged != 0 {
			percent = 1e2 * float64(d.Ledger-d.Charged) / float64(d.Charged) // shown, and never money
		} else if d.Ledger == 0 {
			percent = 0
		}
		rows[i] = compared{
			Day: app.DayName(d.Day), Model: d.Model, Charged: d.Charged.String(), Ledger: d.Ledger.String(), Sure: d.Sure.String(),
			Percent: math.Round(1e2*percent) / 1e2, Within: math.Abs(percent) <= c.Tolerance,
		}
		differ = differ || !rows[i].Within
	}
	if c.JSON {
		err = s.writeJSON(rows)
	} else {
		err = s.showCompared(rows)
	}
	if err == nil && differ {
		return errTold
	}
	return err
}

func (s *session) showCompared(rows []compared) error {
	w := s.table()
	fmt.Fprintln(w, "DAY\tMODEL\tCHARGED USD\tLEDGER\tSURE\tDIFFERENCE\t")
	for _, r := range rows {
		verdict := ""
		if !r.Within {
			verdict = "differs"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%+.2f %%\t%s\n", r.Day, cell(r.Model), shortMoney(r.Charged), shortMoney(r.Ledger), shortMoney(r.Sure), r.Percent, verdict)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}
