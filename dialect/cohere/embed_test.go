package cohere

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestEmbed(t *testing.T) { dialecttest.RunOperation(t, NewEmbed(), "testdata/embed") }

// TestEmbedBatches: 96 inputs are one request, and more are more.
func TestEmbedBatches(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 1, 96: 1, 97: 2, 960: 10, 961: 11} {
		req := &llm.Request{Embed: &llm.Embed{Inputs: make([]llm.EmbedInput, n), Purpose: llm.PurposeQuery}}
		enc, err := embedProvider{}.EncodeRequest(req, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		all := append([][]byte{enc.Body}, enc.More...)
		total := 0
		for _, body := range all {
			var v struct{ Texts []string }
			if err := json.Unmarshal(body, &v); err != nil || len(v.Texts) > maxInputs {
				t.Errorf("%d inputs: got %d in one request, %v", n, len(v.Texts), err)
			}
			total += len(v.Texts)
		}
		if len(all) != want || total != n {
			t.Errorf("%d inputs: got %d requests with %d inputs want %d with all", n, len(all), total, want)
		}
	}
}

func TestEmbedRefuses(t *testing.T) {
	t.Parallel()
	for body, param := range map[string]string{
		`{}`:                "texts",
		`{"texts":[]}`:      "texts",
		`{"texts":"a"}`:     "texts",
		`{"texts":["a",7]}`: "texts[1]",
		`{"texts":["a"],"images":["data:;base64,AA=="]}`:  "texts",
		`{"images":["x:"],"texts":null,"model":7}`:        "model",
		`{"images":["data:image/png;base64,!"]}`:          "images[0]",
		`{"inputs":[{}]}`:                                 "inputs[0].content",
		`{"inputs":[{"content":[]}]}`:                     "inputs[0].content",
		`{"inputs":[{"content":[{"type":"x"}]}]}`:         "inputs[0].content[0].type",
		`{"inputs":[{"content":[{"type":"text"}]}]}`:      "inputs[0].content[0].text",
		`{"inputs":[{"content":[{"type":"image_url"}]}]}`: "inputs[0].content[0].image_url",
		`{"texts":["a"],"input_type":"x"}`:                "input_type",
		`{"texts":["a"],"embedding_types":["x"]}`:         "embedding_types[0]",
		`{"texts":["a"],"truncate":"end"}`:                "truncate",
		`{"texts":["a"],"output_dimension":0}`:            "output_dimension",
	} {
		_, err := embedClient{}.DecodeRequest([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != param {
			t.Errorf("%s: got %v want an error about %s", body, err, param)
		}
	}
}

// TestEmbedPlainList reads the answer of older models, which have one kind of vectors only.
func TestEmbedPlainList(t *testing.T) {
	t.Parallel()
	r, err := embedProvider{}.DecodeResponse([]byte(`{"id":"x","embeddings":[[1,2],[3,4]],"response_type":"embeddings_floats"}`))
	if err != nil || len(r.VectorsOf()) != 2 || r.Usage.Known {
		t.Errorf("got %+v, %v want two vectors", r, err)
	}
	r, err = embedProvider{}.DecodeResponse([]byte(`{"embeddings":{"float":[[1]],"int8":null,"uint8":[]},"meta":{"billed_units":{"images":1,"image_tokens":128,"input_tokens":2}}}`))
	if err != nil || len(r.Vectors) != 1 || r.Usage.Input() != 130 {
		t.Errorf("got %+v, %v want one kind, and the tokens of images", r, err)
	}
}

// TestCorpusEmbed replays recorded exchanges, those of Bedrock with the vendor's models among them.
func TestCorpusEmbed(t *testing.T) {
	t.Parallel()
	requests, answers := 0, 0
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if x.API != "cohere.embed" && !strings.Contains(x.Path, "cohere.embed") {
			return
		}
		requests++
		checkEmbedRequest(t, x)
		if x.Status >= 400 {
			checkError(t, x)
			return
		}
		answers++
		checkEmbedAnswer(t, x)
	}, "cohere.embed", "bedrock.invoke")
	t.Logf("%d requests, %d answers", requests, answers)
	if requests < 20 || answers < 20 {
		t.Error("got too few")
	}
}

func checkEmbedRequest(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	req, err := embedClient{}.DecodeRequest(x.RequestBody)
	if err != nil {
		t.Errorf("%s: got %v for a request with status %d", x.ID, err, x.Status)
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
		t.Errorf("%s: answer: %v", x.ID, err)
		return
	}
	asked, err := embedClient{}.DecodeRequest(x.RequestBody)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(r.VectorsOf()), len(asked.Embed.Inputs); got != want {
		t.Errorf("%s: got %d vectors want %d", x.ID, got, want)
	}
	r.Asked = asked
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

func FuzzDecodeEmbedRequest(f *testing.F) {
	for _, body := range []string{
		`{"texts":["a","b"],"input_type":"search_query","embedding_types":["float","int8"],"truncate":"NONE","output_dimension":3,"priority":1}`,
		`{"images":["data:image/png;base64,iVBORw0KGgo="]}`,
		`{"inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://example.com"}}]}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) != nil {
			return
		}
		dialecttest.FuzzRequest(t, NewEmbed(), body)
	})
}

func FuzzDecodeEmbedResponse(f *testing.F) {
	for _, body := range []string{`{"embeddings":{"float":[[1,2]],"base64":["AACAPw=="]},"meta":{"billed_units":{"input_tokens":1}}}`, `{"embeddings":[[1]]}`, `{"message":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewEmbed(), body) })
}
