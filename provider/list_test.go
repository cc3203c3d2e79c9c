package provider

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

const acmeList = `source: models.dev
date: 2026-08-20
vendor: acme-ai
omit: [acme-guard-*] # these answer with labels
free: ["*:free"]
by_hand:
  - {id: acme-large, no_sampling: false, prefill: true, price: {cache_write_1h: 1}} # tried
  - {id: acme-secret, context: 1000}
models:
  - id: acme-large
    context: 131072
    price: {input: 0.5, output: 1.5}
    no_sampling: true
    tools: true
`

// TestListAll lays what is kept by hand over the catalog: only what it says, and a
// false counts as said.
func TestListAll(t *testing.T) {
	l, err := ParseList([]byte(acmeList), "models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	want := []Model{
		{ID: "acme-large", Window: 131072, Price: &Price{Input: 0.5, Output: 1.5, CacheWrite1h: 1}, Prefill: true, Tools: &yes},
		{ID: "acme-secret", Window: 1000},
	}
	if got := l.All(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := l.Models[0]; !got.NoSampling || got.Price.CacheWrite1h != 0 {
		t.Errorf("models: got %+v, want them as in the file", got)
	}
}

func TestParseListProblems(t *testing.T) {
	for _, tc := range []struct{ old, new, want string }{
		{"source: models.dev\n", "", "m.yaml:1: source: got none"},
		{"2026-08-20", "20.8.2026", "m.yaml:2: date:"},
		{"omit: [", `omit: ["", `, "m.yaml:4: omit.0: got nothing"},
		{"vendor:", "vendr:", `m.yaml:3: unknown field "vendr" (did you mean "vendor"?)`},
		{"context: 1000", "context: -1", "m.yaml:8: by_hand.1.context: got -1"},
		{"prefill: true", "max_output: 200000", "m.yaml:7: by_hand.0.max_output: got 200000"},
		{"id: acme-secret", "id: acme-large", `m.yaml:8: by_hand.1.id: got "acme-large" again`},
		{"context: 131072", "context: 131072\n    max_input: 131073", "m.yaml:12: models.0.max_input: got 131073"},
		{"tools: true", "status: old", `m.yaml:14: models.0.status: got "old"`},
		{"tools: true", "retires: soon", "m.yaml:14: models.0.retires:"},
		{"tools: true", "modalities: {input: [smell]}", `models.0.modalities.input: got "smell"`},
		{"output: 1.5}", "output: 1.5, tiers: [{above: 9}, {above: 9}]}", "models.0.price.tiers.1.above: got 9, want a number of tokens above 9"},
		{"output: 1.5}", "output: 1.5, tiers: [{above: 9, input: -1}]}", "models.0.price: got -1"},
	} {
		text := strings.Replace(acmeList, tc.old, tc.new, 1)
		if text == acmeList {
			t.Fatalf("%q: not in the file", tc.old)
		}
		if _, err := ParseList([]byte(text), "m.yaml"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got error %v, want %q", tc.new, err, tc.want)
		}
	}
}

// dump is a catalog of one vendor, as a list; dumpByVendor is the same as models.dev
// gives it away.
const (
	dump = `[` + dumpLarge + `,
{"vendor":"acme-ai","id":"acme-guard-1","limit":{"context":512,"output":1},"modalities":{"input":["text"],"output":["text"]}},
{"vendor":"acme-ai","id":"acme-vectors","limit":{"context":8000,"output":1024},"cost":{"input":0.1,"output":0},"modalities":{"input":["text"],"output":["text"]}},
{"vendor":"acme-ai","id":"acme-paint","limit":{"context":8000,"output":0},"modalities":{"input":["text"],"output":["image"]}},
{"vendor":"acme-ai","id":"~acme/7b:free","same_as":"meta/llama","status":"alpha","release_date":"2025-04","reasoning":true,"reasoning_options":[],
 "limit":{"context":8000,"output":9000},"cost":{"input":0,"output":0},"modalities":{"input":["text"],"output":["text","smell"]}},
{"vendor":"other","id":"x","limit":{"context":1,"output":1},"modalities":{"input":["text"],"output":["text"]}}]`
	dumpLarge = `{"vendor":"acme-ai","id":"acme-large","status":"deprecated","release_date":"2026-08-01","tool_call":false,"structured_output":true,
 "temperature":false,"reasoning":true,"reasoning_options":[{"type":"toggle"},{"type":"effort","values":["low"]}],
 "limit":{"context":262144,"input":200000,"output":32000},"modalities":{"input":["text","image"],"output":["text"]},
 "cost":{"input":0.5,"output":2,"cache_read":0.05,"reasoning":3,"input_audio":4,"tiers":[{"tier":{"size":100000},"input":1,"output":4}]}}`
	dumpByVendor = `{"acme-ai":{"id":"acme-ai","models":{"acme-large":` + dumpLarge + `}}}`

	renewedItems = `models:
  - id: acme-large
    same_as: acme-ai/acme-large
    context: 262144
    max_input: 200000
    max_output: 32000
    modalities: {input: [text, image], output: [text]}
    price: {input: 0.5, output: 2, cache_read: 0.05, reasoning: 3, audio_input: 4, tiers: [{above: 100000, input: 1, output: 4}]}
    released: 2026-08-01
    status: deprecated
    tools: false
    structured: true
    no_sampling: true
    thinking: effort
    efforts: [none, low]
`
	freeItem = `  - id: "~acme/7b:free"
    same_as: meta/llama
    context: 8000
    modalities: {input: [text], output: [text]}
    price: {input: 0, output: 0}
    released: 2025-04
    status: beta
    thinking: always
`
)

// TestRenew writes a file anew from a dump: what stands above the models stays, to
// the byte, and doing it again changes nothing.
func TestRenew(t *testing.T) {
	head, _, _ := strings.Cut(acmeList, "models:\n")
	want := strings.Replace(head, "2026-08-20", "2026-09-01", 1) + renewedItems + freeItem
	text := []byte(acmeList)
	for range 2 {
		list, err := ParseList(text, "models.yaml")
		if err != nil {
			t.Fatal(err)
		}
		d, err := ReadDump(strings.NewReader(dump))
		if err != nil {
			t.Fatal(err)
		}
		models := d.Models("acme", list)
		if text, err = Renew(text, models, "2026-09-01"); err != nil || string(text) != want {
			t.Fatalf("got %v and\n%s\nwant\n%s", err, text, want)
		}
		if again, err := ParseList(text, "models.yaml"); err != nil || !reflect.DeepEqual(again.Models, models) {
			t.Errorf("got %+v, %v, want what was written: %+v", again.Models, err, models)
		}
	}
	for _, text := range []string{"source: x\n", "date: 2026-01-01\nmodels: []\nomit: [x]\n"} {
		if got, err := Renew([]byte(text), nil, "2026-09-01"); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

// TestOverlay prints for a config what a dump knows better, and only that.
func TestOverlay(t *testing.T) {
	list, err := ParseList([]byte(acmeList), "models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ReadDump(strings.NewReader(dumpByVendor))
	if err != nil {
		t.Fatal(err)
	}
	before := list.All()
	list.Models = d.Models("acme", list)
	now := list.All()
	if got, want := Compare(before, now), (Change{Added: []string{}, Changed: []string{"acme-large"}, Gone: []string{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Compare(now, nil); !slices.Equal(got.Gone, []string{"acme-large", "acme-secret"}) || got.IsZero() || !Compare(now, now).IsZero() {
		t.Errorf("got %+v, want all gone", got)
	}
	const want = `  mine:
    models:
      - id: acme-large
        same_as: acme-ai/acme-large
        context: 262144
        max_input: 200000
        max_output: 32000
        modalities: {input: [text, image], output: [text]}
        price: {input: 0.5, output: 2, cache_read: 0.05, cache_write_1h: 1, reasoning: 3, audio_input: 4, tiers: [{above: 100000, input: 1, output: 4}]}
        released: 2026-08-01
        status: deprecated
        tools: false
        structured: true
        thinking: effort
        efforts: [none, low]
`
	if got := string(Overlay("mine", before, now)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Overlay("mine", now, now); got != nil {
		t.Errorf("nothing new: got %q, want nothing", got)
	}
}

func TestReadDumpProblems(t *testing.T) {
	for _, text := range []string{"", "[]", "{}", "null", "7", `[{"id":"x"}]`, `{"a":{"models":{"x":{}}}}`, `{"a":7}`, "[{"} {
		if _, err := ReadDump(strings.NewReader(text)); err == nil {
			t.Errorf("%q: got no error, want one", text)
		}
	}
}

// TestScalar holds text that YAML would take for something else.
func TestScalar(t *testing.T) {
	for text, want := range map[string]string{
		"gpt-5": "gpt-5", "a/b:free": "a/b:free", "2025-08-07": "2025-08-07", "accounts/fireworks/models/x": "accounts/fireworks/models/x",
		"~a": `"~a"`, "@cf/x": `"@cf/x"`, "1.5": `"1.5"`, "no": `"no"`, "Null": `"Null"`, "a:": `"a:"`, "a b": `"a b"`, "-x": `"-x"`, "": `""`, "7b": `"7b"`,
	} {
		if got := scalar(text); got != want {
			t.Errorf("scalar(%q): got %s, want %s", text, got, want)
		}
	}
}

// TestModelsAreCurrent imports the whole dump again, where it is: the files are what
// comes of it.
func TestModelsAreCurrent(t *testing.T) {
	f, err := os.Open("../../shared/catalog/models.json")
	if err != nil {
		t.Skip("no dump to compare with: " + err.Error())
	}
	defer f.Close()
	d, err := ReadDump(f)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*/models.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want files", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list, err := ParseList(text, file)
		if err != nil {
			t.Fatal(err)
		}
		if list.Source != "models.dev" || list.Date != "2026-07-02" {
			t.Logf("%s: made of %s of %s, not of this dump", file, list.Source, list.Date)
			continue
		}
		got, err := Renew(text, d.Models(filepath.Dir(file), list), list.Date)
		if err != nil || string(got) != string(text) {
			t.Errorf("%s: got %v and another file, want what the dump makes of it; run understudy catalog import", file, err)
		}
	}
}

// TestKnownModels holds the shipped files to what ParseList checks, and what is read of them at every start to what
// is in them.
func TestKnownModels(t *testing.T) {
	for _, id := range Known().IDs() {
		known, ok := KnownModels(id)
		if !ok {
			continue
		}
		text, err := files.ReadFile(id + "/models.yaml")
		if err != nil {
			t.Fatal(err)
		}
		list, err := ParseList(text, id+"/models.yaml")
		if err != nil {
			t.Error(err)
		}
		if got, want := known.All(), list.All(); len(got) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
}

// TestThinking tells each way in which the catalog describes reasoning.
func TestThinking(t *testing.T) {
	yes, no := true, false
	for _, tc := range []struct {
		e    entry
		want llm.ThinkingControl
	}{
		{entry{}, llm.ThinkingUnknown},
		{entry{Reasoning: &no}, llm.ThinkingNone},
		{entry{Reasoning: &yes}, llm.ThinkingUnknown},
		{entry{Reasoning: &yes, Controls: []kinds{}}, llm.ThinkingAlways},
		{entry{Reasoning: &yes, Controls: []kinds{{Type: "toggle"}}}, llm.ThinkingToggle},
		{entry{Reasoning: &yes, Controls: []kinds{{Type: "toggle"}, {Type: "budget_tokens"}}}, llm.ThinkingBudget},
		{entry{Reasoning: &yes, Controls: []kinds{{Type: "budget_tokens"}, {Type: "effort"}}}, llm.ThinkingEffort},
	} {
		if got := tc.e.thinking(); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.e, got, tc.want)
		}
	}
}

// TestSameModelSameFacts holds what is true of a model wherever it runs to being said
// alike of it in the clouds.
func TestSameModelSameFacts(t *testing.T) {
	known := Known()
	maker := &Provider{Facts: factsOf(t, known, "anthropic")}
	compared := 0
	for _, cloud := range []string{"bedrock", "vertex"} {
		for _, m := range factsOf(t, known, cloud).Models {
			name, isMakers := strings.CutPrefix(m.SameAs, "anthropic/")
			same, ok := maker.Model(name)
			if !isMakers || !ok {
				continue
			}
			compared++
			if got := m.Facts(); got.Prefill != same.Prefill || got.Thinking != same.Thinking || got.NoSampling != same.NoSampling {
				t.Errorf("%s/%s: got %+v, want what is true of %s: %+v", cloud, m.ID, got, m.SameAs, same.Facts())
			}
		}
	}
	if compared < 20 {
		t.Errorf("got %d models to compare, want more", compared)
	}
}

// TestByHandIsUsed finds what is kept by hand and applies to nothing any more.
func TestByHandIsUsed(t *testing.T) {
	for _, id := range Known().IDs() {
		l, ok := KnownModels(id)
		if !ok {
			continue
		}
		all := l.All()
		for _, hand := range l.ByHand {
			if !slices.ContainsFunc(all, func(m Model) bool { return matches(hand.ID, m.ID) }) {
				t.Errorf("%s: got no model that %q fits, want one", id, hand.ID)
			}
		}
	}
}
