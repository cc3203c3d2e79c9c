package gemini

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestPredict(t *testing.T) { dialecttest.RunOperation(t, NewPredict(), "testdata/predict") }

// TestCorpusPredict replays recorded exchanges.
func TestCorpusPredict(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayEmbeddings(t, NewPredict(), "vertex.predict", ":predict", 5)
}

// TestPredictPieces: a request has as many texts as the vendor takes at a time, by number, by size, and of one family one.
func TestPredictPieces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		model       string
		texts, size int
		want        int
	}{
		{"text-embedding-005", 250, 3, 1},
		{"text-embedding-005", 251, 3, 2},
		{"text-embedding-005", 4, 10_000, 1},
		{"text-embedding-005", 5, 10_000, 2},
		{"text-embedding-005", 2, 50_000, 2},
		{"gemini-embedding-001", 3, 3, 3},
	} {
		req := &llm.Request{Embed: &llm.Embed{}}
		for range tc.texts {
			req.Embed.Inputs = append(req.Embed.Inputs, llm.EmbedInput{Text: strings.Repeat("a", tc.size)})
		}
		enc, err := predictProvider{}.EncodeRequest(req, dialect.Target{Model: tc.model})
		total := 0
		for _, body := range append([][]byte{enc.Body}, enc.More...) {
			_ = jsontext.Value(body).Get("instances").Array(func(int, jsontext.Value) error { total++; return nil })
		}
		if err != nil || 1+len(enc.More) != tc.want || total != tc.texts {
			t.Errorf("%+v: got %d requests with %d texts, %v", tc, 1+len(enc.More), total, err)
		}
	}
}

// TestPredictRequests reads what clients send, and refuses other models' instances and texts that are wanted for different things.
func TestPredictRequests(t *testing.T) {
	t.Parallel()
	body := `{"instances":[{"content":"a","task_type":"QUESTION_ANSWERING","title":"t"}],"parameters":{"outputDimensionality":3,"autoTruncate":false},"labels":{"a":"b"}}`
	req, err := predictClient{}.DecodeRequest([]byte(body))
	if err != nil || len(req.Extra[selfPredict]) != 3 || req.Embed.Truncate != llm.TruncateNone || *req.Embed.Dimensions != 3 {
		t.Errorf("got %+v, %v want all of it", req, err)
	}
	for body, param := range map[string]string{
		`{}`: "instances", `{"instances":[]}`: "instances",
		`{"instances":[{"prompt":"a cat"}]}`:                                                            "instances",
		`{"instances":[{"content":1}]}`:                                                                 "instances[0].content",
		`{"instances":[{"content":"a"},{"content":"b","task_type":"CLUSTERING"}]}`:                      "instances",
		`{"instances":[{"content":"a","title":"x"},{"content":"b"}]}`:                                   "instances",
		`{"instances":[{"content":"a"}],"parameters":{"outputDimensionality":0}}`:                       "parameters.outputDimensionality",
		`{"instances":[{"content":"a","task_type":"X"},{"content":"b","task_type":"RETRIEVAL_QUERY"}]}`: "instances",
	} {
		_, err := predictClient{}.DecodeRequest([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Param != param {
			t.Errorf("%s: got %+v want an error about %s", body, err, param)
		}
	}
	if _, err := (predictRelay{}).Peek([]byte(`{"instances":[{"prompt":"a cat"}]}`)); err == nil {
		t.Error("an image: got it relayed, want it refused")
	}
	if _, err := (predictRelay{}).Peek([]byte(`{"instances":[{"content":"a"},{"content":"b","title":"t"}]}`)); err != nil {
		t.Errorf("texts that the vendor takes: got %v", err)
	}
}

func FuzzDecodePredictRequest(f *testing.F) {
	for _, body := range []string{
		`{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY","title":"t"},{"content":"b","taskType":"RETRIEVAL_QUERY","title":"t"}],"parameters":{"outputDimensionality":3,"autoTruncate":true}}`,
		`{"instances":{"content":"a"},"labels":{}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewPredict(), body)
		}
	})
}

func FuzzDecodePredictResponse(f *testing.F) {
	for _, body := range []string{
		`{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":3,"truncated":false}}}],"metadata":{"billableCharacterCount":9}}`,
		`{"error":{"code":429}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewPredict(), body) })
}
