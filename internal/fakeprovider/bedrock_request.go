package fakeprovider

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var bedrockFields = []string{
	"additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig", "messages", "outputConfig",
	"performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "system", "toolConfig",
}

var (
	bedrockID       = regexp.MustCompile(`^[a-zA-Z0-9_.:-]+$`)
	bedrockDocument = regexp.MustCompile(`^[a-zA-Z0-9()\[\]-]+( [a-zA-Z0-9()\[\]-]+)*$`)
	documentFormats = []string{"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}
)

// bedrockReader validates a Converse request and reads what the model is asked.
type bedrockReader struct {
	*check
	s      *Server
	body   object
	ask    Ask
	tooled bool            // the history has tool blocks
	named  map[string]bool // documents
}

func (b bedrock) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	r := &bedrockReader{
		check: &check{lax: s.opts.Lax}, s: s, body: body, named: map[string]bool{},
		ask: Ask{Dialect: Converse, ToolChoice: "auto", Parallel: true, N: 1, Usage: true, Stream: b.isStream, Tokens: len(compact(body))/4 + 1},
	}
	r.ask.Model, r.ask.markers = splitModel(b.model)
	if key := unknown(body, bedrockFields...); key != "" && !r.lax {
		r.bad("The model returned the following errors: %s: Extra inputs are not permitted", key)
	}
	r.system()
	r.tools()
	r.turns()
	r.sampling()
	r.additional()
	r.output()
	r.account()
	if r.tooled && len(r.ask.Tools) == 0 {
		r.bad("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
	}
	return r.ask, r.err
}

// bad complains in the vendor's form.
func (r *bedrockReader) bad(format string, args ...any) {
	if r.err == nil {
		r.fail("", "", format, args...)
		r.err.Type = "ValidationException"
	}
}

// member returns the one member of a union.
func (r *bedrockReader) member(at string, v any) (key string, m any) {
	o, _ := v.(object)
	if len(o) != 1 {
		r.bad("%s: a union must have exactly one member", at)
		return "", nil
	}
	for key, m = range o {
		break
	}
	return key, m
}

func (r *bedrockReader) system() {
	for i, v := range list(r.body, "system") {
		switch key, m := r.member("system", v); key {
		case "text":
			s, _ := m.(string)
			r.said(fmt.Sprintf("system.%d", i), s)
			r.ask.System = strings.TrimPrefix(r.ask.System+"\n"+s, "\n")
		case "cachePoint":
			r.cachePoint(m)
		default:
			r.bad("system.%d: %s is not supported", i, key)
		}
	}
}

// said refuses blank text.
func (r *bedrockReader) said(at, s string) {
	if strings.TrimSpace(s) == "" {
		r.bad("The text field in the ContentBlock object at %s is blank. Add text to the text field, and try again.", at)
	}
}

func (r *bedrockReader) cachePoint(m any) {
	o, _ := m.(object)
	if str(o, "type") != "default" || has(o, "ttl") && str(o, "ttl") != "5m" && str(o, "ttl") != "1h" {
		r.bad("cachePoint is not valid")
	}
}

func (r *bedrockReader) tools() {
	config := obj(r.body, "toolConfig")
	if config == nil {
		return
	}
	if key := unknown(config, "tools", "toolChoice"); key != "" {
		r.bad("toolConfig.%s is not known", key)
	}
	if len(list(config, "tools")) == 0 {
		r.bad("toolConfig.tools must have at least 1 item")
	}
	for i, v := range list(config, "tools") {
		key, m := r.member("toolConfig.tools", v)
		spec, _ := m.(object)
		at := fmt.Sprintf("toolConfig.tools.%d.member.toolSpec", i)
		switch key {
		case "cachePoint":
			r.cachePoint(m)
			continue
		case "toolSpec":
		default:
			r.bad("toolConfig.tools.%d: %s is not supported by the model", i, key)
			continue
		}
		schema := obj(obj(spec, "inputSchema"), "json")
		switch description, present := spec["description"]; {
		case !isName(str(spec, "name"), 64):
			r.bad("Value at '%s.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+", at)
		case present && description == "":
			r.bad("Value at '%s.description' failed to satisfy constraint: Member must have length greater than or equal to 1", at)
		case str(schema, "type") != "object":
			r.bad("The value at %s.inputSchema.json.type must be one of the following: object.", at)
		case unknown(spec, "name", "description", "inputSchema", "strict") != "":
			r.bad("%s has a member that is not known", at)
		}
		r.ask.Tools = append(r.ask.Tools, Tool{Name: str(spec, "name"), Schema: schema})
	}
	if !has(config, "toolChoice") {
		return
	}
	switch key, m := r.member("toolConfig.toolChoice", config["toolChoice"]); key {
	case "auto":
	case "any":
		r.ask.ToolChoice = "any"
	case "tool":
		o, _ := m.(object)
		r.ask.ToolChoice = ":" + str(o, "name")
		if !slices.ContainsFunc(r.ask.Tools, func(t Tool) bool { return t.Name == str(o, "name") }) {
			r.bad("The tool choice names a tool that is not defined")
		}
	default:
		r.bad("toolConfig.toolChoice: %s is not known", key)
	}
}

func (r *bedrockReader) turns() {
	msgs := list(r.body, "messages")
	if len(msgs) == 0 {
		r.bad("messages must have at least 1 item")
	}
	before := ""
	var open []string
	for i, v := range msgs {
		m, _ := v.(object)
		role := str(m, "role")
		switch {
		case role != "user" && role != "assistant":
			r.bad("messages.%d.role must be one of the following: user, assistant", i)
		case i == 0 && role != "user":
			r.bad("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
		case role == before:
			r.bad("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.")
		}
		before = role
		if role == "user" {
			r.ask.Text, r.ask.Media, r.ask.Results = "", nil, nil
		}
		calls, results := r.blocks(i, role, list(m, "content"))
		for _, id := range results {
			at := slices.Index(open, id)
			if at < 0 {
				r.bad("The number of toolResult blocks at messages.%d.content exceeds the number of toolUse blocks of previous turn.", i)
				continue
			}
			open = slices.Delete(slices.Clone(open), at, at+1)
		}
		if len(open) > 0 {
			r.bad("Expected toolResult blocks at messages.%d.content for the following Ids: %s", i, strings.Join(open, ", "))
		}
		open = calls
	}
	if len(open) > 0 {
		r.bad("Expected toolResult blocks at messages.%d.content for the following Ids: %s", len(msgs), strings.Join(open, ", "))
	}
	_, claude, _ := strings.Cut(r.ask.Model, ".anthropic.")
	if before == "assistant" && !r.lax && noPrefill.MatchString(claude) {
		r.bad("The model returned the following errors: This model does not support assistant message prefill. The conversation must end with a user message.")
	}
}

// blocks checks the content of a turn, and returns the ids of its calls and of its results.
func (r *bedrockReader) blocks(i int, role string, content []any) (calls, results []string) {
	if len(content) == 0 {
		r.bad("The content field in the Message object at messages.%d is empty. Add a ContentBlock object to the content field and try again.", i)
	}
	document, said := false, false
	for j, v := range content {
		at := fmt.Sprintf("messages.%d.content.%d", i, j)
		key, m := r.member(at, v)
		o, _ := m.(object)
		switch {
		case key == "text":
			s, _ := m.(string)
			r.said(at, s)
			said = true
			if role == "user" {
				r.ask.Text = strings.TrimPrefix(r.ask.Text+"\n"+s, "\n")
			}
		case key == "cachePoint":
			r.cachePoint(m)
		case key == "image" && role == "user":
			r.image(at, o)
		case key == "audio" && role == "user":
			r.audio(at, o)
		case key == "document" && role == "user":
			document = true
			r.document(at, o)
		case key == "toolUse" && role == "assistant":
			r.tooled = true
			calls = append(calls, r.call(at, o, calls))
		case key == "toolResult" && role == "user":
			r.tooled = true
			results = append(results, str(o, "toolUseId"))
			r.result(at, o)
		case key == "reasoningContent" && role == "assistant":
			r.reasoning(at, o)
		case key == "citationsContent" && role == "assistant":
		default:
			r.bad("%s: %s is not supported in a message of role %s", at, key, role)
		}
	}
	if document && !said {
		r.bad("A document block must come with a text block in the same message.")
	}
	if len(results) > 0 {
		r.ask.Rounds++
	}
	return calls, results
}

func (r *bedrockReader) call(at string, o object, others []string) string {
	id := str(o, "toolUseId")
	switch _, isObject := o["input"].(object); {
	case len(id) > 64 || !bedrockID.MatchString(id):
		r.bad("Value at '%s.toolUse.toolUseId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+", at)
	case slices.Contains(others, id):
		r.bad("The toolUse blocks at %s contain duplicate Ids: %s", at, id)
	case !isName(str(o, "name"), 64):
		r.bad("Value at '%s.toolUse.name' failed to satisfy constraint", at)
	case !isObject:
		r.bad("The format of the value at %s.toolUse.input is invalid. Provide a json object for the field and try again.", at)
	}
	return id
}

func (r *bedrockReader) result(at string, o object) {
	if key := unknown(o, "toolUseId", "content", "status"); key != "" || has(o, "status") && str(o, "status") != "error" && str(o, "status") != "success" {
		r.bad("%s.toolResult is not valid", at)
	}
	content := list(o, "content")
	if len(content) == 0 {
		r.bad("%s.toolResult.content must have at least 1 item", at)
	}
	var said []string
	for j, v := range content {
		inner := fmt.Sprintf("%s.toolResult.content.%d", at, j)
		key, m := r.member(inner, v)
		in, _ := m.(object)
		switch key {
		case "text":
			s, _ := m.(string)
			r.said(inner, s)
			said = append(said, s)
		case "json":
			said = append(said, compact(m))
		case "image":
			r.image(inner, in)
		case "document":
			r.document(inner, in)
		default:
			r.bad("%s: %s is not supported", inner, key)
		}
	}
	r.ask.Results = append(r.ask.Results, strings.Join(said, "\n"))
}

// source returns the bytes of a file.
func (r *bedrockReader) source(at string, o object) []byte {
	key, m := r.member(at+".source", o["source"])
	s, _ := m.(string)
	switch key {
	case "bytes":
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(b) == 0 {
			r.bad("%s.source.bytes is not base64", at)
		}
		return b
	case "text":
		r.said(at, s)
		return []byte(s)
	}
	r.bad("%s.source: %s is not supported", at, key)
	return nil
}

func (r *bedrockReader) image(at string, o object) {
	b := r.source(at, o)
	kind := "image/" + str(o, "format")
	if !slices.Contains(imageTypes, kind) || imageType(b) != kind {
		r.bad("The model returned the following errors: %s: Image does not match the provided format %s", at, str(o, "format"))
	}
	r.ask.Media = append(r.ask.Media, Media{Type: kind, Size: len(b)})
}

var audioFormats = []string{
	"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm",
}

func (r *bedrockReader) audio(at string, o object) {
	b := r.source(at, o)
	if !slices.Contains(audioFormats, str(o, "format")) {
		r.bad("%s.audio.format is not valid", at)
	}
	r.ask.Media = append(r.ask.Media, Media{Type: "audio/" + str(o, "format"), Size: len(b)})
}

func (r *bedrockReader) document(at string, o object) {
	b := r.source(at, o)
	name := str(o, "name")
	switch {
	case !slices.Contains(documentFormats, str(o, "format")):
		r.bad("%s.document.format is not valid", at)
	case !bedrockDocument.MatchString(name) || len(name) > 200:
		r.bad("The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.")
	case r.named[name]:
		r.bad("The document file names in a request must be unique: %s", name)
	case unknown(o, "format", "name", "source", "context", "citations") != "":
		r.bad("%s.document has a member that is not known", at)
	}
	r.named[name] = true
	r.ask.Media = append(r.ask.Media, Media{Type: "document/" + str(o, "format"), Size: len(b)})
}

// reasoning holds that thinking comes back as it was.
func (r *bedrockReader) reasoning(at string, o object) {
	key, m := r.member(at, o)
	shown, _ := m.(object)
	switch {
	case r.lax:
	case key == "redactedContent":
		s, _ := m.(string)
		if b, err := base64.StdEncoding.DecodeString(s); err != nil || !r.s.wasIssued(string(b)) {
			r.bad("The model returned the following errors: %s: Invalid `data` in `redacted_thinking` block", at)
		}
	case str(shown, "signature") != sign(str(shown, "text")) && !r.s.wasIssued(str(shown, "signature")):
		r.bad("The model returned the following errors: %s: Invalid `signature` in `thinking` block", at)
	}
}

func (r *bedrockReader) sampling() {
	config := obj(r.body, "inferenceConfig")
	if key := unknown(config, "maxTokens", "temperature", "topP", "stopSequences"); key != "" {
		r.bad("inferenceConfig.%s is not known", key)
	}
	n, ok := count(config, "maxTokens")
	if !ok || has(config, "maxTokens") && n < 1 {
		r.bad("Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	r.ask.MaxTokens = n
	for _, key := range []string{"temperature", "topP"} {
		if v := number(config[key]); has(config, key) && (v < 0 || v > 1) {
			r.bad("Value at 'inferenceConfig.%s' failed to satisfy constraint: Member must have value less than or equal to 1", key)
		}
	}
	for _, v := range list(config, "stopSequences") {
		s, _ := v.(string)
		if s == "" {
			r.bad("Value at 'inferenceConfig.stopSequences' failed to satisfy constraint: Member must have length greater than or equal to 1")
		}
		r.ask.Stops = append(r.ask.Stops, s)
	}
}

// additional checks the parameters of the model's maker, which are those of Claude where the model is one.
func (r *bedrockReader) additional() {
	more := obj(r.body, "additionalModelRequestFields")
	if key := unknown(more, "top_k", "thinking", "anthropic_beta"); key != "" && strings.Contains(r.ask.Model, "claude") {
		r.bad("The model returned the following errors: %s: Extra inputs are not permitted", key)
	}
	thinking := obj(more, "thinking")
	if thinking == nil {
		return
	}
	switch str(thinking, "type") {
	case "enabled":
		budget, ok := count(thinking, "budget_tokens")
		if !ok || budget < 1024 || r.ask.MaxTokens > 0 && budget >= r.ask.MaxTokens {
			r.bad("The model returned the following errors: `max_tokens` must be greater than `thinking.budget_tokens`.")
		}
		r.ask.Thinking = true
	case "adaptive":
		r.ask.Thinking = true
	case "disabled":
	default:
		r.bad("The model returned the following errors: thinking.type is not valid")
	}
	if config := obj(r.body, "inferenceConfig"); r.ask.Thinking && (has(config, "temperature") && number(config["temperature"]) != 1 || has(more, "top_k")) {
		r.bad("The model returned the following errors: `temperature` may only be set to 1 when thinking is enabled.")
	}
}

func (r *bedrockReader) output() {
	config := obj(r.body, "outputConfig")
	if key := unknown(config, "textFormat", "effort"); key != "" {
		r.bad("outputConfig.%s is not known", key)
	}
	format := obj(config, "textFormat")
	if format == nil {
		return
	}
	schema, err := decodeObject([]byte(str(obj(obj(format, "structure"), "jsonSchema"), "schema")))
	if str(format, "type") != "json_schema" || err != nil {
		r.bad("outputConfig.textFormat.structure.jsonSchema.schema must be a JSON schema in a string")
	}
	r.ask.Schema = schema
}
