package app

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Model is a name that clients may ask for, and what is known of what serves it. Facts
// are the lead's; what is absent is not known.
type Model struct {
	Name         string   `json:"name"`
	Also         string   `json:"also,omitempty"` // the bare name that means it, too
	Lead         string   `json:"lead"`           // provider/model
	Understudies []string `json:"understudies,omitempty"`
	Loss         string   `json:"loss"`
	Rescue       string   `json:"rescue"`
	SameAs       string   `json:"same_as,omitempty"` // the model it is, whoever serves it
	Window       int64    `json:"context,omitempty"` // in tokens
	MaxInput     int64    `json:"max_input,omitempty"`
	MaxOutput    int64    `json:"max_output,omitempty"`
	Input        []string `json:"input,omitempty"` // text, image, pdf, audio, video
	Output       []string `json:"output,omitempty"`
	// Price is in USD per million tokens.
	Price         *Price `json:"price,omitempty"`
	Tools         *bool  `json:"tools,omitempty"`
	ParallelTools *bool  `json:"parallel_tools,omitempty"`
	Structured    *bool  `json:"structured,omitempty"`
	Thinking      string `json:"thinking,omitempty"`    // how it is controlled, or none
	NoSampling    bool   `json:"no_sampling,omitempty"` // temperature, top_p and top_k are refused
	NoStop        bool   `json:"no_stop,omitempty"`     // stop sequences are
	Prefill       bool   `json:"prefill,omitempty"`
	Released      string `json:"released,omitempty"`
	Retires       string `json:"retires,omitempty"`
	Status        string `json:"status,omitempty"`
	// Needs is what must be there before the lead can be asked: a variable with its key, or a
	// config that names it. Empty for models that are configured.
	Needs string `json:"needs,omitempty"`
	// Timeouts are those in force, the defaults filled in.
	Timeouts config.Timeouts `json:"-"`
	Affinity time.Duration   `json:"-"` // likewise
}

// Price is in USD per million tokens.
type Price = provider.Price

// Abilities lists the words for what a model may be able to do.
func Abilities() []string {
	return []string{"vision", "pdf", "audio", "video", "tools", "parallel_tools", "structured", "thinking", "prefill"}
}

// Can reports whether the model is known to be able to do what a word of Abilities says.
func (m Model) Can(ability string) bool {
	switch ability {
	case "vision":
		return slices.Contains(m.Input, "image")
	case "pdf", "audio", "video":
		return slices.Contains(m.Input, ability)
	case "tools":
		return isTrue(m.Tools)
	case "parallel_tools":
		return isTrue(m.ParallelTools)
	case "structured":
		return isTrue(m.Structured)
	case "thinking":
		return m.Thinking != "" && m.Thinking != string(llm.ThinkingNone)
	case "prefill":
		return m.Prefill
	}
	return false
}

func isTrue(b *bool) bool { return b != nil && *b }

// Models lists what clients may ask for under a config, each model once, in the order of the model
// lists. Keys are not looked at. The error is config.Problems.
func Models(c *config.Config) ([]Model, error) {
	if len(c.Providers) == 0 {
		return nil, config.Problems{noProviders(c)}
	}
	r := routesWithoutKeys(c)
	var models []Model
	at := map[string]int{}        // of models by provider/model
	for _, e := range r.entries { // bare names come last
		found, _ := r.Pick(e.ID)
		m := describe(found)
		if i, listed := at[m.Lead]; found.IsDirect && listed {
			models[i].Also = m.Name
			continue
		}
		if found.IsDirect {
			at[m.Lead] = len(models)
		}
		models = append(models, m)
	}
	return models, nil
}

// KnownModels lists what Models does, and the models of all known services that are not enabled,
// with what that needs.
func KnownModels(c *config.Config) ([]Model, error) {
	models, err := Models(WithKnown(c))
	if err != nil {
		return nil, err
	}
	also := map[string]string{} // as the config has it: what is clear now
	if len(c.Providers) > 0 {
		enabled, err := Models(c)
		if err != nil {
			return nil, err
		}
		for _, m := range enabled {
			also[m.Name] = m.Also
		}
	}
	known := provider.Known()
	for i := range models {
		models[i].Also = also[models[i].Name]
		id, _, _ := strings.Cut(models[i].Lead, "/")
		if _, enabled := c.Provider(id); !enabled {
			models[i].Needs = cmp.Or(c.File(), known.KeyEnv(id), config.DefaultPath) // variables count where there is no file
		}
	}
	return models, nil
}

func routesWithoutKeys(c *config.Config) *routes {
	providers := make([]*provider.Provider, len(c.Providers))
	for i, p := range c.Providers {
		providers[i] = newProvider(p, provider.Secret{})
	}
	return newRoutes(c, providers)
}

// WithKnown returns a config that has all known services beside its own providers: for
// looking at facts, not for serving.
func WithKnown(c *config.Config) *config.Config {
	all := *c
	all.Providers = slices.Clone(c.Providers)
	known := provider.Known()
	for _, id := range known.IDs() {
		if _, taken := c.Provider(id); !taken {
			facts, _ := known.Facts(id)
			all.Providers = append(all.Providers, config.Provider{Name: id, Use: id, Facts: facts})
		}
	}
	return &all
}

