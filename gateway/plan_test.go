package gateway

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

func TestPlanFor(t *testing.T) {
	t.Parallel()
	chat, messages := &dialect.Dialect{Name: dialect.OpenAIChat}, &dialect.Dialect{Name: dialect.AnthropicMessages}
	all := []*dialect.Dialect{chat, messages}
	edits := map[dialect.Name]provider.Edits{dialect.OpenAIChat: {Drop: []string{"logprobs"}}}
	const chatPath, messagesPath = "/chat", "/messages"
	for _, test := range []struct {
		name     string
		client   *dialect.Dialect
		dialects map[dialect.Name]string
		edits    map[dialect.Name]provider.Edits
		mode     Mode
		url      string
	}{
		{"same dialect", chat, map[dialect.Name]string{dialect.OpenAIChat: chatPath}, nil, ModeRelay, "http://v/chat"},
		{"same dialect, with edits", chat, map[dialect.Name]string{dialect.OpenAIChat: chatPath}, edits, ModeEdit, "http://v/chat"},
		{"edits of the other dialect", messages, map[dialect.Name]string{dialect.OpenAIChat: chatPath, dialect.AnthropicMessages: messagesPath}, edits, ModeRelay, "http://v/messages"},
		{"other dialect", messages, map[dialect.Name]string{dialect.OpenAIChat: chatPath}, nil, ModeTranslate, "http://v/chat"},
		{"other dialect, with edits", messages, map[dialect.Name]string{dialect.OpenAIChat: chatPath}, edits, ModeTranslate, "http://v/chat"},
		{"both", chat, map[dialect.Name]string{dialect.OpenAIChat: chatPath, dialect.AnthropicMessages: messagesPath}, nil, ModeRelay, "http://v/chat"},
		{"other dialect, of two the preferred", &dialect.Dialect{Name: dialect.CohereChat}, map[dialect.Name]string{dialect.OpenAIChat: chatPath, dialect.AnthropicMessages: messagesPath}, nil, ModeTranslate, "http://v/messages"},
		{"none", chat, map[dialect.Name]string{"morse": "/"}, nil, "", ""},
	} {
		p := &provider.Provider{ID: "v", Facts: provider.Facts{BaseURL: "http://v", Prefer: dialect.AnthropicMessages, Dialects: test.dialects, Edits: test.edits}}
		got, ok := planFor(test.client, false, route.Target{Provider: p}, all)
		if ok != (test.mode != "") || got.mode != test.mode || got.url != test.url {
			t.Errorf("%s: got %s at %q (%v), want %s at %q", test.name, got.mode, got.url, ok, test.mode, test.url)
		}
		if speaks := got.dialect; ok && test.edits != nil && (speaks.Name == dialect.OpenAIChat) == got.edits.IsZero() {
			t.Errorf("%s: got edits %+v for %s, want those of the dialect that is spoken", test.name, got.edits, speaks.Name)
		}
	}
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, header, value string
		loss                llm.LossPolicy // the route's
		policy              llm.LossPolicy
		targets             int
		total               time.Duration
		refused             bool
	}{
		{"nothing", "", "", llm.LossReport, llm.LossReport, 2, time.Minute, false},
		{"stricter", HeaderLoss, "strict", llm.LossReport, llm.LossStrict, 2, time.Minute, false},
		{"never wider", HeaderLoss, "lenient", llm.LossReport, llm.LossReport, 2, time.Minute, false},
		{"no policy", HeaderLoss, "none", llm.LossReport, "", 0, 0, true},
		{"no fallback", HeaderFallback, "off", llm.LossReport, llm.LossReport, 1, time.Minute, false},
		{"fallback as it is", HeaderFallback, "on", llm.LossReport, llm.LossReport, 2, time.Minute, false},
		{"no word for fallback", HeaderFallback, "maybe", llm.LossReport, "", 0, 0, true},
		{"less time", HeaderTimeout, "10s", llm.LossReport, llm.LossReport, 2, 10 * time.Second, false},
		{"never more time", HeaderTimeout, "10h", llm.LossReport, llm.LossReport, 2, time.Minute, false},
		{"no unit", HeaderTimeout, "10", llm.LossReport, "", 0, 0, true},
		{"no time", HeaderTimeout, "0s", llm.LossReport, "", 0, 0, true},
		{"less than none", HeaderTimeout, "-1s", llm.LossReport, "", 0, 0, true},
	} {
		targets := []route.Target{testTarget("a"), testTarget("b")}
		c := &call{policy: test.loss, route: route.Route{Targets: targets, Timeouts: route.Timeouts{Total: time.Minute}}}
		h := http.Header{}
		if test.header != "" {
			h.Set(test.header, test.value)
		}
		err := c.narrow(h)
		if test.refused {
			if err == nil || err.Code != llm.CodeInvalidRequest || err.Param != test.header {
				t.Errorf("%s: got %v, want a refusal that names the header", test.name, err)
			}
			continue
		}
		if err != nil || c.policy != test.policy || len(c.route.Targets) != test.targets || c.route.Timeouts.Total != test.total {
			t.Errorf("%s: got %v, policy %s, %d targets, %v; want %s, %d, %v", test.name, err, c.policy, len(c.route.Targets), c.route.Timeouts.Total, test.policy, test.targets, test.total)
		}
		if c.onlyOnce != (test.targets == 1) {
			t.Errorf("%s: got only once %v with %d targets", test.name, c.onlyOnce, test.targets)
		}
	}
}

