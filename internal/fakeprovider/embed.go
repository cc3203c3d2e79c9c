package fakeprovider

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Dialects of embeddings.
const (
	Embeddings  = "openai-embeddings"
	CohereEmbed = "cohere-embed"
)

// EmbedAsk is what an embedding model is asked.
type EmbedAsk struct {
	Inputs     []string // what each vector is made of: texts as they came, anything else as JSON
	Dimensions int
	Kinds      []string // "float", "base64", "int8", ...
	Purpose    string   // as it came
	Texts      bool     // Inputs are texts
}

// defaultDimensions is how many a vector has if the request does not say.
const defaultDimensions = 8

// Vector is the vector that every simulated model makes of an input: the same at every vendor, with numbers that
// 32-bit floats hold exactly. Its length is 1.
func Vector(input string, dimensions int) []float32 {
	out := make([]float32, dimensions)
	sum := 0.0
	raw := make([]float64, dimensions)
	block := sha256.Sum256([]byte(input))
	for i := range raw {
		if i > 0 && i%8 == 0 {
			block = sha256.Sum256(block[:])
		}
		raw[i] = float64(int32(binary.LittleEndian.Uint32(block[i%8*4:]))) //nolint:gosec // any number will do
		sum += raw[i] * raw[i]
	}
	for i := range raw {
		out[i] = float32(raw[i] / math.Sqrt(sum))
	}
	return out
}

// floats writes a vector as JSON numbers.
func floats(v []float32) string {
	parts := make([]string, len(v))
	for i, f := range v {
		parts[i] = strconv.FormatFloat(float64(f), 'g', -1, 32)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// packed writes a vector as little-endian floats in base64.
func packed(v []float32) string {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return quote(base64.StdEncoding.EncodeToString(b))
}

// bytesOf writes a vector as signed bytes.
func bytesOf(v []float32) string {
	parts := make([]string, len(v))
	for i, f := range v {
		parts[i] = strconv.Itoa(int(f * 127))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// tokens counts the tokens of inputs: one a word, as everywhere here.
func (e *EmbedAsk) tokens() int {
	n := 0
	for _, in := range e.Inputs {
		n += len(strings.Fields(in))
	}
	return n
}

// embeddings speaks OpenAI's embeddings.
type embeddings struct{ openai }

func (embeddings) chatPath() string { return "/v1/embeddings" }

func (embeddings) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	o := &openaiReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: Embeddings, N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}}}}
	o.ask.Model, o.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		o.fail("", "", "you must provide a model parameter")
	}
	if key := unknown(body, "model", "input", "encoding_format", "dimensions", "user"); key != "" && !o.lax {
		o.fail(key, "", "Unrecognized request argument supplied: %s", key)
	}
	e := o.ask.Embed
	o.inputs(e)
	switch format, given := body["encoding_format"]; {
	case !given:
	case format == "float" || format == "base64":
		e.Kinds = []string{str(body, "encoding_format")}
	default:
		o.fail("encoding_format", "invalid_value", "Invalid value for 'encoding_format' = %v.", format)
	}
	n, ok := count(body, "dimensions")
	if !ok || has(body, "dimensions") && n < 1 {
		o.fail("dimensions", "invalid_type", "Invalid value for 'dimensions': must be a positive integer.")
	}
	if e.Dimensions = n; n == 0 {
		e.Dimensions = defaultDimensions
	}
	o.ask.Tokens = e.tokens()
	return o.ask, o.err
}

