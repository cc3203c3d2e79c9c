package gateway

import (
	"bytes"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// ask is what of the request matters to the order of its targets. Requests are mostly not decoded
// for it: what cannot matter on this route is not looked for, and what is looked for is mostly not
// there.
func (c *call) ask() route.Ask {
	ask := route.Ask{Stream: c.peeked.Stream, Tags: c.tags}
	if len(c.route.Targets) == 1 {
		return ask
	}
	if c.route.Affinity > 0 {
		c.session = c.sessionKey()
		ask.Session = c.session
	}
	const bytesToken = 4
	ask.Input, ask.Output = int64(len(c.body)/bytesToken), c.peeked.MaxTokens
	if c.operation == dialect.Generate {
		ask.Needs, ask.Tokens = c.needs()
	}
	return ask
}

// words are what a request holds at least, in any dialect, that needs something of a model.
var words = []struct {
	need  route.Need
	words []string
}{
	{route.NeedImages, []string{"image"}},
	{route.NeedAudio, []string{"audio"}},
	{route.NeedFiles, []string{"file", "document", "pdf"}},
	{route.NeedTools, []string{"tools", "functions"}},
	{route.NeedSchema, []string{"schema"}},
	{route.NeedThinking, []string{"think", "reasoning", "effort"}},
}

// needs is what the request needs of a model and how many tokens its prompt has at least, as far as a
// target of the route is known not to take it.
func (c *call) needs() (needs route.Need, tokens int64) {
	var lacks route.Need
	room := int64(0)
	for i := range c.route.Targets {
		t := &c.route.Targets[i]
		lacks |= t.Lacks
		if t.MaxInput > 0 && (room == 0 || t.MaxInput < room) {
			room = t.MaxInput
		}
	}
	const fewBytes = 2 // of a token, at least
	isLong := room > 0 && int64(len(c.body)) > fewBytes*room
	holds := func(word string) bool { return bytes.Contains(c.body, []byte(word)) }
	isSuspect := isLong
	for _, w := range words {
		isSuspect = isSuspect || lacks&w.need != 0 && slices.ContainsFunc(w.words, holds)
	}
	if !isSuspect {
		return 0, 0
	}
	req, err := c.decoded()
	if err != nil {
		return 0, 0 // what cannot be read here, its own vendor may
	}
	for _, f := range llm.Used(req) {
		switch f {
		case llm.FeatureImageData, llm.FeatureImageURL, llm.FeatureToolResultImage:
			needs |= route.NeedImages
		case llm.FeatureAudio:
			needs |= route.NeedAudio
		case llm.FeatureDocumentData, llm.FeatureDocumentURL:
			needs |= route.NeedFiles
		case llm.FeatureTools, llm.FeatureVendorTool:
			needs |= route.NeedTools
		case llm.FeatureJSONSchema:
			needs |= route.NeedSchema
		default:
		}
	}
	if asksToThink(req.Reasoning) {
		needs |= route.NeedThinking
	}
	if isLong {
		tokens = estimateTokens(req) * 9 / 10 // an estimate, to the target's favour
	}
	return needs, tokens
}

// asksToThink reports whether a client wants thinking, and not only as much as the model finds right.
func asksToThink(r *llm.Reasoning) bool {
	return r != nil && (r.Mode == llm.ReasoningBudget || r.Mode == llm.ReasoningUnset && r.Effort != "" && r.Effort != "none")
}

// sessionMembers are where dialects let a client name its session.
var sessionMembers = [][]string{{"session_id"}, {"prompt_cache_key"}, {"metadata", "user_id"}, {"user"}}

// promptMembers are where dialects have what comes before the messages, and these.
var promptMembers, messageMembers = []string{"system", "systemInstruction", "instructions"}, []string{"messages", "contents", "input"}

// sessionKey tells sessions apart: by the header, the client's own name for it, or else the beginning
// of its prompt, up to the end of what the user said first. It is 0 if there is none of these.
func (c *call) sessionKey() uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.caller.Key+"\x00")
	if name := c.r.Header.Get(HeaderSession); name != "" {
		_, _ = io.WriteString(h, name)
		return h.Sum64()
	}
	body := jsontext.Value(c.body)
	if body.Kind() != jsontext.Object {
		return 0
	}
	for _, path := range sessionMembers {
		if name, err := body.Get(path...).Text(); err == nil && name != "" {
			_, _ = io.WriteString(h, name)
			return h.Sum64()
		}
	}
	for _, name := range promptMembers {
		_, _ = h.Write(body.Get(name))
	}
	some := false
	for _, name := range messageMembers {
		list := body.Get(name)
		if list.Kind() != jsontext.Array {
			some = some || len(list) > 0
			_, _ = h.Write(list)
			continue
		}
		_ = list.Array(func(_ int, message jsontext.Value) error {
			some = true
			_, _ = h.Write(message)
			if role := string(message.Get("role")); role == `"user"` {
				return io.EOF // the rest grows with the session
			}
			return nil
		})
	}
	if !some {
		return 0
	}
	return h.Sum64()
}

// readTags reads which tags a provider must have.
func readTags(header string) []string {
	var tags []string
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}
