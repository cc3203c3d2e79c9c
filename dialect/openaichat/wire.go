package openaichat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// self is the key of this dialect in llm.Extra and llm.Opaque.
const self = string(dialect.OpenAIChat)

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.OpenAIChat,
		Endpoints: slices.Concat(relayed(), []dialect.Endpoint{
			{Method: "POST", Path: "/v1/chat/completions", Operation: dialect.Generate},
			{Method: "GET", Path: "/v1/models", Operation: dialect.ListModels},
			{Method: "GET", Path: "/v1/models/{model}", Operation: dialect.GetModel},
			// Azure's, in its two forms. What it calls a deployment is a model here; the version of the API that it wants in
			// the query is of no concern.
			{Method: "POST", Path: "/openai/deployments/{model}/chat/completions", Operation: dialect.Generate},
			{Method: "POST", Path: "/openai/v1/chat/completions", Operation: dialect.Generate},
			{Method: "GET", Path: "/openai/v1/models", Operation: dialect.ListModels},
			{Method: "GET", Path: "/openai/v1/models/{model}", Operation: dialect.GetModel},
			{Method: "GET", Path: "/openai/models", Operation: dialect.ListModels},
			{Method: "GET", Path: "/openai/models/{model}", Operation: dialect.GetModel},
		}, relayedAtAzure()), // these last: a model's name may end in "/chat"
		RequestIDHeader: "X-Request-Id",
		Rates:           dialect.OpenAIRates,
		RelayHeaders:    []string{"Openai-Beta"},
		Client:          clientSide{},
		Provider:        providerSide{},
		Beside:          answers.Unread,
		PageOn:          "after",
		PageBack:        "before",
		Kept:            map[string]string{keyNotes: pathNotes},
		Relay:           relay{},
		Models:          forms.OpenAIModels{},
		Fields:          fields(),
		Carries:         carries(),
	}
}

var (
	_ dialect.ClientSide   = clientSide{}
	_ dialect.ProviderSide = providerSide{}
	_ dialect.Relay        = relay{}
	_ dialect.ModelLister  = forms.OpenAIModels{}
)

// The dialect's limits: openai.yaml, StopConfiguration, FunctionObject.name, the schema of top_logprobs and n; the
// length of an id is what the API answers to a longer one.
const (
	maxStops       = 4
	maxNameLength  = 64
	maxIDLength    = 40
	maxTopLogProbs = 20
	maxChoices     = 128
)

// The members by which this gateway shows thinking and carries what is signed.
const (
	keyReasoning  = "reasoning_content"
	keyDetails    = "reasoning_details"
	keyStore      = "store"
	keyUser       = "user"
	typeThinking  = "understudy.thinking"
	emptyArgs     = "{}"
	emptySchema   = `{"type":"object","properties":{}}`
	typeFunction  = "function"
	typeCustom    = "custom"
	fallbackName  = "response" // the required name of a schema that came without one
	fallbackTitle = "document.pdf"
	keyOldCall    = "function_call" // the old name of tool_calls
	keyNotes      = "annotations"
	pathNotes     = "choices[].message." + keyNotes
)

// reasonOf reads a finish reason: this dialect's, or one seen from servers compatible with it.
func reasonOf(word string) llm.StopReason {
	switch word {
	case "stop", "eos", "eos_token", "end_turn":
		return llm.StopEnd
	case "stop_sequence":
		return llm.StopSequence
	case "length", "max_tokens":
		return llm.StopLength
	case "model_length":
		return llm.StopContextFull
	case "tool_calls", "tool_call", "tool_use", "function_call":
		return llm.StopToolCalls
	case "content_filter", "sensitive":
		return llm.StopContentFilter
	}
	return llm.StopOther
}

// failedReason is the error that a finish reason stands for, if it stands for one.
func failedReason(word string) *llm.Error {
	switch word {
	case "error", "network_error":
		return forms.ProviderError(llm.CodeServerError)
	case "insufficient_system_resource":
		return forms.ProviderError(llm.CodeOverloaded)
	}
	return nil
}

// wordOf is the finish reason for a client. Every reason has one.
func wordOf(reason llm.StopReason) string {
	switch reason {
	case llm.StopLength, llm.StopContextFull:
		return "length"
	case llm.StopToolCalls:
		return "tool_calls"
	case llm.StopContentFilter, llm.StopRefusal:
		return "content_filter"
	default:
		return "stop"
	}
}

