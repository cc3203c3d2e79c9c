package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestFiles keeps texts in memory and in a folder alike.
func TestFiles(t *testing.T) {
	for _, folder := range []string{"", t.TempDir()} {
		f := &files{folder: folder}
		if _, err := f.Read("drills/one.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("in %q: got error %v for nothing, want fs.ErrNotExist", folder, err)
		}
		if names, err := f.Names("drills/"); err != nil || len(names) != 0 {
			t.Errorf("in %q: got %v and error %v, want no names", folder, names, err)
		}
		for _, name := range []string{"drills/two.json", "drills/one.json", "other.json", "drills/one.json"} {
			if err := f.Write(name, []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := f.Read("drills/one.json"); err != nil || string(text) != "drills/one.json" {
			t.Errorf("in %q: got %q and error %v, want what was written", folder, text, err)
		}
		if names, err := f.Names("drills/"); err != nil || !slices.Equal(names, []string{"drills/one.json", "drills/two.json"}) {
			t.Errorf("in %q: got %v and error %v, want both, sorted", folder, names, err)
		}
		if err := f.Remove("drills/one.json"); err != nil {
			t.Error(err)
		}
		if names, _ := f.Names("drills/"); len(names) != 1 {
			t.Errorf("in %q: got %v, want one", folder, names)
		}
		if folder == "" {
			continue
		}
		for _, path := range []string{"other.json", "drills"} {
			info, err := os.Stat(filepath.Join(folder, path))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: got %v and error %v, want it readable by its owner alone", path, info.Mode(), err)
			}
		}
	}
}

// TestPlanLosses reads the tables as an attempt would: none where the provider speaks the client's dialect, but for
// what its facts take away.
func TestPlanLosses(t *testing.T) {
	openAI := route.Target{Model: "m", Provider: &provider.Provider{Facts: provider.Facts{Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat"}}}}
	edited := route.Target{Model: "m", Provider: &provider.Provider{Facts: provider.Facts{
		Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat"},
		Edits:    map[dialect.Name]provider.Edits{dialect.OpenAIChat: {Drop: []string{"logprobs"}}},
	}}}
	claude := route.Target{Model: "m", Provider: &provider.Provider{Facts: provider.Facts{Dialects: map[dialect.Name]string{dialect.AnthropicMessages: "/messages"}}}}
	names := func(from dialect.Name, at route.Target) (found []string) {
		lost, can := losses(from, at)
		if !can {
			return []string{"cannot"}
		}
		for _, l := range lost {
			found = append(found, l.Name())
		}
		return found
	}
	if got := names(dialect.OpenAIChat, openAI); len(got) != 0 {
		t.Errorf("got %v lost in a relay, want nothing", got)
	}
	if got := names(dialect.OpenAIChat, edited); !slices.Equal(got, []string{"logprobs"}) {
		t.Errorf("got %v lost by an edit, want logprobs", got)
	}
	got := names(dialect.OpenAIChat, claude)
	for _, feature := range []string{"seed", "logit_bias", "tools[].custom"} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(name string) bool { return name != feature })); n != 1 {
			t.Errorf("got %v lost in translation, want %s among them, once", got, feature)
		}
	}
	for _, feature := range []string{"stop", "dimensions", "document_fields", "top_k"} { // it is not lost, or no such request has it
		if slices.Contains(got, feature) {
			t.Errorf("got %v lost in translation, want no %s", got, feature)
		}
	}
	for _, from := range []dialect.Name{dialect.OpenAIEmbeddings, "smoke-signals"} {
		if got := names(from, claude); !slices.Equal(got, []string{"cannot"}) {
			t.Errorf("%s: got %v, want that it cannot be asked", from, got)
		}
	}
}
