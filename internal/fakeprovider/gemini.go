package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// gemini speaks Google's generateContent and streamGenerateContent, as the Gemini API serves them. The model and
// whether to stream are in the path, and how a stream is framed is in the query.
type gemini struct {
	path, model     string
	isStream, isSSE bool
}

// geminiOf reads a path of the Gemini API or of Vertex AI. It is nil for other paths.
func geminiOf(r *http.Request) vendor {
	path := r.URL.Path
	_, operation, ok := strings.Cut(path, "/models/")
	if path == "/v1beta/models" || strings.HasPrefix(path, "/v1beta/models/") && !strings.Contains(operation, ":") {
		return gemini{}
	}
	model, verb, _ := strings.Cut(operation, ":")
	if !ok || verb != "generateContent" && verb != "streamGenerateContent" {
		return nil
	}
	return gemini{path: path, model: model, isStream: verb != "generateContent", isSSE: r.URL.Query().Get("alt") == "sse"}
}

func (g gemini) chatPath() string { return g.path }

func (gemini) authorize(s *Server, r *http.Request) *Error {
	key := r.Header.Get("X-Goog-Api-Key")
	if key == "" {
		key = or(r.URL.Query().Get("key"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}
	switch {
	case key == "":
		return &Error{
			Status: http.StatusForbidden, Type: "PERMISSION_DENIED",
			Message: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
		}
	case s.opts.Key != "" && key != s.opts.Key:
		return &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Code: badKeyReason, Message: "API key not valid. Please pass a valid API key."}
	}
	return nil
}

// badKeyReason and perDay are what the details of an error say.
const (
	badKeyReason = "API_KEY_INVALID"
	perDay       = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
)

func (gemini) noRoute(_, _ string, _ bool) *Error {
	return &Error{Status: http.StatusNotFound, Type: "NOT_FOUND", Message: "Requested entity was not found."}
}

func (gemini) missingModel(model string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: "NOT_FOUND",
		Message: "models/" + model + " is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
	}
}

func (gemini) notJSON(err error) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Message: "Invalid JSON payload received. " + err.Error()}
}

func (gemini) header(h http.Header, _ int64) { h.Set("Server-Timing", "gfet4t7; dur=10") }

// errorBody writes google.rpc.Status. A reason, or a spent quota, stands in the details.
func (gemini) errorBody(e *Error, _ int64) []byte {
	details := ""
	switch e.Code {
	case "":
	case perDay:
		details = `,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":` +
			quote(e.Code) + `}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]`
	default:
		details = `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":` + quote(e.Code) + `,"domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}]`
	}
	return fmt.Appendf(nil, `{"error":{"code":%d,"message":%s,"status":%s%s}}`, e.Status, quote(e.Message), quote(e.Type), details)
}

// errorFrame is an error in a stream. An array has begun by then.
func (g gemini) errorFrame(e *Error, number int64) frame {
	f := frame{data: string(g.errorBody(e, number)), kind: frameError}
	if !g.isSSE {
		f.form, f.data = formBare, ",\r\n"+f.data+"]"
	}
	return f
}

// says is an error in the vendor's words.
func (g gemini) says(e vendorError) wire {
	status := map[int]string{
		401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
		500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 0: "INTERNAL",
	}[g.status(e)]
	code, message := "", "Invalid value."
	switch e.name {
	case "auth-401":
		code, message = badKeyReason, "API key not valid. Please pass a valid API key."
	case "context-400":
		message = "The input token count (2000001) exceeds the maximum number of tokens allowed (1048576)."
	case "quota-429", "quota":
		status, code, message = "RESOURCE_EXHAUSTED", perDay, "You exceeded your current quota, please check your plan and billing details."
	case "spend-limit-400", "credit-400", "billing-402":
		message = "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing."
	case "permission-403":
		message = "Permission denied on resource project."
	case "overloaded":
		status, message = "UNAVAILABLE", "The model is overloaded. Please try again later."
	case "rate":
		status = "RESOURCE_EXHAUSTED"
	}
	return wire{or(status, "INVALID_ARGUMENT"), code, message}
}

