package cli

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

type evacuateCommand struct {
	operatorFlags
	Provider string        `arg:"" help:"The provider, as the config names it."`
	Plan     bool          `help:"Only say what would move where, at what loss and cost, and what cannot move."`
	Ramp     time.Duration `help:"Over how long its share falls to nothing: 1m if not given; 0s is at once." default:"1m" placeholder:"DURATION"`
	Detach   bool          `help:"Do not wait for the end of the ramp."`
}

// Help shows how evacuate is used.
func (evacuateCommand) Help() string {
	return "New calls go to the understudies, step by step; running ones end where they are. What nobody else can take stays, and the plan says what that is. " +
		"The gateway remembers an evacuation over a restart; restore undoes it. Ctrl-C ends the watching, and not the evacuation.\n\n" +
		examples("understudy evacuate openai --plan", "understudy evacuate openai --ramp 10m", "understudy restore openai")
}

// Run evacuates a provider, or shows the plan.
func (c evacuateCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if c.Plan {
		p, err := api.PlanEvacuation(ctx, c.Provider)
		if err != nil {
			return err
		}
		if c.JSON {
			return s.writeJSON(p)
		}
		return s.showPlan(p)
	}
	p, err := api.PlanEvacuation(ctx, c.Provider)
	if err != nil {
		return err
	}
	st, err := api.Evacuate(ctx, c.Provider, c.Ramp)
	if err != nil {
		return err
	}
	s.warnOf(p)
	return s.followEvacuation(ctx, api, c.operatorFlags, st, c.Detach)
}

// warnOf says what of an evacuation that has begun may not go well.
func (s *session) warnOf(p client.EvacuationPlan) {
	for _, m := range p.Models {
		if !m.Moves {
			fmt.Fprintf(s.err, "stays: %s, since %s\n", m.Model, m.Why)
		}
	}
	for _, d := range p.Destinations {
		if d.Verdict == "tight" || d.Verdict == "out" {
			fmt.Fprintf(s.err, "%s %s\n", d.Target, verdict(d.Verdict))
		}
	}
}

type restoreCommand struct {
	operatorFlags
	Provider string        `arg:"" help:"The provider, as the config names it."`
	Ramp     time.Duration `help:"Over how long its share grows back: 1m if not given; 0s is at once." default:"1m" placeholder:"DURATION"`
	Detach   bool          `help:"Do not wait for the end of the ramp."`
}

// Help shows how restore is used.
func (restoreCommand) Help() string {
	return "Undoes an evacuation, or one that is on its way. A provider that nobody has evacuated stays as it is.\n\n" +
		examples("understudy restore openai", "understudy restore openai --ramp 10m")
}

// Run brings a provider back.
func (c restoreCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	st, err := api.Restore(ctx, c.Provider, c.Ramp)
	if err != nil {
		return err
	}
	return s.followEvacuation(ctx, api, c.operatorFlags, st, c.Detach)
}

// followEvacuation shows how far a provider is when its ramp is over, or now.
func (s *session) followEvacuation(ctx context.Context, api *client.Client, f operatorFlags, st client.EvacuationStatus, now bool) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		isOver := st.Phase == "evacuated" || st.Phase == "none"
		if now || isOver || ctx.Err() != nil {
			if isTerminal(s.err) {
				fmt.Fprint(s.err, "\r\x1b[K")
			}
			if f.JSON {
				return s.writeJSON(st)
			}
			return s.showEvacuation(st)
		}
		if isTerminal(s.err) {
			fmt.Fprintf(s.err, "\r%s %s: %s of its traffic, %s left \x1b[K", st.Provider, st.Phase, percent(st.Share), seconds(st.Left))
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		var err error
		if st, err = api.Evacuation(context.WithoutCancel(ctx), st.Provider); err != nil {
			return err
		}
	}
}

