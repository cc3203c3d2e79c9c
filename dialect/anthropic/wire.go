package anthropic

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// issuer is the dialect's name where llm keeps who signed or wrote something.
const issuer = string(dialect.AnthropicMessages)

// maxMessage bounds the text of an error, in bytes.
const maxMessage = 800

// The roles of a turn.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
)

// The types of content blocks that llm has a word for.
const (
	blockText       = "text"
	blockThinking   = "thinking"
	blockRedacted   = "redacted_thinking"
	blockToolUse    = "tool_use"
	blockToolResult = "tool_result"
	blockImage      = "image"
	blockDocument   = "document"
	blockMidSystem  = "mid_conv_system"
)

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.AnthropicMessages,
		Endpoints: []dialect.Endpoint{
			{Method: "POST", Path: "/v1/messages", Operation: dialect.Generate},
			{Method: "GET", Path: "/v1/models", Operation: dialect.ListModels, Header: versionHeader},
			{Method: "GET", Path: "/v1/models/{model}", Operation: dialect.GetModel, Header: versionHeader},
			// Passed on as they are: anthropic.openapi.yaml and anthropic-beta.openapi.yaml, paths.
			{Method: "GET", Path: "/v1/messages/batches", Operation: dialect.Batches},
			{Method: "POST", Path: "/v1/messages/batches", Operation: dialect.Batches},
			{Method: "GET", Path: "/v1/messages/batches/{id}", Operation: dialect.Batches},
			{Method: "DELETE", Path: "/v1/messages/batches/{id}", Operation: dialect.Batches},
			{Method: "POST", Path: "/v1/messages/batches/{id}/cancel", Operation: dialect.Batches},
			{Method: "GET", Path: "/v1/messages/batches/{id}/results", Operation: dialect.Batches},
			{Method: "GET", Path: "/v1/files", Operation: dialect.Files, Header: versionHeader},
			{Method: "POST", Path: "/v1/files", Operation: dialect.Files, Header: versionHeader},
			{Method: "GET", Path: "/v1/files/{id}", Operation: dialect.Files, Header: versionHeader},
			{Method: "DELETE", Path: "/v1/files/{id}", Operation: dialect.Files, Header: versionHeader},
			{Method: "GET", Path: "/v1/files/{id}/content", Operation: dialect.Files, Header: versionHeader},
		},
		ErrorHeader:     versionHeader,
		RequestIDHeader: "Request-Id",
		Rates:           dialect.AnthropicRates,
		ErrorTypeHeader: dialect.ExceptionHeader, // of Amazon Bedrock, which serves the dialect, too
		RelayHeaders:    []string{versionHeader, betaHeader},
		IsError:         isError,
		Unseal:          withoutSealed,
		Client:          clientSide{},
		Provider:        providerSide{},
		Beside:          answers.Unread,
		PageOn:          "after_id",
		PageBack:        "before_id",
		Relay:           relay{},
		Models:          modelLister{},
		Fields:          fields(),
		Carries:         carries(),
	}
}

// versionHeader is what every request of the dialect's clients carries.
const versionHeader = "Anthropic-Version"

// betaHeader names features in trial.
const betaHeader = "Anthropic-Beta"

// is reports whether v is the string s. A spelling with needless escapes is not recognised.
func is(v jsontext.Value, s string) bool {
	return len(v) == len(s)+2 && v[0] == '"' && string(v[1:len(v)-1]) == s
}

// badAnswer is the error for an answer that could not be understood.
func badAnswer(why string, err error) *llm.Error {
	return &llm.Error{
		Code: llm.CodeBadAnswer, Origin: llm.OriginProvider,
		Message: "The provider's answer could not be understood: " + why + ".", Err: err,
	}
}

// truncated is the error for a stream that ended before it was whole.
func truncated(why string) *llm.Error {
	return &llm.Error{
		Code: llm.CodeTruncated, Origin: llm.OriginProvider,
		Message: "The provider's answer ended before it was whole: " + why + ".",
	}
}

// unsupported is the error for content that the target cannot be given.
func unsupported(param, why string) *llm.Error {
	return &llm.Error{Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: param, Message: why}
}

// readStop maps stop_reason, stop_sequence and stop_details, members of a message or of a message_delta's delta.
func readStop(n jsontext.Node) llm.Stop {
	raw := forms.TextOf(n.Get("stop_reason").Value())
	stop := llm.Stop{Raw: raw, Reason: stopReason(raw), Sequence: forms.TextOf(n.Get("stop_sequence").Value())}
	if details := n.Get("stop_details").Value(); details.Kind() == jsontext.Object {
		stop.Detail = forms.TextOf(details.Get("explanation"))
	}
	return stop
}

func stopReason(raw string) llm.StopReason {
	switch raw {
	case "end_turn":
		return llm.StopEnd
	case "stop_sequence":
		return llm.StopSequence
	case "max_tokens":
		return llm.StopLength
	case "model_context_window_exceeded":
		return llm.StopContextFull
	case "tool_use":
		return llm.StopToolCalls
	case "refusal":
		return llm.StopRefusal
	case "pause_turn", "compaction":
		return llm.StopPause
	default:
		return llm.StopOther
	}
}