// status is the status by which the vendor says an error.
func (gemini) status(e vendorError) int {
	switch e.name {
	case "auth-401":
		return http.StatusBadRequest
	case "spend-limit-400", "credit-400", "billing-402":
		return http.StatusTooManyRequests
	case "overloaded-529":
		return http.StatusServiceUnavailable
	case "overloaded":
		return http.StatusServiceUnavailable
	case "rate", "quota":
		return http.StatusTooManyRequests
	case "api":
		return http.StatusInternalServerError
	}
	return e.status
}

func (g gemini) models(names []string, id string) (string, *Error) {
	one := func(name string) string {
		return fmt.Sprintf(`{"name":%s,"version":"001","displayName":%s,"inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]}`,
			quote("models/"+name), quote(name))
	}
	var all []string
	for _, n := range names {
		if n == id {
			return one(n), nil
		}
		all = append(all, one(n))
	}
	if id != "" {
		return "", g.missingModel(id)
	}
	return `{"models":[` + strings.Join(all, ",") + `]}`, nil
}

// finish returns the finish reason of a reply: calls and stop sequences have none of their own.
func (gemini) finish(r *Reply) string { return or(r.Stop, "STOP") }

func (gemini) usage(a Ask, u Usage) string {
	in := u.Input + u.CacheRead + u.CacheWrite
	cached := ""
	if u.CacheRead > 0 {
		cached = fmt.Sprintf(`,"cachedContentTokenCount":%d`, u.CacheRead)
	}
	if tier := a.served(""); tier != "" {
		cached += `,"serviceTier":` + quote(tier)
	}
	return fmt.Sprintf(`"usageMetadata":{"promptTokenCount":%d%s,"candidatesTokenCount":%d,"thoughtsTokenCount":%d,"totalTokenCount":%d}`,
		in, cached, u.Output-u.Reasoning, u.Reasoning, in+u.Output)
}

// signatureMark begins what is signed, so that a signature of the vendor's own is known again.
const signatureMark = "signed by the simulated vendor: "

func geminiSignature(number int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s%d", signatureMark, number))
}

// part is a part of an answer.
type part struct {
	json string
	kind frameKind
}

// parts are the parts of an answer; a stream has one in each chunk. The first call is signed, or else an empty text.
func (gemini) parts(r *Reply, number int64) []part {
	var list []part
	for _, w := range words(r.Thinking) {
		list = append(list, part{`{"text":` + quote(w) + `,"thought":true}`, frameThinking})
	}
	for _, w := range r.Parts {
		list = append(list, part{`{"text":` + quote(w) + `}`, frameText})
	}
	signature := `,"thoughtSignature":` + quote(geminiSignature(number))
	for i, c := range r.ToolCalls {
		json := fmt.Sprintf(`{"functionCall":{"name":%s,"args":%s}`, quote(c.Name), or(c.Arguments, "{}"))
		if c.ID != "" {
			json = fmt.Sprintf(`{"functionCall":{"name":%s,"args":%s,"id":%s}`, quote(c.Name), or(c.Arguments, "{}"), quote(c.ID))
		}
		if i == 0 {
			json += signature
		}
		list = append(list, part{json + "}", frameTool})
	}
	if r.Redacted != "" {
		list = append(list, part{`{"text":""` + signature + `}`, frameThinking})
	}
	return list
}

