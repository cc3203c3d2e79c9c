// Package docs_test writes the pages that are made from tables in the code, and
// checks that they are current.
package docs_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

var update = flag.Bool("update", false, "write the pages instead of comparing them")

func dialects() []*dialect.Dialect {
	return []*dialect.Dialect{openaichat.New(), anthropic.New(), openairesponses.New(), bedrock.New(), cohere.New(), gemini.New(), ollama.New()}
}

// operations lists the dialects of other operations, which have the errors of the same vendor's Generate.
func operations() []*dialect.Dialect {
	return []*dialect.Dialect{
		openaichat.NewEmbeddings(), cohere.NewEmbed(), gemini.NewEmbedBatch(), gemini.NewEmbed(), ollama.NewEmbed(), bedrock.NewTitanEmbed(), gemini.NewPredict(), openaichat.NewVoyageEmbed(), openaichat.NewJinaEmbed(),
		cohere.NewRerank(), openaichat.NewRerank(), openaichat.NewVoyageRerank(), anthropic.NewCount(), gemini.NewCount(), bedrock.NewCount(), gemini.NewVertexCount(),
	}
}

// TestPagesHaveEveryDialect holds that the pages are made of all dialects that there are.
func TestPagesHaveEveryDialect(t *testing.T) {
	var has []dialect.Name
	for _, d := range append(dialects(), operations()...) {
		has = append(has, d.Name)
	}
	for _, name := range dialect.All() {
		if !slices.Contains(has, name) {
			t.Errorf("got pages without %s, want every dialect in them", name)
		}
	}
}

func TestErrorsPage(t *testing.T) { check(t, "errors.md", errorsPage()) }

func check(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s: got an old page, want what the tables say now; run `make docs`", file)
	}
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString(`# Errors

Made from the table in ` + "`llm.Codes`" + ` and the dialects; do not edit, run ` + "`make docs`" + `.

The code is what logs, ` + "`X-Understudy-Attempts-Detail`" + ` and records say. "Next" is whether another target is tried when an attempt
fails so, while the client has no content; after ` + "`context_length`" + `, one that is known to take longer prompts is. The last columns are the status and the words a client gets when no target answered.

| code | meaning | next |`)
	for _, d := range dialects() {
		fmt.Fprintf(&b, " %s |", d.Name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(dialects())) + "\n")
	for _, info := range llm.Codes() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |", info.Code, info.Doc, info.Next)
		for _, d := range dialects() {
			status, body := d.Client.EncodeError(&llm.Error{Code: info.Code, Origin: llm.OriginGateway, Message: "…"}, "id")
			fmt.Fprintf(&b, " %s |", words(status, body))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// words names an error as a client's SDK would: the status, then type and code.
func words(status int, body []byte) string {
	v := jsontext.Value(body)
	out := fmt.Sprintf("%d", status)
	for _, path := range [][]string{{"error", "type"}, {"error", "code"}} {
		if s, err := v.Get(path...).Text(); err == nil && s != "" {
			out += " `" + s + "`"
		}
	}
	if status == 0 || http.StatusText(status) == "" && status != 529 && status != 499 && status != 498 {
		panic(fmt.Sprintf("BUG: no such status: %d", status))
	}
	return out
}
