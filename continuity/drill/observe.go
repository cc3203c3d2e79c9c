package drill

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Call is what a call came to, as far as a drill wants to know it.
type Call struct {
	ID, Caller string
	Model      string // as the client asked
	Operation  string
	Code       llm.Code // why there was no whole answer; empty if there was
	Start      time.Time
	Duration   time.Duration
	Attempts   []Attempt
	Refused    []Refusal
}

// Attempt is one request to a provider.
type Attempt struct {
	Target       string // provider/model
	Start        time.Time
	FirstContent time.Duration // since Start; 0 if none came
	Code         llm.Code      // why it failed; empty if it did not
	Committed    bool
	Rescue       bool
	Status       int
	Usage        llm.Usage
	ServiceTier  string // at which it was served; empty for the usual one
	Losses       []llm.Loss
}

// Refusal is a target that was not asked, because it would have lost what may not be lost.
type Refusal struct {
	Target, Param string
	Code          llm.Code
}

// providerOf is the provider of a target.
func providerOf(target string) string {
	id, _, _ := strings.Cut(target, "/")
	return id
}

// run is a drill that runs, or whose calls are not over.
type run struct {
	id     string
	spec   Spec
	fault  Fault
	abort  rule
	drills *Drills
	begun  time.Time
	// usualFirst and usualWhole are how long the provider took before.
	usualFirst, usualWhole time.Duration
	over                   context.Context    //nolint:containedctx // ends with the drill: what hangs is let go
	end                    context.CancelFunc // ends over
	settled                chan struct{}      // closed when the report is final

	mu             sync.Mutex
	state          State
	final          State // what state becomes once the struck calls are over
	why            string
	ended          time.Time
	open           map[string]bool // calls that were struck and are not over
	struck, spared tally
	moved          map[Move]int
	lost           map[string]int
	stuck          map[Stuck]int
}

// strike notes that a call met the fault.
func (r *run) strike(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[call] = true
}

// finish ends the drill, once: nothing is struck any more, and what hangs is let go.
func (r *run) finish(s State, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finishLocked(s, why)
}

func (r *run) finishLocked(s State, why string) {
	if r.over.Err() != nil {
		return
	}
	r.why, r.ended = why, r.drills.opts.Now()
	r.final = s
	r.end()
}

// settle makes the end final. Calls that are not over by then are not in the report.
func (r *run) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = r.final
}

func (r *run) isOpen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) > 0
}

// abandon waits for no call.
func (r *run) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.open)
}

// Observe takes in what a call came to. It is called for every call while IsWatching.
func (d *Drills) Observe(c *Call) {
	if r := d.current.Load(); r != nil {
		r.observe(c)
	}
}

// IsWatching reports whether a drill wants to know of calls.
func (d *Drills) IsWatching() bool { return d.current.Load() != nil }

func (r *run) observe(c *Call) {
	concerned := r.concerns(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.open[c.ID]:
		delete(r.open, c.ID)
		r.count(&r.struck, c)
		r.follow(c)
	case concerned && r.over.Err() == nil:
		r.count(&r.spared, c)
	default:
		return
	}
	if len(r.abort) == 0 || r.over.Err() != nil {
		return
	}
	rep := r.sum()
	if met, ok := r.abort.met(&rep); ok {
		r.finishLocked(Aborted, "its rule was met: "+met.String())
	}
}

// concerns reports whether a call asked for a model that the provider serves, and began
// while the drill ran. Whose it is does not matter: what a drill of one caller's calls does to the
// provider's health and to the understudies, all meet.
func (r *run) concerns(c *Call) bool {
	if c.Start.Before(r.begun) {
		return false
	}
	if len(c.Attempts) > 0 && slices.ContainsFunc(c.Attempts, func(a Attempt) bool { return r.isTarget(a.Target, c.Model) }) {
		return true
	}
	found, ok := r.drills.opts.Pick(c.Model)
	if !ok {
		return false
	}
	for _, t := range found.Targets {
		if r.isTarget(t.Name(), c.Model) {
			return true
		}
	}
	return false
}

func (r *run) isTarget(target, asked string) bool {
	id, model, _ := strings.Cut(target, "/")
	return id == r.spec.Provider && (r.spec.Model == "" || r.spec.Model == asked || r.spec.Model == model)
}

