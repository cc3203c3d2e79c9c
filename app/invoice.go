package app

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/budget"
)

// maxInvoice bounds the lines of an invoice.
const maxInvoice = 1_000_000

// invoice is a table with a line of names above it. Vendors name the columns in their own ways, and have more than are needed.
type invoice struct {
	table                      *csv.Reader
	day, model, cost, currency int // columns; currency is -1 if there is none
}

// readInvoice reads charges.
func readInvoice(r io.Reader) ([]budget.Charge, error) {
	in, err := openInvoice(r)
	if err != nil {
		return nil, err
	}
	var charges []budget.Charge
	for {
		row, err := in.table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the invoice: %w", err)
		}
		line, _ := in.table.FieldPos(0)
		if len(charges) == maxInvoice {
			return nil, fmt.Errorf("invoice, line %d: got more than %d charges, want no more at a time", line, maxInvoice)
		}
		c, err := in.charge(row)
		if err != nil {
			return nil, fmt.Errorf("invoice, line %d: %w", line, err)
		}
		charges = append(charges, c)
	}
	if len(charges) == 0 {
		return nil, errors.New("invoice: got no charges, want some below the first line")
	}
	return charges, nil
}

// openInvoice reads the line of names. Where several columns could be meant, the one that says most of what it is counts.
func openInvoice(r io.Reader) (*invoice, error) {
	const mostHead = 4096
	text := bufio.NewReaderSize(r, mostHead)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" {
		_, _ = text.Discard(len(mark)) // they were peeked at
	}
	first, _ := text.Peek(mostHead) // an error comes again
	first, _, _ = bytes.Cut(first, []byte("\n"))
	if bytes.IndexByte(first, 0) >= 0 || len(first) < mostHead && !utf8.Valid(first) {
		return nil, errors.New("invoice: got another encoding, want UTF-8")
	}
	in := &invoice{table: csv.NewReader(text)}
	in.table.FieldsPerRecord = -1
	for _, separator := range ";\t" { // as spreadsheets write tables
		if bytes.Count(first, []byte(string(separator))) > bytes.Count(first, []byte(string(in.table.Comma))) {
			in.table.Comma = separator
		}
	}
	head, err := in.table.Read()
	if err != nil {
		return nil, fmt.Errorf("read the invoice's first line: %w", err)
	}
	for i, name := range head {
		head[i] = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
	}
	find := func(names ...string) (int, error) {
		for _, name := range names {
			if i := slices.Index(head, name); i >= 0 {
				return i, nil
			}
		}
		return -1, fmt.Errorf("invoice: got columns %s, want one of %s", strings.Join(head, ", "), strings.Join(names, ", "))
	}
	var errs [3]error
	in.day, errs[0] = find("day", "date", "usage_date_utc", "usage_date", "start_time_iso", "start_time")
	in.model, errs[1] = find("model", "model_id", "model_version", "line_item", "sku")
	in.cost, errs[2] = find("cost_usd", "amount_usd", "usage_amount_in_usd", "cost", "total_cost", "amount_value", "amount")
	in.currency, _ = find("currency", "cost_currency", "amount_currency", "billing_currency")
	return in, errors.Join(errs[:]...)
}

// charge reads a line.
func (in *invoice) charge(row []string) (c budget.Charge, err error) {
	if len(row) <= max(in.day, in.model, in.cost, in.currency) {
		return c, fmt.Errorf("got %d columns, want as many as in the first line", len(row))
	}
	if in.currency >= 0 && !strings.EqualFold(strings.TrimSpace(row[in.currency]), "usd") {
		return c, fmt.Errorf("got currency %q, want USD, as the ledger is in", row[in.currency])
	}
	c.Model = strings.TrimSpace(row[in.model])
	if c.Day, err = chargedDay(strings.TrimSpace(row[in.day])); err != nil {
		return c, err
	}
	c.Cost, err = chargedAmount(row[in.cost], in.table.Comma == ';')
	return c, err
}

// chargedDay is the day in UTC of a date, or of a time, which may be in seconds since 1970.
func chargedDay(text string) (int64, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return budget.DayOf(at), nil
	}
	date, rest, _ := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	at, err := time.Parse(time.RFC3339, date+"T"+rest)
	if err != nil {
		at, err = time.Parse(time.DateOnly, date)
	}
	if seconds, noNumber := strconv.ParseInt(text, 10, 64); err != nil && noNumber == nil && len(text) == len("1795737600") {
		at, err = time.Unix(seconds, 0), nil
	}
	if err != nil {
		return 0, fmt.Errorf("got day %q, want it to begin like 2026-11-30", text)
	}
	return budget.DayOf(at), nil
}

// The forms of amounts: what all have in common, and digits in groups of three.
var (
	amountForm = regexp.MustCompile(`^([+-]?)\$? ?([+-]?)([0-9.,]{1,40})([eE][+-]?[0-9]{1,2})?$`)
	groupForm  = regexp.MustCompile(`^[1-9][0-9]{0,2}([.,][0-9]{3})+$`)
)

// chargedAmount reads an amount as vendors and spreadsheets write it, to the nearest pico-dollar: programs that sum up
// in floating point write more decimals than there are. byComma says that the table is of a country that writes 0,5. What
// can be read in two ways is refused.
func chargedAmount(text string, byComma bool) (budget.Money, error) {
	if amount, err := budget.ParseMoney(text); err == nil && !byComma {
		return amount, nil
	}
	wrong := fmt.Errorf("got %q, want an amount in dollars such as 12.34 that can be read in one way", text)
	form := amountForm.FindStringSubmatch(strings.TrimSpace(text))
	if form == nil || form[1] != "" && form[2] != "" {
		return 0, wrong
	}
	digits := form[3]
	whole, decimals := digits, ""
	if i := strings.LastIndexAny(digits, ".,"); i >= 0 && strings.Count(digits, digits[i:i+1]) == 1 {
		whole, decimals = digits[:i], digits[i+1:]
		usual := byComma == (digits[i] == ',')
		if !usual && groupForm.MatchString(digits) && !strings.ContainsAny(whole, ".,") {
			return 0, wrong
		}
	}
	if strings.ContainsAny(whole, ".,") {
		if !groupForm.MatchString(whole) || strings.Contains(whole, ".") && strings.Contains(whole, ",") {
			return 0, wrong
		}
		whole = strings.NewReplacer(".", "", ",", "").Replace(whole)
	}
	dollars, ok := new(big.Rat).SetString(form[1] + form[2] + "0" + whole + "." + decimals + "0" + form[4])
	if !ok || whole+decimals == "" {
		return 0, wrong
	}
	pico := dollars.Mul(dollars, big.NewRat(int64(budget.USD), 1))
	n, ok := new(big.Int).SetString(pico.FloatString(0), 10) // rounded to the nearest
	if !ok || !n.IsInt64() {
		return 0, wrong
	}
	return budget.Money(n.Int64()), nil
}
