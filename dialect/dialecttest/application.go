package dialecttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// Application is a client of a dialect as its vendor's SDK makes one: how it asks, keeps what it is shown, whole or
// streamed, and gives the results of tools back.
type Application struct {
	dialect dialect.Name
	list    string // the member that holds the conversation
	ask     string // a request with two tools, their names in place of %q
	keep    func(shown jsontext.Value) []string
	fold    func(events []map[string]any) any // a stream, as the whole answer has it
	result  string                            // of one call, by id and text, or by name and text
	around  string                            // the message that holds the results of a turn; empty if each is one
}

// NewApplication is a client of the dialect.
func NewApplication(name dialect.Name) Application {
	a, ok := applications()[name]
	if !ok {
		panic("BUG: nothing says how an application of " + string(name) + " keeps a conversation")
	}
	a.dialect = name
	return a
}

// Ask is a request with two tools of these names.
func (a Application) Ask(tools [2]string) []byte { return fmt.Appendf(nil, a.ask, tools[0], tools[1]) }

// Fold is a stream as a whole answer, as far as the SDK keeps it.
func (a Application) Fold(frames []dialect.Frame) ([]byte, error) {
	var events []map[string]any
	for _, f := range frames {
		if string(f.Data) == "[DONE]" {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal(f.Data, &e); err != nil {
			return nil, fmt.Errorf("read an event: %w", err)
		}
		e["event"] = f.Event
		events = append(events, e)
	}
	return json.Marshal(a.fold(events))
}

// GoOn is the next request: the body of the one before, what was shown for it, and the results of its calls.
func (a Application) GoOn(body, shown []byte, calls []llm.ToolCall, results []string) ([]byte, error) {
	said := make([]string, len(calls))
	for i, c := range calls {
		key := c.ID
		switch a.dialect {
		case dialect.OllamaChat:
			key = c.Name
		case dialect.GeminiGenerate:
			said[i] = fmt.Sprintf(a.result, c.ID, c.Name, results[i])
			continue
		default:
		}
		said[i] = fmt.Sprintf(a.result, key, results[i])
	}
	if a.around != "" {
		said = []string{fmt.Sprintf(a.around, strings.Join(said, ","))}
	}
	list := slices.Concat(elements(jsontext.Value(body).Get(a.list)), a.keep(shown), said)
	return jsontext.Set(body, a.list, []byte("["+strings.Join(list, ",")+"]"))
}

// Calls lists the calls in an answer, where the dialect has them.
func (a Application) Calls(shown []byte) ([]llm.ToolCall, error) {
	var answer any
	if err := json.Unmarshal(shown, &answer); err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	var calls []llm.ToolCall
	add := func(id, name string, args any) {
		text, isText := args.(string)
		if !isText {
			raw, _ := json.Marshal(args) // it was JSON
			text = string(raw)
		}
		calls = append(calls, llm.ToolCall{ID: id, Name: name, Args: text})
	}
	for _, v := range a.callsIn(answer) {
		switch a.dialect {
		case dialect.OpenAIChat, dialect.CohereChat, dialect.OllamaChat:
			add(textAt(v, "id"), textAt(v, "function", "name"), at(v, "function", "arguments"))
		case dialect.OpenAIResponses:
			if textAt(v, "type") == "function_call" {
				add(textAt(v, "call_id"), textAt(v, "name"), at(v, "arguments"))
			}
		case dialect.AnthropicMessages:
			if textAt(v, "type") == "tool_use" {
				add(textAt(v, "id"), textAt(v, "name"), at(v, "input"))
			}
		case dialect.BedrockConverse:
			if use := objectAt(v, "toolUse"); use != nil {
				add(textAt(use, "toolUseId"), textAt(use, "name"), use["input"])
			}
		default:
			if call := objectAt(v, "functionCall"); call != nil {
				add(textAt(call, "id"), textAt(call, "name"), call["args"])
			}
		}
	}
	return calls, nil
}

// callsIn is the list in which an answer has its calls, and in some dialects more.
func (a Application) callsIn(answer any) []any {
	first := func(list []any) any {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	switch a.dialect {
	case dialect.OpenAIChat:
		return listAt(first(listAt(answer, "choices")), "message", "tool_calls")
	case dialect.CohereChat, dialect.OllamaChat:
		return listAt(answer, "message", "tool_calls")
	case dialect.OpenAIResponses:
		return listAt(answer, "output")
	case dialect.AnthropicMessages:
		return listAt(answer, "content")
	case dialect.BedrockConverse:
		return listAt(answer, "output", "message", "content")
	default:
		return listAt(first(listAt(answer, "candidates")), "content", "parts")
	}
}

func elements(v jsontext.Value) []string {
	var all []string
	if v.Kind() == jsontext.Array {
		_ = v.Array(func(_ int, e jsontext.Value) error { // it is an array, and f returns no error
			all = append(all, string(e))
			return nil
		})
	}
	return all
}

// member keeps one member of an answer as the turn.
func member(keys ...string) func(jsontext.Value) []string {
	return func(shown jsontext.Value) []string { return []string{string(shown.Get(keys...))} }
}

// firstOf keeps a member of the first element of a list.
func firstOf(list, key string) func(jsontext.Value) []string {
	return func(shown jsontext.Value) []string {
		return []string{string(jsontext.Value(elements(shown.Get(list))[0]).Get(key))}
	}
}

func applications() map[dialect.Name]Application {
	const (
		hello     = `{"role":"user","content":"hi"}`
		schema    = `{"type":"object","properties":{"city":{"type":"string"}}}`
		functions = `"tools":[{"type":"function","function":{"name":%q,"parameters":` + schema + `}},{"type":"function","function":{"name":%q,"parameters":` + schema + `}}]`
		byID      = `{"role":"tool","tool_call_id":%q,"content":%q}`
	)
	return map[dialect.Name]Application{
		dialect.OpenAIChat: {
			list: "messages", ask: `{"model":"m","messages":[` + hello + `],` + functions + `}`,
			keep: firstOf("choices", "message"), fold: foldChunks, result: byID,
		},
		dialect.CohereChat: {
			list: "messages", ask: `{"model":"m","messages":[` + hello + `],` + functions + `}`,
			keep: member("message"), fold: foldCohere, result: byID,
		},
		dialect.OllamaChat: {
			list: "messages", ask: `{"model":"m","stream":false,"messages":[` + hello + `],` + functions + `}`,
			keep: member("message"), fold: foldLines, result: `{"role":"tool","tool_name":%q,"content":%q}`,
		},
		dialect.OpenAIResponses: {
			list: "input", ask: `{"model":"m","store":false,"include":["reasoning.encrypted_content"],"input":[` + hello + `],"tools":[` +
				`{"type":"function","name":%q,"parameters":` + schema + `},{"type":"function","name":%q,"parameters":` + schema + `}]}`,
			keep:   func(shown jsontext.Value) []string { return elements(shown.Get("output")) },
			fold:   foldItems,
			result: `{"type":"function_call_output","call_id":%q,"output":%q}`,
		},
		dialect.AnthropicMessages: {
			list: "messages", ask: `{"model":"m","max_tokens":4000,"messages":[` + hello + `],"tools":[{"name":%q,"input_schema":` + schema + `},{"name":%q,"input_schema":` + schema + `}]}`,
			keep: func(shown jsontext.Value) []string {
				return []string{`{"role":"assistant","content":` + string(shown.Get("content")) + `}`}
			},
			fold:   foldBlocks,
			result: `{"type":"tool_result","tool_use_id":%q,"content":%q}`, around: `{"role":"user","content":[%s]}`,
		},
		dialect.BedrockConverse: {
			list: "messages", ask: `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[` +
				`{"toolSpec":{"name":%q,"inputSchema":{"json":` + schema + `}}},{"toolSpec":{"name":%q,"inputSchema":{"json":` + schema + `}}}]}}`,
			keep: member("output", "message"), fold: foldConverse,
			result: `{"toolResult":{"toolUseId":%q,"content":[{"text":%q}]}}`, around: `{"role":"user","content":[%s]}`,
		},
		dialect.GeminiGenerate: {
			list: "contents", ask: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[` +
				`{"name":%q,"parametersJsonSchema":` + schema + `},{"name":%q,"parametersJsonSchema":` + schema + `}]}]}`,
			keep: firstOf("candidates", "content"), fold: foldContents,
			result: `{"functionResponse":{"id":%q,"name":%q,"response":{"output":%q}}}`, around: `{"role":"user","parts":[%s]}`,
		},
	}
}
