// Package drill breaks one provider on purpose, for a while and for a share of its
// traffic, so that it is known and not hoped that the understudies can take it. A fault
// is put between the gateway and the provider, which never sees more than calls that
// stop coming or are cancelled; the drill ends by itself, on its abort rule, or when it is
// told to, and leaves a report of what came of the calls it struck.
//
// It stands where the transport stands, and learns what clients got from the records of
// calls. It decides nothing about a call and changes no answer: what it breaks, it breaks.
package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Spec is what a drill is asked to do.
type Spec struct {
	Provider string  `json:"provider" doc:"The provider that seems to fail."`
	Fault    string  `json:"fault" doc:"The fault, one of those that GET /v1/faults lists."`
	Share    float64 `json:"share,omitempty" doc:"The share of the provider's calls that is struck, above 0 and up to 1; 1 if missing."`
	Seconds  float64 `json:"seconds" doc:"How long it lasts, up to a day."`
	AbortIf  string  `json:"abort_if,omitempty" doc:"When to end at once, such as client_failures > 0 or p99_ms > 5000."`
	Model    string  `json:"model,omitempty" doc:"Strike only calls of this model, as clients ask for it or as the provider calls it."`
	Caller   string  `json:"caller,omitempty" doc:"Strike only calls of the caller of this name."`
	DelayMS  float64 `json:"delay_ms,omitempty" doc:"How late the faults slow and drip make what comes; 3000 if missing."`
}

// Bounds of a Spec.
const (
	maxSeconds   = 24 * 60 * 60
	usualDelayMS = 3000
	maxDelayMS   = 10 * 60 * 1000
)

// Options is what Drills are built from.
type Options struct {
	// Sender is what sends when no fault is in the way.
	Sender Sender
	// Files keep the reports.
	Files Files
	// Providers lists those that are configured, and Pick finds the route of a model.
	Providers func() []*provider.Provider
	Pick      func(model string) (route.Route, bool)
	// Routes lists the routes of the configured models.
	Routes func() []route.Route
	// IsCaller reports whether there is a caller of a name. May be nil.
	IsCaller func(name string) bool
	// Price is what an attempt has cost in USD, where that is known. May be nil.
	Price func(a *Attempt) (usd float64, known bool)
	// Usual is how long a provider took of late, to the first content of streams and to the end
	// of whole answers; 0 where that is not known. May be nil.
	Usual func(provider string) (first, whole time.Duration)
	Log   *slog.Logger
	Now   func() time.Time
}

// Files keep texts by name. A text that is not there gives fs.ErrNotExist.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, content []byte) error
	Remove(name string) error
	// Names lists the names that begin with prefix, sorted.
	Names(prefix string) ([]string, error)
}

// Drills starts drills, one at a time, and keeps their reports. It is a Sender: the gateway
// sends through it. Its methods may be called concurrently.
type Drills struct {
	opts Options
	// current is the drill that runs, or whose last calls are not over.
	current atomic.Pointer[run]

	mu      sync.Mutex // held while a drill starts and ends
	running sync.WaitGroup
	closed  bool
}

// New builds Drills. The options must be complete.
func New(o Options) *Drills { return &Drills{opts: o} }

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// isID reports whether a drill may be called so: it is the name of a file, too.
func isID(s string) bool { return len(s) <= 64 && idForm.MatchString(s) }

