package bedrock

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// recorded calls f for every recorded exchange, and skips the test where the recordings are not at hand.
func recorded(t *testing.T, f func(*dialecttest.Exchange)) {
	t.Helper()
	dialecttest.Recorded(t, 1, f, "bedrock.converse", "bedrock.converse_stream")
}

// TestCorpusRequests reads every request that the vendor accepted, and writes it again: what the relay's bytes say
// and what the translation says must agree in everything that llm has words for.
func TestCorpusRequests(t *testing.T) {
	t.Parallel()
	n := 0
	recorded(t, func(e *dialecttest.Exchange) {
		if e.RequestKind != "json" || e.Status >= 400 {
			return
		}
		n++
		req, err := New().Client.DecodeRequest(e.RequestBody)
		if err != nil {
			t.Errorf("%s: DecodeRequest: %v", e.ID, err)
			return
		}
		to := dialect.Target{Model: e.Model, Facts: llm.ModelFacts{Prefill: true, MidSystem: true, Thinking: llm.ThinkingBoth}}
		enc, err := New().Provider.EncodeRequest(req, to)
		if err != nil {
			t.Errorf("%s: EncodeRequest: %v", e.ID, err)
			return
		}
		sameRequest(t, e, enc)
		again, err := New().Client.DecodeRequest(enc.Body)
		if err != nil {
			t.Errorf("%s: DecodeRequest of what was encoded: %v", e.ID, err)
			return
		}
		twice, err := New().Provider.EncodeRequest(again, to)
		if err != nil || !bytes.Equal(twice.Body, enc.Body) {
			t.Errorf("%s: encoded a second time: got\n%s (%v)\nwant\n%s", e.ID, twice.Body, err, enc.Body)
		}
	})
	t.Logf("%d requests", n)
}

