package gateway_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
)

// recordedDialect is a dialect, and where its exchanges are in the recorded traffic.
type recordedDialect struct {
	name    string // empty for the dialect's own
	dialect *dialect.Dialect
	home    string // the provider whose facts say where the dialect is spoken
	apis    []string
	paths   string // a regular expression, where an API has exchanges of other dialects too
}

func recordedDialects() []recordedDialect {
	embeds := `/embeddings(\?|$)|^$`
	return []recordedDialect{
		{"", openaichat.New(), "openai", []string{"openai.chat"}, ""},
		{"", anthropic.New(), "anthropic", []string{"anthropic.messages"}, ""},
		{"", openairesponses.New(), "openai", []string{"openai.responses"}, ""},
		{"", gemini.New(), "gemini", []string{"gemini.generate", "gemini.stream"}, ""},
		{"", bedrock.New(), "bedrock", []string{"bedrock.converse", "bedrock.converse_stream"}, ""},
		{"", cohere.New(), "cohere", []string{"cohere.chat_v2"}, ""},
		{"", ollama.New(), "ollama", []string{"ollama.chat"}, ""},
		{"anthropic-messages, InvokeModel", anthropic.NewInvoke(), "bedrock", []string{"bedrock.invoke", "bedrock.invoke_stream"}, `anthropic\.claude-[^v2i]`},
		{"", openaichat.NewEmbeddings(), "openai", []string{"openai.embeddings"}, embeds},
		{"", cohere.NewEmbed(), "cohere", []string{"cohere.embed"}, ""},
		{"", gemini.NewEmbedBatch(), "gemini", []string{"gemini.embed"}, "batchEmbedContents"},
		{"", gemini.NewEmbed(), "gemini", []string{"gemini.embed"}, ":embedContent"},
		{"", ollama.NewEmbed(), "ollama", []string{"ollama.embed"}, ""},
		{"", bedrock.NewTitanEmbed(), "bedrock", []string{"bedrock.invoke"}, "titan-embed"},
		{"", gemini.NewPredict(), "vertex", []string{"vertex.predict"}, ""},
		{"", openaichat.NewVoyageEmbed(), "voyage", []string{"voyage.embed"}, ""},
		{"", openaichat.NewJinaEmbed(), "jina", nil, ""}, // none are recorded: it only takes others'
		{"", cohere.NewRerank(), "cohere", []string{"cohere.rerank"}, "/v2/"},
		{"", openaichat.NewRerank(), "vllm", []string{"generic.rerank"}, ""},
		{"", openaichat.NewVoyageRerank(), "voyage", []string{"voyage.rerank"}, ""},
		{"", anthropic.NewCount(), "anthropic", []string{"anthropic.count_tokens"}, ""},
		{"", gemini.NewCount(), "gemini", []string{"gemini.count_tokens"}, ""},
		{"", gemini.NewVertexCount(), "vertex", nil, ""},
		{"", bedrock.NewCount(), "bedrock", nil, ""},
	}
}

func (r *recordedDialect) title() string {
	if r.name != "" {
		return r.name
	}
	return string(r.dialect.Name)
}

// sampleOf is how many recorded exchanges stand for one that is replayed, where not all are.
const sampleOf = 25

// TestCorpus sends recorded traffic through the gateway: every exchange to a provider of its own dialect that answers
// as recorded, its request to a simulated vendor of each other dialect, and its answer to a client of each. It replays
// a sample, and with CORPUS=all in the environment all of it: then it holds docs/corpus.md to what came of it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	every := sampleOf
	if os.Getenv("CORPUS") == "all" {
		every = 1
	}
	rows := recordedDialects()
	for _, name := range dialect.All() {
		if !slices.ContainsFunc(rows, func(r recordedDialect) bool { return r.dialect.Name == name }) {
			t.Errorf("got no row for %s, want one for each dialect", name)
		}
	}
	tallies := make([]*tally, len(rows))
	t.Run("dialects", func(t *testing.T) {
		for i := range rows {
			tallies[i] = &tally{title: rows[i].title(), reasons: map[string]map[string]int{}}
			t.Run(tallies[i].title, func(t *testing.T) {
				t.Parallel()
				replay(t, every, rows, &rows[i], tallies[i])
			})
		}
	})
	if t.Failed() || every > 1 {
		return
	}
	dialecttest.Golden(t, "../docs/corpus.md", corpusPage(tallies))
	t.Logf("what came of recorded exchanges:\n%s", corpusTable(tallies))
}

