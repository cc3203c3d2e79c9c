package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// A conversation that moves is begun on one vendor, goes on on another in the middle of a tool loop, and comes back.
// The client keeps what it was shown, as its SDK does.

// secret is what a vendor signed or sealed: text that nobody else may be sent.
func secret(by dialect.Name, kind string) string {
	return base64.StdEncoding.EncodeToString([]byte(kind + " by " + string(by) + ", for its eyes only"))
}

// idOf is a call's id as vendors of the dialect make them, at their oddest.
func idOf(by dialect.Name, turn string, n int) string {
	switch by {
	case dialect.OpenAIChat:
		return fmt.Sprintf("chatcmpl-tool:%s/%d", turn, n) // of a compatible server
	case dialect.OpenAIResponses:
		return fmt.Sprintf("call_%s_%d%s", turn, n, strings.Repeat("x", 50))
	case dialect.AnthropicMessages:
		return fmt.Sprintf("toolu_01%s%d", turn, n)
	case dialect.GeminiGenerate:
		return fmt.Sprintf("call %s.%d", turn, n)
	case dialect.BedrockConverse:
		return fmt.Sprintf("tooluse_%s-%d", turn, n)
	case dialect.CohereChat:
		return fmt.Sprintf("get:%s:%d", turn, n)
	default:
		return fmt.Sprintf("call_%s%d", turn, n)
	}
}

// thoughts are a vendor's, with all it signs and seals of them; before is what stands right before the first call.
func thoughts(by dialect.Name) (parts, before []llm.Part) {
	thought := llm.Part{Kind: llm.PartThinking, Text: "Thought by " + string(by) + ".", Thinking: &llm.Thinking{}}
	sealed := func(s string) llm.Part {
		return llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: string(by), Sealed: s}}
	}
	switch by {
	case dialect.AnthropicMessages, dialect.BedrockConverse:
		thought.Thinking = &llm.Thinking{Issuer: string(by), Signature: secret(by, "signed")}
		return []llm.Part{thought, sealed(secret(by, "sealed"))}, nil
	case dialect.OpenAIResponses:
		thought.Thinking = &llm.Thinking{Issuer: string(by), Signature: "rs_1/" + secret(by, "signed")}
		return []llm.Part{thought, sealed("rs_2/" + secret(by, "sealed"))}, nil
	case dialect.GeminiGenerate:
		return []llm.Part{thought}, []llm.Part{sealed("call:" + secret(by, "signed"))}
	default:
		return []llm.Part{thought}, nil
	}
}

// secrets lists what a vendor's turn holds for its eyes only.
func secrets(by dialect.Name) []string {
	var all []string
	parts, before := thoughts(by)
	for _, p := range slices.Concat(parts, before) {
		s := p.Thinking.Signature + p.Thinking.Sealed
		if i := strings.LastIndexAny(s, ":/"); i >= 0 && strings.HasPrefix(s, "rs_") || strings.HasPrefix(s, "call:") {
			s = s[i+1:]
		}
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

// callingTurn is a vendor's answer that calls both tools at once.
func callingTurn(by dialect.Name, turn string, names [2]string) []llm.Part {
	parts, before := thoughts(by)
	call := func(n int) llm.Part {
		return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: idOf(by, turn, n), Name: names[n], Args: fmt.Sprintf(`{"city":"%s%d"}`, turn, n)}}
	}
	return slices.Concat(parts, []llm.Part{llm.Text("Looking, in turn " + turn + ".")}, before, []llm.Part{call(0), call(1)})
}

// toolNames are two that a client of the dialect may have, the first illegal elsewhere where there is such a one.
func toolNames(client dialect.Name) [2]string {
	switch client {
	case dialect.AnthropicMessages:
		return [2]string{"look_up_" + strings.Repeat("weather_", 12), "get_time"}
	case dialect.GeminiGenerate, dialect.CohereChat, dialect.OllamaChat:
		return [2]string{"weather.get", "get_time"}
	default:
		return [2]string{"2nd-weather", "get_time"} // Google's want a letter first
	}
}

// legalIDs and legalNames are what each vendor demands; one that is not listed demands nothing.
var (
	legalIDs = map[dialect.Name]*regexp.Regexp{
		dialect.OpenAIChat: regexp.MustCompile(`^.{1,40}$`), dialect.OpenAIResponses: regexp.MustCompile(`^.{1,64}$`),
		dialect.AnthropicMessages: regexp.MustCompile(`^[a-zA-Z0-9_-]+$`), dialect.BedrockConverse: regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,64}$`),
	}
	legalNames = map[dialect.Name]*regexp.Regexp{
		dialect.OpenAIChat: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`), dialect.OpenAIResponses: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`),
		dialect.AnthropicMessages: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`), dialect.BedrockConverse: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`),
		dialect.GeminiGenerate: regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$`),
	}
)

// conversation is one client's, over the gateway.
type conversation struct {
	client spoken
	app    dialecttest.Application
	stream bool // answers are streamed
	names  [2]string
	body   []byte   // the next request
	calls  []string // made so far, each as the client runs it
}

