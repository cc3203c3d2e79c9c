package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/provider"
)

// Dump is a public catalog of models, to be imported.
type Dump struct{ dump provider.Dump }

// ReadDump reads a catalog as models.dev gives it away, or flattened to one list.
func ReadDump(r io.Reader) (Dump, error) {
	d, err := provider.ReadDump(r)
	return Dump{d}, err
}

// Imported is what an import changed for one provider.
type Imported struct {
	Provider string `json:"provider"`
	File     string `json:"file,omitempty"` // the one written
	provider.Change
}

// RenewFiles writes the models.yaml of every provider whose folder is in dir, or of
// only, as the dump has it at date.
func (d Dump) RenewFiles(dir string, only []string, date string) ([]Imported, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", "provider.yaml"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("got no */provider.yaml in %s, want a folder of providers", dir)
	}
	var ids []string
	for _, file := range found {
		ids = append(ids, filepath.Base(filepath.Dir(file)))
	}
	if err := amongThem(only, ids); err != nil {
		return nil, err
	}
	var all []Imported
	for _, id := range ids {
		if len(only) > 0 && !slices.Contains(only, id) {
			continue
		}
		one, err := d.renewFile(filepath.Join(dir, id, "models.yaml"), id, date)
		if err != nil {
			return all, err
		}
		if one.File != "" {
			all = append(all, one)
		} else if len(only) > 0 {
			return all, d.unknown(id, filepath.Join(dir, id, "models.yaml"))
		}
	}
	return all, nil
}

// renewFile writes one file, unless the dump says nothing for it.
func (d Dump) renewFile(file, id, date string) (Imported, error) {
	text, err := os.ReadFile(file) //nolint:gosec // below a folder that the user names
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("source: models.dev\ndate: "+date+"\n"), nil
	}
	if err != nil {
		return Imported{}, fmt.Errorf("read the models known so far: %w", err)
	}
	list, err := provider.ParseList(text, file)
	if err != nil {
		return Imported{}, fmt.Errorf("read the models known so far: %w", err)
	}
	models := d.dump.Models(id, list)
	if len(models) == 0 {
		return Imported{}, nil
	}
	renewed, err := provider.Renew(text, models, date)
	if err != nil {
		return Imported{}, fmt.Errorf("%s: %w", file, err)
	}
	if _, err := provider.ParseList(renewed, file); err != nil {
		return Imported{}, fmt.Errorf("the dump does not make good facts: %w", err)
	}
	if !bytes.Equal(renewed, text) {
		if err := os.WriteFile(file, renewed, 0o644); err != nil { //nolint:gosec // a file for everybody
			return Imported{}, fmt.Errorf("write the models: %w", err)
		}
	}
	return Imported{Provider: id, File: file, Change: provider.Compare(list.Models, models)}, nil
}

func (d Dump) unknown(id, file string) error {
	return fmt.Errorf("the dump has no models of %s; if it calls the service otherwise, write the name as vendor: into %s", id, file)
}

// Overlay returns what of the dump is not yet known of a config's providers, as the
// config's keys, and what that changes. A server of the user's is left alone: what its
// service charges is not what it costs.
func (d Dump) Overlay(c *config.Config, only []string) ([]byte, []Imported, error) {
	if len(c.Providers) == 0 {
		return nil, nil, config.Problems{noProviders(c)}
	}
	var names []string
	for _, p := range c.Providers {
		names = append(names, p.Name)
	}
	if err := amongThem(only, names); err != nil {
		return nil, nil, err
	}
	catalog := provider.Known()
	var text []byte
	var all []Imported
	for _, p := range c.Providers {
		facts, isKnown := catalog.Facts(p.Use)
		if len(only) > 0 && !slices.Contains(only, p.Name) || !isKnown || facts.BaseURL != p.Facts.BaseURL {
			continue
		}
		list, _ := provider.KnownModels(p.Use)
		before := list.Models
		list.Models = d.dump.Models(p.Use, list)
		if len(list.Models) == 0 {
			continue
		}
		isGone := func(m provider.Model) bool { return !hasModel(list.Models, m.ID) && hasModel(before, m.ID) }
		now := slices.DeleteFunc(list.All(), isGone) // what is kept by hand is no more than a part of it
		text = append(text, provider.Overlay(p.Name, facts.Models, now)...)
		all = append(all, Imported{Provider: p.Name, Change: provider.Compare(facts.Models, now)})
	}
	if len(text) > 0 {
		text = append([]byte("providers:\n"), text...)
	}
	return text, all, nil
}

func hasModel(models []provider.Model, id string) bool {
	return slices.ContainsFunc(models, func(m provider.Model) bool { return m.ID == id })
}

// amongThem reports a name that is none of known.
func amongThem(names, known []string) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return UnknownProviderError{fmt.Sprintf("got provider %q, want one of %s", name, strings.Join(known, ", "))}
		}
	}
	return nil
}

// UnknownProviderError is a provider's name that is none of those there are.
type UnknownProviderError struct{ message string }

// Error returns the message.
func (e UnknownProviderError) Error() string { return e.message }
