package gemini

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// self is the dialect's name where llm keeps who signed or wrote something.
const self = string(dialect.GeminiGenerate)

// The roles of a content.
const (
	roleUser     = "user"
	roleModel    = "model"
	roleFunction = "function" // of results, in older clients
)

// keyHeader is what the vendor's clients show their key in.
const keyHeader = "X-Goog-Api-Key"

// New returns the dialect.
func New() *dialect.Dialect {
	return &dialect.Dialect{
		Name:        dialect.GeminiGenerate,
		Endpoints:   endpoints(),
		ErrorHeader: keyHeader,
		KeyQuery:    "key",
		NoComments:  true, // https://github.com/googleapis/python-genai: what is not data is JSON to it
		// Which of Vertex AI's capacities a request may use.
		RelayHeaders: []string{"X-Vertex-Ai-Llm-Request-Type", "X-Vertex-Ai-Llm-Shared-Request-Type"},
		MessagePath:  "contents[]",
		PartPath:     "contents[].parts[]",
		Client:       clientSide{},
		Provider:     providerSide{},
		Beside:       answers.Unread,
		Kept:         map[string]string{"safetyRatings": "candidates[].safetyRatings"},
		Relay:        relay{},
		Models:       modelLister{},
		Fields:       fields(),
		Carries:      carries(),
	}
}

// geminiModels are the paths of models at the Gemini API.
func geminiModels() []string { return []string{"/v1beta/models/{model}", "/v1/models/{model}"} }

// vertexModels are those of Vertex AI, and of its express mode, whose paths name no project.
func vertexModels() []string {
	const publisher = "publishers/google/models/{model}"
	return []string{
		"/v1/" + publisher, "/v1beta1/" + publisher,
		"/v1/projects/{project}/locations/{location}/" + publisher,
		"/v1beta1/projects/{project}/locations/{location}/" + publisher,
	}
}

// endpoints are those of the Gemini API and of Vertex AI.
func endpoints() []dialect.Endpoint {
	var list []dialect.Endpoint
	for _, model := range append(geminiModels(), vertexModels()...) {
		stream := dialect.Endpoint{Method: "POST", Path: model + ":streamGenerateContent", Operation: dialect.Generate, Stream: true}
		events := stream
		stream.Framing, events.Query = dialect.FramingArray, "alt=sse"
		list = append(list, dialect.Endpoint{Method: "POST", Path: model + ":generateContent", Operation: dialect.Generate}, stream, events)
	}
	return append(list,
		dialect.Endpoint{Method: "GET", Path: "/v1beta/models", Operation: dialect.ListModels},
		dialect.Endpoint{Method: "GET", Path: "/v1beta/models/{model}", Operation: dialect.GetModel},
		dialect.Endpoint{Method: "GET", Path: "/v1/models", Operation: dialect.ListModels, Header: keyHeader},
		dialect.Endpoint{Method: "GET", Path: "/v1/models/{model}", Operation: dialect.GetModel, Header: keyHeader},
	)
}

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

// truncated is the error for an answer that ended before it was whole.
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

// clone copies bytes that alias a frame.
func clone(v []byte) []byte { return append([]byte(nil), v...) }

// writeExtra restores the members kept under names that begin with prefix and have no further dot.
func writeExtra(w *jsontext.Writer, extra llm.Extra, prefix string) {
	for _, m := range extra[self] {
		key, ok := strings.CutPrefix(m.Key, prefix)
		if ok && !strings.Contains(key, ".") && !memberNames.IsVariant(key) {
			w.RawField(key, m.Raw)
		}
	}
}

// hasExtra reports whether members whose names begin with prefix were kept.
func hasExtra(extra llm.Extra, prefix string) bool {
	for _, m := range extra[self] {
		if strings.HasPrefix(m.Key, prefix) {
			return true
		}
	}
	return false
}

// memberNames is never changed.
var memberNames = dialect.NamesOf(fields(), "id", "text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall",
	"functionResponse", "mimeType", "data", "fileUri", "name", "args", "response", "description", "parameters", "parametersJsonSchema", "mode")

// answers is what is read of an answer, or of a frame of one, and what of it says nothing to a client of another API:
// ids, times, counts and echoes of the request.
var answers = forms.NewOutline(camel, [][2]string{
	{"", "candidates promptFeedback usageMetadata modelVersion responseId createTime response error turnToken"},
	{"promptFeedback", "blockReason blockReasonMessage"},
	{"candidates[]", "content index finishReason finishMessage safetyRatings logprobsResult avgLogprobs tokenCount groundingMetadata citationMetadata"},
	{"candidates[].content", "parts role"},
	{
		"candidates[].content.parts[]", "text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode codeExecutionResult " +
			"toolCall toolResponse",
	},
	{"candidates[].content.parts[].functionCall", "id name args"},
	{"candidates[].content.parts[].inlineData", "mimeType data"},
	{"candidates[].content.parts[].fileData", "mimeType fileUri"},
	{"candidates[].groundingMetadata", "groundingChunks groundingSupports"},
	{"candidates[].groundingMetadata.groundingChunks[]", "web retrievedContext maps"},
	{"candidates[].groundingMetadata.groundingChunks[].web", "uri title domain"},
	{"candidates[].groundingMetadata.groundingSupports[]", "segment groundingChunkIndices confidenceScores"},
	{"candidates[].groundingMetadata.groundingSupports[].segment", "partIndex startIndex endIndex text"},
	{"candidates[].logprobsResult", "topCandidates chosenCandidates logProbabilitySum"},
	{"candidates[].logprobsResult.topCandidates[]", "candidates"},
	{"candidates[].logprobsResult.topCandidates[].candidates[]", "token tokenId logProbability"},
	{"candidates[].logprobsResult.chosenCandidates[]", "token tokenId logProbability"},
}...)