// TestWatchdog plays what happens in an attempt and notes when, if ever, and why it
// is ended (F07).
func TestWatchdog(t *testing.T) {
	t.Parallel()
	const first, stall = 10 * time.Second, 3 * time.Second
	targets := []route.Target{testTarget("a"), testTarget("b")}
	times := route.Timeouts{FirstToken: first, Stall: stall, Total: time.Minute}
	for _, test := range []struct {
		name   string
		stream bool
		play   func(*watchdog)
		after  time.Duration // 0: it is not ended
		phase  string
	}{
		{"nothing comes", true, func(*watchdog) {}, first, phaseFirst},
		{"no answer in its share of the time", false, func(*watchdog) {}, 30 * time.Second, phaseAnswer},
		{"stops in time", true, func(w *watchdog) { time.Sleep(first - 1); w.stop() }, 0, ""},
		{"stalls", true, func(w *watchdog) { time.Sleep(time.Second); w.begun(stall, pace{}) }, time.Second + stall, phaseStall},
		{"goes on, then stalls", true, func(w *watchdog) {
			w.begun(stall, pace{})
			for range 5 {
				time.Sleep(2 * time.Second)
				w.hold(time.Now(), 1, true)
				w.resume()
			}
		}, 10*time.Second + stall, phaseStall},
		{"the client does not read for long", true, func(w *watchdog) {
			w.begun(stall, pace{})
			w.hold(time.Now(), 0, false)
			time.Sleep(time.Minute)
			w.resume()
			time.Sleep(stall - 1)
			w.stop()
		}, 0, ""},
		{"the vendor stalls after the client did not read", true, func(w *watchdog) {
			w.begun(stall, pace{})
			time.Sleep(time.Second)
			w.hold(time.Now(), 0, false)
			time.Sleep(time.Second)
			w.resume()
		}, time.Second + stall, phaseStall},
		{"keeps pace, then does not", true, func(w *watchdog) {
			w.begun(stall, pace{tokens: 10, window: 5 * time.Second})
			for range 20 {
				time.Sleep(time.Second)
				w.hold(time.Now(), 3, true)
				w.resume()
			}
			for range 10 {
				time.Sleep(time.Second)
				w.hold(time.Now(), 1, true)
				w.resume()
			}
		}, 25 * time.Second, phasePace},
		{"trickles", true, func(w *watchdog) {
			w.begun(stall, pace{tokens: 10, window: 5 * time.Second})
			for range 5 {
				w.hold(time.Now(), 1, true)
				w.resume()
				time.Sleep(time.Second)
			}
		}, 5 * time.Second, phasePace},
		{"looked at while it waits for the client", true, func(w *watchdog) {
			w.begun(time.Hour, pace{tokens: 10, window: 5 * time.Second})
			time.Sleep(4 * time.Second)
			w.hold(time.Now(), 0, false)
			time.Sleep(2 * time.Second)
			w.resume()
		}, 10 * time.Second, phasePace},
		{"keeps pace but for the client", true, func(w *watchdog) {
			w.begun(stall, pace{tokens: 10, window: 5 * time.Second})
			w.hold(time.Now(), 0, false)
			time.Sleep(time.Minute)
			w.resume()
			w.hold(time.Now(), 10, true)
			w.resume()
			time.Sleep(2 * time.Second)
			w.stop()
		}, 0, ""},
		{"ends once", true, func(w *watchdog) { time.Sleep(first + 1); w.begun(stall, pace{}) }, first, phaseFirst},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				c := &call{route: route.Route{Timeouts: times, Targets: targets}, deadline: time.Now().Add(times.Total)}
				c.peeked.Stream = test.stream
				begun := time.Now()
				var ended time.Duration
				context.AfterFunc(ctx, func() { ended = time.Since(begun) })
				w := c.watch(&attempt{target: targets[0], lifetime: &lifetime{}}, cancel)
				test.play(w)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				var late *lateError
				switch errors.As(context.Cause(ctx), &late); {
				case ended != test.after:
					t.Errorf("got the end after %v (%v), want it after %v", ended, context.Cause(ctx), test.after)
				case late != nil && late.phase != test.phase:
					t.Errorf("got phase %q, want %q", late.phase, test.phase)
				}
				w.stop()
				cancel(nil)
				synctest.Wait()
			})
		})
	}
}

