package fakeprovider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// answers are models whose answers differ in kind, with the request that gets them.
var answers = []string{
	"m", "m+chunks-40", "m+think", "m+redacted", "m+tools-1", "m+tools-3", "m+tools-2+noargs", "m+think+tools-2", "m+refuse",
	"m+cite", "m+cached", "m+stop-length", "m+think+cite+cached+chunks-5",
}

func TestStreamsAndUnaryAnswersAgree(t *testing.T) {
	s := start(t, Options{})
	for vendor := range paths {
		for _, model := range answers {
			t.Run(vendor+"/"+model, func(t *testing.T) {
				one := readUnary(vendor, ask(t, s, vendor, bodyFor(vendor, model, false)).body)
				many := readStream(vendor, ask(t, s, vendor, bodyFor(vendor, model, true)).body)
				if one.bad != "" || many.bad != "" || !many.started || !many.done {
					t.Fatalf("unary %q stream %q, started %v done %v", one.bad, many.bad, many.started, many.done)
				}
				if one.text != many.text || one.thinking != many.thinking || one.stop != many.stop || one.in == 0 || one.out != many.out {
					t.Errorf("unary %+v\nstream %+v", one, many)
				}
				if len(one.order) != len(many.order) {
					t.Fatalf("calls: unary %v stream %v", one.calls, many.calls)
				}
				for i := range one.order {
					a, b := or(one.calls[one.order[i]], "{}"), or(many.calls[many.order[i]], "{}")
					if a != b || !json.Valid([]byte(a)) {
						t.Errorf("call %d: unary %s stream %s", i, a, b)
					}
				}
				if strings.Contains(model, "tools") != (len(one.order) > 0) || strings.Contains(model, "think") && one.thinking == "" {
					t.Errorf("got %+v want what the markers ask for", one)
				}
			})
		}
	}
}

// The Messages grammar: message_start, ping?, (start delta* stop)*, message_delta, message_stop,
// indexes counting up, each event line equal to the type.
func TestAnthropicStreamsFollowTheGrammar(t *testing.T) {
	s := start(t, Options{})
	for _, model := range answers {
		body := ask(t, s, Messages, bodyFor(Messages, model, true)).body
		var shape []string
		next, open := int64(0), false
		for _, blk := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
			name, data, ok := strings.Cut(blk, "\ndata: ")
			o, err := decode(data)
			if !ok || err != nil || name != "event: "+textAt(o, "type") {
				t.Fatalf("%s: bad event %q", model, blk)
			}
			kind := textAt(o, "type")
			shape = append(shape, kind)
			switch kind {
			case "content_block_start":
				if open || intAt(o, "index") != next {
					t.Errorf("%s: block %d opened, want %d", model, intAt(o, "index"), next)
				}
				open = true
			case "content_block_delta":
				if !open || intAt(o, "index") != next {
					t.Errorf("%s: delta of block %d, want %d", model, intAt(o, "index"), next)
				}
			case "content_block_stop":
				open = false
				next++
			}
		}
		if n := len(shape); open || shape[0] != "message_start" || shape[n-2] != "message_delta" || shape[n-1] != "message_stop" {
			t.Errorf("%s: got %v", model, shape)
		}
	}
}

// The Chat Completions grammar: a role chunk, deltas, one finish per choice, the usage chunk with no
// choices only where asked, [DONE]; id, created and model the same throughout.
func TestOpenAIStreamsFollowTheGrammar(t *testing.T) {
	s := start(t, Options{})
	for _, model := range answers {
		for _, usage := range []bool{true, false} {
			body := bodyFor(Chat, model, true)
			if !usage {
				body = strings.Replace(body, `"include_usage":true`, `"include_usage":false`, 1)
			}
			all := events(ask(t, s, Chat, body).body)
			ids, finishes, usages := map[string]bool{}, 0, 0
			for i, data := range all[:len(all)-1] {
				o, err := decode(data)
				if err != nil {
					t.Fatalf("%s: %q: %v", model, data, err)
				}
				ids[fmt.Sprint(at(o, "id"), at(o, "created"), at(o, "model"), at(o, "object"))] = true
				if (i == 0) != (textAt(o, "choices", 0, "delta", "role") == "assistant") {
					t.Errorf("%s: role in chunk %d", model, i)
				}
				if at(o, "choices", 0, "finish_reason") != nil {
					finishes++
				}
				if at(o, "usage") != nil {
					usages++
					if at(o, "choices", 0) != nil || i != len(all)-2 {
						t.Errorf("%s: usage in chunk %d: %s", model, i, data)
					}
				}
			}
			if len(ids) != 1 || finishes != 1 || (usages == 1) != usage || all[len(all)-1] != "[DONE]" {
				t.Errorf("%s: got ids %v, %d finishes, %d usages, end %q", model, slices.Collect(maps.Keys(ids)), finishes, usages, all[len(all)-1])
			}
		}
	}
}

func TestOpenAIChoicesAndLogprobs(t *testing.T) {
	s := start(t, Options{})
	body := `{"model":"m","messages":[{"role":"user","content":"hi"}],"n":2,"logprobs":true,"top_logprobs":2}`
	o, _ := decode(ask(t, s, Chat, body).body)
	if got := textAt(o, "choices", 1, "message", "content"); got != "You said: hi" || intAt(o, "choices", 1, "index") != 1 {
		t.Errorf("second choice: got %q", got)
	}
	if got := textAt(o, "choices", 0, "logprobs", "content", 1, "top_logprobs", 1, "token"); got != "alt1" {
		t.Errorf("logprobs: got %q want alt1", got)
	}
	if got := textAt(o, "choices", 0, "logprobs", "content", 2, "token"); got != "hi" {
		t.Errorf("token: got %q want hi", got)
	}
}
