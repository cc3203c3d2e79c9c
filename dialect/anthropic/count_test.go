package anthropic

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestCount(t *testing.T) { dialecttest.RunOperation(t, NewCount(), "testdata/count") }

// TestCorpusCount replays recorded exchanges.
func TestCorpusCount(t *testing.T) {
	t.Parallel()
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

// TestMembersOfOneTurn: what messages had that became one stands there once, and what differed is told.
func TestMembersOfOneTurn(t *testing.T) {
	t.Parallel()
	req, err := New().Client.DecodeRequest([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a","new":1},{"role":"user","content":"b","new":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	wantLosses(t, encode(t, req, llm.ModelFacts{}), "")
	req.Messages[1].Extra = llm.Extra{issuer: {{Key: "New", Raw: []byte("2")}}}
	enc := encode(t, req, llm.ModelFacts{})
	wantLosses(t, enc, "message_members=dropped(tuning)")
	if got := string(enc.Body); !strings.Contains(got, `"new":1}`) || strings.Contains(got, "New") {
		t.Errorf("got %s, want the first of the two", got)
	}
}

func FuzzDecodeCountRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"s","tools":[{"name":"f","input_schema":{"type":"object"}}],"thinking":{"type":"disabled"}}`,
		`{"model":"m","messages":[{"role":"user","content":"a","new":1},{"role":"user","content":"b","new":1},{"role":"user","content":"c","New":2}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewCount(), body)
		}
	})
}
