package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Dump is a public catalog of models, by what it calls their vendors.
type Dump map[string][]entry

// entry is a model as models.dev has it.
type entry struct {
	Vendor      string  `json:"vendor"`
	ID          string  `json:"id"`
	SameAs      string  `json:"same_as"`
	Status      string  `json:"status"`
	ReleaseDate string  `json:"release_date"`
	Limit       limit   `json:"limit"`
	Cost        *cost   `json:"cost"`
	Modalities  gives   `json:"modalities"`
	ToolCall    *bool   `json:"tool_call"`
	Structured  *bool   `json:"structured_output"`
	Temperature *bool   `json:"temperature"`
	Reasoning   *bool   `json:"reasoning"`
	Controls    []kinds `json:"reasoning_options"`
}

type limit struct{ Context, Input, Output int64 }

type gives struct{ Input, Output []string }

type kinds struct {
	Type   string
	Values []string
}

type cost struct {
	Input, Output float64
	CacheRead     float64 `json:"cache_read"`
	CachedInput   float64 `json:"cached_input"` // the same in some rows
	CacheWrite    float64 `json:"cache_write"`
	CachedWrite   float64 `json:"cached_write"`
	Reasoning     float64
	InputAudio    float64 `json:"input_audio"`
	OutputAudio   float64 `json:"output_audio"`
	Tiers         []struct {
		Tier       struct{ Size int64 }
		Input      float64
		Output     float64
		CacheRead  float64 `json:"cache_read"`
		CacheWrite float64 `json:"cache_write"`
	}
}

// maxDump bounds a dump: the whole of models.dev is a tenth of it.
const maxDump = 64 << 20

// ReadDump reads a catalog as models.dev gives it away (api.json: models within
// vendors), or as one list of models that name their vendors.
func ReadDump(r io.Reader) (Dump, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDump+1))
	if err != nil {
		return nil, fmt.Errorf("read the dump: %w", err)
	}
	if len(data) > maxDump {
		return nil, fmt.Errorf("read the dump: got more than %d MiB, want a catalog of models", maxDump>>20)
	}
	d := Dump{}
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		var vendors map[string]struct{ Models map[string]entry }
		if err := json.Unmarshal(data, &vendors); err != nil {
			return nil, fmt.Errorf("read the dump as vendors with models: %w", err)
		}
		for vendor, v := range vendors {
			d[vendor] = slices.Collect(maps.Values(v.Models))
		}
	} else {
		var rows []entry
		if err := json.Unmarshal(data, &rows); err != nil {
			return nil, fmt.Errorf("read the dump as a list of models: %w", err)
		}
		for _, e := range rows {
			d[e.Vendor] = append(d[e.Vendor], e)
		}
	}
	return d, d.check()
}

func (d Dump) check() error {
	for vendor, entries := range d {
		for _, e := range entries {
			if vendor == "" || e.ID == "" {
				return errors.New("read the dump: got a model without vendor or id, want a catalog as models.dev has it")
			}
		}
	}
	if len(d) == 0 {
		return errors.New("read the dump: got no models, want a catalog as models.dev has it")
	}
	return nil
}

// Has reports whether the dump knows a vendor.
func (d Dump) Has(vendor string) bool { return len(d[vendor]) > 0 }

