package fakeprovider

import (
	"encoding/json"
	"strings"
	"testing"
)

const responsesHi = `"model":"m","input":"hi"`

func TestResponsesValidates(t *testing.T) {
	s := start(t, Options{Models: []string{"m", "gpt-4o", "gpt-5"}})
	const call = `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`
	const result = `{"type":"function_call_output","call_id":"c","output":"sunny"}`
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{`{` + responsesHi + `}`, 200, `"text":"You said: hi"`},
		{`{`, 400, "could not parse the JSON"},
		{`{"input":"hi"}`, 400, "Missing required parameter: 'model'."},
		{`{"model":"m"}`, 400, "must be provided"},
		{`{"model":"n","input":"hi"}`, 400, `"code": "model_not_found"`},
		{`{` + responsesHi + `,"stop":["x"]}`, 400, "Unknown parameter: 'stop'."},
		{`{` + responsesHi + `,"max_tokens":5}`, 400, "Unknown parameter: 'max_tokens'."},
		{`{` + responsesHi + `,"max_output_tokens":15}`, 400, "Expected a value >= 16"},
		{`{` + responsesHi + `,"previous_response_id":"resp_1"}`, 400, "previous_response_not_found"},
		{`{` + responsesHi + `,"include":["x"]}`, 400, "Supported values are"},
		{`{` + responsesHi + `,"text":{"format":{"type":"json_object"}}}`, 400, "must contain the word 'json'"},
		{`{` + responsesHi + `,"text":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`, 400, "text.format.name"},
		{`{` + responsesHi + `,"tools":[{"type":"function","function":{"name":"f"}}]}`, 400, "Unknown parameter: 'tools[0].function'."},
		{`{` + responsesHi + `,"tools":[{"type":"function","name":"f.g"}]}`, 400, "does not match pattern"},
		{`{` + responsesHi + `,"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}]}`, 400, "additionalProperties"},
		{`{` + responsesHi + `,"tools":[{"type":"custom","name":"run"}]}`, 200, `"type":"custom_tool_call"`},
		{`{` + responsesHi + `,"tools":[{"type":"web_search"}]}`, 200, "You said"},
		{`{"model":"gpt-4o","input":"hi","reasoning":{"effort":"low"}}`, 400, "not supported with this model"},
		{`{"model":"gpt-4o","input":"hi","include":["reasoning.encrypted_content"]}`, 400, "Encrypted content is not supported"},
		{`{"model":"gpt-5","input":"hi","temperature":0.5}`, 400, "'temperature' is not supported"},
		{`{"model":"gpt-5","input":"hi","top_logprobs":2}`, 400, "logprobs are not supported"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`, 400, "Supported values are: 'input_text'"},
		{`{"model":"m","input":[{"role":"assistant","content":[{"type":"input_text","text":"x"}]}]}`, 400, "Supported values are: 'output_text'"},
		{`{"model":"m","input":[{"role":"tool","content":"x"}]}`, 400, "Supported values are: 'assistant'"},
		{`{"model":"m","input":[{"type":"message","id":"x1","role":"user","content":"x"}]}`, 400, "begins with 'msg'"},
		{`{"model":"m","input":[` + call + `]}`, 400, "No tool output found for function call c."},
		{`{"model":"m","input":[` + result + `]}`, 400, "No tool call found"},
		{`{"model":"m","input":[` + call + `,` + result + `]}`, 200, "The tools said: sunny."},
		{`{"model":"m","input":[{"type":"function_call","call_id":"` + strings.Repeat("x", 65) + `","name":"f","arguments":"{}"}]}`, 400, "maximum length 64"},
		{`{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[]},{"role":"user","content":"x"}]}`, 400, "not found"},
		{`{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"theirs"},` + call + `,` + result + `]}`, 400, "invalid_encrypted_content"},
		{`{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAAABx"},` + call + `,` + result + `]}`, 200, "sunny"},
		{`{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAAABx"},{"role":"user","content":"x"}]}`, 400, "without its required following item"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":{"url":"x"}}]}]}`, 400, "expected an image URL"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_url":"https://a.example/b.pdf","filename":"b"}]}]}`, 400, "Mutually exclusive"},
		{`{"model":"m","input":[{"type":"robot"}]}`, 400, "Invalid value: 'robot'"},
	} {
		if status, got := postTo(t, s, "/v1/responses", tc.body); status != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %d %s want %d with %q", tc.body, status, got, tc.status, tc.want)
		}
	}
	locked := start(t, Options{Key: "other"})
	if status, got := postTo(t, locked, "/v1/responses", `{}`); status != 401 || !strings.Contains(got, "invalid_api_key") {
		t.Errorf("got %d %s want 401", status, got)
	}
}

// TestResponsesStreamsEndInTheUnaryAnswer holds the last event against the answer that is not streamed, and the pieces
// of the stream against what they are repeated in.
func TestResponsesStreamsEndInTheUnaryAnswer(t *testing.T) {
	type event struct {
		Type     string
		Sequence int `json:"sequence_number"`
		Delta    string
		Output   int `json:"output_index"`
		Item     json.RawMessage
		Response struct {
			Status string
			Output []json.RawMessage
			Usage  json.RawMessage
		}
	}
	s := start(t, Options{})
	for _, model := range answers {
		body := `{"model":"` + model + `","input":"Tell me something nice","include":["reasoning.encrypted_content","message.output_text.logprobs"]`
		_, whole := postTo(t, s, "/v1/responses", body+`}`)
		_, stream := postTo(t, s, "/v1/responses", body+`,"stream":true}`)
		var one struct {
			Status string
			Output []json.RawMessage
		}
		if err := json.Unmarshal([]byte(whole), &one); err != nil {
			t.Fatal(err)
		}
		said := map[int]string{}
		items := map[int]string{}
		var last event
		for i, block := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
			name, data, _ := strings.Cut(block, "\ndata: ")
			last = event{}
			if err := json.Unmarshal([]byte(data), &last); err != nil || name != "event: "+last.Type || last.Sequence != i {
				t.Fatalf("%s: event %d: got %s (%v)", model, i, block, err)
			}
			said[last.Output] += last.Delta
			if last.Type == "response.output_item.done" {
				items[last.Output] = string(last.Item)
			}
		}
		if last.Type != "response."+one.Status || len(last.Response.Output) != len(one.Output) || len(items) != len(one.Output) {
			t.Errorf("%s: got %s with %d of %d items, want %d and status %s", model, last.Type, len(items), len(last.Response.Output), len(one.Output), one.Status)
			continue
		}
		for i, item := range last.Response.Output {
			if string(item) != items[i] || sameButNumber(string(item)) != sameButNumber(string(one.Output[i])) {
				t.Errorf("%s: item %d: got %s, ended as %s want %s", model, i, item, items[i], one.Output[i])
			}
			if quoted := quote(said[i]); !strings.Contains(items[i], quoted[1:len(quoted)-1]) {
				t.Errorf("%s: item %d: got the pieces %s want what is in %s", model, i, quoted, items[i])
			}
		}
	}
}

// sameButNumber leaves the requests' numbers out of ids.
func sameButNumber(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}