// sameRequest compares what was written with what was read, member by member, unless a loss explains a difference.
func sameRequest(t *testing.T, e *dialecttest.Exchange, enc dialect.Encoded) {
	t.Helper()
	for _, l := range enc.Losses {
		t.Logf("%s: %v (%s)", e.ID, l, l.Detail)
	}
	if len(enc.Losses) > 0 {
		return
	}
	want := jsontext.Value(bytes.TrimSpace(e.RequestBody))
	err := want.Object(func(key string, v jsontext.Value) error {
		got := jsontext.Value(enc.Body).Get(key)
		if !jsontext.Equal(got, v) && string(jsontext.Compact(nil, v)) != "{}" && !isOtherwise(key, v) {
			t.Errorf("%s: %s: got\n%s\nwant\n%s", e.ID, key, got, jsontext.Compact(nil, v))
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", e.ID, err)
	}
}

// isOtherwise reports whether a member may be written in another way and mean the same: JSON in a result as text, a
// schema without its white space, messages of one role as one, and a temperature that is the default not at all.
func isOtherwise(key string, v jsontext.Value) bool {
	role, same := "", false
	if key == "messages" {
		_ = v.Array(func(_ int, m jsontext.Value) error { // the vendor accepted it, and the function returns no error
			same = same || forms.TextOf(m.Get("role")) == role
			role = forms.TextOf(m.Get("role"))
			return nil
		})
	}
	return same || key == "messages" && bytes.Contains(v, []byte(`"json":`)) || key == "outputConfig" ||
		key == inferenceConfig && string(v.Get("temperature")) == "1"
}

// TestCorpusAnswers reads every recorded answer with the reader and the tap, whole or as a stream, and writes it again.
func TestCorpusAnswers(t *testing.T) {
	t.Parallel()
	whole, streams, failures := 0, 0, 0
	recorded(t, func(e *dialecttest.Exchange) {
		switch {
		case e.Status >= 400:
			failures++
			checkFailure(t, e)
		case e.ResponseKind == "json":
			whole++
			checkAnswer(t, e)
		case e.ResponseKind == "eventstream":
			streams++
			checkStream(t, e.ID, e.Frames(t, dialect.FramingEventStream))
		}
	})
	t.Logf("%d answers, %d streams, %d errors", whole, streams, failures)
}

func checkFailure(t *testing.T, e *dialecttest.Exchange) {
	t.Helper()
	kind := e.Header["x-amzn-errortype"]
	named, err := jsontext.Set(e.ResponseBody, dialect.ExceptionMember, jsontext.AppendString(nil, kind))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]llm.Code{
		"ExpiredTokenException": llm.CodeProviderAuth, "ValidationException": llm.CodeInvalidRequest,
		"ResourceNotFoundException": llm.CodeModelGone,
	}
	got := New().Provider.DecodeError(e.Status, named)
	if got.Code != want[got.Type] || !strings.HasPrefix(kind, got.Type) {
		t.Errorf("%s: got %+v for %d %s want %s", e.ID, got, e.Status, kind, want[got.Type])
	}
}

func checkAnswer(t *testing.T, e *dialecttest.Exchange) {
	t.Helper()
	resp, err := New().Provider.DecodeResponse(e.ResponseBody)
	tap := New().Relay.NewTap(dialect.Ask{})
	_, tapErr := tap.Body(e.ResponseBody)
	if err != nil || tapErr != nil {
		t.Errorf("%s: DecodeResponse: %v, tap: %v\n%.300s", e.ID, err, tapErr, e.ResponseBody)
		return
	}
	if tap.Usage() != resp.Usage {
		t.Errorf("%s: usage: got %+v, tap says %+v", e.ID, resp.Usage, tap.Usage())
	}
	body, losses, err := New().Client.EncodeResponse(resp)
	if err != nil || len(losses) > 0 && resp.Usage.Known {
		t.Errorf("%s: EncodeResponse: got %v, %v", e.ID, losses, err)
		return
	}
	if strings.Contains(e.ID, "2e15425b") || strings.Contains(e.ID, "empty-minimal") {
		return // put together by hand, of blocks that say nothing
	}
	body = bytes.ReplaceAll(body, []byte(`,"signature":"`+wrap("", "")+`"`), nil) // of models that sign nothing
	said := bytes.ReplaceAll(e.ResponseBody, []byte(`,"type":"tool_use"`), nil)   // which calls need not say
	for _, key := range []string{"output", "stopReason", "metrics", "trace", "serviceTier"} {
		g, w := jsontext.Value(body).Get(key), jsontext.Value(said).Get(key)
		if !jsontext.Equal(g, w) && (!g.IsNull() || !w.IsNull()) {
			t.Errorf("%s: %s: got\n%s\nwant\n%s", e.ID, key, g, w)
		}
	}
}

func checkStream(t *testing.T, id string, list []dialect.Frame) {
	t.Helper()
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	tap := New().Relay.NewTap(dialect.Ask{})
	tapErr := tapAll(tap, list)
	if err != nil || tapErr != nil {
		t.Errorf("%s: reader says %v, tap says %v", id, err, tapErr)
		return
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	resp := llm.Collect(events)
	if resp.Usage != tap.Usage() || !resp.Usage.Known {
		t.Errorf("%s: usage: got %+v, tap says %+v", id, resp.Usage, tap.Usage())
	}
	again, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), dialecttest.FramesOf(t, dialect.FramingEventStream, write(events)))
	if err != nil {
		t.Errorf("%s: reading what was written: %v", id, err)
		return
	}
	if got, want := shown(llm.Collect(slices.Concat(again, closed))), shown(resp); got != want {
		t.Errorf("%s: written and read again: got\n%s\nwant\n%s", id, got, want)
	}
}

func tapAll(tap dialect.Tap, list []dialect.Frame) error {
	for _, f := range list {
		if _, err := tap.Frame(f); err != nil {
			return err
		}
	}
	_, err := tap.Close()
	return err
}

// write writes a stream.
func write(events []llm.Event) []byte {
	w := New().Client.NewStreamWriter(dialect.StreamOptions{})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	return out
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
