package cohere

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	var requests, answers, streams, failures int
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		requests++
		checkRequest(t, x)
		switch {
		case x.Status >= 400:
			failures++
			checkError(t, x)
		case x.ResponseKind == "sse":
			streams++
			checkStream(t, x)
		default:
			answers++
			checkResponse(t, x)
		}
	}, "cohere.chat_v2")
	t.Logf("%d requests, %d answers, %d streams, %d errors", requests, answers, streams, failures)
	if requests < 100 || answers < 50 || streams < 50 || failures < 10 {
		t.Errorf("got too few of some kind")
	}
}

// checkRequest holds that a request reads, and that writing it for the same dialect loses nothing, and the second time
// changes nothing.
func checkRequest(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	req, err := clientSide{}.DecodeRequest(x.RequestBody)
	if err != nil {
		t.Errorf("%s: got %v for a request with status %d", x.ID, err, x.Status)
		return
	}
	enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil {
		t.Errorf("%s: encode: %v", x.ID, err)
		return
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Fatalf("%s: encoded request: %v", x.ID, err)
	}
	for _, l := range enc.Losses {
		t.Errorf("%s: got loss %v to its own dialect", x.ID, l)
	}
	again, err := clientSide{}.DecodeRequest(enc.Body)
	if err != nil {
		t.Fatalf("%s: decode the encoded request: %v", x.ID, err)
	}
	twice, err := providerSide{}.EncodeRequest(again, dialect.Target{Model: req.Model})
	if err != nil || !bytes.Equal(twice.Body, enc.Body) {
		t.Errorf("%s: encoded twice: %v: got %s want %s", x.ID, err, twice.Body, enc.Body)
	}
	sent := map[string]any{}
	if err := json.Unmarshal(enc.Body, &sent); err != nil {
		t.Fatal(err)
	}
	var recorded map[string]json.RawMessage
	if err := json.Unmarshal(x.RequestBody, &recorded); err != nil {
		t.Fatal(err)
	}
	for key, raw := range recorded {
		if key == "tool_choice" && sent["tools"] == nil {
			continue // a choice among no tools is none
		}
		if s := string(raw); sent[key] == nil && s != "null" && s != "false" && s != "[]" && s != "0" {
			t.Errorf("%s: got member %s lost: %s", x.ID, key, raw)
		}
	}
}

func checkError(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	e := providerSide{}.DecodeError(x.Status, x.ResponseBody)
	want := map[int]llm.Code{400: llm.CodeInvalidRequest, 401: llm.CodeProviderAuth, 404: llm.CodeModelGone, 422: llm.CodeBadAnswer}[x.Status]
	if e.Code != want {
		t.Errorf("%s: status %d: got %s want %s", x.ID, x.Status, e.Code, want)
	}
}

func checkResponse(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	r, err := providerSide{}.DecodeResponse(x.ResponseBody)
	if err != nil {
		t.Errorf("%s: answer: %v", x.ID, err)
		return
	}
	if got, want := texts(r), said(x.ResponseBody, x.ResponseBody); got != want {
		t.Errorf("%s: got text %.300q want %.300q", x.ID, got, want)
	}
	if got, want := cited(r), bytes.Count(x.ResponseBody, []byte(`"start":`)); got < want {
		t.Errorf("%s: got %d citations want %d", x.ID, got, want)
	}
	if !r.Usage.Known || r.Usage.Input() < r.Usage.InCacheRead {
		t.Errorf("%s: got usage %+v", x.ID, r.Usage)
	}
	sig, err := relay{}.NewTap(dialect.Ask{}).Body(x.ResponseBody)
	if err != nil || sig.Content != (len(r.Choices[0].Parts) > 0) {
		t.Errorf("%s: got tap %+v, %v", x.ID, sig, err)
	}
	body, _, err := clientSide{}.EncodeResponse(r)
	if err != nil {
		t.Errorf("%s: encode the answer: %v", x.ID, err)
		return
	}
	again, err := providerSide{}.DecodeResponse(body)
	if err != nil {
		t.Fatalf("%s: decode the encoded answer: %v", x.ID, err)
	}
	sameAnswer(t, x.ID, again, r)
}

