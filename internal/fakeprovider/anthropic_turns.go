package fakeprovider

import (
	"encoding/base64"
	"slices"
	"strings"
)

// source checks an image or a document and notes it.
func (a *anthropicReader) source(at, kind string, b object) {
	a.mark(b)
	known := []string{"type", "source", "cache_control"}
	if kind == "document" {
		known = append(known, "title", "context", "citations")
	}
	if key := unknown(b, known...); key != "" {
		a.extra(at + "." + kind + "." + key)
	}
	src := obj(b, "source")
	at += "." + kind + ".source"
	switch tag := str(src, "type"); tag {
	case "base64":
		a.encoded(at, kind, src)
	case "url":
		if u := str(src, "url"); !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
			a.say(at+".url.url", "Only HTTPS URLs are supported.")
		}
		a.ask.Media = append(a.ask.Media, Media{Type: kind, Ref: str(src, "url")})
	case "file":
		a.ask.Media = append(a.ask.Media, Media{Type: kind, Ref: str(src, "file_id")})
	case "text":
		if kind != "document" || str(src, "media_type") != "text/plain" {
			a.say(at+".text.media_type", "Input should be 'text/plain'")
		}
		a.ask.Media = append(a.ask.Media, Media{Type: "text/plain", Size: len(str(src, "data"))})
	case "content":
		a.ask.Media = append(a.ask.Media, Media{Type: "content", Size: len(text(src["content"]))})
	default:
		a.say(at, "Input tag '%s' found using 'type' does not match any of the expected tags: 'base64', 'content', 'file', 'text', 'url'", tag)
	}
}

func (a *anthropicReader) encoded(at, kind string, src object) {
	declared := str(src, "media_type")
	content, err := base64.StdEncoding.DecodeString(str(src, "data"))
	if key := unknown(src, "type", "media_type", "data"); key != "" {
		a.extra(at + ".base64." + key)
	}
	if err != nil || len(content) == 0 {
		a.say(at+".base64", "invalid base64 data")
	}
	if kind == "document" {
		if declared != "application/pdf" {
			a.say(at+".base64.media_type", "Input should be 'application/pdf'")
		} else if !strings.HasPrefix(string(content), "%PDF") {
			a.say(at+".base64", "The PDF specified was not valid.")
		}
	} else if !slices.Contains(imageTypes, declared) {
		a.say(at+".base64.media_type", "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'")
	} else if real := imageType(content); real != "" && real != declared {
		a.say(at, "Image does not match the provided media type %s: the image was specified using the %s media type, but the image appears to be a %s image", declared, declared, real)
	}
	a.ask.Media = append(a.ask.Media, Media{Type: declared, Size: len(content)})
}

// pairing checks that every call is answered at the start of the next turn, and nothing else is.
func (a *anthropicReader) pairing(turns []turn) {
	var open []string // calls of the turn before
	for _, t := range turns {
		var calls, results []string
		leading := true
		for i, b := range t.blocks {
			switch str(b, "type") {
			case "tool_use":
				id := str(b, "id")
				if slices.Contains(calls, id) {
					a.say(t.at, "`tool_use` ids must be unique")
				}
				calls = append(calls, id)
			case "tool_result":
				id := str(b, "tool_use_id")
				if !slices.Contains(open, id) {
					a.say(t.at, "content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", i, id)
				}
				if slices.Contains(results, id) {
					a.say(t.at, "each tool_use must have a single result. Found multiple `tool_result` blocks with id: %s", id)
				}
				if leading {
					results = append(results, id)
				}
			default:
				leading = false
			}
		}
		a.answered(t.at, open, results)
		open = calls
		if len(results) > 0 {
			a.ask.Rounds++
		}
	}
	a.answered("messages", open, nil)
}

func (a *anthropicReader) answered(at string, calls, results []string) {
	missing := slices.DeleteFunc(slices.Clone(calls), func(id string) bool { return slices.Contains(results, id) })
	if len(missing) > 0 {
		a.say(at, "`tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.", strings.Join(missing, ", "))
	}
}

// last checks how the conversation ends and reads what the model is asked.
func (a *anthropicReader) last(turns []turn) {
	if len(turns) == 0 {
		return
	}
	end := turns[len(turns)-1]
	if end.role == "assistant" {
		a.prefill(end)
		if len(turns) < 2 {
			return
		}
		a.ask.Said, end = end.text(), turns[len(turns)-2]
	} else if n := len(turns); n > 2 && quotesEnd(end.text(), turns[n-2].text()) {
		a.ask.Said, a.ask.Quoted, end = turns[n-2].text(), true, turns[n-3]
	}
	a.ask.Media = nil
	probe := &anthropicReader{check: &check{lax: true}, s: a.s}
	var texts []string
	for _, b := range end.blocks {
		switch kind := str(b, "type"); kind {
		case "text":
			texts = append(texts, str(b, "text"))
		case "image", "document":
			probe.source("", kind, b)
		case "tool_result":
			a.ask.Results = append(a.ask.Results, text(b["content"]))
			for _, v := range list(b, "content") {
				if inner, ok := v.(object); ok && (inner["type"] == "image" || inner["type"] == "document") {
					probe.source("", str(inner, "type"), inner)
				}
			}
		}
	}
	a.ask.Text, a.ask.Media = strings.Join(texts, "\n"), probe.ask.Media
	if a.budget && !a.lax && len(a.ask.Results) > 0 && len(turns) > 1 {
		first := turns[len(turns)-2].blocks[0]
		if kind := str(first, "type"); kind != "thinking" && kind != "redacted_thinking" {
			a.fail("", "", "%s.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When `thinking` is enabled, a final `assistant` message must start with a thinking block.", turns[len(turns)-2].at, kind)
		}
	}
}

// text is what a turn says.
func (t *turn) text() string {
	var said strings.Builder
	for _, b := range t.blocks {
		if str(b, "type") == "text" {
			said.WriteString(str(b, "text"))
		}
	}
	return said.String()
}

// prefill checks a conversation that ends with an assistant turn, which the answer continues.
func (a *anthropicReader) prefill(end turn) {
	if !a.lax && (noPrefill.MatchString(a.ask.Model) || a.ask.Thinking) {
		a.fail("", "", "This model does not support assistant message prefill. The conversation must end with a user message.")
	}
	if n := len(end.blocks); n > 0 {
		if s := str(end.blocks[n-1], "text"); s != strings.TrimRight(s, " \t\r\n") {
			a.say("messages", "final assistant content cannot end with trailing whitespace")
		}
	}
}
