package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/app"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/provider"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("u.yaml", []byte(text), provider.Known())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBareNamesOfOthers lists a name with a slash in it only where it means the model
// that has it: what looks like another provider's is asked of that one.
func TestBareNamesOfOthers(t *testing.T) {
	lead := func(text, name string) string {
		models, err := app.Models(parse(t, text))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(models, func(m app.Model) bool { return m.Name == name || m.Also == name })
		if i < 0 {
			return ""
		}
		return models[i].Lead
	}
	const both = "providers: {openai: {key: none}, groq: {key: none}, cerebras: {key: none}}"
	for _, tc := range []struct{ config, name, want string }{
		{both, "openai/gpt-5", "openai/gpt-5"},
		{both, "gpt-5", "openai/gpt-5"},
		{both, "groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"},
		{both, "openai/gpt-oss-120b", ""}, // openai would be asked for it, which has none
		{both, "gpt-oss-120b", "cerebras/gpt-oss-120b"},
		{both, "groq/compound", "groq/groq/compound"},
		{"providers: {groq: {key: none}}", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"},
	} {
		if got := lead(tc.config, tc.name); got != tc.want {
			t.Errorf("%s: got lead %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestEveryService enables all services at once: every model has its full name, and a
// bare one where it is clear.
func TestEveryService(t *testing.T) {
	env := func(string) (string, bool) { return "x", true }
	c, err := app.Load("", env)
	if err != nil {
		t.Fatal(err)
	}
	models, err := app.Models(c)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	full := 0
	for _, m := range models {
		if seen[m.Name] || seen[m.Also] || seen["lead "+m.Lead] {
			t.Errorf("%s: got it twice, want it once", m.Name)
		}
		seen[m.Name], seen["lead "+m.Lead] = true, true
		if m.Also != "" {
			seen[m.Also] = true
		}
		if m.Name == m.Lead {
			full++
		}
	}
	want := 0
	for _, p := range c.Providers {
		want += len(p.Facts.Models)
	}
	if full != want || len(c.Providers) < 15 {
		t.Errorf("got %d models by their full names from %d providers, want %d from more than 15", full, len(c.Providers), want)
	}
	if _, err := app.New(app.Options{Config: c, Env: env}); err != nil {
		t.Errorf("got %v, want a program", err)
	}
}

// TestNotes tells of targets that are not there, or not for long.
func TestNotes(t *testing.T) {
	c := parse(t, `providers:
  openai: {key: none}
  vllm: {}
  mine: {use: openai, base_url: http://127.0.0.1:1, key: none}
models:
  old: {lead: openai/o1, understudies: [openai/gpt-5.4]}
  soon: {lead: openai/gpt-5}
  later: {lead: openai/gpt-5.1}
  new: {lead: openai/gpt-77, understudies: [vllm/anything, mine/anything]}
  vectors: {lead: openai/text-embedding-3-small, understudies: [mine/text-embedding-3-small, openai/text-embedding-3-large, vllm/bge]}
`)
	got := app.Notes(c, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	want := []string{
		"model vectors: openai/text-embedding-3-large is not known to be the model that openai/text-embedding-3-small is, and is not asked for embeddings in its place; if it is the same, say so with same_as",
		"model vectors: vllm/bge is not known to be the model that openai/text-embedding-3-small is, and is not asked for embeddings in its place; if it is the same, say so with same_as",
		"model old: openai/o1 was to be taken away by OpenAI on 2026-10-23",
		"model soon: openai/gpt-5 will be taken away by OpenAI on 2026-12-11",
		"model new: openai/gpt-77 is not a model that is known of OpenAI; it is asked for all the same, and its window and price are unknown",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
