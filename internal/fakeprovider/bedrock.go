package fakeprovider

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
)

// bedrock speaks Amazon Bedrock's Converse and ConverseStream. The model and whether to stream are in the path.
type bedrock struct {
	path     string
	model    string
	isStream bool
}

// bedrockOf reads a path of Bedrock's runtime: /model/ID/OPERATION, with the ID as one segment, so that what is special
// in it is escaped. It is nil for other paths.
func bedrockOf(r *http.Request) vendor {
	parts := strings.Split(r.URL.EscapedPath(), "/")
	if len(parts) != 4 || parts[1] != "model" {
		return nil
	}
	model, err := url.PathUnescape(parts[2])
	if err != nil {
		return nil
	}
	v := bedrock{path: r.URL.Path, model: model}
	switch parts[3] {
	case "converse", "invoke", "count-tokens":
	case "converse-stream", "invoke-with-response-stream":
		v.isStream = true
	default:
		return nil
	}
	if strings.HasPrefix(parts[3], "invoke") {
		return invoke{bedrock: v}
	}
	if parts[3] == "count-tokens" {
		return bedrockCount{v}
	}
	return v
}

func (b bedrock) chatPath() string { return b.path }

// authorize takes the API keys of Bedrock, which are shown as bearer tokens, and signatures, which it does not verify.
func (bedrock) authorize(s *Server, r *http.Request) *Error {
	header := r.Header.Get("Authorization")
	key, bearer := strings.CutPrefix(header, "Bearer ")
	switch {
	case strings.HasPrefix(header, "AWS4-HMAC-SHA256 "):
	case header == "":
		return &Error{Status: http.StatusForbidden, Type: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"}
	case !bearer || s.opts.Key != "" && key != s.opts.Key:
		return &Error{Status: http.StatusForbidden, Type: "AccessDeniedException", Message: "Authentication failed: Please make sure your API Key is valid."}
	}
	return nil
}

func (bedrock) noRoute(_, _ string, _ bool) *Error {
	return &Error{Status: http.StatusNotFound, Type: "UnknownOperationException", Message: "The requested operation is not recognized by the service."}
}

func (bedrock) missingModel(string) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "ValidationException", Message: "The provided model identifier is invalid."}
}

func (bedrock) notJSON(error) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "SerializationException", Message: "STRING_VALUE can not be converted to a document."}
}

func (bedrock) header(h http.Header, number int64) {
	h.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012d", number))
}

// errorHeader names the kind of an error, which the body does not.
func (bedrock) errorHeader(h http.Header, e *Error) {
	h.Set("X-Amzn-Errortype", e.Type+":http://internal.amazon.com/coral/com.amazon.bedrock/")
}

func (bedrock) errorBody(e *Error, _ int64) []byte {
	return fmt.Appendf(nil, `{"message":%s}`, quote(e.Message))
}

func (b bedrock) errorFrame(e *Error, number int64) frame {
	return frame{name: strings.ToLower(e.Type[:1]) + e.Type[1:], data: string(b.errorBody(e, number)), kind: frameError, form: formException}
}

// says is an error in the vendor's words: its exceptions for the kinds that another vendor has.
func (bedrock) says(e vendorError) wire {
	message := e.anthropic.message
	kind, ok := map[string]string{
		invalidRequest: "ValidationException", "authentication_error": "UnrecognizedClientException", "permission_error": "AccessDeniedException",
		"not_found_error": "ResourceNotFoundException", "billing_error": "ServiceQuotaExceededException", "rate_limit_error": "ThrottlingException",
		"request_too_large": "RequestEntityTooLargeException", "timeout_error": "ModelTimeoutException", "overloaded_error": "ServiceUnavailableException",
		"conflict_error": "ConflictException",
	}[e.anthropic.kind]
	if !ok {
		kind = "InternalServerException"
	}
	switch e.name {
	case "context-400":
		message = "Input is too long for requested model."
	case "quota-429":
		message = "Too many tokens per day, please wait before trying again."
	}
	return wire{kind, "", message}
}

// models is the control plane's list.
func (b bedrock) models(names []string, id string) (string, *Error) {
	one := func(name string) string {
		return fmt.Sprintf(`{"modelArn":%s,"modelId":%s,"modelName":%s,"providerName":"Fake","responseStreamingSupported":true}`,
			quote("arn:aws:bedrock:us-east-1::foundation-model/"+name), quote(name), quote(name))
	}
	var all []string
	for _, n := range names {
		if n == id {
			return `{"modelDetails":` + one(n) + `}`, nil
		}
		all = append(all, one(n))
	}
	if id != "" {
		return "", b.missingModel(id)
	}
	return `{"modelSummaries":[` + strings.Join(all, ",") + `]}`, nil
}

