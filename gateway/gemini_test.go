package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/provider"
)

var geminiAPI = api{name: "gemini", own: []string{"gemini1", "gemini2"}, other: []string{"chat1", "chat2"}, read: readGemini}

// geminiWorld has two providers that speak Google's API, with the facts of the Gemini API's own, and one whose streams
// are arrays.
func geminiWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	known, _ := services.Facts("gemini")
	change := func(f *provider.Facts) { f.Auth, f.Streams, f.Errors = known.Auth, known.Streams, known.Errors }
	arrays := func(f *provider.Facts) {
		f.Auth, f.Streams = known.Auth, map[dialect.Name]string{dialect.GeminiGenerate: "/v1beta/models/{model}:streamGenerateContent"}
		f.Framings = map[dialect.Name]dialect.Framing{dialect.GeminiGenerate: dialect.FramingArray}
	}
	ids := append([]string{"array1"}, geminiAPI.own...)
	return newWorld(t, append(opts, withDialect(gemini.New(), known.Dialects[dialect.GeminiGenerate], ids...),
		withFacts(change, geminiAPI.own...), withFacts(arrays, "array1"))...)
}

// generated is a chunk of an answer, as a client reads it.
type generated struct {
	Candidates []struct {
		Content      struct{ Parts []struct{ Text string } }
		FinishReason string
	}
	Error *struct{ Status string }
}

// readGemini finds the text of an answer, and how a stream ended: it has no terminator, so after its finish reason.
func readGemini(o *answer) {
	var chunks []generated
	switch {
	case len(o.events) > 0:
		for _, e := range o.events {
			var c generated
			if err := json.Unmarshal([]byte(e.data), &c); err != nil {
				o.err = err
			}
			chunks = append(chunks, c)
		}
	case bytes.HasPrefix(bytes.TrimSpace(o.body), []byte("[")):
		o.ended = "cut"
		if err := json.Unmarshal(o.body, &chunks); err != nil {
			return
		}
	default:
		var c generated
		_ = json.Unmarshal(o.body, &c) // an error of another kind has none of it
		chunks = []generated{c}
	}
	for _, c := range chunks {
		if c.Error != nil {
			o.ended, o.errTyp = "error", c.Error.Status
		}
		for _, a := range c.Candidates {
			for _, p := range a.Content.Parts {
				o.text += p.Text
			}
			if a.FinishReason != "" && o.ended != "" {
				o.ended = "clean"
			}
		}
	}
}

// The forms of a request.
const (
	whole  = ":generateContent"
	events = ":streamGenerateContent?alt=sse"
	array  = ":streamGenerateContent"
)

// generate asks in the dialect.
func (w *world) generate(model, operation, body string) *answer {
	w.t.Helper()
	a := geminiAPI
	a.path = "/v1beta/models/" + model + operation
	return w.post(a, []byte(body), nil)
}

const (
	generateSea   = `{"contents":[{"role":"user","parts":[{"text":"the sea"}]}],"generationConfig":{"maxOutputTokens":512}}`
	generateTools = `{"contents":[{"role":"user","parts":[{"text":"Weather?"}]}],"tools":[{"functionDeclarations":[{"name":"get_weather",` +
		`"parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}}}}]}]}`
)

