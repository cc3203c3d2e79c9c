package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/route"
)

// withRoutes changes every route of the world.
func withRoutes(change func(*route.Route)) worldOption {
	return func(_ *gateway.Options, w *world) { w.adjust = change }
}

// TestConditions: a target that is known not to take a request is skipped, and the log says why; a
// request that does not ask for it is none of its concern, whatever words are in its text (F21).
func TestConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()), withRoutes(func(r *route.Route) {
		lead := &r.Targets[0]
		lead.Lacks, lead.MaxInput = route.NeedTools|route.NeedImages|route.NeedSchema|route.NeedFiles, 2000
	}))
	const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
	image := map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + png}}
	schema := map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "a", "strict": true, "schema": map[string]any{
		"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}, "required": []string{"a"}, "additionalProperties": false,
	}}}
	for _, test := range []struct {
		name string
		body map[string]any
		want string // why the lead is skipped; empty if it answers
	}{
		{"plain", body("chat1>chat2", "Hello", false), ""},
		{"words", body("chat1>chat2", "Which tools draw an image of a file's schema?", false), ""},
		{"tools", body("chat1>chat2", "Hello", false, map[string]any{"tools": []any{weatherTool(chatAPI)}}), "no_tools"},
		{"image", body("chat1>chat2", "", false, map[string]any{"messages": []any{map[string]any{"role": "user", "content": []any{image}}}}), "no_image"},
		{"schema", body("chat1>chat2", "Hello", false, map[string]any{"response_format": schema}), "no_schema"},
		{"long", body("chat1>chat2", strings.Repeat("word ", 4000), false), "window"},
		{"alone", body("chat1", "Hello", false, map[string]any{"tools": []any{weatherTool(chatAPI)}}), ""},
	} {
		got := w.post(chatAPI, test.body, nil)
		want := "chat1/"
		if test.want != "" {
			want = "chat2/"
		}
		if got.status != 200 || !strings.HasPrefix(got.header.Get("X-Understudy-Target"), want) {
			t.Errorf("%s: got %v, want an answer from %s", test.name, got, want)
		}
		w.record()
		if test.want != "" && !strings.Contains(w.log.String(), "skipped=\"chat1/gpt-4o="+test.want+`"`) {
			t.Errorf("%s: got nothing in the log about the lead that was skipped for %s", test.name, test.want)
		}
	}
}

// TestThinkersFirst: who asks for thinking gets it of a model that is known not to think only where no other is well.
func TestThinkersFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()), withRoutes(func(r *route.Route) { r.Targets[0].Lacks = route.NeedThinking }))
	for _, test := range []struct {
		name    string
		member  map[string]any
		failing string
		want    string
	}{
		{"effort", map[string]any{"reasoning_effort": "low"}, "", "claude2/"},
		{"no effort", map[string]any{"reasoning_effort": "none"}, "", "claude1/"},
		{"words", nil, "", "claude1/"},
		{"effort, and who thinks fails", map[string]any{"reasoning_effort": "low"}, "claude2", "claude1/"},
	} {
		if test.failing != "" {
			w.fail(test.failing, "internal-500")
		}
		got := w.post(chatAPI, body("claude1>claude2", "How much effort is thinking?", false, test.member), nil)
		if got.status != 200 || !strings.HasPrefix(got.header.Get("X-Understudy-Target"), test.want) {
			t.Errorf("%s: got %v, want an answer from %s", test.name, got, test.want)
		}
		w.record()
		if test.want == "claude2/" && !strings.Contains(w.log.String(), `=no_thinking"`) {
			t.Errorf("%s: got nothing in the log about the lead that does not think", test.name)
		}
	}
}

