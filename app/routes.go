package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// routes is one version of the config, as the gateway sees it.
type routes struct {
	*route.Table
	entries   []dialect.ModelEntry
	providers []*provider.Provider
}

// Entries lists what clients may ask for: the configured models, then every
// catalogued one as provider/model, and by its bare name where that is clear.
func (r *routes) Entries() []dialect.ModelEntry { return r.entries }

var _ gateway.Routes = (*routes)(nil)

// buildRoutes makes the routes of a config, with keys from where it says. The error is
// config.Problems.
func buildRoutes(c *config.Config, from sources) (*routes, error) {
	var problems config.Problems
	if len(c.Providers) == 0 {
		problems = append(problems, noProviders(c))
	}
	providers := make([]*provider.Provider, len(c.Providers))
	for i, p := range c.Providers {
		path := "providers." + p.Name
		if len(p.Keys) > 0 {
			var bad config.Problems
			providers[i], bad = withKeys(c, p, path, from)
			problems = append(problems, bad...)
			continue
		}
		key, err := resolve(p, from)
		if err != nil {
			problems = append(problems, c.Problem(path+".key", path+".key: "+err.Error(), hint(p.Key)))
		}
		providers[i] = newProvider(p, key)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return newRoutes(c, providers), nil
}

// withKeys makes a provider that has several keys: the same with each of them.
func withKeys(c *config.Config, p config.Provider, path string, from sources) (*provider.Provider, config.Problems) {
	var problems config.Problems
	keys := make([]*provider.Provider, len(p.Keys))
	for i, k := range p.Keys {
		p.Key = k.Key
		key, err := resolve(p, from)
		if err != nil {
			at := fmt.Sprintf("%s.keys.%d.key", path, i)
			problems = append(problems, c.Problem(at, at+": "+err.Error(), hint(k.Key)))
		}
		made := newProvider(p, key)
		made.Keys, made.Slot, made.Weight = keys, i, 1
		if k.Weight != nil {
			made.Weight = *k.Weight
		}
		keys[i] = made
	}
	return keys[0], problems
}

// noProviders says what to do when nothing is enabled.
func noProviders(c *config.Config) config.Problem {
	return c.Problem("providers", "no provider is enabled: no config file names one, and no provider's key variable is set",
		"set "+strings.Join(usualKeys(provider.Known()), ", ")+" or another that understudy models shows, or write "+config.DefaultPath)
}

// usualKeys lists the key variables of the first usual services: examples for whoever has set none.
func usualKeys(known *provider.Catalog) []string {
	const enough = 3
	var names []string
	for _, id := range known.Usual() {
		if len(names) < enough {
			names = append(names, known.KeyEnv(id))
		}
	}
	return names
}

func newProvider(p config.Provider, key provider.Secret) *provider.Provider {
	return &provider.Provider{ID: p.Name, Facts: p.Facts, Key: key, Private: p.Private(), Concurrency: p.Concurrency, Traced: p.Traceparent, ServiceTier: p.ServiceTier, Tags: p.Tags}
}

func newRoutes(c *config.Config, providers []*provider.Provider) *routes {
	byID := make(map[string]*provider.Provider, len(providers))
	for _, p := range providers {
		byID[p.ID] = p
	}
	used := make(map[string]string, len(c.Providers)) // the known service, by the provider's name
	for _, p := range c.Providers {
		used[p.Name] = p.Use
	}
	target := func(t config.Target) route.Target {
		p := byID[t.Provider]
		m, _ := p.Model(p.OwnName(t.Model))
		made := route.Target{Provider: p, Model: m.ID, SameAs: m.Identity(used[p.ID]), Weight: 1}
		made.Know(&m)
		return made
	}
	defaults := route.Route{Timeouts: route.DefaultTimeouts(), Loss: llm.LossReport, Rescue: llm.RescueText}
	configured := make([]route.Route, len(c.Models))
	for i, m := range c.Models {
		r := route.Route{Model: m.Name, Timeouts: timeouts(m.Timeouts, defaults.Timeouts)}
		r.Loss, r.Rescue = cmp.Or(m.Loss, defaults.Loss), cmp.Or(m.Rescue, defaults.Rescue)
		r.Targets = append(r.Targets, target(m.Lead))
		for _, t := range m.Understudies {
			r.Targets = append(r.Targets, target(t))
		}
		for i := range m.Weights {
			r.Targets[i].Weight = m.Weights[i]
		}
		r.Identity = route.Identity(m.Identity)
		if h := m.Hedge; h != nil {
			r.Hedge = route.Hedge{After: h.After.Time, Percentile: h.After.Percentile, Most: float64(h.Most)}
		}
		if m.Most != nil {
			r.Most = int64(*m.Most)
		}
		r.Order, r.Affinity = route.Policy(m.Order), affinity(m)
		configured[i] = r
	}
	r := &routes{Table: route.NewTable(configured, providers, defaults), providers: providers}
	for _, name := range askable(r.Table, providers) {
		r.entries = append(r.entries, entry(r.Table, name))
	}
	return r
}

// usualAffinity is how long vendors keep the prompts of a session that is silent.
const usualAffinity = 5 * time.Minute

// affinity is how long sessions stay with a target of a model.
func affinity(m config.Model) time.Duration {
	switch {
	case m.Affinity != nil:
		return *m.Affinity
	case m.Order == "" || m.Order == string(route.PolicyOrdered):
		return 0 // the lead's cache is warm as it is
	}
	return usualAffinity
}

// timeouts puts the defaults where the config says nothing; none outlasts Total.
func timeouts(given config.Timeouts, otherwise route.Timeouts) route.Timeouts {
	t := otherwise
	if given.Total > 0 {
		t.Total = given.Total
	}
	or := func(given, otherwise time.Duration) time.Duration {
		if given > 0 {
			return given
		}
		return min(otherwise, t.Total)
	}
	t.Connect = or(given.Connect, t.Connect)
	t.FirstToken = or(given.FirstToken, t.FirstToken)
	t.Answer = given.Answer // none is a share of what is left
	t.Stall = or(given.Stall, t.Stall)
	t.MinRate = given.MinRate
	t.RateWindow = or(given.RateWindow, t.RateWindow)
	return t
}

// askable lists the names that clients may ask for.
func askable(t *route.Table, providers []*provider.Provider) []string {
	names := append([]string(nil), t.Names()...)
	seen := make(map[string]bool)
	for _, name := range names {
		seen[name] = true
	}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, p := range providers {
		for _, m := range p.Facts.Models {
			if !m.Assumed {
				add(p.ID + "/" + m.ID)
			}
		}
	}
	for _, p := range providers {
		for _, m := range p.Facts.Models {
			// A name with a slash may mean another provider's model.
			if r, clear := t.Pick(m.ID); clear && r.Targets[0].Provider == p && r.Targets[0].Model == m.ID {
				add(m.ID)
			}
		}
	}
	return names
}

// entry describes a name by the model that leads it.
func entry(t *route.Table, name string) dialect.ModelEntry {
	r, _ := t.Pick(name)
	lead := r.Targets[0]
	m, _ := lead.Provider.Model(lead.Model)
	e := dialect.ModelEntry{
		ID: name, Owner: lead.Provider.ID, Window: m.Window, MaxInput: m.MaxInput, MaxOutput: m.MaxOutput, Operation: m.Operation,
		Known: len(m.Modalities.Input) > 0, Sees: slices.Contains(m.Modalities.Input, "image"), Reads: slices.Contains(m.Modalities.Input, "pdf"),
		Structured: m.Structured != nil && *m.Structured, NoTools: m.Tools != nil && !*m.Tools, Thinking: m.Thinking,
	}
	if day, err := time.Parse(time.DateOnly, m.Released); err == nil {
		e.Created = day.Unix()
	}
	return e
}

// maxKey bounds a key file: no vendor's key comes near it.
const maxKey = 16 << 10

// sources are where keys are: variables, files, and what commands have printed.
type sources struct {
	env     func(string) (string, bool)
	printed map[config.Key]printed // nil where no command has been run
}

// resolve reads a provider's key from where the config says it is. Its errors name the
// place and never what is there. Where no command has been run there is no key of one, and
// its program is only looked for.
func resolve(p config.Provider, from sources) (provider.Secret, error) {
	k, text, place := p.Key, "", p.Key.String()
	switch {
	case k.None:
		return provider.Secret{}, nil
	case k.Env != "":
		value, ok := from.env(k.Env)
		if k.Optional && strings.TrimSpace(value) == "" {
			return provider.Secret{}, nil
		}
		if !ok {
			return provider.Secret{}, errors.New("the variable " + k.Env + " is not set")
		}
		text = value
	case k.Command != "" && from.printed == nil:
		return provider.Secret{}, findCommand(k)
	case k.Command != "":
		got := from.printed[k]
		if got.err != nil {
			return provider.Secret{}, got.err
		}
		text, place = got.text.Reveal(), "what "+place+" printed"
	default:
		value, err := readKey(k.File)
		if err != nil {
			return provider.Secret{}, err
		}
		text = value
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return provider.Secret{}, errors.New(place + " is empty")
	case provider.KeyUseOf(p.Facts.Auth) == provider.KeyFile:
		if len(text) > maxKey || text[0] != '{' || !json.Valid([]byte(text)) {
			return provider.Secret{}, errors.New(place + " holds something else than a file of credentials, which is a JSON object")
		}
	case len(text) > maxKey || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return provider.Secret{}, errors.New(place + " holds something else than a key: it has spaces, line breaks or other characters that no key has")
	}
	return provider.NewSecret(text), nil
}

func readKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", errors.New("the key file " + path + " cannot be opened: " + err.Error())
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return "", errors.New("the key file " + path + " cannot be read")
	}
	return string(data), nil
}
