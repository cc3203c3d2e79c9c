package anthropic

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

func TestCount(t *testing.T) { dialecttest.RunOperation(t, NewCount(), "testdata/count") }

// TestCorpusCount replays recorded exchanges.
func TestCorpusCount(t *testing.T) {
	dialecttest.ReplayCounts(t, NewCount(), "anthropic.count_tokens", "/count_tokens", 8)
}

// TestCountIsThePrompt: what has no part in the prompt is not sent, and not missed.
func TestCountIsThePrompt(t *testing.T) {
	t.Parallel()
	req, err := countClient{}.DecodeRequest([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7,"temperature":0.5,"stop_sequences":["x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := countProvider{}.EncodeRequest(req, dialect.Target{Model: "n"})
	if want := `{"model":"n","messages":[{"role":"user","content":"hi"}]}`; err != nil || !jsontext.Equal(enc.Body, jsontext.Value(want)) {
		t.Errorf("got %s, %v want %s", enc.Body, err, want)
	}
	for _, body := range []string{`{}`, `{"model":"m"}`, `{"model":"m","messages":[]}`, `{"messages":[{"role":"user","content":"hi"}]}`} {
		if _, err := (countClient{}).DecodeRequest([]byte(body)); err == nil {
			t.Errorf("%s: got no error", body)
		}
	}
}

func FuzzDecodeCountRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"s","tools":[{"name":"f","input_schema":{"type":"object"}}],"thinking":{"type":"disabled"}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewCount(), body)
		}
	})
}
