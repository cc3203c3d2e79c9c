package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// words are what a simulated vendor says with the marker chunks-N.
func words(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("word" + strconv.Itoa(i) + " ")
	}
	return b.String()
}

// leads are the targets of an API's clients that are relayed and translated.
func (a api) leads() []string { return []string{a.own[0], a.other[0]} }

// TestRescue: an answer whose stream breaks after some of it is gone on with on the
// understudy, whoever speaks which dialect, and everything that tells of it says so.
func TestRescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range []string{"reset-stream", "eof-stream", "eof-bytes", "overloaded-stream", "rate-stream"} {
		for _, a := range apis {
			for _, lead := range a.leads() {
				for _, second := range []string{a.own[1], a.other[1]} {
					w.fail(lead, kind)
					got := w.post(a, body(lead+">"+second+"|+chunks-12", "Hello", true), nil)
					w.mend(lead)
					name := kind + ", " + a.name + " from " + lead + ">" + second
					rec := w.record()
					if starts, clean, failed, after := ends(a, got.body); got.text != words(12) || starts != 1 || clean != 1 || failed != 0 || after {
						t.Errorf("%s: got %q, %v; want %q once, with one start and one end", name, got.text, got, words(12))
					}
					model := func(id string) string {
						return id + "/" + map[bool]string{true: "gpt-4o", false: "claude-sonnet-4-5"}[strings.HasPrefix(id, "chat")] + "+chunks-12"
					}
					if want := ": understudy rescue from=" + model(lead) + " to=" + model(second) + "\n"; bytes.Count(got.body, []byte(want)) != 1 {
						t.Errorf("%s: got %s, want once %q", name, got.body, want)
					}
					if got.header.Get(gateway.HeaderTarget) != model(lead) || got.trailer.Get(gateway.HeaderTarget) != model(second) ||
						got.trailer.Get(gateway.HeaderAttempts) != "2" || !strings.HasSuffix(got.trailer.Get(gateway.HeaderDetail), model(second)+"=ok") {
						t.Errorf("%s: got header %v and trailer %v, want both targets", name, got.header, got.trailer)
					}
					first, last := rec.Attempts[0], rec.Attempts[len(rec.Attempts)-1]
					if len(rec.Attempts) != 2 || rec.Code != "" || first.Code == "" || !first.Committed || first.Rescue || last.Code != "" || !last.Committed || !last.Rescue || last.FirstContent == 0 {
						t.Errorf("%s: got record %+v, want a broken attempt and its rescue", name, rec)
					}
				}
			}
		}
	}
	if log := w.log.String(); strings.Count(log, "msg=rescue") != 40 || strings.Contains(log, vendorKey) {
		t.Errorf("got %d rescues in the log, want 40", strings.Count(log, "msg=rescue"))
	}
}

// TestRescueUsage: the client is told what both attempts used, and the limit that it set
// is for both.
func TestRescueUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, lead := range a.leads() {
			w.fail(lead, "eof-stream")
			limited := map[string]any{"max_tokens": 20}
			if a.name == chatAPI.name {
				limited["stream_options"] = map[string]any{"include_usage": true}
			}
			got := w.post(a, body(lead+">"+a.own[1]+"|+chunks-30", "Hello", true, limited), nil)
			w.mend(lead)
			var in, out int
			for _, e := range got.events {
				var v struct {
					Usage struct {
						Prompt     int `json:"prompt_tokens"`
						Completion int `json:"completion_tokens"`
						Input      int `json:"input_tokens"`
						Output     int `json:"output_tokens"`
					}
				}
				_ = json.Unmarshal([]byte(e.data), &v)
				in, out = max(in, v.Usage.Prompt, v.Usage.Input), max(out, v.Usage.Completion, v.Usage.Output)
			}
			rec := w.record()
			second := rec.Attempts[1].Usage
			// A blank that a model which continues was not shown is a token of its own.
			if got.text != words(20) && got.text != words(19) || out != 20 {
				t.Errorf("%s from %s: got %q and %d tokens, want the 20 that the client allowed", a.name, lead, got.text, out)
			}
			if told := rec.Attempts[0].Usage; second.OutVisible != 17 || in != int(told.Input()+second.Input()) {
				t.Errorf("%s from %s: got %d tokens in, %+v and %+v; want the sum of both", a.name, lead, in, told, second)
			}
		}
	}
}