func converse(client spoken, stream bool) *conversation {
	c := &conversation{client: client, app: dialecttest.NewApplication(client.Name), stream: stream, names: toolNames(client.Name)}
	c.body = c.app.Ask(c.names)
	return c
}

// exchanged is one request as a vendor got it.
type exchanged struct {
	body   []byte
	names  map[string]string // sent to the client's, where they differ
	losses []llm.Loss
}

// send takes the next request to a vendor, as the gateway does: relayed to the client's own dialect, less what the
// gateway put into earlier answers, and translated to others.
func (c *conversation) send(t *testing.T, to spoken) exchanged {
	t.Helper()
	if to.Name == c.client.Name {
		body, losses, err := to.Relay.Strip(c.body)
		if err != nil {
			t.Fatalf("Strip: %v\n%s", err, c.body)
		}
		return exchanged{body: body, losses: losses}
	}
	enc, losses, err := crossRequest(c.client.Dialect, to.Dialect, string(c.body), llm.ModelFacts{})
	if err != nil {
		t.Fatalf("to %s: %v\n%s", to.Name, err, c.body)
	}
	return exchanged{enc.Body, enc.ToolNames, losses}
}

// answer lets a vendor call both tools, shows that to the client, and has the client run them.
func (c *conversation) answer(t *testing.T, from spoken, sent exchanged, turn string) {
	t.Helper()
	names := c.names
	for sentName, own := range sent.names {
		for i := range names {
			if c.names[i] == own {
				names[i] = sentName
			}
		}
	}
	resp := &llm.Response{ID: "resp_1", Model: "m", Created: 1, Choices: []llm.Choice{{Parts: callingTurn(from.Name, turn, names), Stop: llm.Stop{Reason: llm.StopToolCalls}}}}
	if c.stream {
		c.run(t, c.streamed(t, from, sent, resp), turn)
		return
	}
	shown, _, err := from.Client.EncodeResponse(resp)
	if err == nil && from.Name != c.client.Name {
		if resp, err = from.Provider.DecodeResponse(shown); err == nil {
			dialect.Encoded{ToolNames: sent.names}.RestoreResponse(resp)
			shown, _, err = c.client.Client.EncodeResponse(resp)
		}
	}
	if err != nil {
		t.Fatalf("answer of %s: %v", from.Name, err)
	}
	c.run(t, shown, turn)
}

