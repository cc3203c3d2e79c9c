package ollama

import (
	"bytes"
	"encoding/json"
	"reflect"
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
		if x.RequestKind == "json" {
			requests++
			checkRequest(t, x)
		}
		switch {
		case x.Status >= 400:
			failures++
			checkError(t, x)
		case x.ResponseKind == "ndjson", x.ResponseKind == "jsonl":
			streams++
			checkStream(t, x)
		default:
			answers++
			checkResponse(t, x)
		}
	}, "ollama.chat")
	t.Logf("%d requests, %d answers, %d streams, %d errors", requests, answers, streams, failures)
	if requests < 200 || answers < 100 || streams < 100 || failures < 10 {
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
		if x.Status < 400 { // GIFs are refused
			t.Errorf("%s: encode: %v", x.ID, err)
		}
		return
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Fatalf("%s: encoded request: %v", x.ID, err)
	}
	for _, l := range enc.Losses {
		if l.Action != llm.ActionRepaired {
			t.Errorf("%s: got loss %v to its own dialect", x.ID, l)
		}
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
		if s := string(raw); sent[key] == nil && s != "null" && s != "[]" && s != "0" && s != "{}" && s != `""` {
			t.Errorf("%s: got member %s lost: %s", x.ID, key, raw)
		}
	}
}

func checkError(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	e := providerSide{}.DecodeError(x.Status, x.ResponseBody)
	want := map[int]llm.Code{404: llm.CodeModelGone, 500: llm.CodeServerError}[x.Status]
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
	if got, want := texts(r), allTexts(x.ResponseBody); got != want {
		t.Errorf("%s: got text %.300q want %.300q", x.ID, got, want)
	}
	if !r.Usage.Known || r.Model == "" { // some recorders replaced the times
		t.Errorf("%s: got usage %+v, model %q", x.ID, r.Usage, r.Model)
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
	if !reflect.DeepEqual(got.Choices[0].LogProbs, want.Choices[0].LogProbs) {
		t.Errorf("%s: got %d probabilities want %d", id, len(got.Choices[0].LogProbs), len(want.Choices[0].LogProbs))
	}
	if wordOf(got.Choices[0].Stop.Reason) != wordOf(want.Choices[0].Stop.Reason) {
		t.Errorf("%s: got stop %v want %v", id, got.Choices[0].Stop, want.Choices[0].Stop)
	}
}

func checkStream(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	list := x.Frames(t, dialect.FramingNDJSON)
	holdTap(t, list)
	read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
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
	if got, want := texts(r), allTexts(data...); got != want {
		t.Errorf("%s: got text %.300q want %.300q", x.ID, got, want)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "x", Usage: true})
	var out []byte
	for _, e := range events {
		out = w.Write(out, e)
	}
	read, closed, err = dialecttest.ReadStream(providerSide{}.NewStreamReader(), dialecttest.FramesOf(t, dialect.FramingNDJSON, out))
	if err != nil {
		t.Fatalf("%s: read the written stream: %v", x.ID, err)
	}
	sameAnswer(t, x.ID, llm.Collect(slices.Concat(read, closed)), r)
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

// allTexts is the same, read by other means than the dialect's.
func allTexts(lines ...[]byte) string {
	var think, text, args strings.Builder
	for _, line := range lines {
		var a struct {
			Message struct {
				Content, Thinking string
				Calls             []struct {
					Function struct {
						Name      string
						Arguments json.RawMessage
					}
				} `json:"tool_calls"`
			}
		}
		_ = json.Unmarshal(line, &a)
		think.WriteString(a.Message.Thinking)
		text.WriteString(a.Message.Content)
		for _, c := range a.Message.Calls {
			args.WriteString(c.Function.Name)
			args.Write(jsontext.Compact(nil, jsontext.Value(c.Function.Arguments)))
		}
	}
	return think.String() + "|" + text.String() + "|" + args.String()
}
