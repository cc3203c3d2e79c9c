package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

func anthropicMessages() *format {
	f := &format{
		name: "anthropic-messages", path: "/v1/messages", header: "anthropic-version: 2023-06-01\r\nx-api-key: bench",
		provider: `use: anthropic, base_url: "http://{vendor}", key: "{key}"`,
		body: `{"model":{model},"max_tokens":1024,"temperature":0.7,"stream":{stream},` +
			`"messages":[{"role":"user","content":{prompt}}]}`,
		finish: "end_turn",
		end:    []byte("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
		read:   readAnthropicMessage, readStream: readAnthropicStream,
	}
	usage := func(out int) string {
		return fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,`+
			`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":%d,`+
			`"service_tier":"standard"}`, tokensIn, out)
	}
	message := func(content, stop string, out int) string {
		return fmt.Sprintf(`{"model":"bench-1-20260101","id":"msg_01CrS0v3rBenchBench0000","type":"message",`+
			`"role":"assistant","content":[%s],"stop_reason":%s,"stop_sequence":null,"usage":%s}`, content, stop, usage(out))
	}
	f.answer = []byte(message(`{"type":"text","text":`+quote(answerText())+`}`, `"end_turn"`, tokensOut))

	add := func(name, members string) {
		f.chunks = append(f.chunks, []byte("event: "+name+"\ndata: {\"type\":\""+name+"\""+members+"}\n\n"))
	}
	add("message_start", `,"message":`+message("", "null", 1))
	add("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	add("ping", "")
	for i := range chunkCount {
		add("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+quote(piece(i))+`}`)
	}
	add("content_block_stop", `,"index":0`)
	add("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":`+
		strconv.Itoa(tokensIn)+`,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":`+strconv.Itoa(tokensOut)+`}`)
	add("message_stop", "")
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

type anthropicUsage struct {
	In  int `json:"input_tokens"`
	Out int `json:"output_tokens"`
}

func readAnthropicMessage(body []byte) (reply, error) {
	var b struct {
		Content []struct{ Type, Text string }
		Stop    string `json:"stop_reason"`
		Usage   anthropicUsage
	}
	if err := json.Unmarshal(body, &b); err != nil || len(b.Content) != 1 {
		return reply{}, fmt.Errorf("got %d blocks (%w), want 1", len(b.Content), err)
	}
	return reply{b.Content[0].Text, b.Stop, b.Usage.In, b.Usage.Out}, nil
}

type anthropicEvent struct {
	Type    string
	Message struct{ Usage anthropicUsage }
	Delta   struct {
		Text string
		Stop string `json:"stop_reason"`
	}
	Usage anthropicUsage
}

func readAnthropicStream(events []event) (reply, error) {
	return fold(events, func(r *reply, e event, b *anthropicEvent) error {
		if b.Type != e.name {
			return errors.New("got an event whose name is not its type")
		}
		r.text += b.Delta.Text
		r.finish += b.Delta.Stop
		r.in = max(r.in, b.Message.Usage.In, b.Usage.In)
		r.out = max(r.out, b.Message.Usage.Out, b.Usage.Out)
		return nil
	})
}
