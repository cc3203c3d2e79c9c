package gateway_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// The corpus is recorded traffic that is kept beside the project and not in it.
const reference = "../../shared"

// exchange is one recorded request and its answer.
type exchange struct {
	ID             string
	Vendor, Method string
	RequestKind    string            `json:"request_kind"`
	RequestBody    json.RawMessage   `json:"request_body"`
	Status         int               `json:"status"`
	ResponseHeader map[string]string `json:"response_headers"`
	ResponseKind   string            `json:"response_kind"`
	ResponseBody   json.RawMessage   `json:"response_body"`
	Flags          []string
}

// answerBytes is the answer as it was on the wire.
func (x *exchange) answerBytes() []byte {
	if x.ResponseKind == "json" {
		return x.ResponseBody
	}
	var text string
	_ = json.Unmarshal(x.ResponseBody, &text)
	return []byte(text)
}

// loadCorpus reads a file of the corpus: the answers in JSON and streams, and those
// of the other kinds named.
func loadCorpus(t *testing.T, file string, kinds ...string) []exchange {
	t.Helper()
	f, err := os.Open(filepath.Join(reference, "corpus", file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no recorded traffic: %s is not beside this checkout", reference)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReaderSize(unzipped, 1<<20)
	var all []exchange
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			var x exchange
			if err := json.Unmarshal(line, &x); err != nil {
				t.Fatal(err)
			}
			if x.ResponseKind == "json" || x.ResponseKind == "sse" || slices.Contains(kinds, x.ResponseKind) {
				all = append(all, x)
			}
		}
		if err != nil {
			return all
		}
	}
}

func TestOpenAIChatCorpus(t *testing.T) {
	replay(t, "openai.chat.jsonl.gz", chatAPI, openaichat.New(), anthropic.New())
}

func TestAnthropicMessagesCorpus(t *testing.T) {
	replay(t, "anthropic.messages.jsonl.gz", messagesAPI, anthropic.New(), openaichat.New())
}

// replay sends recorded traffic through the gateway and through the codecs.
func replay(t *testing.T, file string, a api, own, other *dialect.Dialect) {
	all := loadCorpus(t, file)
	tally := counts{}
	relayCorpus(t, all, a, own, tally)
	cross := newCrossing(t, own, other, tally)
	for i := range all {
		cross.request(&all[i])
		cross.response(&all[i])
	}
	t.Logf("%s: %d exchanges\n%s", file, len(all), tally)
}

// counts are what became of exchanges, by name.
type counts map[string]int

func (c counts) String() string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "  %6d  %s\n", c[name], name)
	}
	return b.String()
}

// replayVendor answers every request with the exchange at hand and keeps what it
// was sent.
type replayVendor struct {
	current atomic.Pointer[exchange]
	got     atomic.Pointer[[]byte]
}