// replay plays the exchanges of one dialect.
func replay(t *testing.T, every int, all []recordedDialect, row *recordedDialect, sum *tally) {
	paths := regexp.MustCompile(row.paths)
	own := newReplay(t, row, sum)
	var others []*crossing
	for i := range all {
		if other := all[i].dialect; other.Does() == row.dialect.Does() && other.Name != row.dialect.Name && other.Canonical == nil {
			others = append(others, newCrossing(t, row, &all[i], sum, every == 1))
		}
	}
	dialecttest.Recorded(t, every, func(x *dialecttest.Exchange) {
		if !paths.MatchString(x.Path) {
			return
		}
		sum.exchanges++
		own.relay(x)
		req, answer := own.understood(x)
		for _, c := range others {
			c.request(x, req)
			c.answer(x, req, answer)
		}
	}, row.apis...)
}

// tally is what came of the exchanges of one dialect.
type tally struct {
	title     string
	exchanges int
	same      int       // relayed as they were
	requests  crossings // into other dialects
	answers   crossings
	errors    int                       // likewise
	reasons   map[string]map[string]int // why not, by step
}

// crossings counts what was taken from one dialect to another.
type crossings struct{ carried, lossy, refused int }

// note counts a reason for an outcome.
func (s *tally) note(step, reason string) {
	if s.reasons[step] == nil {
		s.reasons[step] = map[string]int{}
	}
	s.reasons[step][reason]++
}

// The steps at which an exchange may come to something else than its table row says.
const (
	stepRelay   = "Relayed otherwise"
	stepRequest = "Requests not crossed"
	stepAnswer  = "Answers not crossed"
)

func corpusTable(tallies []*tally) string {
	var b strings.Builder
	b.WriteString("| dialect | exchanges | relayed as they were | otherwise | requests crossed | with losses | not | answers crossed | with losses | not | errors crossed |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range tallies {
		if s.exchanges == 0 {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", s.title, s.exchanges, s.same, s.exchanges-s.same,
			s.requests.carried, s.requests.lossy, s.requests.refused, s.answers.carried, s.answers.lossy, s.answers.refused, s.errors)
	}
	return b.String()
}

func corpusPage(tallies []*tally) []byte {
	var b strings.Builder
	b.WriteString(`# Recorded traffic

What came of it when recorded exchanges with vendors were sent through the gateway. They are kept beside the project and not in it; with
them, ` + "`.ci/run corpus`" + ` holds this page to what comes of it now, and ` + "`CORPUS=all go test ./gateway -run TestCorpus -update`" + ` writes it.

Each exchange is relayed to a provider of its own dialect, which answers as recorded: *as they were* are those of which both ends had the
other's bytes. Its request is then sent to a simulated vendor of every other dialect of the same operation, and its answer to a client of
each. *Crossed* are requests that the vendor took, and that its API description allows, and answers of which the client read the same
text, calls, vectors, ranking or count. An error must reach the client as an error of its own dialect. Everything else has one of the
reasons below, or the test fails.

`)
	b.WriteString(corpusTable(tallies))
	for _, step := range []string{stepRelay, stepRequest, stepAnswer} {
		fmt.Fprintf(&b, "\n## %s\n\n| dialect | how many | why |\n|---|---|---|\n", step)
		for _, s := range tallies {
			reasons := s.reasons[step]
			byCount := slices.SortedFunc(maps.Keys(reasons), func(x, y string) int {
				if d := reasons[y] - reasons[x]; d != 0 {
					return d
				}
				return strings.Compare(x, y)
			})
			for _, why := range byCount {
				fmt.Fprintf(&b, "| `%s` | %d | %s |\n", s.title, reasons[why], strings.ReplaceAll(why, "|", `\|`))
			}
		}
	}
	return []byte(b.String())
}