// A06: with tools, or anything else that is no plain text, nobody goes on (F06).
func TestA06OnlyPlainText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	json1 := map[string]any{"response_format": map[string]any{"type": "json_object"}}
	schema := map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}, "additionalProperties": false}
	for _, tc := range []struct {
		name  string
		a     api
		model string
		extra map[string]any
	}{
		{"tools", chatAPI, "|+chunks-9", map[string]any{"tools": []any{weatherTool(chatAPI)}}},
		{"tools that may not be called", chatAPI, "|+chunks-9", map[string]any{"tools": []any{weatherTool(chatAPI)}, "tool_choice": "none"}},
		{"tools", messagesAPI, "|+chunks-9", map[string]any{"tools": []any{weatherTool(messagesAPI)}}},
		{"JSON mode", chatAPI, "|+chunks-9", json1},
		{"JSON schema", chatAPI, "|+chunks-9", map[string]any{"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "x", "schema": schema, "strict": true}}}},
		{"JSON schema", messagesAPI, "|+chunks-9", map[string]any{"output_config": map[string]any{"format": map[string]any{"type": "json_schema", "schema": schema}}}},
		{"a grammar of a compatible server's", chatAPI, "|+chunks-9", map[string]any{"guided_regex": "(word[0-9]+ )+"}},
		{"log probabilities", chatAPI, "|+chunks-9", map[string]any{"logprobs": true}},
		{"choices", chatAPI, "|+chunks-9", map[string]any{"n": 2}},
		{"thinking", messagesAPI, "|+think+chunks-9", map[string]any{"max_tokens": 4096, "thinking": map[string]any{"type": "enabled", "budget_tokens": 1024}}},
		{"thinking that nobody asked for", chatAPI, "|+think+chunks-9", nil},
		{"a call that nobody offered", chatAPI, "|+tools-1", nil},
		{"a refusal", chatAPI, "|+refuse", nil},
	} {
		for _, lead := range tc.a.leads() {
			if tc.name == "a refusal" && lead != "chat1" {
				continue // there it is text until the stop reason comes
			}
			w.vendors[lead].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 14}) // after the thinking
			got := w.post(tc.a, body(lead+">"+lead[:len(lead)-1]+"2"+tc.model, "Hello", true, tc.extra), nil)
			if got.ended == "clean" && got.status == http.StatusOK && len(w.record().Attempts) == 1 {
				continue // the loss contract, or a short answer: there was nothing to break
			}
			asked := w.count(lead[:len(lead)-1]+"2") > 0
			if refused := got.status == http.StatusBadRequest; !refused && got.ended != "error" || asked {
				t.Errorf("%s, %s from %s: got %v (understudy asked: %v), want an error and nobody asked", tc.name, tc.a.name, lead, got, asked)
			}
		}
	}
}

// A07: a model that does not continue answers is not made to: it gets the end quoted.
func TestA07NoPrefillWhereNoneIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, second := range []string{"claude2", "chat2"} {
			w.fail(a.own[0], "reset-stream")
			if got := w.post(a, body(a.own[0]+">"+second+"|+chunks-9", "Hello", true), nil); got.text != words(9) || !got.whole() {
				t.Errorf("%s, to %s: got %v, want the whole answer", a.name, second, got)
			}
			var sent struct {
				Messages []struct{ Role string }
			}
			if err := json.Unmarshal(w.sent(second), &sent); err != nil {
				t.Fatal(err)
			}
			want := "user"
			if second == "claude2" {
				want = "assistant" // its facts say that it continues one
			}
			if got := sent.Messages[len(sent.Messages)-1].Role; got != want {
				t.Errorf("%s, to %s: got the last message from %s in %s, want %s", a.name, second, got, w.sent(second), want)
			}
		}
	}
}

// TestA07NewModels: the same with a model whose vendor refuses an answer to be continued (F05).
func TestA07NewModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("chat1", "reset-stream")
	for _, a := range apis {
		got := w.post(a, body("chat1>sonnet46|+chunks-9", "Hello", true), nil)
		if seen := w.vendors["claude1"].Last(); got.text != words(9) || !got.whole() || seen.Refused != "" {
			t.Errorf("%s: got %v, refused %q; want the whole answer", a.name, got, seen.Refused)
		}
	}
}

