package cohere

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// seed adds the golden files of a name.
func seed(f *testing.F, name string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*", name))
	if err != nil || len(files) == 0 {
		f.Fatalf("got no golden files %s: %v", name, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// asLLM fails unless err is an *llm.Error that can be shown.
func asLLM(t *testing.T, err error) {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Fatalf("got %v, want an *llm.Error with a message", err)
	}
	_ = e.Code.Info()
}

func FuzzDecodeRequest(f *testing.F) {
	seed(f, "request.json")
	f.Add([]byte(withMessages(hi, `"documents":["a",{"id":"b","data":{"x":1}}],"citation_options":{"mode":"FAST"},"safety_mode":"OFF"`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) != nil {
			return
		}
		r, err := clientSide{}.DecodeRequest(body)
		if err != nil {
			asLLM(t, err)
			return
		}
		if _, _, err := (relay{}).Strip(body); err != nil {
			t.Fatalf("strip: %v", err)
		}
		if _, err := (relay{}).Peek(body); err != nil {
			t.Fatalf("peek: %v", err)
		}
		enc, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			asLLM(t, err)
			return
		}
		if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
			t.Fatalf("encoded request: %v\n%s", err, enc.Body)
		}
		if _, err := (clientSide{}).DecodeRequest(enc.Body); err != nil {
			t.Fatalf("decode the encoded request: %v\n%s", err, enc.Body)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	seed(f, "response.json")
	f.Add([]byte(`{"id":"x","message":"no"}`))
	f.Add([]byte(`{"message":{"content":[{"type":"text","text":"a"},{"type":"thinking","text":"b"}],"tool_calls":null}}`))
	f.Add([]byte(`{"message":{"content":[{"type":"text","text":"a"}],"content":[{"type":"text","text":""}],"tool_calls":[{}]}}`))
	f.Add([]byte(`{"message":{"content":"a","tool_plan":"b","citations":[{"start":0,"end":9,"sources":[{"type":"tool"}],"type":"PLAN"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		dialecttest.TapBody(t, New(), body)
		r, err := providerSide{}.DecodeResponse(body)
		if err != nil {
			asLLM(t, err)
			asLLM(t, providerSide{}.DecodeError(500, body))
			return
		}
		dialecttest.Reencoded(t, New(), r)
	})
}

func FuzzStreamReader(f *testing.F) {
	seed(f, "stream.txt")
	f.Add([]byte(framed(msgStart, textStart, textDelta(`\ud83d`), textDelta(`\ude00`), textEnd, msgEnd, terminator)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		list := dialecttest.Frames(t, stream)
		holdTap(t, list)
		read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
		events := slices.Concat(read, closed)
		if err != nil {
			asLLM(t, err)
			if n := len(events); n > 0 && events[n-1].Kind == llm.EventEnd {
				t.Fatal("got an End and an error")
			}
			return
		}
		if err := dialecttest.CheckEvents(events); err != nil {
			t.Fatal(err)
		}
		dialecttest.Rewritten(t, New(), events)
	})
}
