package gemini

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
	dialecttest.Recorded(t, 1, f, "gemini.generate", "gemini.stream")
}

// TestCorpusRequests reads every request that the vendor accepted, and writes it again: what the relay's bytes say and
// what the translation says must agree in everything that llm has words for, and what it has no words for must have a
// row in the table.
func TestCorpusRequests(t *testing.T) {
	t.Parallel()
	n := 0
	losses := map[string]int{}
	rows := map[string]bool{}
	for _, f := range fields() {
		rows[f.Path] = true
	}
	recorded(t, func(e *dialecttest.Exchange) {
		if e.RequestKind != "json" || e.Status >= 400 {
			return
		}
		n++
		if err := jsontext.Check(e.RequestBody, jsontext.Limits{}); err != nil {
			t.Errorf("%s: the gateway refuses it: %v", e.ID, err)
			return
		}
		req, err := New().Client.DecodeRequest(e.RequestBody)
		if err != nil {
			t.Errorf("%s: DecodeRequest: %v\n%.600s", e.ID, err, e.RequestBody)
			return
		}
		for _, l := range dialect.Contract(New(), &dialect.Dialect{Name: "none", Carries: carries()}, req) {
			if !rows[l.Path] {
				t.Errorf("%s: got %s lost, which has no row in the table", e.ID, l.Path)
			}
		}
		to := dialect.Target{Model: "m", Facts: llm.ModelFacts{Thinking: llm.ThinkingBoth}}
		enc, err := New().Provider.EncodeRequest(req, to)
		if err != nil {
			if !strings.Contains(err.Error(), "answers no tool call") { // which models without ids let pass
				t.Errorf("%s: EncodeRequest: %v\n%.3000s", e.ID, err, e.RequestBody)
			}
			return
		}
		for _, l := range enc.Losses {
			losses[l.String()]++
		}
		again, err := New().Client.DecodeRequest(enc.Body)
		if err != nil {
			t.Errorf("%s: DecodeRequest of what was encoded: %v", e.ID, err)
			return
		}
		twice, err := New().Provider.EncodeRequest(again, to)
		if err != nil || !bytes.Equal(twice.Body, enc.Body) {
			t.Errorf("%s: encoded a second time: got\n%s (%v)\nwant\n%s", e.ID, twice.Body, err, enc.Body)
		}
		sameRequest(t, e.ID, enc.Body, jsontext.Value(e.RequestBody))
	})
	t.Logf("%d requests; lost on the way back: %v", n, losses)
}

