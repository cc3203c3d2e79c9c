package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// bench is a run: its processes and what they are asked.
type bench struct {
	options
	dir          string
	progress     io.Writer
	vendor       *process
	secureVendor *process // only under load
	proxy        *process
	durable      *process // the same, but that it keeps a journal; only beside the ledger
	understudy   *process
}

// Shares of the time under load, and rounds of latency measurement.
const (
	cpuShare      = 0.6
	latencyRounds = 3
	settleTime    = 20 * time.Millisecond // for work that outlives its answer
	pacedClients  = 64
	streamRate    = 0.1 // of the rate of whole answers
)

// start brings up the processes and waits until each answers.
func (b *bench) start(ctx context.Context) error {
	var err error
	if b.vendor, err = startRole(ctx, roleVendor, b.pause.String()); err != nil {
		return err
	}
	if b.proxy, err = startRole(ctx, roleProxy, b.vendor.address); err != nil {
		return err
	}
	if b.ledger {
		if b.durable, err = startRole(ctx, roleDurable, b.vendor.address); err != nil {
			return err
		}
	}
	if b.understudy, err = b.startUnderstudy(ctx); err != nil {
		return err
	}
	s := b.scenarios()[0]
	return b.explain(b.understudy.ready(ctx, b.target(&s, b.understudy)))
}

func (b *bench) stop() {
	for _, p := range []*process{b.understudy, b.durable, b.proxy, b.secureVendor, b.vendor} {
		p.stop()
	}
}

// explain adds what understudy said last to an error that may be its own.
func (b *bench) explain(err error) error {
	if err == nil {
		return nil
	}
	log, readErr := os.ReadFile(b.logPath())
	if readErr != nil || len(log) == 0 {
		return err
	}
	return fmt.Errorf("%w\nunderstudy's log ends with:\n%s", err, log[max(0, len(log)-2000):])
}

// target is a scenario's load on a process. What is not translated must be the
// vendor's own bytes.
func (b *bench) target(s *scenario, p *process) target {
	return target{
		name: p.name, address: p.address, plan: s, request: s.request(),
		exact: p.name != understudyName || s.client.name == s.vendor.name,
	}
}

func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// measure makes every measurement, one after the other.
func (b *bench) measure(ctx context.Context) (*report, error) {
	r := newReport(b.options)
	if err := b.measureSize(r); err != nil {
		return nil, err
	}
	if err := b.measureStart(ctx, r); err != nil {
		return nil, b.explain(err)
	}
	if b.half {
		var err error
		if r.Rate, err = b.halfLoad(ctx); err != nil {
			return nil, b.explain(err)
		}
	}
	for _, s := range b.scenarios() {
		b.note("%s", s.name)
		if err := b.measureScenario(ctx, r, &s); err != nil {
			return nil, b.explain(err)
		}
	}
	if b.streams > 0 {
		for _, s := range b.scenarios() {
			if s.isHeld() {
				b.note("%s, %d streams open", s.name, b.streams)
				if err := b.measureStreams(ctx, r, &s); err != nil {
					return nil, b.explain(err)
				}
			}
		}
	}
	return r, ctx.Err()
}

func (b *bench) measureScenario(ctx context.Context, r *report, s *scenario) error {
	subjects := []*process{b.proxy, b.understudy}
	if b.ledger {
		subjects = append(subjects, b.durable)
	}
	for _, p := range append(subjects, b.vendor) {
		t := b.target(s, p)
		if err := t.verify(ctx); err != nil {
			return err
		}
	}
	if s.hasCPU() {
		if err := b.measureCPU(ctx, r, s, subjects); err != nil {
			return err
		}
	}
	if s.hasLatency() {
		return b.measureLatency(ctx, r, s, append(subjects, b.vendor))
	}
	return nil
}

