package gemini

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

func TestCount(t *testing.T) { dialecttest.RunOperation(t, NewCount(), "testdata/count") }

func TestVertexCount(t *testing.T) {
	dialecttest.RunOperation(t, NewVertexCount(), "testdata/count")
}

// TestVertexCountIsFlat: what counts stands beside the contents, and nothing else does.
func TestVertexCountIsFlat(t *testing.T) {
	t.Parallel()
	const counts = `"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}]`
	req, err := countClient{}.DecodeRequest([]byte(`{` + counts + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"cachedContent":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := countProvider{isVertex: true}.EncodeRequest(req, dialect.Target{Model: "gemini-x"})
	if err != nil || !jsontext.Equal(enc.Body, jsontext.Value(`{`+counts+`}`)) {
		t.Errorf("got %s, %v want {%s}", enc.Body, err, counts)
	}
}

// TestCorpusCount replays recorded exchanges.
func TestCorpusCount(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayCounts(t, NewCount(), "gemini.count_tokens", ":countTokens", 5)
}

// TestCountForms reads contents alone, a whole request in either spelling, and Vertex AI's form; and names the model
// wherever it stands.
func TestCountForms(t *testing.T) {
	t.Parallel()
	const contents = `"contents":[{"parts":[{"text":"a"}]}]`
	for body, named := range map[string]string{
		`{` + contents + `}`: `{` + contents + `}`,
		`{"generateContentRequest":{"model":"models/m",` + contents + `}}`:                                     `{"generateContentRequest":{"model":"models/n",` + contents + `}}`,
		`{"generate_content_request":{"model":"models/m",` + contents + `}}`:                                   `{"generate_content_request":{"model":"models/n",` + contents + `}}`,
		`{"model":"publishers/google/models/m",` + contents + `,"systemInstruction":{"parts":[{"text":"s"}]}}`: `{"model":"publishers/google/models/n",` + contents + `,"systemInstruction":{"parts":[{"text":"s"}]}}`,
	} {
		req, err := countClient{}.DecodeRequest([]byte(body))
		if err != nil || len(req.Messages) == 0 {
			t.Errorf("%s: got %+v, %v", body, req, err)
		}
		got, err := countRelay{}.SetModel([]byte(body), "n", dialect.Ask{})
		if err != nil || string(got) != named {
			t.Errorf("got %s, %v want %s", got, err, named)
		}
	}
	for _, body := range []string{`{}`, `[]`, `{"generateContentRequest":{}}`, `{"contents":[]}`} {
		if _, err := (countClient{}).DecodeRequest([]byte(body)); err == nil {
			t.Errorf("%s: got no error", body)
		}
	}
}

func FuzzDecodeCountRequest(f *testing.F) {
	for _, body := range []string{
		`{"contents":[{"parts":[{"text":"a"}]}]}`,
		`{"contents":[{"role":"user","parts":[{"text":"a"}],"new":1},{"role":"user","parts":[{"text":"b"}],"new":2}]}`,
		`{"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"a"}]}],"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}]}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewCount(), body)
			dialecttest.FuzzRequest(t, NewVertexCount(), body)
		}
	})
}
