package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

// TestWhatOnlyTheVendorHasIsReported: what an answer holds that no other API has a place for is lost to clients of those,
// and said to be: in a header, or after a stream. A client of the same API has it, unless a vendor streams what it was asked
// for whole, or the reverse.
func TestWhatOnlyTheVendorHasIsReported(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	const sources = `"citations":["https://a.example"],"search_results":null,"system_fingerprint":"fp",`
	whole := strings.Replace(chatAnswer, `"model"`, sources+`"model"`, 1)
	stream := strings.Replace(endChunks, `{"choices"`, `{`+sources+`"choices"`, 1)
	const reported = "answer.citations=dropped(tuning)"
	for _, tc := range []struct {
		name, more, said string
		rewritten        bool // even for a client of the same API
	}{
		{"whole", "", whole, false},
		{"stream", `"stream":true,`, filterChunk + contentChunk + stream, false},
		{"a stream for a whole answer", "", filterChunk + contentChunk + stream, true},
		{"a whole answer for a stream", `"stream":true,`, whole, true},
	} {
		vendor := vendorSays(200, nil, tc.said)
		if strings.HasPrefix(tc.said, "data:") {
			vendor = vendorStreams(tc.said)
		}
		status, header, text := c.ask("/v1/messages", `{"model":"m","max_tokens":9,`+tc.more+hi+`}`, vendor)
		lost := header.Get("X-Understudy-Loss")
		if status != 200 || !strings.Contains(lost, reported) || strings.Count(lost, "answer.") != 1 || strings.Contains(text, "a.example") {
			t.Errorf("%s: got %d with the loss %q want %s\n%s", tc.name, status, lost, reported, text)
		}
		status, header, text = c.ask("/v1/chat/completions", `{"model":"m",`+tc.more+hi+`}`, vendor)
		isLost := header.Get("X-Understudy-Loss") == reported
		if has := strings.Contains(text, "a.example"); status != 200 || has == tc.rewritten || isLost != tc.rewritten {
			t.Errorf("%s: got %d, the citations in it: %v, reported lost: %v, want them unless it was written anew\n%s", tc.name, status, has, isLost, text)
		}
	}
}

// TestLossBesideAPieceOfText: a frame that adds a piece of text, as hundreds before it did, may say something else as well.
func TestLossBesideAPieceOfText(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	piece := func(delta string) string {
		return `data: {"choices":[{"delta":{` + delta + `},"finish_reason":null,"index":0}],"created":1,"id":"a","model":"gpt-5-2025-08-07","object":"chat.completion.chunk"}` + "\n\n"
	}
	const text, usage = `"content":"a"`, "usage=dropped(harmless)"
	for name, tc := range map[string]struct{ odd, lost string }{
		"nothing":       {text, usage},
		"another piece": {`"content":"\"b\" {}[]"`, usage},
		"a member":      {text + `,"images":[{"url":"https://a.example"}]`, usage + ", answer.choices[].delta.images=dropped(tuning)"},
		"a reference":   {`"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[4]}]`, usage + ", answer.choices[].delta.content[].reference_ids=dropped(tuning)"},
	} {
		vendor := vendorStreams(contentChunk + strings.Repeat(piece(text), 50) + piece(tc.odd) + strings.Repeat(piece(text), 50) + endChunks)
		status, header, body := c.ask("/v1/messages", `{"model":"m","max_tokens":999,"stream":true,`+hi+`}`, vendor)
		if lost := header.Get("X-Understudy-Loss"); status != 200 || lost != tc.lost {
			t.Errorf("%s: got %d with the loss %q want %q\n%.300s", name, status, lost, tc.lost, body)
		}
	}
}

