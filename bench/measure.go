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
	dir        string
	progress   io.Writer
	vendor     *process
	proxy      *process
	understudy *process
}

// Shares of the time under load, and rounds of latency measurement.
const (
	cpuShare      = 0.6
	latencyRounds = 3
	settleTime    = 20 * time.Millisecond // for work that outlives its answer
	pacedClients  = 64
	streamRate    = 0.1 // of the rate of whole answers
)

// start brings up the three processes and waits until each answers.
func (b *bench) start(ctx context.Context) error {
	var err error
	if b.vendor, err = startRole(ctx, roleVendor, b.pause.String()); err != nil {
		return err
	}
	if b.proxy, err = startRole(ctx, roleProxy, b.vendor.address); err != nil {
		return err
	}
	if b.understudy, err = b.startUnderstudy(ctx); err != nil {
		return err
	}
	s := b.scenarios()[0]
	return b.explain(b.understudy.ready(ctx, b.target(&s, b.understudy)))
}

func (b *bench) stop() {
	for _, p := range []*process{b.understudy, b.proxy, b.vendor} {
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
	direct, proxy, understudy := b.target(s, b.vendor), b.target(s, b.proxy), b.target(s, b.understudy)
	all := []*target{&direct, &proxy, &understudy}
	for _, t := range all {
		if err := t.verify(ctx); err != nil {
			return err
		}
	}
	if s.hasCPU() {
		if err := b.measureCPU(ctx, r, s, []*target{&proxy, &understudy}); err != nil {
			return err
		}
	}
	if s.hasLatency() {
		return b.measureLatency(ctx, r, s, all)
	}
	return nil
}

// measureCPU keeps the proxy and understudy busy in turns and divides the CPU time
// of each by its answers.
func (b *bench) measureCPU(ctx context.Context, r *report, s *scenario, targets []*target) error {
	pids := []int{b.proxy.cmd.Process.Pid, b.understudy.cmd.Process.Pid}
	slice := b.share(cpuShare, scenario.hasCPU) / time.Duration(len(targets)*(b.rounds+1))
	row := cpuRow{Scenario: s.name, Goal: s.goal}
	clients := make([][]*client, len(targets))
	for i, t := range targets {
		var err error
		if clients[i], err = t.connect(ctx, b.connections); err != nil {
			return err
		}
		defer closeAll(clients[i])
	}
	var cost [2][]float64 // µs per request, by round
	for round := range b.rounds + 1 {
		for i, t := range targets {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			used, count, err := spend(pids[i], min(settleTime, slice), func() (int, error) { return t.busy(clients[i], slice) })
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up pools and caches
				cost[i] = append(cost[i], used.Seconds()*1e6/float64(count))
			}
			row.Requests += count
		}
	}
	row.Proxy, row.Understudy = spreadOf(cost[0]), spreadOf(cost[1])
	ratios := make([]float64, b.rounds)
	for i := range ratios {
		ratios[i] = cost[1][i] / cost[0][i]
	}
	row.Ratio = spreadOf(ratios)
	r.CPU = append(r.CPU, row)
	return nil
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

// measureLatency sends the same paced load to the vendor itself, the proxy and
// understudy in turns.
func (b *bench) measureLatency(ctx context.Context, r *report, s *scenario, targets []*target) error {
	rate := b.rate
	if s.stream {
		rate *= streamRate
	}
	turn := b.share(1-cpuShare, scenario.hasLatency) / time.Duration(len(targets)*latencyRounds)
	n := max(1, int(turn.Seconds()*rate))
	took := make([][]timing, len(targets))
	clients := make([][]*client, len(targets))
	for i, t := range targets {
		var err error
		if clients[i], err = t.connect(ctx, pacedClients); err != nil {
			return err
		}
		defer closeAll(clients[i])
		if _, err := t.paced(clients[i], rate, min(n, 2*pacedClients)); err != nil { // opens the connections behind
			return err
		}
	}
	for range latencyRounds {
		for i, t := range targets {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			results, err := t.paced(clients[i], rate, n)
			if err != nil {
				return err
			}
			took[i] = append(took[i], results...)
		}
	}
	row := latencyRow{
		Scenario: s.name, Goal: goalAddedP99, Rate: rate, Samples: len(took[0]), Until: "whole answer",
		Direct: latencyOf(took[0], s.stream), Proxy: latencyOf(took[1], s.stream), Understudy: latencyOf(took[2], s.stream),
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