// TestGeminiIsRelayed holds that bytes are the client's and the vendor's, and that the path names the model, whatever
// the framing of a stream at either end.
func TestGeminiIsRelayed(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	const sent = `{ "contents" : [ {"role":"user","parts":[{"text":"sea  "}]} ], "generation_config":{"top_p":1.0}, "labels":{"a":"b"} }`
	for _, c := range []struct{ lead, operation, upstream string }{
		{"gemini1", whole, "/v1beta/models/gemini-3.5-flash:generateContent?"},
		{"gemini1", events, "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse"},
		{"gemini1", array, "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse"},
		{"array1", array, "/v1beta/models/gemini-3.5-flash:streamGenerateContent?"},
		{"array1", events, "/v1beta/models/gemini-3.5-flash:streamGenerateContent?"},
	} {
		got := w.generate(c.lead, c.operation, sent)
		if !got.whole() || got.text != "You said: sea  " || got.header.Get("X-Understudy-Mode") != "relay" {
			t.Errorf("%s%s: got %v want it relayed", c.lead, c.operation, got)
			continue
		}
		if c.operation == array && (!json.Valid(got.body) || got.header.Get("Content-Type") != "application/json") {
			t.Errorf("%s%s: got %s want one array", c.lead, c.operation, got.body)
		}
		seen := w.vendors[c.lead].Requests()
		last := seen[len(seen)-1]
		if string(last.Body) != sent || last.Path+"?"+last.Query != c.upstream || last.Header.Get("X-Goog-Api-Key") != vendorKey {
			t.Errorf("%s%s: got %s?%s %s sent want %s and the client's bytes", c.lead, c.operation, last.Path, last.Query, last.Body, c.upstream)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.OutVisible == 0 {
			t.Errorf("%s%s: got usage %+v counted", c.lead, c.operation, u)
		}
	}
}

// TestGeminiPaths asks at every path under which the vendor serves the operation.
func TestGeminiPaths(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	for _, prefix := range []string{
		"/v1beta/models/", "/v1/models/", "/v1/publishers/google/models/", "/v1beta1/publishers/google/models/",
		"/v1/projects/p/locations/europe-west1/publishers/google/models/", "/v1beta1/projects/p/locations/global/publishers/google/models/",
	} {
		for _, operation := range []string{whole, events, array} {
			a := geminiAPI
			a.path = prefix + "chat1" + operation
			if got := w.post(a, []byte(generateSea), nil); !got.whole() || got.text != "You said: the sea" {
				t.Errorf("%s%s: got %v want an answer", prefix, operation, got)
			}
		}
	}
}

// TestGeminiIsTranslated asks each vendor in each client's dialect, whole and streamed, for a text and for calls.
func TestGeminiIsTranslated(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	check := func(what string, got *answer, text string) {
		t.Helper()
		if !got.whole() || text != "" && got.text != text || text == "" && !bytes.Contains(got.body, []byte("get_weather")) || got.header.Get("X-Understudy-Mode") != "translate" {
			t.Errorf("%s: got %v want %q, or a call", what, got, text)
		}
	}
	for _, stream := range []bool{false, true} {
		for _, a := range []api{chatAPI, messagesAPI} {
			for _, to := range []string{"gemini1", "array1"} {
				check(a.name+" to "+to, w.post(a, body(to, "the sea", stream), nil), "You said: the sea")
				check(a.name+" to "+to, w.post(a, body(to, "Weather?", stream, map[string]any{"tools": []any{weatherTool(a)}}), nil), "")
			}
		}
	}
	for _, to := range []string{"chat1", "claude1"} {
		for _, operation := range []string{whole, events, array} {
			check(to+operation, w.generate(to, operation, generateSea), "You said: the sea")
			check(to+operation, w.generate(to, operation, generateTools), "")
		}
	}
}

// TestA28GeminiSignaturesComeBack is row A28, and T070: a call's signature goes through a client of another dialect and back to its
// place; the simulated vendor refuses a call without one.
func TestA28GeminiSignaturesComeBack(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	tools := map[string]any{"tools": []any{weatherTool(chatAPI)}}
	first := w.post(chatAPI, body("gemini1", "Weather?", false, tools), nil)
	var said struct {
		Choices []struct{ Message map[string]any }
	}
	if err := json.Unmarshal(first.body, &said); err != nil || len(said.Choices) != 1 {
		t.Fatalf("got %v, %v", first, err)
	}
	turn := said.Choices[0].Message
	again := func(what, loss string) {
		t.Helper()
		calls, _ := turn["tool_calls"].([]any)
		call, _ := calls[0].(map[string]any)
		got := w.post(chatAPI, body("gemini1", "", false, tools, map[string]any{"messages": []any{
			map[string]any{"role": "user", "content": "Weather?"},
			turn,
			map[string]any{"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
		}}), nil)
		if !got.whole() || got.text != "The tools said: sunny." || strings.Contains(got.header.Get("X-Understudy-Loss"), "thought_signature") != (loss != "") {
			t.Errorf("%s: got %v with loss %q", what, got, got.header.Get("X-Understudy-Loss"))
		}
	}
	again("with what carries the signature", "")
	seen := w.vendors["gemini1"].Requests()
	if sent := string(seen[len(seen)-1].Body); !strings.Contains(sent, `"thoughtSignature":`) || strings.Contains(sent, "skip_thought_signature_validator") {
		t.Errorf("got %s sent want the vendor's own signature", sent)
	}
	delete(turn, "reasoning_details")
	again("without it", "the placeholder")
}

// TestA46GeminiBlockedPrompt is row A46: a prompt that the vendor refuses is a refusal in the client's words.
func TestA46GeminiBlockedPrompt(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	for _, stream := range []bool{false, true} {
		for a, word := range map[*api]string{&chatAPI: `"finish_reason":"content_filter"`, &messagesAPI: `"stop_reason":"refusal"`} {
			if got := w.post(*a, body("gemini1|+refuse", "x", stream), nil); !got.whole() || !bytes.Contains(got.body, []byte(word)) {
				t.Errorf("%s: got %v want %s", a.name, got, word)
			}
		}
	}
	for _, operation := range []string{whole, events, array} {
		if got := w.generate("gemini1|+refuse", operation, generateSea); !bytes.Contains(got.body, []byte(`"blockReason":"PROHIBITED_CONTENT"`)) {
			t.Errorf("%s: got %v want the vendor's own word", operation, got)
		}
	}
}

// TestT153MalformedCallIsNoAnswer passes on to the understudy when the vendor says that its model wrote no legal call,
// and tells the client so where there is none: it is no refusal, and no empty answer.
func TestT153MalformedCallIsNoAnswer(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	broken := fakeprovider.Reply{Stop: "MALFORMED_FUNCTION_CALL"}
	for _, stream := range []bool{false, true} {
		for _, a := range []api{chatAPI, messagesAPI} {
			w.vendors["gemini1"].Enqueue(broken)
			if got := w.post(a, body("gemini1>chat1", "the sea", stream), nil); !got.whole() || got.text != "You said: the sea" {
				t.Errorf("%s: got %v want the understudy's answer", a.name, got)
			}
			w.vendors["gemini1"].Enqueue(broken)
			if got := w.post(a, body("gemini1", "the sea", stream), nil); got.status < 500 {
				t.Errorf("%s: got %v want an error of the provider's", a.name, got)
			}
		}
	}
}

// TestGeminiStreamsThatBreak ends streams in the dialect's error, in both framings, relayed and translated: an array is
// closed, so that the client can read that it was cut.
func TestGeminiStreamsThatBreak(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	for _, lead := range []string{"gemini1", "chat1"} {
		for _, kind := range []string{"overloaded-stream", "eof-stream", "reset-stream", "not-json"} {
			w.fail(lead, kind)
			for _, operation := range []string{events, array} {
				got := w.generate(lead, operation, generateSea)
				if got.ended != "error" || got.errTyp == "" || operation == array && !json.Valid(got.body) {
					t.Errorf("%s to %s%s: got %v want an error at its end", kind, lead, operation, got)
				}
			}
			w.mend(lead)
		}
	}
	got := w.generate("nobody", events, generateSea)
	if got.status != 404 || got.errTyp != "NOT_FOUND" {
		t.Errorf("unknown model: got %v want the dialect's own error", got)
	}
}

// TestGeminiOneOf: an answer that shall be one of some words, bare, is not asked of those who would answer as they like.
func TestGeminiOneOf(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t)
	const oneOf = `{"contents":[{"role":"user","parts":[{"text":"the sea"}]}],"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a","b"]}}}`
	if got := w.generate("chat1", whole, oneOf); got.status != 400 || w.count("chat1") != 0 {
		t.Errorf("got %v, want it refused unsent", got)
	}
}

// TestGeminiRescues: an answer that another target goes on with has nothing in it but data, which is all that Google's
// SDKs can read.
func TestGeminiRescues(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	for _, lead := range []string{"gemini1", "chat1"} {
		w.fail(lead, "reset-stream")
		for _, second := range []string{"gemini2", "chat2"} {
			for _, operation := range []string{events, array} {
				got := w.generate(lead+">"+second+"|+chunks-12", operation, generateSea)
				if got.text != words(12) || got.ended != "clean" || w.count(second) == 0 {
					t.Errorf("%s to %s%s: got %q, %v; want it whole", lead, second, operation, got.text, got)
				}
				w.vendors[second].Forget()
				for line := range strings.Lines(string(got.body)) {
					if operation == events && line != "\n" && !strings.HasPrefix(line, "data: ") {
						t.Errorf("%s to %s: got line %q, want data", lead, second, line)
					}
				}
			}
		}
	}
}

// TestGeminiArrayIsClosed relays an array that ends after the answer and before its bracket.
func TestGeminiArrayIsClosed(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	sound := w.generate("array1", array, generateSea)
	w.vendors["array1"].Queue(fakeprovider.Fault{Kind: "eof-bytes", After: len(sound.body) - 1})
	if got := w.generate("array1", array, generateSea); !got.whole() || !json.Valid(got.body) || got.text != sound.text {
		t.Errorf("got %v want the array closed", got)
	}
	w.vendors["array1"].Queue(fakeprovider.Fault{Kind: "eof-bytes", After: len(sound.body) - 5})
	if got := w.generate("array1", array, generateSea); got.ended != "error" || !json.Valid(got.body) {
		t.Errorf("got %v want an error at the end of an array", got)
	}
}

// TestA19GeminiErrors is row A19, and the vendor's other ways to say no.
func TestA19GeminiErrors(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	for kind, class := range map[string]string{
		"auth-401": "provider_auth", "quota-429": "quota", "credit-400": "quota", "rate-429-retryinfo": "rate_limit", "overloaded-529": "overloaded", "model-404": "model_gone",
	} {
		w.fail("gemini1", kind)
		for _, operation := range []string{whole, events} {
			got := w.generate("gemini1>chat1", operation, generateSea)
			if !got.whole() || got.text != "You said: the sea" {
				t.Errorf("%s: got %v want the understudy's answer", kind, got)
			}
			if code := string(w.record().Attempts[0].Code); code != class {
				t.Errorf("%s: got class %s want %s", kind, code, class)
			}
		}
		w.mend("gemini1")
	}
	w.fail("gemini1", "context-400")
	if got := w.generate("gemini1>chat1", whole, generateSea); got.status != 400 || !bytes.Contains(got.body, []byte("The input token count (2000001)")) {
		t.Errorf("got %v want the vendor's own error", got)
	}
}

// TestGeminiModels lists what can be asked for, at the dialect's own path and at the one it shares.
func TestGeminiModels(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t)
	for path, header := range map[string]string{"/v1beta/models": "", "/v1/models": "X-Goog-Api-Key"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set(header, "k")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Models []struct{ Name string }
		}
		err = json.NewDecoder(resp.Body).Decode(&list)
		_ = resp.Body.Close()
		if err != nil || len(list.Models) != 1 || list.Models[0].Name != "models/chat1>claude1" {
			t.Errorf("%s: got %+v, %v want the world's model", path, list, err)
		}
	}
}

