package fakeprovider

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Dialects of services whose paths are those of OpenAI and Jina, so that they are served under a prefix here.
const (
	VoyageEmbed  = "voyage-embed"
	JinaEmbed    = "jina-embed"
	VoyageRerank = "voyage-rerank"
)

// textEmbed speaks the embeddings of Voyage AI or of Jina.
type textEmbed struct {
	openai
	jina bool
}

func (v textEmbed) dialect() string {
	if v.jina {
		return JinaEmbed
	}
	return VoyageEmbed
}

func (v textEmbed) chatPath() string {
	return "/" + strings.TrimSuffix(v.dialect(), "-embed") + "/v1/embeddings"
}

func (v textEmbed) read(_ *Server, _ http.Header, body object) (Ask, *Error) {
	c := &check{}
	a := Ask{Dialect: v.dialect(), N: 1, Embed: &EmbedAsk{Texts: true, Kinds: []string{"float"}}}
	a.Model, a.markers = splitModel(str(body, "model"))
	known, purpose, size := []string{"model", "input", "input_type", "truncation", "output_dimension", "output_dtype", "encoding_format"}, "input_type", "output_dimension"
	purposes := []string{"", "query", "document"}
	if v.jina {
		known, purpose, size = []string{"model", "input", "task", "truncate", "dimensions", "embedding_type", "normalized", "late_chunking"}, "task", "dimensions"
		purposes = []string{"", "retrieval.query", "retrieval.passage", "classification", "separation", "text-matching"}
	}
	if key := unknown(body, known...); key != "" {
		c.fail("", "", "Argument '%s' is not supported by our API", key)
	}
	if a.Embed.Purpose = str(body, purpose); !slices.Contains(purposes, a.Embed.Purpose) {
		c.fail("", "", "%s: %q is not one of %v", purpose, a.Embed.Purpose, purposes)
	}
	texts, ok := body["input"].([]any)
	if !ok {
		texts = []any{body["input"]}
	}
	for _, one := range texts {
		text, isText := one.(string)
		if !isText {
			c.fail("", "", "input must be texts")
		}
		a.Embed.Inputs = append(a.Embed.Inputs, text)
	}
	n, ok := count(body, size)
	if !ok || n < 0 {
		c.fail("", "", "%s must be positive", size)
	}
	if a.Embed.Dimensions = n; n == 0 {
		a.Embed.Dimensions = defaultDimensions
	}
	a.Tokens = a.Embed.tokens()
	return a, c.err
}

func (textEmbed) unary(a Ask, _ *Reply, _ int64) []byte {
	rows := make([]string, len(a.Embed.Inputs))
	for i, in := range a.Embed.Inputs {
		rows[i] = fmt.Sprintf(`{"object":"embedding","embedding":%s,"index":%d}`, floats(Vector(in, a.Embed.Dimensions)), i)
	}
	return fmt.Appendf(nil, `{"object":"list","data":[%s],"model":%s,"usage":{"total_tokens":%d}}`, strings.Join(rows, ","), quote(a.Model), a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v textEmbed) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// voyageRerank speaks Voyage AI's form of ranking.
type voyageRerank struct{ openai }

func (voyageRerank) chatPath() string { return "/voyage/v1/rerank" }

func (voyageRerank) read(_ *Server, _ http.Header, body object) (Ask, *Error) {
	c := &check{}
	a := Ask{Dialect: VoyageRerank, N: 1, Tokens: len(compact(body))/4 + 1}
	a.Model, a.markers = splitModel(str(body, "model"))
	if key := unknown(body, "model", "query", "documents", "top_k", "return_documents", "truncation"); key != "" {
		c.fail("", "", "Argument '%s' is not supported by our API", key)
	}
	a.Rerank = readRerank(body, func(format string, args ...any) { c.fail("", "", format, args...) })
	a.Rerank.Return, _ = body["return_documents"].(bool)
	if n, ok := count(body, "top_k"); ok && n > 0 {
		a.Rerank.TopN = n
	}
	return a, c.err
}

func (voyageRerank) unary(a Ask, _ *Reply, _ int64) []byte {
	var rows []string
	for _, r := range a.Rerank.rank() {
		rows = append(rows, fmt.Sprintf(`{"relevance_score":%s,"index":%d}`, strconv.FormatFloat(r.score, 'g', -1, 64), r.index))
	}
	return fmt.Appendf(nil, `{"object":"list","data":[%s],"model":%s,"usage":{"total_tokens":%d}}`, strings.Join(rows, ","), quote(a.Model), a.Tokens)
}

// stream is what a server sends that streams unasked.
func (v voyageRerank) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}
