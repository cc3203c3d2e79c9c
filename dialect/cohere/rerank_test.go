package cohere

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestRerank(t *testing.T) { dialecttest.RunOperation(t, NewRerank(), "testdata/rerank") }

func TestRerankRefuses(t *testing.T) {
	t.Parallel()
	for body, param := range map[string]string{
		`{}`:                            "query",
		`{"query":"q"}`:                 "documents",
		`{"query":"q","documents":[]}`:  "documents",
		`{"query":7,"documents":["a"]}`: "query",
		`{"query":"q","documents":["a",{"text":"b"}]}`: "documents[1]",
		`{"query":"q","documents":["a"],"top_n":0}`:    "top_n",
	} {
		_, err := rerankClient{}.DecodeRequest([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != param {
			t.Errorf("%s: got %v want an error about %s", body, err, param)
		}
	}
}

// TestCorpusRerank replays recorded exchanges of version 2, and those of Bedrock, which has the vendor's bodies.
func TestCorpusRerank(t *testing.T) {
	t.Parallel()
	answers := 0
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if strings.Contains(x.Path, "/v2/rerank") || strings.Contains(x.Path, "cohere.rerank") {
			answers++
			checkRanking(t, x)
		}
	}, "cohere.rerank", "bedrock.invoke")
	t.Logf("%d answers", answers)
	if answers < 8 {
		t.Error("got too few")
	}
}

func checkRanking(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	req, err := rerankClient{}.DecodeRequest(x.RequestBody)
	if err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	want, _, err := jsontext.Drop(forms.Trim(x.RequestBody), "max_chunks_per_doc") // null
	if err != nil {
		t.Fatal(err)
	}
	model := jsontext.Value(want).Get("model")
	enc, err := rerankProvider{}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil || len(enc.Losses) > 0 || model != nil && !jsontext.Equal(enc.Body, want) {
		t.Errorf("%s: encode: %v, got %s want %s", x.ID, err, enc.Body, x.RequestBody)
	}
	r, err := rerankProvider{}.DecodeResponse(x.ResponseBody)
	if err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	r.Asked = req
	body, _, err := rerankClient{}.EncodeResponse(r)
	if err != nil || !jsontext.Equal(forms.Trim(body).Get("results"), forms.Trim(x.ResponseBody).Get("results")) {
		t.Errorf("%s: got %s, %v want the results of %s", x.ID, body, err, x.ResponseBody)
	}
}

func FuzzDecodeRerankRequest(f *testing.F) {
	f.Add([]byte(`{"query":"q","documents":["a","b"],"top_n":1,"max_tokens_per_doc":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewRerank(), body)
		}
	})
}

func FuzzDecodeRerankResponse(f *testing.F) {
	f.Add([]byte(`{"id":"x","results":[{"index":1,"relevance_score":0.5}],"meta":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewRerank(), body) })
}
