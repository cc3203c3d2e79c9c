package openaichat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// holdTap holds that a tap says of each frame what the events say that the stream reader makes of it.
func holdTap(t *testing.T, frames []dialect.Frame) {
	t.Helper()
	r, tap := &streamReader{}, relay{}.NewTap(noAsk)
	finished := 0
	for _, f := range frames {
		wasEnded, was := r.ended, r.renamed
		events, wantErr := r.Read(nil, f)
		got, gotErr := tap.Frame(f)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: got %v want %v", f.Data, gotErr, wantErr)
		}
		if wantErr != nil {
			return
		}
		want := dialect.Signal{End: r.ended && !wasEnded}
		for i := range events {
			want.Content = want.Content || events[i].IsContent()
			if events[i].Kind == llm.EventStart {
				want.Model = events[i].Model
			}
		}
		if r.renamed != was {
			want.Model = r.renamed
		}
		before := finished
		finished = 0
		for _, ch := range r.choices {
			if ch.word != "" || r.ended {
				finished++
			}
		}
		want.Finish = finished > before
		if got.Content != want.Content || got.Finish != want.Finish || got.End != want.End || got.Model != want.Model || got.Hide || got.Data != nil {
			t.Fatalf("%s: got %+v want %+v", f.Data, got, want)
		}
		if tap.Usage() != r.usage {
			t.Fatalf("%s: got usage %+v want %+v", f.Data, tap.Usage(), r.usage)
		}
	}
	_, wantErr := r.Close(nil)
	if _, gotErr := tap.Close(); fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		t.Fatalf("got %v at the end want %v", gotErr, wantErr)
	}
}

func FuzzTap(f *testing.F) {
	seed(f, "stream.txt")
	for _, chunks := range [][]string{
		{chunk(`{"content":"\ud83d"}`, `""`), chunk(`{"content":"\ude00","refusal":"\ud83d"}`, `null`), terminator, chunk(`{"content":"b"}`, `null`)},
		{chunk(`{"content":"a","annotations":[1]}`, `null`), chunk(`{"audio":1,"annotations":[1]}`, `null`), chunk(`{"annotations":[1]}`, `"stop"`)},
		{chunk(`{"reasoning_details":[{"type":"understudy.thinking","issuer":"i"}],"reasoning":"\ud83d"}`, `null`), chunk(`{"reasoning_details":[{"type":"understudy.thinking","issuer":"i","signature":"s"}]}`, `null`)},
		{chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\ud83d"}},{"index":0,"function":{"name":"f"}}]}`, `""`), terminator},
		{`{"error":{"code":1}}`},
		{`{"choices":[1]}`},
		{`{"choices":[{"delta":1}]}`},
		{chunk(`{"content":1}`, `null`)},
		{`{"choices":[{"index":0,"logprobs":{"content":[{"token":"a","logprob":-1}]}},{"index":1,"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`, terminator},
	} {
		f.Add([]byte(framed(chunks...)))
	}
	f.Fuzz(func(t *testing.T, stream []byte) { holdTap(t, dialecttest.Frames(t, stream)) })
}

// hundred is a stream of 100 pieces of text.
func hundred() []dialect.Frame {
	frames := make([]dialect.Frame, 0, 103)
	add := func(s string) { frames = append(frames, dialect.Frame{Data: []byte(s)}) }
	const format = `{"id":"chatcmpl-1234567890","object":"chat.completion.chunk","created":1767225600,"model":"model-x-2026","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}],"usage":null}`
	add(fmt.Sprintf(format, `{"role":"assistant","content":"","refusal":null}`, "null"))
	for i := range 100 {
		add(fmt.Sprintf(format, `{"content":" word`+fmt.Sprint(i)+`"}`, "null"))
	}
	add(fmt.Sprintf(format, `{}`, `"stop"`))
	add(terminator)
	return frames
}

func TestTapOfAPieceDoesNotAllocate(t *testing.T) {
	frames, tap := hundred(), relay{}.NewTap(dialect.Ask{StreamUsage: true})
	for _, f := range frames[:2] {
		if _, err := tap.Frame(f); err != nil {
			t.Fatal(err)
		}
	}
	got := testing.AllocsPerRun(50, func() {
		if sig, err := tap.Frame(frames[3]); err != nil || !sig.Content {
			t.Error(sig, err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations want 0", got)
	}
	frames = slices.DeleteFunc(frames, func(f dialect.Frame) bool { return isTerminator(f.Data) })
	holdTap(t, frames)
}

func FuzzTapBody(f *testing.F) {
	seed(f, "response.json")
	for _, message := range []string{
		`{"content":"","tool_calls":[{"type":"custom"}]}`, `{"tool_calls":{"function":{"name":7}}}`, `{"tool_calls":[{}],"content":1}`, `{"function_call":{}}`,
		`{"reasoning":"a"}`, `{"reasoning_details":[{"text":"a"},{"type":"understudy.thinking","issuer":"i","data":"d"}]}`, `{"refusal":"a"}`, `{"audio":{}}`, `{"content":[{"text":""},{"thinking":"a"}]}`, `7`, `{}`,
	} {
		f.Add([]byte(`{"model":"m","choices":[{"message":` + message + `}]}`))
	}
	for _, body := range []string{`{}`, `{"choices":[]}`, `{"choices":[{"error":{"code":429}}]}`, `{"error":"x","choices":[]}`, `{"choices":[{"finish_reason":"error"}]}`, `{"choices":[{"finish_reason":"stop","logprobs":{"content":[{"logprob":1}]}}]}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.TapBody(t, New(), body) })
}
