package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reply is a scripted answer.
type Reply struct {
	Thinking   string // visible reasoning, "" for none
	Signature  string // of the thinking block; "" makes a valid one
	Redacted   string // data of a redacted thinking block, "" for none
	Text       string
	Parts      []string // the text as streamed; set, it overrides Text
	Citations  []Citation
	ToolCalls  []ToolCall
	Refusal    string        // said instead of Text
	Stop       string        // the wire's own reason, as it shall stand; "" for the natural one
	StopText   string        // the stop sequence that was hit
	Usage      *Usage        // nil counts words
	FirstDelay time.Duration // before the headers
	Delay      time.Duration // before each streamed chunk, or before the unary body
	Error      *Error        // answered instead of everything else
}

// ToolCall is a call the simulated model makes.
type ToolCall struct {
	ID        string // "" makes one in the vendor's form
	Name      string
	Arguments string // JSON text; "" for none
}

// Citation says where a piece of the text comes from.
type Citation struct{ URL, Title, Quote string }

// Usage is a token count in buckets that do not overlap, except that Reasoning is part of Output.
type Usage struct{ Input, CacheRead, CacheWrite, Output, Reasoning int }

// Error is a vendor error to answer with, in the envelope of the vendor asked.
type Error struct {
	Status  int
	Type    string
	Code    string // OpenAI; the code of Anthropic's details
	Param   string // OpenAI only
	Message string
	Header  map[string]string
}

// Ask is a request as the simulated model understands it.
type Ask struct {
	Dialect     string // Chat, Messages, ...
	Model       string // markers cut off
	Stream      bool
	System      string   // joined with newlines
	Text        string   // text of the last user turn
	Said        string   // the beginning of the answer, when the model is to go on with it
	Quoted      bool     // the user asks for that by quoting the end of it; else the answer begins so
	Media       []Media  // of the last user turn
	Results     []string // tool results in the last turn
	Rounds      int      // turns with tool results in the whole conversation
	Tools       []Tool
	ToolChoice  string // "auto", "none", "any", or the name of the one tool wanted, after a colon
	Parallel    bool   // several tool calls at once are allowed
	Schema      any    // JSON schema wanted, nil for none
	JSON        bool   // JSON wanted
	Thinking    bool   // visible reasoning asked for
	N           int    // choices wanted, at least 1
	Logprobs    bool
	TopLogprobs int
	Sealed      bool       // encrypted reasoning asked for
	Usage       bool       // the stream shall end with usage
	MaxTokens   int        // 0 for no limit
	Tier        string     // of the service
	Speed       string     // Anthropic's
	Place       string     // likewise, of inference
	Stops       []string   // stop sequences
	Tokens      int        // input tokens, counted roughly
	Embed       *EmbedAsk  // of an embedding model
	Rerank      *RerankAsk // of a ranking model
	markers     map[string]string
}

// Media is an image, a document or a sound that arrived.
type Media struct {
	Type string // media type
	Size int    // bytes; 0 when only a URL or an id came
	Ref  string // the URL or id
}

// Tool is a tool that was offered.
type Tool struct {
	Name     string
	Schema   any
	FreeForm bool // its input is text
}

// Enqueue makes the next requests that reach the simulated model get these answers, one each.
func (s *Server) Enqueue(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = append(s.replies, replies...)
}

// reply decides the answer to a.
func (s *Server) reply(a Ask) Reply {
	r := s.scripted(a)
	if r == nil {
		def := defaultReply(a)
		r = &def
	}
	out := *r
	if out.Delay == 0 {
		out.Delay = s.opts.Delay
	}
	applyMarkers(&out, a)
	if out.Parts == nil && out.Text != "" {
		out.Parts = words(out.Text)
	}
	out.goOn(a)
	out.limit(a)
	return out
}

func (s *Server) scripted(a Ask) *Reply {
	s.mu.Lock()
	if len(s.replies) > 0 {
		r := s.replies[0]
		s.replies = s.replies[1:]
		s.mu.Unlock()
		return &r
	}
	s.mu.Unlock()
	if r, ok := s.opts.Replies[a.Model]; ok {
		return &r
	}
	if s.opts.Script != nil {
		return s.opts.Script(a)
	}
	return nil
}

// defaultReply answers by rule, as the package comment tells.
func defaultReply(a Ask) Reply {
	steps, _ := strconv.Atoi(a.markers["steps"])
	_, noTools := a.markers["notools"]
	more := len(a.Results) == 0 || a.Rounds < steps
	if len(a.Tools) > 0 && a.ToolChoice != "none" && more && !noTools {
		return Reply{ToolCalls: callsFor(a)}
	}
	switch {
	case len(a.Results) > 0 && a.Schema == nil:
		return Reply{Text: "The tools said: " + strings.Join(a.Results, "; ") + "."}
	case a.Schema != nil:
		return Reply{Text: compact(example(a.Schema))}
	case a.JSON:
		return Reply{Text: compact(map[string]any{"answer": a.Text})}
	case len(a.Media) > 0 && a.Text == "":
		return Reply{Text: describe(a.Media)}
	case len(a.Media) > 0:
		return Reply{Text: describe(a.Media) + " You said: " + a.Text}
	}
	return Reply{Text: "You said: " + a.Text}
}

// describe names what arrived, so that a test can prove that the bytes did.
func describe(media []Media) string {
	var seen []string
	for _, m := range media {
		if m.Ref != "" {
			seen = append(seen, fmt.Sprintf("%s at %s", m.Type, m.Ref))
		} else {
			seen = append(seen, fmt.Sprintf("%s of %d bytes", m.Type, m.Size))
		}
	}
	return "I see " + strings.Join(seen, " and ") + "."
}