// inputs reads a text, texts, token ids or lists of such.
func (o *openaiReader) inputs(e *EmbedAsk) {
	bad := func() {
		o.fail("input", "", "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
	}
	switch in := o.body["input"].(type) {
	case string:
		e.Inputs = []string{in}
	case []any:
		if len(in) == 0 || len(in) > 2048 {
			bad()
			return
		}
		if _, isToken := in[0].(string); !isToken {
			e.Texts = false
			if _, isList := in[0].([]any); !isList {
				in = []any{in}
			}
		}
		for _, v := range in {
			text, isText := v.(string)
			if isText != e.Texts {
				bad()
			}
			if !isText {
				text = compact(v)
			}
			e.Inputs = append(e.Inputs, text)
		}
	default:
		o.missing("input")
	}
	if slices.Contains(e.Inputs, "") {
		bad()
	}
}

func (embeddings) unary(a Ask, _ *Reply, _ int64) []byte {
	rows := make([]string, len(a.Embed.Inputs))
	for i, in := range a.Embed.Inputs {
		v := floats(Vector(in, a.Embed.Dimensions))
		if a.Embed.Kinds[0] == "base64" {
			v = packed(Vector(in, a.Embed.Dimensions))
		}
		rows[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, v)
	}
	return fmt.Appendf(nil, `{"object":"list","data":[%s],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`,
		strings.Join(rows, ","), quote(a.Model), a.Tokens, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v embeddings) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// cohereEmbed speaks Cohere's embeddings.
type cohereEmbed struct{ cohere }

func (cohereEmbed) chatPath() string { return "/v2/embed" }

func (cohereEmbed) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	c := &cohereReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: CohereEmbed, N: 1, Embed: &EmbedAsk{}}}
	c.ask.Model, c.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		c.bad("model is required")
	}
	known := []string{"model", "texts", "images", "inputs", "input_type", "max_tokens", "output_dimension", "embedding_types", "truncate", "priority"}
	if key := unknown(body, known...); key != "" && !c.lax {
		c.bad("unknown field: parameter '%s' is not a valid field", key)
	}
	e := c.ask.Embed
	c.inputs(e)
	types := []string{"search_document", "search_query", "classification", "clustering", "image"}
	if e.Purpose = str(body, "input_type"); !slices.Contains(types, e.Purpose) {
		c.bad("valid input_type must be provided with the provided model")
	}
	for _, v := range list(body, "embedding_types") {
		kind, _ := v.(string)
		if !slices.Contains([]string{"float", "base64", "int8"}, kind) {
			c.bad("embedding_types %v is not supported", v)
		}
		e.Kinds = append(e.Kinds, kind)
	}
	if len(e.Kinds) == 0 {
		e.Kinds = []string{"float"}
	}
	if t := str(body, "truncate"); has(body, "truncate") && !slices.Contains([]string{"NONE", "START", "END"}, t) {
		c.bad("truncate must be one of NONE, START or END")
	}
	n, ok := count(body, "output_dimension")
	if !ok {
		c.bad("output_dimension must be a number")
	}
	if e.Dimensions = n; n == 0 {
		e.Dimensions = defaultDimensions
	}
	c.ask.Tokens = e.tokens()
	return c.ask, c.err
}

// inputs reads the one of three lists that there must be.
func (c *cohereReader) inputs(e *EmbedAsk) {
	const most = 96
	lists := 0
	for _, key := range []string{"texts", "images", "inputs"} {
		if !has(c.body, key) {
			continue
		}
		lists++
		e.Texts = key == "texts"
		all := list(c.body, key)
		if len(all) > most {
			c.bad("total number of texts must be at most %d - received %d", most, len(all))
		}
		for i, v := range all {
			s, isText := v.(string)
			switch {
			case key == "inputs":
				s = compact(obj(object{"v": v}, "v")["content"])
			case !isText:
				c.bad("%s[%d] must be a string", key, i)
			case key == "images" && !strings.HasPrefix(s, "data:image/"):
				c.bad("image must be a valid data URI")
			}
			e.Inputs = append(e.Inputs, s)
		}
	}
	if lists != 1 || len(e.Inputs) == 0 {
		c.bad("exactly one of texts, images or inputs must be specified")
	}
}

func (c cohereEmbed) unary(a Ask, _ *Reply, number int64) []byte {
	kinds := make([]string, len(a.Embed.Kinds))
	for i, kind := range a.Embed.Kinds {
		write := map[string]func([]float32) string{"float": floats, "base64": packed, "int8": bytesOf}[kind]
		rows := make([]string, len(a.Embed.Inputs))
		for j, in := range a.Embed.Inputs {
			rows[j] = write(Vector(in, a.Embed.Dimensions))
		}
		kinds[i] = quote(kind) + ":[" + strings.Join(rows, ",") + "]"
	}
	texts := ""
	if a.Embed.Texts {
		texts = `"texts":` + compact(a.Embed.Inputs) + `,`
	}
	return fmt.Appendf(nil, `{"id":%s,"embeddings":{%s},%s"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":%d}},"response_type":"embeddings_by_type"}`,
		quote(c.id(number)), strings.Join(kinds, ","), texts, a.Tokens)
}

// stream is what a server sends that streams unasked.
func (c cohereEmbed) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(c.unary(a, r, number)), kind: frameText}}
}
