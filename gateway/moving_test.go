package gateway_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// traveller is a client whose conversation moves between vendors.
type traveller struct {
	w      *world
	client *dialect.Dialect
	app    dialecttest.Application
	body   []byte
	stream bool
}

// ask sends the conversation so far to a vendor, and returns what the client's SDK keeps of the answer.
func (c *traveller) ask(id string) []byte {
	c.w.t.Helper()
	body, err := c.client.Relay.SetModel(c.body, id, dialect.Ask{})
	a := api{name: string(c.client.Name), path: pathFor(c.client, id, c.stream)}
	if err == nil && !strings.Contains(a.path, id) {
		body, err = jsontext.Set(body, "stream", []byte(map[bool]string{true: "true", false: "false"}[c.stream]))
	}
	if err != nil {
		c.w.t.Fatal(err)
	}
	if c.client.Name == dialect.AnthropicMessages {
		a.header = messagesAPI.header
	}
	got := c.w.post(a, body, nil)
	if got.err != nil || got.status != 200 {
		c.w.t.Fatalf("%s to %s: got %v; sent %s", c.client.Name, id, got, c.w.vendors[id].Last().Body)
	}
	if !c.stream {
		return got.body
	}
	shown, err := c.app.Fold(dialecttest.FramesOf(c.w.t, c.client.Framing, got.body))
	if err != nil {
		c.w.t.Fatal(err)
	}
	return shown
}

// loop asks a vendor that calls both tools, and has their results in the conversation.
func (c *traveller) loop(id, turn string) {
	c.w.t.Helper()
	reply := fakeprovider.Reply{Thinking: "Thought in turn " + turn + ".", Text: "Looking.", ToolCalls: []fakeprovider.ToolCall{
		{Name: "get_weather", Arguments: `{"city":"Oslo"}`}, {Name: "get_time", Arguments: `{"city":"Bergen"}`},
	}}
	if id == "chat1" || id == "resp1" {
		reply.Thinking = "" // OpenAI's model that does not reason
	}
	c.w.vendors[id].Enqueue(reply)
	shown := c.ask(id)
	calls, err := c.app.Calls(shown)
	if err != nil || len(calls) != 2 || calls[0].Name != "get_weather" || calls[1].Name != "get_time" {
		c.w.t.Fatalf("%s from %s: got calls %+v (%v) want both\n%s", c.client.Name, id, calls, err, shown)
	}
	if c.body, err = c.app.GoOn(c.body, shown, calls, []string{turn + " sunny", turn + " noon"}); err != nil {
		c.w.t.Fatal(err)
	}
}

// TestConversationsMove moves a conversation of each client's from each vendor to each other and back, in the middle of a
// tool loop. The simulated vendors refuse what theirs would: turns out of order, results without calls, and signatures
// that are not their own.
func TestConversationsMove(t *testing.T) {
	t.Parallel()
	for name, client := range matrixDialects() {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			w := matrixWorld(t)
			for i, a := range matrixVendors {
				for j, b := range matrixVendors {
					if i == j {
						continue
					}
					c := &traveller{w: w, client: client, app: dialecttest.NewApplication(name), stream: (i+j)%2 == 0}
					c.body, _, _ = jsontext.Drop(c.app.Ask([2]string{"get_weather", "get_time"}), "include")
					c.loop(a.id, "one")
					c.loop(b.id, "two")
					shown := c.ask(a.id)
					if !bytes.Contains(shown, []byte("sunny")) {
						t.Errorf("%s to %s and back: got %s want an answer from the results", a.id, b.id, shown)
					}
					c.holdSignatures(a.id, b.id)
				}
			}
		})
	}
}

// holdSignatures asserts that the vendor that is back was sent what it had signed, and nothing of the gateway's own.
func (c *traveller) holdSignatures(a, b string) {
	c.w.t.Helper()
	marks := map[string]string{"claude1": `"signature":"`, "aws1": `"signature":"`, "gemini1": `"thoughtSignature":"`}
	sent := c.w.vendors[a].Last().Body
	if mark := marks[a]; mark != "" && !bytes.Contains(sent, []byte(mark)) {
		c.w.t.Errorf("%s: %s to %s and back: got no %s in %s", c.client.Name, a, b, mark, sent)
	}
	if bytes.Contains(sent, []byte("understudy")) {
		c.w.t.Errorf("%s: %s to %s and back: got a mark of the gateway's own in %s", c.client.Name, a, b, sent)
	}
}
