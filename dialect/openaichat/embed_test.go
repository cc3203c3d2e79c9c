package openaichat

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestEmbeddings(t *testing.T) { dialecttest.RunOperation(t, NewEmbeddings(), "testdata/embed") }

// TestEmbedInputs reads the four ways in which inputs are given (T147).
func TestEmbedInputs(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`"sea"`:           "sea|",
		`""`:              "|",
		`["sea","shore"]`: "sea|shore|",
		`[1,2]`:           "#[1,2]|",
		`[[1, 2],[3]]`:    "#[1, 2]|#[3]|",
		`[]`:              "error",
		`7`:               "error",
		`{}`:              "error",
		`["a",1]`:         "error",
		`[1,"a"]`:         "error",
		`[1.5]`:           "error",
		`[1,[2]]`:         "error",
		`[[1],2]`:         "error",
		`[[1],"a"]`:       "error",
		`[[]]`:            "error",
		`[["a"]]`:         "error",
		`[null]`:          "error",
		`[true]`:          "error",
	} {
		req, err := embedClient{}.DecodeRequest([]byte(`{"input":` + input + `}`))
		got := "error"
		if err == nil {
			got = ""
			for _, in := range req.Embed.Inputs {
				if in.Tokens != nil {
					got += "#" + string(in.Tokens)
				}
				got += in.Text + "|"
			}
		} else {
			asLLM(t, err)
		}
		if got != want {
			t.Errorf("%s: got %s want %s (%v)", input, got, want, err)
		}
	}
	for _, body := range []string{`{}`, `{"input":null}`, `{"input":"a","encoding_format":"hex"}`, `{"input":"a","dimensions":0}`, `{"input":"a","dimensions":"8"}`, `{"input":"a","user":7}`, `{"input":"a","model":7}`, `[]`} {
		if _, err := (embedClient{}).DecodeRequest([]byte(body)); err == nil {
			t.Errorf("%s: got no error", body)
		} else {
			asLLM(t, err)
		}
	}
}

// TestT146NothingIsNull: servers refuse members that are null.
func TestT146NothingIsNull(t *testing.T) {
	t.Parallel()
	req, err := embedClient{}.DecodeRequest([]byte(`{"input":"a","encoding_format":null,"dimensions":null,"user":null,"new":null}`))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := embedProvider{}.EncodeRequest(req, dialect.Target{Model: "m"})
	if err != nil || string(enc.Body) != `{"model":"m","input":"a"}` {
		t.Errorf("got %s, %v want nothing that was not given", enc.Body, err)
	}
}

// TestCorpusEmbeddings replays recorded exchanges: every request that was answered reads, and every vector survives.
func TestCorpusEmbeddings(t *testing.T) {
	t.Parallel()
	var requests, answers, failures int
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if x.RequestKind == "json" && strings.Contains(x.Path, "/embeddings") {
			requests++
			checkEmbedRequest(t, x)
		}
		switch {
		case x.ResponseKind != "json" || !strings.Contains(x.Path, "/embeddings") || strings.Contains(x.Path, "/usage/"):
		case x.Status >= 400:
			failures++
			checkError(t, x)
		default:
			answers++
			checkEmbedAnswer(t, x)
		}
	}, "openai.embeddings")
	t.Logf("%d requests, %d answers, %d errors", requests, answers, failures)
	if requests < 200 || answers < 200 || failures < 15 {
		t.Error("got too few of some kind")
	}
}

func checkEmbedRequest(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	req, err := embedClient{}.DecodeRequest(x.RequestBody)
	if err != nil {
		if x.Status == 200 {
			t.Errorf("%s: %s accepted a request that gives %v", x.ID, x.Vendor, err)
		}
		return
	}
	enc, err := embedProvider{}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil || len(enc.Losses) > 0 {
		t.Errorf("%s: encode: %v, losses %v", x.ID, err, enc.Losses)
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Errorf("%s: encoded request: %v", x.ID, err)
	}
}

func checkEmbedAnswer(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	r, err := embedProvider{}.DecodeResponse(x.ResponseBody)
	if err != nil {
		t.Errorf("%s: %s: answer: %v", x.ID, x.Vendor, err)
		return
	}
	var want struct {
		Data  []struct{ Embedding json.RawMessage }
		Usage struct {
			Tokens int64 `json:"prompt_tokens"`
		}
	}
	if err := json.Unmarshal(x.ResponseBody, &want); err != nil {
		t.Fatal(err)
	}
	list := r.VectorsOf()
	if len(list) != len(want.Data) || r.Usage.Input() != want.Usage.Tokens {
		t.Errorf("%s: got %d vectors, %d tokens want %d, %d", x.ID, len(list), r.Usage.Input(), len(want.Data), want.Usage.Tokens)
	}
	for _, kinds := range [][]llm.VectorKind{nil, {llm.VectorBase64}} {
		r.Asked = &llm.Request{Embed: &llm.Embed{Kinds: kinds}}
		body, _, err := embedClient{}.EncodeResponse(r)
		if err != nil {
			t.Fatalf("%s: encode: %v", x.ID, err)
		}
		again, err := embedProvider{}.DecodeResponse(body)
		if err != nil {
			t.Fatalf("%s: decode again: %v", x.ID, err)
		}
		dialecttest.EqualVectors(t, x.ID, again, r)
	}
}

func FuzzDecodeEmbedRequest(f *testing.F) {
	for _, body := range []string{`{"input":"a"}`, `{"input":["a","b"],"dimensions":3,"user":"u","new":1}`, `{"input":[[1],[2]],"encoding_format":"base64"}`, `{"input":[1]}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) != nil {
			return
		}
		dialecttest.FuzzRequest(t, NewEmbeddings(), body)
	})
}

func FuzzDecodeEmbedResponse(f *testing.F) {
	for _, body := range []string{`{"data":[{"embedding":[1,2],"index":0}],"model":"m","usage":{"prompt_tokens":3}}`, `{"data":[{"embedding":"AACAPw=="}]}`, `{"error":{"message":"x"}}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewEmbeddings(), body) })
}