func seconds(f float64) string {
	return time.Duration(f * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// showEvacuation writes how far the evacuation of a provider is.
func (s *session) showEvacuation(st client.EvacuationStatus) error {
	w := s.table()
	fmt.Fprintf(w, "provider\t%s\n", st.Provider)
	if st.Phase == "none" {
		fmt.Fprintf(w, "phase\tnot evacuated: it gets all of its traffic\n")
		return w.Flush()
	}
	text := string(st.Phase)
	if st.Left > 0 {
		text += ", " + seconds(st.Left) + " left"
	}
	fmt.Fprintf(w, "phase\t%s\n", text)
	fmt.Fprintf(w, "share\t%s of its traffic\n", percent(st.Share))
	fmt.Fprintf(w, "running there\t%d\n", st.Running)
	fmt.Fprintf(w, "last minute\t%d calls of its models, %d of them asked it\n", st.Recent, st.RecentThere)
	fmt.Fprintf(w, "in all\t%d calls since the phase began, %d of them asked it, %d failed\n", st.Calls, st.There, st.Failed)
	for i, c := range st.Still {
		fmt.Fprintf(w, "%s\t%d × %s (%s): %s\n", once(i, "still there"), c.Calls, c.Model, c.Operation, c.Why)
	}
	return w.Flush()
}

// showPlan writes a plan.
func (s *session) showPlan(p client.EvacuationPlan) error {
	w := s.table()
	fmt.Fprintf(w, "provider\t%s\n", p.Provider)
	if p.CallsNow > 0 {
		fmt.Fprintf(w, "traffic\t%s calls a minute, of which %s cannot move (of the last %s)\n", rate(p.CallsNow), rate(p.CallsStay), minutes(p.Minutes))
	} else {
		fmt.Fprintf(w, "traffic\tnone of late: figures of cost and load need some\n")
	}
	if p.CostThen > 0 {
		fmt.Fprintf(w, "cost\t$%s an hour instead of $%s, for what moves\n", usd(p.CostThen), usd(p.CostNow))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	fmt.Fprintln(s.out)
	w = s.table()
	if len(p.Models) == 0 {
		fmt.Fprintln(w, "no model of the config has it, and it has answered none of late")
	} else {
		fmt.Fprintln(w, "MODEL\tFROM\tROLE\tTO\tCALLS/MIN\tPRICE IN/OUT")
	}
	for _, m := range p.Models {
		to := strings.Join(m.To, ", then ")
		if !m.Moves {
			to = "stays: " + m.Why
		}
		prices := "-"
		if m.Then > 0 {
			prices = dollars(m.Then) + "/" + dollars(m.OutThen) + " instead of " + dollars(m.PriceIn) + "/" + dollars(m.Out)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Model, m.From, m.Role, to, rate(m.Calls), prices)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	for _, m := range p.Models {
		showLosses(s.out, m.Model, m.Lacks, m)
	}
	if len(p.Destinations) > 0 {
		fmt.Fprintln(s.out)
		w = s.table()
		fmt.Fprintln(w, "TAKES OVER\tSTATE\tCALLS/MIN\tMORE\tAT ONCE\tLIMIT\tVERDICT")
		for _, d := range p.Destinations {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Target, d.State, rate(d.Calls), rate(d.More), rate(d.AtOnce), orDash(count(int64(d.Limit))), verdict(d.Verdict))
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("write the plan: %w", err)
		}
	}
	if len(p.Operations) > 0 {
		fmt.Fprintln(s.out)
		w = s.table()
		fmt.Fprintln(w, "NOT TRANSLATED\tTO\tWHAT BECOMES OF IT")
		for _, o := range p.Operations {
			fmt.Fprintf(w, "%s\t%s\t%s\n", o.Operation, orDash(strings.Join(o.To, ", ")), o.Why)
		}
		return w.Flush()
	}
	return nil
}

// verdict says in words whether a target can take what comes.
func verdict(v string) string {
	switch v {
	case "room":
		return "has room"
	case "tight":
		return "may be too little"
	case "out":
		return "is out now"
	}
	return "not known: nothing has shown its limits"
}

// maxShown is how many losses of a kind are named; --json has all.
const maxShown = 10

// showLosses names what a model's requests may lose.
func showLosses(w io.Writer, model string, lacks []string, m client.EvacuationModel) {
	if len(lacks) > 0 {
		fmt.Fprintf(w, "\n%s would have %s\n", model, strings.Join(lacks, "; "))
	}
	byDialect := map[string]map[string][]string{}
	var dialects []string
	for _, l := range m.Lost {
		if byDialect[l.Dialect] == nil {
			byDialect[l.Dialect] = map[string][]string{}
			dialects = append(dialects, l.Dialect)
		}
		kind := l.Severity
		if l.Refused {
			kind = "refused"
		}
		name, _, _ := strings.Cut(l.Loss, "=")
		byDialect[l.Dialect][kind] = append(byDialect[l.Dialect][kind], name)
	}
	for _, d := range dialects {
		fmt.Fprintf(w, "\n%s, for clients of %s, if a request has it:\n", model, d)
		for _, kind := range []struct{ name, title string }{
			{"refused", "refused there"}, {"contract", "lost, and code may depend on it"}, {"tuning", "lost or changed, and the answer may differ"}, {"harmless", "lost, and the answer is the same"},
		} {
			names := byDialect[d][kind.name]
			if len(names) == 0 {
				continue
			}
			more := ""
			if len(names) > maxShown {
				more = " and " + strconv.Itoa(len(names)-maxShown) + " more"
				names = names[:maxShown]
			}
			fmt.Fprintf(w, "  %s: %s%s\n", kind.title, strings.Join(names, ", "), more)
		}
	}
}

// rate writes three digits of a number, and no exponent.
func rate(f float64) string {
	const digits = 3
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', digits, 64), 64)
	if err != nil {
		panic("BUG: cli: " + err.Error())
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

func minutes(n int64) string {
	if n == 1 {
		return "minute"
	}
	return strconv.FormatInt(n, 10) + " minutes"
}

func usd(f float64) string {
	const digits = 4
	return strconv.FormatFloat(f, 'f', digits, 64)
}
