package anthropic

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// TestCorpusInvoke reads what was recorded of InvokeModel with Claude's bodies: requests in their frame, answers and
// streams in the dialect.
func TestCorpusInvoke(t *testing.T) {
	t.Parallel()
	requests, answers, streams := 0, 0, 0
	dialecttest.Recorded(t, 1, func(e *dialecttest.Exchange) {
		body := jsontext.Value(e.RequestBody)
		if e.RequestKind != "json" || e.Status >= 400 || body.Get(versionMember).IsNull() {
			return
		}
		requests++
		own, err := NewInvoke().Canonical(dialect.Framed{Body: e.RequestBody, Model: "m", Header: func(string) string { return "" }})
		if err != nil {
			t.Errorf("%s: Canonical: %v", e.ID, err)
			return
		}
		req, err := New().Client.DecodeRequest(own.Body)
		if err != nil {
			t.Errorf("%s: DecodeRequest: %v", e.ID, err)
			return
		}
		if _, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m", Facts: llm.ModelFacts{Prefill: true, Thinking: llm.ThinkingBoth}}); err != nil {
			t.Errorf("%s: EncodeRequest: %v", e.ID, err)
		}
		switch e.ResponseKind {
		case "json":
			answers++
			resp, err := New().Provider.DecodeResponse(e.ResponseBody)
			tap := New().Relay.NewTap(dialect.Ask{})
			if _, tapErr := tap.Body(e.ResponseBody); err != nil || tapErr != nil || tap.Usage() != resp.Usage {
				t.Errorf("%s: DecodeResponse: %v, tap: %v", e.ID, err, tapErr)
			}
		case "eventstream":
			streams++
			list := e.Frames(t, dialect.FramingChunks)
			checkStream(t, e.ID, list)
			if _, _, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list); err != nil {
				t.Errorf("%s: %v", e.ID, err)
			}
		}
	}, "bedrock.invoke", "bedrock.invoke_stream")
	t.Logf("%d requests, %d answers, %d streams", requests, answers, streams)
}