// Models returns what the dump says of the models that a service answers chats with,
// in order. id is the service's; l says what the dump calls it and what to leave out.
func (d Dump) Models(id string, l List) []Model {
	vendor := l.vendor(id)
	var models []Model
	for _, e := range d[vendor] {
		if e.chats() && !matchesAny(l.Omit, e.ID) {
			models = append(models, e.model(id, vendor, matchesAny(l.Free, e.ID)))
		}
	}
	slices.SortFunc(models, func(a, b Model) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(models, func(a, b Model) bool { return a.ID == b.ID })
}

// vendor is what the catalog calls a service.
func (l List) vendor(id string) string {
	if l.Vendor != "" {
		return l.Vendor
	}
	return id
}

// chats reports whether a model answers text with text; those that make vectors cost
// nothing to put out.
func (e entry) chats() bool {
	isVectors := e.Cost != nil && e.Cost.Input > 0 && e.Cost.Output == 0
	return slices.Contains(e.Modalities.Input, "text") && slices.Contains(e.Modalities.Output, "text") && e.Limit.Context > 0 && !isVectors
}

func (e entry) model(id, vendor string, free bool) Model {
	m := Model{
		ID: e.ID, SameAs: e.SameAs, Window: e.Limit.Context,
		Modalities: Modalities{known(modalities, e.Modalities.Input), known(modalities, e.Modalities.Output)},
		Tools:      e.ToolCall, Structured: e.Structured,
		NoSampling: e.Temperature != nil && !*e.Temperature, Thinking: e.thinking(), Efforts: e.efforts(),
	}
	if m.SameAs == "" {
		m.SameAs = vendor + "/" + e.ID
	}
	if m.SameAs == id+"/"+e.ID {
		m.SameAs = ""
	}
	if e.Limit.Input < m.Window {
		m.MaxInput = e.Limit.Input
	}
	if e.Limit.Output <= m.Window { // a reply above the window is a mistake of the catalog's
		m.MaxOutput = e.Limit.Output
	}
	for _, form := range []string{time.DateOnly, yearMonth} {
		if _, err := time.Parse(form, e.ReleaseDate); err == nil {
			m.Released = e.ReleaseDate
		}
	}
	switch e.Status {
	case "deprecated":
		m.Status = e.Status
	case "alpha", "beta":
		m.Status = "beta"
	}
	// A price of 0 is what the catalog says where it knows none.
	if c := e.Cost; c != nil && (free || c.Input > 0 || c.Output > 0) {
		m.Price = c.price()
	}
	return m
}

// known keeps the words that are known here.
func known(words, got []string) []string {
	return slices.DeleteFunc(slices.Clone(got), func(w string) bool { return !slices.Contains(words, w) })
}

// thinking is how the model's reasoning is controlled in most dialects. Effort comes
// first, being the control that most of them have.
func (e entry) thinking() llm.ThinkingControl {
	has := func(kind string) bool {
		return slices.ContainsFunc(e.Controls, func(k kinds) bool { return k.Type == kind })
	}
	switch {
	case e.Reasoning == nil:
		return llm.ThinkingUnknown
	case !*e.Reasoning:
		return llm.ThinkingNone
	case has("effort"):
		return llm.ThinkingEffort
	case has("budget_tokens"):
		return llm.ThinkingBudget
	case has("toggle"):
		return llm.ThinkingToggle
	case e.Controls != nil:
		return llm.ThinkingAlways
	}
	return llm.ThinkingUnknown
}

// efforts lists, from the least on, the words that the model takes for how hard to think. A model
// that another control switches off has the first of them, too.
func (e entry) efforts() []string {
	var taken, words []string
	canStop := false
	for _, k := range e.Controls {
		words = append(words, k.Values...)
		canStop = canStop || k.Type != "effort"
	}
	for i, effort := range llm.Efforts {
		if slices.Contains(words, effort) || i == 0 && canStop && len(words) > 0 {
			taken = append(taken, effort)
		}
	}
	return taken
}

func (c *cost) price() *Price {
	p := &Price{
		Input: c.Input, Output: c.Output,
		CacheRead: max(c.CacheRead, c.CachedInput), CacheWrite: max(c.CacheWrite, c.CachedWrite),
		AudioInput: c.InputAudio, AudioOutput: c.OutputAudio,
	}
	if c.Reasoning != c.Output {
		p.Reasoning = c.Reasoning
	}
	for _, t := range c.Tiers {
		p.Tiers = append(p.Tiers, Tier{t.Tier.Size, t.Input, t.Output, t.CacheRead, t.CacheWrite})
	}
	slices.SortFunc(p.Tiers, func(a, b Tier) int { return int(a.Above - b.Above) })
	return p
}

// matchesAny reports whether one of patterns fits id: "*" stands for anything,
// slashes included.
func matchesAny(patterns []string, id string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, id) })
}
