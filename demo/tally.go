package demo

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// window is the time over which the traffic of a vendor is averaged.
	window = time.Second
	// maxProblems bounds how many failures are told in words.
	maxProblems = 5
)

// tally counts what the applications saw.
type tally struct {
	start time.Time

	mu       sync.Mutex
	phase    *phase
	calm     *count            // requests that no fault could strike
	faults   map[string]*count // those that one could, by its kind
	apps     map[*clientApp]*lastSeen
	recent   map[string][]time.Time // by vendor, its answers within the window
	problems []string
}

// count is the requests of one row of the result.
type count struct {
	requests, lead, understudy, rescued, failures int
	waits                                         map[*clientApp][]time.Duration // of the answers
}

// lastSeen is what an application has seen so far.
type lastSeen struct {
	answers, failures int
	last              answer
	problem           string // with the last request; "" if it was answered
}

func newTally(apps []*clientApp, faults []fault) *tally {
	t := &tally{
		start: time.Now(), phase: newPhase(nil, nil, nil),
		calm:   &count{waits: map[*clientApp][]time.Duration{}},
		faults: map[string]*count{}, apps: map[*clientApp]*lastSeen{}, recent: map[string][]time.Time{},
	}
	for _, f := range faults {
		t.faults[f.kind] = &count{waits: map[*clientApp][]time.Duration{}}
	}
	for _, a := range apps {
		t.apps[a] = &lastSeen{}
	}
	return t
}

// turn says which phase the show is in now.
func (t *tally) turn(p *phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = p
}

// add counts one request of a, made in phase p: it was answered, unless err says why not.
func (t *tally) add(p *phase, a *clientApp, got answer, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row, app := t.calm, t.apps[a]
	if p.strikes(a) {
		row = t.faults[p.fault.kind]
	}
	row.requests++
	if err != nil {
		row.failures++
		app.failures++
		app.problem = err.Error()
		if len(t.problems) < maxProblems {
			t.problems = append(t.problems, a.title+", "+p.String()+": "+app.problem)
		}
		return
	}
	switch {
	case got.rescued:
		row.rescued++
	case got.vendor == a.lead:
		row.lead++
	default:
		row.understudy++
	}
	row.waits[a] = append(row.waits[a], got.waited)
	app.answers++
	app.last, app.problem = got, ""
	t.recent[got.vendor] = append(t.since(got.vendor), time.Now())
}

// since returns the answers of a vendor that are within the window.
func (t *tally) since(vendor string) []time.Time {
	all := t.recent[vendor]
	begin := time.Now().Add(-window)
	i := slices.IndexFunc(all, begin.Before)
	if i < 0 {
		return nil
	}
	return all[i:]
}

// moment is what a view shows.
type moment struct {
	elapsed  time.Duration
	phase    *phase
	apps     map[*clientApp]lastSeen
	rates    map[string]float64 // answers a second by vendor
	failures int
}

func (t *tally) now() moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := moment{elapsed: time.Since(t.start), phase: t.phase, apps: map[*clientApp]lastSeen{}, rates: map[string]float64{}}
	for a, seen := range t.apps {
		m.apps[a] = *seen
		m.failures += seen.failures
	}
	for vendor := range t.recent {
		m.rates[vendor] = float64(len(t.since(vendor))) / window.Seconds()
	}
	return m
}

// result works out the table, with a row for each fault in the order of the script.
func (t *tally) result(faults []fault) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	usual := map[*clientApp]time.Duration{}
	for a, waits := range t.calm.waits {
		usual[a] = quantile(waits, 0.5)
	}
	r := Result{Seconds: time.Since(t.start).Seconds(), Problems: append([]string{}, t.problems...)}
	r.NoFault = t.calm.row("", "(no fault in the way)", usual)
	r.Requests, r.Failures = r.NoFault.Requests, r.NoFault.Failures
	for _, f := range faults {
		row := t.faults[f.kind].row(f.kind, f.title, usual)
		r.Faults = append(r.Faults, row)
		r.Requests += row.Requests
		r.Failures += row.Failures
	}
	return r
}

// row is the count of one fault.
func (t *tally) row(f *fault) Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.faults[f.kind].row(f.kind, f.title, nil)
}

// row makes a row of the result; usual is how long each application waits when all is well.
func (c *count) row(kind, title string, usual map[*clientApp]time.Duration) Row {
	r := Row{Fault: kind, Title: title, Requests: c.requests, Lead: c.lead, Understudy: c.understudy, Rescued: c.rescued, Failures: c.failures}
	var added []time.Duration
	for a, waits := range c.waits {
		for _, d := range waits {
			added = append(added, d-usual[a])
		}
	}
	r.AddedMedian, r.AddedP99 = milliseconds(quantile(added, 0.5)), milliseconds(quantile(added, 0.99))
	return r
}

// quantile returns the smallest value that at least the share q of all are not above; 0 of none.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond).Microseconds()) / 1000
}
