// Package evacuate moves all traffic off a provider, and back: it says beforehand what
// moves where, what that loses and costs, and what cannot move; then it lets the
// provider's share of new calls fall step by step, remembers how far it is where a
// restart finds it, and counts what still goes there. Running calls are never touched.
//
// It decides when, and leaves it to the routes' health who gets a call.
package evacuate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Options is what Evacuations are built from; they must be complete.
type Options struct {
	// Postures is where the provider's share is set, and States how targets fare.
	Postures Postures
	// Files keep how far evacuations are.
	Files Files
	// Routes lists the routes of the configured models, in order, and Providers the providers.
	Routes    func() []route.Route
	Providers func() []*provider.Provider
	// Pick finds the route of a model.
	Pick func(model string) (route.Route, bool)
	// Losses lists what requests of a dialect may lose at a target, whatever they hold; false
	// if it cannot take them at all.
	Losses func(from dialect.Name, at route.Target) ([]llm.Loss, bool)
	Log    *slog.Logger
	Now    func() time.Time
}

// Postures is the part of the routes' health that an evacuation works with.
type Postures interface {
	SetPosture(provider string, p route.Posture, share float64)
	Snapshot() []route.TargetState
}

// Files keep texts by name. A text that is not there gives fs.ErrNotExist.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, content []byte) error
}

// Phase is how far an evacuation is.
type Phase string

// The phases. A provider that nobody evacuates is in PhaseNone.
const (
	PhaseNone       Phase = "none"
	PhaseEvacuating Phase = "evacuating" // its share falls
	PhaseEvacuated  Phase = "evacuated"  // it gets what cannot be moved
	PhaseRestoring  Phase = "restoring"  // its share grows
)

// state is an evacuation as it is kept: what its share is follows from the clock.
type state struct {
	Provider string    `json:"provider"`
	Phase    Phase     `json:"phase"`
	Begun    time.Time `json:"begun"`
	From     float64   `json:"from"` // the share at Begun
	Seconds  float64   `json:"ramp_seconds"`
}

// share is the provider's share of its traffic at a time, and whether that is the last.
func (s *state) share(now time.Time) (share float64, isLast bool) {
	to := 0.0
	if s.Phase == PhaseRestoring {
		to = 1
	}
	passed := now.Sub(s.Begun).Seconds()
	if s.Phase == PhaseEvacuated || passed >= s.Seconds {
		return to, true
	}
	return s.From + (to-s.From)*max(passed, 0)/s.Seconds, false
}

// Evacuations keeps track of the evacuations there are. Its methods may be called
// concurrently.
type Evacuations struct {
	opts    Options
	traffic traffic

	mu     sync.Mutex
	all    map[string]*evacuation
	active atomic.Bool // there are some
	closed bool
}

// evacuation is that of one provider.
type evacuation struct {
	state
	timer *time.Timer // of the next step
	since time.Time   // calls that began earlier are not in count
	count counted
}

// New builds Evacuations; Load brings back those that were going on.
func New(o Options) *Evacuations {
	return &Evacuations{opts: o, all: map[string]*evacuation{}}
}

// fileName is the name of what is kept.
const fileName = "evacuations.json"

