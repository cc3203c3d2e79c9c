package ollama

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	f.Add([]byte(withMessages(hi+`,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]},{"role":"tool","tool_name":"f"}`, `"think":"low","options":{"stop":"x"}`)))
	f.Add([]byte(withMessages(hi+`,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"`+deepest(`{\"a\":`)+`"}}]},{"role":"tool","tool_name":"f"}`, `"think":true`)))
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
		if err := jsontext.Check(enc.Body, jsontext.Limits{Depth: dialecttest.Written.Depth}); err != nil {
			t.Fatalf("encoded request: %v\n%s", err, enc.Body)
		}
		if jsontext.Check(enc.Body, jsontext.Limits{}) != nil {
			return // arguments that were a text make it deeper than what may be read
		}
		if _, err := (clientSide{}).DecodeRequest(enc.Body); err != nil {
			t.Fatalf("decode the encoded request: %v\n%s", err, enc.Body)
		}
	})
}

// deepest is a value as deep as any that may be read, each level begun by open.
func deepest(open string) string {
	return strings.Repeat(open, jsontext.DefaultDepth) + "1" + strings.Repeat("}", jsontext.DefaultDepth)
}

func FuzzDecodeResponse(f *testing.F) {
	seed(f, "response.json")
	f.Add([]byte(`{"done":true,"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a": 1e999}}},{"function":{"name":"g","arguments":"{ \"a\": 1e999}"}}]}}`))
	f.Add([]byte(`{"done":true,"message":{"tool_calls":[{"function":{"name":"f","arguments":"` + deepest(`{\"a\":`) + `"}}]}}`))
	f.Add([]byte(`{"error":"no"}`))
	f.Add([]byte(`{"done":true,"message":{"content":"a","tool_calls":[{"function":{"name":"f","arguments":"{"}}],"understudy_thinking":[{"issuer":"i","sealed":"s"}]}}`))
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
	f.Add([]byte(line(`"content":"\ud83d"`) + "\n" + line(`"content":"\ude00","thinking":"x","understudy_thinking":[{"issuer":"i"}]`) + "\n" + done("stop") + "\n"))
	f.Add([]byte(line(`"thinking":"a"`) + "\n" + line(`"thinking":"b","understudy_thinking":[{"issuer":"i"}]`) + "\n" + line(`"understudy_thinking":[{"issuer":"i","text":"b","signature":"s"}]`) + "\n" + done("stop") + "\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		list := dialecttest.FramesOf(t, dialect.FramingNDJSON, stream)
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
