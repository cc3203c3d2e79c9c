//go:build unix && !race

package dialect_test

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestCostOfOpenBlocks: a stream in which very many blocks are open at once is read, and followed, at a cost for each, not at
// a look at all of them. One size is compared with four times as much.
func TestCostOfOpenBlocks(t *testing.T) {
	alone(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // as in TestCostGrowsWithTheSize
	for _, d := range everyDialect() {
		if len(openBlocks(d.Name, 1)) == 0 {
			continue // of these, blocks have no beginnings and ends of their own
		}
		cost := func(n int) (reader, tap time.Duration) {
			list := openBlocks(d.Name, n)
			begun := spent()
			r := d.Provider.NewStreamReader()
			var events []llm.Event
			for _, f := range list {
				var err error
				if events, err = r.Read(events[:0], f); err != nil {
					t.Fatalf("%s: %v", d.Name, err)
				}
			}
			reader = spent() - begun
			begun = spent()
			follows := d.Relay.NewTap(dialect.Ask{})
			for _, f := range list {
				if _, err := follows.Frame(f); err != nil {
					t.Fatalf("%s: %v", d.Name, err)
				}
			}
			return reader, spent() - begun
		}
		slow := ""
		for range 5 { // somebody else may be busy
			read, follow := cost(4000)
			readMore, followMore := cost(16000)
			isSlow := func(less, more time.Duration) bool { return more >= 8*less && more > 60*time.Millisecond }
			if !isSlow(read, readMore) && !isSlow(follow, followMore) {
				slow = ""
				break
			}
			slow = fmt.Sprintf("to read 4000 took %v and 16000 %v, to follow them %v and %v", read, readMore, follow, followMore)
		}
		if slow != "" {
			t.Errorf("%s: %s", d.Name, slow)
		}
	}
}

// openBlocks is a stream of n texts that are open at once; empty for dialects that have no such blocks.
func openBlocks(name dialect.Name, n int) []dialect.Frame {
	var frames []dialect.Frame
	add := func(event, data string) {
		frames = append(frames, dialect.Frame{Event: event, Data: []byte(data)})
	}
	switch name {
	case dialect.BedrockConverse:
		add("messageStart", `{"role":"assistant"}`)
		for i := range n {
			add("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":%d,"delta":{"text":"a"}}`, i))
		}
		for i := range n {
			add("contentBlockStop", fmt.Sprintf(`{"contentBlockIndex":%d}`, i))
		}
		add("messageStop", `{"stopReason":"end_turn"}`)
		add("metadata", `{"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`)
	case dialect.AnthropicMessages:
		add("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`)
		for i := range n {
			add("content_block_start", fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}`, i))
			add("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":"a"}}`, i))
		}
		for i := range n {
			add("content_block_stop", fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
		}
		add("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}`)
		add("message_stop", `{"type":"message_stop"}`)
	case dialect.OpenAIResponses:
		seq := 0
		say := func(kind, rest string) {
			add(kind, fmt.Sprintf(`{"type":%q,"sequence_number":%d,%s}`, kind, seq, rest))
			seq++
		}
		say("response.created", `"response":{"id":"r","object":"response","created_at":1,"model":"m","status":"in_progress","output":[]}`)
		for i := range n {
			say("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"type":"message","id":"i%d","status":"in_progress","role":"assistant","content":[]}`, i, i))
			say("response.content_part.added", fmt.Sprintf(`"output_index":%d,"item_id":"i%d","content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`, i, i))
			say("response.output_text.delta", fmt.Sprintf(`"output_index":%d,"item_id":"i%d","content_index":0,"delta":"a"`, i, i))
		}
		var items []string
		for i := range n {
			item := fmt.Sprintf(`{"type":"message","id":"i%d","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}`, i)
			items = append(items, item)
			say("response.output_text.done", fmt.Sprintf(`"output_index":%d,"item_id":"i%d","content_index":0,"text":"a"`, i, i))
			say("response.content_part.done", fmt.Sprintf(`"output_index":%d,"item_id":"i%d","content_index":0,"part":{"type":"output_text","text":"a","annotations":[]}`, i, i))
			say("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, i, item))
		}
		say("response.completed", `"response":{"id":"r","object":"response","created_at":1,"model":"m","status":"completed","output":[`+strings.Join(items, ",")+`],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`)
	default:
	}
	return frames
}
