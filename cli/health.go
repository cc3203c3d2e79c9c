package cli

import (
	"context"
	"fmt"
)

type healthCommand struct {
	Show   showHealthCommand   `cmd:"" default:"withargs" help:"Show how every target fares, and why."`
	Forget forgetHealthCommand `cmd:"" help:"Forget a provider's failures, so that it is tried again at once."`
}

// Help shows how health is used.
func (healthCommand) Help() string {
	return examples("understudy health", "understudy health forget openai")
}

type forgetHealthCommand struct {
	operatorFlags
	Provider string `arg:"" help:"The provider, as the config names it."`
}

// Help shows how health forget is used.
func (forgetHealthCommand) Help() string {
	return "For a provider that was mended: a key that was refused is otherwise tried again after minutes.\n\n" + examples("understudy health forget openai")
}

// Run forgets a provider's failures.
func (c forgetHealthCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	t, err := api.Forget(context.Background(), c.Provider)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(t)
	}
	fmt.Fprintf(s.out, "%s is tried again at once\n", t.Provider)
	return nil
}

type showHealthCommand struct{ operatorFlags }

// Help shows how health show is used.
func (showHealthCommand) Help() string {
	return "A target is a model of a provider's; the line of a provider alone is about its endpoint and key. Untried is what was not asked since the gateway began. " +
		"Latencies are of late, for streams to the first content and for whole answers.\n\n" +
		examples("understudy health", "understudy health --json")
}

// Run shows how targets fare.
func (c showHealthCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Health(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	w := s.table()
	fmt.Fprintln(w, "TARGET\tSTATE\tPOSTURE\tSHARE\tRUNNING\tLIMIT\tFIRST\tWHOLE\tWHY")
	for _, t := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", t.Target, t.State, t.Posture, percent(t.Share), t.Running,
			orDash(count(int64(t.Limit))), took(t.FirstTokenMS), took(t.LatencyMS), orDash(t.Why))
	}
	return w.Flush()
}

// took is a latency; nothing is known if it is 0.
func took(f float64) string {
	if f == 0 {
		return "-"
	}
	return ms(f)
}