// A09: a conversation in Slovak is gone on with without a word of another language (F06).
func TestA09NoInstructionInEnglish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const system, ask = "Odpovedaj vždy po slovensky.", "Čo je more? Povedz mi to, prosím, veľmi krátko a po poriadku, ako dieťaťu."
	for _, a := range apis {
		for _, second := range []string{"chat2", "claude2", "sonnet46"} {
			b := body(a.own[0]+">"+second, ask, true)
			if a.name == chatAPI.name {
				b["messages"] = []any{says("system", system), says("user", ask)}
			} else {
				b["system"] = system
			}
			w.vendors[a.own[0]].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 7})
			got := w.post(a, b, nil)
			vendor := strings.Replace(second, "sonnet46", "claude1", 1)
			if !got.whole() || got.text != "You said: "+ask {
				t.Fatalf("%s to %s: got %q, %v", a.name, second, got.text, got)
			}
			begun, _, _ := strings.Cut(got.text, " po poriadku")
			known := strings.Fields(strings.Join([]string{system, ask, begun}, " "))
			for _, text := range spoken(w.sent(vendor)) {
				for _, word := range strings.Fields(text) {
					isKnown := slices.ContainsFunc(known, func(k string) bool { return strings.Contains(word, k) || strings.Contains(k, word) })
					if strings.ContainsFunc(word, unicode.IsLetter) && !isKnown {
						t.Errorf("%s to %s: got %q in %q, want no word that is neither the client's nor the model's", a.name, second, word, text)
					}
				}
			}
		}
	}
}

// spoken lists the texts that a request's system prompt and messages hold.
func spoken(body []byte) (texts []string) {
	var v struct {
		System   any
		Messages []struct{ Content any }
	}
	_ = json.Unmarshal(body, &v)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, part := range v {
				walk(part.(map[string]any)["text"])
			}
		}
	}
	walk(v.System)
	for _, m := range v.Messages {
		walk(m.Content)
	}
	return texts
}

// TestRescueIsOff: by the route or by the request nobody goes on (F06).
func TestRescueIsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("chat1", "eof-stream")
	for _, h := range []map[string]string{noRescue, {gateway.HeaderFallback: "off"}} {
		if got := w.post(chatAPI, body("chat1>chat2|+chunks-9", "Hello", true), h); got.ended != "error" || w.count("chat2") > 0 {
			t.Errorf("%v: got %v, want an error and nobody asked", h, got)
		}
	}
	if got := w.post(chatAPI, body("chat1>chat2|+chunks-9", "Hello", true), map[string]string{gateway.HeaderRescue: "text"}); !got.whole() {
		t.Errorf("got %v, want a rescue", got)
	}
	if got := w.post(chatAPI, body("chat1", "Hello", true), map[string]string{gateway.HeaderRescue: "no"}); got.status != 400 || !bytes.Contains(got.body, []byte(gateway.HeaderRescue)) {
		t.Errorf("got %v, want a 400 that names the header", got)
	}
}

// TestRescueOfARescue: an understudy that breaks is stood in for as well, and one that
// does not get to say anything is passed over; the attempts of a call bound both.
func TestRescueOfARescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, tc := range []struct {
			faults []string // of the targets, in order
			whole  bool
			asked  int
		}{
			{[]string{"eof-stream", "reset-stream", ""}, true, 3},
			{[]string{"reset-stream", "internal-500", ""}, true, 3},
			{[]string{"eof-stream", "eof-start", ""}, true, 3},
			{[]string{"eof-stream", "rate-429-seconds", "eof-stream", ""}, true, 4},
			{[]string{"internal-500", "eof-stream", ""}, true, 3},
			{[]string{"eof-stream", "eof-stream", "eof-stream", ""}, false, 3},
			{[]string{"eof-stream", "html-200", "overloaded-529"}, false, 3},
			{[]string{"eof-stream", "not-json", ""}, false, 2},
			{[]string{"not-json", "", ""}, false, 1},
		} {
			ids := []string{a.own[0], a.other[0], a.own[1], a.other[1]}[:len(tc.faults)]
			for i, kind := range tc.faults {
				w.mend(ids[i])
				if kind == "" {
					continue
				}
				// An understudy breaks after more than is held back of it.
				if err := w.vendors[ids[i]].SetFault(&fakeprovider.Fault{Kind: kind, After: 50}); err != nil {
					t.Fatal(err)
				}
			}
			got := w.post(a, body(strings.Join(ids, ">")+"|+chunks-200", "Hello", true), nil)
			rec := w.record()
			if len(rec.Attempts) != tc.asked || tc.whole != got.whole() || tc.whole && got.text != words(200) {
				t.Errorf("%s, %v: got %q after %d attempts, %v; want whole %v after %d", a.name, tc.faults, got.text, len(rec.Attempts), got, tc.whole, tc.asked)
			}
			if starts, clean, failed, after := ends(a, got.body); starts != 1 || clean+failed != 1 || after {
				t.Errorf("%s, %v: got %d starts, %d clean ends and %d errors (after them: %v), want one start and one end", a.name, tc.faults, starts, clean, failed, after)
			}
			if !tc.whole && (got.ended != "error" || !strings.HasPrefix(words(200), got.text) || rec.Code == "") {
				t.Errorf("%s, %v: got %q, %v, code %q; want the beginning and an error", a.name, tc.faults, got.text, got, rec.Code)
			}
			for _, id := range ids {
				w.mend(id)
			}
		}
	}
}