// metadata is what an answer says of its sources and tokens.
func (gemini) metadata(a Ask, r *Reply) string {
	said, more := strings.Join(r.Parts, ""), ""
	for _, c := range r.Citations {
		more += fmt.Sprintf(`,"groundingMetadata":{"groundingChunks":[{"web":{"uri":%s,"title":%s}}],"groundingSupports":[{"segment":{"endIndex":%d,"text":%s},"groundingChunkIndices":[0]}]}`,
			quote(c.URL), quote(c.Title), len(said), quote(said))
	}
	if a.Logprobs && said != "" {
		token := `{"token":` + quote(said) + `,"tokenId":7,"logProbability":-0.25}`
		more += `,"logprobsResult":{"topCandidates":[{"candidates":[` + token + `]}],"chosenCandidates":[` + token + `]}`
	}
	return more
}

// rest ends an answer or a chunk of it.
func (gemini) rest(a Ask, number int64) string {
	return fmt.Sprintf(`"modelVersion":%s,"responseId":"resp%d"}`, quote(a.Model), number)
}

// blocked is the answer to a prompt that is refused: it has no candidates.
func (g gemini) blocked(a Ask, r *Reply, number int64) string {
	return `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},` + g.usage(a, Usage{Input: r.usage(a).Input}) + "," + g.rest(a, number)
}

func (g gemini) unary(a Ask, r *Reply, number int64) []byte {
	if r.Refusal != "" {
		return []byte(g.blocked(a, r, number))
	}
	var candidates []string
	for i := range max(a.N, 1) {
		var list []string
		whole := *r
		if len(r.Parts) > 0 {
			whole.Parts = []string{strings.Join(r.Parts, "")}
		}
		for _, p := range g.parts(&whole, number) {
			list = append(list, p.json)
		}
		candidates = append(candidates, fmt.Sprintf(`{"content":{"parts":[%s],"role":"model"},"finishReason":%s,"index":%d%s}`,
			strings.Join(list, ","), quote(g.finish(r)), i, g.metadata(a, r)))
	}
	return []byte(`{"candidates":[` + strings.Join(candidates, ",") + `],` + g.usage(a, r.usage(a)) + "," + g.rest(a, number))
}

// nothing is an answer without content and without a reason.
func (g gemini) nothing(a Ask, number int64, candidates string) []byte {
	return []byte(`{"candidates":` + candidates + `,` + g.usage(a, Usage{Input: 9}) + "," + g.rest(a, number))
}

// stream writes a whole streamed answer: each chunk is an answer that holds only what is new.
func (g gemini) stream(a Ask, r *Reply, number int64) []frame {
	var fs []frame
	add := func(kind frameKind, data string) { fs = append(fs, frame{kind: kind, data: data}) }
	if r.Refusal != "" {
		add(frameFinish, g.blocked(a, r, number))
		return g.framed(fs)
	}
	in := r.usage(a)
	add(frameStart, `{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}],`+g.usage(a, Usage{Input: in.Input, CacheRead: in.CacheRead, CacheWrite: in.CacheWrite})+`,`+g.rest(a, number))
	for _, p := range g.parts(r, number) {
		var candidates []string
		for i := range max(a.N, 1) {
			candidates = append(candidates, fmt.Sprintf(`{"content":{"parts":[%s],"role":"model"},"index":%d}`, p.json, i))
		}
		add(p.kind, `{"candidates":[`+strings.Join(candidates, ",")+`],`+g.rest(a, number))
	}
	var candidates []string
	for i := range max(a.N, 1) {
		candidates = append(candidates, fmt.Sprintf(`{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":%s,"index":%d%s}`, quote(g.finish(r)), i, g.metadata(a, r)))
	}
	add(frameFinish, `{"candidates":[`+strings.Join(candidates, ",")+`],`+g.usage(a, in)+`,`+g.rest(a, number))
	return g.framed(fs)
}

// framed makes chunks the elements of one array, where no event stream was asked for.
func (g gemini) framed(fs []frame) []frame {
	if g.isSSE || !g.isStream {
		return fs
	}
	for i := range fs {
		before := ",\r\n"
		if i == 0 {
			before = "["
		}
		fs[i].form, fs[i].data = formBare, before+fs[i].data
	}
	fs[len(fs)-1].data += "]"
	return fs
}