// FindModels describes models by name: those of the config, and any that is known, as
// provider/model or by a bare name that one service has.
func FindModels(c *config.Config, names []string) ([]Model, error) {
	all := WithKnown(c)
	r := routesWithoutKeys(all)
	models := make([]Model, len(names))
	for i, name := range names {
		found, ok := r.Pick(name)
		if !ok || !r.isListed(name) {
			return nil, UnknownModelError{name, r.nearest(name), having(all, name)}
		}
		models[i] = describe(found)
	}
	return models, nil
}

// having lists the models of that id as provider/model.
func having(c *config.Config, id string) []string {
	var found []string
	for _, p := range c.Providers {
		if _, has := (&provider.Provider{Facts: p.Facts}).Model(id); has {
			found = append(found, p.Name+"/"+id)
		}
	}
	return found
}

// isListed reports whether name can be asked for and is known. Any model can be asked for
// as provider/model.
func (r *routes) isListed(name string) bool {
	for i := range r.entries {
		if r.entries[i].ID == name {
			return true
		}
	}
	return false
}

// nearest is the known name that may have been meant: one that ends with it, or one that
// is spelled much like it.
func (r *routes) nearest(name string) string {
	names := make([]string, len(r.entries))
	for i, e := range r.entries {
		if names[i] = e.ID; strings.HasSuffix(e.ID, "/"+name) {
			return e.ID
		}
	}
	return provider.Nearest(name, names)
}

// UnknownModelError is a model's name that is not known, or means several.
type UnknownModelError struct {
	name, nearest string
	several       []string
}

// Error names it, and what may have been meant.
func (e UnknownModelError) Error() string {
	if len(e.several) > 1 {
		return "several services have a model " + e.name + ": say which, as one of " + strings.Join(e.several, ", ")
	}
	text := "nothing is known of a model " + e.name
	if e.nearest != "" {
		text += " (did you mean " + e.nearest + "?)"
	}
	return text
}

func describe(r route.Route) Model {
	m := Model{
		Name: r.Model, Lead: r.Targets[0].Name(), Loss: string(r.Loss), Rescue: string(r.Rescue), Timeouts: config.Timeouts(r.Timeouts), Affinity: r.Affinity,
	}
	for _, t := range r.Targets[1:] {
		m.Understudies = append(m.Understudies, t.Name())
	}
	f, _ := r.Targets[0].Provider.Model(r.Targets[0].Model)
	m.SameAs, m.Price, m.Thinking = f.SameAs, f.Price, string(f.Thinking)
	m.Window, m.MaxInput, m.MaxOutput = f.Window, f.MaxInput, f.MaxOutput
	m.Input, m.Output = f.Modalities.Input, f.Modalities.Output
	m.Tools, m.ParallelTools, m.Structured = f.Tools, f.ParallelTools, f.Structured
	m.NoSampling, m.NoStop, m.Prefill = f.NoSampling, f.NoStop, f.Prefill
	m.Released, m.Retires, m.Status = f.Released, f.Retires, f.Status
	return m
}

// soon is how long before a model is taken away it is time to say so.
const soon = 90 * 24 * time.Hour

// Notes lists what a config may not have meant: a target whose model its service is
// not known to have, or takes away, and an embedding model in the place of another.
func Notes(c *config.Config, now time.Time) []string {
	known := provider.Known()
	notes := append(sharedKeys(c), mixedVectors(c)...)
	for _, m := range c.Models {
		for _, t := range append([]config.Target{m.Lead}, m.Understudies...) {
			p, ok := c.Provider(t.Provider)
			if !ok {
				continue
			}
			facts, isKnown := known.Facts(p.Use)
			asked := &provider.Provider{ID: p.Name, Facts: p.Facts}
			model, has := asked.Model(asked.OwnName(t.Model))
			end, err := time.Parse(time.DateOnly, model.Retires)
			switch {
			case !isKnown || facts.BaseURL != p.Facts.BaseURL || len(facts.Models) == 0:
			case !has:
				notes = append(notes, "model "+m.Name+": "+t.String()+" is not a model that is known of "+facts.Name+
					"; it is asked for all the same, and its window and price are unknown")
			case err == nil && end.Before(now):
				notes = append(notes, "model "+m.Name+": "+t.String()+" was to be taken away by "+facts.Name+" on "+model.Retires)
			case err == nil && end.Before(now.Add(soon)):
				notes = append(notes, "model "+m.Name+": "+t.String()+" will be taken away by "+facts.Name+" on "+model.Retires)
			}
		}
	}
	return notes
}

// sharedKeys notes files of keys that others can read or change.
func sharedKeys(c *config.Config) (notes []string) {
	for _, p := range c.Providers {
		if p.Key.File != "" && isShared(p.Key.File) {
			notes = append(notes, "provider "+p.Name+": others can read or change its key file; chmod 600 "+p.Key.File)
		}
	}
	return notes
}

// mixedVectors notes routes that lead from one embedding model to another: vectors of two
// models cannot be compared, so such a target is never asked for any.
func mixedVectors(c *config.Config) (notes []string) {
	r := routesWithoutKeys(c)
	for _, m := range c.Models {
		found, ok := r.Pick(m.Name)
		if !ok {
			continue
		}
		embeds := func(t route.Target) bool {
			facts, _ := t.Provider.Model(t.Model)
			return facts.Operation == dialect.Embed
		}
		lead := found.Targets[0]
		for _, t := range found.Targets[1:] {
			if !t.IsModelOf(lead) && (embeds(lead) || embeds(t)) {
				notes = append(notes, "model "+m.Name+": "+t.Name()+" is not known to be the model that "+lead.Name()+
					" is, and is not asked for embeddings in its place; if it is the same, say so with same_as")
			}
		}
	}
	return notes
}
