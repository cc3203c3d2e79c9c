package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

var responsesAPI = api{
	name: "responses", path: "/v1/responses",
	own: []string{"resp1", "resp2"}, other: []string{"chat1", "claude1"}, shape: shapeResponses, read: readResponses,
}

// shapeResponses makes a minimal request one of this dialect.
func shapeResponses(b map[string]any) {
	b["input"], b["max_output_tokens"] = b["messages"], 512
	delete(b, "messages")
	delete(b, "max_tokens")
	tools, _ := b["tools"].([]any)
	for i, t := range tools {
		if fn, ok := t.(map[string]any)["function"].(map[string]any); ok {
			flat := map[string]any{"type": "function"}
			for k, v := range fn {
				flat[k] = v
			}
			tools[i] = flat
		}
	}
}

// readResponses finds the text of an answer, and how a stream ended.
func readResponses(o *answer) {
	var whole struct {
		Output []struct{ Content []struct{ Text string } }
	}
	if o.status == http.StatusOK && json.Unmarshal(o.body, &whole) == nil {
		for _, item := range whole.Output {
			for _, c := range item.Content {
				o.text += c.Text
			}
		}
	}
	for _, e := range o.events {
		var v struct{ Type, Delta string }
		_ = json.Unmarshal([]byte(e.data), &v) // an event's delta may be none
		switch v.Type {
		case "response.output_text.delta":
			o.text += v.Delta
		case "response.completed", "response.incomplete":
			o.ended = "clean"
		case "response.failed", "error":
			o.ended = "error"
		}
	}
}

func responsesWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	return newWorld(t, append(opts, withDialect(openairesponses.New(), responsesAPI.path, responsesAPI.own...))...)
}

// lastSent is the body of the request that a vendor saw last.
func (w *world) lastSent(id string) string {
	seen := w.vendors[id].Requests()
	return string(seen[len(seen)-1].Body)
}

// TestResponsesAreRelayed holds that bytes are the client's and the vendor's.
func TestResponsesAreRelayed(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	for _, stream := range []string{"false", "true"} {
		sent := `{ "model" : "resp1", "input":[ {"role":"user","content":"sea  "} ],"stream":` + stream + `, "store": true, "truncation":"auto" }`
		got := w.post(responsesAPI, []byte(sent), nil)
		if !got.whole() || got.text != "You said: sea  " || got.header.Get("X-Understudy-Mode") != "relay" {
			t.Fatalf("got %v want it relayed", got)
		}
		if want := strings.Replace(sent, `"resp1"`, `"gpt-4o"`, 1); w.lastSent("resp1") != want {
			t.Errorf("got %s sent want %s", w.lastSent("resp1"), want)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.OutVisible == 0 {
			t.Errorf("got usage %+v counted", u)
		}
	}
	got := w.post(responsesAPI, []byte(`{"model":"resp1","input":"x","previous_response_id":"resp_1"}`), nil)
	if got.status != 400 || !bytes.Contains(got.body, []byte("previous_response_not_found")) {
		t.Errorf("got %v want the vendor's own answer", got)
	}
}

// TestResponsesAreTranslated asks each vendor in each client's dialect, whole and streamed, for a text and for calls.
func TestResponsesAreTranslated(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	for _, c := range []struct {
		from api
		to   string
	}{{chatAPI, "resp1"}, {messagesAPI, "resp1"}, {responsesAPI, "chat1"}, {responsesAPI, "claude1"}} {
		for _, stream := range []bool{false, true} {
			got := w.post(c.from, body(c.to, "the sea", stream), nil)
			if !got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Mode") != "translate" {
				t.Errorf("%s to %s: got %v want a translated echo", c.from.name, c.to, got)
			}
			got = w.post(c.from, body(c.to, "Weather?", stream, map[string]any{"tools": []any{weatherTool(c.from)}}), nil)
			if !got.whole() || !bytes.Contains(got.body, []byte("get_weather")) {
				t.Errorf("%s to %s: got %v want a call", c.from.name, c.to, got)
			}
		}
	}
	if got := w.post(responsesAPI, body("nobody", "x", false), nil); got.status != 404 || !bytes.Contains(got.body, []byte(`"code":"model_not_found"`)) {
		t.Errorf("got %v want the dialect's own error", got)
	}
	if sent := w.lastSent("resp1"); !strings.Contains(sent, `"store":false`) {
		t.Errorf("got %s sent want nothing kept by the vendor", sent)
	}
}