func (v *replayVendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, _ := io.ReadAll(r.Body)
	v.got.Store(&sent)
	x := v.current.Load()
	w.Header().Set("Content-Type", "application/json")
	if x.ResponseKind == "sse" {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	w.WriteHeader(max(x.Status, 200))
	_, _ = w.Write(x.answerBytes())
}

// oneTarget routes every model to one provider under its own name.
type oneTarget struct{ p *provider.Provider }

func (o oneTarget) Pick(model string) (route.Route, bool) {
	return route.Route{
		Model: model, Targets: []route.Target{{Provider: o.p, Model: model}}, Loss: llm.LossReport,
		Timeouts: route.Timeouts{Connect: time.Second, FirstToken: time.Minute, Stall: time.Minute, Total: time.Minute},
	}, true
}

func (oneTarget) Entries() []dialect.ModelEntry { return nil }

// relayCorpus holds that the same dialect in and out leaves the bytes alone.
func relayCorpus(t *testing.T, all []exchange, a api, d *dialect.Dialect, tally counts) {
	t.Helper()
	vendor := &replayVendor{}
	upstream := httptest.NewServer(vendor)
	defer upstream.Close()
	w := newWorld(t)
	w.gw.Reload(oneTarget{&provider.Provider{ID: "recorded", Private: true, Facts: provider.Facts{
		BaseURL: upstream.URL, Auth: "none", Dialects: map[dialect.Name]string{d.Name: "/"},
	}}})
	for i := range all {
		x := &all[i]
		if x.RequestKind != "json" || !bytes.HasPrefix(x.RequestBody, []byte("{")) {
			continue
		}
		vendor.current.Store(x)
		vendor.got.Store(nil)
		// Nothing would do better, and asking again waits.
		got := w.post(a, []byte(x.RequestBody), map[string]string{gateway.HeaderFallback: "off"})
		tally["relayed: "+w.compareRelay(x, vendor.got.Load(), got)]++
	}
}

// compareRelay says how a relayed exchange fared, and fails for one that changed.
func (w *world) compareRelay(x *exchange, sent *[]byte, got *answer) string {
	w.t.Helper()
	if sent == nil {
		return fmt.Sprintf("refused before it was sent (%d)", got.status)
	}
	if want := withoutAsk(x.RequestBody, *sent); !bytes.Equal(want, *sent) && !bytes.Equal(x.RequestBody, *sent) {
		w.t.Errorf("%s: got upstream body\n%.600s\nwant\n%.600s", x.ID, *sent, x.RequestBody)
	}
	answer := x.answerBytes()
	switch {
	case x.Status >= 400 && got.status == x.Status && bytes.Equal(got.body, answer):
		return "error, byte for byte"
	case x.Status >= 400:
		return "error, in the gateway's words"
	case bytes.Equal(got.body, answer):
		return "answer, byte for byte"
	case got.ended == "clean" && bytes.HasPrefix(answer, got.body):
		return "stream, without what came after its terminator"
	case got.ended == "clean" && !asksUsage(x.RequestBody) && streamsEqual(got.body, answer, withoutUsage):
		return "stream, without the usage that was not asked for"
	case got.ended == "clean" && streamsEqual(got.body, answer, sameEvent):
		return "stream, and the terminator that was missing"
	case got.ended == "error" || got.status >= 400:
		return "answer that is none: " + string(w.record().Attempts[0].Code)
	}
	w.t.Errorf("%s: got an answer of status %d, ended %q, that differs:\n%s", x.ID, got.status, got.ended, firstDifference(string(got.body), string(answer)))
	return "CHANGED"
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-80)
	return fmt.Sprintf("…%.300s\nwant\n…%.300s", got[from:], want[from:])
}

// withoutAsk is the client's body with what the gateway asks for itself.
func withoutAsk(client, sent []byte) []byte {
	if jsontext.Value(sent).Get("stream_options", "include_usage").IsNull() {
		return client
	}
	with, err := jsontext.Set(client, "stream_options.include_usage", []byte("true"))
	if err != nil {
		return client
	}
	return with
}

// streamsEqual compares events, the first stream having at most a terminator more.
// expect makes of each event of the second what is to stand in the first; "" is
// nothing.
func streamsEqual(got, want []byte, expect func(string) string) bool {
	var rest []string
	for _, e := range eventsOf(want) {
		if e = expect(e); e != "" {
			rest = append(rest, e)
		}
	}
	have := eventsOf(got)
	return len(have) >= len(rest) && len(have) <= len(rest)+3 && slices.Equal(have[:len(rest)], rest)
}

func sameEvent(e string) string { return e }

func asksUsage(request []byte) bool {
	asks, _ := jsontext.Value(request).Get("stream_options", "include_usage").Bool()
	return asks
}

