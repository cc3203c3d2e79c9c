package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// spoiled are the ways to spoil a request. members are those of a sound one.
var spoiled = map[string]struct {
	body   func(members string) string
	status int
}{
	"empty":             {func(string) string { return "" }, 400},
	"white space":       {func(string) string { return " \n" }, 400},
	"malformed":         {func(string) string { return `{"messages":` }, 400},
	"truncated":         {func(m string) string { return "{" + m }, 400},
	"trailing document": {func(m string) string { return "{" + m + "} {}" }, 400},
	"an array":          {func(string) string { return "[]" }, 400},
	"null":              {func(string) string { return "null" }, 400},
	"nested too deeply": {func(m string) string {
		return "{" + m + `,"x":` + strings.Repeat("[", 129) + strings.Repeat("]", 129) + "}"
	}, 400},
	"nested absurdly": {func(string) string { return strings.Repeat("[", 200_000) }, 400},
	"duplicate keys":  {func(m string) string { return "{" + m + "," + m + "}" }, 400},
	"invalid UTF-8":   {func(m string) string { return "{" + m + `,"x":"` + "\xff" + `"}` }, 400},
	"over the limit":  {func(m string) string { return "{" + m + `,"x":"` + strings.Repeat("x", 1<<20) + `"}` }, 413},
}

// matrixMembers are the members of a sound request in each dialect, but for the model.
var matrixMembers = map[dialect.Name]string{
	dialect.OpenAIChat:        `"messages":[{"role":"user","content":"hi"}]`,
	dialect.AnthropicMessages: `"max_tokens":5,"messages":[{"role":"user","content":"hi"}]`,
	dialect.OpenAIResponses:   `"input":"hi"`,
	dialect.GeminiGenerate:    `"contents":[{"parts":[{"text":"hi"}]}]`,
	dialect.BedrockConverse:   `"messages":[{"role":"user","content":[{"text":"hi"}]}]`,
	dialect.CohereChat:        `"messages":[{"role":"user","content":"hi"}]`,
	dialect.OllamaChat:        `"messages":[{"role":"user","content":"hi"}]`,
}

// TestBadBodiesInEveryDialect: whatever is wrong with a request, a client of each dialect gets the right status in that
// dialect's own form, with the call's id where it looks for one, relayed and translated alike; no vendor hears of it.
func TestBadBodiesInEveryDialect(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Body = 1 << 20
	w := matrixWorld(t, withLimits(limits))
	limits.BodyTimeout = 300 * time.Millisecond // which a large body may take on a busy machine
	hasty := matrixWorld(t, withLimits(limits))
	for name, d := range matrixDialects() {
		for _, lead := range matrixVendors {
			if lead.dialect != name && lead.dialect != dialect.OpenAIChat && lead.dialect != dialect.AnthropicMessages {
				continue
			}
			ask := func(model, body string, header map[string]string) *answer {
				a := api{name: string(name), path: pathFor(d, model, false)}
				if name == dialect.AnthropicMessages {
					a.header = messagesAPI.header
				}
				return w.post(a, []byte(body), header)
			}
			sound := func(model string) string {
				if strings.Contains(d.Path(), "{model}") {
					return matrixMembers[name]
				}
				return `"model":"` + model + `",` + matrixMembers[name]
			}
			hold := func(what string, got *answer, status int) {
				t.Helper()
				w.holdRefused(t, fmt.Sprintf("%s to %s from %s", what, name, lead.id), d, got, status)
			}
			for what, c := range spoiled {
				hold(what, ask(lead.id, c.body(sound(lead.id)), nil), c.status)
			}
			hold("unknown model", ask("nobody", "{"+sound("nobody")+"}", nil), 404)
			hold("two credentials", ask(lead.id, "{"+sound(lead.id)+"}", map[string]string{"Authorization": "Bearer one", "X-Api-Key": "two"}), 400)
			hold("unknown encoding", ask(lead.id, "{"+sound(lead.id)+"}", map[string]string{"Content-Encoding": "br"}), 415)
			hold("no gzip", ask(lead.id, "{"+sound(lead.id)+"}", map[string]string{"Content-Encoding": "gzip"}), 400)
			hold("a form", ask(lead.id, "{"+sound(lead.id)+"}", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}), 415)
			if lead.dialect == name {
				hasty.holdMethodAndTrickle(t, d, lead.id)
			}
		}
	}
	w.wantNothingSent(t)
	hasty.wantNothingSent(t)
}

