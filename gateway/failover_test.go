package gateway_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestFaults holds the gateway against every fault that the simulated vendor can
// do: both client dialects, whole and streamed, with an understudy of the same
// dialect and one of the other. Most of its time is waiting, so it does many at
// once.
func TestFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 32)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		for _, a := range apis {
			for _, lead := range []string{a.own[0], a.other[0]} {
				busy <- struct{}{}
				wg.Go(func() {
					defer func() { <-busy }()
					w := newWorld(t)
					defer w.close()
					for _, understudy := range []string{a.own[1], a.other[1]} {
						for _, stream := range []bool{false, true} {
							if stream && f.Stream || !stream && f.Unary {
								w.holdFault(f, a, lead, understudy, stream)
							}
						}
					}
				})
			}
		}
	}
	wg.Wait()
}

// holdFault breaks the lead by one fault and looks at what the client gets.
func (w *world) holdFault(f fakeprovider.Info, a api, lead, understudy string, stream bool) {
	w.t.Helper()
	speaks := fakeprovider.Chat
	if strings.HasPrefix(lead, "claude") {
		speaks = fakeprovider.Messages
	}
	if f.Dialect != "" && f.Dialect != speaks {
		return
	}
	w.fail(lead, f.Kind)
	defer w.mend(lead)
	before, beforeUnderstudy := w.count(lead), w.count(understudy)
	got := w.post(a, body(lead+">"+understudy, "Say something about the sea.", stream, toolsFor(f, a)), nil)
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
		if asked || got.status < 400 && got.err == nil && !got.whole() {
			w.t.Errorf("%s: got %v (understudy asked: %v), want the lead's word on it", name, got, asked)
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

// toolsFor offers a tool where the fault is one of tool calls.
func toolsFor(f fakeprovider.Info, a api) map[string]any {
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