// sameAnswer compares an answer with what came back of it.
func sameAnswer(t *testing.T, id string, got, want *llm.Response) {
	t.Helper()
	if texts(got) != texts(want) {
		t.Errorf("%s: got text %.300q want %.300q", id, texts(got), texts(want))
	}
	if got.Usage != want.Usage {
		t.Errorf("%s: got usage %+v want %+v", id, got.Usage, want.Usage)
	}
	if cited(got) != cited(want) || len(got.Choices[0].LogProbs) != len(want.Choices[0].LogProbs) {
		t.Errorf("%s: got %d citations and %d probabilities want %d and %d", id, cited(got), len(got.Choices[0].LogProbs), cited(want), len(want.Choices[0].LogProbs))
	}
	if got.Choices[0].Stop.Reason != want.Choices[0].Stop.Reason {
		t.Errorf("%s: got stop %v want %v", id, got.Choices[0].Stop, want.Choices[0].Stop)
	}
}

func checkStream(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	stream, list := string(x.Answer(t)), x.Frames(t, "")
	holdTap(t, list)
	read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
	if strings.Contains(stream, `"finish_reason":"ERROR"`) {
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeBadAnswer {
			t.Errorf("%s: got %v want the recorded error", x.ID, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: stream: %v", x.ID, err)
		return
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	r := llm.Collect(events)
	var data [][]byte
	for _, f := range list {
		data = append(data, f.Data)
	}
	if got, want := texts(r), said(nil, data...); got != want {
		t.Errorf("%s: got text %.300q want %.300q", x.ID, got, want)
	}
	if got, want := cited(r), strings.Count(stream, `"start":`); got < want {
		t.Errorf("%s: got %d citations want %d", x.ID, got, want)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "x", Usage: true})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	read, closed, err = dialecttest.ReadStream(providerSide{}.NewStreamReader(), dialecttest.Frames(t, out))
	if err != nil {
		t.Fatalf("%s: read the written stream: %v", x.ID, err)
	}
	sameAnswer(t, x.ID, llm.Collect(slices.Concat(read, closed)), r)
}

func cited(r *llm.Response) (n int) {
	for _, p := range r.Choices[0].Parts {
		n += len(p.Citations)
	}
	return n
}

// texts is all that an answer says: thinking, text and arguments, sorted by kind.
func texts(r *llm.Response) string {
	var think, text, args strings.Builder
	for _, p := range r.Choices[0].Parts {
		switch p.Kind {
		case llm.PartThinking:
			think.WriteString(p.Text)
		case llm.PartText:
			text.WriteString(p.Text)
		case llm.PartToolCall:
			args.WriteString(p.Call.Name + p.Call.Args)
		default:
		}
	}
	return think.String() + "|" + text.String() + "|" + args.String()
}

// said is the same, read by other means than the dialect's from a whole answer, if there is one, or the events.
func said(whole []byte, events ...[]byte) string {
	type call struct {
		Function struct{ Name, Arguments string }
	}
	type block struct{ Text, Thinking string }
	var think, text, plan, args strings.Builder
	if whole != nil {
		var a struct {
			Message struct {
				Content  []block
				ToolPlan string `json:"tool_plan"`
				Calls    []call `json:"tool_calls"`
			}
		}
		_ = json.Unmarshal(whole, &a)
		for _, b := range a.Message.Content {
			think.WriteString(b.Thinking)
			text.WriteString(b.Text)
		}
		plan.WriteString(a.Message.ToolPlan)
		for _, c := range a.Message.Calls {
			args.WriteString(c.Function.Name + c.Function.Arguments)
		}
		return think.String() + "|" + text.String() + plan.String() + "|" + args.String()
	}
	for _, e := range events {
		var a struct {
			Delta struct {
				Message struct {
					Content  json.RawMessage
					ToolPlan string          `json:"tool_plan"`
					Calls    json.RawMessage `json:"tool_calls"`
				}
			}
		}
		_ = json.Unmarshal(e, &a)
		var b block
		var c call
		_ = json.Unmarshal(a.Delta.Message.Content, &b)
		_ = json.Unmarshal(a.Delta.Message.Calls, &c)
		think.WriteString(b.Thinking)
		text.WriteString(b.Text + a.Delta.Message.ToolPlan)
		args.WriteString(c.Function.Name + c.Function.Arguments)
	}
	return think.String() + "|" + text.String() + "|" + args.String()
}
