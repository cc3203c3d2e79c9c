package openaichat

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestRerank(t *testing.T) { dialecttest.RunOperation(t, NewRerank(), "testdata/rerank") }

func TestVoyageRerank(t *testing.T) {
	dialecttest.RunOperation(t, NewVoyageRerank(), "testdata/voyage-rerank")
}

// TestVoyageRerankForm: the form's own names, texts alone, and documents only for whoever asks.
func TestVoyageRerankForm(t *testing.T) {
	t.Parallel()
	d := NewVoyageRerank()
	req, err := d.Client.DecodeRequest([]byte(`{"model":"m","query":"q","documents":["a","b"],"top_k":1,"truncation":false}`))
	if err != nil || *req.Rerank.TopN != 1 || req.Rerank.ReturnDocuments || len(req.Extra[string(d.Name)]) != 1 {
		t.Errorf("got %+v, %v want all of it", req, err)
	}
	r, err := d.Provider.DecodeResponse([]byte(`{"object":"list","data":[{"relevance_score":0.5,"index":1}],"model":"m","usage":{"total_tokens":26}}`))
	if err != nil || len(r.Ranking) != 1 || r.Ranking[0].Index != 1 || r.Usage.Input() != 26 {
		t.Errorf("got %+v, %v want one of 26 tokens", r, err)
	}
}

func TestRerankRefuses(t *testing.T) {
	t.Parallel()
	for body, param := range map[string]string{
		`{}`:                                               "query",
		`{"query":"q"}`:                                    "documents",
		`{"query":"q","documents":[]}`:                     "documents",
		`{"query":7,"documents":["a"]}`:                    "query",
		`{"query":"q","documents":"a"}`:                    "documents",
		`{"query":"q","documents":["a",7]}`:                "documents[1]",
		`{"query":"q","documents":[{"text":7}]}`:           "documents[0].text",
		`{"query":"q","documents":["a"],"top_n":-1}`:       "top_n",
		`{"query":"q","documents":["a"],"top_n":"1"}`:      "top_n",
		`{"query":"q","documents":["a"],"model":null}`:     "",
		`{"query":"q","documents":[{"text":"a"},{"b":1}]}`: "",
	} {
		_, err := rerankClient{rerankForm: jinaForm()}.DecodeRequest([]byte(body))
		var e *llm.Error
		if param == "" {
			if err != nil {
				t.Errorf("%s: got %v want it read", body, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != param {
			t.Errorf("%s: got %v want an error about %s", body, err, param)
		}
	}
}

// TestRerankSorts: some servers answer in the order of the documents.
func TestRerankSorts(t *testing.T) {
	t.Parallel()
	r, err := rerankProvider{rerankForm: jinaForm()}.DecodeResponse([]byte(`{"results":[{"index":0,"relevance_score":-2.5},{"index":1,"relevance_score":7},{"index":2,"relevance_score":7}]}`))
	if err != nil || len(r.Ranking) != 3 || r.Ranking[0].Index != 1 || r.Ranking[1].Index != 2 {
		t.Errorf("got %+v, %v want the best first", r, err)
	}
}

// TestCorpusRerank replays recorded exchanges of compatible services.
func TestCorpusRerank(t *testing.T) {
	t.Parallel()
	answers, failures := 0, 0
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if x.Status >= 400 {
			failures++
			checkError(t, x)
			return
		}
		answers++
		checkRanking(t, x)
	}, "generic.rerank")
	t.Logf("%d answers, %d errors", answers, failures)
	if answers < 8 || failures < 2 {
		t.Error("got too few of some kind")
	}
}

func checkRanking(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	req, err := rerankClient{rerankForm: jinaForm()}.DecodeRequest(x.RequestBody)
	if err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	enc, err := rerankProvider{rerankForm: jinaForm()}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil || len(enc.Losses) > 0 || !jsontext.Equal(dropped(t, enc.Body), dropped(t, x.RequestBody)) {
		t.Errorf("%s: encode: %v, got %s want %s", x.ID, err, enc.Body, x.RequestBody)
	}
	r, err := rerankProvider{rerankForm: jinaForm()}.DecodeResponse(x.ResponseBody)
	if err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	r.Asked = req
	body, _, err := rerankClient{rerankForm: jinaForm()}.EncodeResponse(r)
	if err != nil || strings.Count(string(body), `"relevance_score"`) != strings.Count(string(x.ResponseBody), `"relevance_score"`) {
		t.Errorf("%s: got %s, %v want as many results as in %s", x.ID, body, err, x.ResponseBody)
	}
}

// dropped is a request without what the gateway gives itself.
func dropped(t *testing.T, body []byte) []byte {
	t.Helper()
	out, _, err := jsontext.Drop(body, "return_documents")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func FuzzDecodeRerankRequest(f *testing.F) {
	f.Add([]byte(`{"query":"q","documents":["a",{"text":"b","title":"t"}],"top_n":1,"return_documents":false,"new":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewRerank(), body)
			dialecttest.FuzzRequest(t, NewVoyageRerank(), body)
		}
	})
}

func FuzzDecodeRerankResponse(f *testing.F) {
	f.Add([]byte(`{"results":[{"index":1,"relevance_score":0.5,"document":{"text":"a"}}],"usage":{"total_tokens":7}}`))
	f.Add([]byte(`{"error":{"code":501,"message":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewRerank(), body) })
}