// TestResponsesToolsGoRound sends the answer back with the tool's result, over each pair of dialects (A32 to A36).
func TestResponsesToolsGoRound(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	tools := `"tools":[{"type":"function","name":"get.weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}},{"type":"custom","name":"run"}]`
	for _, to := range []string{"resp1", "chat1", "claude1"} {
		ask := tools
		if to == "resp1" { // relayed, with a name that the vendor takes
			ask = strings.Replace(tools, "get.weather", "get_weather", 1)
		}
		first := w.post(responsesAPI, []byte(`{"model":"`+to+`","input":"Go","stream":false,`+ask+`}`), nil)
		output := jsontext.Value(first.body).Get("output")
		var results []string
		custom := false
		_ = output.Array(func(_ int, item jsontext.Value) error {
			kind, _ := item.Get("type").Text()
			custom = custom || kind == "custom_tool_call"
			if strings.HasSuffix(kind, "_call") {
				results = append(results, `{"type":"`+kind+`_output","call_id":`+string(item.Get("call_id"))+`,"output":"done"}`)
			}
			return nil
		})
		if !first.whole() || len(results) != 2 || !custom {
			t.Fatalf("%s: got %v want a call of each tool", to, first)
		}
		next := `[{"role":"user","content":"Go"},` + string(output[1:len(output)-1]) + "," + strings.Join(results, ",") + "]"
		got := w.post(responsesAPI, []byte(`{"model":"`+to+`","input":`+next+`,"stream":true,`+ask+`}`), nil)
		if !got.whole() || got.text != "The tools said: done; done." {
			t.Errorf("%s: got %v want what the tools said", to, got)
		}
	}
}

// TestResponsesThinkingMoves has one vendor think, goes on at another and comes back (A24, A25).
func TestResponsesThinkingMoves(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	first := w.post(responsesAPI, []byte(`{"model":"claude1|+think","input":"Go","stream":false}`), nil)
	output := `[{"role":"user","content":"Go"},` + strings.TrimPrefix(string(jsontext.Value(first.body).Get("output")), "[")
	if !first.whole() || !strings.Contains(output, `"summary_text"`) || !strings.Contains(output, `"encrypted_content":"understudy.anthropic-messages.`) {
		t.Fatalf("got %v want reasoning that says whose it is", first)
	}
	next := func(model string) []byte {
		return []byte(`{"model":"` + model + `","input":` + strings.TrimSuffix(output, "]") + `,{"role":"user","content":"On"}],"stream":false}`)
	}
	if got := w.post(responsesAPI, next("resp1"), nil); !got.whole() || strings.Contains(w.lastSent("resp1"), "understudy.") || !strings.Contains(got.header.Get("X-Understudy-Loss"), "reasoning=dropped(harmless)") {
		t.Errorf("got %v, sent %s want it stripped, and said so", got, w.lastSent("resp1"))
	}
	if got := w.post(responsesAPI, next("chat1"), nil); !got.whole() || strings.Contains(w.lastSent("chat1"), "understudy.") {
		t.Errorf("got %v, sent %s want it left out", got, w.lastSent("chat1"))
	}
	if got := w.post(responsesAPI, next("claude1"), nil); !got.whole() || !strings.Contains(w.lastSent("claude1"), `"type":"thinking"`) {
		t.Errorf("got %v, sent %s want it given back to who signed it", got, w.lastSent("claude1"))
	}
}

