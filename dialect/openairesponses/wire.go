package openairesponses

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// self is the key of this dialect in llm.Extra and llm.Opaque.
const self = string(dialect.OpenAIResponses)

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.OpenAIResponses,
		Endpoints: append(stored(), []dialect.Endpoint{
			{Method: "POST", Path: "/v1/responses", Operation: dialect.Generate},
			// Azure's, in its two forms.
			{Method: "POST", Path: "/openai/v1/responses", Operation: dialect.Generate},
			{Method: "POST", Path: "/openai/responses", Operation: dialect.Generate},
		}...),
		RequestIDHeader: "X-Request-Id",
		Rates:           dialect.OpenAIRates,
		RelayHeaders:    []string{"Openai-Beta"},
		MessagePath:     "input[]",
		PartPath:        "input[].content[]",
		Unseal:          withoutSealed,
		Client:          clientSide{},
		Provider:        providerSide{},
		Beside:          answers.Unread,
		PageOn:          "after",
		PageBack:        "before",
		Relay:           relay{},
		Models:          forms.OpenAIModels{},
		Fields:          fields(),
		Carries:         carries(),
	}
}

// stored are the endpoints of what the vendor keeps, and the same in Azure's two forms.
func stored() []dialect.Endpoint {
	const get, post, remove = "GET", "POST", "DELETE"
	var list []dialect.Endpoint
	for _, under := range []string{"", "/openai/v1", "/openai"} {
		for _, e := range []dialect.Endpoint{
			{Method: get, Path: "/responses/{id}"},
			{Method: remove, Path: "/responses/{id}"},
			{Method: post, Path: "/responses/{id}/cancel"},
			{Method: get, Path: "/responses/{id}/input_items"},
			{Method: post, Path: "/conversations"},
			{Method: get, Path: "/conversations/{id}"},
			{Method: post, Path: "/conversations/{id}"},
			{Method: remove, Path: "/conversations/{id}"},
			{Method: get, Path: "/conversations/{id}/items"},
			{Method: post, Path: "/conversations/{id}/items"},
			{Method: get, Path: "/conversations/{id}/items/{item}"},
			{Method: remove, Path: "/conversations/{id}/items/{item}"},
		} {
			e.Path, e.Under, e.Operation = cmp.Or(under, "/v1")+e.Path, under, dialect.Stored
			list = append(list, e)
		}
	}
	return list
}

var (
	_ dialect.ClientSide   = clientSide{}
	_ dialect.ProviderSide = providerSide{}
	_ dialect.Relay        = relay{}
	_ dialect.ModelLister  = forms.OpenAIModels{}
)

// The dialect's limits: openai.yaml, FunctionToolParam.name, FunctionCallOutputItemParam.call_id,
// CreateResponse.max_output_tokens, ModelResponseProperties.top_logprobs.
const (
	maxNameLength  = 128
	maxIDLength    = 64
	minMaxTokens   = 16
	maxTopLogProbs = 20
)

// The types of items: openai.yaml, Item and OutputItem.
const (
	itemMessage      = "message"
	itemReasoning    = "reasoning"
	itemCall         = "function_call"
	itemOutput       = "function_call_output"
	itemCustomCall   = "custom_tool_call"
	itemCustomOutput = "custom_tool_call_output"
	itemReference    = "item_reference"
	itemTools        = "additional_tools"
)

// The types of content.
const (
	typeInputText  = "input_text"
	typeInputImage = "input_image"
	typeInputFile  = "input_file"
	typeOutputText = "output_text"
	typeRefusal    = "refusal"
	typeText       = "text"
	typeSummary    = "summary_text"
	typeReasoning  = "reasoning_text"
)

// The types of tools, and the prefix by which a free-form one is known in the words of llm.
const (
	typeFunction = "function"
	typeCustom   = "custom"
	customPrefix = "custom:"
	customInput  = "input"

	// A tool of a namespace is known by both names, with a prefix.
	typeNamespace   = "namespace"
	namespacePrefix = "namespace:"
	namespaceEnd    = ":"
)

const (
	emptyArgs     = "{}"
	emptySchema   = `{"type":"object","properties":{}}`
	fallbackName  = "response" // the required name of a schema that came without one
	fallbackTitle = "document.pdf"
)

// The members of include that this gateway has words for: openai.yaml, IncludeEnum.
const (
	includeSealed   = "reasoning.encrypted_content"
	includeLogProbs = "message.output_text.logprobs"
)

// lossList collects what could not be carried, each feature once.
type lossList []llm.Loss

func (l *lossList) add(f llm.Feature, action llm.Action, severity llm.Severity, detail string) {
	for _, have := range *l {
		if have.Feature == f {
			return
		}
	}
	*l = append(*l, llm.Loss{Feature: f, Action: action, Severity: severity, Detail: detail})
}

// mintID makes an id for what came without one: the same for the same place in the same answer.
func mintID(prefix, response string, n int) string {
	return prefix + forms.Digest(fmt.Sprintf("%s/%d", response, n), 24)
}