// Load goes on with what an earlier run of the gateway was told.
func (e *Evacuations) Load() error {
	text, err := e.opts.Files.Read(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept []state
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return fmt.Errorf("read the evacuations that were going on, %s in the data folder: %w\n"+
			"hint: put back a copy of the file, or remove it: then no provider is evacuated, and understudy evacuate does it again", fileName, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range kept {
		e.opts.Log.Info("evacuation goes on", "provider", s.Provider, "phase", string(s.Phase))
		v := &evacuation{state: s, since: e.opts.Now()}
		e.all[s.Provider] = v
		e.step(v)
	}
	return nil
}

// maxRamp bounds a ramp in seconds: a week.
const maxRamp = 7 * 24 * 60 * 60

// Start evacuates a provider within a ramp. One that is evacuated, or on the way in the
// same ramp, is left as it is.
func (e *Evacuations) Start(provider string, seconds float64) (Status, error) {
	return e.change(provider, seconds, PhaseEvacuating)
}

// Restore brings a provider back within a ramp. One that nobody has evacuated is left as it is.
func (e *Evacuations) Restore(provider string, seconds float64) (Status, error) {
	return e.change(provider, seconds, PhaseRestoring)
}

func (e *Evacuations) change(id string, seconds float64, to Phase) (Status, error) {
	if !(seconds >= 0 && seconds <= maxRamp) {
		return Status{}, llm.Invalid("ramp_seconds", "A ramp must be of 0 to %d seconds.", maxRamp)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.all[id]
	if v == nil && !e.isKnown(id) {
		return Status{}, e.unknownProvider(id)
	}
	if to == PhaseRestoring && !e.isKnown(id) {
		seconds = 0 // it has no traffic that could grow
	}
	now := e.opts.Now()
	switch {
	case v == nil && to == PhaseRestoring,
		v != nil && v.Phase == to && v.Seconds == seconds,
		v != nil && v.Phase == PhaseEvacuated && to == PhaseEvacuating:
		return e.status(id), nil
	case e.closed:
		return Status{}, &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The gateway shuts down."}
	}
	next := state{Provider: id, Phase: to, Begun: now, From: 1, Seconds: seconds}
	var was *state
	if v == nil {
		v = &evacuation{}
	} else {
		before := v.state
		was = &before
		next.From, _ = v.share(now)
	}
	v.state = next
	e.all[id] = v
	if err := e.save(); err != nil { // then nothing has happened
		if was == nil {
			delete(e.all, id)
		} else {
			v.state = *was
		}
		return Status{}, err
	}
	v.count, v.since = counted{}, now
	e.opts.Log.Info("evacuation", "provider", id, "phase", string(to), "share", next.From, "ramp_seconds", seconds)
	e.step(v)
	return e.status(id), nil
}

// leaving are the providers that traffic moves off, or has moved off, beside one.
func (e *Evacuations) leaving(beside string) map[string]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := map[string]bool{}
	for id, v := range e.all {
		found[id] = id != beside && v.Phase != PhaseRestoring
	}
	return found
}

func (e *Evacuations) isKnown(id string) bool {
	return slices.ContainsFunc(e.opts.Providers(), func(p *provider.Provider) bool { return p.ID == id })
}

func (e *Evacuations) unknownProvider(id string) *llm.Error {
	var ids []string
	for _, p := range e.opts.Providers() {
		ids = append(ids, p.ID)
	}
	return &llm.Error{
		Code: llm.CodePathNotFound, Origin: llm.OriginClient,
		Message: fmt.Sprintf("No provider %q is configured. There are: %s.", id, strings.Join(ids, ", ")),
	}
}

// How far apart the steps of a ramp are: so many in all, within bounds.
const (
	steps     = 200
	leastStep = 50 * time.Millisecond
	mostStep  = 5 * time.Second
)

// step sets the provider's share to what it is now, and sees to the next step. The lock is held.
func (e *Evacuations) step(v *evacuation) {
	if v.timer != nil {
		v.timer.Stop()
	}
	share, isLast := v.share(e.opts.Now())
	switch {
	case isLast && v.Phase == PhaseRestoring:
		e.opts.Postures.SetPosture(v.Provider, route.PostureNormal, 1)
		delete(e.all, v.Provider)
		e.opts.Log.Info("evacuation", "provider", v.Provider, "phase", string(PhaseNone), "share", 1.0)
		e.saveOrLog()
	case isLast:
		e.opts.Postures.SetPosture(v.Provider, route.PostureEvacuated, 0)
		if v.Phase == PhaseEvacuating {
			v.Phase, v.count, v.since = PhaseEvacuated, counted{}, e.opts.Now()
			e.opts.Log.Info("evacuation", "provider", v.Provider, "phase", string(PhaseEvacuated), "share", 0.0)
			e.saveOrLog()
		}
	default:
		e.opts.Postures.SetPosture(v.Provider, route.PostureDraining, share)
		wait := min(max(time.Duration(v.Seconds/steps*float64(time.Second)), leastStep), mostStep)
		v.timer = time.AfterFunc(wait, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.all[v.Provider] == v && !e.closed {
				e.step(v)
			}
		})
	}
	e.active.Store(len(e.all) > 0)
}

// save keeps how far all are. The lock is held.
func (e *Evacuations) save() error {
	kept := []state{}
	for _, v := range e.all {
		kept = append(kept, v.state)
	}
	slices.SortFunc(kept, func(a, b state) int { return cmp.Compare(a.Provider, b.Provider) })
	text, err := json.MarshalIndent(kept, "", "  ")
	if err == nil {
		err = e.opts.Files.Write(fileName, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the evacuation: %w", err)
	}
	return nil
}

func (e *Evacuations) saveOrLog() {
	if err := e.save(); err != nil {
		e.opts.Log.Error("evacuation not kept", "error", err.Error())
	}
}

// Close ends the steps; what is kept goes on with the next start.
func (e *Evacuations) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, v := range e.all {
		if v.timer != nil {
			v.timer.Stop()
		}
	}
}
