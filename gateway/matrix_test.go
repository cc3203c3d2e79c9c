package gateway_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// The matrix through the gateway: a client of each dialect, which writes canonical requests and reads answers with its
// dialect's own provider side, on a simulated vendor of each.

// matrixVendors are the providers of the matrix, and the dialect that each speaks.
var matrixVendors = []struct {
	id      string
	dialect dialect.Name
}{
	{"chat1", dialect.OpenAIChat},
	{"claude1", dialect.AnthropicMessages},
	{"resp1", dialect.OpenAIResponses},
	{"gemini1", dialect.GeminiGenerate},
	{"aws1", dialect.BedrockConverse},
	{"cohere1", dialect.CohereChat},
	{"ollama1", dialect.OllamaChat},
}

func matrixDialects() map[dialect.Name]*dialect.Dialect {
	all := map[dialect.Name]*dialect.Dialect{}
	for _, d := range []*dialect.Dialect{
		openaichat.New(), anthropic.New(), openairesponses.New(), gemini.New(), bedrock.New(), cohere.New(), ollama.New(),
	} {
		all[d.Name] = d
	}
	return all
}

// matrixWorld has a vendor of each dialect.
func matrixWorld(t *testing.T, more ...worldOption) *world {
	t.Helper()
	google, _ := services.Facts("gemini")
	aws, _ := services.Facts("bedrock")
	return newWorld(t, append([]worldOption{
		withTimeouts(patient()),
		withDialect(openairesponses.New(), responsesAPI.path, "resp1"),
		withDialect(gemini.New(), google.Dialects[dialect.GeminiGenerate], "gemini1"),
		withFacts(func(f *provider.Facts) { f.Auth, f.Streams, f.Errors = google.Auth, google.Streams, google.Errors }, "gemini1"),
		withDialect(bedrock.New(), aws.Dialects[dialect.BedrockConverse], "aws1"),
		withFacts(func(f *provider.Facts) { f.Streams, f.Errors = aws.Streams, aws.Errors }, "aws1"),
		withDialect(cohere.New(), cohereAPI.path, "cohere1"),
		withDialect(ollama.New(), ollamaAPI.path, "ollama1"),
	}, more...)...)
}

// readAnswer is a client's answer as its own dialect reads it.
type readAnswer struct {
	*answer
	resp  *llm.Response
	fault *llm.Error // what it got instead
}

// ask sends a canonical request as a client of d.
func (w *world) ask(d *dialect.Dialect, route string, req *llm.Request) readAnswer {
	w.t.Helper()
	r := *req
	r.Model, r.StreamUsage = route, r.Stream
	enc, err := d.Provider.EncodeRequest(&r, dialect.Target{Model: route})
	if err != nil {
		w.t.Fatalf("%s: %v", d.Name, err)
	}
	a := api{name: string(d.Name), path: pathFor(d, route, r.Stream)}
	if d.Name == dialect.AnthropicMessages {
		a.header = messagesAPI.header
	}
	got := readAnswer{answer: w.post(a, enc.Body, nil)}
	if got.err != nil {
		w.t.Fatalf("%s to %s: %v", d.Name, route, got.err)
	}
	switch {
	case got.status >= 400:
		got.fault = d.Provider.DecodeError(got.status, got.body)
	case r.Stream:
		read, closed, streamErr := dialecttest.ReadStream(d.Provider.NewStreamReader(), dialecttest.FramesOf(w.t, d.Framing, got.body))
		if err = streamErr; err == nil {
			events := slices.Concat(read, closed)
			if err := dialecttest.CheckEvents(events); err != nil {
				w.t.Errorf("%s to %s: got %v want a legal stream\n%s", d.Name, route, err, dialecttest.Legible(w.t, d.Framing, got.body))
			}
			got.resp = llm.Collect(events)
		}
	default:
		got.resp, err = d.Provider.DecodeResponse(got.body)
	}
	if err != nil && !errors.As(err, &got.fault) {
		w.t.Fatalf("%s to %s: %v", d.Name, route, err)
	}
	return got
}

// pathFor is where clients of d ask for the model, whole or streamed as events.
func pathFor(d *dialect.Dialect, model string, stream bool) string {
	for _, e := range d.Endpoints {
		if e.Operation != dialect.Generate || e.Framing != "" && e.Framing != d.Framing {
			continue
		}
		byPath := strings.Contains(e.Path, "{model}")
		if byPath && e.Stream != stream || e.Stream && d.Framing == "" && e.Query == "" {
			continue
		}
		path := strings.Replace(e.Path, "{model}", url.PathEscape(model), 1)
		if e.Query != "" {
			path += "?" + e.Query
		}
		return path
	}
	return ""
}