// TestTimeForTheNext: no limit of an attempt outlasts its call where another target could still be asked; and what a
// client's hurry cuts short is not its vendor's fault.
func TestTimeForTheNext(t *testing.T) {
	t.Parallel()
	times := route.Timeouts{FirstToken: time.Minute, Answer: time.Minute, Stall: 30 * time.Second, Total: 10 * time.Minute}
	own := times
	own.Answer = 0
	targets := []route.Target{{Model: "lead"}, {Model: "understudy"}}
	for _, test := range []struct {
		name   string
		times  route.Timeouts
		total  time.Duration // the client's
		stream bool
		at     int // which target is asked
		limit  time.Duration
		cause  route.Cause
	}{
		{"stream with time enough", times, 61 * time.Second, true, 0, time.Minute, route.CausePlain},
		{"stream in a hurry", times, time.Minute, true, 0, 30 * time.Second, route.CauseHurried},
		{"stream at the last target", times, 10 * time.Second, true, 1, time.Minute, route.CausePlain},
		{"answer in a hurry", times, 10 * time.Second, false, 0, 5 * time.Second, route.CauseHurried},
		{"answer in a hurry, with a share", own, 10 * time.Second, false, 0, 5 * time.Second, route.CauseHurried},
		{"answer in a hurry at the last target", own, 10 * time.Second, false, 1, 10 * time.Second, route.CauseHurried},
		{"answer with a share", own, time.Hour, false, 0, 5 * time.Minute, route.CausePlain},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &call{route: route.Route{Timeouts: test.times, Targets: targets}}
				if err := c.narrow(http.Header{HeaderTimeout: {test.total.String()}}); err != nil {
					t.Fatal(err)
				}
				c.deadline = time.Now().Add(c.route.Timeouts.Total)
				c.peeked.Stream = test.stream
				var late *lateError
				w := c.watch(&attempt{target: targets[test.at], lifetime: &lifetime{}}, func(err error) { errors.As(err, &late) })
				time.Sleep(time.Hour)
				w.stop()
				if late == nil {
					t.Fatal("got no end of the attempt")
				}
				if late.limit != test.limit || late.cause() != test.cause {
					t.Errorf("got a limit of %v and cause %v, want %v and %v", late.limit, late.cause(), test.limit, test.cause)
				}
			})
		})
	}
}
