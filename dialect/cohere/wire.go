package cohere

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// self is the key of this dialect in llm.Extra and llm.Opaque.
const self = string(dialect.CohereChat)

// sdkHeader is sent by the vendor's SDKs, and by none of those for other dialects that are served here.
const sdkHeader = "X-Fern-Sdk-Name"

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.CohereChat,
		Endpoints: []dialect.Endpoint{
			{Method: "POST", Path: "/v2/chat", Operation: dialect.Generate},
			{Method: "GET", Path: "/v1/models", Operation: dialect.ListModels, Header: sdkHeader},
			{Method: "GET", Path: "/v1/models/{model}", Operation: dialect.GetModel, Header: sdkHeader},
		},
		ErrorHeader:     sdkHeader,
		RequestIDHeader: "X-Debug-Trace-Id",
		RelayHeaders:    []string{"X-Client-Name"},
		Client:          clientSide{},
		Provider:        providerSide{},
		Beside:          answers.Unread,
		Relay:           relay{},
		Models:          lister{},
		Fields:          fields(),
		Carries:         carries(),
	}
}

var (
	_ dialect.ClientSide   = clientSide{}
	_ dialect.ProviderSide = providerSide{}
	_ dialect.Relay        = relay{}
	_ dialect.ModelLister  = lister{}
)

// The dialect's limits, as the description of /v2/chat gives them. The length of a tool's name is not documented; this
// one is every other vendor's.
const (
	maxStops      = 5
	maxK          = 500
	minP, maxP    = 0.01, 0.99
	maxNameLength = 64
)

// Types and members that both sides write.
const (
	typeFunction = "function"
	typeText     = "text"
	typeThinking = "thinking"
	typeImage    = "image_url"
	typeDocument = "document"
	keyPlan      = "tool_plan"
	keySigned    = "understudy_thinking" // this gateway's own: see the package's comment
	emptyArgs    = "{}"
	emptySchema  = `{"type":"object","properties":{}}`
)

// The finish reasons [coh:ChatFinishReason].
const (
	wordComplete = "COMPLETE"
	wordStop     = "STOP_SEQUENCE"
	wordLength   = "MAX_TOKENS"
	wordCalls    = "TOOL_CALL"
	wordError    = "ERROR"
	wordTimeout  = "TIMEOUT"
)

// stopOf turns a finish reason into a Stop: a call that the client shall run counts more than the vendor's word.
func stopOf(word string, calls bool) llm.Stop {
	s := llm.Stop{Reason: llm.StopOther, Raw: word}
	switch word {
	case wordComplete, "":
		s.Reason = llm.StopEnd
	case wordStop:
		s.Reason = llm.StopSequence
	case wordLength:
		s.Reason = llm.StopLength
	case wordCalls:
		s.Reason = llm.StopToolCalls
	case wordError:
		s.Reason = llm.StopContentFilter
	}
	switch {
	case calls && (s.Reason == llm.StopEnd || s.Reason == llm.StopOther || s.Reason == llm.StopSequence):
		s.Reason = llm.StopToolCalls
	case !calls && s.Reason == llm.StopToolCalls:
		s.Reason = llm.StopEnd
	}
	return s
}

// failure is the error that a finish reason stands for, or nil. said is the vendor's word for it, counted whether the
// tokens were.
func failure(word, said string, counted bool) *llm.Error {
	switch {
	case word == wordTimeout:
		return forms.ProviderError(llm.CodeTimeout)
	case said == noAnswer:
		return forms.ProviderError(llm.CodeBadAnswer)
	case said != "" || word == wordError && !counted:
		return forms.ProviderError(llm.CodeServerError)
	}
	return nil
}

// wordOf is the finish reason for a client. Every reason has one.
func wordOf(reason llm.StopReason) string {
	switch reason {
	case llm.StopSequence:
		return wordStop
	case llm.StopLength, llm.StopContextFull:
		return wordLength
	case llm.StopToolCalls:
		return wordCalls
	case llm.StopContentFilter, llm.StopRefusal, llm.StopMalformed:
		return wordError
	default:
		return wordComplete
	}
}

// unsupported is the error for content that must not be left out and cannot be said.
func unsupported(f llm.Feature) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: "messages",
		Message: "The target's API (" + self + ") cannot carry " + f.Info().Doc + ".",
	}
}

// lossList collects losses, each feature once.
type lossList []llm.Loss

func (l *lossList) add(f llm.Feature, a llm.Action, s llm.Severity, detail string) {
	if !slices.ContainsFunc(*l, func(have llm.Loss) bool { return have.Feature == f }) {
		*l = append(*l, llm.Loss{Feature: f, Action: a, Severity: s, Detail: detail})
	}
}

// textOf returns a string's text, or a number as it is spelled; anything else is empty.
func textOf(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.String:
		if s, err := v.Text(); err == nil {
			return s
		}
	case jsontext.Number:
		return string(v)
	default:
	}
	return ""
}

// digest returns n letters and digits that stand for s.
func digest(s string, n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(s))
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[sum[i]%byte(len(digits))]
	}
	return string(out)
}

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "role", "type", "id", "text", "url", "data", "description", "parameters", "arguments",
	"name", "json_schema", "token_budget", "mode", keySigned)

// writeExtra writes the members that this dialect kept under prefix. Members of nested objects are kept under
// "object.member".
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[self] {
		key, ok := strings.CutPrefix(m.Key, prefix)
		if ok && !strings.Contains(key, ".") && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// hasExtra reports whether this dialect kept a member under prefix.
func hasExtra(extra llm.Extra, prefix string) bool {
	return slices.ContainsFunc(extra[self], func(m llm.Member) bool { return strings.HasPrefix(m.Key, prefix) })
}

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(nil, [][2]string{
	{"", "id type index message delta finish_reason usage logprobs error"},
	{"message", "role content tool_calls tool_plan citations"},
	{"delta", "message finish_reason usage error"},
	{"delta.message", "role content tool_calls tool_plan citations"},
	{"message.content[]", "type text thinking understudy_thinking"},
	{"delta.message.content[]", "type text thinking understudy_thinking"},
	{"message.citations[]", citationMembers},
	{"delta.message.citations[]", citationMembers},
	{"message.citations[].sources[]", sourceMembers},
	{"delta.message.citations[].sources[]", sourceMembers},
	{"logprobs[]", "token_ids text logprobs"},
	{"message.tool_calls[]", "id type function"},
	{"delta.message.tool_calls[]", "id type function"},
	{"message.tool_calls[].function", "name arguments"},
	{"delta.message.tool_calls[].function", "name arguments"},
}...)

// The members of citations, whole and streamed.
const (
	citationMembers = "start end text sources type content_index"
	sourceMembers   = "type id document tool_output"
)
