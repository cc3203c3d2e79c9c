package gemini

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// seeds are what the dialect itself writes for the canonical exchanges.
func seeds(f *testing.F, add func(request, response, stream []byte)) {
	f.Helper()
	for _, s := range dialecttest.Scenarios() {
		var request, response, stream []byte
		if s.Request != nil {
			enc, _ := New().Provider.EncodeRequest(s.Request, dialect.Target{Model: "m", Facts: s.Facts})
			request = enc.Body
		}
		if s.Response != nil {
			response, _, _ = New().Client.EncodeResponse(s.Response)
			stream = []byte(write(s.Response.Events()))
		}
		add(request, response, stream)
	}
}

// FuzzDecodeRequest holds that what can be read can be written, and that it is the same when it is read again.
func FuzzDecodeRequest(f *testing.F) {
	seeds(f, func(request, _, _ []byte) { f.Add(request) })
	f.Add([]byte(`{"system_instruction":{"parts":{"text":"s"}},"contents":{"parts":[{"function_response":{"name":"f","response":{"a":1}}},{"inline_data":{"mime_type":"text/plain","data":"aGk"}}]}}`))
	f.Add([]byte(`{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"\n"}}]}]}`))
	deep := jsontext.DefaultDepth - 3 // a level less than it becomes when what is one is a list of one
	f.Add([]byte(`{"contents":{"parts":{"text":"a","x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) != nil {
			return
		}
		req, err := New().Client.DecodeRequest(body)
		var e *llm.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("got error %T want *llm.Error", err)
			}
			return
		}
		to := dialect.Target{Model: "m"}
		enc, err := New().Provider.EncodeRequest(req, to)
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("got error %T want *llm.Error", err)
			}
			return
		}
		if err := jsontext.Check(enc.Body, dialecttest.Written); err != nil {
			t.Fatalf("got a body that is no JSON: %v\n%s", err, enc.Body)
		}
		if jsontext.Check(enc.Body, jsontext.Limits{}) == nil {
			if _, err := New().Client.DecodeRequest(enc.Body); err != nil {
				t.Errorf("got %v for what was written: %s", err, enc.Body)
			}
		}
		if _, _, err := New().Relay.Strip(body); err != nil {
			t.Errorf("Strip: %v", err)
		}
		if _, err := New().Relay.Peek(body); err != nil {
			t.Errorf("Peek: %v", err)
		}
	})
}

// FuzzDecodeResponse holds that an answer is read or refused, that reader and tap agree, and that it says the same when
// it is written and read again.
func FuzzDecodeResponse(f *testing.F) {
	seeds(f, func(_, response, _ []byte) { f.Add(response) })
	f.Fuzz(func(t *testing.T, body []byte) {
		resp, err := New().Provider.DecodeResponse(body)
		tap := New().Relay.NewTap(dialect.Ask{})
		sig, tapErr := tap.Body(body)
		var e *llm.Error
		if err != nil {
			if !errors.As(err, &e) || resp != nil {
				t.Errorf("got %v, %T want nothing and an *llm.Error", resp, err)
			}
			return
		}
		if tapErr != nil || tap.Usage() != resp.Usage || !sig.End {
			t.Errorf("the tap says %+v, %v and usage %+v, the reader %+v", sig, tapErr, tap.Usage(), resp.Usage)
		}
		dialecttest.Reencoded(t, New(), resp)
	})
}

// FuzzStreamReader holds that a stream is read to a legal end or refused, never both, that the tap agrees, and that
// reading does not keep what belongs to the frame.
func FuzzStreamReader(f *testing.F) {
	seeds(f, func(_, _, stream []byte) { f.Add(stream) })
	f.Add([]byte("data: " + parts(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a[0]['b']","stringValue":"x"}],"willContinue":true}}`, "") + "\n\ndata: " + parts(`{"functionCall":{}}`, stop)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 1<<16 || bytes.Count(stream, []byte("\n")) > 2000 {
			return
		}
		var list []dialect.Frame
		for block := range bytes.SplitSeq(stream, []byte("\n\n")) {
			list = append(list, dialect.Frame{Data: bytes.TrimPrefix(block, []byte("data: "))})
		}
		read, closed, err := dialecttest.ReadStream(New().Provider.NewStreamReader(), list)
		events := slices.Concat(read, closed)
		var e *llm.Error
		switch {
		case err == nil:
			if err := dialecttest.CheckEvents(events); err != nil {
				t.Errorf("got %v, want a legal stream", err)
			}
			dialecttest.Rewritten(t, New(), events)
		case !errors.As(err, &e):
			t.Errorf("got error %T want *llm.Error", err)
		case slices.ContainsFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventEnd }):
			t.Errorf("got both an End and %v", err)
		}
		tap := New().Relay.NewTap(dialect.Ask{})
		if tapErr := tapAll(tap, list); err == nil && (tapErr != nil || tap.Usage() != llm.Collect(events).Usage) {
			t.Errorf("the reader is content, the tap says %v, usage %+v", tapErr, tap.Usage())
		}
		overwritten(t, list, events)
	})
}

// overwritten reads the frames again, each from a buffer that is then reused.
func overwritten(t *testing.T, list []dialect.Frame, want []llm.Event) {
	t.Helper()
	rd := New().Provider.NewStreamReader()
	var got []llm.Event
	var err error
	for _, f := range list {
		data := bytes.Clone(f.Data)
		if got, err = rd.Read(got, dialect.Frame{Data: data}); err != nil {
			break
		}
		for i := range data {
			data[i] = 'x'
		}
	}
	if err == nil {
		got, _ = rd.Close(got)
	}
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("got other events when the frames' memory was reused")
	}
}

// FuzzDecodeError holds that anything is an error of some class, shown without markup.
func FuzzDecodeError(f *testing.F) {
	f.Add(400, []byte(`{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"},{"retryDelay":"3s","violations":[{"quotaId":"PerDay"}]}]}}`))
	f.Add(0, []byte(`[{"error":{"code":503}}]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := New().Provider.DecodeError(status, body)
		_ = e.Code.Info() // panics on a code that is not listed
		if e.Status != status || e.Message == "" || len(e.Message) > 4*maxMessage {
			t.Errorf("got %+v", e)
		}
		if _, body := New().Client.EncodeError(e, ""); len(body) > maxErrorBody {
			t.Errorf("got a body of %d bytes", len(body))
		}
	})
}
