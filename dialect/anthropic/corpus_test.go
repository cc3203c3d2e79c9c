package anthropic

import (
	"bytes"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// TestRecordedRequests reads every request that the vendor accepted, and writes it again: what the relay's bytes
// say and what the translation says must agree in everything that llm has words for.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	n := 0
	dialecttest.Recorded(t, 1, func(e *dialecttest.Exchange) {
		if e.RequestKind != "json" || e.Status >= 400 || jsontext.Value(e.RequestBody).Get("messages").Kind() != jsontext.Array {
			return
		}
		n++
		req, err := New().Client.DecodeRequest(e.RequestBody)
		if err != nil {
			t.Errorf("%s: DecodeRequest: %v", e.ID, err)
			return
		}
		facts := llm.ModelFacts{Prefill: true, MidSystem: true, Thinking: llm.ThinkingBoth}
		enc, err := New().Provider.EncodeRequest(req, dialect.Target{Model: req.Model, Facts: facts})
		if err != nil {
			if !strings.Contains(err.Error(), "answers no tool call") { // which the oldest models let pass
				t.Errorf("%s: EncodeRequest: %v", e.ID, err)
			}
			return
		}
		again, err := New().Client.DecodeRequest(enc.Body)
		if err != nil {
			t.Errorf("%s: DecodeRequest of what was encoded: %v", e.ID, err)
			return
		}
		twice, err := New().Provider.EncodeRequest(again, dialect.Target{Model: req.Model, Facts: facts})
		if err != nil || !bytes.Equal(twice.Body, enc.Body) {
			t.Errorf("%s: encoded a second time: got\n%s (%v)\nwant\n%s", e.ID, twice.Body, err, enc.Body)
		}
	}, "anthropic.messages")
	t.Logf("%d requests", n)
}

// TestRecordedAnswers reads every recorded answer with the reader and the tap, whole or as a stream.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	whole, streams := 0, 0
	dialecttest.Recorded(t, 1, func(e *dialecttest.Exchange) {
		switch {
		case e.ResponseKind == "json" && e.Status < 400:
			whole++
			resp, err := New().Provider.DecodeResponse(e.ResponseBody)
			sig, tapErr := New().Relay.NewTap(dialect.Ask{}).Body(e.ResponseBody)
			if err != nil || tapErr != nil {
				t.Errorf("%s: DecodeResponse: %v, tap: %v\n%.300s", e.ID, err, tapErr, e.ResponseBody)
				return
			}
			if sig.Model != resp.Model || !resp.Usage.Known {
				t.Errorf("%s: got %+v and usage %+v", e.ID, sig, resp.Usage)
			}
			body, _, err := New().Client.EncodeResponse(resp)
			if err != nil {
				t.Errorf("%s: EncodeResponse: %v", e.ID, err)
				return
			}
			keys := []string{"id", "model", "stop_reason", "stop_sequence"}
			if strings.Contains(e.ID, "programmatic-tool-calling") {
				keys = keys[:2] // put together by hand: calls, and end_turn
			}
			sameMembers(t, e.ID, body, jsontext.Value(e.ResponseBody), keys...)
		case e.ResponseKind == "json":
			want := map[int]llm.Code{400: llm.CodeInvalidRequest, 401: llm.CodeProviderAuth, 404: llm.CodeModelGone}[e.Status]
			if got := New().Provider.DecodeError(e.Status, e.ResponseBody); got.Code != want || got.Type == "" {
				t.Errorf("%s: got %+v for status %d want %s", e.ID, got, e.Status, want)
			}
		case e.ResponseKind == "sse", e.ResponseKind == "jsonl":
			streams++
			checkStream(t, e.ID, e.Frames(t, ""))
		}
	}, "anthropic.messages")
	t.Logf("%d answers, %d streams", whole, streams)
}

func sameMembers(t *testing.T, id string, got, want jsontext.Value, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if g, w := got.Get(key), want.Get(key); !jsontext.Equal(g, w) && (!g.IsNull() || !w.IsNull()) {
			t.Errorf("%s: %s: got %s want %s", id, key, g, w)
		}
	}
	g, w := blocksOf(got), blocksOf(want)
	if len(g) != len(w) {
		t.Errorf("%s: got %d blocks want %d", id, len(g), len(w))
		return
	}
	for i := range g {
		for _, key := range []string{"type", "text", "thinking", "signature", "data", "id", "name", "input"} {
			if a, b := g[i].Get(key), w[i].Get(key); !jsontext.Equal(a, b) {
				t.Errorf("%s: block %d: %s: got %s want %s", id, i, key, a, b)
			}
		}
	}
}

// blocksOf lists the blocks that say something.
func blocksOf(answer jsontext.Value) []jsontext.Value {
	var list []jsontext.Value
	_ = answer.Get("content").Array(func(_ int, b jsontext.Value) error {
		if !is(b.Get("text"), "") {
			list = append(list, b)
		}
		return nil
	})
	return list
}

func checkStream(t *testing.T, id string, list []dialect.Frame) {
	t.Helper()
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	tap := New().Relay.NewTap(dialect.Ask{})
	var tapErr error
	for _, f := range list {
		if _, tapErr = tap.Frame(f); tapErr != nil {
			break
		}
	}
	if tapErr == nil {
		_, tapErr = tap.Close()
	}
	if (err == nil) != (tapErr == nil) {
		t.Errorf("%s: reader says %v, tap says %v", id, err, tapErr)
	}
	if err != nil {
		t.Logf("%s: %v", id, err)
		return
	}
	events := append(read, closed...)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	if got, want := llm.Collect(events).Usage, tap.Usage(); got != want {
		t.Errorf("%s: usage: got %+v, tap says %+v", id, got, want)
	}
}