// TestHalfCharacterIsReported: half of a surrogate pair is no text. Where JSON is written anew it becomes U+FFFD, which is
// told; where bytes are relayed, and where JSON stands in a string, it stays what it was.
func TestHalfCharacterIsReported(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	const asked, answered = "half_character=approximated(tuning)", "answer.half_character=approximated(tuning)"
	whole := func(text string) string {
		return strings.Replace(chatAnswer, `"content":"lead"`, `"content":"`+text+`"`, 1)
	}
	call := func(args string) string {
		return strings.Replace(chatAnswer, `"content":"lead"`, `"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"`+args+`"}}]`, 1)
	}
	stream := func(texts ...string) string {
		all := ""
		for _, text := range texts {
			all += strings.Replace(contentChunk, `"content":"lead"`, `"content":"`+text+`"`, 1)
		}
		return all + endChunks
	}
	for name, tc := range map[string]struct{ said, answer, want string }{
		"none":                         {"hi", whole("hi"), ""},
		"a pair":                       {`\ud83d\ude00`, whole(`\ud83d\ude00`), ""},
		"asked":                        {`\ud83d`, whole("hi"), asked},
		"answered":                     {"hi", whole(`hi \ude00`), answered},
		"both":                         {`\ud83d`, whole(`hi \ud83d\ud83d`), asked + ", " + answered},
		"in arguments":                 {"hi", call(`{\"x\":\"\\ud83d\"}`), ""},
		"of arguments":                 {"hi", call(`{\"x\":\"\ud83d\"}`), answered},
		"streamed":                     {"hi", stream("a", `b\ud83d`, "c"), answered},
		"streamed at the end":          {"hi", stream("a", `b\ud83d`), answered},
		"streamed in two pieces":       {"hi", stream("a", `b\ud83d`, `\ude00c`), ""},
		"streamed U+FFFD":              {"hi", stream("a", "\uFFFD"), ""},
		"a stream for a whole answer":  {"hi", "whole " + stream(`b\ud83d`), answered},
		"a whole answer for a stream":  {"hi", "stream " + whole(`hi \ude00`), answered},
		"a pair streamed for a answer": {"hi", "whole " + stream(`b\ud83d`, `\ude00c`), ""},
	} {
		said, more := tc.answer, ""
		if rest, ok := strings.CutPrefix(said, "whole "); ok {
			said = rest
		} else if rest, ok := strings.CutPrefix(said, "stream "); ok || strings.HasPrefix(said, "data:") {
			said, more = rest, `"stream":true,`
		}
		vendor := vendorSays(200, nil, said)
		if strings.HasPrefix(said, "data:") {
			vendor = vendorStreams(said)
		}
		messages := `"messages":[{"role":"user","content":"` + tc.said + `"}]`
		status, header, text := c.ask("/v1/messages", `{"model":"m","max_tokens":99,`+more+messages+`}`, vendor)
		lost := strings.Trim(strings.Replace(header.Get("X-Understudy-Loss"), "usage=dropped(harmless)", "", 1), ", ")
		if status != 200 || lost != tc.want {
			t.Errorf("%s: got %d with the loss %q want %q\n%s", name, status, lost, tc.want, text)
		}
		status, header, text = c.ask("/v1/chat/completions", `{"model":"m",`+more+messages+`}`, vendor)
		isAnew := strings.HasPrefix(said, "data:") != (more != "")
		if lost := header.Get("X-Understudy-Loss"); status != 200 || !isAnew && (lost != "" || strings.Contains(text, "\uFFFD") && !strings.Contains(said, "\uFFFD")) {
			t.Errorf("%s, relayed: got %d with the loss %q, want the vendor's bytes\n%s", name, status, lost, text)
		}
	}
}

// TestCitationsOfNoTextAreReported: citations have a place beside the text that they are about. Without one they are lost
// to clients of other APIs, and said to be, whole and streamed.
func TestCitationsOfNoTextAreReported(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	const note = `"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"https://a.example","title":"t"}}]`
	const call = `"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],`
	const reported = "answer.choices[].message.annotations=dropped(tuning)"
	for name, tc := range map[string]struct {
		said string
		lost bool
	}{
		"beside a text":       {`"content":"lead",` + note, false},
		"beside a call":       {`"content":null,` + call + note, true},
		"beside nothing":      {`"content":null,` + note, true},
		"none beside nothing": {`"content":null,"annotations":[]`, false},
	} {
		whole := strings.Replace(chatAnswer, `"content":"lead"`, tc.said, 1)
		stream := strings.Replace(contentChunk, `"content":"lead"`, tc.said, 1) + endChunks
		for more, vendors := range map[string][]string{"": {whole, stream}, `"stream":true,`: {stream, whole}} {
			for _, said := range vendors {
				vendor := vendorSays(200, nil, said)
				if strings.HasPrefix(said, "data:") {
					vendor = vendorStreams(said)
				}
				status, header, text := c.ask("/v1/messages", `{"model":"m","max_tokens":99,`+more+hi+`}`, vendor)
				if lost := header.Get("X-Understudy-Loss"); status != 200 || strings.Contains(lost, reported) != tc.lost {
					t.Errorf("%s %s: got %d with the loss %q, want it to have the citation: %v\n%s of %s", more, name, status, lost, tc.lost, text, said)
				}
			}
		}
	}
}
