package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/understudy-ai/understudy/app"
)

type modelsCommand struct {
	configFlag
	Filter   string `arg:"" optional:"" help:"Only names that contain this."`
	Provider string `help:"Only models that this provider leads or stands in for." placeholder:"NAME"`
	JSON     bool   `help:"Write JSON: a list of models."`
}

// Help shows how models is used.
func (modelsCommand) Help() string {
	return "Models of the config come first, then every known model of each provider, by provider/model and, where only one " +
		"has it, by its bare name. Window is in tokens; price is what a million tokens cost in USD, input and output. No key is needed.\n\n" +
		examples("understudy models", "understudy models sonnet", "understudy models --provider openai --json")
}

// Run lists models.
func (c modelsCommand) Run(s *session) error {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	if _, known := conf.Provider(c.Provider); c.Provider != "" && !known {
		var names []string
		for _, p := range conf.Providers {
			names = append(names, p.Name)
		}
		return usageError{fmt.Sprintf("got provider %q, want one of those configured: %s", c.Provider, strings.Join(names, ", "))}
	}
	models, err := app.Models(conf)
	if err != nil {
		return err
	}
	models = slices.DeleteFunc(models, func(m app.Model) bool { return !c.isWanted(m) })
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if models == nil {
			models = []app.Model{}
		}
		return enc.Encode(models)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tLEAD\tUNDERSTUDIES\tWINDOW\tPRICE IN/OUT")
	for _, m := range models {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.Lead, orDash(strings.Join(m.Understudies, ", ")), window(m.Window), price(m.Price))
	}
	return w.Flush()
}

func (c modelsCommand) isWanted(m app.Model) bool {
	if !strings.Contains(strings.ToLower(m.Name), strings.ToLower(c.Filter)) {
		return false
	}
	return c.Provider == "" || slices.ContainsFunc(append([]string{m.Lead}, m.Understudies...), func(target string) bool {
		return strings.HasPrefix(target, c.Provider+"/")
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func window(tokens int64) string {
	if tokens == 0 {
		return "-"
	}
	return strconv.FormatInt(tokens, 10)
}

func price(p *app.Price) string {
	if p == nil {
		return "-"
	}
	usd := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return usd(p.Input) + "/" + usd(p.Output)
}