// TestResponsesStateStaysWithItsVendor: what leans on the vendor's store is refused elsewhere, and another that speaks
// the dialect may be asked.
func TestResponsesStateStaysWithItsVendor(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	for _, member := range []string{`"previous_response_id":"resp_1"`, `"conversation":"conv_1"`, `"prompt":{"id":"p"}`, `"background":true`} {
		got := w.post(responsesAPI, []byte(`{"model":"chat1","input":"x",`+member+`}`), map[string]string{"X-Understudy-Loss": "lenient"})
		if got.status != 400 || w.count("chat1") != 0 {
			t.Errorf("%s: got %v want it refused unsent", member, got)
		}
	}
	got := w.post(chatAPI, body("resp1>chat1", "x", false, map[string]any{"stop": []string{"END"}}), nil)
	if !got.whole() || got.header.Get("X-Understudy-Target") != "chat1/gpt-4o" || w.count("resp1") != 0 {
		t.Errorf("A41: got %v want the target that has stop sequences", got)
	}
}

// TestResponsesFaults breaks a lead that speaks the dialect by every fault that it has a form for.
func TestResponsesFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		if isAlikeInAll(f) {
			continue
		}
		for _, a := range []api{responsesAPI, chatAPI} {
			busy <- struct{}{}
			wg.Go(func() {
				defer func() { <-busy }()
				w := responsesWorld(t, withTimeouts(patient()))
				defer w.close()
				for _, stream := range []bool{false, true} {
					if stream && f.Stream || !stream && f.Unary {
						w.holdFault(f, a, "resp1", "chat2", stream)
					}
				}
			})
		}
	}
	wg.Wait()
}

// TestItemReferences: an item that the vendor keeps is named to the vendor, and to the one that made what the request
// goes on from; whoever else is asked, the client is told to send the item itself.
func TestItemReferences(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	refer := func(route, more string) []byte {
		return []byte(`{"model":"` + route + `","input":[{"type":"item_reference","id":"msg_1"},{"role":"user","content":"And?"}]` + more + `}`)
	}
	got := w.post(responsesAPI, refer("chat1", ""), nil)
	if got.status != 400 || !bytes.Contains(got.body, []byte("input[].item_reference (an item kept by the vendor: send the item itself instead)")) || w.count("chat1") != 0 {
		t.Errorf("got %v want it refused, and said what to do", got)
	}
	first := w.post(responsesAPI, []byte(`{"model":"resp2","input":"Hello","store":true}`), nil)
	id, err := jsontext.Value(first.body).Get("id").Text()
	if err != nil {
		t.Fatalf("got %v want an answer with an id", first)
	}
	got = w.post(responsesAPI, refer("resp1>resp2", `,"previous_response_id":"`+id+`"`), nil)
	if n := w.count("resp1"); n != 0 || !strings.Contains(w.lastSent("resp2"), `{"type":"item_reference","id":"msg_1"}`) {
		t.Errorf("got %v, %d requests to another, want the one that made the answer asked", got, n)
	}
}

// TestEventsThatComeTwice: what a vendor of numbered events sends twice, clients of all dialects get once (D14).
func TestEventsThatComeTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()), withDialect(openairesponses.New(), "/v1/responses", "resp1", "resp2"))
	for _, a := range []api{responsesAPI, chatAPI, messagesAPI} {
		want := w.post(a, body("resp1|+chunks-12", "Hello", true), nil)
		w.vendors["resp1"].Queue(fakeprovider.Fault{Kind: "event-twice"})
		got := w.post(a, body("resp1|+chunks-12", "Hello", true), nil)
		if !got.whole() || got.text != want.text || len(got.events) != len(want.events) {
			t.Errorf("%s: got %q in %d events, %v; want %q in %d", a.name, got.text, len(got.events), got, want.text, len(want.events))
		}
	}
}
