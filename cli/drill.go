package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

type drillCommand struct {
	Start  startDrillCommand  `cmd:"" default:"withargs" help:"Start a drill, and wait for its end."`
	Stop   stopDrillCommand   `cmd:"" help:"End the drill that runs, or the one of an id."`
	Report reportDrillCommand `cmd:"" help:"Show what came of a drill; of the latest if no id is given."`
	List   listDrillsCommand  `cmd:"" help:"List the drills there were."`
	Faults faultsCommand      `cmd:"" help:"List the faults that a drill can put in the way."`
}

// Help shows how drill is used.
func (drillCommand) Help() string {
	return "A fault is put between the running gateway and one provider, which is not asked, or is cut off: it never sees more than calls that stop. " +
		"The drill ends when its time is over, when its rule is met, or when it is stopped.\n\n" +
		examples(`understudy drill openai --fault stall --share 5% --for 10m --abort-if "client_failures > 0"`,
			"understudy drill stop", "understudy drill report", "understudy drill faults")
}

type startDrillCommand struct {
	operatorFlags
	Provider string         `arg:"" help:"The provider that is to seem broken, as the config names it."`
	Fault    string         `help:"How; drill faults lists what there is." required:"" placeholder:"NAME"`
	For      time.Duration  `help:"How long, such as 10m." required:"" placeholder:"DURATION"`
	Share    share          `help:"The share of its calls, such as 5%; all of them if not given." default:"100%" placeholder:"SHARE"`
	AbortIf  string         `help:"When to end at once, such as \"client_failures > 0\"." placeholder:"RULE"`
	Model    string         `help:"Only calls of this model, as clients ask for it or as the provider calls it." placeholder:"NAME"`
	Key      string         `help:"Only calls of the client key of this name." placeholder:"NAME"`
	Delay    *time.Duration `help:"How late slow and drip make what comes, such as 5s; a few seconds if not given." placeholder:"DURATION"`
	Detach   bool           `help:"Do not wait for the end."`
}

// Help shows how drill start is used, and what a rule can compare.
func (startDrillCommand) Help() string {
	return "A rule is a metric, one of > >= < <= == != and a number, with spaces between; several are joined by \"or\". A % after the number makes it a share of the struck calls. " +
		"Metrics: calls, client_failures, failovers, rescues, losses, p50_ms, p99_ms, first_p99_ms, cost_usd. client_failures also counts the calls that were not struck. " +
		"Ctrl-C ends the drill. Exits with 1 if the rule ended it.\n\n" +
		examples(`understudy drill openai --fault stall --share 5% --for 10m --abort-if "client_failures > 0"`,
			`understudy drill openai --fault overloaded-529 --for 1m --model assistant --abort-if "client_failures > 1% or p99_ms > 5000"`)
}

// Run starts a drill and follows it to its end.
func (c startDrillCommand) Run(s *session) error {
	var delay time.Duration // to the API, 0 is none given
	if c.Delay != nil {
		if delay = *c.Delay; delay <= 0 {
			return usageError{"--delay: got " + delay.String() + ", want more than 0s"}
		}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	r, err := api.StartDrill(ctx, newID(time.Now()), client.DrillSpec{
		Provider: c.Provider, Fault: c.Fault, Share: float64(c.Share), Seconds: c.For.Seconds(), AbortIf: c.AbortIf,
		Model: c.Model, Caller: c.Key, DelayMS: float64(delay) / float64(time.Millisecond),
	})
	if err != nil {
		return err
	}
	if !c.Detach {
		fmt.Fprintf(s.err, "drill %s: %s; Ctrl-C ends it\n", r.ID, describeDrill(r.Spec))
		if r, err = s.followDrill(ctx, api, r.ID); err != nil {
			return err
		}
	}
	if err := s.showDrill(r, c.JSON); err != nil {
		return err
	}
	if r.State == "aborted" {
		return errTold
	}
	return nil
}

// newID is an id for what a command makes. It begins with the time, so that drills are listed in order.
func newID(now time.Time) string {
	const letters = 4
	return now.UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:letters])
}

// pollEvery is how often a drill is looked at.
const pollEvery = 300 * time.Millisecond

