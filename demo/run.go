// Package demo is the simulated outage: it starts two simulated vendors, the gateway with a config
// that makes each vendor the understudy of the other, and applications that speak both vendors'
// APIs, breaks the vendors in one way after another, and at the end drills one and moves all traffic
// off it and back, through the admin API. The gateway is the one that `serve` runs; the applications
// are HTTP clients that accept nothing but whole and correct answers. The result says what they saw.
// The package needs no key and no network, and shows no stream that breaks while it is more than
// plain text, which the gateway does not hide.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// Durations of a run.
const (
	DefaultDuration = 18 * time.Second
	MinDuration     = 5 * time.Second
	MaxDuration     = time.Hour
)

// defaultWidth is used for a terminal that does not say how wide it is.
const defaultWidth = 80

// Options say how the demo runs and what it shows.
type Options struct {
	// Duration is how long vendors are being broken, drilled and evacuated, from MinDuration to MaxDuration;
	// DefaultDuration if 0. A slow machine takes longer, since every application must meet every
	// fault.
	Duration time.Duration
	// Keep leaves everything up after the run, and prints what to paste, until the context ends.
	Keep bool
	// JSON writes the Result as one JSON document and nothing else. It excludes Keep.
	JSON bool
	Out  io.Writer // never nil
	// Terminal redraws a picture in place; otherwise lines are written. Color allows colours in
	// either.
	Terminal, Color bool
	// Width returns the columns of the terminal, for each picture anew; 80 if nil or not positive.
	Width func() int
	// Log is the gateway's; discarded if nil. It must not write to a terminal with a picture on it.
	Log *slog.Logger
}

// Run runs the demo. The error says that a client saw a failure, that the context ended before the
// run did, or what could not be started; the result holds what was seen until then.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Duration == 0 {
		o.Duration = DefaultDuration
	}
	switch {
	case o.Duration < MinDuration || o.Duration > MaxDuration:
		return Result{}, fmt.Errorf("got a duration of %v, want %v to %v", o.Duration, MinDuration, MaxDuration)
	case o.JSON && o.Keep:
		return Result{}, errors.New("got both JSON and Keep, want one of them")
	}
	return run(ctx, o, script(), true)
}

// run is Run with a script of the caller's; without standby no vendor has an understudy, and faults
// reach the clients.
func run(ctx context.Context, o Options, faults []fault, standby bool) (r Result, err error) {
	st, err := openStage(standby)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	if err := st.writeConfig(mostLimit); err != nil {
		return Result{}, err
	}
	gw, err := startGateway(ctx, st, o.Log)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, gw.stop(ctx)) }()
	apps := newApps(gw.url, st.openAI, st.anthropic)
	defer func() {
		for _, a := range apps {
			a.close()
		}
	}()
	limit, err := rehearse(ctx, apps)
	if err != nil {
		return Result{}, err
	}
	if err := st.writeConfig(limit); err != nil {
		return Result{}, err
	}
	if err := gw.reload(ctx, st); err != nil {
		return Result{}, err
	}
	return o.perform(ctx, st, gw, apps, faults)
}

// perform plays the faults to the applications and reports what they saw.
func (o *Options) perform(ctx context.Context, st *stage, gw *gateway, apps []*clientApp, faults []fault) (Result, error) {
	if !o.JSON {
		fmt.Fprint(o.Out, wrap(fmt.Sprintf(introduction, o.Duration, len(faults), st.limit), o.proseWidth()))
	}
	all := append(slices.Clone(faults), drillOf, evacuationOf)
	s := &show{vendors: st.vendors(), apps: apps, faults: faults, length: o.Duration, tally: newTally(apps, all), operator: gw.operator}
	if st.standby {
		s.planned = newPlanned(o.Duration)
	}
	s.view = o.view(s)
	err := s.run(ctx)
	s.view.stop()
	r := s.tally.result(all)
	if n := len(faults); st.standby {
		r.Faults, r.Operator = r.Faults[:n], r.Faults[n:]
		planned := s.planned.result(s.vendors[0].name)
		r.Planned = &planned
	} else {
		r.Faults = r.Faults[:n]
	}
	r.FirstToken = milliseconds(st.limit)
	if err != nil {
		return r, err
	}
	if r.Ledger, err = gw.readBooks(ctx); err != nil {
		return r, err
	}
	if err := o.report(&r); err != nil {
		return r, err
	}
	if o.Keep {
		if err := o.keep(ctx, st, gw); err != nil {
			return r, err
		}
	}
	if n := len(r.Ledger.Problems); n > 0 {
		return r, fmt.Errorf("the ledger breaks %d of its invariants", n)
	}
	if r.Failures > 0 {
		return r, fmt.Errorf("clients saw %d failures in %d requests", r.Failures, r.Requests)
	}
	return r, nil
}

const introduction = `Two simulated vendors, the gateway, and four applications, all in this process; nothing leaves this machine. For %v each vendor in turn is broken in %d ways, and the other one stands in for it.
The gateway waits %v for a silent vendor here, instead of 60s, so that a hang is soon over.
A stream that breaks in the middle is rescued: the other vendor goes on with the same answer.
A vendor that goes on failing is left alone; here the gateway is told when it is mended.
At the end one vendor is drilled, and then evacuated.

`

const farewell = `
Next: "understudy demo --keep" leaves this up for your own client. With OPENAI_API_KEY and ANTHROPIC_API_KEY set, "understudy serve" is the gateway to the real vendors.
`

// proseWidth is how wide the lines of text are that is in no table.
func (o *Options) proseWidth() int {
	if o.Terminal {
		return min(o.width(), mostWidth)
	}
	return defaultWidth
}

// view is what the options ask to see while the demo runs.
func (o *Options) view(s *show) view {
	switch {
	case o.JSON:
		return noView{}
	case o.Terminal:
		return startLive(o.Out, o.width, palette{o.Color}, s)
	}
	return &lines{out: o.Out, tally: s.tally}
}

func (o *Options) width() int {
	if o.Width != nil {
		if w := o.Width(); w > 0 {
			return w
		}
	}
	return defaultWidth
}

// report writes the result.
func (o *Options) report(r *Result) error {
	if !o.JSON {
		width := o.proseWidth()
		r.printTable(o.Out, palette{o.Color}, width)
		r.Ledger.write(o.Out, width)
		if !o.Keep {
			fmt.Fprint(o.Out, wrap(farewell, width))
		}
		return nil
	}
	e := json.NewEncoder(o.Out)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// keep stays up until the context ends. The config can be edited meanwhile, as that of serve can.
func (o *Options) keep(ctx context.Context, st *stage, gw *gateway) error {
	c, err := startControl(st.vendors())
	if err != nil {
		return err
	}
	defer c.stop()
	if err := printSnippets(o.Out, gw, c.url, st); err != nil {
		return err
	}
	gw.app.Watch(ctx, nil)
	return nil
}