// callsFor calls the tool that is forced, or the first two.
func callsFor(a Ask) []ToolCall {
	tools := a.Tools
	if name, ok := strings.CutPrefix(a.ToolChoice, ":"); ok {
		tools = slices.DeleteFunc(slices.Clone(tools), func(t Tool) bool { return t.Name != name })
	}
	most := 2
	if !a.Parallel {
		most = 1
	}
	var calls []ToolCall
	for _, t := range tools[:min(most, len(tools))] {
		calls = append(calls, ToolCall{Name: t.Name, Arguments: compact(example(t.Schema))})
	}
	return calls
}

// applyMarkers changes the reply as the model's name asks.
func applyMarkers(r *Reply, a Ask) {
	for _, name := range slices.Sorted(maps.Keys(a.markers)) {
		value := a.markers[name]
		n, _ := strconv.Atoi(value)
		d, _ := time.ParseDuration(value)
		switch name {
		case "chunks":
			r.Parts = nil
			for i := range n {
				r.Parts = append(r.Parts, fmt.Sprintf("word%d ", i))
			}
			r.ToolCalls = nil
		case "delay":
			r.Delay = d
		case "first":
			r.FirstDelay = d
		case "think":
			r.Thinking = "First I think about it. Then I answer."
		case "redacted":
			r.Redacted = base64.StdEncoding.EncodeToString([]byte("redacted: kept by the vendor"))
		case "tools":
			r.ToolCalls = manyCalls(a, n)
		case "refuse":
			r.Refusal, r.Text, r.Parts, r.ToolCalls = "I cannot help with that.", "", nil, nil
		case "cite":
			r.Citations = []Citation{{"https://example.com/a?b=1&c=2", "A page", "quoted words"}}
		case "cached":
			r.Usage = &Usage{Input: a.Tokens, CacheRead: 40, CacheWrite: 10, Output: 30, Reasoning: 12}
		case "stop":
			r.Stop = value
		}
	}
	if _, ok := a.markers["noargs"]; ok {
		for i := range r.ToolCalls {
			r.ToolCalls[i].Arguments = ""
		}
	}
	if a.Thinking && r.Thinking == "" && r.Redacted == "" && a.Dialect != Chat {
		r.Thinking = "Let me think."
	}
}

// manyCalls makes n calls of the offered tools in turn, or of one named lookup.
func manyCalls(a Ask, n int) []ToolCall {
	tools := a.Tools
	if len(tools) == 0 {
		tools = []Tool{{Name: "lookup", Schema: map[string]any{"type": "object", "properties": map[string]any{"key": map[string]any{"type": "string"}}}}}
	}
	var calls []ToolCall
	for i := range max(n, 1) {
		t := tools[i%len(tools)]
		calls = append(calls, ToolCall{Name: t.Name, Arguments: compact(example(t.Schema))})
	}
	return calls
}

// limit cuts the text at a stop sequence and at the token limit, as the vendor would.
func (r *Reply) limit(a Ask) {
	if r.Stop != "" || r.Refusal != "" {
		return
	}
	text := strings.Join(r.Parts, "")
	for _, stop := range a.Stops {
		if i := strings.Index(text, stop); i >= 0 && stop != "" {
			r.Parts, r.StopText, text = words(text[:i]), stop, text[:i]
		}
	}
	if r.StopText != "" {
		r.ToolCalls = nil
	}
	if a.MaxTokens > 0 && len(r.Parts) > a.MaxTokens {
		r.Parts, r.StopText = r.Parts[:a.MaxTokens], ""
		r.ToolCalls = nil
		r.Stop = reasonIn(a.Dialect, "length")
	}
	r.Text = strings.Join(r.Parts, "")
}

// reasonIn is a reason to stop, "length" or "filter", in the words of a dialect.
func reasonIn(dialect, reason string) string {
	return map[string]map[string]string{
		Chat:       {"length": "length", "filter": "content_filter"},
		Responses:  {"length": "max_output_tokens", "filter": "content_filter"},
		Messages:   {"length": "max_tokens", "filter": "refusal"},
		CohereChat: {"length": "MAX_TOKENS", "filter": "ERROR"},
		Generate:   {"length": "MAX_TOKENS", "filter": "SAFETY"},
		Converse:   {"length": "max_tokens", "filter": "content_filtered"},
		OllamaChat: {"length": "length"},
	}[dialect][reason]
}

// usage returns the reply's token count.
func (r *Reply) usage(a Ask) Usage {
	if r.Usage != nil {
		return *r.Usage
	}
	u := Usage{Input: a.Tokens, Output: len(r.Parts) + len(words(r.Refusal))}
	for _, c := range r.ToolCalls {
		u.Output += 5 + len(c.Arguments)/4
	}
	if r.Thinking != "" {
		u.Reasoning = len(words(r.Thinking))
		u.Output += u.Reasoning
	}
	return u
}

// words splits after spaces, so that the parts add up to the text.
func words(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.SplitAfter(text, " ")
	if parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// splitModel separates a model's name from its markers.
func splitModel(model string) (name string, markers map[string]string) {
	markers = map[string]string{}
	for i, tok := range strings.Split(model, "+") {
		bare, x := strings.CutPrefix(tok, "x-")
		if i == 0 && !x {
			name = tok
			continue
		}
		key, value, _ := strings.Cut(bare, "-")
		markers[key] = value
	}
	if name == "" {
		name = model
	}
	return name, markers
}