// gist is the words and calls of an answer's first choice.
func (r readAnswer) gist() (text, thought string, calls []string) {
	if r.resp == nil || len(r.resp.Choices) == 0 {
		return "", "", nil
	}
	for _, p := range r.resp.Choices[0].Parts {
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			text += p.Text
		case llm.PartThinking:
			thought += p.Text
		case llm.PartToolCall:
			calls = append(calls, p.Call.Name+p.Call.Args)
		default:
		}
	}
	return text, thought, calls
}

func (r readAnswer) String() string {
	text, thought, calls := r.gist()
	return r.answer.String() + "; read as " + text + "; thought " + thought + "; calls " + strings.Join(calls, ", ") + "; error " + errorText(r.fault)
}

func errorText(e *llm.Error) string {
	if e == nil {
		return "none"
	}
	return e.Error()
}

// matrixCase is what a client of the matrix asks, and what it must be told.
type matrixCase struct {
	name   string
	edit   func(*llm.Request)
	reply  *fakeprovider.Reply // nil for the vendor's own
	text   string
	think  string
	calls  []string
	hasEnd llm.StopReason
}

const tinyPNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func matrixCases() []matrixCase {
	city := []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`)
	tools := func(r *llm.Request) {
		r.Tools = []llm.Tool{{Name: "get_weather", Description: "Weather", Schema: city}, {Name: "get_time", Description: "Time", Schema: city}}
	}
	strict := true
	least := int64(16) // the least that every vendor takes
	return []matrixCase{
		{name: "text", text: "You said: the sea", hasEnd: llm.StopEnd},
		{name: "length", edit: func(r *llm.Request) { r.MaxTokens = &least }, hasEnd: llm.StopLength, reply: &fakeprovider.Reply{Text: strings.Repeat("ten ", 20)}, text: strings.Repeat("ten ", 16)},
		{
			name: "tools", edit: tools, hasEnd: llm.StopToolCalls, reply: &fakeprovider.Reply{Text: "So.", ToolCalls: []fakeprovider.ToolCall{
				{Name: "get_weather", Arguments: `{"city":"Oslo"}`}, {Name: "get_time", Arguments: `{"city":"Bergen"}`},
			}}, text: "So.", calls: []string{`get_weather{"city":"Oslo"}`, `get_time{"city":"Bergen"}`},
		},
		{name: "results", edit: func(r *llm.Request) {
			tools(r)
			r.Messages = append(r.Messages, llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{
				{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "toolu_a", Name: "get_weather", Args: `{"city":"Oslo"}`}},
				{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "toolu_b", Name: "get_time", Args: `{"city":"Bergen"}`}},
			}}, llm.Message{Role: llm.RoleTool, Parts: []llm.Part{
				{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "toolu_a", Name: "get_weather", Parts: []llm.Part{llm.Text("sunny")}}},
				{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "toolu_b", Name: "get_time", Parts: []llm.Part{llm.Text("noon")}}},
			}})
		}, text: "The tools said: sunny; noon."},
		{name: "image", edit: func(r *llm.Request) {
			r.Messages[0].Parts = append(r.Messages[0].Parts, llm.Part{Kind: llm.PartImage, Media: &llm.Media{Type: "image/png", Data: tinyPNG}})
		}, text: "I see image/png of 70 bytes. You said: the sea"},
		{name: "schema", edit: func(r *llm.Request) {
			r.Format = &llm.Format{Kind: llm.FormatSchema, Name: "place", Schema: city, Strict: &strict}
		}, text: `{"city":"Oslo"}`, reply: &fakeprovider.Reply{Text: `{"city":"Oslo"}`}},
		{name: "thinking", reply: &fakeprovider.Reply{Thinking: "Hm, five.", Text: "Five."}, text: "Five.", think: "Hm, five."},
		{name: "two choices", edit: func(r *llm.Request) { r.N = 2 }, text: "You said: the sea"},
		{name: "who asks", edit: func(r *llm.Request) { r.User = strings.Repeat("user-", 20) }, text: "You said: the sea"},
		{name: "who asks, by mail", edit: func(r *llm.Request) { r.User = "alice@example.com" }, text: "You said: the sea"},
		{name: "tier", edit: func(r *llm.Request) { r.Tier = "priority" }, text: "You said: the sea"},
		{name: "labels", edit: func(r *llm.Request) {
			r.Metadata = []llm.Label{{Key: "team", Value: "night watch"}, {Key: "café", Value: strings.Repeat("5 €", 100)}}
		}, text: "You said: the sea"},
		{name: "cache key", edit: func(r *llm.Request) { r.CacheKey = strings.Repeat("key-", 16) }, text: "You said: the sea"},
	}
}

func (c matrixCase) request(stream bool) *llm.Request {
	limit := int64(512)
	r := &llm.Request{MaxTokens: &limit, Stream: stream, Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("the sea")}}}}
	if c.edit != nil {
		c.edit(r)
	}
	return r
}

func TestMatrixIsComplete(t *testing.T) {
	folders, err := filepath.Glob("../dialect/*/testdata")
	if err != nil || len(folders) != len(matrixVendors) || len(folders) != len(matrixDialects()) {
		t.Errorf("got %d vendors and %d clients (%v), want those of each of %v", len(matrixVendors), len(matrixDialects()), err, folders)
	}
}

// TestMatrix asks every vendor in every client's dialect, whole and streamed. What the contract refuses is refused in
// its words; everything else is answered.
func TestMatrix(t *testing.T) {
	t.Parallel()
	dialects := matrixDialects()
	for name, client := range dialects {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			w := matrixWorld(t)
			for _, v := range matrixVendors {
				for _, c := range matrixCases() {
					for _, stream := range []bool{false, true} {
						w.holdCase(client, v.id, dialects[v.dialect], c, stream)
					}
				}
			}
		})
	}
}

// holdCase asks one vendor one thing.
func (w *world) holdCase(client *dialect.Dialect, id string, vendor *dialect.Dialect, c matrixCase, stream bool) {
	w.t.Helper()
	req := c.request(stream)
	if !saysAll(client, req) {
		return
	}
	what := id + ": " + c.name
	if stream {
		what += " streamed"
	}
	refused := false
	if client.Name != vendor.Name {
		losses, _ := llm.LossReport.Apply(dialect.Contract(client, vendor, req))
		refused = len(losses) > 0
	}
	if c.reply != nil && !refused {
		w.vendors[id].Enqueue(*c.reply)
	}
	got := w.ask(client, id, req)
	if refused {
		if got.status != 400 || got.fault == nil || !strings.Contains(got.fault.Message, "The target's API ("+string(vendor.Name)+") cannot carry: ") {
			w.t.Errorf("%s: got %v want it refused in the contract's words", what, got)
		}
		return
	}
	if got.fault != nil {
		w.t.Errorf("%s: got %v; sent %s", what, got, w.vendors[id].Last().Body)
		return
	}
	text, thought, calls := got.gist()
	if text != c.text || thought != c.think || !slices.Equal(calls, c.calls) {
		w.t.Errorf("%s: got %v want %q, %q, %q; sent %s", what, got, c.text, c.think, c.calls, w.vendors[id].Last().Body)
	}
	if end := got.resp.Choices[0].Stop.Reason; c.hasEnd != "" && end != c.hasEnd {
		w.t.Errorf("%s: got it ended by %s want %s", what, end, c.hasEnd)
	}
	if u := got.resp.Usage; !u.Known || u.Output() == 0 {
		w.t.Errorf("%s: got usage %+v", what, u)
	}
}

// saysAll reports whether the dialect has a way to say all of the request.
func saysAll(d *dialect.Dialect, req *llm.Request) bool {
	enc, err := d.Provider.EncodeRequest(req, dialect.Target{Model: "m"})
	lost, _ := llm.LossReport.Apply(append(enc.Losses, dialect.Contract(&dialect.Dialect{Name: "stranger"}, d, req)...))
	return err == nil && len(lost) == 0
}

// TestMatrixErrors fails every vendor under every client's dialect: the client is told the class in its own words, with
// the status that its dialect has for it, whether it asked for a stream or not (T092); a fault of the provider's is
// never told as the client's (T144).
func TestMatrixErrors(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for name, client := range matrixDialects() {
		beside.run(t, string(name), func(t *testing.T) {
			w := matrixWorld(t)
			for _, v := range matrixVendors {
				for kind, class := range map[string]llm.Code{
					"invalid-400": llm.CodeInvalidRequest, "context-400": llm.CodeContextLength, "rate-429-seconds": llm.CodeRateLimit,
					"overloaded-529": llm.CodeOverloaded,
				} {
					w.fail(v.id, kind)
					for _, stream := range []bool{false, true} {
						w.holdError(client, v.id, client.Name == v.dialect, stream, class)
					}
					w.mend(v.id)
				}
				w.fail(v.id, "reset-stream")
				if got := w.ask(client, v.id, matrixCase{}.request(true)); got.fault == nil {
					t.Errorf("%s: got %v want the stream to end in an error", v.id, got)
				}
				w.mend(v.id)
			}
		})
	}
}

// holdError asks a vendor that fails with errors of one class.
func (w *world) holdError(client *dialect.Dialect, id string, own, stream bool, class llm.Code) {
	w.t.Helper()
	got := w.ask(client, id, matrixCase{}.request(stream))
	if rec := w.record(); rec.Attempts[0].Code != class {
		w.t.Errorf("%s: got class %s want %s", id, rec.Attempts[0].Code, class)
	}
	status, body := client.Client.EncodeError(&llm.Error{Code: class, Origin: llm.OriginProvider, Message: "m"}, "id")
	if own {
		status = got.status // the vendor's own
	}
	want := client.Provider.DecodeError(status, body).Code
	if got.fault == nil || !own && (got.fault.Code != want || got.status != status) || (got.status < 500) != (class.Info().Status < 500) && !own {
		w.t.Errorf("%s: got %v want %s with status %d", id, got, want, status)
	}
}