// withoutUsage is what a client that did not ask for usage gets of an event: some
// vendors send usage to everybody, which is taken for the gateway's own request.
func withoutUsage(e string) string {
	name, data, _ := strings.Cut(e, "\n")
	if jsontext.Value(data).Kind() != jsontext.Object {
		return e
	}
	usage, choices := jsontext.Value(data).Get("usage"), jsontext.Value(data).Get("choices")
	if usage == nil {
		return e
	}
	if !usage.IsNull() && (choices.IsNull() || string(choices) == "[]") {
		return ""
	}
	if usage.IsNull() {
		dropped, _, err := jsontext.Drop([]byte(data), "usage")
		if err != nil {
			return e
		}
		data = string(dropped)
	}
	return name + "\n" + data
}

func eventsOf(stream []byte) []string {
	var events []string
	r := sse.NewReader(bytes.NewReader(stream), 0)
	for {
		e, err := r.Next()
		if e.HasData {
			events = append(events, e.Name+"\n"+string(bytes.TrimSpace(e.Data)))
		}
		if err != nil {
			return events
		}
	}
}

// crossing takes exchanges of one dialect over to another, by the codecs alone.
type crossing struct {
	t          *testing.T
	own, other *dialect.Dialect
	tally      counts
	schemas    map[string]*jsonschema.Schema
}

func newCrossing(t *testing.T, own, other *dialect.Dialect, tally counts) *crossing {
	c := &crossing{t: t, own: own, other: other, tally: tally, schemas: map[string]*jsonschema.Schema{}}
	for name, at := range map[string]string{
		"openai-chat request":         "openai/openai.yaml#CreateChatCompletionRequest",
		"openai-chat response":        "openai/openai.yaml#CreateChatCompletionResponse",
		"anthropic-messages request":  "anthropic/anthropic.openapi.yaml#CreateMessageParams",
		"anthropic-messages response": "anthropic/anthropic.openapi.yaml#Message",
	} {
		c.schemas[name] = compileSchema(t, at)
	}
	return c
}

// compileSchema reads a vendor's API description.
func compileSchema(t *testing.T, at string) *jsonschema.Schema {
	t.Helper()
	file, name, _ := strings.Cut(at, "#")
	text, err := os.ReadFile(filepath.Join(reference, "specs", file))
	if err != nil {
		t.Fatal(err)
	}
	// An example that is nothing but line ends is beyond the parser, and no part of the schema.
	text = bytes.ReplaceAll(text, []byte("example: |2+\n\n"), []byte("example: x\n"))
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	tidySchema(doc)
	encoded, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("spec.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("spec.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// tidySchema makes a description that mixes OpenAPI 3.0 and 3.1 plain JSON Schema:
// "nullable" becomes a type, and a bound beyond what the YAML parser reads as a
// number is left out.
func tidySchema(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			tidySchema(item)
		}
	case map[string]any:
		for _, key := range []string{"minimum", "maximum"} {
			if _, text := v[key].(string); text {
				delete(v, key)
			}
		}
		// Anthropic's description demands the citations of every text. No recorded answer has the member
		// where there are none, and a widely used client refuses the null that could stand for them.
		if required, ok := v["required"].([]any); ok {
			v["required"] = slices.DeleteFunc(required, func(name any) bool { return name == "citations" })
		}
		if v["nullable"] == true {
			if one, ok := v["type"].(string); ok {
				v["type"] = []any{one, "null"}
			}
			for _, key := range []string{"oneOf", "anyOf"} {
				if list, ok := v[key].([]any); ok {
					v[key] = append(list, map[string]any{"type": "null"})
				}
			}
		}
		for _, item := range v {
			tidySchema(item)
		}
	}
}

func (c *crossing) validate(x *exchange, kind string, d *dialect.Dialect, body []byte) {
	c.t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		c.t.Errorf("%s: got a %s that is no JSON: %v\n%.500s", x.ID, kind, err, body)
		return
	}
	if err := c.schemas[string(d.Name)+" "+kind].Validate(value); err != nil {
		c.t.Errorf("%s: got a %s that %s's description forbids: %v\n%.400s", x.ID, kind, d.Name, err, body)
		c.tally["crossed "+kind+": INVALID"]++
		return
	}
	c.tally["crossed "+kind+": valid"]++
}