// TestRescueSaysNothingNew: the text was whole, and only its end was missing: the
// understudy has nothing to add, or says all of it again.
func TestRescueSaysNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, lead := range a.leads() {
			for _, second := range []string{"chat2", "claude2"} {
				for _, markers := range []string{"+chunks-3", "+chunks-3+again-7", "+chunks-3+again-500"} {
					w.vendors[lead].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 3})
					if got := w.post(a, body(lead+">"+second+"|"+markers, "Hello", true), nil); got.text != words(3) || !got.whole() {
						t.Errorf("%s from %s>%s%s: got %q, %v; want %q", a.name, lead, second, markers, got.text, got, words(3))
					}
				}
			}
		}
	}
}

// TestRescueByWholeAnswer: an understudy that answers in one piece though a stream was
// asked for does as well.
func TestRescueByWholeAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, second := range []string{a.own[1], a.other[1]} {
			w.fail(a.own[0], "eof-stream")
			w.fail(second, "json-for-stream")
			if got := w.post(a, body(a.own[0]+">"+second+"|+chunks-9", "Hello", true), nil); got.text != words(9) || !got.whole() || !bytes.Contains(got.body, []byte(": understudy rescue")) {
				t.Errorf("%s to %s: got %q, %v; want %q", a.name, second, got.text, got, words(9))
			}
		}
	}
}

// TestNoRescueOfHalfACharacter: the client has half of a surrogate pair. Nobody can say
// the other half.
func TestNoRescueOfHalfACharacter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("chat1", "surrogate")
	stream := w.post(chatAPI, body("chat1", "A wave 🌊 of text", true), nil).body
	at := bytes.Index(stream, []byte(`\ud83d`))
	if at < 0 {
		t.Fatalf("got no half of a pair in %s", stream)
	}
	end := at + bytes.Index(stream[at:], []byte("\n\n")) + 2
	st := newCutStage(t, chatAPI, 2, patient())
	if got := st.serve(t, chatAPI, stream[:end]); bytes.Contains(got, []byte("[DONE]")) || st.asked > 0 {
		t.Errorf("relayed: got %s, want an error and nobody asked", got)
	}
	if got := st.serve(t, messagesAPI, stream[:end]); !bytes.Contains(got, []byte("message_stop")) || st.asked != 1 {
		t.Errorf("translated: got %s, want a rescue, since the half was held back", got)
	}
}

// TestNoRescueOfLongText: what is kept of an answer is bounded.
func TestNoRescueOfLongText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	for _, a := range apis {
		for _, lead := range a.leads() {
			for _, size := range []int{200 << 10, 300 << 10} {
				text := strings.Repeat("0123456789abcde ", size/16)
				kept := size < 256<<10
				reply := fakeprovider.Reply{Parts: []string{text[:size/2], text[size/2:], "End."}}
				w.vendors[lead].Enqueue(reply)
				if kept {
					w.vendors[a.own[1]].Enqueue(reply)
				}
				w.vendors[lead].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 2})
				got := w.post(a, body(lead+">"+a.own[1], "Hello", true, map[string]any{"max_tokens": 200000}), nil)
				if got.whole() != kept || kept && got.text != text+"End." {
					t.Errorf("%s from %s, %d bytes: got %d bytes, whole %v; want whole %v", a.name, lead, size, len(got.text), got.whole(), kept)
				}
			}
		}
	}
}