// finish is the stop reason of a reply.
func (bedrock) finish(r *Reply) string {
	switch {
	case r.Stop != "":
		return r.Stop
	case r.Refusal != "":
		return "content_filtered"
	case r.StopText != "":
		return "stop_sequence"
	case len(r.ToolCalls) > 0:
		return "tool_use"
	}
	return "end_turn"
}

func (bedrock) usage(a Ask, u Usage) string {
	tier := ""
	if at := a.served(""); at != "" {
		tier = `,"serviceTier":{"type":` + quote(at) + "}"
	}
	return fmt.Sprintf(`"usage":{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d,"cacheReadInputTokens":%d,"cacheReadInputTokenCount":%d,`+
		`"cacheWriteInputTokens":%d,"cacheWriteInputTokenCount":%d}`,
		u.Input, u.Output, u.Input+u.CacheRead+u.CacheWrite+u.Output, u.CacheRead, u.CacheRead, u.CacheWrite, u.CacheWrite) + tier
}

// content writes the blocks of a reply. Only calls have a start.
func (bedrock) content(r *Reply, number int64) []block {
	var out []block
	if r.Thinking != "" {
		sig := quote(or(r.Signature, sign(r.Thinking)))
		b := block{kind: frameThinking, whole: `{"reasoningContent":{"reasoningText":{"text":` + quote(r.Thinking) + `,"signature":` + sig + `}}}`}
		for _, w := range words(r.Thinking) {
			b.deltas = append(b.deltas, `{"reasoningContent":{"text":`+quote(w)+`}}`)
		}
		b.deltas = append(b.deltas, `{"reasoningContent":{"signature":`+sig+`}}`)
		out = append(out, b)
	}
	if r.Redacted != "" {
		data := quote(base64.StdEncoding.EncodeToString([]byte(r.Redacted)))
		out = append(out, block{
			kind: frameThinking, whole: `{"reasoningContent":{"redactedContent":` + data + `}}`,
			deltas: []string{`{"reasoningContent":{"redactedContent":` + data + `}}`},
		})
	}
	said := r.Parts
	if r.Refusal != "" {
		said = words(r.Refusal)
	}
	if len(said) > 0 {
		b := block{kind: frameText, whole: `{"text":` + quote(strings.Join(said, "")) + `}`}
		for _, w := range said {
			b.deltas = append(b.deltas, `{"text":`+quote(w)+`}`)
		}
		var cites []string
		for _, c := range r.Citations {
			cites = append(cites, fmt.Sprintf(`{"title":%s,"sourceContent":[{"text":%s}],"location":{"web":{"url":%s}}}`, quote(c.Title), quote(c.Quote), quote(c.URL)))
			b.deltas = append(b.deltas, `{"citation":`+cites[len(cites)-1]+`}`)
		}
		if len(cites) > 0 {
			b.whole = fmt.Sprintf(`{"citationsContent":{"content":[%s],"citations":[%s]}}`, b.whole, strings.Join(cites, ","))
		}
		out = append(out, b)
	}
	for i, c := range r.ToolCalls {
		head := fmt.Sprintf(`{"toolUse":{"toolUseId":%s,"name":%s`, quote(or(c.ID, fmt.Sprintf("tooluse_%018d%04d", number, i))), quote(c.Name))
		b := block{kind: frameTool, start: head + "}}", whole: head + `,"input":` + or(c.Arguments, "{}") + "}}"}
		for _, f := range fragments(or(c.Arguments, "{}")) {
			b.deltas = append(b.deltas, `{"toolUse":{"input":`+quote(f)+`}}`)
		}
		out = append(out, b)
	}
	return out
}

func (b bedrock) unary(a Ask, r *Reply, number int64) []byte {
	var whole []string
	for _, block := range b.content(r, number) {
		whole = append(whole, block.whole)
	}
	return fmt.Appendf(nil, `{"metrics":{"latencyMs":12},"output":{"message":{"content":[%s],"role":"assistant"}},"stopReason":%s,%s}`,
		strings.Join(whole, ","), quote(b.finish(r)), b.usage(a, r.usage(a)))
}

