package anthropic

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

var askNothing = dialect.Ask{}

func TestPeek(t *testing.T) {
	for body, want := range map[string]dialect.Peeked{
		`{"model":"a","stream":true}`:                    {Model: "a", Stream: true, StreamUsage: true},
		` {"stream":null,"model":"a/b","x":{"model":1}}`: {Model: "a/b"},
	} {
		if got, err := New().Relay.Peek([]byte(body)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v want %+v", body, got, err, want)
		}
	}
	for _, body := range []string{`{}`, `{"model":""}`, `{"model":7}`, `{"Model":"a"}`, `{"model":"a","stream":1}`, `[]`} {
		if got, err := New().Relay.Peek([]byte(body)); err == nil {
			t.Errorf("T149: %s: got %+v, want it refused", body, got)
		}
	}
}

func TestStripKeepsTheRest(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"nothing of ours", `{ "messages" : [ ] }`, `{ "messages" : [ ] }`},
		{
			"the first block",
			`{"b":1, "messages":[ {"role":"user","content":"x"} , {"content" : [ {"type":"thinking","thinking":"t","signature":"understudy.v1.unsigned.00"} , {"type":"text","text":"a"} ],"role":"assistant"} ] , "a":2}`,
			`{"b":1, "messages":[ {"role":"user","content":"x"} , {"content" : [ {"type":"text","text":"a"} ],"role":"assistant"} ] , "a":2}`,
		},
		{
			"the last block, and one of the vendor",
			`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"real"}, {"type":"redacted_thinking","data":"understudy.v1.x"}]}]}`,
			`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"real"}]}]}`,
		},
		{
			"a message that held nothing else",
			`{"messages":[{"role":"user","content":"x"}, {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"understudy.v1.unsigned"}]}, {"role":"user","content":"y"}]}`,
			`{"messages":[{"role":"user","content":"x"}, {"role":"user","content":"y"}]}`,
		},
		{
			"a text that speaks of it",
			`{"messages":[{"role":"user","content":"understudy.v1. what?"}]}`,
			`{"messages":[{"role":"user","content":"understudy.v1. what?"}]}`,
		},
	} {
		got, losses, err := New().Relay.Strip([]byte(c.body))
		if err != nil || string(got) != c.want || (len(losses) > 0) != (c.body != c.want) {
			t.Errorf("%s: got\n%s (%v, %v)\nwant\n%s", c.name, got, losses, err, c.want)
		}
	}
	plain := []byte(`{"messages":[]}`)
	if got, _, _ := New().Relay.Strip(plain); &got[0] != &plain[0] {
		t.Error("got a copy of a body that holds nothing of ours")
	}
}

func TestTapSignals(t *testing.T) {
	tap := New().Relay.NewTap(askNothing)
	for _, c := range []struct {
		frame string
		want  dialect.Signal
	}{
		{msgStart, dialect.Signal{Model: "m"}},
		{`{"type":"ping"}`, dialect.Signal{}},
		{textStart, dialect.Signal{}},
		{textDelta(""), dialect.Signal{}},
		{textDelta("x"), dialect.Signal{Content: true}},
		{stop0, dialect.Signal{}},
		{strings.Replace(toolStart, `"index":0`, `"index":1`, 1), dialect.Signal{Content: true}},
		{`{"type":"content_block_stop","index":1}`, dialect.Signal{}},
		{msgDelta, dialect.Signal{Finish: true}},
		{msgStop, dialect.Signal{End: true}},
	} {
		got, err := tap.Frame(dialect.Frame{Data: []byte(c.frame)})
		if err != nil || got.Content != c.want.Content || got.Finish != c.want.Finish || got.End != c.want.End ||
			got.Model != c.want.Model || got.Hide || got.Data != nil {
			t.Errorf("%s: got %+v, %v want %+v", c.frame, got, err, c.want)
		}
	}
	tap = New().Relay.NewTap(askNothing)
	for _, f := range []string{msgStart, textStart, stop0, msgDelta} {
		if _, err := tap.Frame(dialect.Frame{Data: []byte(f)}); err != nil {
			t.Fatal(err)
		}
	}
	terminator, err := tap.Close()
	if err != nil || string(terminator) != "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" {
		t.Errorf("D12: got %q, %v want the terminator", terminator, err)
	}
}