// halfLoad is half of the whole answers a second that the bare proxy can give, and at least the rate of latency.
func (b *bench) halfLoad(ctx context.Context) (float64, error) {
	s := scenarios()[0]
	t := b.target(&s, b.proxy)
	clients, err := t.connect(ctx, b.connections)
	if err != nil {
		return 0, err
	}
	defer closeAll(clients)
	most, slice := 0, b.quiet()
	for range 3 { // the first opens the connections behind
		count, err := t.busy(clients, slice)
		if err != nil {
			return 0, err
		}
		most = max(most, count)
	}
	return max(float64(most)/slice.Seconds()/2, b.rate), ctx.Err()
}

// measureCPU keeps each process busy in turns, or gives each the same load, and divides its CPU time by its answers. A
// process that is kept busy never sleeps, unless it has to wait for a disk; under the same load all do. Streams are the
// same load anyhow, since their vendor takes its time.
func (b *bench) measureCPU(ctx context.Context, r *report, s *scenario, subjects []*process) error {
	slice := b.share(cpuShare, scenario.hasCPU) / time.Duration(len(subjects)*(b.rounds+1))
	row := cpuRow{Scenario: s.name, Goal: s.goal}
	clients := make([][]*client, len(subjects))
	targets := make([]target, len(subjects))
	for i, p := range subjects {
		var err error
		targets[i] = b.target(s, p)
		if clients[i], err = targets[i].connect(ctx, b.connections); err != nil {
			return err
		}
		defer closeAll(clients[i])
	}
	load := func(i int) (int, error) {
		if s.stream || !b.half {
			return targets[i].busy(clients[i], slice)
		}
		results, err := targets[i].paced(clients[i], r.Rate, max(1, int(r.Rate*slice.Seconds())))
		return len(results), err
	}
	cost := map[*process][]float64{} // µs per request, by round
	for round := range b.rounds + 1 {
		for i, p := range subjects {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			used, count, err := spend(p.cmd.Process.Pid, min(settleTime, slice), func() (int, error) { return load(i) })
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up pools and caches
				cost[p] = append(cost[p], used.Seconds()*1e6/float64(count))
			}
			row.Requests += count
		}
	}
	row.Proxy, row.Understudy, row.Ratio = spreadOf(cost[b.proxy]), spreadOf(cost[b.understudy]), ratioOf(cost[b.understudy], cost[b.proxy])
	if b.ledger {
		row.Durable, row.ToDurable = spreadOf(cost[b.durable]), ratioOf(cost[b.understudy], cost[b.durable])
	}
	r.CPU = append(r.CPU, row)
	return nil
}

// ratioOf divides round by round.
func ratioOf(a, b []float64) spread {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return spreadOf(ratios)
}

// spend is the CPU time that a process uses for the answers that f counts, and until it has settled.
func spend(pid int, settle time.Duration, f func() (int, error)) (time.Duration, int, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return 0, 0, err
	}
	count, err := f()
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(settle)
	after, err := cpuTime(pid)
	return after - before, count, err
}

// measureLatency sends the same paced load to each process in turns, the vendor itself among them.
func (b *bench) measureLatency(ctx context.Context, r *report, s *scenario, subjects []*process) error {
	rate := b.rate
	if s.stream {
		rate *= streamRate
	}
	turn := b.share(1-cpuShare, scenario.hasLatency) / time.Duration(len(subjects)*latencyRounds)
	n := max(1, int(turn.Seconds()*rate))
	took := map[*process][]timing{}
	clients := make([][]*client, len(subjects))
	targets := make([]target, len(subjects))
	for i, p := range subjects {
		var err error
		targets[i] = b.target(s, p)
		if clients[i], err = targets[i].connect(ctx, pacedClients); err != nil {
			return err
		}
		defer closeAll(clients[i])
		if _, err := targets[i].paced(clients[i], rate, min(n, 2*pacedClients)); err != nil { // opens the connections behind
			return err
		}
	}
	for range latencyRounds {
		for i, p := range subjects {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			results, err := targets[i].paced(clients[i], rate, n)
			if err != nil {
				return err
			}
			took[p] = append(took[p], results...)
		}
	}
	row := latencyRow{
		Scenario: s.name, Goal: goalAddedP99, Rate: rate, Samples: len(took[b.vendor]), Until: "whole answer",
		Direct: latencyOf(took[b.vendor], s.stream), Proxy: latencyOf(took[b.proxy], s.stream), Understudy: latencyOf(took[b.understudy], s.stream),
	}
	if b.ledger {
		row.Durable = latencyOf(took[b.durable], s.stream)
	}
	if s.stream {
		row.Until = "first content"
	}
	if s.failing {
		row.Goal = goalFailoverP99
	}
	r.Latency = append(r.Latency, row)
	return nil
}