// wrongTypes are members of a request in each dialect, of kinds that they may not have.
var wrongTypes = map[dialect.Name]map[string]string{
	dialect.OpenAIChat: {
		"messages": `"x"`, "tools": `{}`, "temperature": `"warm"`, "max_tokens": `"ten"`, "stop": `7`, "tool_choice": `[]`,
		"logprobs": `"yes"`, "response_format": `"json"`, "metadata": `[]`, "user": `7`, "stream_options": `true`,
	},
	dialect.AnthropicMessages: {
		"messages": `"x"`, "tools": `{}`, "temperature": `"warm"`, "max_tokens": `"ten"`, "system": `7`, "tool_choice": `"auto"`,
		"stop_sequences": `"x"`, "thinking": `true`, "metadata": `"x"`,
	},
	dialect.OpenAIResponses: {
		"input": `{}`, "tools": `{}`, "temperature": `"warm"`, "max_output_tokens": `"ten"`, "instructions": `[]`,
		"background": `"yes"`, "text": `"x"`, "reasoning": `"high"`, "include": `"x"`,
	},
	dialect.GeminiGenerate: {
		"contents": `"x"`, "tools": `7`, "generationConfig": `[]`, "generation_config": `"x"`, "systemInstruction": `"x"`, "tool_config": `[]`,
	},
	dialect.BedrockConverse: {
		"messages": `{}`, "system": `"x"`, "inferenceConfig": `[]`, "toolConfig": `[]`, "requestMetadata": `"x"`,
	},
	dialect.CohereChat: {
		"messages": `"x"`, "tools": `{}`, "temperature": `"warm"`, "max_tokens": `"ten"`, "documents": `{}`, "stop_sequences": `"x"`,
	},
	dialect.OllamaChat: {
		"messages": `"x"`, "tools": `{}`, "options": `[]`, "format": `true`, "think": `[]`, "logprobs": `1`,
	},
}

// TestWrongTypesInEveryDialect: a member of the wrong kind is refused in words that name it, relayed and translated alike; no
// vendor hears of it.
func TestWrongTypesInEveryDialect(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	for name, d := range matrixDialects() {
		for _, lead := range matrixVendors {
			if lead.dialect != name && lead.dialect != dialect.OpenAIChat && lead.dialect != dialect.AnthropicMessages {
				continue
			}
			a := api{name: string(name), path: pathFor(d, lead.id, false)}
			sound := "{" + matrixMembers[name] + "}"
			if name == dialect.AnthropicMessages {
				a.header = messagesAPI.header
			}
			if !strings.Contains(d.Path(), "{model}") {
				sound = `{"model":"` + lead.id + `",` + matrixMembers[name] + "}"
			}
			for member, wrong := range wrongTypes[name] {
				body, err := jsontext.Set([]byte(sound), member, []byte(wrong))
				if err != nil {
					t.Fatal(err)
				}
				got := w.post(a, body, nil)
				what := fmt.Sprintf("%s to %s from %s", body, name, lead.id)
				w.holdRefused(t, what, d, got, 400)
				if !bytes.Contains(got.body, []byte(member)) || !bytes.Contains(got.body, []byte("want ")) {
					t.Errorf("%s: got %s want %s named, and what it may be", what, got.body, member)
				}
			}
		}
	}
	w.wantNothingSent(t)
}

// holdRefused asserts an error in the dialect's own form.
func (w *world) holdRefused(t *testing.T, what string, d *dialect.Dialect, got *answer, status int) {
	t.Helper()
	if got.err != nil || got.status != status {
		t.Errorf("%s: got %v (%v) want status %d", what, got, got.err, status)
		return
	}
	e := d.Provider.DecodeError(got.status, got.body)
	if d.ErrorType != nil {
		if header, _ := d.ErrorType(e); got.header.Get(header) == "" {
			t.Errorf("%s: got no header %s", what, header)
		}
	}
	switch {
	case e.Message == "" || !bytes.Contains(got.body, []byte(`"message"`)) && !bytes.Contains(got.body, []byte(`"error":"`)):
		t.Errorf("%s: got %s want an error in the dialect's form", what, got.body)
	case d.IsError != nil && !d.IsError(got.body):
		t.Errorf("%s: got %s want what clients know as an error", what, got.body)
	case e.Code != llm.CodeInvalidRequest && status == 400 && d.ErrorType == nil:
		t.Errorf("%s: got %s read as %s want %s", what, got.body, e.Code, llm.CodeInvalidRequest)
	case got.header.Get("X-Understudy-Call") == "" || d.RequestIDHeader != "" && got.header.Get(d.RequestIDHeader) == "":
		t.Errorf("%s: got no id in %v", what, got.header)
	case len(got.body) > 1<<10:
		t.Errorf("%s: got an error of %d bytes want at most 1 KiB", what, len(got.body))
	}
}

// holdMethodAndTrickle asks by a wrong method, and with a body that ends before it is as long as it said.
func (w *world) holdMethodAndTrickle(t *testing.T, d *dialect.Dialect, model string) {
	t.Helper()
	for start, status := range map[string]int{
		"PUT %s HTTP/1.1\r\nContent-Length: 2":    http.StatusMethodNotAllowed,
		"POST %s HTTP/1.1\r\nContent-Length: 500": http.StatusRequestTimeout,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		version := ""
		if d.Name == dialect.AnthropicMessages {
			version = "Anthropic-Version: 2023-06-01\r\n"
		}
		fmt.Fprintf(conn, start+"\r\nHost: x\r\nConnection: close\r\n%s\r\n{}", pathFor(d, model, false), version)
		began := time.Now()
		_ = conn.SetReadDeadline(began.Add(10 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		got := &answer{status: resp.StatusCode, header: resp.Header}
		got.body, got.err = io.ReadAll(resp.Body)
		_, _ = resp.Body.Close(), conn.Close()
		w.holdRefused(t, strings.Fields(start)[0]+" to "+string(d.Name), d, got, status)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: got %d after %v want it within the time for a body", d.Name, status, took)
		}
	}
}
