package drill

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rule says when a drill ends at once: conditions, of which one suffices. It is written
//
//	client_failures > 0
//	client_failures > 1% or p99_ms >= 5000
//
// as one of Metrics, one of > >= < <= == !=, and a number; "%" after it makes it a share of
// the struck calls that are over. An empty rule never ends anything.
type rule []condition

type condition struct {
	metric  string
	compare string
	limit   float64
	isShare bool
}

// String writes the condition as it is read.
func (c condition) String() string {
	unit := ""
	if c.isShare {
		unit = "%"
	}
	return c.metric + " " + c.compare + " " + strconv.FormatFloat(c.limit, 'f', -1, 64) + unit
}

// Metric is what a rule can compare.
type Metric struct {
	Name, What string
	// isCount says that the metric counts calls, so that it can be a share of them.
	isCount bool
	of      func(r *Report) float64
}

// Metrics lists what a rule can compare. Latencies are those of struck calls.
func Metrics() []Metric {
	return []Metric{
		{"calls", "struck calls that are over", true, func(r *Report) float64 { return float64(r.Struck.Calls) }},
		{"client_failures", "calls whose clients got an error, struck ones and others of the same models", true, func(r *Report) float64 { return float64(r.ClientFailures) }},
		{"failovers", "struck calls that another target answered", true, func(r *Report) float64 { return float64(r.Struck.Failovers) }},
		{"rescues", "struck calls whose answer another target went on with", true, func(r *Report) float64 { return float64(r.Struck.Rescues) }},
		{"losses", "struck calls that lost something in translation", true, func(r *Report) float64 { return float64(r.Struck.Lossy) }},
		{"p50_ms", "half of the struck calls were over within", false, func(r *Report) float64 { return r.Struck.WholeP50 }},
		{"p99_ms", "99 % of the struck calls were over within", false, func(r *Report) float64 { return r.Struck.WholeP99 }},
		{"first_p99_ms", "99 % of the struck calls had their first content within", false, func(r *Report) float64 { return r.Struck.FirstP99 }},
		{"cost_usd", "what the struck calls have cost, as far as prices are known", false, func(r *Report) float64 { return r.Struck.CostUSD }},
	}
}

// parseRule reads a rule.
func parseRule(text string) (rule, error) {
	fields := strings.Fields(text)
	var all rule
	for len(fields) > 0 {
		if len(all) > 0 {
			if fields[0] != "or" {
				return nil, fmt.Errorf("it has %q where only \"or\" can follow", fields[0])
			}
			fields = fields[1:]
		}
		if len(fields) < 3 {
			return nil, errors.New("it breaks off: a condition is a metric, a comparison and a number with spaces between, such as client_failures > 0")
		}
		c, err := parseCondition(fields[0], fields[1], fields[2])
		if err != nil {
			return nil, err
		}
		all, fields = append(all, c), fields[3:]
	}
	return all, nil
}

func parseCondition(name, compare, limit string) (condition, error) {
	c := condition{metric: name, compare: compare}
	m, known := metricNamed(name)
	if !known {
		var all []string
		for _, m := range Metrics() {
			all = append(all, m.Name)
		}
		return c, fmt.Errorf("it compares %q, and can compare %s", name, strings.Join(all, ", "))
	}
	if !slices.Contains([]string{">", ">=", "<", "<=", "==", "!="}, compare) {
		return c, fmt.Errorf("it has the comparison %q, and there are > >= < <= == !=", compare)
	}
	number, isShare := strings.CutSuffix(limit, "%")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n <= 1e12) {
		return c, fmt.Errorf("it compares with %q, which is no number", limit)
	}
	if isShare && !m.isCount {
		return c, fmt.Errorf("it compares %s with a share of the calls, and that is no number of calls", name)
	}
	c.limit, c.isShare = n, isShare
	return c, nil
}

func metricNamed(name string) (Metric, bool) {
	for _, m := range Metrics() {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// met returns the first condition that holds.
func (all rule) met(r *Report) (condition, bool) {
	for _, c := range all {
		m, _ := metricNamed(c.metric)
		value := m.of(r)
		if c.isShare {
			if r.Struck.Calls == 0 {
				continue
			}
			value *= 100 / float64(r.Struck.Calls)
		}
		if c.holds(value) {
			return c, true
		}
	}
	return condition{}, false
}

func (c condition) holds(value float64) bool {
	switch c.compare {
	case ">":
		return value > c.limit
	case ">=":
		return value >= c.limit
	case "<":
		return value < c.limit
	case "<=":
		return value <= c.limit
	case "==":
		return value == c.limit
	default:
		return value != c.limit
	}
}
