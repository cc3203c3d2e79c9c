//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// faultClient is a client API in the catalogue of faults: whose provider leads, and who stands by.
type faultClient struct {
	name, path, speaks string
	lead, understudy   string
	tools, words       string
}

var faultClients = []faultClient{
	{
		"chat", chatPath, fakeprovider.Chat, "chat", "claude",
		`,"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`,
		`"messages":[{"role":"user","content":"Say something about the sea."}],"max_tokens"`,
	},
	{
		"messages", messagesPath, fakeprovider.Messages, "claude", "chat",
		`,"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}]`,
		`"messages":[{"role":"user","content":"Say something about the sea."}],"max_tokens"`,
	},
	{
		"responses", responsesPath, fakeprovider.Responses, "chat", "claude",
		`,"tools":[{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}]`,
		`"input":"Say something about the sea.","max_output_tokens"`,
	},
}

// saidOfTheSea is what simulated vendors answer them all.
const saidOfTheSea = "You said: Say something about the sea."

// has reports whether the client's lead can have the fault. Bodies that are too large cost more than all other faults
// together and are the same whatever is spoken: one client is enough for a part of the sweep.
func (c faultClient) has(f fakeprovider.Info) bool {
	isLarge := f.Kind == "endless-body" || f.Kind == "gzip-bomb"
	return !f.ServerWide && f.Exists(c.speaks) && (!isLarge || c.speaks == swept(c.speaks, fakeprovider.Chat))
}

// TestFaultCatalogue is every fault that a simulated vendor can do, through the binary, for clients of three
// APIs, whole and streamed, with a healthy understudy of another vendor's. Each has a provider of its own, so
// that what one leads to is no matter of the others. At the end the attempts in the log are those that the
// vendors saw, exactly.
func TestFaultCatalogue(t *testing.T) {
	t.Parallel()
	var providers, models strings.Builder
	faults := fakeprovider.Faults()
	for _, f := range faults {
		limit := "20s" // never reached, however busy the machine is
		if f.Slow && f.Kind != "endless-stream" {
			limit = "3s" // the understudy's, too
		}
		for _, c := range faultClients {
			if !c.has(f) {
				continue
			}
			use, base := "openai", "$CHAT/v1"
			if c.lead == "claude" {
				use, base = "anthropic", "$CLAUDE"
			}
			name := c.name + "-" + f.Kind
			fmt.Fprintf(&providers, "  %s: {use: %s, base_url: %q, key: env:TEST_KEY}\n", name, use, base)
			fmt.Fprintf(&models, "  %s: {lead: %s/small+fault-%s, understudies: [%s/small], timeouts: {connect: 10s, first_token: %s, answer: %s, stall: %s, total: 1m}}\n",
				name, name, f.Kind, c.understudy, limit, limit, limit)
		}
	}
	h := openHouse(t, providers.String()+"models:\n"+models.String())
	var all sync.WaitGroup
	var whole, streams atomic.Int64 // that another target answered, or went on with
	room := make(chan struct{}, 24)
	for _, slow := range []bool{true, false} { // those that wait first
		for _, f := range faults {
			for _, c := range faultClients {
				if f.Slow != slow || !c.has(f) {
					continue
				}
				room <- struct{}{}
				all.Go(func() {
					defer func() { <-room }()
					if f.Unary && h.holdFault(f, c, false) {
						whole.Add(1)
					}
					if f.Stream && h.holdFault(f, c, true) {
						streams.Add(1)
					}
				})
			}
		}
	}
	all.Wait()
	t.Logf("faults that another target makes good: %d answers whole, %d streams", whole.Load(), streams.Load())
	h.client.CloseIdleConnections()
	h.wantAttempts()
}

// holdFault looks at what a client gets whose lead has a fault. It sends the header for which Go's own client would repeat
// requests (G1). It reports whether another target gave the answer, or the rest of it.
func (h *house) holdFault(f fakeprovider.Info, c faultClient, stream bool) (isMended bool) {
	limit, tools := "500", ""
	if f.Kind == "endless-stream" {
		limit = "16"
	}
	if strings.HasPrefix(f.Kind, "tool") {
		tools = c.tools
	}
	a := h.post(c.path, fmt.Sprintf(`{"model":%q,"stream":%v,%s:%s%s}`, c.name+"-"+f.Kind, stream, c.words, limit, tools), "X-Idempotency-Key", "any")
	ended := endOf(c.path, a.body)
	whole := a.err == nil && a.status == 200 && (!stream || ended == "clean")
	lead := "" // what the lead says that the understudy would not
	if f.Kind == "eof-event" || f.Kind == "eof-utf8" || f.Kind == "eof-escape" {
		lead = "First "
	}
	asked := strings.Contains(a.header.Get("X-Understudy-Target"), c.understudy+"/small") || strings.Contains(a.body, ": understudy rescue ")
	ok := false
	want := f.Want
	if f.Kind == "bad-arguments" && c.path == messagesPath && !stream {
		want = fakeprovider.Failover // arguments are an object there, so these cannot be shown
	}
	switch want {
	case fakeprovider.Failover, fakeprovider.Rescue:
		ok = whole && asked && (tools != "" || textOf(a.body, stream) == lead+saidOfTheSea)
	case fakeprovider.Serve:
		ok = whole && !asked
	case fakeprovider.Surface:
		ok = !asked && a.err == nil && isError(c.path, a.body) && strings.HasSuffix(f.Kind, strconv.Itoa(a.status))
	case fakeprovider.Broken:
		ok = !asked && ended == "error"
	}
	if !ok {
		h.t.Errorf("%s, %s, stream %v: got %d, an end that is %q, the understudy asked: %v, %v and %.400s, want: %v", f.Kind, c.name, stream, a.status, ended, asked, a.err, a.body, want)
	}
	if strings.Contains(a.body, canary) {
		h.t.Errorf("%s, %s: got the provider's key in the answer", f.Kind, c.name)
	}
	return ok && (want == fakeprovider.Failover || want == fakeprovider.Rescue)
}

