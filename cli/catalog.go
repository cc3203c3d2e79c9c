package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/app"
)

type catalogCommand struct {
	Import importCommand `cmd:"" help:"Renew what is known of models from a public catalog."`
}

// Help shows how catalog is used.
func (catalogCommand) Help() string { return examples("understudy catalog import models.json") }

type importCommand struct {
	configFlag
	File     string   `arg:"" help:"A catalog as models.dev gives it away (api.json), or flattened to one list of models." placeholder:"FILE"`
	Provider []string `help:"Only this provider; may be repeated." placeholder:"NAME"`
	Out      string   `help:"Write the models.yaml of each provider whose folder is in DIR, as in the source tree." placeholder:"DIR"`
	Date     day      `help:"The catalog's date, for --out; today if not given." placeholder:"YYYY-MM-DD"`
	JSON     bool     `help:"Write JSON: for each provider the models added, changed and gone."`
}

// Help shows how catalog import is used.
func (importCommand) Help() string {
	return "Without --out, what the catalog knows better than this program is printed as a piece of config, for the providers of your " +
		"config: put it there, and prices and models are current without a new release. Models that are gone and facts that the " +
		"catalog no longer has stay; what you wrote yourself under models: is not looked at. Nothing is sent anywhere; the catalog is a file.\n\n" +
		"With --out, models.yaml files are written. What stands in one above its models (by_hand, omit, free, comments) is kept.\n\n" +
		examples("curl -o models.json https://models.dev/api.json", "understudy catalog import models.json --provider openai > renewed.yaml",
			"understudy catalog import models.json --out provider --date 2026-07-02")
}

// Run imports a catalog.
func (c importCommand) Run(s *session) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the catalog: %w", err)
	}
	defer f.Close()
	dump, err := app.ReadDump(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	var text []byte
	var done []app.Imported
	if c.Out != "" {
		if c.Date.IsZero() {
			c.Date = day{time.Now()}
		}
		done, err = dump.RenewFiles(c.Out, c.Provider, c.Date.Format(time.DateOnly))
	} else {
		text, done, err = c.overlay(dump)
	}
	var unknown app.UnknownProviderError
	if errors.As(err, &unknown) {
		return usageError{unknown.Error()}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		if done == nil {
			done = []app.Imported{}
		}
		return s.writeJSON(done)
	}
	summary := s.err // beside a piece of config, on its own otherwise
	if c.Out != "" {
		summary = s.out
	}
	for _, d := range done {
		fmt.Fprintf(inert{summary}, "%s: %d models added, %d changed, %d gone%s\n", d.Provider, len(d.Added), len(d.Changed), len(d.Gone), list(d.Gone))
	}
	_, err = s.out.Write(text)
	return err
}

func (c importCommand) overlay(dump app.Dump) ([]byte, []app.Imported, error) {
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return nil, nil, err
	}
	return dump.Overlay(conf, c.Provider)
}

func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