// request decodes a recorded request, encodes it again and crosses it.
func (c *crossing) request(x *exchange) {
	c.t.Helper()
	if x.RequestKind != "json" || x.Status >= 400 || !bytes.HasPrefix(x.RequestBody, []byte("{")) || jsontext.Check(x.RequestBody, jsontext.Limits{}) != nil {
		return
	}
	req, err := c.own.Client.DecodeRequest(x.RequestBody)
	if err != nil {
		c.tally["request not understood: "+short(err)]++
		return
	}
	c.again(x, req)
	refused, reported := llm.LossReport.Apply(dialect.Contract(c.own, c.other, req))
	if len(refused) > 0 {
		c.tally["crossed request: refused for "+refused[0].Name()]++
		return
	}
	encoded, err := c.other.Provider.EncodeRequest(req, dialect.Target{Model: "m", Facts: llm.ModelFacts{MaxOutput: 8192}})
	if err != nil {
		c.tally["crossed request: refused, "+short(err)]++
		return
	}
	if refused, _ := llm.LossReport.Apply(encoded.Losses); len(refused) > 0 {
		c.tally["crossed request: refused for "+refused[0].Name()]++
		return
	}
	for _, l := range append(reported, encoded.Losses...) {
		c.tally["loss: "+l.String()]++
	}
	c.validate(x, "request", c.other, encoded.Body)
}

// again holds that a request survives its own dialect's two sides.
func (c *crossing) again(x *exchange, req *llm.Request) {
	c.t.Helper()
	encoded, err := c.own.Provider.EncodeRequest(req, dialect.Target{Model: req.Model, Facts: llm.ModelFacts{MidSystem: true, Prefill: true}})
	if err != nil {
		c.tally["own dialect again: refused, "+short(err)]++
		return
	}
	second, err := c.own.Client.DecodeRequest(encoded.Body)
	if err != nil {
		c.t.Errorf("%s: got an error on what was encoded: %v", x.ID, err)
		return
	}
	named := len(encoded.Losses) + len(dialect.Contract(c.own, c.own, req))
	if got, want := dump(second), dump(req); got != want && named == 0 {
		c.t.Errorf("%s: got a request that changed and no loss:\n%s", x.ID, firstDifference(got, want))
		c.tally["own dialect again: CHANGED"]++
		return
	}
	c.tally["own dialect again: same, or with a named loss"]++
}

// dump writes a request for comparison, without the differences that mean nothing:
// a developer's message is a system message by another name, messages of one role
// in a row are one turn, a penalty of 0 and a temperature of 1 are the default, a
// provider is always asked for usage, a document and a format must have a name, and
// the call says whose result a result is.
func dump(r *llm.Request) string {
	n := *r
	n.StreamUsage = n.Stream
	n.N = max(n.N, 1)
	if n.FrequencyPenalty != nil && *n.FrequencyPenalty == 0 {
		n.FrequencyPenalty = nil
	}
	if n.PresencePenalty != nil && *n.PresencePenalty == 0 {
		n.PresencePenalty = nil
	}
	n.Messages = merged(n.Messages)
	if n.Format != nil && n.Format.Name == "" {
		named := *n.Format
		named.Name = "response"
		n.Format = &named
	}
	if n.Temperature != nil && *n.Temperature == 1 {
		n.Temperature = nil
	}
	b, _ := json.Marshal(n)
	text := strings.ReplaceAll(string(b), `"Role":"developer"`, `"Role":"system"`)
	text = strings.ReplaceAll(text, `{"Name":"document.pdf"`, `{"Name":""`)
	return resultName.ReplaceAllString(text, `$1,"Name":""`)
}

