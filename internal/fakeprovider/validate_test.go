package fakeprovider

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// Each case is a request the real vendor refuses; want is a piece of its message.
func TestWrongRequestsAreRefused(t *testing.T) {
	user := `{"role":"user","content":"hi"}`
	png := base64.StdEncoding.EncodeToString([]byte(pngBytes))
	for vendor, cases := range map[string][][2]string{
		Chat: {
			{`{`, "could not parse"},
			{`[]`, "could not parse"},
			{`{"messages":[` + user + `]}`, "must provide a model"},
			{`{"model":"m"}`, "Missing required parameter: 'messages'"},
			{`{"model":"m","messages":[]}`, "empty array"},
			{`{"model":"m","messages":"hi"}`, "expected an array of objects"},
			{`{"model":"m","top_k":3,"messages":[` + user + `]}`, "Unknown parameter: 'top_k'"},
			{`{"model":"m","messages":[{"role":"bot","content":"hi"}]}`, "Supported values are: 'system'"},
			{`{"model":"m","messages":[{"role":"user","content":null}]}`, "got null"},
			{`{"model":"m","messages":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]}`, "Invalid value: 'input_text'"},
			{`{"model":"m","messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`, "Invalid value: 'image_url'"},
			{`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,AAAA"}}]}]}`, "unsupported image"},
			{`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}]}`, "file_id"},
			{`{"model":"m","messages":[` + user + `,{"role":"assistant","content":"x","cache_control":{}}]}`, "Unknown parameter: 'messages[1].cache_control'"},
			{`{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},` + user + `]}`, "did not have response messages: a"},
			{`{"model":"m","messages":[` + user + `,{"role":"tool","tool_call_id":"a","content":"x"}]}`, "must be a response to a preceding message"},
			{`{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{}}}]}]}`, "expected a string"},
			{`{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"` + strings.Repeat("i", 41) + `","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`, "string too long"},
			{`{"model":"m","tools":[],"messages":[` + user + `]}`, "empty array"},
			{`{"model":"m","tools":[{"name":"f","input_schema":{}}],"messages":[` + user + `]}`, "tools[0].type"},
			{`{"model":"m","tools":[{"type":"function","function":{"name":"a.b"}}],"messages":[` + user + `]}`, "does not match pattern"},
			{`{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"string"}}}],"messages":[` + user + `]}`, `got 'type: "string"'`},
			{`{"model":"m","tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}}}],"messages":[` + user + `]}`, "Missing 'a'"},
			{`{"model":"m","tool_choice":"auto","messages":[` + user + `]}`, "only allowed when 'tools' are specified"},
			{`{"model":"m","tool_choice":{"type":"function","function":{"name":"g"}},"tools":[{"type":"function","function":{"name":"f"}}],"messages":[` + user + `]}`, "'g' not found"},
			{`{"model":"m","temperature":2.5,"messages":[` + user + `]}`, "decimal above maximum"},
			{`{"model":"m","temperature":"1","messages":[` + user + `]}`, "expected a decimal"},
			{`{"model":"m","n":0,"messages":[` + user + `]}`, "integer below minimum"},
			{`{"model":"m","max_tokens":1.5,"messages":[` + user + `]}`, "expected an integer"},
			{`{"model":"m","top_logprobs":2,"messages":[` + user + `]}`, "'logprobs' must be set to true"},
			{`{"model":"m","stop":["a","b","c","d","e"],"messages":[` + user + `]}`, "array too long"},
			{`{"model":"m","stream_options":{"include_usage":true},"messages":[` + user + `]}`, "only allowed when 'stream' is enabled"},
			{`{"model":"m","response_format":{"type":"json_object"},"messages":[` + user + `]}`, "must contain the word 'json'"},
			{`{"model":"m","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},"messages":[` + user + `]}`, "json_schema.name"},
			{`{"model":"o3","max_tokens":5,"messages":[` + user + `]}`, "Use 'max_completion_tokens' instead"},
			{`{"model":"gpt-5","temperature":0.2,"messages":[` + user + `]}`, "Only the default (1) value"},
			{`{"model":"gpt-4o","reasoning_effort":"low","messages":[` + user + `]}`, "'reasoning_effort' is not supported"},
			{`{"model":"m","service_tier":"standard","messages":[` + user + `]}`, "Supported values are: 'auto'"},
			{`{"model":"m","user":"` + strings.Repeat("u", 65) + `","messages":[` + user + `]}`, "Invalid 'user': string too long"},
			{`{"model":"m","metadata":{"a":"b"},"messages":[` + user + `]}`, "only allowed when 'store' is enabled"},
			{`{"model":"m","store":true,"metadata":{"a":1},"messages":[` + user + `]}`, "Invalid type for 'metadata.a'"},
			{`{"model":"m","store":true,"metadata":{"a":"` + strings.Repeat("v", 513) + `"},"messages":[` + user + `]}`, "Invalid 'metadata.a': string too long"},
		},
		Messages: {
			{`{`, "not valid JSON"},
			{`{"model":"m","max_tokens":9,"metadata":{"user_id":"a@b.c"},"messages":[` + user + `]}`, "email address"},
			{`{"model":"m","max_tokens":9,"service_tier":"flex","messages":[` + user + `]}`, "'auto' or 'standard_only'"},
			{`{"max_tokens":9,"messages":[` + user + `]}`, "model: Field required"},
			{`{"model":"m","messages":[` + user + `]}`, "max_tokens: Field required"},
			{`{"model":"m","max_tokens":0,"messages":[` + user + `]}`, "greater than or equal to 1"},
			{`{"model":"m","max_tokens":9,"messages":[]}`, "at least one message is required"},
			{`{"model":"m","max_tokens":9,"seed":1,"messages":[` + user + `]}`, "seed: Extra inputs are not permitted"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"system","content":"x"}]}`, "Input should be 'user' or 'assistant'"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":""}]}`, "non-empty content"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":" "}]}]}`, "non-whitespace"},
			{`{"model":"m","max_tokens":9,"system":[{"type":"text","text":""}],"messages":[` + user + `]}`, "must be non-empty"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "Input tag 'image_url'"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"` + png + `"}}]}]}`, "appears to be a image/png"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AAAA"}}]}]}`, "'image/webp'"},
			{`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]}]}`, "PDF specified was not valid"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"{}"}]},` + user + `]}`, "valid dictionary"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},` + user + `]}`, "immediately after: a"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"a"}]}]}`, "immediately after: a"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`, "unexpected `tool_use_id`"},
			{`{"model":"m","max_tokens":9,"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`, "must define tools"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"a.b","input_schema":{"type":"object"}}],"messages":[` + user + `]}`, "should match pattern"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f"}],"messages":[` + user + `]}`, "input_schema: Field required"},
			{`{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object","anyOf":[{}]}}],"messages":[` + user + `]}`, "at the top level"},
			{`{"model":"m","max_tokens":9,"tool_choice":{"type":"auto"},"messages":[` + user + `]}`, "while providing tools"},
			{`{"model":"m","max_tokens":9,"tool_choice":{"type":"function"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[` + user + `]}`, "Input tag 'function'"},
			{`{"model":"m","max_tokens":9,"temperature":1.4,"messages":[` + user + `]}`, "less than or equal to 1"},
			{`{"model":"m","max_tokens":9,"stop_sequences":[" "],"messages":[` + user + `]}`, "non-whitespace"},
			{`{"model":"m","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":100},"messages":[` + user + `]}`, "greater than or equal to 1024"},
			{`{"model":"m","max_tokens":1024,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[` + user + `]}`, "must be greater than"},
			{`{"model":"claude-opus-5","max_tokens":9,"temperature":1,"messages":[` + user + `]}`, "deprecated for this model"},
			{`{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[` + user + `,{"role":"assistant","content":"I"}]}`, "does not support assistant message prefill"},
			{`{"model":"m","max_tokens":9,"messages":[` + user + `,{"role":"assistant","content":"I "}]}`, "trailing whitespace"},
			{`{"model":"m","max_tokens":9,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"messages":[` + user + `]}`, "additionalProperties"},
			{`{"model":"m","max_tokens":9,"system":[` + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 5), ",") + `],"messages":[` + user + `]}`, "maximum of 4 blocks"},
		},
	} {
		s := start(t, Options{})
		c := client(t)
		for _, tc := range cases {
			h := send(t, c, s, vendor, tc[0], patience, nil)
			o, err := decode(h.body)
			if msg := textAt(o, "error", "message"); h.status != 400 || err != nil || !strings.Contains(msg, tc[1]) || textAt(o, "error", "type") != invalidRequest {
				t.Errorf("%s %s: got %d %q want 400 with %q", vendor, tc[0], h.status, h.body, tc[1])
			}
			if s.Last().Refused == "" {
				t.Errorf("%s %s: the journal does not say that it was refused", vendor, tc[0])
			}
		}
	}
}

