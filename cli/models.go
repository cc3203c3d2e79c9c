package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/app"
)

type modelsCommand struct {
	List    listModelsCommand    `cmd:"" default:"withargs" help:"List the models that can be asked for."`
	Compare compareModelsCommand `cmd:"" help:"Show models side by side, and where they differ."`
}

// Help shows how models is used.
func (modelsCommand) Help() string {
	return examples("understudy models", "understudy models sonnet --can vision,tools",
		"understudy models compare openai/gpt-5.4 anthropic/claude-sonnet-5")
}

type listModelsCommand struct {
	configFlag
	Filter     string   `arg:"" optional:"" help:"Only names that contain this."`
	Provider   string   `help:"Only models that this provider leads or stands in for." placeholder:"NAME"`
	All        bool     `help:"Also models of services that are known but not configured, and what they need; implied while nothing is."`
	Can        []string `help:"Only models that are known to be able to do all of these: ${abilities}." placeholder:"WORD"`
	MinContext tokens   `help:"Only models with a window of at least this many tokens, such as 200k or 1m." placeholder:"TOKENS"`
	MaxPrice   *float64 `help:"Only models whose output costs at most this, in USD per million tokens." placeholder:"USD"`
	JSON       bool     `help:"Write JSON: a list of models."`
}

// Help shows how models list is used.
func (listModelsCommand) Help() string {
	return "Models of the config come first, then every known model of each provider, by provider/model and also, where only one " +
		"has it, by its bare name. A client's model list has both. Window is in tokens; price is what a million tokens cost in USD, input and output. No key is needed: " +
		"while no provider is enabled, all known models are listed, each with the variable that enables it.\n\n" +
		examples("understudy models", "understudy models sonnet", "understudy models --provider openai --json",
			"understudy models --all --can vision,tools --min-context 200k --max-price 10")
}

// Run lists models.
func (c listModelsCommand) Run(s *session) error {
	for _, word := range c.Can {
		if !slices.Contains(app.Abilities(), word) {
			return usageError{fmt.Sprintf("--can: got %q, want some of %s", word, strings.Join(app.Abilities(), ", "))}
		}
	}
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	list, nothing := app.Models, len(conf.Providers) == 0
	offered := conf
	if c.All || nothing {
		list, offered = app.KnownModels, app.WithKnown(conf)
	}
	if _, known := offered.Provider(c.Provider); c.Provider != "" && !known {
		var names []string
		for _, p := range offered.Providers {
			names = append(names, p.Name)
		}
		return usageError{fmt.Sprintf("got provider %q, want one of %s", c.Provider, strings.Join(names, ", "))}
	}
	models, err := list(conf)
	if err != nil {
		return err
	}
	if nothing {
		fmt.Fprintln(s.err, "note: no provider is enabled, so these are all models that are known; what each needs to be asked for is in its note")
	}
	models = slices.DeleteFunc(models, func(m app.Model) bool { return !c.isWanted(m) })
	if c.JSON {
		if models == nil {
			models = []app.Model{}
		}
		return s.writeJSON(models)
	}
	if len(models) == 0 {
		fmt.Fprintln(s.out, "no model is like that")
		if !c.All && !nothing {
			fmt.Fprintln(s.err, "hint: --all looks among those of services that are not configured, too")
		}
		return nil
	}
	w := s.table()
	fmt.Fprintln(w, "MODEL\tALSO\tLEAD\tUNDERSTUDIES\tWINDOW\tPRICE IN/OUT\tCAN\tNOTE")
	for _, m := range models {
		lead := m.Lead
		if lead == m.Name {
			lead = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, orDash(m.Also), orDash(lead), orDash(strings.Join(m.Understudies, ", ")),
			orDash(count(m.Window)), orDash(price(m.Price)), orDash(can(m)), orDash(note(m)))
	}
	return w.Flush()
}

func (c listModelsCommand) isWanted(m app.Model) bool {
	isOf := func(target string) bool { return strings.HasPrefix(target, c.Provider+"/") }
	switch {
	case !strings.Contains(strings.ToLower(m.Name), strings.ToLower(c.Filter)),
		c.Provider != "" && !slices.ContainsFunc(append([]string{m.Lead}, m.Understudies...), isOf),
		slices.ContainsFunc(c.Can, func(word string) bool { return !m.Can(word) }),
		m.Window < int64(c.MinContext),
		c.MaxPrice != nil && (m.Price == nil || m.Price.Output > *c.MaxPrice):
		return false
	}
	return true
}

type compareModelsCommand struct {
	configFlag
	Models []string `arg:"" help:"Names of the config's, or provider/model; keys are not needed." name:"model"`
	JSON   bool     `help:"Write JSON: the models, and the names of what differs."`
}

// Help shows how models compare is used.
func (compareModelsCommand) Help() string {
	return "Facts of each model's lead, row by row. A row in which the models differ is marked; what is not known is not a difference.\n\n" +
		examples("understudy models compare openai/gpt-5.4 anthropic/claude-sonnet-5")
}

