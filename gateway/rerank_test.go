package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
)

var rerankAPIs = []api{
	{name: "jina", path: "/v1/rerank", own: []string{"jina1", "jina2"}},
	{name: "cohere", path: "/v2/rerank", own: []string{"cohere1", "cohere2"}},
}

func rerankWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, withTimeouts(patient()),
		withDialect(openaichat.NewRerank(), "/v1/rerank", "jina1", "jina2"), withDialect(cohere.NewRerank(), "/v2/rerank", "cohere1", "cohere2"),
		withDialect(openaichat.NewVoyageRerank(), "/voyage/v1/rerank", "voyage1", "voyage2"))
}

// rankingIn reads the documents of an answer with their scores, the best first.
func rankingIn(o *answer) string {
	var v struct {
		Results []struct {
			Index    int
			Score    float64 `json:"relevance_score"`
			Document *struct{ Text string }
		}
	}
	_ = json.Unmarshal(o.body, &v)
	var b strings.Builder
	for _, r := range v.Results {
		fmt.Fprintf(&b, "%d:%v", r.Index, r.Score)
		if r.Document != nil {
			fmt.Fprintf(&b, "(%s)", r.Document.Text)
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func rerankBody(model string, more ...map[string]any) map[string]any {
	return mergeMaps(append([]map[string]any{{
		"model": model, "query": "gulls over the sea", "documents": []any{"a boat", "gulls over land", "gulls over the sea", "naïve 海"},
	}}, more...)...)
}

// TestRerankCrosses: rankings come through between every client and every provider, and documents with them where the
// client's dialect gives them back.
func TestRerankCrosses(t *testing.T) {
	t.Parallel()
	w := rerankWorld(t)
	voyage := api{name: "voyage", own: []string{"voyage1", "voyage2"}} // no client is told from Jina's
	for _, client := range rerankAPIs {
		for _, vendor := range append(rerankAPIs[:len(rerankAPIs):len(rerankAPIs)], voyage) {
			name := client.name + " from " + vendor.name
			want := "2:1 1:0.5 0:0 3:0"
			short := "2:1"
			if client.name == "jina" {
				want, short = "2:1(gulls over the sea) 1:0.5(gulls over land) 0:0(a boat) 3:0(naïve 海)", "2:1(gulls over the sea)"
			}
			if got := w.post(client, rerankBody(vendor.own[0]), nil); got.status != 200 || rankingIn(got) != want {
				t.Errorf("%s: got %v (%s) want %s", name, got, rankingIn(got), want)
			}
			if got := w.post(client, rerankBody(vendor.own[0], map[string]any{"top_n": 1}), nil); rankingIn(got) != short {
				t.Errorf("%s: got %v want %s", name, got, short)
			}
			w.fail(vendor.own[0], "overloaded-529")
			other := rerankAPIs[0].own[1]
			if vendor.name == "jina" {
				other = rerankAPIs[1].own[1]
			}
			got := w.post(client, rerankBody(vendor.own[0]+">"+other), nil)
			if rankingIn(got) != want || !strings.HasPrefix(got.header.Get(gateway.HeaderTarget), other) {
				t.Errorf("%s, then %s: got %v want the understudy's answer", name, other, got)
			}
			w.mend(vendor.own[0])
		}
	}
}

// TestRerankRefuses: what a target cannot rank is refused before it is asked.
func TestRerankRefuses(t *testing.T) {
	t.Parallel()
	w := rerankWorld(t)
	titled := map[string]any{"documents": []any{map[string]any{"text": "a", "title": "b"}}}
	plain := map[string]any{"documents": []any{map[string]any{"text": "a"}}, "return_documents": false}
	for _, tc := range []struct {
		name   string
		model  string
		more   map[string]any
		status int
	}{
		{"fields to their own dialect", "jina1", titled, 200},
		{"fields to another", "cohere1", titled, 400},
		{"fields to one with texts alone", "voyage1", titled, 400},
		{"an object that is a text", "cohere1", plain, 200},
		{"no documents", "cohere1", map[string]any{"documents": []any{}}, 400},
		{"a query that is no text", "cohere1", map[string]any{"query": 7}, 400},
		{"a query that is no text, relayed", "jina1", map[string]any{"query": 7}, 400},
		{"documents that are no list, relayed", "jina1", map[string]any{"documents": "a"}, 400},
	} {
		before := w.count(tc.model)
		got := w.post(rerankAPIs[0], rerankBody(tc.model, tc.more), nil)
		if got.status != tc.status {
			t.Errorf("%s: got %v want status %d", tc.name, got, tc.status)
		}
		if sent := w.count(tc.model) > before; sent != (tc.status == 200) {
			t.Errorf("%s: got it sent: %v", tc.name, sent)
		}
	}
}
