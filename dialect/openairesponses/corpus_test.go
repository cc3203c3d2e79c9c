package openairesponses

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	if testing.Short() {
		t.Skip("more than a thousand exchanges")
	}
	counts := map[string]int{}
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if x.RequestKind == "json" {
			counts["requests"]++
			checkRequest(t, x)
		}
		switch {
		case x.Status >= 400:
			counts["errors"]++
			checkError(t, x)
		case x.ResponseKind == "json":
			counts["answers"]++
			checkResponse(t, x)
		case x.ResponseKind == "sse":
			counts["streams"]++
			checkStream(t, x, x.Frames(t, ""))
		case x.ResponseKind == "jsonl":
			counts["streams without framing"]++
			checkStream(t, x, x.Frames(t, ""))
		}
	}, "openai.responses")
	t.Logf("read %v", counts)
}

func checkRequest(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	if jsontext.Check(x.RequestBody, jsontext.Limits{}) != nil {
		return
	}
	req, err := clientSide{}.DecodeRequest(x.RequestBody)
	if err != nil {
		if x.Status == 200 && jsontext.Value(x.RequestBody).Get("model") != nil { // a kept prompt may name the model
			t.Errorf("%s: %s accepted a request that gives %v", x.ID, x.Vendor, err)
		}
		return
	}
	enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: req.Model})
	if err != nil {
		if x.Status == 200 {
			t.Errorf("%s: %s accepted a request that encodes with %v", x.ID, x.Vendor, err)
		}
		return
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Fatalf("%s: encoded request: %v", x.ID, err)
	}
	for _, l := range enc.Losses {
		if l.Feature != llm.FeatureToolStrict && l.Feature != llm.FeatureJSONSchema && l.Feature != llm.FeatureThinkingHistory &&
			l.Feature != "tool_schema" && (l.Feature != llm.FeatureMaxTokens || *req.MaxTokens >= minMaxTokens) {
			t.Errorf("%s: got loss %v on the way to the same dialect", x.ID, l)
		}
	}
	again, err := clientSide{}.DecodeRequest(enc.Body)
	if err != nil {
		t.Fatalf("%s: decode the encoded request: %v", x.ID, err)
	}
	twice, err := providerSide{}.EncodeRequest(again, dialect.Target{Model: req.Model})
	if err != nil || !bytes.Equal(twice.Body, enc.Body) {
		t.Errorf("%s: encoded twice: %v: got %.20000s want %.20000s", x.ID, err, twice.Body, enc.Body)
	}
	if got, want := asked(t, enc.Body), asked(t, x.RequestBody); got != want {
		t.Errorf("%s: what is asked: got %.2000q want %.2000q", x.ID, got, want)
	}
}

// asked is what a request says to the model, read by other means than the dialect's: the texts, calls and results.
func asked(t *testing.T, body []byte) string {
	t.Helper()
	var req struct {
		Instructions string          `json:"instructions"`
		Input        json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	say := func(words ...any) {
		for _, w := range words {
			if s, ok := w.(string); ok && s != "" && !strings.HasPrefix(s, documentBegin) {
				fmt.Fprintln(&b, s)
			}
		}
	}
	say(req.Instructions)
	var items []map[string]any
	var text string
	if json.Unmarshal(req.Input, &text) == nil {
		say(text)
	}
	if json.Unmarshal(req.Input, &items) != nil {
		return b.String()
	}
	for _, item := range items {
		if item["type"] == "reasoning" {
			say(item["encrypted_content"])
			continue
		}
		say(item["call_id"], item["name"], item["arguments"], item["output"], item["content"])
		if item["type"] != "message" && item["type"] != nil && item["content"] == nil && item["call_id"] == nil {
			say(item["id"])
		}
		for _, key := range []string{"content", "output"} {
			list, _ := item[key].([]any)
			for _, el := range list {
				p, _ := el.(map[string]any)
				say(p["text"], p["refusal"], p["file_id"], p["file_url"])
				if p["image_url"] != nil || p["file_data"] != nil && p["filename"] != "quarterly_sales.csv" { // that becomes text
					say("a file")
				}
			}
		}
	}
	return b.String()
}

func checkError(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	e := providerSide{}.DecodeError(x.Status, x.ResponseBody)
	if e.Message == "" || e.Code == "" {
		t.Errorf("%s: got error %+v", x.ID, e)
	}
	want := llm.CodeOfStatus(x.Status)
	if bytes.Contains(x.ResponseBody, []byte("model_not_found")) {
		want = llm.CodeModelGone
	}
	if e.Code != want {
		t.Errorf("%s: got %s want %s", x.ID, e.Code, want)
	}
}

func checkResponse(t *testing.T, x *dialecttest.Exchange) {
	t.Helper()
	var tapped tap
	signal, tapErr := tapped.Body(x.ResponseBody)
	r, err := providerSide{}.DecodeResponse(x.ResponseBody)
	if isUnsupported(err) && tapErr == nil {
		return // an item for this dialect's own clients
	}
	if (err == nil) != (tapErr == nil) {
		t.Errorf("%s: %s: decoded with %v, tapped with %v", x.ID, x.Vendor, err, tapErr)
	}
	if err != nil {
		if !slices.Contains(x.Flags, "error") {
			t.Errorf("%s: %s: answer: %v", x.ID, x.Vendor, err)
		}
		return
	}
	if tapped.Usage() != r.Usage || signal.Content != (len(r.Choices[0].Parts) > 0 || len(r.Choices[0].LogProbs) > 0) {
		t.Errorf("%s: tapped %+v, %+v: got %+v", x.ID, signal, tapped.Usage(), r.Usage)
	}
	if got, want := texts(r), answered(t, x.ResponseBody); got != want {
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
	same(t, x, "the encoded answer", again, written(r))
}

func isUnsupported(err error) bool {
	var e *llm.Error
	return errors.As(err, &e) && e.Code == llm.CodeUnsupported
}

// written is r as a client has it: counts that cannot be true, such as the zeros of some answers, are written to nobody.
func written(r *llm.Response) *llm.Response {
	w := *r
	w.Usage.Absurd = false
	return &w
}

// same compares answers, but for what is made anew.
func same(t *testing.T, x *dialecttest.Exchange, what string, got, want *llm.Response) {
	t.Helper()
	if texts(got) != texts(want) || got.Usage != want.Usage || got.Choices[0].Stop.Reason != want.Choices[0].Stop.Reason ||
		!slices.EqualFunc(got.Choices[0].LogProbs, want.Choices[0].LogProbs, func(a, b llm.TokenLogProb) bool { return a.Token == b.Token }) {
		t.Errorf("%s: %s: got %.2000s want %.2000s", x.ID, what, show(t, got), show(t, want))
	}
}

func show(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func checkStream(t *testing.T, x *dialecttest.Exchange, list []dialect.Frame) {
	t.Helper()
	r := holdStream(t, x, list)
	if r == nil {
		return
	}
	var last []byte
	for _, f := range list {
		if bytes.Contains(f.Data, []byte(`"response.completed"`)) || bytes.Contains(f.Data, []byte(`"response.incomplete"`)) {
			last = jsontext.Value(f.Data).Get("response")
		}
	}
	if last == nil {
		return
	}
	whole, err := providerSide{}.DecodeResponse(last)
	if err != nil {
		t.Fatalf("%s: the stream's response: %v", x.ID, err)
	}
	// Some servers leave the output of the last event empty, and in some recordings pieces are left out or rewritten.
	edited := x.ResponseKind == "jsonl" || strings.Contains(x.ID, "flue-instrumentation")
	if len(whole.Choices[0].Parts) > 0 && !edited {
		same(t, x, "the stream, and its own last event", r, whole)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "x", Model: "x", Usage: true})
	var out []byte
	for _, e := range r.Events() {
		out = w.Write(out, e)
	}
	read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), dialecttest.Frames(t, out))
	if err != nil {
		t.Fatalf("%s: read the written stream: %v", x.ID, err)
	}
	same(t, x, "the written stream", llm.Collect(slices.Concat(read, closed)), written(r))
}

