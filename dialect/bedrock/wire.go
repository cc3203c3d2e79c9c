package bedrock

import (
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// issuer is the dialect's name where llm keeps who signed or wrote something.
const issuer = string(dialect.BedrockConverse)

// maxMessage bounds the text of an error, in bytes.
const maxMessage = 800

// The roles of a turn [bed:ConversationRole].
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
)

// The members of the request whose own members llm has words for only in part.
const (
	additionalFields = "additionalModelRequestFields"
	inferenceConfig  = "inferenceConfig"
	outputConfig     = "outputConfig"
)

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.BedrockConverse,
		Endpoints: []dialect.Endpoint{
			{Method: "POST", Path: "/model/{model}/converse", Operation: dialect.Generate},
			{Method: "POST", Path: "/model/{model}/converse-stream", Operation: dialect.Generate, Stream: true},
			// By bodies that only their own models' makers know.
			{Method: "POST", Path: "/model/{model}/invoke", Operation: dialect.Invoke},
			{Method: "POST", Path: "/model/{model}/invoke-with-response-stream", Operation: dialect.Invoke, Stream: true},
			{Method: "GET", Path: "/foundation-models", Operation: dialect.ListModels},
			{Method: "GET", Path: "/foundation-models/{model}", Operation: dialect.GetModel},
		},
		ErrorHeader:     "Amz-Sdk-Invocation-Id",
		RequestIDHeader: "X-Amzn-Requestid",
		ErrorType:       errorType,
		ErrorTypeHeader: dialect.ExceptionHeader,
		Framing:         dialect.FramingEventStream,
		UsageHeaders:    [2]string{"X-Amzn-Bedrock-Input-Token-Count", "X-Amzn-Bedrock-Output-Token-Count"},
		RelayHeaders: []string{ // InvokeModel's [bed:InvokeModelRequest]
			"X-Amzn-Bedrock-Guardrailidentifier", "X-Amzn-Bedrock-Guardrailversion", "X-Amzn-Bedrock-Trace",
			"X-Amzn-Bedrock-Performanceconfig-Latency", "X-Amzn-Bedrock-Service-Tier",
		},
		Client:   clientSide{},
		Provider: providerSide{},
		Beside:   answers.Unread,
		Relay:    relay{},
		Models:   modelLister{},
		Fields:   fields(),
		Carries:  carries(),
	}
}

// is reports whether v is the string s. A spelling with needless escapes is not recognised.
func is(v jsontext.Value, s string) bool {
	return len(v) == len(s)+2 && v[0] == '"' && string(v[1:len(v)-1]) == s
}

// only returns the one member that a union has beside those that are null.
func only(v jsontext.Value) (key string, member jsontext.Value, err error) {
	return onlyIn(jsontext.Plain(v))
}

func onlyIn(n jsontext.Node) (key string, member jsontext.Value, err error) {
	count := 0
	err = n.Members(func(name []byte, n jsontext.Node) error {
		if !n.IsNull() {
			key, member = string(name), n.Value()
			count++
		}
		return nil
	})
	if err == nil && count != 1 {
		err = errors.New("want an object with exactly one member")
	}
	return key, member, err
}

// badAnswer is the error for an answer that is none. Why says what is wrong, in words that hold nothing of it.
func badAnswer(why string, err error) *llm.Error {
	return &llm.Error{
		Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Err: err,
		Message: "The provider's answer is malformed: " + why + ".",
	}
}

// truncated is the error for an answer that ended before it was whole.
func truncated(why string) *llm.Error {
	return &llm.Error{
		Code: llm.CodeTruncated, Origin: llm.OriginProvider,
		Message: "The provider's answer ended early: " + why + ".",
	}
}

// unsupported is the error for content that the target cannot be given.
func unsupported(param, why string) *llm.Error {
	return &llm.Error{Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: param, Message: why}
}

// guardrailStop is the reason of an answer that a guardrail of the client's own has changed or stopped.
const guardrailStop = "guardrail_intervened"

// readStop reads why a message ended [bed:StopReason]. The sequence is told where the client asked for it, by
// additionalModelResponseFieldPaths.
func readStop(n jsontext.Node) llm.Stop {
	stop := llm.Stop{
		Raw:      forms.TextOf(n.Get("stopReason").Value()),
		Sequence: forms.TextOf(n.Get("additionalModelResponseFields").Get("stop_sequence").Value()),
	}
	switch stop.Raw {
	case "end_turn":
		stop.Reason = llm.StopEnd
	case "stop_sequence":
		stop.Reason = llm.StopSequence
	case "max_tokens":
		stop.Reason = llm.StopLength
	case "model_context_window_exceeded":
		stop.Reason = llm.StopContextFull
	case "tool_use":
		stop.Reason = llm.StopToolCalls
	case "content_filtered", guardrailStop:
		stop.Reason = llm.StopContentFilter
	case "malformed_model_output", "malformed_tool_use":
		stop.Reason = llm.StopMalformed
	case "":
	default:
		stop.Reason = llm.StopOther
	}
	return stop
}

