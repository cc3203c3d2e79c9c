package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

func openAIResponses() *format {
	f := &format{
		name: "openai-responses", path: "/v1/responses", header: "Authorization: Bearer bench",
		provider: `use: openai, base_url: "http://{vendor}/v1", key: "{key}", only: {openai-chat: [none]}`,
		body: `{"model":{model},"max_output_tokens":1024,"temperature":0.7,"stream":{stream},` +
			`"input":[{"role":"user","content":{prompt}}]}`,
		finish: "completed", end: []byte("}\n\n"), last: []byte("event: response.completed\n"),
		copies: 5, // the pieces, and the whole text at the end of the text, its part, its item and the response
		read:   readResponse, readStream: readResponseStream,
	}
	response := func(status, output, usage string) string {
		return fmt.Sprintf(`{"id":"resp_0CrS0v3rBenchBenchBenchBench00","object":"response","created_at":%d,"status":%q,"background":false,`+
			`"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":1024,"max_tool_calls":null,`+
			`"model":"bench-1-2026-01-01","output":[%s],"parallel_tool_calls":true,"previous_response_id":null,`+
			`"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default",`+
			`"store":true,"temperature":0.7,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],`+
			`"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":%s,"user":null,"metadata":{}}`, created, status, output, usage)
	}
	part := func(text string) string {
		return `{"type":"output_text","annotations":[],"logprobs":[],"text":` + quote(text) + `}`
	}
	item := func(status, content string) string {
		return `{"id":"msg_0CrS0v3rBenchBenchBenchBench00","type":"message","status":"` + status + `","content":[` + content + `],"role":"assistant"}`
	}
	usage := fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,`+
		`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, tokensIn, tokensOut, tokensIn+tokensOut)
	whole := item(f.finish, part(answerText()))
	f.answer = []byte(response(f.finish, whole, usage))

	add := func(name, members string) {
		f.chunks = append(f.chunks, fmt.Appendf(nil, "event: response.%s\ndata: {\"type\":\"response.%[1]s\",\"sequence_number\":%d,%s}\n\n",
			name, len(f.chunks), members))
	}
	const place = `"item_id":"msg_0CrS0v3rBenchBenchBenchBench00","output_index":0,"content_index":0,`
	begun := `"response":` + response("in_progress", "", "null")
	add("created", begun)
	add("in_progress", begun)
	add("output_item.added", `"output_index":0,"item":`+item("in_progress", ""))
	add("content_part.added", place+`"part":`+part(""))
	for i := range chunkCount {
		add("output_text.delta", place+`"delta":`+quote(piece(i))+`,"logprobs":[],"obfuscation":"`+strings.Repeat("x7Qm2k", i%3)+`"`)
	}
	add("output_text.done", place+`"text":`+quote(answerText())+`,"logprobs":[]`)
	add("content_part.done", place+`"part":`+part(answerText()))
	add("output_item.done", `"output_index":0,"item":`+whole)
	add("completed", `"response":`+string(f.answer))
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

type responsesBody struct {
	Status string
	Output []struct {
		Type    string
		Content []struct{ Type, Text string }
	}
	Usage struct {
		In  int `json:"input_tokens"`
		Out int `json:"output_tokens"`
	}
}

func (b *responsesBody) reply() (reply, error) {
	if len(b.Output) != 1 || len(b.Output[0].Content) != 1 || b.Output[0].Content[0].Type != "output_text" {
		return reply{}, fmt.Errorf("got output %+v, want one text", b.Output)
	}
	return reply{b.Output[0].Content[0].Text, b.Status, b.Usage.In, b.Usage.Out}, nil
}

func readResponse(body []byte) (reply, error) {
	var b responsesBody
	if err := json.Unmarshal(body, &b); err != nil {
		return reply{}, fmt.Errorf("read the answer: %w", err)
	}
	return b.reply()
}

type responsesEvent struct {
	Type     string
	Sequence int `json:"sequence_number"`
	Delta    string
	Response responsesBody
}

func readResponseStream(events []event) (reply, error) {
	next := 0
	return fold(events, func(r *reply, e event, b *responsesEvent) error {
		if b.Type != e.name || b.Sequence != next {
			return fmt.Errorf("got event %q of type %q and number %d, want number %d", e.name, b.Type, b.Sequence, next)
		}
		next++
		r.text += b.Delta
		if b.Type != "response.completed" {
			return nil
		}
		whole, err := b.Response.reply()
		if err == nil && whole.text != r.text {
			err = errors.New("got pieces that do not make the text at the end")
		}
		*r = whole
		return err
	})
}
