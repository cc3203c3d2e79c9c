package fakeprovider

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Dialects of ranking.
const (
	JinaRerank   = "jina-rerank"
	CohereRerank = "cohere-rerank"
)

// RerankAsk is what a ranking model is asked.
type RerankAsk struct {
	Query     string
	Documents []string
	TopN      int
	Return    bool // the documents, too
}

// ranked is a document's place and score: the part of the query's words that it has. Of equals the first is first.
type ranked struct {
	index int
	score float64
}

func (a *RerankAsk) rank() []ranked {
	want := strings.Fields(strings.ToLower(a.Query))
	list := make([]ranked, len(a.Documents))
	for i, doc := range a.Documents {
		have, hits := strings.Fields(strings.ToLower(doc)), 0
		for _, w := range want {
			if slices.Contains(have, w) {
				hits++
			}
		}
		list[i] = ranked{i, float64(hits) / float64(max(len(want), 1))}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	return list[:min(a.TopN, len(list))]
}

// readRerank reads what both vendors want of a request; bad says what is wrong with it.
func readRerank(body object, bad func(format string, args ...any)) *RerankAsk {
	a := &RerankAsk{Query: str(body, "query"), Return: true}
	if a.Query == "" {
		bad("query must not be empty")
	}
	docs, ok := body["documents"].([]any)
	if !ok || len(docs) == 0 {
		bad("\"documents\" must be a non-empty string array")
	}
	for _, v := range docs {
		text, isText := v.(string)
		if m, isObject := v.(object); isObject {
			text, isText = m["text"].(string)
		}
		if !isText {
			bad("document %v has no text", v)
		}
		a.Documents = append(a.Documents, text)
	}
	n, ok := count(body, "top_n")
	if !ok || n < 0 {
		bad("top_n must be a positive number")
	}
	if a.TopN = n; n == 0 {
		a.TopN = len(docs)
	}
	return a
}

// jinaRerank speaks the form of Jina and vLLM.
type jinaRerank struct{ openai }

func (jinaRerank) chatPath() string { return "/v1/rerank" }

func (jinaRerank) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	c := &check{lax: s.opts.Lax}
	a := Ask{Dialect: JinaRerank, N: 1, Tokens: len(compact(body))/4 + 1}
	a.Model, a.markers = splitModel(str(body, "model"))
	a.Rerank = readRerank(body, func(format string, args ...any) { c.fail("", "", format, args...) })
	if v, given := body["return_documents"].(bool); given {
		a.Rerank.Return = v
	}
	return a, c.err
}

func (jinaRerank) unary(a Ask, _ *Reply, number int64) []byte {
	var rows []string
	for _, r := range a.Rerank.rank() {
		doc := ""
		if a.Rerank.Return {
			doc = `,"document":{"text":` + quote(a.Rerank.Documents[r.index]) + `}`
		}
		rows = append(rows, fmt.Sprintf(`{"index":%d%s,"relevance_score":%s}`, r.index, doc, strconv.FormatFloat(r.score, 'g', -1, 64)))
	}
	return fmt.Appendf(nil, `{"id":"rerank-%d","model":%s,"usage":{"total_tokens":%d},"results":[%s]}`, number, quote(a.Model), a.Tokens, strings.Join(rows, ","))
}

// stream is what a server sends that streams unasked.
func (v jinaRerank) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(v.unary(a, r, number)), kind: frameText}}
}

// cohereRerank speaks Cohere's form.
type cohereRerank struct{ cohere }

func (cohereRerank) chatPath() string { return "/v2/rerank" }

func (cohereRerank) read(s *Server, _ http.Header, body object) (Ask, *Error) {
	c := &cohereReader{check: &check{lax: s.opts.Lax}, body: body, ask: Ask{Dialect: CohereRerank, N: 1}}
	c.ask.Model, c.ask.markers = splitModel(str(body, "model"))
	if str(body, "model") == "" {
		c.bad("model is required")
	}
	if key := unknown(body, "model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"); key != "" && !c.lax {
		c.bad("unknown field: parameter '%s' is not a valid field", key)
	}
	for _, v := range list(body, "documents") {
		if _, isText := v.(string); !isText {
			c.bad("documents must be strings")
		}
	}
	c.ask.Rerank = readRerank(body, c.bad)
	return c.ask, c.err
}

func (c cohereRerank) unary(a Ask, _ *Reply, number int64) []byte {
	var rows []string
	for _, r := range a.Rerank.rank() {
		rows = append(rows, fmt.Sprintf(`{"index":%d,"relevance_score":%s}`, r.index, strconv.FormatFloat(r.score, 'g', -1, 64)))
	}
	return fmt.Appendf(nil, `{"id":%s,"results":[%s],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`, quote(c.id(number)), strings.Join(rows, ","))
}

// stream is what a server sends that streams unasked.
func (c cohereRerank) stream(a Ask, r *Reply, number int64) []frame {
	return []frame{{data: string(c.unary(a, r, number)), kind: frameText}}
}
