package drill

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State is how far a drill has come.
type State string

// The states. All but Running are final.
const (
	Running     State = "running"
	Ended       State = "ended"       // its time was over
	Stopped     State = "stopped"     // by somebody, or with the gateway
	Aborted     State = "aborted"     // by its rule
	Interrupted State = "interrupted" // the gateway was killed
)

// Report is what came of a drill, so far or in the end.
type Report struct {
	ID    string    `json:"id"`
	Spec  Spec      `json:"spec"`
	State State     `json:"state" doc:"running, ended, stopped, aborted or interrupted."`
	Why   string    `json:"why,omitempty" doc:"What ended it."`
	Begun time.Time `json:"begun"`
	Over  time.Time `json:"over,omitzero" doc:"When no more calls were struck."`
	// ClientFailures counts the calls whose clients got an error, in Struck and Spared.
	ClientFailures int   `json:"client_failures" doc:"Calls whose clients got an error that was not their own, in struck and spared."`
	Struck         Group `json:"struck" doc:"The calls that met the fault."`
	Spared         Group `json:"spared" doc:"The other calls of the same models meanwhile."`
	// UsualFirst and UsualWhole are what to compare with where no calls are spared.
	UsualFirst float64 `json:"usual_first_ms,omitempty" doc:"Until the first content, on average, before the drill."`
	UsualWhole float64 `json:"usual_whole_ms,omitempty" doc:"Until a whole answer that is not streamed, on average, before the drill."`
	Open       int     `json:"open,omitempty" doc:"Struck calls that are not over."`
	Moved      []Move  `json:"moved" doc:"Who went on with the struck calls."`
	Lost       []Lost  `json:"lost" doc:"What the struck calls lost in translation."`
	// Stuck are the struck calls that nobody else could take.
	Stuck []Stuck `json:"stuck" doc:"The struck calls that nobody else could take, and why."`
}

// Group counts calls of one kind. Latencies are in milliseconds, exact within 5 %.
type Group struct {
	Calls     int     `json:"calls"`
	Failed    int     `json:"failed" doc:"The client got an error that was not its own."`
	Gone      int     `json:"gone" doc:"The client left before the answer, or erred itself."`
	Same      int     `json:"same" doc:"The provider itself answered."`
	Failovers int     `json:"failovers" doc:"Another target answered."`
	Rescues   int     `json:"rescues" doc:"Another target went on with the answer."`
	Lossy     int     `json:"lossy" doc:"Something was lost in translation."`
	FirstP50  float64 `json:"first_p50_ms" doc:"Until the first content, half of the calls."`
	FirstP99  float64 `json:"first_p99_ms"`
	WholeP50  float64 `json:"whole_p50_ms" doc:"Until the whole answer, half of the calls."`
	WholeP99  float64 `json:"whole_p99_ms"`
	CostUSD   float64 `json:"cost_usd" doc:"Of all attempts whose price and usage are known."`
	Unpriced  int     `json:"unpriced,omitempty" doc:"Attempts that were answered, at a cost that is not known."`
}

// Move is how calls got from one target to another.
type Move struct {
	Model string `json:"model" doc:"What the client asked for."`
	From  string `json:"from"`
	To    string `json:"to"`
	How   string `json:"how" doc:"failover or rescue."`
	Calls int    `json:"calls"`
}

// Lost is something that calls lost in translation.
type Lost struct {
	Loss  string `json:"loss" doc:"As in X-Understudy-Loss."`
	Calls int    `json:"calls"`
}

// Stuck is why calls could not be moved.
type Stuck struct {
	Model     string `json:"model"`
	Operation string `json:"operation"`
	Why       string `json:"why"`
	Calls     int    `json:"calls"`
}

// report is the report so far.
func (r *run) report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sum()
}

// sum is report for those that hold the lock.
func (r *run) sum() Report {
	rep := Report{
		ID: r.id, Spec: r.spec, State: r.state, Why: r.why, Begun: r.begun, Over: r.ended, Open: len(r.open),
		Struck: r.struck.group(), Spared: r.spared.group(), Moved: []Move{}, Lost: []Lost{}, Stuck: []Stuck{},
	}
	rep.UsualFirst, rep.UsualWhole = milliseconds(r.usualFirst), milliseconds(r.usualWhole)
	rep.ClientFailures = rep.Struck.Failed + rep.Spared.Failed
	for m, n := range r.moved {
		m.Calls = n
		rep.Moved = append(rep.Moved, m)
	}
	for loss, n := range r.lost {
		rep.Lost = append(rep.Lost, Lost{loss, n})
	}
	for s, n := range r.stuck {
		s.Calls = n
		rep.Stuck = append(rep.Stuck, s)
	}
	slices.SortFunc(rep.Moved, func(a, b Move) int {
		return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Model+a.From+a.To+a.How, b.Model+b.From+b.To+b.How))
	})
	slices.SortFunc(rep.Lost, func(a, b Lost) int { return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Loss, b.Loss)) })
	slices.SortFunc(rep.Stuck, func(a, b Stuck) int {
		return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Model+a.Operation+a.Why, b.Model+b.Operation+b.Why))
	})
	return rep
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond).Microseconds()) / 1000
}

// tally counts calls.
type tally struct {
	Group
	first, whole latencies
}

func (t *tally) group() Group {
	g := t.Group
	g.FirstP50, g.FirstP99 = t.first.quantile(0.5), t.first.quantile(0.99)
	g.WholeP50, g.WholeP99 = t.whole.quantile(0.5), t.whole.quantile(0.99)
	return g
}

// latencies counts durations by size, each class 5 % wider than the one before, so that a
// long drill costs no more memory than a short one.
type latencies struct {
	classes map[int]int
	count   int
}

const (
	leastMS = 0.05
	growth  = 1.05
)

func (l *latencies) add(d time.Duration) {
	if l.classes == nil {
		l.classes = map[int]int{}
	}
	l.classes[classOf(float64(d)/float64(time.Millisecond))]++
	l.count++
}

// quantile returns the upper end of the class that the share q of all are not above; 0 of none.
func (l *latencies) quantile(q float64) float64 {
	left := int(float64(l.count)*q + 0.999999)
	for _, class := range slices.Sorted(maps.Keys(l.classes)) {
		if left -= l.classes[class]; left <= 0 {
			return upperEnd(class)
		}
	}
	return 0
}