// stopWord is the dialect's word for a reason; empty for none.
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
		return "content_filtered"
	case llm.StopMalformed:
		return "malformed_model_output"
	case "":
		return ""
	default:
		return "end_turn"
	}
}

// writeStop writes the reason, and what goes with it.
func writeStop(w *jsontext.Writer, stop llm.Stop, extra llm.Extra) {
	word := stopWord(stop.Reason)
	if stop.Reason == llm.StopContentFilter && stop.Raw == guardrailStop {
		word = stop.Raw
	}
	w.StringField("stopReason", word)
	switch {
	case hasExtra(extra, "additionalModelResponseFields"):
		writeKept(w, extra, "additionalModelResponseFields")
	case stop.Sequence != "":
		w.Key("additionalModelResponseFields")
		w.BeginObject()
		w.StringField("stop_sequence", stop.Sequence)
		w.EndObject()
	}
}

// keep keeps those members of an answer that llm has no word for.
func keep(extra llm.Extra, n jsontext.Node, keys ...string) llm.Extra {
	for _, key := range keys {
		if m := n.Get(key).Value(); !m.IsNull() {
			extra = extra.Add(issuer, key, clone(m))
		}
	}
	return extra
}

// writeKept restores one member that this dialect kept.
func writeKept(w *jsontext.Writer, extra llm.Extra, key string) {
	for _, m := range extra[issuer] {
		if m.Key == key {
			w.RawField(key, m.Raw)
		}
	}
}

// clone copies bytes that alias a frame.
func clone(v []byte) []byte { return append([]byte(nil), v...) }

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "role", "content", "text", "type", "json", "bytes", "uri", "structure", "jsonSchema", "schema",
	"description", "toolUseId", "input", "ttl", "signature", "redactedContent", "reasoningText", "enabled", "thinking", "top_k", "budget_tokens")

// writeExtra restores the members that this dialect kept, whose names begin with prefix.
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[issuer] {
		if key, ok := strings.CutPrefix(m.Key, prefix); ok && !isNested(key) && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// isNested reports whether a member was kept from inside another object that is kept in parts.
func isNested(key string) bool {
	outer, _, ok := strings.Cut(key, ".")
	if !ok {
		return false
	}
	switch outer {
	case additionalFields, inferenceConfig, outputConfig, "toolConfig", "serviceTier", "source", "thinking", "reasoningConfig":
		return true
	}
	return false
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
		"", "output stopReason usage metrics additionalModelResponseFields performanceConfig serviceTier p message " +
			"role contentBlockIndex start delta",
	},
	{"additionalModelResponseFields", "stop_sequence"},
	{"output", "message"},
	{"output.message", "role content"},
	{"output.message.content[]", "text toolUse reasoningContent citationsContent image document video audio toolResult guardContent cachePoint searchResult"},
	{"output.message.content[].citationsContent", "content citations"},
	{"output.message.content[].citationsContent.content[]", "text"},
	{"output.message.content[].citationsContent.citations[]", citationMembers},
	{"delta.citation", citationMembers},
	{"output.message.content[].citationsContent.citations[].sourceContent[]", "text"},
	{"delta.citation.sourceContent[]", "text"},
	{"output.message.content[].citationsContent.citations[].location", locationMembers},
	{"delta.citation.location", locationMembers},
	{"output.message.content[].citationsContent.citations[].location.web", "url domain"},
	{"delta.citation.location.web", "url domain"},
	{"start", "toolUse toolResult image"},
	{"output.message.content[].toolUse", "toolUseId name input type"},
	{"output.message.content[].reasoningContent", "reasoningText redactedContent"},
	{"output.message.content[].reasoningContent.reasoningText", "text signature"},
	{"start.toolUse", "toolUseId name type"},
	{"delta", "text toolUse reasoningContent citation image toolResult"},
	{"delta.toolUse", "input"},
	{"delta.reasoningContent", "text signature redactedContent"},
}...)

// The members of citations, whole and streamed.
const (
	citationMembers = "title source sourceContent location"
	locationMembers = "web documentChar documentPage documentChunk searchResultLocation"
)
