package dialecttest

import (
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

func TestScenariosUseEveryFeature(t *testing.T) {
	used, names := map[llm.Feature]bool{}, map[string]bool{}
	for _, s := range slices.Concat(Scenarios(), operationScenarios()) {
		name := string(s.operation()) + " " + s.Name
		if names[name] {
			t.Errorf("scenario %s: got it twice", name)
		}
		names[name] = true
		if s.Request != nil {
			for _, f := range llm.Used(s.Request) {
				used[f] = true
			}
		}
	}
	for _, info := range llm.Features() {
		if !used[info.Feature] && info.Feature != llm.FeatureCommon {
			t.Errorf("%s: got no scenario that uses it", info.Feature)
		}
	}
}

func TestEventsAreLegalAndCollect(t *testing.T) {
	for _, s := range Scenarios() {
		if s.Response == nil {
			continue
		}
		events := Events(s.Response)
		if err := CheckEvents(events); err != nil {
			t.Errorf("%s: got %v", s.Name, err)
		}
		equal(t, s.Name, comparableResponse(llm.Collect(events)), comparableResponse(s.Response))
		if mixed, ok := interleave(events); ok {
			if err := CheckEvents(mixed); err != nil {
				t.Errorf("%s, interleaved: got %v", s.Name, err)
			}
			equal(t, s.Name+", interleaved", comparableResponse(llm.Collect(mixed)), comparableResponse(s.Response))
		}
	}
}

func TestCheckEventsRefuses(t *testing.T) {
	start := llm.Event{Kind: llm.EventStart}
	text := llm.Event{Kind: llm.EventPartStart, Part: llm.Text("")}
	delta := llm.Event{Kind: llm.EventPartDelta, Delta: llm.Delta{Text: "x"}}
	finish, end := llm.Event{Kind: llm.EventFinish}, llm.Event{Kind: llm.EventEnd}
	second := llm.Event{Kind: llm.EventPartStart, Index: 2}
	for name, events := range map[string][]llm.Event{
		"nothing":             nil,
		"no start":            {finish, end},
		"two starts":          {start, start, finish, end},
		"no finish":           {start, end},
		"no end":              {start, finish},
		"two finishes":        {start, finish, finish, end},
		"after the end":       {start, finish, end, finish},
		"delta without start": {start, delta, finish, end},
		"part left open":      {start, text, delta, finish, end},
		"part after finish":   {start, finish, text, end},
		"index skipped":       {start, second, finish, end},
		"part twice":          {start, text, text, finish, end},
		"end of no part":      {start, {Kind: llm.EventPartEnd}, finish, end},
		"unknown kind":        {start, {Kind: 99}, finish, end},
	} {
		if err := CheckEvents(events); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