// stopOf turns a finish reason into a Stop, given what else the answer held: a call that the client shall run counts
// more than the vendor's word, and a refusal is one whatever the word, unless the answer was cut.
func stopOf(word string, calls, refused bool) llm.Stop {
	s := llm.Stop{Reason: reasonOf(word), Raw: word}
	if word == "" || s.Reason == llm.StopToolCalls && !calls {
		s.Reason = llm.StopEnd
	}
	switch s.Reason {
	case llm.StopEnd, llm.StopOther, llm.StopSequence:
		switch {
		case calls:
			s.Reason = llm.StopToolCalls
		case refused:
			s.Reason = llm.StopRefusal
		}
	case llm.StopContentFilter:
		if refused {
			s.Reason = llm.StopRefusal
		}
	default:
	}
	return s
}

// loss is one of what an encoding could not carry.
func loss(f llm.Feature, action llm.Action, severity llm.Severity, detail string) llm.Loss {
	return llm.Loss{Feature: f, Action: action, Severity: severity, Detail: detail}
}

// mintID makes an id for a call that came without one: the same for the same place in the same answer.
func mintID(response string, choice, n int) string {
	return "call_" + forms.Digest(fmt.Sprintf("%s/%d/%d", response, choice, n), 24)
}

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "role", "type", "id", "index", "text", "url", "detail", "data", "format", "file_data",
	"filename", "description", "parameters", "arguments", "schema")

// writeExtra writes the members that this dialect kept under prefix. Members of nested objects are kept under
// "object.member".
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[self] {
		key, ok := strings.CutPrefix(m.Key, prefix)
		if ok && (prefix != "" || !isNested(key)) && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// nestedPrefixes are the objects whose unknown members are kept with their owner's.
func nestedPrefixes() [3]string {
	return [...]string{"function.", "stream_options.", "response_format."}
}

func isNested(key string) bool {
	for _, p := range nestedPrefixes() {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(nil, [][2]string{
	{
		"", "id object created model choices usage system_fingerprint service_tier error provider request_id obfuscation metadata " +
			"prompt_filter_results prompt_logprobs prompt_token_ids kv_transfer_params x_groq timings time_info cost copilot_usage nvext sla_metrics " +
			"p prompt usage_breakdown user_tier stream_options latency_checkpoint",
	},
	{
		"choices[]", "index message delta text finish_reason native_finish_reason stop_reason matched_stop finish_details logprobs token_ids seed error " +
			"content_filter_results content_filter_result",
	},
	{
		"choices[].message", "role content refusal reasoning reasoning_content reasoning_details reasoning_encrypted tool_calls function_call audio annotations " +
			"name parsed channel padding p",
	},
	{
		"choices[].delta", "role content refusal reasoning reasoning_content reasoning_details reasoning_encrypted tool_calls function_call audio annotations " +
			"name channel padding p obfuscation index token_id",
	},
	{"choices[].message.content[]!", pieceMembers},
	{"choices[].delta.content[]!", pieceMembers},
	{"choices[].message.content[].thinking[]", "type text"},
	{"choices[].delta.content[].thinking[]", "type text"},
	{"choices[].message.reasoning_details[]", detailMembers},
	{"choices[].delta.reasoning_details[]", detailMembers},
	{"choices[].message.reasoning_details[]<" + typeThinking + ">", ourDetail},
	{"choices[].delta.reasoning_details[]<" + typeThinking + ">", ourDetail},
	{"choices[].message.tool_calls[]", callMembers},
	{"choices[].delta.tool_calls[]", callMembers},
	{"choices[].message.tool_calls[].function", functionMembers},
	{"choices[].delta.tool_calls[].function", functionMembers},
	{"choices[].message.function_call", functionMembers},
	{"choices[].delta.function_call", functionMembers},
	{"choices[].message.annotations[]<url_citation>", noteMembers},
	{"choices[].delta.annotations[]<url_citation>", noteMembers},
	{"choices[].message.annotations[]<url_citation>.url_citation", noteMembers},
	{"choices[].delta.annotations[]<url_citation>.url_citation", noteMembers},
	{"choices[].logprobs", "content refusal"},
	{"choices[].logprobs.content[]", tokenMembers},
	{"choices[].logprobs.refusal[]", tokenMembers},
	{"choices[].logprobs.content[].top_logprobs[]", tokenMembers},
	{"choices[].logprobs.refusal[].top_logprobs[]", tokenMembers},
}...)

// The members of what is in messages and deltas alike.
const (
	pieceMembers    = "type text thinking closed"
	detailMembers   = "type text summary index id format"
	ourDetail       = "type issuer text signature data after index"
	callMembers     = "index id type function custom"
	functionMembers = "name arguments"
	tokenMembers    = "token logprob bytes top_logprobs id token_id text_offset sampling_logprob"
	noteMembers     = "type index url_citation url title start_index end_index"
)