// streamed is what the client's SDK makes of an answer that comes as a stream.
func (c *conversation) streamed(t *testing.T, from spoken, sent exchanged, resp *llm.Response) []byte {
	t.Helper()
	stream := written(from, dialecttest.Events(resp))
	if from.Name != c.client.Name {
		events := readAll(t, from, stream)
		for i := range events {
			dialect.Encoded{ToolNames: sent.names}.RestoreEvent(&events[i])
		}
		stream = written(c.client, events)
	}
	shown, err := c.app.Fold(dialecttest.FramesOf(t, c.client.Framing, stream))
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// written is a stream in a dialect.
func written(d spoken, events []llm.Event) []byte {
	w := d.Client.NewStreamWriter(dialect.StreamOptions{ID: "resp_0", Model: "m", Created: 1, Usage: true, Framing: d.Framing})
	var stream []byte
	for _, e := range events {
		stream = w.Write(stream, e)
	}
	return stream
}

// run appends what was shown and the results of its calls to the conversation.
func (c *conversation) run(t *testing.T, shown []byte, turn string) {
	t.Helper()
	calls, err := c.app.Calls(shown)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	var results []string
	for _, call := range calls {
		said := call.Name + "(" + canonicalJSON(call.Args) + ")"
		c.calls = append(c.calls, said)
		results = append(results, "ran "+said)
	}
	want := []string{fmt.Sprintf(`%s({"city":"%s0"})`, c.names[0], turn), fmt.Sprintf(`%s({"city":"%s1"})`, c.names[1], turn)}
	if got := c.calls[len(c.calls)-len(results):]; !slices.Equal(got, want) {
		t.Errorf("turn %s: got calls %q want the client's own %q\n%s", turn, got, want, shown)
	}
	if c.body, err = c.app.GoOn(c.body, shown, calls, results); err != nil {
		t.Fatal(err)
	}
}

// hold asserts what is true of every request in a conversation: the calls and results are the client's, in order, with
// ids and names that the vendor takes, and nothing is there that was for another vendor's eyes.
func (c *conversation) hold(t *testing.T, to spoken, sent exchanged, others ...dialect.Name) {
	t.Helper()
	for _, other := range others {
		for _, s := range secrets(other) {
			if bytes.Contains(sent.body, []byte(s)) {
				t.Errorf("to %s: got what only %s may see in\n%s", to.Name, other, sent.body)
			}
		}
	}
	for _, marker := range []string{"understudy", "dW5kZXJzdHVkeS"} { // the second in base64
		if bytes.Contains(sent.body, []byte(marker)) {
			t.Errorf("to %s: got a mark of the gateway's own in\n%s", to.Name, sent.body)
		}
	}
	req, err := to.Client.DecodeRequest(sent.body)
	if err != nil {
		t.Fatalf("to %s: %v\n%s", to.Name, err, sent.body)
	}
	calls, results := loop(req.Messages, sent.names)
	if !slices.Equal(calls, c.calls) {
		t.Errorf("to %s: got calls %q want %q", to.Name, calls, c.calls)
	}
	for _, call := range c.calls {
		if got := strings.Join(results[call], ""); got != "ran "+call {
			t.Errorf("to %s: got %q as the result of %s", to.Name, got, call)
		}
	}
	if to.Name != c.client.Name { // what is relayed is as legal as the client made it
		holdLegal(t, to, req)
	}
	if others = slices.DeleteFunc(others, func(n dialect.Name) bool { return strings.Contains(string(sent.body), "Thought by "+string(n)) }); len(others) > 0 {
		if !slices.ContainsFunc(sent.losses, func(l llm.Loss) bool { return l.Feature == llm.FeatureThinkingHistory }) {
			t.Errorf("to %s: got thoughts of %v left out and losses %v want that reported", to.Name, others, sent.losses)
		}
	}
}

func holdLegal(t *testing.T, to spoken, req *llm.Request) {
	t.Helper()
	for _, m := range req.Messages {
		for _, p := range m.Parts {
			if p.Call == nil {
				continue
			}
			if rule := legalIDs[to.Name]; rule != nil && !rule.MatchString(p.Call.ID) {
				t.Errorf("to %s: got id %q", to.Name, p.Call.ID)
			}
			if rule := legalNames[to.Name]; rule != nil && !rule.MatchString(p.Call.Name) {
				t.Errorf("to %s: got name %q", to.Name, p.Call.Name)
			}
		}
	}
	for _, tool := range req.Tools {
		if rule := legalNames[to.Name]; rule != nil && !rule.MatchString(tool.Name) {
			t.Errorf("to %s: got tool %q", to.Name, tool.Name)
		}
	}
}

// TestConversationsMove moves a conversation of each client's dialect from each vendor's to each other and back, in the
// middle of a tool loop (A24, A25, A28, T043 to T045, T047 to T050, T068, T069).
func TestConversationsMove(t *testing.T) {
	for _, client := range everyDialect() {
		for _, a := range everyDialect() {
			for _, b := range everyDialect() {
				if a.Name == b.Name {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s to %s", client.Name, a.Name, b.Name), func(t *testing.T) { move(t, converse(client, false), a, b) })
				t.Run(fmt.Sprintf("%s/%s to %s streamed", client.Name, a.Name, b.Name), func(t *testing.T) { move(t, converse(client, true), a, b) })
			}
		}
	}
}

// move lets a vendor begin, another go on, and the first go on again.
func move(t *testing.T, c *conversation, a, b spoken) {
	t.Helper()
	c.answer(t, a, c.send(t, a), "one")
	sent := c.send(t, b)
	c.hold(t, b, sent, a.Name)
	c.answer(t, b, sent, "two")
	sent = c.send(t, a)
	c.hold(t, a, sent, b.Name)
	last := -1
	for _, s := range secrets(a.Name) {
		at := bytes.Index(sent.body, []byte(s))
		if at < 0 || at < last {
			t.Errorf("back to %s: got %q missing or out of order in\n%s\nshown\n%s", a.Name, s, sent.body, c.body)
		}
		last = at
	}
}

// TestMovedConversation holds what each vendor is sent of a conversation that has been at all of them.
func TestMovedConversation(t *testing.T) {
	names := [2]string{"weather.get", "get_time"}
	req := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}}}
	for _, name := range names {
		req.Tools = append(req.Tools, llm.Tool{Name: name, Schema: []byte(`{"type":"object","properties":{"city":{"type":"string"}}}`)})
	}
	for i, d := range everyDialect() {
		turn := fmt.Sprintf("t%d", i)
		said := llm.Message{Role: llm.RoleAssistant, Parts: callingTurn(d.Name, turn, names)}
		results := llm.Message{Role: llm.RoleTool}
		for n := range names {
			results.Parts = append(results.Parts, llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: idOf(d.Name, turn, n), Parts: []llm.Part{llm.Text(fmt.Sprintf("%s.%d", turn, n))}}})
		}
		req.Messages = append(req.Messages, said, results)
	}
	for _, to := range everyDialect() {
		enc, err := to.Provider.EncodeRequest(req, dialect.Target{Model: "m"})
		if err != nil {
			t.Errorf("%s: %v", to.Name, err)
			continue
		}
		var out bytes.Buffer
		if err := json.Indent(&out, enc.Body, "", "  "); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		dialecttest.Golden(t, filepath.Join("testdata", "moved", string(to.Name)+".json"), out.Bytes())
		for _, other := range everyDialect() {
			for _, s := range secrets(other.Name) {
				if got, want := bytes.Contains(enc.Body, []byte(s)), other.Name == to.Name; got != want {
					t.Errorf("%s: got a secret of %s sent: %v want %v", to.Name, other.Name, got, want)
				}
			}
		}
	}
}
