package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

func cohereChat() *format {
	f := &format{
		name: "cohere-chat", path: "/v2/chat", header: "Authorization: Bearer bench",
		provider: `use: cohere, base_url: "http://{vendor}", key: "{key}"`,
		body: `{"model":{model},"max_tokens":1024,"temperature":0.7,"stream":{stream},` +
			`"messages":[{"role":"user","content":{prompt}}]}`,
		finish: "COMPLETE", end: []byte("data: [DONE]\n\n"), last: []byte("event: message-end\n"),
		read: readCohere, readStream: readCohereStream,
	}
	usage := fmt.Sprintf(`{"billed_units":{"input_tokens":%d,"output_tokens":%d},"tokens":{"input_tokens":%[1]d,"output_tokens":%[2]d},`+
		`"cached_tokens":0}`, tokensIn, tokensOut)
	f.answer = fmt.Appendf(nil, `{"id":"02fe1b21-06b0-458e-87c7-000000000000","message":{"role":"assistant","content":[{"type":"text","text":%s}]},`+
		`"finish_reason":"COMPLETE","usage":%s}`, quote(answerText()), usage)

	add := func(name, members string) {
		f.chunks = append(f.chunks, []byte("event: "+name+"\ndata: {\"type\":\""+name+"\","+members+"}\n\n"))
	}
	content := func(content string) string { return `"index":0,"delta":{"message":{"content":{` + content + `}}}` }
	add("message-start", `"id":"02fe1b21-06b0-458e-87c7-000000000000","delta":{"message":{"role":"assistant","content":[],"tool_plan":"",`+
		`"tool_calls":[],"citations":[]}}`)
	add("content-start", content(`"type":"text","text":""`))
	for i := range chunkCount {
		add("content-delta", content(`"text":`+quote(piece(i))))
	}
	add("content-end", `"index":0`)
	add("message-end", `"delta":{"finish_reason":"COMPLETE","usage":`+usage+`}`)
	f.chunks = append(f.chunks, f.end)
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

type cohereUsage struct {
	Tokens struct {
		In  int `json:"input_tokens"`
		Out int `json:"output_tokens"`
	}
}

func readCohere(body []byte) (reply, error) {
	var b struct {
		Message struct{ Content []struct{ Type, Text string } }
		Finish  string `json:"finish_reason"`
		Usage   cohereUsage
	}
	if err := json.Unmarshal(body, &b); err != nil || len(b.Message.Content) != 1 {
		return reply{}, fmt.Errorf("got %d blocks (%w), want 1", len(b.Message.Content), err)
	}
	return reply{b.Message.Content[0].Text, b.Finish, b.Usage.Tokens.In, b.Usage.Tokens.Out}, nil
}

type cohereEvent struct {
	Type  string
	Delta struct {
		Message struct{ Content json.RawMessage } // a list at the start
		Finish  string                            `json:"finish_reason"`
		Usage   cohereUsage
	}
}

func readCohereStream(events []event) (reply, error) {
	return fold(events[:len(events)-1], func(r *reply, e event, b *cohereEvent) error {
		if b.Type != e.name {
			return fmt.Errorf("got an event of type %q with the name %q", b.Type, e.name)
		}
		if b.Type == "content-delta" {
			var content struct{ Text string }
			if err := json.Unmarshal(b.Delta.Message.Content, &content); err != nil {
				return fmt.Errorf("read %q: %w", e.data, err)
			}
			r.text += content.Text
		}
		r.finish += b.Delta.Finish
		r.in, r.out = r.in+b.Delta.Usage.Tokens.In, r.out+b.Delta.Usage.Tokens.Out
		return nil
	})
}
