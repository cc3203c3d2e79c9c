package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sdk is a vendor's SDK, made to play the scenarios in which every vendor serves it.
type sdk struct {
	own    string // its own vendor
	begin  func(s stage, model string, o offer) talk
	status func(error) int // of an error in the SDK's own type for it; 0 for any other
}

// offer is what a model is given with every request of a conversation.
type offer struct {
	System string
	Tools  bool // weather and now
	Limit  int  // of tokens, 0 for none
}

// talk is a conversation in an SDK's own words. It keeps the history as an application would.
type talk interface {
	say(text string, image []byte)
	ask(ctx context.Context) (said, error)
	stream(ctx context.Context) (said, error)
	result(results []result)
}

// said is an answer. Why it stopped is end, tools or limit; any other reason stands as it is.
type said struct {
	Text   string
	Calls  []call
	Stop   string
	Tokens int64
}

// call is a call of a tool, result what came of it.
type call struct{ ID, Name, Arguments string }

type result struct {
	call
	Text string
}

const (
	stopEnd   = "end"
	stopTools = "tools"
	stopLimit = "limit"
)

// errCut is of a stream that says in its last event that it was cut short.
var errCut = errors.New("the stream says that the answer was cut short")

var ways = map[string]func(talk, context.Context) (said, error){"unary": talk.ask, "stream": talk.stream}

// playEvery plays the scenarios with every vendor. Each SDK has a stage of its own.
func playEvery(t *testing.T, k sdk) {
	t.Parallel()
	s, end, err := startStage()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	for _, model := range scenarios.Every {
		for way, ask := range ways {
			run := func(name string, play func(*testing.T, stage, played)) {
				t.Run(name+"/"+model+"/"+way, func(t *testing.T) {
					s.call(t, "/reset", map[string]any{}, nil)
					play(t, s, played{k, model, ask})
				})
			}
			run("text", playText)
			run("tools", playTools)
			run("limit", playLimit)
			if !slices.Contains(scenarios.Blind, model) {
				run("image", playImage)
			}
			for kind, status := range map[string]int{"invalid-400": 400, "rate-429-none": 429, "internal-500": 500} {
				run("errors/"+kind, func(t *testing.T, s stage, p played) { playError(t, s, p, kind, status) })
			}
			if way == "stream" {
				run("broken", playBroken)
			}
		}
	}
	for way, ask := range ways {
		for _, kind := range []string{"overloaded-529", "html-200"} {
			t.Run("failover/"+kind+"/"+way, func(t *testing.T) {
				s.call(t, "/reset", map[string]any{}, nil)
				playFailover(t, s, played{k, k.own + "-first", ask}, kind)
			})
		}
		t.Run("no such model/"+way, func(t *testing.T) {
			_, err := played{k, "no-such-model", ask}.answer(t, s, offer{}, "Hello")
			if got := k.status(err); got != 404 {
				t.Errorf("got status %d of %v want 404", got, err)
			}
		})
	}
}

// played is an SDK, the model it asks and the way it does so.
type played struct {
	sdk
	model string
	ask   func(talk, context.Context) (said, error)
}

func (p played) answer(t *testing.T, s stage, o offer, text string) (said, error) {
	t.Helper()
	c := p.begin(s, p.model, o)
	c.say(text, nil)
	return p.ask(c, t.Context())
}

func wantSaid(t *testing.T, got said, err error, text, stop string) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v want an answer", err)
	}
	wantText(t, strings.TrimSpace(got.Text)+"|"+got.Stop, text+"|"+stop)
	if got.Tokens <= 0 {
		t.Errorf("got %d tokens want some", got.Tokens)
	}
}

func playText(t *testing.T, s stage, p played) {
	answer, err := p.answer(t, s, offer{System: "Be brief."}, "Guten Tag, Łódź ☀")
	wantSaid(t, answer, err, "You said: Guten Tag, Łódź ☀", stopEnd)
}

func playTools(t *testing.T, s stage, p played) {
	s.replies(t, vendorOf(p.model), scenarios.Tools.Turns...)
	c := p.begin(s, p.model, offer{Tools: true})
	c.say("Weather and time?", nil)
	var calls []string
	var last said
	for turn := 1; turn <= 3; turn++ {
		answer, err := p.ask(c, t.Context())
		if err != nil {
			t.Fatalf("turn %d: got error %v want an answer", turn, err)
		}
		if want := map[bool]string{true: stopTools, false: stopEnd}[turn < 3]; answer.Stop != want {
			t.Errorf("turn %d: got stop %q want %q", turn, answer.Stop, want)
		}
		var results []result
		for _, called := range answer.Calls {
			results = append(results, result{called, runTool(t, called.Name, called.Arguments)})
			calls = append(calls, fmt.Sprintf("%d %s: %s", turn, called.Name, results[len(results)-1].Text))
		}
		if len(results) > 0 {
			c.result(results)
		}
		last = answer
	}
	wantText(t, strings.Join(calls, "\n"), toolCalls)
	for _, want := range []string{"The tools said: ", `rain in Łódź`, "rain in Bern"} {
		if !strings.Contains(last.Text, want) {
			t.Errorf("got %q want %q in it", last.Text, want)
		}
	}
}

func playLimit(t *testing.T, s stage, p played) {
	const limit = 16 // the least that the Responses API takes
	answer, err := p.answer(t, s, offer{Limit: limit}, strings.Repeat("one ", 2*limit))
	wantSaid(t, answer, err, "You said:"+strings.Repeat(" one", limit-2), stopLimit)
}

func playImage(t *testing.T, s stage, p played) {
	c := p.begin(s, p.model, offer{})
	c.say("Look.", pixel)
	answer, err := p.ask(c, t.Context())
	wantSaid(t, answer, err, fmt.Sprintf("I see image/png of %d bytes. You said: Look.", len(pixel)), stopEnd)
}

func playError(t *testing.T, s stage, p played, kind string, status int) {
	s.fault(t, vendorOf(p.model), kind)
	_, err := p.answer(t, s, offer{}, "Hello")
	if got := p.status(err); got != status {
		t.Errorf("got status %d of %v want %d", got, err, status)
	}
}

// A failure after content is an error, never a clean end.
func playBroken(t *testing.T, s stage, p played) {
	s.fault(t, vendorOf(p.model), "reset-stream")
	answer, err := p.answer(t, s, offer{}, "a b c d e f")
	if err == nil {
		t.Errorf("got a clean end after %+v want an error", answer)
	}
}

func playFailover(t *testing.T, s stage, p played, kind string) {
	s.fault(t, p.own, kind)
	answer, err := p.answer(t, s, offer{}, "Hello")
	wantSaid(t, answer, err, "You said: Hello", stopEnd)
	understudy := map[bool]string{true: "anthropic", false: "openai"}[p.own == "openai"]
	if lead, other := len(s.journal(t, p.own)), len(s.journal(t, understudy)); lead != 1 || other != 1 {
		t.Errorf("got %d requests to the lead and %d to the understudy want 1 and 1", lead, other)
	}
}

// toolSchemas are the parameters of the tools that are offered, by name.
func toolSchemas() map[string]map[string]any {
	return map[string]map[string]any{
		"weather": {"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}},
		"now":     {"type": "object", "properties": map[string]any{}},
	}
}

// stopOf translates why an answer stopped.
func stopOf(reason string, words map[string]string) string {
	if known, ok := words[reason]; ok {
		return known
	}
	return reason
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