// stopWord is the stop_reason to say; empty for one that is an error here.
func stopWord(r llm.StopReason) string {
	switch r {
	case llm.StopSequence:
		return "stop_sequence"
	case llm.StopLength:
		return "max_tokens"
	case llm.StopContextFull:
		return "model_context_window_exceeded"
	case llm.StopToolCalls:
		return "tool_use"
	case llm.StopContentFilter, llm.StopRefusal:
		return "refusal"
	case llm.StopPause:
		return "pause_turn"
	case llm.StopMalformed:
		return ""
	case llm.StopEnd, llm.StopOther:
	}
	return "end_turn"
}

// writeStop writes the three members that say why an answer ended.
func writeStop(w *jsontext.Writer, stop llm.Stop, extra llm.Extra) {
	w.StringField("stop_reason", stopWord(stop.Reason))
	if stop.Sequence != "" && stop.Reason == llm.StopSequence {
		w.StringField("stop_sequence", stop.Sequence)
	} else {
		w.NullField("stop_sequence")
	}
	switch {
	case hasExtra(extra, "stop_details"):
		writeKept(w, extra, "stop_details")
	case stop.Detail != "":
		w.Key("stop_details")
		w.BeginObject()
		w.StringField("type", "refusal")
		w.NullField("category")
		w.StringField("explanation", stop.Detail)
		w.EndObject()
	default:
		w.NullField("stop_details")
	}
}

// writeKeptOrNull restores a member that every answer has, if only as null.
func writeKeptOrNull(w *jsontext.Writer, extra llm.Extra, key string) {
	if !hasExtra(extra, key) {
		w.NullField(key)
		return
	}
	writeKept(w, extra, key)
}

// writeKept restores one member that this dialect kept.
func writeKept(w *jsontext.Writer, extra llm.Extra, key string) {
	for _, m := range extra[issuer] {
		if m.Key == key {
			w.RawField(key, m.Raw)
		}
	}
}

// keepStop keeps what of a stop llm has no word for.
func keepStop(extra llm.Extra, n jsontext.Node) llm.Extra {
	for _, key := range [...]string{"stop_details", "container", "context_management"} {
		if m := n.Get(key).Value(); !m.IsNull() {
			extra = extra.Add(issuer, key, clone(m))
		}
	}
	return extra
}

// clone copies bytes that alias a frame.
func clone(v []byte) []byte { return append([]byte(nil), v...) }

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "id", "type", "text", "title", "context", "media_type", "data", "tool_use_id", "input",
	"ttl", "signature", "enabled", "schema")

// writeExtra restores the members that this dialect kept, whose names begin with prefix.
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[issuer] {
		key, ok := strings.CutPrefix(m.Key, prefix)
		if ok && (prefix != "" || !isNested(key)) && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// isNested reports whether a member was kept from inside one of the request's objects.
func isNested(key string) bool {
	outer, _, ok := strings.Cut(key, ".")
	return ok && (outer == "metadata" || outer == "thinking" || outer == "tool_choice" || outer == "output_config" || outer == "thread")
}

// hasExtra reports whether members whose names begin with prefix were kept.
func hasExtra(extra llm.Extra, prefix string) bool {
	for _, m := range extra[issuer] {
		if strings.HasPrefix(m.Key, prefix) {
			return true
		}
	}
	return false
}

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(nil, [][2]string{
	{
		"", "id type role model content stop_reason stop_sequence stop_details usage message index delta content_block error request_id context_management " +
			"amazon-bedrock-invocationMetrics",
	},
	{"message", "id type role model content stop_reason stop_sequence stop_details usage context_management provider"},
	{"content[]<text>", textMembers},
	{"message.content[]<text>", textMembers},
	{"content_block<text>", textMembers},
	{"content[]<thinking>", thinkingMembers},
	{"message.content[]<thinking>", thinkingMembers},
	{"content_block<thinking>", thinkingMembers},
	{"content[]<redacted_thinking>", "type data"},
	{"message.content[]<redacted_thinking>", "type data"},
	{"content_block<redacted_thinking>", "type data"},
	{"content[]<tool_use>", callMembers},
	{"message.content[]<tool_use>", callMembers},
	{"content_block<tool_use>", callMembers},
	{"content[]<tool_use>.caller", callerMembers},
	{"message.content[]<tool_use>.caller", callerMembers},
	{"content_block<tool_use>.caller", callerMembers},
	{"stop_details", stopMembers},
	{"message.stop_details", stopMembers},
	{"delta.stop_details", stopMembers},
	{"delta", "type text partial_json thinking signature citation stop_reason stop_sequence stop_details estimated_tokens"},
}...)

// The members of the blocks that an answer may have.
const (
	textMembers     = "type text citations"
	thinkingMembers = "type thinking signature"
	callMembers     = "type id name input caller"
	callerMembers   = "type tool_id"
	stopMembers     = "type explanation"
)
