package gateway_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestFaults holds the gateway against every fault that the simulated vendor can
// do: both client dialects, whole and streamed, by a lead of the same dialect with
// an understudy of the other and the reverse. Most of its time is waiting, so it does many at
// once.
func TestFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 32)
	var wg sync.WaitGroup
	faults := fakeprovider.Faults()
	slices.SortStableFunc(faults, func(a, b fakeprovider.Info) int { return waits(b) - waits(a) })
	for _, f := range faults {
		if f.ServerWide {
			wg.Wait() // it gives its port back, which another vendor must not take meanwhile
		}
		for _, a := range apis {
			for _, lead := range []string{a.own[0], a.other[0]} {
				busy <- struct{}{}
				wg.Go(func() {
					defer func() { <-busy }()
					holdFaultAt(t, f, a, lead)
				})
				if f.ServerWide {
					wg.Wait()
				}
			}
		}
	}
	wg.Wait()
}

// waits puts the faults that only a deadline ends first, so that the others are
// done meanwhile.
func waits(f fakeprovider.Info) int {
	switch {
	case f.ServerWide:
		return 2
	case f.Slow:
		return 1
	default:
		return 0
	}
}

// isAlikeInAll reports whether a fault is the same whatever dialect is spoken, and left to TestFaults: the listener's
// own, those that only a deadline ends and, if it is no whole sweep, bodies that are too large, which cost more than all
// others together.
func isAlikeInAll(f fakeprovider.Info) bool {
	isLarge := f.Kind == "endless-body" || f.Kind == "gzip-bomb"
	return f.ServerWide || f.Slow || isLarge && os.Getenv(wholeSweep) == ""
}

func holdFaultAt(t *testing.T, f fakeprovider.Info, a api, lead string) {
	times := patient()
	if f.Slow && f.Kind != "endless-stream" { // which ends at a limit of its own
		times = impatient()
	}
	w := newWorld(t, withTimeouts(times))
	defer w.close()
	understudy := a.other[1]
	if lead == a.other[0] {
		understudy = a.own[1]
	}
	for _, stream := range []bool{false, true} {
		if stream && f.Stream || !stream && f.Unary {
			w.holdFault(f, a, lead, understudy, stream)
		}
	}
}

// holdFault breaks the lead by one fault and looks at what the client gets.
func (w *world) holdFault(f fakeprovider.Info, a api, lead, understudy string, stream bool) {
	w.t.Helper()
	if !f.Exists(w.speaks(lead)) {
		return
	}
	w.fail(lead, f.Kind)
	defer w.mend(lead)
	var before, beforeUnderstudy int
	var began time.Time
	ask := func() *answer {
		before, beforeUnderstudy, began = w.count(lead), w.count(understudy), time.Now()
		return w.post(a, body(lead+">"+understudy, "Say something about the sea.", stream, asking(f, a)), nil)
	}
	got := ask()
	// What breaks a second after it was used again had not been closed before: a busy machine may come to it that late.
	for try := 0; f.Kind == "keepalive-race" && time.Since(began) > time.Second && try < 5; try++ {
		ask() // the connection that is used again
		got = ask()
	}
	name := f.Kind + "/" + a.name + "/" + lead + ">" + understudy
	if stream {
		name += "/stream"
	}
	asked := w.count(understudy) > beforeUnderstudy
	want := f.Want
	if f.Kind == "bad-arguments" && a.name == messagesAPI.name && !stream {
		want = fakeprovider.Failover // arguments are an object there, so these cannot be shown
	}
	switch want {
	case fakeprovider.Failover:
		if !got.whole() || !asked {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the understudy's whole answer", name, got, asked)
		}
	case fakeprovider.Serve:
		if !got.whole() || asked {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the lead's whole answer", name, got, asked)
		}
	case fakeprovider.Surface:
		if asked || got.status < 400 {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the lead's word on it", name, got, asked)
		}
	case fakeprovider.Rescue:
		if !got.whole() || !asked {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the lead's beginning and the understudy's end", name, got, asked)
		}
	case fakeprovider.Broken:
		if got.ended != "error" || asked {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the dialect's error event", name, got, asked)
		}
	}
	rec := w.record()
	vendorSaw := w.count(lead) - before + w.count(understudy) - beforeUnderstudy
	if sent := len(rec.Attempts); vendorSaw > sent || vendorSaw < sent && !f.ServerWide {
		w.t.Errorf("%s: got %d attempts in the record, want as many as the vendors saw: %d", name, sent, vendorSaw)
	}
	if strings.Contains(w.log.String(), vendorKey) || strings.Contains(string(got.body), vendorKey) {
		w.t.Errorf("%s: got the provider's key in the log or the answer", name)
	}
}

// asking offers a tool where the fault is one of tool calls, and sets a limit
// where it is that none is kept.
func asking(f fakeprovider.Info, a api) map[string]any {
	if f.Kind == "endless-stream" {
		return map[string]any{"max_tokens": 1}
	}
	if !strings.HasPrefix(f.Kind, "tool") {
		return nil
	}
	return map[string]any{"tools": []any{weatherTool(a)}}
}

// weatherTool is a tool in the dialect's form.
func weatherTool(a api) map[string]any {
	schema := map[string]any{
		"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
	}
	if a.name == messagesAPI.name {
		return map[string]any{"name": "get_weather", "description": "Weather of a city", "input_schema": schema}
	}
	return map[string]any{"type": "function", "function": map[string]any{
		"name": "get_weather", "description": "Weather of a city", "parameters": schema,
	}}
}

// TestUnreadableForTheUnderstudy: what only a translating understudy cannot read
// ends nothing: the targets behind it are asked, and the lead's failure is told.
func TestUnreadableForTheUnderstudy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strange := map[string]any{"messages": []any{map[string]any{"role": "narrator", "content": "x"}}}
	w.vendors["chat1"].Close()
	got := w.post(chatAPI, body("chat1>claude1>chat2", "", false, strange), nil)
	if got.status != 502 || w.count("claude1") != 0 || w.count("chat2") != 1 {
		t.Errorf("got %v and %d requests to the last target, want the lead's failure after it was asked", got, w.count("chat2"))
	}
}

// TestShouldRetry: a vendor that says that asking again is of no use is not asked
// again, and the client is told so.
func TestShouldRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
		Status: 500, Type: "server_error", Message: "Broken for good.", Header: map[string]string{"x-should-retry": "false"},
	}})
	got := w.post(chatAPI, body("chat1", "Hello", false), nil)
	if got.status != 500 || got.header.Get("X-Should-Retry") != "false" || w.count("chat1") != 1 {
		t.Errorf("got %v, X-Should-Retry %q after %d requests; want the error at once, not to be retried", got, got.header.Get("X-Should-Retry"), w.count("chat1"))
	}
}