// followDrill returns the report when the drill is over. When ctx ends, the drill is ended.
func (s *session) followDrill(ctx context.Context, api *client.Client, id string) (client.DrillReport, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return api.StopDrill(context.WithoutCancel(ctx), id)
		case <-ticker.C:
		}
		r, err := api.Drill(context.WithoutCancel(ctx), id)
		if err != nil {
			return r, err
		}
		if isTerminal(s.err) {
			fmt.Fprintf(s.err, "\r%d struck, %d failed over, %d rescued, %d client failures \x1b[K", r.Struck.Calls, r.Struck.Failovers, r.Struck.Rescues, r.ClientFailures)
		}
		if r.State != "running" {
			if isTerminal(s.err) {
				fmt.Fprint(s.err, "\r\x1b[K")
			}
			return r, nil
		}
	}
}

type stopDrillCommand struct {
	operatorFlags
	ID string `arg:"" optional:"" help:"The drill; the one that runs if not given."`
}

// Help shows how drill stop is used.
func (stopDrillCommand) Help() string {
	return "What the drill holds up is let go at once. One that is over stays as it is; if none runs, the latest is shown.\n\n" + examples("understudy drill stop")
}

// Run ends a drill.
func (c stopDrillCommand) Run(s *session) error {
	return c.with(s, c.ID, (*client.Client).StopDrill)
}

type reportDrillCommand struct {
	operatorFlags
	ID string `arg:"" optional:"" help:"The drill; the latest if not given."`
}

// Help shows how drill report is used.
func (reportDrillCommand) Help() string {
	return "Reports are kept in the data folder.\n\n" + examples("understudy drill report", "understudy drill report 20260801-120000-k3x9 --json")
}

// Run shows a report.
func (c reportDrillCommand) Run(s *session) error {
	return c.with(s, c.ID, (*client.Client).Drill)
}

// with does something about a drill, or about the one that runs or ran last, and shows its report.
func (f operatorFlags) with(s *session, id string, do func(*client.Client, context.Context, string) (client.DrillReport, error)) error {
	api, err := f.client()
	if err != nil {
		return err
	}
	defer api.Close()
	ctx := context.Background()
	if id == "" {
		all, err := api.Drills(ctx)
		switch {
		case err != nil:
			return err
		case len(all) == 0:
			return usageError{"there was no drill yet\nhint: understudy drill --help shows how one is started"}
		}
		id = slices.MaxFunc(all, func(a, b client.DrillReport) int { return a.Begun.Compare(b.Begun) }).ID // one runs at a time
	}
	r, err := do(api, ctx, id)
	if err != nil {
		return err
	}
	return s.showDrill(r, f.JSON)
}

type listDrillsCommand struct{ operatorFlags }

// Help shows how drill list is used.
func (listDrillsCommand) Help() string { return examples("understudy drill list") }

// Run lists drills.
func (c listDrillsCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Drills(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	w := s.table()
	fmt.Fprintln(w, "DRILL\tPROVIDER\tFAULT\tSHARE\tSTATE\tSTRUCK\tCLIENT FAILURES")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.ID, r.Spec.Provider, r.Spec.Fault, percent(r.Spec.Share), r.State, r.Struck.Calls, r.ClientFailures)
	}
	return w.Flush()
}

type faultsCommand struct{ operatorFlags }

// Help shows how drill faults is used.
func (faultsCommand) Help() string {
	return "A key that is refused or has no credit is not among them: what the gateway does about that outlasts a drill.\n\n" + examples("understudy drill faults")
}

// Run lists faults.
func (c faultsCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Faults(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	w := s.table()
	fmt.Fprintln(w, "FAULT\tWHAT\tVENDOR")
	for _, f := range all {
		vendor := "not asked"
		if f.Sends {
			vendor = "asked"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.What, vendor)
	}
	return w.Flush()
}

// share is a part of all: 5% or 0.05.
type share float64

// UnmarshalText reads a share.
func (p *share) UnmarshalText(text []byte) error {
	number, isPercent := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(number, 64)
	if isPercent {
		f /= 100
	}
	if err != nil || !(f > 0 && f <= 1) {
		return fmt.Errorf("got %q, want a share such as 5%%, above 0%% and up to 100%%", text)
	}
	*p = share(f)
	return nil
}

// percent writes a share as people do.
func percent(f float64) string { return strconv.FormatFloat(f*100, 'g', 3, 64) + "%" }
