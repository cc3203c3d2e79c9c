package ollama

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// self is the key of this dialect in llm.Extra and llm.Opaque.
const self = string(dialect.OllamaChat)

// version is that of the server whose description is followed [oll:VersionResponse]: clients ask whether it is new enough.
const version = `{"version":"0.12.6"}`

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.OllamaChat,
		Endpoints: []dialect.Endpoint{
			{Method: "POST", Path: "/api/chat", Operation: dialect.Generate},
			{Method: "GET", Path: "/api/tags", Operation: dialect.ListModels},
			{Method: "POST", Path: "/api/show", Operation: dialect.GetModel},
			{Method: "GET", Path: "/api/version", Operation: dialect.GetVersion},
		},
		Framing:  dialect.FramingNDJSON,
		Client:   clientSide{},
		Provider: providerSide{},
		Beside:   answers.Unread,
		Relay:    relay{},
		Models:   lister{},
		Version:  version,
		Fields:   fields(),
		Carries:  carries(),
	}
}

var (
	_ dialect.ClientSide   = clientSide{}
	_ dialect.ProviderSide = providerSide{}
	_ dialect.Relay        = relay{}
	_ dialect.ModelLister  = lister{}
)

// Members and words that both sides write.
const (
	typeFunction = "function"
	keyThinking  = "thinking"
	keySigned    = "understudy_thinking" // this gateway's own: see the package's comment
	emptyArgs    = "{}"
	emptySchema  = `{"type":"object","properties":{}}`
)

// The reasons for which an answer is done. The last is this gateway's own.
const (
	doneStop   = "stop"
	doneLength = "length"
	doneFilter = "content_filter"
)

// stopOf turns a done_reason into a Stop: a call that the client shall run counts more than the vendor's word.
func stopOf(word string, calls bool) llm.Stop {
	s := llm.Stop{Reason: llm.StopOther, Raw: word}
	switch word {
	case doneStop, "":
		s.Reason = llm.StopEnd
	case doneLength:
		s.Reason = llm.StopLength
	case doneFilter:
		s.Reason = llm.StopContentFilter
	}
	if calls && (s.Reason == llm.StopEnd || s.Reason == llm.StopOther) {
		s.Reason = llm.StopToolCalls
	}
	return s
}

// wordOf is the done_reason for a client.
func wordOf(reason llm.StopReason) string {
	switch reason {
	case llm.StopLength, llm.StopContextFull:
		return doneLength
	case llm.StopContentFilter, llm.StopRefusal:
		return doneFilter
	default:
		return doneStop
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

// textOf returns a string's text; anything else is empty.
func textOf(v jsontext.Value) string {
	if v.Kind() != jsontext.String {
		return ""
	}
	s, _ := v.Text() // a string has a text
	return s
}

// mintID makes an id for a call that came without one: the same for the same place in the same answer.
func mintID(answer string, n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", answer, n))
	id := make([]byte, 0, 24)
	id = append(id, "call_"...)
	for _, b := range sum[:16] {
		id = append(id, digits[int(b)%len(digits)])
	}
	return string(id)
}

// createdAt writes a time as the dialect does.
func createdAt(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// createdOf reads a time; one that is none is 0.
func createdOf(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0
	}
	return max(t.Unix(), 0)
}

// argsText returns arguments as the object that they must be here, in one line, and whether they are one. None are an
// empty object.
func argsText(args string) ([]byte, bool) {
	if strings.TrimSpace(args) == "" {
		return []byte(emptyArgs), true
	}
	v, err := jsontext.ParseLenient([]byte(args))
	if err != nil || v.Kind() != jsontext.Object {
		return v, false
	}
	return jsontext.Compact(nil, v), true
}

// argsOf reads arguments: an object, or, as some clients send it, its text.
func argsOf(v jsontext.Value) (string, error) {
	switch v.Kind() {
	case jsontext.Object:
		return string(jsontext.Compact(nil, v)), nil
	case jsontext.Invalid, jsontext.Null:
		return "", nil
	default:
		return v.Text()
	}
}

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "role", "type", "id", "index", "name", "description", "parameters", "arguments", keySigned)

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

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(nil, [][2]string{
	{
		"", "model created_at message done done_reason logprobs error remote_model remote_host " +
			"total_duration load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration",
	},
	{"message", "role content thinking tool_calls understudy_thinking"},
	{"logprobs[]", "token logprob bytes top_logprobs"},
	{"logprobs[].top_logprobs[]", "token logprob bytes"},
	{"message.tool_calls[]", "id type index function"},
	{"message.tool_calls[].function", "index name arguments"},
}...)
