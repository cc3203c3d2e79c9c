package dialecttest

import (
	"encoding/json"
	"slices"
)

// How the SDKs put the events of a stream together, from their documentation: none of this uses our codecs.

type object = map[string]any

// at follows keys into an event; what is not there is nil.
func at(v any, keys ...string) any {
	for _, key := range keys {
		o, _ := v.(object)
		v = o[key]
	}
	return v
}

func objectAt(v any, keys ...string) object {
	o, _ := at(v, keys...).(object)
	return o
}

func textAt(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

func listAt(v any, keys ...string) []any {
	list, _ := at(v, keys...).([]any)
	return list
}

// parsed is the value of JSON text, an empty object for none.
func parsed(s string) any {
	var v any = object{}
	_ = json.Unmarshal([]byte(s), &v) // a text that is no JSON stays an empty object
	return v
}

// merge adds a delta to what there is, as OpenAI's SDKs do: texts are joined, elements of lists found by their index.
func merge(have, delta object) {
	for key, value := range delta {
		old, known := have[key]
		switch v := value.(type) {
		case string:
			if s, isText := old.(string); isText && key != "type" {
				v = s + v
			}
			have[key] = v
		case object:
			if o, isObject := old.(object); isObject {
				merge(o, v)
			} else {
				have[key] = v
			}
		case []any:
			list, _ := old.([]any)
			have[key] = mergeList(list, v)
		default:
			if !known || value != nil {
				have[key] = value
			}
		}
	}
}

func mergeList(have, delta []any) []any {
	for _, e := range delta {
		i := slices.IndexFunc(have, func(h any) bool { return at(h, "index") == at(e, "index") })
		if i < 0 || at(e, "index") == nil {
			have = append(have, e)
			continue
		}
		merge(objectAt(have[i]), objectAt(e))
	}
	return have
}

func foldChunks(events []map[string]any) any {
	message := object{}
	for _, e := range events {
		for _, choice := range listAt(e, "choices") {
			merge(message, objectAt(choice, "delta"))
		}
	}
	for _, call := range listAt(message, "tool_calls") {
		delete(objectAt(call), "index") // a message has no place for it
	}
	return object{"choices": []any{object{"message": message}}}
}

func foldLines(events []map[string]any) any {
	message := object{}
	for _, e := range events {
		more := objectAt(e, "message")
		delete(more, "role")
		merge(message, more)
	}
	message["role"] = "assistant"
	return object{"message": message}
}

func foldItems(events []map[string]any) any {
	var items []any
	for _, e := range events {
		if e["type"] == "response.output_item.done" {
			items = append(items, e["item"])
		}
	}
	return object{"output": items}
}

func foldContents(events []map[string]any) any {
	var parts []any
	for _, e := range events {
		for _, candidate := range listAt(e, "candidates") {
			parts = append(parts, listAt(candidate, "content", "parts")...)
		}
	}
	return object{"candidates": []any{object{"content": object{"role": "model", "parts": parts}}}}
}

func foldBlocks(events []map[string]any) any {
	var blocks []any
	for _, e := range events {
		if e["type"] == "content_block_start" {
			blocks = append(blocks, e["content_block"])
		}
		delta := objectAt(e, "delta")
		if e["type"] != "content_block_delta" {
			continue
		}
		block := objectAt(blocks[len(blocks)-1])
		switch delta["type"] {
		case "text_delta":
			block["text"] = textAt(block, "text") + textAt(delta, "text")
		case "thinking_delta":
			block["thinking"] = textAt(block, "thinking") + textAt(delta, "thinking")
		case "signature_delta":
			block["signature"] = delta["signature"]
		case "input_json_delta":
			block["input_text"] = textAt(block, "input_text") + textAt(delta, "partial_json")
		}
	}
	for _, b := range blocks {
		if block := objectAt(b); block["type"] == "tool_use" {
			block["input"] = parsed(textAt(block, "input_text"))
			delete(block, "input_text")
		}
	}
	return object{"content": blocks}
}

func foldConverse(events []map[string]any) any {
	blocks := map[any]object{}
	var content []any
	for _, e := range events {
		index, known := e["contentBlockIndex"]
		if !known {
			continue
		}
		block := blocks[index]
		if block == nil {
			block = object{}
			blocks[index], content = block, append(content, block)
		}
		merge(block, objectAt(e, "start"))
		delta := objectAt(e, "delta")
		if thought := objectAt(delta, "reasoningContent"); thought != nil {
			whole := object{"reasoningText": thought}
			if thought["redactedContent"] != nil {
				whole = thought
			}
			delta = object{"reasoningContent": whole}
		}
		merge(block, delta)
	}
	for _, b := range content {
		if use := objectAt(b, "toolUse"); use != nil {
			use["input"] = parsed(textAt(use, "input"))
		}
	}
	return object{"output": object{"message": object{"role": "assistant", "content": content}}}
}

func foldCohere(events []map[string]any) any {
	message := object{"role": "assistant"}
	var content, calls []any
	add := func(list []any, index any, delta object) []any {
		delta["index"] = index
		if said := objectAt(delta, "understudy_thinking"); said != nil { // no text: the latest holds
			for _, e := range list {
				if at(e, "index") == index {
					delete(objectAt(e), "understudy_thinking")
				}
			}
		}
		return mergeList(list, []any{delta})
	}
	for _, e := range events {
		delta := objectAt(e, "delta", "message")
		switch e["type"] {
		case "content-start", "content-delta":
			content = add(content, e["index"], objectAt(delta, "content"))
		case "tool-plan-delta":
			message["tool_plan"] = textAt(message, "tool_plan") + textAt(delta, "tool_plan")
		case "tool-call-start", "tool-call-delta":
			calls = add(calls, e["index"], objectAt(delta, "tool_calls"))
		}
	}
	for _, list := range [][]any{content, calls} {
		for _, e := range list {
			delete(objectAt(e), "index")
		}
	}
	if content != nil {
		message["content"] = content
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return object{"message": message}
}