// Start begins a drill under an id of the caller's choice. Asked for again with the same id
// and the same Spec, it returns the drill that there is.
func (d *Drills) Start(id string, s Spec) (Report, error) {
	if !isID(id) {
		return Report{}, llm.Invalid("id", "A drill's id must be of letters a to z, digits, - and _, and at most 64 of them.")
	}
	r, err := d.newRun(id, s)
	if err != nil {
		return Report{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch old, err := d.Get(id); {
	case err == nil && old.Spec == r.spec:
		return old, nil
	case err == nil:
		return Report{}, &llm.Error{Code: llm.CodeConflict, Origin: llm.OriginClient, Message: "There is a drill of this id already, and it is another."}
	}
	if other := d.current.Load(); other != nil {
		return Report{}, &llm.Error{
			Code: llm.CodeConflict, Origin: llm.OriginClient,
			Message: "The drill " + other.id + " of " + other.spec.Provider + " runs. One at a time: stop it, or wait for its end.",
		}
	}
	if d.closed {
		return Report{}, &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The gateway shuts down."}
	}
	if err := d.save(r.report()); err != nil {
		return Report{}, err
	}
	d.forget()
	d.current.Store(r)
	d.running.Go(func() { d.watch(r) })
	d.opts.Log.Info("drill begins", "drill", id, "provider", s.Provider, "fault", s.Fault, "share", r.spec.Share,
		"seconds", s.Seconds, "abort_if", s.AbortIf, "model", s.Model, "caller", s.Caller)
	return r.report(), nil
}

// newRun checks a Spec and makes a drill of it.
func (d *Drills) newRun(id string, s Spec) (*run, error) {
	if s.Share == 0 {
		s.Share = 1
	}
	if s.DelayMS == 0 {
		s.DelayMS = usualDelayMS
	}
	f, known := faultNamed(s.Fault)
	all := d.opts.Providers()
	at := slices.IndexFunc(all, func(p *provider.Provider) bool { return p.ID == s.Provider })
	switch {
	case at < 0:
		return nil, llm.Invalid("provider", "No provider %q is configured. There are: %s.", s.Provider, d.providers())
	case !known:
		return nil, llm.Invalid("fault", "There is no fault %q. There are: %s.", s.Fault, strings.Join(names(), ", "))
	case !(s.Share > 0 && s.Share <= 1):
		return nil, llm.Invalid("share", "The share must be above 0 and at most 1, which is every call.")
	case !(s.Seconds > 0 && s.Seconds <= maxSeconds):
		return nil, llm.Invalid("seconds", "A drill must last more than 0 and at most %d seconds.", maxSeconds)
	case !(s.DelayMS > 0 && s.DelayMS <= maxDelayMS):
		return nil, llm.Invalid("delay_ms", "The delay must be above 0 and at most %d ms.", maxDelayMS)
	case s.Model != "" && !d.serves(all[at], s.Model):
		return nil, llm.Invalid("model", "No model %q is served by %s. Name one as clients ask for it, or as the config has it; any that the config does not have is %s/NAME.", s.Model, s.Provider, s.Provider)
	case s.Caller != "" && d.opts.IsCaller != nil && !d.opts.IsCaller(s.Caller):
		return nil, llm.Invalid("caller", "There is no key of the name %q. A key's name is what the log calls it: its id, if it was given none.", s.Caller)
	}
	abort, err := parseRule(s.AbortIf)
	if err != nil {
		return nil, llm.Invalid("abort_if", "The rule cannot be read: %v.", err)
	}
	r := &run{
		id: id, spec: s, fault: f, abort: abort, drills: d, begun: d.opts.Now(), state: Running, settled: make(chan struct{}),
		open: map[string]bool{}, moved: map[Move]int{}, lost: map[string]int{}, stuck: map[Stuck]int{},
	}
	if d.opts.Usual != nil {
		r.usualFirst, r.usualWhole = d.opts.Usual(s.Provider)
	}
	r.over, r.end = context.WithCancel(context.Background())
	return r, nil
}

// serves reports whether a provider has a model: one that clients can ask for, or one by its own name.
func (d *Drills) serves(p *provider.Provider, model string) bool {
	isAt := func(name string) func(route.Target) bool {
		return func(t route.Target) bool { return t.Provider.ID == p.ID && (name == "" || t.Model == name) }
	}
	if found, ok := d.opts.Pick(model); ok && slices.ContainsFunc(found.Targets, isAt("")) {
		return true
	}
	if _, known := p.Model(model); known {
		return true
	}
	return slices.ContainsFunc(d.opts.Routes(), func(r route.Route) bool { return slices.ContainsFunc(r.Targets, isAt(model)) })
}

func (d *Drills) providers() string {
	var ids []string
	for _, p := range d.opts.Providers() {
		ids = append(ids, p.ID)
	}
	return strings.Join(ids, ", ")
}

// watch ends a drill when its time is over, and waits for the calls it struck.
func (d *Drills) watch(r *run) {
	const (
		saveEach = 10 * time.Second
		look     = 20 * time.Millisecond
		patience = 30 * time.Second // with calls that were struck and are not over
	)
	late := time.NewTimer(time.Duration(r.spec.Seconds * float64(time.Second)))
	defer late.Stop()
	save := time.NewTicker(saveEach)
	defer save.Stop()
	for r.over.Err() == nil {
		select {
		case <-r.over.Done():
		case <-late.C:
			r.finish(Ended, "its time was over")
		case <-save.C:
			d.saveOrLog(r.report())
		}
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for waited := time.Duration(0); r.isOpen() && waited < patience; waited += look {
		<-ticker.C
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r.settle()
	d.saveOrLog(r.report())
	d.current.Store(nil)
	close(r.settled)
	rep := r.report()
	d.opts.Log.Info("drill is over", "drill", r.id, "state", string(rep.State), "why", rep.Why, "struck", rep.Struck.Calls,
		"client_failures", rep.ClientFailures, "failovers", rep.Struck.Failovers, "rescues", rep.Struck.Rescues)
}

// Stop ends a drill. One that has ended stays as it is.
func (d *Drills) Stop(ctx context.Context, id string) (Report, error) {
	r := d.current.Load()
	if r == nil || r.id != id {
		return d.Get(id)
	}
	r.finish(Stopped, "it was stopped")
	const most = 2 * time.Second // for the calls that it struck
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case <-r.settled:
	case <-ctx.Done():
	}
	return d.Get(id)
}

// End ends the drill that runs, and lets go what hangs in it. None begins after it.
func (d *Drills) End() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	if r := d.current.Load(); r != nil {
		r.finish(Stopped, "the gateway stopped")
	}
}

// Close is End, and the last of it: the report is made of the calls that are over.
func (d *Drills) Close() {
	d.End()
	if r := d.current.Load(); r != nil {
		r.abandon()
	}
	d.running.Wait()
}

// Current returns the drill that runs, and the provider that seems to fail; both are empty
// if none does.
func (d *Drills) Current() (id, provider string) {
	if r := d.current.Load(); r != nil {
		return r.id, r.spec.Provider
	}
	return "", ""
}

// prefix begins the names of the reports' files.
const prefix = "drills/"

func fileName(id string) string { return prefix + id + ".json" }

func (d *Drills) save(r Report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = d.opts.Files.Write(fileName(r.ID), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the report of drill %s: %w", r.ID, err)
	}
	return nil
}

func (d *Drills) saveOrLog(r Report) {
	if err := d.save(r); err != nil {
		d.opts.Log.Error("drill report not kept", "drill", r.ID, "error", err.Error())
	}
}

// maxReports is how many reports are kept.
const maxReports = 500

// forget removes the oldest reports.
func (d *Drills) forget() {
	ids, err := d.IDs()
	for err == nil && len(ids) > maxReports {
		err = d.opts.Files.Remove(fileName(ids[len(ids)-1]))
		ids = ids[:len(ids)-1]
	}
	if err != nil {
		d.opts.Log.Warn("old drill reports not removed", "error", err.Error())
	}
}

// IDs lists the drills, the last id first: ids that begin with the time are then in order.
func (d *Drills) IDs() ([]string, error) {
	found, err := d.opts.Files.Names(prefix)
	if err != nil {
		return nil, fmt.Errorf("list the drills: %w", err)
	}
	ids := make([]string, 0, len(found))
	for _, name := range slices.Backward(found) {
		if id, ok := strings.CutSuffix(strings.TrimPrefix(name, prefix), ".json"); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Get returns the report of a drill, as far as it has come.
func (d *Drills) Get(id string) (Report, error) {
	if r := d.current.Load(); r != nil && r.id == id {
		return r.report(), nil
	}
	unknown := &llm.Error{Code: llm.CodePathNotFound, Origin: llm.OriginClient, Message: "There is no drill of this id. GET /v1/drills lists those that there were."}
	if !isID(id) {
		return Report{}, unknown
	}
	text, err := d.opts.Files.Read(fileName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, unknown
	}
	var r Report
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return Report{}, fmt.Errorf("read the report of drill %s: %w", id, err)
	}
	if r.State == Running { // and is not the one that runs
		r.State, r.Why = Interrupted, "the gateway was killed"
	}
	return r, nil
}