// TestLargerWindow: where a prompt is too long for its target, one that is known to take longer ones is asked, and no
// other (B5, F21).
func TestLargerWindow(t *testing.T) {
	t.Parallel()
	var windows []int64 // of a route's targets
	w := newWorld(t, withTimeouts(patient()), withRoutes(func(r *route.Route) {
		for i := range r.Targets {
			r.Targets[i].MaxInput = windows[i]
		}
	}))
	for _, test := range []struct {
		windows []int64
		model   string
		header  map[string]string
		failing string // beside the lead
		want    string // who answers; empty if the lead's error is the client's
	}{
		{windows: []int64{2000, 4000}, model: "chat1>chat2", want: "chat2/"},
		{windows: []int64{2000, 4000}, model: "chat1>claude1", want: "claude1/"},
		{windows: []int64{2000, 1000, 0, 4000}, model: "chat1>claude1>claude2>chat2", want: "chat2/"},
		{windows: []int64{2000, 2000}, model: "chat1>chat2"},
		{windows: []int64{2000, 0}, model: "chat1>chat2"},
		{windows: []int64{0, 4000}, model: "chat1>chat2"},
		{windows: []int64{2000, 4000}, model: "chat1>chat2", failing: "chat2"},
		{windows: []int64{2000, 4000}, model: "chat1>chat2", header: map[string]string{gateway.HeaderFallback: "off"}},
	} {
		for _, stream := range []bool{false, true} {
			windows = test.windows
			for _, id := range []string{"chat1", test.failing} {
				if id != "" {
					w.fail(id, "context-400")
				}
			}
			got := w.post(chatAPI, body(test.model, "Hello", stream), test.header)
			rec := w.record()
			name := fmt.Sprintf("%s %v, failing %s, streamed %t", test.model, test.windows, test.failing, stream)
			most := 1
			if test.want != "" || test.failing != "" {
				most = 2
			}
			switch {
			case len(rec.Attempts) != most:
				t.Errorf("%s: got %d attempts, want %d", name, len(rec.Attempts), most)
			case test.want == "" && (got.status != 400 || !strings.Contains(string(got.body), "context_length_exceeded")):
				t.Errorf("%s: got %v, want the lead's error", name, got)
			case test.want != "" && (!got.whole() || !strings.HasPrefix(rec.Attempts[1].Target, test.want)):
				t.Errorf("%s: got %v of %+v, want it from %s", name, got, rec.Attempts, test.want)
			}
			w.mend("chat1")
			if test.failing != "" {
				w.mend(test.failing)
			}
		}
	}
}

// TestRequire: a request goes only where the tags that it requires are, and never elsewhere when those
// targets fail.
func TestRequire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()), withRoutes(func(r *route.Route) {
		r.Targets[len(r.Targets)-1].Provider.Tags = []string{"eu", "no-training"}
	}))
	for _, a := range apis {
		require := func(tags string) *answer {
			return w.post(a, body("chat1>claude1", "Hello", false), map[string]string{gateway.HeaderRequire: tags})
		}
		if got := require("eu, no-training"); !got.whole() || !strings.HasPrefix(got.header.Get("X-Understudy-Target"), "claude1/") {
			t.Errorf("%s: got %v, want the answer of the one that has the tags", a.name, got)
		}
		if got := require("eu,mars"); got.status != 400 || w.count("chat1") != 0 {
			t.Errorf("%s: got %v, want it refused", a.name, got)
		}
		w.fail("claude1", "unavailable-503")
		if got := require("eu"); got.status != 503 && got.status != 529 || w.count("chat1") != 0 {
			t.Errorf("%s: got %v after %d requests to the other, want the failure", a.name, got, w.count("chat1"))
		}
		w.mend("claude1")
	}
}

// TestSessions: a session stays with its target, whichever way it is named.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()), withHealth(route.NewHealth(route.HealthOptions{})), withRoutes(func(r *route.Route) {
		r.Order, r.Affinity = route.PolicyWeighted, time.Minute
		for i := range r.Targets {
			r.Targets[i].Weight = 1
		}
	}))
	turn := func(text string) map[string]any { return map[string]any{"role": "user", "content": text} }
	for name, ask := range map[string]func(session, call int) *answer{
		"header": func(session, call int) *answer {
			return w.post(chatAPI, body("chat1>chat2", fmt.Sprint("Call ", call), false), map[string]string{gateway.HeaderSession: fmt.Sprint("s", session)})
		},
		"user": func(session, call int) *answer {
			return w.post(chatAPI, body("chat1>chat2", fmt.Sprint("Call ", call), false, map[string]any{"user": fmt.Sprint("u", session)}), nil)
		},
		"prompt": func(session, call int) *answer {
			messages := []any{map[string]any{"role": "system", "content": "Be brief."}, turn(fmt.Sprint("I am ", session))}
			for i := range call {
				messages = append(messages, map[string]any{"role": "assistant", "content": "Yes."}, turn(fmt.Sprint("And ", i)))
			}
			return w.post(chatAPI, body("chat1>chat2", "", false, map[string]any{"messages": messages}), nil)
		},
	} {
		targets := map[string]int{}
		for session := range 12 {
			var first string
			for call := range 4 {
				got := ask(session, call).header.Get("X-Understudy-Target")
				if first == "" {
					first = got
					targets[got]++
				}
				if got != first {
					t.Errorf("%s: got session %d at %s after %s, want it to stay", name, session, got, first)
				}
			}
		}
		if len(targets) != 2 {
			t.Errorf("%s: got the sessions at %v, want them at both targets", name, targets)
		}
	}
}
