package app

import (
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Model is a name that clients may ask for, and what is known of what serves it.
type Model struct {
	Name         string   `json:"name"`
	Lead         string   `json:"lead"` // provider/model
	Understudies []string `json:"understudies,omitempty"`
	Loss         string   `json:"loss"`
	Window       int64    `json:"context,omitempty"`    // of the lead, in tokens; 0 when unknown
	MaxOutput    int64    `json:"max_output,omitempty"` // likewise
	// Price is the lead's, in USD per million tokens; nil when unknown.
	Price *Price `json:"price,omitempty"`
	// Timeouts are those in force, the defaults filled in.
	Timeouts config.Timeouts `json:"-"`
}

// Price is in USD per million tokens.
type Price struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cache_read,omitempty"`
	CacheWrite float64 `json:"cache_write,omitempty"`
}

// Models lists what clients may ask for under a config, in the order of the model
// lists. Keys are not looked at. The error is config.Problems.
func Models(c *config.Config) ([]Model, error) {
	if len(c.Providers) == 0 {
		return nil, config.Problems{noProviders(c)}
	}
	providers := make([]*provider.Provider, len(c.Providers))
	for i, p := range c.Providers {
		providers[i] = newProvider(p, provider.Secret{})
	}
	r := newRoutes(c, providers)
	models := make([]Model, len(r.entries))
	for i, e := range r.entries {
		found, _ := r.Pick(e.ID)
		models[i] = describe(found)
	}
	return models, nil
}

func describe(r route.Route) Model {
	m := Model{
		Name: r.Model, Lead: r.Targets[0].Name(), Loss: string(r.Loss), Timeouts: config.Timeouts(r.Timeouts),
	}
	for _, t := range r.Targets[1:] {
		m.Understudies = append(m.Understudies, t.Name())
	}
	facts, _ := r.Targets[0].Provider.Model(r.Targets[0].Model)
	m.Window, m.MaxOutput = facts.Window, facts.MaxOutput
	if p := facts.Price; p != nil {
		m.Price = &Price{p.Input, p.Output, p.CacheRead, p.CacheWrite}
	}
	return m
}

// Notes lists what a config may not have meant: a target whose model its service is
// not known to have.
func Notes(c *config.Config) []string {
	known := provider.Known()
	var notes []string
	for _, m := range c.Models {
		for _, t := range append([]config.Target{m.Lead}, m.Understudies...) {
			p, ok := c.Provider(t.Provider)
			if !ok {
				continue
			}
			facts, isKnown := known.Facts(p.Use)
			if _, has := (&provider.Provider{Facts: p.Facts}).Model(t.Model); has || !isKnown || facts.BaseURL != p.Facts.BaseURL {
				continue
			}
			notes = append(notes, "model "+m.Name+": "+t.String()+" is not a model that is known of "+facts.Name+
				"; it is asked for all the same, and its window and price are unknown")
		}
	}
	return notes
}
