package bedrock

import (
	"errors"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestCount(t *testing.T) { dialecttest.RunOperation(t, NewCount(), "testdata/count") }

// TestCountIsThePrompt: what has no part in the prompt is not sent.
func TestCountIsThePrompt(t *testing.T) {
	t.Parallel()
	const prompt = `"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"s"}]`
	req, err := countClient{}.DecodeRequest([]byte(`{"input":{"converse":{` + prompt + `,"inferenceConfig":{"maxTokens":7,"temperature":0.5}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := countProvider{}.EncodeRequest(req, dialect.Target{Model: "anthropic.claude-x"})
	if want := `{"input":{"converse":{` + prompt + `}}}`; err != nil || !jsontext.Equal(enc.Body, jsontext.Value(want)) {
		t.Errorf("got %s, %v want %s", enc.Body, err, want)
	}
}

// TestCountIsRefused: what is no prompt, and what only the vendor can count.
func TestCountIsRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`: "input", `[]`: "input", `{"input":{}}`: "input", `{"input":{"other":{}}}`: "input",
		`{"input":{"converse":{}}}`:                               "messages",
		`{"input":{"converse":{"messages":[{"role":"nobody"}]}}}`: "messages[0].role",
		`{"input":{"converse":[],"invokeModel":null}}`:            "",
		`{"input":{"invokeModel":{"body":"e30="}}}`:               "input.invokeModel",
		`{"input":{"invokeModel":{"body":"e30="},"converse":{}}}`: "input",
	} {
		_, err := countClient{}.DecodeRequest([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Param != want {
			t.Errorf("%s: got %v, about %q want an error about %q", body, err, e.Param, want)
		}
	}
}

// TestCountStrip removes from a relayed prompt what this gateway has signed.
func TestCountStrip(t *testing.T) {
	t.Parallel()
	const said = `{"text":"b"}`
	body := `{"input":{"converse":{"messages":[{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"a","signature":"` + marker + `x"}}},` + said + `]}]}}}`
	got, losses, err := countRelay{}.Strip([]byte(body))
	if want := `{"input":{"converse":{"messages":[{"role":"assistant","content":[` + said + `]}]}}}`; err != nil || string(got) != want || len(losses) != 1 {
		t.Errorf("got %s, %v, %v want %s", got, losses, err, want)
	}
	for _, body := range []string{`{"input":{"invokeModel":{"body":"e30="}}}`, `{"input":{"converse":{"messages":[]}}}`, `{}`} {
		if got, losses, err := (countRelay{}).Strip([]byte(body)); string(got) != body || losses != nil || err != nil {
			t.Errorf("got %s, %v, %v want %s as it was", got, losses, err, body)
		}
	}
}

func FuzzDecodeCountRequest(f *testing.F) {
	for _, body := range []string{
		`{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"s"}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}}}}`,
		`{"input":{"invokeModel":{"body":"e30="}}}`,
		`{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"a"}],"new":1},{"role":"user","content":[{"text":"b"}],"new":2}]}}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewCount(), body)
		}
	})
}