// TestGeminiFramings reads what a relay made of one framing in the other: event by event the same.
func TestGeminiFramings(t *testing.T) {
	t.Parallel()
	w := geminiWorld(t, withTimeouts(patient()))
	asEvents, asArray := w.generate("gemini1|+think", events, generateSea), w.generate("gemini1|+think", array, generateSea)
	list := frames.NewReader(frames.Array, bytes.NewReader(asArray.body))
	stream := sse.NewReader(bytes.NewReader(asEvents.body), 0)
	for n := 0; ; n++ {
		f, err := list.Next()
		if err != nil {
			t.Fatalf("chunk %d: %v", n, err)
		}
		e, streamErr := stream.Next()
		if !f.HasData {
			if streamErr == nil {
				t.Errorf("got %d chunks in the array and more in the stream", n)
			}
			return
		}
		if got, want := withoutID(f.Data), withoutID(e.Data); got != want {
			t.Errorf("chunk %d: got %s want %s", n, got, want)
		}
	}
}

// withoutID is a chunk without the number of the answer.
func withoutID(data []byte) string {
	before, _, _ := bytes.Cut(data, []byte(`"responseId"`))
	return string(before)
}

// TestGeminiFaults breaks a lead that speaks the dialect by every fault that it has a form for.
func TestGeminiFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		if isAlikeInAll(f) || !f.Exists(fakeprovider.Generate) {
			continue
		}
		busy <- struct{}{}
		wg.Go(func() {
			defer func() { <-busy }()
			w := geminiWorld(t, withTimeouts(patient()))
			defer w.close()
			for _, stream := range []bool{false, true} {
				if stream && f.Stream || !stream && f.Unary {
					w.holdFault(f, chatAPI, "gemini1", "chat2", stream)
				}
			}
		})
	}
	wg.Wait()
}
