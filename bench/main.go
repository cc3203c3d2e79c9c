// Command bench measures understudy beside a bare Go reverse proxy on the same
// machine in the same minute, and prints what it costs: CPU per request, added
// latency, memory per open stream, start and size. It starts a simulated vendor,
// the proxy and the understudy binary as processes of their own, puts load on them
// over loopback and checks every answer, so that a broken gateway cannot look
// fast. It measures no model and says nothing about any vendor's speed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		exit(playRole(role))
	}
	opts, err := parseFlags(os.Args[1:])
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, opts, os.Stdout, os.Stderr)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options is what a run is asked to do.
type options struct {
	duration    time.Duration // of all load together
	rounds      int           // for CPU; each subject has a turn in each
	connections int           // in the CPU rounds
	half        bool          // give all the same load over these, in the place of keeping them busy
	rate        float64       // requests per second in the latency rounds; streams have a tenth
	streams     int           // held open at once
	starts      int           // cold starts
	pause       time.Duration // between the chunks of a stream
	ledger      bool          // kept
	only        *regexp.Regexp
	binary      string
	json        bool
	turns       int  // of slow readers, and of others alone
	load        bool // the figures that only show under load, in the place of the others
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 60*time.Second, "time under load, all scenarios together")
	flags.IntVar(&o.rounds, "rounds", 7, "rounds of CPU measurement; the proxy and understudy take turns in each")
	flags.IntVar(&o.connections, "connections", 32, "connections that are kept busy while CPU is measured")
	flags.BoolVar(&o.half, "half", false, "measure CPU with whole answers at half of the load that the bare proxy can take, the same for all")
	flags.Float64Var(&o.rate, "rate", 1000, "requests per second while latency is measured; a tenth of it for streams")
	flags.IntVar(&o.streams, "streams", 1000, "streams held open while memory is measured; 0 leaves this out")
	flags.IntVar(&o.starts, "starts", 5, "cold starts to take the median of; 0 leaves this out")
	flags.DurationVar(&o.pause, "pause", 2*time.Millisecond, "the vendor's pause between the chunks of a stream; 0 sends them back to back")
	flags.BoolVar(&o.ledger, "ledger", true, "keep the ledger, durably, as serve does if nothing is said")
	flags.IntVar(&o.turns, "turns", 11, "turns of load with slow readers and without; more are steadier")
	flags.BoolVar(&o.load, "load", false, "measure what only shows under load: many streams and events, slow readers, churn, overload, reloads, little memory; -streams and -duration say how much")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON")
	flags.StringVar(&o.binary, "binary", "", "measure this understudy binary instead of building one")
	only := flags.String("only", "", "run only the scenarios, or loads, whose name matches this regular expression")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = regexp.Compile(*only); err == nil {
		err = o.check(flags.NArg())
	}
	if err != nil {
		fmt.Fprintln(flags.Output(), err)
	}
	return o, err
}

func (o options) check(surplus int) error {
	switch {
	case surplus > 0:
		return errors.New("got an argument, want flags only")
	case o.duration <= 0 || o.rounds < 1 || o.turns < 1 || o.connections < 1 || o.rate < 10 || o.streams < 0 || o.starts < 0 || o.pause < 0:
		return errors.New("got a number out of range, want positive ones and a rate of at least 10")
	case o.load && !slices.ContainsFunc((&bench{options: o}).allFigures(), func(f under) bool { return o.only.MatchString(f.name) }):
		return fmt.Errorf("got no load that matches %q", o.only)
	case !o.load && len(o.scenarios()) == 0:
		return fmt.Errorf("got no scenario that matches %q, want one of\n\t%s", o.only, strings.Join(scenarioNames(), "\n\t"))
	}
	return nil
}

// run measures everything and writes the report to out, progress to progress.
func run(ctx context.Context, o options, out, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left in the system's temporary folder does no harm
	if o.binary == "" {
		o.binary = filepath.Join(dir, "understudy")
		if err := build(ctx, o.binary); err != nil {
			return err
		}
	}
	b := &bench{options: o, dir: dir, progress: progress}
	defer b.stop()
	if o.load {
		return b.figures(ctx, out)
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	report, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return report.print(out)
}

// build compiles the product as `make build` does: without tables for debuggers.
func build(ctx context.Context, path string) error {
	const program = "github.com/understudy-ai/understudy"
	// What `go run` makes is kept in Go's cache, where `go build` links it anew each time. There is no cp on Windows.
	args := []string{"run", "-exec", "cp", program, path}
	if runtime.GOOS == "windows" {
		args = []string{"build", "-ldflags=-s -w", "-o", path, program}
	}
	if said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build understudy: %w\n%s", err, said)
	}
	return nil
}