// holdStream reads a stream and taps it: both must see the same.
func holdStream(t *testing.T, x *dialecttest.Exchange, list []dialect.Frame) *llm.Response {
	t.Helper()
	var tapped tap
	reader := providerSide{}.NewStreamReader()
	var events []llm.Event
	for i, f := range list {
		from := len(events)
		var err error
		events, err = reader.Read(events, f)
		signal, tapErr := tapped.Frame(f)
		if isUnsupported(err) && tapErr == nil {
			return nil // an item for this dialect's own clients
		}
		if (err == nil) != (tapErr == nil) {
			t.Fatalf("%s: frame %d: read with %v, tapped with %v", x.ID, i, err, tapErr)
		}
		if err != nil {
			if !slices.Contains(x.Flags, "error") {
				t.Errorf("%s: %s: frame %d: %v", x.ID, x.Vendor, i, err)
			}
			return nil
		}
		has := slices.ContainsFunc(events[from:], func(e llm.Event) bool { return e.IsContent() })
		if has && !signal.Content {
			t.Errorf("%s: frame %d: got no content where the reader has some: %.300s", x.ID, i, f.Data)
		}
	}
	events, err := reader.Close(events)
	_, tapErr := tapped.Close()
	if (err == nil) != (tapErr == nil) {
		t.Errorf("%s: closed with %v, tapped with %v", x.ID, err, tapErr)
	}
	if err != nil {
		return nil // an excerpt
	}
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	r := llm.Collect(events)
	if tapped.Usage() != r.Usage {
		t.Errorf("%s: tapped usage %+v want %+v", x.ID, tapped.Usage(), r.Usage)
	}
	return r
}

// answered is what a response says, read by other means than the dialect's.
func answered(t *testing.T, body []byte) string {
	t.Helper()
	var r struct {
		Output []struct {
			Type      string `json:"type"`
			Name      string `json:"name"`
			Arguments any    `json:"arguments"`
			Input     string `json:"input"`
			Content   []struct {
				Text    string `json:"text"`
				Refusal string `json:"refusal"`
			} `json:"content"`
		} `json:"output"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			for _, c := range item.Content {
				b.WriteString(c.Text)
				if c.Text == "" {
					b.WriteString(c.Refusal)
				}
			}
		case "function_call":
			fmt.Fprint(&b, item.Name, item.Arguments)
		case "custom_tool_call":
			b.WriteString(item.Name + item.Input)
		}
	}
	return b.String()
}

// texts is what an answer says in the words of llm.
func texts(r *llm.Response) string {
	var b strings.Builder
	for _, p := range r.Choices[0].Parts {
		switch {
		case p.Kind == llm.PartText || p.Kind == llm.PartRefusal:
			b.WriteString(p.Text)
		case p.Call != nil:
			name, custom := isCustom(p.Call.Name)
			b.WriteString(name)
			if custom {
				b.WriteString(customInputOf(p.Call.Args))
			} else {
				b.WriteString(p.Call.Args)
			}
		}
	}
	return b.String()
}
