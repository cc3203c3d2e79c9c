package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/understudy-ai/understudy/internal/frames"
)

func bedrockConverse() *format {
	f := &format{
		name: "bedrock-converse", path: "/model/{model}/converse", streamPath: "/model/{model}/converse-stream",
		header:   "Authorization: Bearer bench",
		provider: `use: bedrock, auth: bearer, base_url: "http://{vendor}", key: "{key}"`,
		body: `{"messages":[{"role":"user","content":[{"text":{prompt}}]}],` +
			`"inferenceConfig":{"maxTokens":1024,"temperature":0.7}}`,
		framing: frames.EventStream,
		finish:  "end_turn", last: []byte("metadata"),
		read: readConverse, readStream: readConverseStream,
	}
	usage := fmt.Sprintf(`"usage":{"inputTokens":%d,"outputTokens":%d,"serverToolUsage":{},"totalTokens":%d}`, tokensIn, tokensOut, tokensIn+tokensOut)
	f.answer = fmt.Appendf(nil, `{"metrics":{"latencyMs":547},"output":{"message":{"content":[{"text":%s}],"role":"assistant"}},`+
		`"stopReason":"end_turn",%s}`, quote(answerText()), usage)

	const padding = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // the vendor's, of any length
	add := func(name, before, after string) {
		payload := `{` + before + `"p":"` + padding[:(len(f.chunks)*7)%len(padding)] + `"` + after + `}`
		f.chunks = append(f.chunks, frames.AppendMessage(nil, frames.Message{Event: name, Payload: []byte(payload)}))
	}
	add("messageStart", "", `,"role":"assistant"`)
	for i := range chunkCount {
		add("contentBlockDelta", `"contentBlockIndex":0,"delta":{"text":`+quote(piece(i))+`},`, "")
	}
	add("contentBlockStop", `"contentBlockIndex":0,`, "")
	add("messageStop", "", `,"stopReason":"end_turn"`)
	add("metadata", `"metrics":{"latencyMs":1198},`, ","+usage)
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

// messages splits an event stream, whose checksums must fit.
func messages(body []byte) ([]event, error) {
	r := frames.NewReader(frames.EventStream, bytes.NewReader(body))
	var all []event
	for {
		m, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read a message: %w", err)
		case m.Exception:
			return nil, fmt.Errorf("got exception %s: %s", m.Name, m.Data)
		}
		all = append(all, event{m.Name, bytes.Clone(m.Data)})
	}
}

type converseBody struct {
	Output struct {
		Message struct{ Content []struct{ Text string } }
	}
	Delta struct{ Text string }
	Stop  string `json:"stopReason"`
	Usage struct {
		In  int `json:"inputTokens"`
		Out int `json:"outputTokens"`
	}
}

func readConverse(body []byte) (reply, error) {
	var b converseBody
	if err := json.Unmarshal(body, &b); err != nil || len(b.Output.Message.Content) != 1 {
		return reply{}, fmt.Errorf("got %d blocks (%w), want 1", len(b.Output.Message.Content), err)
	}
	return reply{b.Output.Message.Content[0].Text, b.Stop, b.Usage.In, b.Usage.Out}, nil
}

func readConverseStream(events []event) (reply, error) {
	return fold(events, func(r *reply, e event, b *converseBody) error {
		if (b.Delta.Text != "") != (e.name == "contentBlockDelta") || (b.Stop != "") != (e.name == "messageStop") {
			return fmt.Errorf("got event %s with %q and %q, which belong elsewhere", e.name, b.Delta.Text, b.Stop)
		}
		r.text += b.Delta.Text
		r.finish += b.Stop
		r.in, r.out = r.in+b.Usage.In, r.out+b.Usage.Out
		return nil
	})
}