// nothing is an answer without content and without a reason.
func (b bedrock) nothing(content string) []byte {
	return fmt.Appendf(nil, `{"output":{"message":{"content":%s,"role":"assistant"}},%s}`, content, b.usage(Ask{}, Usage{Input: 9}))
}

// stream writes a whole streamed answer. Every event is padded.
func (b bedrock) stream(a Ask, r *Reply, number int64) []frame {
	var fs []frame
	add := func(kind frameKind, name, members string) {
		fs = append(fs, frame{name: name, kind: kind, data: `{` + members + `,"p":"abcdefgh"}`, form: formEvent})
	}
	add(frameStart, "messageStart", `"role":"assistant"`)
	for i, block := range b.content(r, number) {
		at := fmt.Sprintf(`"contentBlockIndex":%d`, i)
		if block.start != "" {
			add(frameOpen, "contentBlockStart", at+`,"start":`+block.start)
		}
		for _, d := range block.deltas {
			add(block.kind, "contentBlockDelta", at+`,"delta":`+d)
		}
		add(frameShut, "contentBlockStop", at)
	}
	add(frameFinish, "messageStop", `"stopReason":`+quote(b.finish(r)))
	add(frameUsage, "metadata", `"metrics":{"latencyMs":12},`+b.usage(a, r.usage(a)))
	return fs
}

// invoke is InvokeModel and InvokeModelWithResponseStream for Claude: Anthropic's bodies, without the model, and as a
// stream Anthropic's events, each in a chunk.
type invoke struct {
	bedrock
}

func (v invoke) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	bad := func(format string, args ...any) *Error {
		return &Error{Status: http.StatusBadRequest, Type: "ValidationException", Message: fmt.Sprintf(format, args...)}
	}
	if str(body, "anthropic_version") != "bedrock-2023-05-31" {
		return Ask{}, bad("anthropic_version: Field required")
	}
	for _, key := range []string{"model", "stream", "thread"} {
		if _, ok := body[key]; ok {
			return Ask{}, bad("%s: Extra inputs are not permitted", key)
		}
	}
	if _, isList := body["anthropic_beta"].([]any); has(body, "anthropic_beta") && !isList {
		return Ask{}, bad("anthropic_beta: Input should be a valid list")
	}
	delete(body, "anthropic_version")
	delete(body, "anthropic_beta")
	body["model"], body["stream"] = v.model, v.isStream
	ask, e := anthropic{}.read(s, http.Header{}, body)
	if e != nil {
		e.Type = "ValidationException"
	}
	return ask, e
}

func (invoke) unary(a Ask, r *Reply, number int64) []byte { return anthropic{}.unary(a, r, number) }

// stream puts each event of Anthropic's into a chunk; the last one has the counts of the call, too.
func (invoke) stream(a Ask, r *Reply, number int64) []frame {
	fs := anthropic{}.stream(a, r, number)
	for i := range fs {
		fs[i].form = formChunk
		if fs[i].kind == frameDone {
			u := r.usage(a)
			fs[i].data = strings.TrimSuffix(fs[i].data, "}") + fmt.Sprintf(
				`,"amazon-bedrock-invocationMetrics":{"inputTokenCount":%d,"outputTokenCount":%d,"invocationLatency":12,"firstByteLatency":3}}`, u.Input, u.Output)
		}
	}
	return fs
}

// form is how a frame is written.
type form int

const (
	formSSE       form = iota
	formEvent          // a message of AWS's event stream
	formException      // likewise, that says something went wrong
	formChunk          // likewise, with the event in base64
	formBare           // as its data stands
	formLine           // a line of JSON
)

// message writes a message of AWS's event stream.
func (f frame) message() []byte {
	kind, header, name, payload := "event", ":event-type", f.name, []byte(f.data)
	switch f.form {
	case formException:
		kind, header = "exception", ":exception-type"
	case formChunk:
		name = "chunk"
		payload = fmt.Appendf(nil, `{"bytes":"%s","p":"abcd"}`, base64.StdEncoding.EncodeToString(payload))
	case formSSE, formEvent, formBare, formLine:
	}
	var headers []byte
	for _, h := range [][2]string{{header, name}, {":content-type", "application/json"}, {":message-type", kind}} {
		headers = append(append(append(headers, byte(len(h[0]))), h[0]...), 7, byte(len(h[1])>>8), byte(len(h[1])))
		headers = append(headers, h[1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload))) //nolint:gosec // small
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))                    //nolint:gosec // small
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}
