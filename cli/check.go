package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/app"
	"github.com/understudy-ai/understudy/config"
)

type checkCommand struct {
	configFlag
	Live bool `help:"Run the commands that keys come from, and ask each provider for its models, to see whether its key is good. Costs nothing."`
	JSON bool `help:"Write JSON: whether it is good, the problems with their lines, the notes, and what --live found."`
}

// Help shows how check is used.
func (checkCommand) Help() string {
	return "Prints what is configured, with the defaults filled in, or everything that is wrong, each with its line. " +
		"Without --live nothing is asked, and no command is run. Exits with 1 if anything is.\n\n" +
		examples("understudy check", "understudy check --config understudy.yaml --live", "understudy check --json | jq '.problems[]'")
}

// Run checks a config.
func (c checkCommand) Run(s *session) error {
	conf, probes, err := c.check(s)
	if c.JSON {
		return s.writeChecked(conf, probes, err)
	}
	if conf == nil {
		return err
	}
	if err := s.show(conf); err != nil {
		return err
	}
	if err != nil || !c.Live {
		return err
	}
	return s.showProbes(probes)
}

// check reads the config, which is nil where it is wrong, and asks the providers.
func (c checkCommand) check(s *session) (*config.Config, []app.Probe, error) {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return nil, nil, err
	}
	o := app.Options{Config: conf, Log: s.log, Version: readVersion().number}
	if _, err := app.New(o); err != nil {
		return nil, nil, err
	}
	if !c.Live {
		return conf, nil, nil
	}
	probes, err := app.ProbeAll(context.Background(), o)
	return conf, probes, err
}

// checked is what came of a check, for programs.
type checked struct {
	OK       bool        `json:"ok"`
	File     string      `json:"file,omitempty"`
	Problems []problem   `json:"problems"`
	Notes    []string    `json:"notes"`
	Live     []app.Probe `json:"live,omitempty"`
}

// problem is a config.Problem; the line and the column are from 1, and 0 where it is about the whole file.
type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (s *session) writeChecked(conf *config.Config, probes []app.Probe, failure error) error {
	out := checked{OK: failure == nil, Problems: []problem{}, Notes: []string{}, Live: probes}
	var all config.Problems
	var one config.Problem
	switch {
	case failure == nil:
	case errors.As(failure, &all):
	case errors.As(failure, &one):
		all = config.Problems{one}
	default:
		all = config.Problems{{Message: failure.Error()}}
	}
	for _, p := range all {
		out.File = p.File
		out.Problems = append(out.Problems, problem(p))
	}
	if conf != nil {
		out.File = conf.File()
		out.Notes = append(out.Notes, app.Notes(conf, time.Now())...)
	}
	out.OK = out.OK && !slices.ContainsFunc(probes, func(p app.Probe) bool { return p.Verdict.IsBad() })
	if err := s.writeJSON(out); err != nil || out.OK {
		return err
	}
	return errTold
}

// describeKeys says where a provider's keys are.
func describeKeys(p *config.Provider) string {
	if len(p.Keys) == 0 {
		return "key " + p.Key.String()
	}
	all := make([]string, len(p.Keys))
	for i, k := range p.Keys {
		all[i] = k.Key.String()
		if k.Weight != nil {
			all[i] += fmt.Sprintf(" (weight %v)", *k.Weight)
		}
	}
	return "keys " + strings.Join(all, ", ")
}

// describeAccess says who may call.
func describeAccess(c *config.Config) string {
	who := "with a key"
	if c.Access.Anonymous {
		who = "everybody on this machine"
	}
	switch n := len(c.Access.Keys); {
	case n > 0:
		who += fmt.Sprintf("; %d declared here", n)
	case !c.Access.Anonymous:
		who += "; none declared here: understudy keys create makes them"
	}
	return who
}