func merged(messages []llm.Message) []llm.Message {
	var out []llm.Message
	for _, m := range messages {
		if last := len(out) - 1; last >= 0 && m.Role == llm.RoleUser && out[last].Role == m.Role && m.Name == "" {
			out[last].Parts = append(slices.Clone(out[last].Parts), m.Parts...)
			continue
		}
		out = append(out, m)
	}
	return out
}

var resultName = regexp.MustCompile(`("CallID":"[^"]*"),"Name":"[^"]*"`)

// response crosses a recorded answer, whole or streamed.
func (c *crossing) response(x *exchange) {
	c.t.Helper()
	body := x.answerBytes()
	if x.Status >= 400 {
		e := c.own.Provider.DecodeError(x.Status, body)
		c.tally[fmt.Sprintf("error %d is %s", x.Status, e.Code)]++
		return
	}
	var answer *llm.Response
	if x.ResponseKind == "sse" {
		events, err := readEvents(c.own, body)
		if err != nil {
			c.tally["stream that is no answer: "+short(err)]++
			return
		}
		answer = llm.Collect(events)
		c.restream(x, events, answer)
	} else {
		var err error
		if answer, err = c.own.Provider.DecodeResponse(body); err != nil {
			c.tally["body that is no answer: "+short(err)]++
			return
		}
	}
	crossed, losses, err := c.other.Client.EncodeResponse(answer)
	if err != nil {
		c.tally["crossed response: refused, "+short(err)]++
		return
	}
	for _, l := range losses {
		c.tally["loss of answer: "+l.String()]++
	}
	c.validate(x, "response", c.other, crossed)
}

// restream writes a stream in the other dialect and reads it again: text, calls
// and stop must be the same.
func (c *crossing) restream(x *exchange, events []llm.Event, want *llm.Response) {
	c.t.Helper()
	writer := c.other.Client.NewStreamWriter(dialect.StreamOptions{ID: "id", Model: "m", Created: 1, Usage: true})
	var out []byte
	for _, e := range events {
		out = writer.Write(out, e)
	}
	again, err := readEvents(c.other, out)
	if err != nil {
		c.t.Errorf("%s: got a crossed stream that cannot be read: %v\n%.600s", x.ID, err, out)
		return
	}
	if got, want := gist(llm.Collect(again)), gist(want); got != want {
		c.t.Errorf("%s: got a crossed stream that says something else:\n%s", x.ID, firstDifference(got, want))
	}
	c.tally["crossed stream: read again"]++
}

func readEvents(d *dialect.Dialect, stream []byte) ([]llm.Event, error) {
	reader := d.Provider.NewStreamReader()
	frames := sse.NewReader(bytes.NewReader(stream), 0)
	var events []llm.Event
	for {
		e, err := frames.Next()
		if e.HasData && (err == nil || json.Valid(e.Data) || string(e.Data) == "[DONE]") {
			var readErr error
			if events, readErr = reader.Read(events, dialect.Frame{Event: e.Name, Data: e.Data}); readErr != nil {
				return nil, readErr
			}
		}
		if err != nil {
			return reader.Close(events)
		}
	}
}

// gist is what of an answer must survive any crossing: the text and the calls of
// the first choice.
func gist(r *llm.Response) string {
	var text strings.Builder
	var calls []string
	for _, ch := range r.Choices {
		if ch.Index != 0 {
			continue
		}
		for _, p := range ch.Parts {
			switch p.Kind {
			case llm.PartText, llm.PartRefusal:
				text.WriteString(p.Text)
			case llm.PartToolCall:
				args := p.Call.Args
				if strings.TrimSpace(args) == "" {
					args = "{}"
				}
				calls = append(calls, p.Call.Name+args)
			default:
			}
		}
	}
	return text.String() + "\n" + strings.Join(calls, "\n")
}

// short is the kind of an error without what varies.
func short(err error) string {
	var e *llm.Error
	if errors.As(err, &e) {
		message := e.Message
		if len(message) > 70 {
			message = message[:70] + "…"
		}
		return string(e.Code) + ": " + message
	}
	return err.Error()
}
