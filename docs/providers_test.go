package docs_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

func TestProvidersPage(t *testing.T) { check(t, "providers.md", providersPage()) }

func providersPage() string {
	var b strings.Builder
	b.WriteString(`# Providers

Made from the facts in ` + "`provider/`" + `; do not edit, run ` + "`make docs`" + `.

A provider's name is what a config's ` + "`providers`" + ` or ` + "`use`" + ` say. With no config file, those are enabled whose key variable is set, unless everybody has
an address of their own there, as at Azure. The APIs are those that the provider is spoken to in, with what is relayed to it in them; the
date is when its documentation was read. ` + "`understudy models --all`" + ` lists the models.

| name | service | APIs | key variable | models | documentation |
|---|---|---|---|---|---|
`)
	known := provider.Known()
	for _, id := range known.IDs() {
		f, _ := known.Facts(id)
		var apis []string
		for _, name := range slices.Sorted(maps.Keys(f.Dialects)) {
			api := string(name)
			if relayed := f.Relays[name]; len(relayed) > 0 {
				var words []string
				for _, o := range relayed {
					words = append(words, string(o))
				}
				api += " (" + strings.Join(words, ", ") + ")"
			}
			apis = append(apis, api)
		}
		key, models := "-", "-"
		if f.KeyEnv != "" {
			key = "`" + f.KeyEnv + "`"
		}
		if n := len(f.Models); n > 0 {
			models = fmt.Sprint(n)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | [%s](%s) |\n", id, f.Name, strings.Join(apis, ", "), key, models, f.Checked, f.Docs)
	}
	return b.String()
}
