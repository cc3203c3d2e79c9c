package fakeprovider

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// More dialects of embeddings.
const (
	GeminiEmbed = "gemini-embed"
	OllamaEmbed = "ollama-embed"
	TitanEmbed  = "titan-embed"
)

// geminiEmbed speaks Google's embedContent and batchEmbedContents.
type geminiEmbed struct {
	gemini
	batch bool
}

// geminiEmbedOf reads a path of Google's embeddings; it is nil for other paths.
func geminiEmbedOf(r *http.Request) vendor {
	_, operation, _ := strings.Cut(r.URL.Path, "/models/")
	model, verb, _ := strings.Cut(operation, ":")
	if verb != "embedContent" && verb != "batchEmbedContents" {
		return nil
	}
	return geminiEmbed{gemini: gemini{path: r.URL.Path, model: model}, batch: verb == "batchEmbedContents"}
}

func (g geminiEmbed) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	a := Ask{Dialect: GeminiEmbed, N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}}}
	a.Model, a.markers = splitModel(g.model)
	c := &check{lax: s.opts.Lax}
	contents := []any{body}
	if g.batch {
		contents = list(body, "requests")
		if key := unknown(body, "requests", "model"); key != "" || len(contents) == 0 || len(contents) > 100 {
			g.bad(c, "at most 100 requests can be in one batch, and at least one: %d, unknown %q", len(contents), key)
		}
	}
	for _, v := range contents {
		g.one(c, a.Embed, v)
	}
	a.Tokens = a.Embed.tokens()
	return a, c.err
}

func (geminiEmbed) bad(c *check, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Status: http.StatusBadRequest, Type: "INVALID_ARGUMENT", Message: "* BatchEmbedContentsRequest: " + fmt.Sprintf(format, args...)}
	}
}

// one reads a content and what is wanted of it.
func (g geminiEmbed) one(c *check, e *EmbedAsk, v any) {
	o, _ := v.(object)
	if key := unknown(o, "model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig"); key != "" {
		g.bad(c, "Unknown name %q: Cannot find field.", key)
	}
	if name := str(o, "model"); g.batch && name != "models/"+g.model {
		g.bad(c, "model in batch should match with the model in EmbedContentRequest: got %q", name)
	}
	tasks := []string{"RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING"}
	if e.Purpose = str(o, "taskType"); e.Purpose != "" && !slices.Contains(tasks, e.Purpose) {
		g.bad(c, "Invalid value at 'task_type': %q", e.Purpose)
	}
	parts := list(obj(o, "content"), "parts")
	if len(parts) == 0 {
		g.bad(c, "content is not set")
	}
	texts := []string{}
	for _, p := range parts {
		m, _ := p.(object)
		text, isText := m["text"].(string)
		if !isText {
			text, e.Texts = compact(m), false
		}
		texts = append(texts, text)
	}
	e.Inputs = append(e.Inputs, strings.Join(texts, "\n"))
	n, ok := count(o, "outputDimensionality")
	if !ok || n < 0 {
		g.bad(c, "output_dimensionality must be positive")
	}
	if e.Dimensions = n; n == 0 {
		e.Dimensions = defaultDimensions
	}
}

func (g geminiEmbed) unary(a Ask, _ *Reply, _ int64) []byte {
	rows := make([]string, len(a.Embed.Inputs))
	for i, in := range a.Embed.Inputs {
		rows[i] = `{"values":` + floats(Vector(in, a.Embed.Dimensions)) + `}`
	}
	usage := fmt.Sprintf(`,"usageMetadata":{"promptTokenCount":%d}}`, a.Tokens)
	if g.batch {
		return []byte(`{"embeddings":[` + strings.Join(rows, ",") + `]` + usage)
	}
	return []byte(`{"embedding":` + rows[0] + usage)
}

// stream is what a server sends that streams unasked.
func (g geminiEmbed) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(g.unary(a, r, number)), kind: frameText}}
}

// ollamaEmbed speaks Ollama's /api/embed.
type ollamaEmbed struct{ ollama }

func (ollamaEmbed) chatPath() string { return "/api/embed" }

func (ollamaEmbed) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	a := Ask{Dialect: OllamaEmbed, N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}}}
	a.Model, a.markers = splitModel(str(body, "model"))
	c := &check{lax: s.opts.Lax}
	if key := unknown(body, "model", "input", "truncate", "dimensions", "options", "keep_alive"); key != "" && !c.lax {
		c.fail("", "", "unknown field %s", key)
	}
	switch in := body["input"].(type) {
	case string:
		a.Embed.Inputs = []string{in}
	case []any:
		for _, v := range in {
			text, isText := v.(string)
			if !isText {
				c.fail("", "", "invalid input type")
			}
			a.Embed.Inputs = append(a.Embed.Inputs, text)
		}
	default:
		c.fail("", "", "invalid input type")
	}
	n, ok := count(body, "dimensions")
	if !ok {
		c.fail("", "", "invalid dimensions")
	}
	if a.Embed.Dimensions = n; n == 0 {
		a.Embed.Dimensions = defaultDimensions
	}
	a.Tokens = a.Embed.tokens()
	return a, c.err
}

func (ollamaEmbed) unary(a Ask, _ *Reply, _ int64) []byte {
	rows := make([]string, len(a.Embed.Inputs))
	for i, in := range a.Embed.Inputs {
		rows[i] = floats(Vector(in, a.Embed.Dimensions))
	}
	return fmt.Appendf(nil, `{"model":%s,"embeddings":[%s],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":%d}`,
		quote(a.Model), strings.Join(rows, ","), a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v ollamaEmbed) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// titan speaks the bodies of Titan's embeddings at Bedrock's InvokeModel.
type titan struct{ bedrock }

// titanOf knows a path of InvokeModel by the model in it; it is nil for other paths.
func titanOf(r *http.Request) vendor {
	if v, ok := bedrockOf(r).(invoke); ok && strings.HasPrefix(v.model, "amazon.titan-embed") {
		return titan(v)
	}
	return nil
}

func (v titan) read(_ *Server, _ http.Header, body object) (Ask, *Error) {
	a := Ask{Dialect: TitanEmbed, N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}, Inputs: []string{str(body, "inputText")}}}
	a.Model, a.markers = splitModel(v.model)
	key := unknown(body, "inputText", "dimensions", "normalize", "embeddingTypes")
	_, isText := body["inputText"].(string)
	n, ok := count(body, "dimensions")
	if a.Embed.Dimensions = n; n == 0 {
		a.Embed.Dimensions = defaultDimensions
	}
	a.Tokens = a.Embed.tokens()
	if key != "" || !isText || !ok {
		return a, &Error{Status: http.StatusBadRequest, Type: "ValidationException", Message: "Malformed input request: #: extraneous or missing key, please reformat your input and try again."}
	}
	return a, nil
}

func (titan) unary(a Ask, _ *Reply, _ int64) []byte {
	v := floats(Vector(a.Embed.Inputs[0], a.Embed.Dimensions))
	return fmt.Appendf(nil, `{"embedding":%s,"embeddingsByType":{"float":%s},"inputTextTokenCount":%d}`, v, v, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v titan) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}
