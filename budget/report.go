package budget

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Usage is what entries came to that have the same names in a report.
type Usage struct {
	Names     []string // in the order of the report's columns
	Attempts  int64
	Input     int64
	Output    int64
	Cost      Money // all that was posted at a price that is known
	Estimated Money // of it by the gateway's own count, or at guessed rates
	Uncertain Money // of it for attempts of which nobody knows whether they ran
	Wasted    Money // of it for what no client has had
	Unpriced  Money // beside it: what models of unknown price would cost at the cap
}

// Column is what a report tells apart.
type Column string

// The columns.
const (
	ByDay       Column = "day"
	ByProvider  Column = "provider"
	ByModel     Column = "model"
	ByAsked     Column = "asked" // the model's name as the client has it
	ByOperation Column = "operation"
	ByCaller    Column = "caller"
	ByTag       Column = "tag"
	ByKey       Column = "key" // its id; its name is the caller
	ByUser      Column = "user"
	ByTeam      Column = "team"

	ByOrganisation Column = "organisation"
	ByServiceTier  Column = "service_tier" // the vendor's; empty for the usual one
)

// Columns lists them.
func Columns() []Column {
	return []Column{ByDay, ByProvider, ByModel, ByAsked, ByOperation, ByCaller, ByTag, ByKey, ByUser, ByTeam, ByOrganisation, ByServiceTier}
}

func (t *Total) name(c Column) string {
	switch c {
	case ByDay:
		return DayName(t.Day)
	case ByProvider:
		return t.Line.Provider
	case ByModel:
		return t.Line.Model
	case ByAsked:
		return t.Line.Asked
	case ByOperation:
		return t.Line.Operation
	case ByCaller:
		return t.Line.Caller
	case ByTag:
		return t.Line.Tag
	case ByKey:
		return t.Line.Key
	case ByUser:
		return t.Line.User
	case ByTeam:
		return t.Line.Team
	case ByOrganisation:
		return t.Line.Organisation
	case ByServiceTier:
		return t.Line.Rates.ServiceTier
	}
	return ""
}

// DayName is a day, counted from 1970, as YYYY-MM-DD.
func DayName(day int64) string {
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(day)).Format(time.DateOnly)
}

// DayOf is the day of a date in UTC, counted from 1970.
func DayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// ReportBy sums up totals by columns, in the order of their names.
func ReportBy(totals []Total, columns []Column) ([]*Usage, error) {
	found := map[string]*Usage{}
	for i := range totals {
		t := &totals[i]
		names := make([]string, len(columns))
		for i, c := range columns {
			if !slices.Contains(Columns(), c) {
				return nil, fmt.Errorf("got column %q, want some of %v", c, Columns())
			}
			names[i] = t.name(c)
		}
		key := strings.Join(names, "\x00")
		u := found[key]
		if u == nil {
			u = &Usage{Names: names}
			found[key] = u
		}
		if err := u.add(t); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *Usage) int { return slices.Compare(a.Names, b.Names) }), nil
}

func (u *Usage) add(t *Total) error {
	u.Attempts += t.Attempts
	u.Input += t.Input
	u.Output += t.Output
	parts := []*Money{}
	if t.Line.Rates.Assumed {
		parts = append(parts, &u.Unpriced)
	} else {
		parts = append(parts, &u.Cost)
		switch t.Kind {
		case Estimated:
			parts = append(parts, &u.Estimated)
		case Uncertain:
			parts = append(parts, &u.Uncertain)
		case Open, Posted, Void:
		}
		if t.Flags.Has(Wasted) {
			parts = append(parts, &u.Wasted)
		}
	}
	for _, p := range parts {
		var err error
		if *p, err = p.Plus(t.Amount); err != nil {
			return err
		}
	}
	return nil
}

// Charge is a line of a vendor's invoice or usage export.
type Charge struct {
	Day   int64
	Model string
	Cost  Money
}

// Difference is what a vendor charged and what the ledger has, for a model on a day.
type Difference struct {
	Day             int64
	Model           string
	Charged, Ledger Money
	// Sure is what of Ledger the vendor itself counted.
	Sure Money
}

// Reconcile compares a vendor's charges with the ledger's totals of its provider, on the days and for
// all models that either has.
func Reconcile(totals []Total, provider string, charges []Charge) ([]Difference, error) {
	type key struct {
		day   int64
		model string
	}
	found := map[key]*Difference{}
	at := func(day int64, model string) *Difference {
		k := key{day, model}
		if found[k] == nil {
			found[k] = &Difference{Day: day, Model: model}
		}
		return found[k]
	}
	var err error
	add := func(sum *Money, amount Money) {
		if err == nil {
			*sum, err = sum.Plus(amount)
		}
	}
	for _, c := range charges {
		add(&at(c.Day, c.Model).Charged, c.Cost)
	}
	for i := range totals {
		t := &totals[i]
		if t.Line.Provider != provider || t.Amount == 0 {
			continue
		}
		d := at(t.Day, t.Line.Model)
		add(&d.Ledger, t.Amount)
		if t.Kind == Posted {
			add(&d.Sure, t.Amount)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sum up: %w", err)
	}
	var list []Difference
	for _, d := range found {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Day, b.Day), strings.Compare(a.Model, b.Model)) })
	return list, nil
}