// textOf is the text of an answer in any of the three APIs.
func textOf(body string, stream bool) string {
	type part struct{ Text string }
	type answer struct {
		Choices []struct{ Message, Delta struct{ Content string } }
		Content []part
		Output  []struct{ Content []part }
		Type    string
		Delta   json.RawMessage
	}
	var said strings.Builder
	read := func(data string) {
		var a answer
		var piece string
		var p part
		_ = json.Unmarshal([]byte(data), &a)
		for _, c := range a.Choices {
			said.WriteString(c.Message.Content + c.Delta.Content)
		}
		for _, o := range a.Output {
			a.Content = append(a.Content, o.Content...)
		}
		if a.Type == "response.output_text.delta" {
			_ = json.Unmarshal(a.Delta, &piece)
		} else if a.Delta != nil {
			_ = json.Unmarshal(a.Delta, &p)
		}
		for _, p := range append(a.Content, p) {
			said.WriteString(p.Text)
		}
		said.WriteString(piece)
	}
	if !stream {
		read(body)
	}
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			read(data)
		}
	}
	return said.String()
}

// isError reports whether a body is an error in the API's form.
func isError(path, body string) bool {
	var shape struct {
		Type  string
		Error struct{ Type, Message string }
	}
	err := json.Unmarshal([]byte(body), &shape)
	return err == nil && shape.Error.Type != "" && shape.Error.Message != "" && (path != messagesPath || shape.Type == "error")
}

// endOf says how a stream ended: clean, with an error, or with neither.
func endOf(path, body string) string {
	failed := strings.Contains(body, "event: error\n") || strings.Contains(body, "\ndata: {\"error\":") || strings.Contains(body, `"type":"response.failed"`) || strings.Contains(body, `"type":"error"`)
	clean := strings.Contains(body, "[DONE]") || strings.Contains(body, `"type":"message_stop"`) ||
		strings.Contains(body, `"type":"response.completed"`) || strings.Contains(body, `"type":"response.incomplete"`)
	switch {
	case failed && !clean:
		return "error"
	case clean && !failed:
		return "clean"
	}
	return ""
}

// wantAttempts holds the attempts in the log against what the vendors saw: so many for each model of each vendor, and
// as many as the lines of the calls say.
func (h *house) wantAttempts() {
	h.t.Helper()
	var logged map[string]int
	var ofCalls, ofAttempts int
	seen := map[string]int{}
	for vendor, v := range map[string]*fakeprovider.Server{"chat ": h.chat, "claude ": h.claude} {
		for _, r := range v.Requests() {
			seen[vendor+r.Model]++
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		logged, ofCalls, ofAttempts = map[string]int{}, 0, 0
		for line := range strings.Lines(h.log.all()) {
			var said struct {
				Msg, Provider, Model string
				Attempts             int
			}
			_ = json.Unmarshal([]byte(line), &said)
			switch said.Msg {
			case "call":
				ofCalls += said.Attempts
			case "attempt", "attempt failed":
				ofAttempts++
				vendor := "chat "
				if said.Provider == "claude" || strings.HasPrefix(said.Provider, "messages-") {
					vendor = "claude "
				}
				logged[vendor+said.Model]++
			}
		}
		if ofCalls == h.seen() && maps.Equal(logged, seen) || time.Now().After(deadline) {
			break
		}
	}
	if ofCalls != h.seen() || ofAttempts != h.seen() {
		h.t.Errorf("got %d attempts by the calls of the log and %d by its lines of attempts, want the %d requests that the vendors saw", ofCalls, ofAttempts, h.seen())
	}
	for model := range logged {
		if logged[model] != seen[model] {
			h.t.Errorf("got %d attempts at %s in the log, want the %d requests that the vendor saw", logged[model], model, seen[model])
		}
	}
}