// Run compares models.
func (c compareModelsCommand) Run(s *session) error {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	models, err := app.FindModels(conf, c.Models)
	var unknown app.UnknownModelError
	if errors.As(err, &unknown) {
		return usageError{unknown.Error()}
	}
	if err != nil {
		return err
	}
	rows := compare(models)
	if c.JSON {
		differ := []string{}
		for _, r := range rows {
			if r.differs() {
				differ = append(differ, r.name)
			}
		}
		return s.writeJSON(map[string]any{"models": models, "differ": differ})
	}
	w := s.table()
	fmt.Fprintf(w, "\t\t%s\n", strings.Join(c.Models, "\t"))
	for _, r := range rows {
		mark := ""
		if r.differs() {
			mark = "≠"
		}
		cells := make([]string, len(r.cells))
		for i, cell := range r.cells {
			cells[i] = orDash(cell)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.name, mark, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// row is one fact of several models; a cell is empty where it is not known.
type row struct {
	name  string
	cells []string
}

// differs reports whether two models that are known about have something else.
func (r row) differs() bool {
	known := slices.DeleteFunc(slices.Clone(r.cells), func(cell string) bool { return cell == "" })
	return len(known) > 1 && slices.ContainsFunc(known, func(cell string) bool { return cell != known[0] })
}

// compare lists the facts that are known of at least one of the models.
func compare(models []app.Model) []row {
	var rows []row
	add := func(name string, cell func(app.Model) string) {
		r := row{name: name}
		for _, m := range models {
			r.cells = append(r.cells, cell(m))
		}
		if slices.ContainsFunc(r.cells, func(cell string) bool { return cell != "" }) {
			rows = append(rows, r)
		}
	}
	usd := func(name string, amount func(*app.Price) float64) {
		add(name, func(m app.Model) string {
			if m.Price == nil || amount(m.Price) == 0 {
				return ""
			}
			return dollars(amount(m.Price))
		})
	}
	add("lead", func(m app.Model) string { return m.Lead })
	add("same_as", func(m app.Model) string { return m.SameAs })
	add("context", func(m app.Model) string { return count(m.Window) })
	add("max_input", func(m app.Model) string { return count(m.MaxInput) })
	add("max_output", func(m app.Model) string { return count(m.MaxOutput) })
	add("input", func(m app.Model) string { return strings.Join(m.Input, " ") })
	add("output", func(m app.Model) string { return strings.Join(m.Output, " ") })
	add("price", func(m app.Model) string { return price(m.Price) })
	usd("cache_read", func(p *app.Price) float64 { return p.CacheRead })
	usd("cache_write", func(p *app.Price) float64 { return p.CacheWrite })
	usd("cache_write_1h", func(p *app.Price) float64 { return p.CacheWrite1h })
	usd("reasoning", func(p *app.Price) float64 { return p.Reasoning })
	usd("audio_input", func(p *app.Price) float64 { return p.AudioInput })
	usd("audio_output", func(p *app.Price) float64 { return p.AudioOutput })
	add("tiers", func(m app.Model) string { return tiers(m.Price) })
	add("service_tiers", func(m app.Model) string { return serviceTiers(m.Price) })
	add("tools", func(m app.Model) string { return yesNo(m.Tools) })
	add("parallel_tools", func(m app.Model) string { return yesNo(m.ParallelTools) })
	add("structured", func(m app.Model) string { return yesNo(m.Structured) })
	add("thinking", func(m app.Model) string { return m.Thinking })
	add("no_sampling", func(m app.Model) string { return strconv.FormatBool(m.NoSampling) })
	add("no_stop", func(m app.Model) string { return strconv.FormatBool(m.NoStop) })
	add("prefill", func(m app.Model) string { return strconv.FormatBool(m.Prefill) })
	add("released", func(m app.Model) string { return m.Released })
	add("status", func(m app.Model) string { return m.Status })
	add("retires", func(m app.Model) string { return m.Retires })
	return rows
}

// tokens is a number of tokens, with k for a thousand and m for a million.
type tokens int64

// UnmarshalText reads 200000, 200k or 1m.
func (t *tokens) UnmarshalText(text []byte) error {
	s, factor := strings.ToLower(string(text)), int64(1)
	if short, ok := strings.CutSuffix(s, "k"); ok {
		s, factor = short, 1_000
	} else if short, ok := strings.CutSuffix(s, "m"); ok {
		s, factor = short, 1_000_000
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("got %q, want a number of tokens such as 200000, 200k or 1m", text)
	}
	*t = tokens(n * factor)
	return nil
}

func orDash(s string) string { return cmp.Or(s, "-") }

// count writes a number of tokens; nothing if it is not known.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func dollars(usd float64) string { return strconv.FormatFloat(usd, 'f', -1, 64) }

func price(p *app.Price) string {
	if p == nil {
		return ""
	}
	return dollars(p.Input) + "/" + dollars(p.Output)
}

func tiers(p *app.Price) string {
	if p == nil {
		return ""
	}
	var steps []string
	for _, t := range p.Tiers {
		steps = append(steps, "above "+count(t.Above)+": "+dollars(t.Input)+"/"+dollars(t.Output))
	}
	return strings.Join(steps, ", ")
}

func serviceTiers(p *app.Price) string {
	if p == nil {
		return ""
	}
	var all []string
	for _, t := range p.ServiceTiers {
		price := dollars(t.Input) + "/" + dollars(t.Output)
		if t.Times != 0 {
			price = dollars(t.Times) + " times"
		}
		all = append(all, t.Name+": "+price)
	}
	return strings.Join(all, ", ")
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

// can lists what a model is known to be able to do.
func can(m app.Model) string {
	return strings.Join(slices.DeleteFunc(app.Abilities(), func(word string) bool { return !m.Can(word) }), ",")
}

// note is what to know before a model is chosen.
func note(m app.Model) string {
	text := m.Status
	if m.Retires != "" {
		text = "retires " + m.Retires
	}
	if m.Needs != "" {
		text = strings.TrimPrefix(text+", needs "+m.Needs, ", ")
	}
	return text
}

// writeJSON writes v for a program.
func (s *session) writeJSON(v any) error {
	enc := json.NewEncoder(inert{s.out})
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
