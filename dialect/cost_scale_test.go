//go:build unix && !race

package dialect_test

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCostGrowsWithTheSize sends conversations in which everything is there very often, one size and four times as much:
// what takes more than six times as long is searched, copied or tried over and over (S43, S44). Each is written for
// all dialects.
func TestCostGrowsWithTheSize(t *testing.T) {
	alone(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a small one never needs the collector, which would look like growth
	type shape struct{ dialect, begin, each, end string }
	chat := `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}`
	call := `{"id":"ID","type":"function","function":{"name":"fN","arguments":"{}"}}`
	shapes := map[string]shape{
		"calls of one id":           {"openai-chat", chat + `,{"role":"assistant","tool_calls":[`, strings.Replace(call, "ID", "call_1", 1), `]}]}`},
		"calls of many ids":         {"openai-chat", chat + `,{"role":"assistant","tool_calls":[`, strings.Replace(call, "ID", "call_N", 1), `]}]}`},
		"calls of odd ids":          {"openai-chat", chat + `,{"role":"assistant","tool_calls":[`, strings.Replace(call, "ID", "call é N", 1), `]}]}`},
		"calls without ids":         {"ollama-chat", `{"model":"m","messages":[{"role":"assistant","tool_calls":[`, `{"function":{"name":"f","arguments":{}}}`, `]}]}`},
		"calls and results":         {"openai-chat", chat, `{"role":"assistant","tool_calls":[` + strings.Replace(call, "ID", "call_N", 1) + `]},{"role":"tool","tool_call_id":"call_N","content":"x"}`, `]}`},
		"messages":                  {"openai-chat", chat, `{"role":"user","content":"x"}`, `]}`},
		"messages, systems":         {"openai-chat", chat, `{"role":"system","content":"x"},{"role":"developer","content":"y"}`, `]}`},
		"blocks":                    {"anthropic-messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"x"}`, `{"type":"text","text":"x"}`, `]}]}`},
		"blocks, marked":            {"anthropic-messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"x"}`, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`, `]}]}`},
		"documents of one name":     {"anthropic-messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"x"}`, `{"type":"document","title":"a","source":{"type":"text","media_type":"text/plain","data":"x"}}`, `]}]}`},
		"thinking":                  {"anthropic-messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"x"}`, `{"type":"thinking","thinking":"x","signature":"s"}`, `]},{"role":"user","content":"x"}]}`},
		"unknown members":           {"openai-chat", chat + `],"a":1`, `"kN":1`, `}`},
		"unknown members of blocks": {"anthropic-messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}`, `{"role":"user","content":[{"type":"text","text":"x","kN":1}]}`, `]}`},
		"stops":                     {"openai-chat", chat + `],"stop":["x"`, `"sN"`, `]}`},
		"tools":                     {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f"}}`, `{"type":"function","function":{"name":"fN"}}`, `]}`},
		"tools of odd names":        {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f"}}`, `{"type":"function","function":{"name":"f é N"}}`, `]}`},
		"properties":                {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{}`, `"pN":{"type":"string","minLength":1}`, `}}}}]}`},
		"required":                  {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":["a"`, `"pN"`, `]}}}]}`},
		"kinds of a schema":         {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"anyOf":[{}`, `{"type":"string","enum":["N"]}`, `]}}}]}`},
		"references":                {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"$defs":{"a":{}},"anyOf":[{}`, `{"$ref":"#/$defs/a"}`, `]}}}]}`},
		"definitions":               {"openai-chat", chat + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"$ref":"#/$defs/d1","$defs":{"a":{}`, `"dN":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/dN"}]}`, `}}}}]}`},
		"parts":                     {"gemini-generate", `{"contents":[{"role":"user","parts":[{"text":"x"}`, `{"text":"x"}`, `]}]}`},
		"thoughts":                  {"gemini-generate", `{"contents":[{"role":"model","parts":[{"text":"x"}`, `{"text":"` + strings.Repeat("thought ", 25) + `","thought":true}`, `]},{"role":"user","parts":[{"text":"x"}]}]}`},
		"thoughts, in turns":        {"gemini-generate", `{"contents":[{"role":"user","parts":[{"text":"x"}]}`, `{"role":"model","parts":[{"text":"` + strings.Repeat("thought ", 25) + `","thought":true}]}`, `,{"role":"user","parts":[{"text":"x"}]}]}`},
		"refusals":                  {"openai-chat", chat + `,{"role":"assistant","content":[{"type":"text","text":"x"}`, `{"type":"refusal","refusal":"` + strings.Repeat("refusal ", 25) + `"}`, `]},{"role":"user","content":"x"}]}`},
		"pieces that are cited":     {"bedrock-converse", `{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"x"}`, `{"text":"` + strings.Repeat("cited ", 33) + `"}`, `]}}]},{"role":"user","content":[{"text":"x"}]}]}`},
		"functions called":          {"gemini-generate", `{"contents":[{"role":"model","parts":[{"text":"x"}`, `{"functionCall":{"name":"f","args":{}}}`, `]}]}`},
		"functions that answer":     {"gemini-generate", `{"contents":[{"role":"user","parts":[{"text":"x"}`, `{"functionResponse":{"name":"f","response":{}}}`, `]}]}`},
		"items":                     {"openai-responses", `{"model":"m","input":[{"type":"message","role":"user","content":"x"}`, `{"type":"function_call","call_id":"cN","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"cN","output":"x"}`, `]}`},
		"documents":                 {"cohere-chat", `{"model":"m","messages":[{"role":"user","content":"x"}],"documents":["x"`, `{"id":"a","data":{"title":"t"}}`, `]}`},
	}
	every := everyDialect()
	build := func(s shape, n int) []byte {
		var b strings.Builder
		b.WriteString(s.begin)
		for i := range n {
			if i > 0 || !strings.HasSuffix(s.begin, "[") {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(s.each, "N", fmt.Sprint(i)))
		}
		b.WriteString(s.end)
		return []byte(b.String())
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		s := shapes[name]
		for _, from := range every {
			if string(from.Name) != s.dialect {
				continue
			}
			const size = 300 << 10
			n := size / (len(s.each) + 3)
			small, large := build(s, n/4), build(s, n)
			if _, err := from.Client.DecodeRequest(build(s, 1)); err != nil && name != "calls of one id" {
				t.Errorf("%s: got %v, want a request", name, err)
			}
			for _, to := range every {
				var less, more time.Duration
				for range 4 { // somebody else may be busy
					if less, more = costOf(from, to, small), costOf(from, to, large); more < 6*less {
						break
					}
				}
				runtime.GC()
				if more >= 6*less && more > 20*time.Millisecond {
					t.Errorf("%s from %s to %s: got %v for %d bytes and %v for %d", name, from.Name, to.Name, less, len(small), more, len(large))
				}
			}
		}
	}
}