func (b *bench) measureSize(r *report) error {
	path, err := exec.LookPath(b.binary)
	if err != nil {
		return fmt.Errorf("find the binary: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("measure the binary: %w", err)
	}
	r.Process.BinaryMiB = mebibytes(info.Size())
	return nil
}

// measureStart starts a process of its own several times. What it holds a second
// after its first answer is the idle memory.
func (b *bench) measureStart(ctx context.Context, r *report) error {
	s := b.scenarios()[0]
	var took, held []float64
	for range b.starts {
		begin := time.Now()
		p, err := b.startUnderstudy(ctx)
		if err != nil {
			return err
		}
		err = p.ready(ctx, b.target(&s, p))
		took = append(took, time.Since(begin).Seconds()*1e3)
		var idle int64
		if err == nil {
			time.Sleep(b.quiet())
			idle, err = memory(p.cmd.Process.Pid)
		}
		p.stop()
		if err != nil {
			return err
		}
		held = append(held, mebibytes(idle))
	}
	if b.starts > 0 {
		r.Process.ColdStartMS, r.Process.IdleMiB = spreadOf(took), spreadOf(held)
	}
	return nil
}

// quiet is how long a process is left alone before its memory is read.
func (b *bench) quiet() time.Duration { return min(time.Second, b.duration/50) }

// measureStreams holds streams open through the proxy and through understudy, each
// in a process of its own, and divides what they hold more than before.
func (b *bench) measureStreams(ctx context.Context, r *report, s *scenario) error {
	row := streamsRow{Scenario: s.name, Open: b.streams}
	understudy, err := b.startUnderstudy(ctx)
	if err != nil {
		return err
	}
	defer understudy.stop()
	if err := understudy.ready(ctx, b.target(s, understudy)); err != nil {
		return err
	}
	if row.UnderstudyKiB, err = b.perStream(ctx, s, understudy); err != nil {
		return err
	}
	proxy, err := startRole(ctx, roleProxy, b.vendor.address)
	if err != nil {
		return err
	}
	defer proxy.stop()
	if err := proxy.ready(ctx, b.target(s, proxy)); err != nil {
		return err
	}
	if row.ProxyKiB, err = b.perStream(ctx, s, proxy); err != nil {
		return err
	}
	r.Streams = append(r.Streams, row)
	return nil
}

func (b *bench) perStream(ctx context.Context, s *scenario, p *process) (float64, error) {
	time.Sleep(b.quiet())
	before, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	t := target{name: p.name, address: p.address, plan: s, request: s.held()}
	var open []*client
	defer func() { closeAll(open) }()
	for len(open) < b.streams { // a rush of connections is not what is measured
		group, err := t.connect(ctx, min(pacedClients, b.streams-len(open)))
		if err != nil {
			return 0, err
		}
		open = append(open, group...)
		if err := each(group, (*client).hold); err != nil {
			return 0, t.wrong(err)
		}
	}
	time.Sleep(b.quiet())
	after, err := memory(p.cmd.Process.Pid)
	return float64(after-before) / 1024 / float64(b.streams), err
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