// TestRescueTextHasARoom: what is kept of all streams together is bounded (L4). One that finds no room goes on without
// rescue, is counted, and takes nothing from the others.
func TestRescueTextHasARoom(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Text = 1 << 10 // what a stream takes at its beginning
	w := newWorld(t, withTimeouts(patient()), withLimits(limits))
	breaking := func(a api) *answer {
		w.vendors[a.own[0]].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 2})
		return w.post(a, body(a.own[0]+">"+a.own[1], "How wide is the sea?", true), nil)
	}
	for _, a := range apis {
		ctx, leave := context.WithCancel(t.Context())
		raw, _ := json.Marshal(body(a.other[0]+">"+a.other[1]+"|+chunks-2000+delay-50ms", "Hello", true, map[string]any{"max_tokens": 200000}))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+a.path, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Anthropic-Version", "2023-06-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v, want a stream that stays open", resp, err)
		}
		before := w.gw.Load().Unkept
		if got, load := breaking(a), w.gw.Load(); got.ended != "error" || load.Unkept != before+1 || load.Text != limits.Text {
			t.Errorf("%s, no room: got %v, %+v, want an error and the stream counted", a.name, got, load)
		}
		leave()
		_ = resp.Body.Close()
		eventually(t, "the room to be given back", func() bool { return w.gw.Load().Text == 0 })
		if got, load := breaking(a), w.gw.Load(); !got.whole() || load.Unkept != before+1 {
			t.Errorf("%s, room: got %v, %+v, want a rescue", a.name, got, load)
		}
	}
}

// TestRescueOfABegunAnswer: a client that itself began the answer gets it gone on with.
func TestRescueOfABegunAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("claude1", "eof-stream")
	got := w.post(messagesAPI, body("claude1>claude2", "", true, messages(says("user", "Count."), says("assistant", "You said:"))), nil)
	if sent := at(w.sent("claude2"), "messages"); !got.whole() || !strings.Contains(sent, "You said:") {
		t.Errorf("got %v and upstream %s, want the client's beginning in it", got, sent)
	}
}

// TestRescueKeepsTheClientAwake: while the understudy thinks, the client hears of it, and
// the call's total time is over for the rescue, too.
func TestRescueKeepsTheClientAwake(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Heartbeat = 100 * time.Millisecond
	w := newWorld(t, withLimits(limits), withTimeouts(route.Timeouts{
		Connect: 20 * time.Second, FirstToken: 20 * time.Second, Answer: 20 * time.Second, Stall: 20 * time.Second, Total: 3 * time.Second,
	}))
	for _, a := range apis {
		w.fail(a.own[0], "eof-stream")
		w.fail(a.own[1], "silent")
		got := w.post(a, body(a.own[0]+">"+a.own[1]+"|+chunks-9", "Hello", true), nil)
		beats := bytes.Count(got.body, []byte(": keep-alive")) + bytes.Count(got.body, []byte(": ping"))
		if rec := w.record(); got.ended != "error" || beats < 5 || rec.Code != llm.CodeTimeout || len(rec.Attempts) != 2 {
			t.Errorf("%s: got %d signs of life, code %q, %v; want some and then the time-out", a.name, beats, rec.Code, got)
		}
	}
}

// TestNoRescueOfLongContinuation: what an understudy adds is bounded likewise, and a short one that breaks is gone on with.
func TestNoRescueOfLongContinuation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	for _, size := range []int{100 << 10, 300 << 10} {
		kept := size < 256<<10
		begun, more := strings.Repeat("begun ", 1000), strings.Repeat("0123456789abcde ", size/16)
		w.vendors["chat1"].Enqueue(fakeprovider.Reply{Parts: []string{begun, "never", "said"}})
		w.vendors["chat1"].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 1})
		w.vendors["chat2"].Enqueue(fakeprovider.Reply{Parts: []string{more[:size/2], more[size/2:], "never", "said"}})
		w.vendors["chat2"].Queue(fakeprovider.Fault{Kind: "eof-stream", After: 2})
		want := begun + more
		if kept {
			w.vendors["claude1"].Enqueue(fakeprovider.Reply{Parts: []string{"End."}})
			want += "End."
		}
		got := w.post(chatAPI, body("chat1>chat2>claude1", "Hello", true, map[string]any{"max_tokens": 200000}), nil)
		if got.whole() != kept || got.text != want {
			t.Errorf("%d bytes: got %d, whole %v; want %d, whole %v", size, len(got.text), got.whole(), len(want), kept)
		}
	}
}
