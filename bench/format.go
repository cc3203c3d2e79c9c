package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// format is a wire format as the simulated vendor and the load speak it: requests
// with a prompt of 1,000 bytes, and an answer of 600 bytes, whole or in 100 chunks.
type format struct {
	name   string
	path   string
	header string // a request header that every client of the format sends
	answer []byte
	chunks [][]byte // the stream as the vendor writes it, one event after the other
	stream []byte   // all of them
	end    []byte   // how a whole stream ends
	finish string   // the reason for a natural end
	// read takes an answer apart to see whether all of it came.
	read func(body []byte) (reply, error)
	// readStream does the same with the events of a stream.
	readStream func(events []event) (reply, error)
	options    string // JSON members that a streaming request has besides
}

// reply is what an answer says, whatever its format.
type reply struct {
	text    string
	finish  string
	in, out int // tokens
}

// words are what the answer consists of: each with a space before it is six bytes
// of text, and none occurs in anything else. One needs escaping in JSON and one is
// not ASCII, as in real text.
var words = []string{"stage", "actor", `"cue"`, "props", "scene", "café", "drama", "usher", "lines", "wings"}

const (
	chunkCount  = 100
	promptSize  = 1000
	tokensIn    = 250
	tokensOut   = chunkCount
	vendorModel = "bench-1"
	heldModel   = "bench-held"
	// failingModel is refused at once.
	failingModel = "bench-failing"
	created      = 1767225600
)

func piece(i int) string { return " " + words[i%len(words)] }

func answerText() string {
	var b strings.Builder
	for i := range chunkCount {
		b.WriteString(piece(i))
	}
	return b.String()
}

// quote writes text as JSON the way vendors do: UTF-8 as it is.
func quote(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic("BUG: " + err.Error())
	}
	return strings.TrimSpace(b.String())
}

// request is a client's request for a model.
func (f *format) request(model string, stream bool) []byte {
	options := ""
	if stream {
		options = `"stream":true,` + f.options
	}
	prompt := strings.Repeat("Who goes on when the lead cannot? ", promptSize/34+1)[:promptSize]
	return []byte(fmt.Sprintf(`{"model":%s,"max_tokens":1024,"temperature":0.7,%s"messages":[{"role":"user","content":%s}]}`,
		quote(model), options, quote(prompt)))
}

func openAIChat() *format {
	f := &format{
		name: "openai-chat", path: "/v1/chat/completions", header: "Authorization: Bearer bench",
		finish:  "stop",
		options: `"stream_options":{"include_usage":true},`,
		end:     []byte("data: [DONE]\n\n"),
		read:    readOpenAIChat, readStream: readOpenAIChatStream,
	}
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,`+
		`"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`, tokensIn, tokensOut, tokensIn+tokensOut)
	f.answer = []byte(fmt.Sprintf(`{"id":"chatcmpl-CrS0v3rBenchBenchBenchBench00","object":"chat.completion","created":%d,`+
		`"model":"bench-1-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null,`+
		`"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":%s,"service_tier":"default",`+
		`"system_fingerprint":"fp_0123456789"}`, created, quote(answerText()), usage))

	chunk := func(choices, usage string) []byte {
		return []byte(fmt.Sprintf(`data: {"id":"chatcmpl-CrS0v3rBenchBenchBenchBench00","object":"chat.completion.chunk",`+
			`"created":%d,"model":"bench-1-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789",`+
			`"choices":[%s],"usage":%s,"obfuscation":"x7Qm2k"}`+"\n\n", created, choices, usage))
	}
	f.chunks = append(f.chunks, chunk(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}`, "null"))
	for i := range chunkCount {
		f.chunks = append(f.chunks, chunk(`{"index":0,"delta":{"content":`+quote(piece(i))+`},"logprobs":null,"finish_reason":null}`, "null"))
	}
	f.chunks = append(f.chunks,
		chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, "null"), chunk("", usage), f.end)
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

func anthropicMessages() *format {
	f := &format{
		name: "anthropic-messages", path: "/v1/messages", header: "anthropic-version: 2023-06-01\r\nx-api-key: bench",
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

// event is one server-sent event, as strictly as this bench needs it.
type event struct {
	name string
	data []byte
}

// events splits a stream; comments are left out.
func events(body []byte) []event {
	var all []event
	for block := range bytes.SplitSeq(body, []byte("\n\n")) {
		var e event
		for line := range bytes.SplitSeq(block, []byte("\n")) {
			if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
				e.name = string(name)
			}
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				e.data = data
			}
		}
		if e.data != nil {
			all = append(all, e)
		}
	}
	return all
}

// verify takes an answer apart and compares it with what the vendor said.
func (f *format) verify(body []byte, stream bool) error {
	var got reply
	var err error
	if stream {
		if !bytes.HasSuffix(body, f.end) {
			return fmt.Errorf("got a stream that ends with %q, want %q", tail(body), f.end)
		}
		got, err = f.readStream(events(body))
	} else {
		got, err = f.read(body)
	}
	if err != nil {
		return err
	}
	if want := (reply{text: answerText(), finish: f.finish, in: tokensIn, out: tokensOut}); got != want {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-80):] }

type openAIBody struct {
	Choices []struct {
		Message struct{ Content string }
		Delta   struct{ Content string }
		Finish  string `json:"finish_reason"`
	}
	Usage struct {
		In  int `json:"prompt_tokens"`
		Out int `json:"completion_tokens"`
	}
}

func readOpenAIChat(body []byte) (reply, error) {
	var b openAIBody
	if err := json.Unmarshal(body, &b); err != nil || len(b.Choices) != 1 {
		return reply{}, fmt.Errorf("got %d choices (%w), want 1", len(b.Choices), err)
	}
	return reply{b.Choices[0].Message.Content, b.Choices[0].Finish, b.Usage.In, b.Usage.Out}, nil
}

func readOpenAIChatStream(events []event) (reply, error) {
	var r reply
	for _, e := range events[:len(events)-1] {
		var b openAIBody
		if err := json.Unmarshal(e.data, &b); err != nil {
			return r, fmt.Errorf("read %q: %w", e.data, err)
		}
		for _, c := range b.Choices {
			r.text += c.Delta.Content
			r.finish += c.Finish
		}
		r.in, r.out = r.in+b.Usage.In, r.out+b.Usage.Out
	}
	return r, nil
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

func readAnthropicStream(events []event) (reply, error) {
	var r reply
	for _, e := range events {
		var b struct {
			Type    string
			Message struct{ Usage anthropicUsage }
			Delta   struct {
				Text string
				Stop string `json:"stop_reason"`
			}
			Usage anthropicUsage
		}
		if err := json.Unmarshal(e.data, &b); err != nil {
			return r, fmt.Errorf("read %q: %w", e.data, err)
		}
		if b.Type != e.name {
			return r, errors.New("got an event whose name is not its type")
		}
		r.text += b.Delta.Text
		r.finish += b.Delta.Stop
		r.in = max(r.in, b.Message.Usage.In, b.Usage.In)
		r.out = max(r.out, b.Message.Usage.Out, b.Usage.Out)
	}
	return r, nil
}

// plainPart is the letters of a word that are written alike in every text.
func plainPart(word string) string {
	word = strings.Trim(word, `"`)
	return strings.TrimSuffix(word, "é")
}
