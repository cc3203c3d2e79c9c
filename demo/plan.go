package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

// What the operator plans, in the order of the show: phases as those of faults, in which nothing
// is broken.
var (
	drillOf      = fault{kind: "drill", title: "drill: a vendor seems cut", unary: true, stream: true, planned: true}
	evacuationOf = fault{kind: "evacuation", title: "evacuation of a vendor", unary: true, stream: true, planned: true}
)

// planned is how long each step of what the operator plans takes, and what came of it.
type planned struct {
	drill, ramp, stay, back time.Duration

	drillReport client.DrillReport
	evacuated   client.EvacuationStatus // at the end of stay
}

// newPlanned gives the operator a share of the show.
func newPlanned(length time.Duration) planned {
	const parts = 100
	return planned{drill: length * 8 / parts, ramp: length * 3 / parts, stay: length * 2 / parts, back: length * 2 / parts}
}

func (p *planned) length() time.Duration { return p.drill + p.ramp + p.stay + p.back }

// drillShare is the share of the drilled vendor's calls that is struck, in percent.
const drillShare = 30

// plan drills a vendor and then evacuates it, while the applications go on.
func (s *show) plan(ctx context.Context) error {
	if s.planned.length() == 0 {
		return nil
	}
	v := s.vendors[0]
	if err := s.stage(ctx, &drillOf, v, s.drill); err != nil {
		return err
	}
	if _, err := s.operator.Forget(ctx, v.name); err != nil {
		return fmt.Errorf("end the drill: %w", err)
	}
	return s.stage(ctx, &evacuationOf, v, s.evacuate)
}

// stage shows one thing that the operator does about a vendor.
func (s *show) stage(ctx context.Context, f *fault, v *vendor, do func(context.Context, *vendor) error) error {
	s.view.begin(f)
	p := newPhase(f, v, s.apps)
	if err := s.turn(p, func() error { return nil }); err != nil {
		return err
	}
	if err := do(ctx, v); err != nil {
		return err
	}
	if err := p.hold(ctx, 0); err != nil {
		return err
	}
	if err := s.turn(newPhase(nil, nil, s.apps), func() error { return nil }); err != nil {
		return err
	}
	s.view.end(f)
	return nil
}

// lookEvery is how often the gateway is asked how far it is.
const lookEvery = 20 * time.Millisecond

func (s *show) drill(ctx context.Context, v *vendor) error {
	const id = "demo"
	spec := client.DrillSpec{
		Provider: v.name, Fault: "cut", Share: drillShare / 100.0, Seconds: s.planned.drill.Seconds(), AbortIf: "client_failures > 0",
	}
	r, err := s.operator.StartDrill(ctx, id, spec)
	for err == nil && r.State == "running" {
		if err = pause(ctx, lookEvery); err == nil {
			r, err = s.operator.Drill(ctx, id)
		}
	}
	if err != nil {
		return fmt.Errorf("drill %s: %w", v.name, err)
	}
	s.planned.drillReport = r
	return nil
}

func (s *show) evacuate(ctx context.Context, v *vendor) error {
	st, err := s.operator.Evacuate(ctx, v.name, s.planned.ramp)
	for err == nil && st.Phase != "evacuated" {
		if err = pause(ctx, lookEvery); err == nil {
			st, err = s.operator.Evacuation(ctx, v.name)
		}
	}
	if err == nil {
		err = pause(ctx, s.planned.stay)
	}
	if err == nil {
		s.planned.evacuated, err = s.operator.Evacuation(ctx, v.name)
	}
	if err == nil {
		st, err = s.operator.Restore(ctx, v.name, s.planned.back)
	}
	for err == nil && st.Phase != "none" {
		if err = pause(ctx, lookEvery); err == nil {
			st, err = s.operator.Evacuation(ctx, v.name)
		}
	}
	if err != nil {
		return fmt.Errorf("evacuate %s: %w", v.name, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Planned is what came of what the operator did to a vendor that was in order.
type Planned struct {
	Vendor string `json:"vendor"`
	// Of the drill: the calls that it struck, and who went on with them.
	Struck    int `json:"drill_struck"`
	Failovers int `json:"drill_failovers"`
	Rescues   int `json:"drill_rescues"`
	// Of the evacuation, once the vendor's share was nothing: the calls of its models, and how
	// many of them it was still asked for.
	Evacuated int `json:"evacuated_calls"`
	There     int `json:"evacuated_there"`
	// Failures are the clients', in both.
	Failures int `json:"failures"`
}

func (p *planned) result(vendor string) Planned {
	r, e := &p.drillReport, &p.evacuated
	return Planned{
		Vendor: vendor, Struck: r.Struck.Calls, Failovers: r.Struck.Failovers, Rescues: r.Struck.Rescues,
		Evacuated: e.Calls, There: e.There, Failures: r.ClientFailures + e.Failed,
	}
}

// String says in words what came of it.
func (p *Planned) String() string {
	return fmt.Sprintf("A drill cut %d %% of %s's answers short, as `understudy drill` does: of %d calls that it struck, %d failed over "+
		"and %d were rescued. An evacuation moved all traffic off %s and back, as `understudy evacuate` does: once its "+
		"share was nothing, it was asked in %d of %d calls. Client failures in both: %d.",
		drillShare, p.Vendor, p.Struck, p.Failovers, p.Rescues, p.Vendor, p.There, p.Evacuated, p.Failures)
}
