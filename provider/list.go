package provider

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// List is the content of a models.yaml: the models of a service as a public
// catalog has them, and above them what people keep.
type List struct {
	// Source is the catalog that Models were taken from, and Date its date.
	Source string `yaml:"source"`
	Date   string `yaml:"date"`
	// Vendor is what the catalog calls the service; if empty, as its folder is called.
	Vendor string `yaml:"vendor"`
	// Omit lists what of the catalog is left out, and Free what costs nothing indeed
	// where the catalog says 0: ids, in which "*" stands for anything.
	Omit []string `yaml:"omit"`
	Free []string `yaml:"free"`
	// ByHand is laid over Models, key by key; models that are not there are added. An id
	// with "*" in it is laid over all that it fits.
	ByHand []Model `yaml:"by_hand"`
	Models []Model `yaml:"models"`

	lay []func(*Model) // lays one of ByHand over a model as it is written, which tells false from absent
}

// ParseList reads the text of a models.yaml, and says everything that is wrong with
// it, each with its line. file is how errors name it.
func ParseList(data []byte, file string) (List, error) {
	l, body, err := decodeList(data, file)
	if err != nil {
		return List{}, err
	}
	if err := placed(l.check(), file, body); err != nil {
		return List{}, err
	}
	return l, nil
}

func decodeList(data []byte, file string) (List, ast.Node, error) {
	var l List
	body, err := decode(data, file, &l)
	if err != nil {
		return List{}, nil, err
	}
	if m, ok := body.(ast.MapNode); ok {
		for it := m.MapRange(); it.Next(); {
			if seq, ok := it.Value().(*ast.SequenceNode); ok && it.Key().GetToken().Value == "by_hand" {
				for _, n := range seq.Values {
					l.lay = append(l.lay, func(m *Model) {
						if err := yaml.NodeToValue(n, m); err != nil {
							panic("BUG: provider: " + err.Error()) // it could be decoded before
						}
					})
				}
			}
		}
	}
	return l, body, nil
}

func (l List) check() []Problem {
	c := &checker{}
	if l.Source == "" {
		c.bad("source", "got none, want the name of the catalog that the models are taken from")
	}
	if l.Date == "" {
		c.bad("date", "got none, want the date of the catalog")
	}
	c.date("date", l.Date, time.DateOnly)
	c.patterns("omit", l.Omit)
	c.patterns("free", l.Free)
	c.models("models", l.Models)
	c.ids("by_hand", l.ByHand)
	all := l.All()
	for i, hand := range l.ByHand {
		for _, m := range all {
			if matches(hand.ID, m.ID) {
				c.model("by_hand."+strconv.Itoa(i), m)
			}
		}
	}
	return c.problems
}

func (c *checker) patterns(at string, patterns []string) {
	for i, p := range patterns {
		if p == "" {
			c.bad(at+"."+strconv.Itoa(i), "got nothing, want a model's id, in which * may stand for anything")
		}
	}
}

// All returns the models, with what is kept by hand.
func (l List) All() []Model {
	all := slices.Clone(l.Models)
	for i, hand := range l.ByHand {
		found := false
		for j := range all {
			if id := all[j].ID; matches(hand.ID, id) {
				found = true
				l.lay[i](&all[j])
				all[j].ID = id
			}
		}
		if !found && !strings.Contains(hand.ID, "*") {
			all = append(all, hand)
		}
	}
	slices.SortFunc(all, func(a, b Model) int { return strings.Compare(a.ID, b.ID) })
	return all
}
