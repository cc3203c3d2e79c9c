package dialect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBesideWhatIsRead: what an answer holds beside what is read of it is named, however deep it stands and whatever else
// is said with it; what is read, or kept as it is, is not.
func TestBesideWhatIsRead(t *testing.T) {
	message := func(in string) string { return `{"choices":[{"index":0,"message":{"role":"assistant",` + in + `}}]}` }
	delta := func(in string) string { return `{"choices":[{"index":0,"delta":{` + in + `}}]}` }
	for _, tc := range []struct{ from, said, want string }{
		{"openai-chat", message(`"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]}]`), "choices[].message.content[].reference_ids"},
		{"openai-chat", delta(`"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]}]`), "choices[].delta.content[].reference_ids"},
		{"openai-chat", delta(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]}],"closed":true}]`), "choices[].delta.content[].thinking[].reference_ids"},
		{"openai-chat", message(`"content":{"title":"JSON mode of one server"}`), ""},
		{"openai-chat", message(`"content":null,"tool_calls":[{"id":"c","type":"function","extra_content":{"google":{"thought_signature":"x"}},"function":{"name":"f","arguments":"{}","more":1}}]`), "choices[].message.tool_calls[].extra_content choices[].message.tool_calls[].function.more"},
		{"openai-chat", delta(`"reasoning":"x","reasoning_details":[{"type":"reasoning.text","text":"x","signature":"s","format":"f","index":0}]`), "choices[].delta.reasoning_details[].signature"},
		{"openai-chat", delta(`"reasoning_details":[{"type":"reasoning.encrypted","data":"s"}]`), "choices[].delta.reasoning_details[].data"},
		{"openai-chat", delta(`"reasoning_details":[{"type":"understudy.thinking","issuer":"anthropic-messages","data":"s","after":1}]`), ""},
		{"openai-chat", `{"choices":[{"delta":{"content":"a"},"logprobs":{"tokens":["a"],"token_logprobs":[-1]}}]}`, "choices[].logprobs.token_logprobs choices[].logprobs.tokens"},
		{"openai-chat", `{"choices":[{"delta":{"reasoning_content":"a"},"logprobs":{"content":null,"reasoning_content":[{"token":"a"}]}}]}`, "choices[].logprobs.reasoning_content"},
		{"openai-chat", message(`"annotations":[{"type":"url_citation","url":"u","summary":"s"},{"type":"file","file":{"hash":"h"}}]`), "choices[].message.annotations[].summary"},
		{"anthropic-messages", `{"type":"message","content":[{"type":"text","text":"a","more":1},{"type":"server_tool_use","id":"s","name":"n","input":{},"other":1}]}`, "content[].more"},
		{"anthropic-messages", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","more":1}}`, "content_block.more"},
		{"anthropic-messages", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a","more":1}}`, "delta.more"},
		{"openai-responses", `{"output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"a","annotations":[],"more":1}]},{"type":"web_search_call","id":"w","action":{}}]}`, "output[].content[].more"},
		{"openai-responses", `{"type":"response.output_item.done","item":{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"a","more":1}],"other":1}}`, "item.other item.summary[].more"},
		{"gemini-generate", `{"candidates":[{"content":{"role":"model","parts":[{"text":"a","more":1},{"function_call":{"name":"f","will_continue":true}}]}}]}`, "candidates[].content.parts[].functionCall.willContinue candidates[].content.parts[].more"},
		{"gemini-generate", `[{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}],"more":1}}]}]`, "candidates[].content.more"},
		{"bedrock-converse", `{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{},"more":1}}],"other":1}}}`, "output.message.content[].toolUse.more output.message.other"},
		{"bedrock-converse", `{"contentBlockIndex":0,"delta":{"text":"a","more":1}}`, "delta.more"},
		{"cohere-chat", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a","more":1}}}}`, "delta.message.content[].more"},
		{"cohere-chat", `{"message":{"role":"assistant","content":[{"type":"text","text":"a"}],"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"},"more":1}]}}`, "message.tool_calls[].more"},
		{"ollama-chat", `{"message":{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f","arguments":{"any":1},"more":1}}]},"done":true}`, "message.tool_calls[].function.more"},
	} {
		all := everyDialect()
		d := all[slices.IndexFunc(all, func(d spoken) bool { return string(d.Name) == tc.from })]
		got := d.Beside([]byte(tc.said))
		slices.Sort(got)
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: got %v, want %v\nof %s", tc.from, got, tc.want, tc.said)
		}
	}
}

// TestNothingUnknownInAnswersIsLostSilently puts a member that nobody knows into every object of every answer, whole and
// streamed, that the fixtures have. It is named among what is not read, unless it stands in what is kept as it is.
func TestNothingUnknownInAnswersIsLostSilently(t *testing.T) {
	for _, d := range everyDialect() {
		files, err := filepath.Glob(filepath.Join(d.folder, "testdata", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		told, tried := map[string]bool{}, 0
		for _, file := range files {
			name := filepath.Base(file)
			if name != "response.json" && name != "stream.txt" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			docs := [][]byte{text}
			if name == "stream.txt" {
				docs = nil
				for _, f := range framesOf(t, d.Dialect, text) {
					docs = append(docs, f.Data)
				}
			}
			for _, text := range docs {
				var doc any
				if json.Unmarshal(text, &doc) != nil {
					continue // a terminator
				}
				eachObject(doc, "", func(path string, object map[string]any) {
					if keptOrCounted.MatchString(path) || told[path] {
						return
					}
					tried++
					object["unheard_of"] = 7
					defer delete(object, "unheard_of")
					said, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.ContainsFunc(d.Beside(said), isUnheardOf) {
						told[path] = true
						t.Errorf("%s: got an unknown member of %q lost without a word in %s", file, path, said)
					}
				})
			}
		}
		if tried < 300 {
			t.Errorf("%s: tried %d objects, want those of the fixtures", d.Name, tried)
		}
	}
}

// isUnheardOf tells the path of the member, as it was spelled or as the dialect spells names.
func isUnheardOf(path string) bool {
	return strings.HasSuffix(path, "unheard_of") || strings.HasSuffix(path, "unheardOf")
}

// keptOrCounted tells the paths of what the model wrote as JSON, of what is carried whole to clients of the same API, and
// of counts and echoes, and of what the gateway itself said.
var keptOrCounted = regexp.MustCompile(`(?i)(usage|\.arguments|\.args|\.input|\.metrics|\.metadata$|understudy_thinking|sources\[\]\.document|\.(text|tool_choice|tools|reasoning)$)`)
