package bedrock

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestRepeatsReadTheSame: a stream reads the same whether its frames are recognised as repeats or parsed one by one, as
// they are where no two have the same white space.
func TestRepeatsReadTheSame(t *testing.T) {
	streams, err := filepath.Glob("testdata/*/stream.txt")
	if err != nil || len(streams) == 0 {
		t.Fatal("got no streams, want fixtures", err)
	}
	texts := map[string][]byte{"padded": []byte(padded)}
	for _, path := range streams {
		if texts[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	d := New()
	for path, text := range texts {
		list := framesOf(text)
		spaced := make([]dialect.Frame, len(list))
		for i, f := range list {
			spaced[i] = dialect.Frame{Event: f.Event, Data: append(bytes.Repeat([]byte(" "), i%2), f.Data...), Exception: f.Exception}
		}
		var got, want []llm.Event
		a, b := d.Provider.NewStreamReader(), d.Provider.NewStreamReader()
		tapA, tapB := d.Relay.NewTap(dialect.Ask{}), d.Relay.NewTap(dialect.Ask{})
		for i := range list {
			var errA, errB error
			got, errA = a.Read(got, list[i])
			want, errB = b.Read(want, spaced[i])
			seen, _ := tapA.Frame(list[i])
			wantSeen, _ := tapB.Frame(spaced[i])
			if !reflect.DeepEqual(errA, errB) || !reflect.DeepEqual(seen, wantSeen) {
				t.Fatalf("%s: frame %d: got %v, %+v, want %v, %+v", path, i, errA, seen, errB, wantSeen)
			}
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(tapA.Usage(), tapB.Usage()) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", path, got, want)
		}
	}
}

// padded is a stream with the vendor's padding, in which the block changes.
const padded = `messageStart {"p":"abc","role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a"},"p":"abcd"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"\\n"},"p":"ab"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":""},"p":"abcde"}
contentBlockStop {"contentBlockIndex":0,"p":"a"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"b"},"p":"abcd"}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"c"},"p":""}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"d"},"p":"a"}
contentBlockStop {"contentBlockIndex":0,"p":"a"}
contentBlockStop {"contentBlockIndex":1,"p":"a"}
messageStop {"p":"abcd","stopReason":"end_turn"}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"late"},"p":"a"}
metadata {"metrics":{"latencyMs":1},"p":"a","usage":{"inputTokens":6,"outputTokens":8,"totalTokens":14}}
`
