package demo

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

const (
	// workers is how many users each application has: requests it makes at once.
	workers = 2
	// A user pauses between two requests, longer the longer the show is.
	maxPause   = 40 * time.Millisecond
	pauseShare = 500 // of the show's length
	// A fault lasts faultShare times as long as the healthy moment after it, and one that costs time
	// slowShare times.
	faultShare, slowShare = 3, 6
	// leastPhase is the least time a phase takes, however short the show.
	leastPhase = 20 * time.Millisecond
)

// phase is a stretch of the show in which one vendor is broken in one way, or none is.
type phase struct {
	fault  *fault  // nil while every vendor is healthy
	broken *vendor // the vendor that has the fault

	mu      sync.Mutex
	missing map[*clientApp]bool // applications that have not been struck yet
	struck  chan struct{}       // closed when all have been
}

// newPhase begins a phase; every application that the fault can strike must be struck in it.
func newPhase(f *fault, broken *vendor, apps []*clientApp) *phase {
	p := &phase{fault: f, broken: broken, missing: map[*clientApp]bool{}, struck: make(chan struct{})}
	for _, a := range apps {
		if p.strikes(a) {
			p.missing[a] = true
		}
	}
	if len(p.missing) == 0 {
		close(p.struck)
	}
	return p
}

// strikes reports whether a's requests meet the fault.
func (p *phase) strikes(a *clientApp) bool {
	return p.fault != nil && a.lead == p.broken.name && p.fault.strikes(a)
}

func (p *phase) served(a *clientApp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.missing[a] {
		return
	}
	if delete(p.missing, a); len(p.missing) == 0 {
		close(p.struck)
	}
}

// show plays the script to the applications.
type show struct {
	vendors []*vendor
	apps    []*clientApp
	faults  []fault
	length  time.Duration
	tally   *tally
	view    view
	// operator runs the gateway; nil if there is none.
	operator *client.Client
	planned  planned

	prompts atomic.Int64
	// gate is held for reading during a request and for writing while a vendor is broken or mended:
	// a vendor that breaks in the middle of an answer is another matter, and each request belongs to
	// one phase.
	gate  sync.RWMutex
	phase *phase
}

// run plays the whole script once. An error is the context's, or one of the machinery; what the
// applications saw is in the tally.
func (s *show) run(ctx context.Context) error {
	s.phase = newPhase(nil, nil, s.apps)
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, a := range s.apps {
		for range workers {
			running.Go(func() { s.use(ctx, a) })
		}
	}
	err := s.play(ctx)
	stop()
	running.Wait()
	return err
}

// play goes through the faults. Each strikes the vendors in turn, with a healthy moment after each
// and before the first.
func (s *show) play(ctx context.Context) error {
	end := time.Now().Add(s.length - s.planned.length())
	shares := 1
	for i := range s.faults {
		shares += len(s.vendors) * (s.faults[i].share() + 1)
	}
	hold := func(p *phase, share int) error {
		d := max(time.Until(end)*time.Duration(share)/time.Duration(shares), leastPhase)
		shares -= share
		return p.hold(ctx, d)
	}
	if err := hold(s.phase, 1); err != nil {
		return err
	}
	for i := range s.faults {
		f := &s.faults[i]
		s.view.begin(f)
		for _, v := range s.vendors {
			p := newPhase(f, v, s.apps)
			if err := s.turn(p, func() error { return v.breakWith(f.kind) }); err != nil {
				return err
			}
			if err := hold(p, f.share()); err != nil {
				return err
			}
			if err := s.turn(newPhase(nil, nil, s.apps), func() error { return s.mend(ctx, v) }); err != nil {
				return err
			}
			if err := hold(s.phase, 1); err != nil {
				return err
			}
		}
		s.view.end(f)
	}
	return s.plan(ctx)
}

// mend mends a vendor and tells the gateway, which would else find out step by step: the next
// fault is to meet a vendor in service.
func (s *show) mend(ctx context.Context, v *vendor) error {
	if err := v.mend(); err != nil || s.operator == nil {
		return err
	}
	if _, err := s.operator.Forget(ctx, v.name); err != nil {
		return fmt.Errorf("tell the gateway that %s is mended: %w", v.name, err)
	}
	return nil
}

func (f *fault) share() int {
	if f.slow {
		return slowShare
	}
	return faultShare
}

// turn waits for the running requests, changes the vendor and lets requests of the new phase begin.
func (s *show) turn(p *phase, change func() error) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := change(); err != nil {
		return err
	}
	s.phase = p
	s.tally.turn(p)
	return nil
}

// hold stays in the phase for d, and until all whom it concerns have met the fault.
func (p *phase) hold(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return fmt.Errorf("play the script: %w", context.Cause(ctx))
	}
	select {
	case <-p.struck:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("play the script: %w", context.Cause(ctx))
	}
}

// use is a user of an application, who sends one request after the other.
func (s *show) use(ctx context.Context, a *clientApp) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		s.request(ctx, a)
		timer.Reset(min(maxPause, s.length/pauseShare))
	}
}

func (s *show) request(ctx context.Context, a *clientApp) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if ctx.Err() != nil {
		return
	}
	got, err := a.ask(ctx, "cue "+strconv.FormatInt(s.prompts.Add(1), 10))
	if ctx.Err() != nil {
		return // it was the end of the show that cut the answer
	}
	s.tally.add(s.phase, a, got, err)
	s.phase.served(a)
}

// String says in words what is broken.
func (p *phase) String() string {
	if p.fault == nil {
		return "both vendors healthy"
	}
	if p.fault.planned {
		return p.fault.title
	}
	return p.broken.name + " broken: " + p.fault.title
}