// is reports whether v is the string word, which needs no escapes.
func is(v jsontext.Value, word string) bool {
	return len(v) == len(word)+2 && v[0] == '"' && string(v[1:len(v)-1]) == word
}

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "id", "text", "type", "role", "name", "arguments", "call_id", "output", "format", "schema",
	"description", "parameters", "image_url", "file_id", "file_url", "file_data", "filename", "detail", "annotations")

// writeExtra writes the members that this dialect kept under prefix. Members of nested objects are kept under
// "object.member".
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[self] {
		key, ok := strings.CutPrefix(m.Key, prefix)
		if ok && !isNested(key) && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// isNested reports whether a member belongs to an object inside the one that is written.
func isNested(key string) bool {
	for _, p := range [...]string{"format.", "text.", "reasoning.", "summary.", "stream_options.", "tool_choice."} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// kept returns a member that this dialect kept, or nothing.
func kept(extra llm.Extra, key string) jsontext.Value {
	for _, m := range extra[self] {
		if m.Key == key {
			return m.Raw
		}
	}
	return nil
}

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(nil, [][2]string{
	{
		"", shown + " type sequence_number item_id output_index content_index summary_index annotation_index delta item part text refusal arguments " +
			"annotation response logprobs obfuscation code message param name input summary",
	},
	{"response", shown},
	{"output[]<message>", messageMembers},
	{"response.output[]<message>", messageMembers},
	{"item<message>", messageMembers},
	{"output[]<message>.content[]<output_text>", textMembers},
	{"response.output[]<message>.content[]<output_text>", textMembers},
	{"item<message>.content[]<output_text>", textMembers},
	{"part<output_text>", textMembers},
	{"output[]<message>.content[]<refusal>", "type refusal"},
	{"response.output[]<message>.content[]<refusal>", "type refusal"},
	{"item<message>.content[]<refusal>", "type refusal"},
	{"part<refusal>", "type refusal"},
	{"part<summary_text>", "type text"},
	{"part<reasoning_text>", "type text"},
	{"incomplete_details", "reason"},
	{"response.incomplete_details", "reason"},
	{"annotation<url_citation>", noteMembers},
	{"part<output_text>.annotations[]<url_citation>", noteMembers},
	{"output[]<message>.content[]<output_text>.annotations[]<url_citation>", noteMembers},
	{"item<message>.content[]<output_text>.annotations[]<url_citation>", noteMembers},
	{"response.output[]<message>.content[]<output_text>.annotations[]<url_citation>", noteMembers},
	{"logprobs[]", tokenMembers},
	{"logprobs[].top_logprobs[]", tokenMembers},
	{"part<output_text>.logprobs[]", tokenMembers},
	{"part<output_text>.logprobs[].top_logprobs[]", tokenMembers},
	{"output[]<message>.content[]<output_text>.logprobs[]", tokenMembers},
	{"output[]<message>.content[]<output_text>.logprobs[].top_logprobs[]", tokenMembers},
	{"item<message>.content[]<output_text>.logprobs[]", tokenMembers},
	{"item<message>.content[]<output_text>.logprobs[].top_logprobs[]", tokenMembers},
	{"response.output[]<message>.content[]<output_text>.logprobs[]", tokenMembers},
	{"response.output[]<message>.content[]<output_text>.logprobs[].top_logprobs[]", tokenMembers},
	{"output[]<reasoning>", thoughtMembers},
	{"response.output[]<reasoning>", thoughtMembers},
	{"item<reasoning>", thoughtMembers},
	{"output[]<reasoning>.summary[]", "type text"},
	{"response.output[]<reasoning>.summary[]", "type text"},
	{"item<reasoning>.summary[]", "type text"},
	{"output[]<reasoning>.content[]", "type text"},
	{"response.output[]<reasoning>.content[]", "type text"},
	{"item<reasoning>.content[]", "type text"},
	{"output[]<function_call>", callMembers},
	{"response.output[]<function_call>", callMembers},
	{"item<function_call>", callMembers},
}...)

// The members of the items and parts that an answer may have.
const (
	messageMembers = "id type status role content"
	textMembers    = "type text annotations logprobs"
	tokenMembers   = "token logprob bytes top_logprobs"
	noteMembers    = "type url_citation url title start_index end_index"
	thoughtMembers = "id type status summary content encrypted_content format"
	callMembers    = "id type status call_id name arguments namespace caller"
)

// shown are the members of a response.
const shown = "id object created_at completed_at status error incomplete_details model output usage background billing content_filters conversation " +
	"copilot_usage frequency_penalty input instructions max_output_tokens max_tool_calls metadata moderation output_text parallel_tool_calls presence_penalty " +
	"previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention provider reasoning safety_identifier service_tier store system_fingerprint tool_usage " +
	"temperature text tool_choice tools top_logprobs top_p truncation user"
