package gemini

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

// TestRepeatsReadTheSame: a stream reads the same whether its chunks are recognised as repeats or parsed one by one, as
// they are where no two have the same white space.
func TestRepeatsReadTheSame(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*/stream.txt")
	if err != nil || len(fixtures) == 0 {
		t.Fatal("got no streams, want fixtures", err)
	}
	for _, path := range fixtures {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		readsTheSame(t, path, dialecttest.Frames(t, text))
	}
	readsTheSame(t, "hand-made", dialecttest.Frames(t, []byte(repeated)))
}

// repeated has pieces that are the same but for their texts, and between them what ends such a run.
const repeated = `data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"m"}

data: {"candidates":[{"content":{"parts":[{"text":"b"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":""}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"\ud83e"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"\udd8a"}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"c"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"d"}]},"index":1}]}

data: {"candidates":[{"content":{"parts":[{"text":"e"}]},"index":1}]}

data: {"candidates":[{"content":{"parts":[{"thought":true,"text":"f"}]}}]}

data: {"candidates":[{"content":{"parts":[{"thought":true,"text":"g"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"h"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":4,"totalTokenCount":5}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":10,"totalTokenCount":11}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":9007199254740992,"totalTokenCount":12}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":13,"totalTokenCount":14}}

data: {"candidates":[{"content":{"parts":[{"text":"j"}]},"finishReason":"STOP"}]}

data: {"candidates":[{"content":{"parts":[{"text":"k"}]},"finishReason":"STOP"},{"index":1,"finishReason":"STOP"}]}

`

// readsTheSame reads a stream as it is, in a buffer that is used again for every frame, and parsed frame by frame.
func readsTheSame(t *testing.T, name string, list []dialect.Frame) {
	t.Helper()
	var got, want []llm.Event
	var buffer []byte
	d := New()
	a, b := d.Provider.NewStreamReader(), d.Provider.NewStreamReader()
	tapA, tapB := d.Relay.NewTap(dialect.Ask{}), d.Relay.NewTap(dialect.Ask{})
	for i, f := range list {
		spaced := dialect.Frame{Data: append(bytes.Repeat([]byte(" "), i%2), f.Data...)}
		buffer = append(buffer[:0], f.Data...)
		f.Data = buffer
		var errA, errB error
		got, errA = a.Read(got, f)
		want, errB = b.Read(want, spaced)
		seen, _ := tapA.Frame(f)
		wantSeen, _ := tapB.Frame(spaced)
		if !reflect.DeepEqual(errA, errB) || !reflect.DeepEqual(seen, wantSeen) || tapA.Usage() != tapB.Usage() {
			t.Fatalf("%s: frame %d: got %v, %+v, want %v, %+v", name, i, errA, seen, errB, wantSeen)
		}
	}
	gotEnd, errA := a.Close(got)
	wantEnd, errB := b.Close(want)
	if !reflect.DeepEqual(gotEnd, wantEnd) || !reflect.DeepEqual(errA, errB) || !reflect.DeepEqual(tapA.Usage(), tapB.Usage()) {
		t.Errorf("%s: got\n%+v %v\nwant\n%+v %v", name, gotEnd, errA, wantEnd, errB)
	}
}