// count adds a call to a tally.
func (r *run) count(t *tally, c *Call) {
	t.Calls++
	lossy := false
	for i := range c.Attempts {
		a := &c.Attempts[i]
		lossy = lossy || len(a.Losses) > 0 && a.Code == ""
		r.price(t, a)
	}
	if lossy {
		t.Lossy++
	}
	switch {
	case isFailure(c.Code):
		t.Failed++
		return
	case c.Code != "":
		t.Gone++
		return
	}
	t.whole.add(c.Duration)
	for i := range c.Attempts {
		if a := &c.Attempts[i]; a.FirstContent > 0 {
			t.first.add(a.Start.Sub(c.Start) + a.FirstContent)
			break
		}
	}
	switch last := lastOf(c); {
	case last == nil:
	case last.Rescue:
		t.Rescues++
	case providerOf(last.Target) == r.spec.Provider:
		t.Same++
	default:
		t.Failovers++
	}
}

func (r *run) price(t *tally, a *Attempt) {
	if a.Status != 200 && a.FirstContent == 0 {
		return // nothing was answered
	}
	usd, known := 0.0, false
	if price := r.drills.opts.Price; price != nil && a.Usage.Known {
		usd, known = price(a)
	}
	if !known {
		t.Unpriced++
	}
	t.CostUSD += usd
}

func lastOf(c *Call) *Attempt {
	for i := len(c.Attempts) - 1; i >= 0; i-- {
		if c.Attempts[i].Code != llm.CodeOutrun { // another, beside it, was faster
			return &c.Attempts[i]
		}
	}
	return nil
}

// maxKinds bounds each list of a report: clients choose the names of models.
const maxKinds = 200

// follow says where a struck call went, and what it lost; or why it went nowhere.
func (r *run) follow(c *Call) {
	last := lastOf(c)
	if last == nil {
		return
	}
	if isFailure(c.Code) {
		add(r.stuck, Stuck{Model: c.Model, Operation: c.Operation, Why: r.reason(c)})
		return
	}
	if c.Code != "" {
		return
	}
	seen := map[string]bool{}
	for _, l := range last.Losses {
		if s := l.String(); !seen[s] {
			seen[s] = true
			add(r.lost, s)
		}
	}
	if providerOf(last.Target) == r.spec.Provider {
		return
	}
	how := "failover"
	if last.Rescue {
		how = "rescue"
	}
	add(r.moved, Move{Model: c.Model, From: r.from(c), To: last.Target, How: how})
}

// from is the last target of the provider that the call asked before another took over.
func (r *run) from(c *Call) string {
	for _, a := range slices.Backward(c.Attempts) {
		if providerOf(a.Target) == r.spec.Provider {
			return a.Target
		}
	}
	return r.spec.Provider
}

// reason words why nobody else took a call: who was asked in vain, who could not be asked, or
// that there was nobody.
func (r *run) reason(c *Call) string {
	var why []string
	for _, a := range c.Attempts {
		if providerOf(a.Target) != r.spec.Provider && a.Code != "" {
			why = append(why, a.Target+" failed: "+string(a.Code))
		}
	}
	for _, t := range c.Refused {
		text := t.Target + " could not take it: " + string(t.Code)
		if t.Param != "" {
			text += " of " + t.Param
		}
		why = append(why, text)
	}
	if len(why) > 0 {
		return strings.Join(why, "; ")
	}
	for _, a := range c.Attempts {
		if a.Committed {
			return "its answer had begun and is not plain text, or no other target could go on with it"
		}
	}
	if found, ok := r.drills.opts.Pick(c.Model); ok && len(found.Targets) > 1 {
		return fmt.Sprintf("no other target of its route does this (%s), or the request forbade it", c.Operation)
	}
	return "it has no understudy"
}

func add[K comparable](counts map[K]int, key K) {
	if _, known := counts[key]; known || len(counts) < maxKinds {
		counts[key]++
	}
}

// isFailure reports whether a client got an error that was not its own doing.
func isFailure(code llm.Code) bool {
	if code == "" {
		return false
	}
	switch code { //nolint:exhaustive // the rest is told by what the codes say of themselves
	case llm.CodeInternal, llm.CodeUnavailable:
		return true
	}
	return code.Info().Next != llm.GiveUp
}

// classOf is the class of a latency in milliseconds, upperEnd the most that is in a class.
func classOf(ms float64) int {
	return max(int(math.Ceil(math.Log(max(ms, leastMS)/leastMS)/math.Log(growth)-1e-9)), 0)
}

func upperEnd(class int) float64 {
	ms := leastMS * math.Pow(growth, float64(class))
	digits := math.Pow(10, 2-math.Floor(math.Log10(ms))) // three that count
	return math.Round(ms*digits) / digits
}
