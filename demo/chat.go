package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// maxTokens is above the words of every answer.
const maxTokens = 512

// chat is OpenAI's Chat Completions, as an application knows it from
// https://platform.openai.com/docs/api-reference/chat.
type chat struct{}

type chatMessage struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type chatUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// chatAnswer is a completion or a chunk of one.
type chatAnswer struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Model   string `json:"model"`
	Choices []struct {
		Index   int          `json:"index"`
		Message *chatMessage `json:"message"`
		Delta   *chatMessage `json:"delta"`
		Finish  string       `json:"finish_reason"`
	} `json:"choices"`
	Usage *chatUsage      `json:"usage"`
	Error json.RawMessage `json:"error"`
}

func (chat) path() string { return "/v1/chat/completions" }

func (chat) header(h http.Header) { h.Set("Authorization", "Bearer "+clientKey) }

func (chat) request(model, prompt string, stream bool) ([]byte, error) {
	system := systemPrompt
	req := map[string]any{
		"model":       model,
		"messages":    []chatMessage{{"system", &system}, {"user", &prompt}},
		"temperature": 0.7,
		"max_tokens":  maxTokens,
	}
	if stream {
		req["stream"] = true
		req["stream_options"] = map[string]any{"include_usage": true}
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return body, nil
}

func (chat) whole(body []byte) (string, error) {
	var a chatAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	switch {
	case a.Error != nil:
		return "", fmt.Errorf("got an error in the answer: %s", a.Error)
	case a.ID == "" || a.Object != "chat.completion" || a.Model == "":
		return "", fmt.Errorf("got id %q, object %q and model %q, want a chat.completion", a.ID, a.Object, a.Model)
	case len(a.Choices) != 1 || a.Choices[0].Message == nil:
		return "", fmt.Errorf("got %d choices, want 1 with a message", len(a.Choices))
	}
	c := a.Choices[0]
	switch {
	case c.Index != 0 || c.Finish != "stop" || c.Message.Role != "assistant" || c.Message.Content == nil:
		return "", fmt.Errorf("got choice %d by %q with finish reason %q, want choice 0 by assistant with stop and content", c.Index, c.Message.Role, c.Finish)
	case !a.Usage.adds():
		return "", fmt.Errorf("got usage %+v, want counts that add up", a.Usage)
	}
	return *c.Message.Content, nil
}

// adds reports whether there are counts and they add up.
func (u *chatUsage) adds() bool {
	return u != nil && u.Prompt > 0 && u.Completion > 0 && u.Total == u.Prompt+u.Completion
}

func (chat) newStream() streamReader { return &chatStream{} }

// chatStream wants: a chunk that names the role, chunks with content, one with the finish reason,
// one with the usage that was asked for, [DONE].
type chatStream struct {
	first    *chatAnswer // whose id and model every chunk repeats
	said     []byte
	finished bool
	usage    bool
	done     bool
}

func (s *chatStream) ended() bool { return s.done }

func (s *chatStream) text() string { return string(s.said) }

func (s *chatStream) event(name string, data []byte) error {
	if name != "" {
		return fmt.Errorf("got an event named %q, want none named", name)
	}
	if string(data) == "[DONE]" {
		if !s.finished || !s.usage {
			return fmt.Errorf("got [DONE], want a finish reason (seen: %t) and usage (seen: %t) first", s.finished, s.usage)
		}
		s.done = true
		return nil
	}
	var a chatAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("read chunk: %w", err)
	}
	if a.Error != nil {
		return fmt.Errorf("got an error in the stream: %s", a.Error)
	}
	if s.first == nil {
		s.first = &a
	}
	if a.Object != "chat.completion.chunk" || a.ID == "" || a.ID != s.first.ID || a.Model == "" || a.Model != s.first.Model {
		return fmt.Errorf("got object %q, id %q and model %q, want a chat.completion.chunk with id %q and model %q",
			a.Object, a.ID, a.Model, s.first.ID, s.first.Model)
	}
	return s.chunk(&a)
}

func (s *chatStream) chunk(a *chatAnswer) error {
	if s.finished {
		if len(a.Choices) != 0 || s.usage || !a.Usage.adds() {
			return fmt.Errorf("got %d choices and usage %+v after the finish reason, want one chunk of usage", len(a.Choices), a.Usage)
		}
		s.usage = true
		return nil
	}
	if len(a.Choices) != 1 || a.Choices[0].Index != 0 || a.Choices[0].Delta == nil || a.Usage != nil {
		return fmt.Errorf("got %d choices and usage %+v, want one delta of choice 0", len(a.Choices), a.Usage)
	}
	c := a.Choices[0]
	if isFirst := a == s.first; isFirst != (c.Delta.Role == "assistant") {
		return fmt.Errorf("got role %q, want assistant in the first chunk alone", c.Delta.Role)
	}
	if c.Delta.Content != nil {
		s.said = append(s.said, *c.Delta.Content...)
	}
	if c.Finish != "" {
		if c.Finish != "stop" {
			return fmt.Errorf("got finish reason %q, want stop", c.Finish)
		}
		s.finished = true
	}
	return nil
}
