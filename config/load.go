package config

import (
	"cmp"
	"crypto/sha256"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/understudy-ai/understudy/provider"
)

// Catalog is what is known of services before a user says anything: a
// *provider.Catalog. It is not to be changed.
type Catalog interface {
	// IDs lists the known services in the order in which they are shown.
	IDs() []string
	// Usual lists some of them that a key alone enables: examples for whoever has named none.
	Usual() []string
	// KeyEnv is the variable whose being set enables a service; empty if there is none.
	KeyEnv(id string) string
	// Facts returns what is known of a service; not if it is none of IDs. It may take
	// its time: a service may have hundreds of models.
	Facts(id string) (provider.Facts, bool)
}

// Load reads, decodes and checks a config file. An error is a Problem or Problems.
func Load(path string, catalog Catalog) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, catalog)
}

// Parse decodes and checks the text of a config file; file is how errors name it,
// and its folder is where relative paths in it begin. An error is a Problem or
// Problems.
func Parse(file string, data []byte, catalog Catalog) (*Config, error) {
	body, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	c := defaults()
	c.file, c.sum = file, sha256.Sum256(data)
	d := &decoder{file: file, at: c.at, failed: map[string]bool{}}
	d.before = func(item any, m ast.MapNode) {
		if p, ok := item.(*Provider); ok {
			p.Use, p.Facts = known(p.Name, m, catalog)
		}
	}
	if _, null := body.(*ast.NullNode); body != nil && !null { // a file that says null says as much as an empty one
		d.decode(body, reflect.ValueOf(c).Elem(), "")
		if _, ok := body.(ast.MapNode); !ok {
			return nil, d.problems.Err()
		}
	}
	c.completeAccess(filepath.Dir(file))
	for i := range c.Providers {
		p := &c.Providers[i]
		complete(p, filepath.Dir(file))
		c.assume(p, catalog)
		c.detach(p)
	}
	k := &checker{config: c, catalog: catalog, problems: d.problems, failed: d.failed}
	k.check()
	if err := k.problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// known returns the service a provider builds on, and its facts: the one that use
// names, else the one of the provider's own name, else none.
func known(name string, m ast.MapNode, catalog Catalog) (string, provider.Facts) {
	name = cmp.Or(lookup(m, "use"), name)
	facts, ok := catalog.Facts(name)
	if !ok {
		return "", provider.Facts{}
	}
	return name, facts
}

// assume marks the models that a server of the user's may have, since it has the
// API of a known service, but which the file does not name.
func (c *Config) assume(p *Provider, catalog Catalog) {
	path := "providers." + p.Name
	service, _ := catalog.Facts(p.Use)
	if _, ownAddress := c.at[path+".base_url"]; !ownAddress || p.Use == p.Name && !service.IsOwn() {
		return
	}
	p.Facts.Models = slices.Clone(p.Facts.Models) // the service's own stay as they are
	for i := range p.Facts.Models {
		_, given := c.at[path+".models."+strconv.Itoa(i)]
		p.Facts.Models[i].Assumed = !given
	}
}

// detach forgets where a service lists its models if that is another host than the user's
// own server: the list says nothing about that server.
func (c *Config) detach(p *Provider) {
	path := "providers." + p.Name
	_, ownAddress := c.at[path+".base_url"]
	_, given := c.at[path+".models_path"]
	if ownAddress && !given && strings.Contains(p.Facts.ModelsPath, "://") {
		p.Facts.ModelsPath = ""
	}
}

// complete derives what a provider leaves to its service: its address, where the key
// is, and where a relative path begins.
func complete(p *Provider, folder string) {
	p.Facts.Complete()
	for i := range p.Keys {
		p.Keys[i].Key.under(folder)
	}
	if p.Key == (Key{}) && len(p.Keys) > 0 {
		p.Key = p.Keys[0].Key
	}
	if p.Key == (Key{}) {
		p.Key = usualKey(&p.Facts)
	}
	if p.Key.File != "" && !filepath.IsAbs(p.Key.File) {
		p.Key.File = filepath.Join(folder, p.Key.File)
	}
}

// usualKey is where a service's key is when nothing is said; nowhere if it must be.
func usualKey(f *provider.Facts) Key {
	use := provider.KeyUseOf(f.Auth)
	switch {
	case use == provider.KeyUnused, use == provider.KeyFile, use == provider.KeyOptional && f.KeyEnv == "":
		return Key{None: true}
	case f.KeyEnv != "":
		return Key{Env: f.KeyEnv, Optional: use == provider.KeyOptional}
	default:
		return Key{}
	}
}