// show prints a config with its defaults.
func (s *session) show(c *config.Config) error {
	models, err := app.Models(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: OK\n\n", cmp.Or(c.File(), "no config file, providers from the environment"))
	w := s.table()
	fmt.Fprintf(w, "listen\thttp://%s\n", c.Listen)
	fmt.Fprintf(w, "admin\thttp://%s\n", c.Admin)
	fmt.Fprintf(w, "data\t%s\n", cmp.Or(c.DataFolder(), "none: nothing is kept"))
	if c.Store != "" {
		fmt.Fprintf(w, "store\t%s\n", c.Store)
	}
	d := config.FormatDuration
	fmt.Fprintf(w, "drain\t%s\n", d(c.Drain))
	l := c.Limits
	fmt.Fprintf(w, "limits\tbody %s, body_timeout %s, heartbeat %s, write_timeout %s, memory %s, calls %s, rescue %s\n",
		l.Body, d(l.BodyTimeout), d(l.Heartbeat), d(l.WriteTimeout), config.Size(app.MemoryLimit(c)), orAny(l.Calls), l.Rescue)
	fmt.Fprintf(w, "access\t%s\n", describeAccess(c))
	for _, p := range c.Providers {
		fmt.Fprintf(w, "provider %s\t%s, %s%s\n", p.Name, p.Facts.BaseURL, describeKeys(&p), describeProvider(&p))
	}
	for i, m := range models[:len(c.Models)] {
		fmt.Fprintf(w, "model %s\t%s%s\n", m.Name, strings.Join(append([]string{m.Lead}, m.Understudies...), ", then "), choice(&c.Models[i], m.Affinity))
		t := m.Timeouts
		fmt.Fprintf(w, "\tconnect %s, first_token %s, answer %s, stall %s, %stotal %s; loss %s, rescue %s%s\n",
			d(t.Connect), d(t.FirstToken), orShare(t.Answer), d(t.Stall), pace(t), d(t.Total), m.Loss, m.Rescue, hedge(c.Models[i].Hedge))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	for _, note := range app.Notes(c, time.Now()) {
		fmt.Fprintf(s.out, "\n%s: %s\n", s.paint("note", yellow), note)
	}
	return nil
}

// describeProvider says what else there is to a provider.
func describeProvider(p *config.Provider) string {
	said := ""
	if len(p.Tags) > 0 {
		said += "; tags " + strings.Join(p.Tags, ", ")
	}
	if p.Concurrency > 0 {
		said += fmt.Sprintf("; concurrency %d", p.Concurrency)
	}
	return said
}

// choice words which of a model's targets is asked first, where that is not just the lead, and of whom an answer is taken.
func choice(m *config.Model, affinity time.Duration) string {
	said := ""
	if m.Order != "" {
		said += "; order " + m.Order
	}
	if len(m.Weights) > 0 {
		said += " by " + strings.Trim(fmt.Sprint(m.Weights), "[]")
	}
	if affinity > 0 {
		said += "; affinity " + config.FormatDuration(affinity)
	}
	if len(m.Require) > 0 {
		said += "; require " + strings.Join(m.Require, ", ")
	}
	if m.Identity != "" {
		said += "; identity " + m.Identity
	}
	if m.Most != nil {
		said += "; most " + m.Most.String()
	}
	return said
}

// pace is the floor of a stream's rate, where there is one.
func pace(t config.Timeouts) string {
	if t.MinRate == 0 {
		return ""
	}
	return fmt.Sprintf("min_rate %v over %s, ", t.MinRate, config.FormatDuration(t.RateWindow))
}

func orShare(answer time.Duration) string {
	if answer == 0 {
		return "a share of total"
	}
	return config.FormatDuration(answer)
}

// showProbes prints what came of asking the providers.
func (s *session) showProbes(probes []app.Probe) error {
	fmt.Fprintln(s.out)
	var failed error
	width := 0
	for _, p := range probes {
		width = max(width, len(p.Provider))
	}
	for _, p := range probes {
		color := green
		if p.Verdict.IsBad() {
			color, failed = red, errTold
		}
		took := ""
		if p.Latency > 0 {
			took = " in " + p.Latency.Round(time.Millisecond).String()
		}
		detail := ""
		if p.Detail != "" {
			detail = ": " + p.Detail
		}
		fmt.Fprintf(s.out, "live %-*s  %s%s%s\n", width, p.Provider, s.paint(string(p.Verdict), color), took, detail)
	}
	return failed
}

// Colours of a terminal (ECMA-48, select graphic rendition).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint colours text where the output shows colours.
func (s *session) paint(text, color string) string {
	if !hasColor(s.out) {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// orAny words a number that may be no limit.
func orAny(n int) string {
	if n == 0 {
		return "any number"
	}
	return strconv.Itoa(n)
}

// hedge words when the next target is asked too, if it is.
func hedge(h *config.Hedge) string {
	if h == nil {
		return ""
	}
	return fmt.Sprintf(", hedge after %s, most %s", h.After, h.Most)
}
