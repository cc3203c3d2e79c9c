package openaichat

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

func TestRecordedExchanges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("thousands of exchanges")
	}
	dialecttest.Recorded(t, dialecttest.OneIn(4), func(x *dialecttest.Exchange) {
		if x.RequestKind == "json" {
			checkRequest(t, x)
		}
		switch {
		case x.Status >= 400:
			checkError(t, x)
		case x.ResponseKind == "json":
			checkResponse(t, x)
		case x.ResponseKind == "sse":
			checkStream(t, x)
		}
	}, "openai.chat")
}

func checkRequest(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	if jsontext.Check(x.RequestBody, jsontext.Limits{}) != nil {
		return
	}
	req, err := clientSide{}.DecodeRequest(x.RequestBody)
	if err != nil {
		if x.Status == 200 && x.Vendor == "openai" {
			t.Errorf("%s: %s accepted a request that gives %v", x.ID, x.Vendor, err)
		}
		return
	}
	enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil {
		if x.Status == 200 && x.Vendor == "openai" {
			t.Errorf("%s: %s accepted a request that encodes with %v", x.ID, x.Vendor, err)
		}
		return
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Fatalf("%s: encoded request: %v", x.ID, err)
	}
	again, err := clientSide{}.DecodeRequest(enc.Body)
	if err != nil {
		t.Fatalf("%s: decode the encoded request: %v", x.ID, err)
	}
	twice, err := providerSide{}.EncodeRequest(again, dialect.Target{Model: req.Model})
	if err != nil || !bytes.Equal(twice.Body, enc.Body) {
		t.Errorf("%s: encoded twice: %v: got %.20000s want %.20000s", x.ID, err, twice.Body, enc.Body)
	}
}

func checkError(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	if e := (providerSide{}).DecodeError(x.Status, x.Answer(t)); e.Message == "" || e.Code == "" {
		t.Errorf("%s: got error %+v", x.ID, e)
	}
}

// isChat reports whether a recorded body is an answer to this dialect's request at all.
func isChat(body []byte) bool {
	v := forms.Trim(body)
	return v.Kind() == jsontext.Object && v.Get("choices").Kind() == jsontext.Array
}

func checkResponse(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	dialecttest.TapBody(t, New(), x.ResponseBody)
	r, err := providerSide{}.DecodeResponse(x.ResponseBody)
	if err != nil {
		if !slices.Contains(x.Flags, "error") && isChat(x.ResponseBody) && !bytes.Contains(x.ResponseBody, []byte(`"error":`)) {
			t.Errorf("%s: %s: answer: %v", x.ID, x.Vendor, err)
		}
		return
	}
	want := said(x.ResponseBody, "message")
	if got := texts(r, false); got != want {
		t.Errorf("%s: %s: text: got %.300q want %.300q", x.ID, x.Vendor, got, want)
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
	if got, want := texts(again, true), texts(r, true); got != want {
		t.Errorf("%s: text in the encoded answer: got %.300q want %.300q", x.ID, got, want)
	}
	if again.Usage != r.Usage {
		t.Errorf("%s: usage: got %+v want %+v", x.ID, again.Usage, r.Usage)
	}
}

func checkStream(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	list := x.Frames(t, "")
	holdTap(t, list)
	read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
	if err != nil {
		if !slices.Contains(x.Flags, "error") && bytes.Contains(x.Answer(t), []byte(`"finish_reason"`)) {
			t.Errorf("%s: %s: stream: %v", x.ID, x.Vendor, err)
		}
		return
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	var want strings.Builder
	for _, f := range list {
		want.WriteString(said(f.Data, "delta"))
	}
	r := llm.Collect(events)
	if got := texts(r, false); len(r.Choices) == 1 && got != want.String() {
		t.Errorf("%s: %s: streamed text: got %.300q want %.300q", x.ID, x.Vendor, got, want.String())
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
	again := llm.Collect(slices.Concat(read, closed))
	if got, want := texts(again, true), texts(r, true); got != want {
		t.Errorf("%s: text in the written stream: got %.300q want %.300q", x.ID, got, want)
	}
	if again.Usage != r.Usage {
		t.Errorf("%s: usage: got %+v want %+v", x.ID, again.Usage, r.Usage)
	}
}

// said is what a body says, read by other means than the dialect's: the content, and the arguments of the calls.
func said(body []byte, key string) string {
	type function struct {
		Arguments any `json:"arguments"`
	}
	type piece struct {
		Content   any `json:"content"`
		ToolCalls []struct {
			Function function `json:"function"`
		} `json:"tool_calls"`
		FunctionCall function `json:"function_call"`
	}
	var chunk struct {
		Choices []map[string]json.RawMessage `json:"choices"`
	}
	if json.Unmarshal(body, &chunk) != nil {
		return ""
	}
	var text strings.Builder
	for _, ch := range chunk.Choices {
		var p piece
		if json.Unmarshal(ch[key], &p) != nil {
			continue
		}
		switch c := p.Content.(type) {
		case string:
			text.WriteString(c)
		case map[string]any:
			text.Write(jsontext.Compact(nil, jsontext.Value(ch[key]).Get("content")))
		case []any:
			for _, el := range c {
				if m, ok := el.(map[string]any); ok {
					if s, ok := m["text"].(string); ok {
						text.WriteString(s)
					}
				}
			}
		}
		for _, c := range p.ToolCalls {
			if s, ok := c.Function.Arguments.(string); ok && s != noArgs {
				text.WriteString(s)
			}
		}
		if s, ok := p.FunctionCall.Arguments.(string); ok {
			text.WriteString(s)
		}
	}
	return text.String()
}

// texts is what an answer says in the words of llm. If filled is set, a whole call without arguments has an empty
// object, as it is written.
func texts(r *llm.Response, filled bool) string {
	var b strings.Builder
	for _, ch := range r.Choices {
		for _, p := range ch.Parts {
			if p.Kind == llm.PartText {
				b.WriteString(p.Text)
			}
		}
		for _, p := range ch.Parts {
			if p.Call == nil {
				continue
			}
			b.WriteString(p.Call.Args)
			if filled && p.Call.Args == "" && ch.Stop.Reason == llm.StopToolCalls {
				b.WriteString(emptyArgs)
			}
		}
	}
	return b.String()
}
