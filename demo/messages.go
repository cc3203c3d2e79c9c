package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// messages is Anthropic's Messages, as an application knows it from
// https://docs.claude.com/en/api/messages.
type messages struct{}

type messagesBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type messagesUsage struct {
	Input  int `json:"input_tokens"`
	Output int `json:"output_tokens"`
}

type messagesAnswer struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Role    string          `json:"role"`
	Model   string          `json:"model"`
	Content []messagesBlock `json:"content"`
	Stop    *string         `json:"stop_reason"`
	Usage   messagesUsage   `json:"usage"`
}

func (messages) path() string { return "/v1/messages" }

func (messages) header(h http.Header) {
	h.Set("X-Api-Key", clientKey)
	h.Set("Anthropic-Version", "2023-06-01")
}

func (messages) request(model, prompt string, stream bool) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"model":       model,
		"system":      systemPrompt,
		"messages":    []map[string]string{{"role": "user", "content": prompt}},
		"temperature": 0.7,
		"max_tokens":  maxTokens,
		"stream":      stream,
	})
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return body, nil
}

func (messages) whole(body []byte) (string, error) {
	var a messagesAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	switch {
	case a.ID == "" || a.Type != "message" || a.Role != "assistant" || a.Model == "":
		return "", fmt.Errorf("got id %q, type %q, role %q and model %q, want an assistant's message", a.ID, a.Type, a.Role, a.Model)
	case a.Stop == nil || *a.Stop != "end_turn":
		return "", errors.New("got another stop reason, want end_turn")
	case len(a.Content) != 1 || a.Content[0].Type != "text":
		return "", fmt.Errorf("got %+v, want one block of text", a.Content)
	case a.Usage.Input <= 0 || a.Usage.Output <= 0:
		return "", fmt.Errorf("got usage %+v, want counts", a.Usage)
	}
	return a.Content[0].Text, nil
}

func (messages) newStream() streamReader { return &messagesStream{next: []string{"message_start"}} }

// messagesStream wants: message_start, one block of text (start, deltas, stop), message_delta with
// the stop reason, message_stop; pings anywhere after the start.
type messagesStream struct {
	said []byte
	next []string // the events that may come now; none after the end
}

type messagesEvent struct {
	Type    string          `json:"type"`
	Index   int             `json:"index"`
	Message *messagesAnswer `json:"message"`
	Block   messagesBlock   `json:"content_block"`
	Delta   struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Stop string `json:"stop_reason"`
	} `json:"delta"`
	Usage messagesUsage   `json:"usage"`
	Error json.RawMessage `json:"error"`
}

func (s *messagesStream) ended() bool { return len(s.next) == 0 }

func (s *messagesStream) text() string { return string(s.said) }

func (s *messagesStream) event(name string, data []byte) error {
	var e messagesEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	switch {
	case e.Error != nil:
		return fmt.Errorf("got an error in the stream: %s", e.Error)
	case name != e.Type:
		return fmt.Errorf("got an event named %q of type %q, want the same", name, e.Type)
	case name == "ping" && !slices.Contains(s.next, "message_start"):
		return nil
	case !slices.Contains(s.next, name):
		return fmt.Errorf("got the event %s, want one of %v", name, s.next)
	}
	return s.step(&e)
}

// step checks an event that stands in its place, and says what may follow it.
func (s *messagesStream) step(e *messagesEvent) error {
	bad := false
	switch e.Type {
	case "message_start":
		m := e.Message
		bad = m == nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Model == "" || m.Content == nil || len(m.Content) != 0 || m.Stop != nil
		s.next = []string{"content_block_start"}
	case "content_block_start":
		bad = e.Index != 0 || e.Block != messagesBlock{Type: "text"}
		s.next = []string{"content_block_delta"}
	case "content_block_delta":
		bad = e.Index != 0 || e.Delta.Type != "text_delta"
		s.said = append(s.said, e.Delta.Text...)
		s.next = []string{"content_block_delta", "content_block_stop"}
	case "content_block_stop":
		bad = e.Index != 0
		s.next = []string{"message_delta"}
	case "message_delta":
		bad = e.Delta.Stop != "end_turn" || e.Usage.Output <= 0
		s.next = []string{"message_stop"}
	case "message_stop":
		s.next = nil
	}
	if bad {
		return fmt.Errorf("got a %s with other content than that event has: %+v", e.Type, *e)
	}
	return nil
}
