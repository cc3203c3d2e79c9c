package anthropic

import (
	"bytes"
	"errors"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
)

func TestInvokeCanonical(t *testing.T) {
	none := func(string) string { return "" }
	for _, tc := range []struct {
		body   string
		stream bool
		want   string // the body, or the field at fault
		beta   string
	}{
		{`{"anthropic_version":"bedrock-2023-05-31","max_tokens":1}`, false, `{"max_tokens":1,"model":"m/\"1"}`, ""},
		{`{"max_tokens":1,"anthropic_beta":["a-2025.01","b"], "anthropic_version":"x"}`, true, `{"max_tokens":1,"stream":true,"model":"m/\"1"}`, "a-2025.01,b"},
		{`{"anthropic_version":"x","model":"other","stream":true}`, false, `{"model":"m/\"1"}`, ""},
		{`{"max_tokens":1}`, false, "anthropic_version", ""},
		{`{"anthropic_version":"x","anthropic_beta":"a"}`, false, "anthropic_beta", ""},
		{`{"anthropic_version":"x","anthropic_beta":["a\r\nX: y"]}`, false, "anthropic_beta[0]", ""},
	} {
		own, err := NewInvoke().Canonical(dialect.Framed{Body: []byte(tc.body), Model: `m/"1`, Stream: tc.stream, Header: none})
		var e *llm.Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Param != tc.want):
			t.Errorf("%s: got %v want a fault at %s", tc.body, err, tc.want)
		case err == nil && (string(own.Body) != tc.want || own.Header[betaHeader] != tc.beta):
			t.Errorf("%s: got %s, %v want %s, %q", tc.body, own.Body, own.Header, tc.want, tc.beta)
		}
	}
	guarded := func(name string) string { return map[string]string{guardrailHeader: "g"}[name] }
	if _, err := NewInvoke().Canonical(dialect.Framed{Body: []byte(`{"anthropic_version":"x"}`), Header: guarded}); err == nil {
		t.Error("a guardrail in a header: got no error, want it refused")
	}
}

// TestInvokeStream writes a stream in chunks, and reads it again in the dialect.
func TestInvokeStream(t *testing.T) {
	w := NewInvoke().Client.NewStreamWriter(dialect.StreamOptions{Framing: dialect.FramingChunks})
	stream := w.Heartbeat(nil)
	for _, e := range dialecttest.Hundred() {
		stream = w.Heartbeat(w.Write(stream, e))
	}
	list := dialecttest.FramesOf(t, dialect.FramingChunks, stream)
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	if err != nil {
		t.Fatal(err)
	}
	if got := llm.Collect(append(read, closed...)); len(got.Choices) != 1 || len(got.Choices[0].Parts[0].Text) != 600 {
		t.Errorf("got %+v want the text", got)
	}
	tap := NewInvoke().Relay.NewTap(askNothing)
	for i, f := range list[:len(list)-1] { // the last is a sign of life after the end
		s, err := tap.Frame(f)
		if err != nil {
			t.Fatal(err)
		}
		if s.Event == "" && f.Event == "" {
			t.Errorf("frame %d: got no name for %s", i, f.Data)
		}
	}
	tap = NewInvoke().Relay.NewTap(askNothing)
	for _, f := range list[:len(list)-2] {
		if _, err := tap.Frame(f); err != nil {
			t.Fatal(err)
		}
	}
	last, err := tap.Close()
	if want := (&frames.Writer{Kind: frames.Chunks}).Append(nil, "", []byte(lastEvent)); err != nil || !bytes.Equal(last, want) {
		t.Errorf("got terminator %q, %v want the last event in a chunk", last, err)
	}
}

// TestExceptions are errors in the words of AWS, in an answer and in a stream.
func TestExceptions(t *testing.T) {
	for name, want := range map[string]llm.Code{
		"throttlingException": llm.CodeRateLimit, "modelStreamErrorException": llm.CodeServerError, "serviceUnavailableException": llm.CodeOverloaded,
		"modelTimeoutException": llm.CodeTimeout, "validationException": llm.CodeInvalidRequest, "newException": llm.CodeServerError,
	} {
		f := dialect.Frame{Event: name, Exception: true, Data: []byte(`{"message":"m"}`)}
		var e *llm.Error
		if _, err := New().Provider.NewStreamReader().Read(nil, f); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: got %v want %s", name, err, want)
		}
		if _, err := New().Relay.NewTap(askNothing).Frame(f); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: tap: got %v want %s", name, err, want)
		}
		if e := readException(dialect.Frame{Event: name, Data: []byte("oops")}); e.Code != want {
			t.Errorf("%s: got %v for a payload that is no JSON", name, e)
		}
	}
	for body, want := range map[string]llm.Code{
		`{"__type":"ValidationException:http://x/","message":"Input is too long for requested model."}`:                                  llm.CodeContextLength,
		`{"__type":"ValidationException","message":"The model returned the following errors: prompt is too long: 9 tokens > 8 maximum"}`: llm.CodeContextLength,
		`{"__type":"ValidationException","message":"m"}`:                                                                                 llm.CodeInvalidRequest,
		`{"__type":"ServiceQuotaExceededException","message":"m"}`:                                                                       llm.CodeQuota,
	} {
		if got := New().Provider.DecodeError(400, []byte(body)); got.Code != want || got.Type == "" {
			t.Errorf("%s: got %+v want %s", body, got, want)
		}
	}
	status, body := NewInvoke().Client.EncodeError(&llm.Error{Code: llm.CodeRateLimit, Message: "Slow down."}, "")
	if want := `{"__type":"ThrottlingException","message":"Slow down."}`; status != 429 || string(body) != want {
		t.Errorf("got %d %s want 429 %s", status, body, want)
	}
}