// sameRequest compares the texts, calls, results and signatures of a request with those of the recorded one.
func sameRequest(t *testing.T, id string, got, want jsontext.Value) {
	t.Helper()
	if g, w := saidIn(got), saidIn(want); !slices.Equal(g, w) {
		t.Errorf("%s: got contents\n%s\nwant\n%s", id, strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
}

// saidIn lists what the contents of a request say, in words that the two spellings share.
func saidIn(v jsontext.Value) []string {
	var list []string
	_ = each(get(v, "contents"), func(c jsontext.Value) error {
		return each(c.Get("parts"), func(v jsontext.Value) error {
			var p piece
			if err := p.find(v); err != nil {
				return err
			}
			switch {
			case p.thought:
			case p.call != nil:
				call, err := callOf(p.call)
				if err != nil {
					return err
				}
				args, _ := jsontext.ParseLenient([]byte(call.Args))
				list = append(list, "call "+call.Name+" "+string(jsontext.Compact(nil, args))+" "+signedBy(p.signature))
			case p.response != nil:
				list = append(list, "result "+forms.TextOf(get(p.response, "name"))+" "+forms.OrEmptyObject(string(jsontext.Compact(nil, get(p.response, "response")))))
			case forms.TextOf(p.text) != "" || p.inline == nil && signedBy(p.signature) != "":
				list = append(list, "text "+forms.TextOf(p.text)+signedBy(p.signature))
			}
			return nil
		})
	})
	slices.Sort(list) // results before the rest of their turn
	return list
}

// TestCorpusAnswers reads every recorded answer with the reader and the tap, whole or as a stream.
func TestCorpusAnswers(t *testing.T) {
	t.Parallel()
	whole, streams, faults := 0, 0, map[llm.Code]int{}
	recorded(t, func(e *dialecttest.Exchange) {
		switch {
		case e.ResponseKind == "json" && e.Status < 400:
			whole++
			checkWhole(t, e)
		case e.ResponseKind == "json":
			want := map[int]llm.Code{
				400: llm.CodeInvalidRequest, 401: llm.CodeProviderAuth, 403: llm.CodeProviderAuth, 404: llm.CodeModelGone, 429: llm.CodeRateLimit,
			}[e.Status]
			got := New().Provider.DecodeError(e.Status, e.ResponseBody)
			faults[got.Code]++
			if got.Code != want || got.Type == "" {
				t.Errorf("%s: got %+v for status %d want %s", e.ID, got, e.Status, want)
			}
		case e.ResponseKind == "sse":
			if strings.Contains(e.ID, "/stream-basic-text-1.sse") {
				return // cut by hand: without the empty lines between events
			}
			streams++
			checkStream(t, e.ID, e.Frames(t, ""))
		case e.ResponseKind == "jsonl":
			streams++
			checkStream(t, e.ID, e.Frames(t, ""))
		}
	})
	t.Logf("%d answers, %d streams, errors %v", whole, streams, faults)
}

func checkWhole(t *testing.T, e *dialecttest.Exchange) {
	t.Helper()
	if strings.Contains(e.ID, "/tts-flash-1-1.json") {
		return // cut by hand: it does not say that it is whole
	}
	resp, err := New().Provider.DecodeResponse(e.ResponseBody)
	tap := New().Relay.NewTap(dialect.Ask{})
	sig, tapErr := tap.Body(e.ResponseBody)
	if err != nil || tapErr != nil {
		t.Errorf("%s: DecodeResponse: %v, tap: %v\n%.600s", e.ID, err, tapErr, e.ResponseBody)
		return
	}
	if sig.Model != resp.Model || tap.Usage() != resp.Usage {
		t.Errorf("%s: got %+v and usage %+v, tap says %+v", e.ID, sig, resp.Usage, tap.Usage())
	}
	body, _, err := New().Client.EncodeResponse(resp)
	if err != nil {
		t.Errorf("%s: EncodeResponse: %v", e.ID, err)
		return
	}
	again, err := New().Provider.DecodeResponse(body)
	if err != nil {
		t.Errorf("%s: DecodeResponse of what was encoded: %v", e.ID, err)
		return
	}
	if g, w := summary(again), summary(resp); g != w {
		t.Errorf("%s: got\n%s\nwant\n%s", e.ID, g, w)
	}
	total := jsontext.Value(e.ResponseBody).Get("usageMetadata", "totalTokenCount")
	n, err := total.Int()
	// Some of one collection were put together by hand, and Vertex AI has been seen to miscount its thoughts by one.
	if err == nil && !strings.HasPrefix(e.ID, "prism/") && n != resp.Usage.Total() && n+1 != resp.Usage.Total() {
		t.Errorf("%s: got %d tokens in all, the vendor says %d: %s", e.ID, resp.Usage.Total(), n, jsontext.Value(e.ResponseBody).Get("usageMetadata"))
	}
}

// summary is an answer as it is compared.
func summary(r *llm.Response) string {
	c := *r
	c.Extra = nil
	c.Created, c.Tier = 0, "" // which clients of the Gemini API are not told, or late
	c.Choices = slices.Clone(r.Choices)
	for i := range c.Choices {
		c.Choices[i].Parts = slices.Clone(c.Choices[i].Parts)
		for j := range c.Choices[i].Parts {
			c.Choices[i].Parts[j].Extra = nil
		}
	}
	b, err := json.Marshal(&c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func checkStream(t *testing.T, id string, list []dialect.Frame) {
	t.Helper()
	dialecttest.Repeats(t, New(), list)
	read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
	tap := New().Relay.NewTap(dialect.Ask{})
	tapErr := tapAll(tap, list)
	if (err == nil) != (tapErr == nil) {
		t.Errorf("%s: reader says %v, tap says %v", id, err, tapErr)
	}
	if err != nil {
		t.Errorf("%s: %v", id, err)
		return
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	if got, want := llm.Collect(events).Usage, tap.Usage(); got != want {
		t.Errorf("%s: usage: got %+v, tap says %+v", id, got, want)
	}
	writer := New().Client.NewStreamWriter(dialect.StreamOptions{})
	var stream []byte
	for _, e := range events {
		stream = writer.Write(stream, e)
	}
	read, closed, err = dialecttest.ReadStream(New().Provider.NewStreamReader(), dialecttest.Frames(t, stream))
	if err != nil {
		t.Errorf("%s: reading what the writer wrote: %v", id, err)
		return
	}
	g, w := summary(llm.Collect(slices.Concat(read, closed))), summary(llm.Collect(events))
	if w = strings.ReplaceAll(w, `"`+onText, `"`+onEmpty); g != w { // a text's signature comes in a chunk of its own
		t.Errorf("%s: got\n%s\nwant\n%s", id, g, w)
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
