package bedrock

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// seeds are what the dialect itself writes for the canonical exchanges; of a stream, a line an event.
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
			stream = dialecttest.Legible(&testing.T{}, dialect.FramingEventStream, write(s.Response.Events()))
		}
		add(request, response, stream)
	}
}

// FuzzDecodeRequest holds that what can be read can be written and read again.
func FuzzDecodeRequest(f *testing.F) {
	seeds(f, func(request, _, _ []byte) { f.Add(request) })
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
		enc, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m"})
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("got error %T want *llm.Error", err)
			}
			return
		}
		if err := jsontext.Check(enc.Body, dialecttest.Written); err != nil {
			t.Errorf("got a body that is no JSON: %v\n%s", err, enc.Body)
		}
		if _, _, err := New().Relay.Strip(body); err != nil {
			t.Errorf("Strip: %v", err)
		}
		if _, err := New().Relay.Peek(body); err != nil {
			t.Errorf("Peek: %v", err)
		}
	})
}

// FuzzDecodeResponse holds that an answer is read or refused, and that reader and tap agree.
func FuzzDecodeResponse(f *testing.F) {
	seeds(f, func(_, response, _ []byte) { f.Add(response) })
	f.Fuzz(func(t *testing.T, body []byte) {
		resp, err := New().Provider.DecodeResponse(body)
		var e *llm.Error
		if err != nil {
			if !errors.As(err, &e) || resp != nil {
				t.Errorf("got %v, %T want nothing and an *llm.Error", resp, err)
			}
			return
		}
		if _, err := New().Relay.NewTap(dialect.Ask{}).Body(body); err != nil {
			t.Errorf("the reader is content, the tap says %v", err)
		}
		dialecttest.Reencoded(t, New(), resp)
	})
}

// FuzzDecodeError holds that every error has a class and is safe to show.
func FuzzDecodeError(f *testing.F) {
	f.Add(400, []byte(`{"__type":"ValidationException","message":"Input is too long"}`))
	f.Add(424, []byte(`{"__type":"ModelErrorException","originalStatusCode":503,"message":"m"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := New().Provider.DecodeError(status, body)
		_ = e.Code.Info() // panics on a code that is not listed
		if e.Message == "" || len(e.Message) > 4*maxMessage {
			t.Errorf("got a message of %d bytes", len(e.Message))
		}
	})
}

// framesOf reads the lines of a legible stream.
func framesOf(stream []byte) []dialect.Frame {
	var list []dialect.Frame
	for line := range bytes.Lines(stream) {
		name, data, _ := bytes.Cut(bytes.TrimRight(line, "\n"), []byte(" "))
		list = append(list, dialect.Frame{Event: string(name), Data: data, Exception: bytes.HasSuffix(name, []byte("Exception"))})
	}
	return list
}

// FuzzStreamReader holds that a stream is read to a legal end or refused, never both, that the tap agrees, and that
// reading does not keep what belongs to the frame.
func FuzzStreamReader(f *testing.F) {
	seeds(f, func(_, _, stream []byte) { f.Add(stream) })
	f.Add([]byte("messageStart {}\nthrottlingException {\"message\":\"m\"}\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 1<<16 || bytes.Count(stream, []byte("\n")) > 2000 {
			return
		}
		list := framesOf(stream)
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
		if tapErr := tapAll(New().Relay.NewTap(dialect.Ask{}), list); err == nil && tapErr != nil {
			t.Errorf("the reader is content, the tap says %v", tapErr)
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
		if got, err = rd.Read(got, dialect.Frame{Event: f.Event, Data: data, Exception: f.Exception}); err != nil {
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