func TestKeysModelsAndPaths(t *testing.T) {
	s := start(t, Options{Key: "right", Models: []string{"one", "two"}})
	do := func(method, path string, header ...string) heard {
		r, err := http.NewRequestWithContext(t.Context(), method, s.RootURL()+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b := make([]byte, 4096)
		n, _ := resp.Body.Read(b)
		return heard{status: resp.StatusCode, header: resp.Header, body: string(b[:n])}
	}
	const version, v = "Anthropic-Version", "2023-06-01"
	for _, tc := range []struct {
		name string
		h    heard
		code int
		want string
	}{
		{"no key", do("POST", "/v1/chat/completions"), 401, "You didn't provide an API key"},
		{"wrong key", do("POST", "/v1/chat/completions", "Authorization", "Bearer wrong"), 401, `"code": "invalid_api_key"`},
		{"no key", do("POST", "/v1/messages", version, v), 401, `{"type":"error","error":{"type":"authentication_error","message":"x-api-key header is required"},"request_id":"req_`},
		{"wrong key", do("POST", "/v1/messages", version, v, "X-Api-Key", "wrong"), 401, "invalid x-api-key"},
		{"no version", do("POST", "/v1/messages", "X-Api-Key", "right"), 400, "anthropic-version: header is required"},
		{"unknown version", do("POST", "/v1/messages", "X-Api-Key", "right", version, "2026-10-22"), 400, "is not a valid version"},
		{"models", do("GET", "/v1/models", "Authorization", "Bearer right"), 200, `{"object":"list","data":[{"id":"one","object":"model"`},
		{"model", do("GET", "/v1/models/two", "Authorization", "Bearer right"), 200, `{"id":"two"`},
		{"no model", do("GET", "/v1/models/three", "Authorization", "Bearer right"), 404, "model_not_found"},
		{"models", do("GET", "/v1/models", version, v, "X-Api-Key", "right"), 200, `"first_id":"one","last_id":"two","has_more":false`},
		{"no model", do("GET", "/v1/models/three", version, v, "X-Api-Key", "right"), 404, "not_found_error"},
		{"path", do("POST", "/v1/nothing", "Authorization", "Bearer right"), 404, "Invalid URL (POST /v1/nothing)"},
		{"method", do("GET", "/v1/chat/completions", "Authorization", "Bearer right"), 405, "Not allowed to GET"},
	} {
		if tc.h.status != tc.code || !strings.Contains(tc.h.body, tc.want) {
			t.Errorf("%s: got %d %s want %d with %s", tc.name, tc.h.status, tc.h.body, tc.code, tc.want)
		}
	}
	h := send(t, client(t), s, Chat, bodyFor(Chat, "three", false), patience, func(r *http.Request) { r.Header.Set("Authorization", "Bearer right") })
	if h.status != 404 || !strings.Contains(h.body, "The model `three` does not exist") {
		t.Errorf("unknown model: got %d %s", h.status, h.body)
	}
}

func TestLaxAcceptsWhatCompatibleServersAccept(t *testing.T) {
	s := start(t, Options{Lax: true})
	ask(t, s, Chat, `{"model":"o3","max_tokens":5,"top_k":3,"messages":[{"role":"user","content":"hi","extra":1}]}`)
	ask(t, s, Messages, `{"model":"claude-opus-5","max_tokens":5,"temperature":0.5,"foo":1,"messages":[{"role":"user","content":"hi"}]}`)
}

func TestNewestVersionHasNoSampling(t *testing.T) {
	s := start(t, Options{})
	for _, tc := range []struct {
		version, body string
		code          int
	}{
		{"2023-06-01", `{"model":"m","max_tokens":5,"temperature":1,"messages":[{"role":"user","content":"hi"}]}`, 200},
		{"2026-10-21", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`, 200},
		{"2026-10-21", `{"model":"m","max_tokens":5,"temperature":1,"messages":[{"role":"user","content":"hi"}]}`, 400},
		{"2026-10-21", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hi","citations":[{"type":"char_location"}]}]}]}`, 400},
	} {
		h := send(t, client(t), s, Messages, tc.body, patience, func(r *http.Request) { r.Header.Set("Anthropic-Version", tc.version) })
		if h.status != tc.code {
			t.Errorf("version %s: %s: got %d %s want %d", tc.version, tc.body, h.status, h.body, tc.code)
		}
	}
}
