package cohere

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

// TestRepeatsReadTheSame: a stream reads the same whether its frames are recognised as repeats or parsed one by one, as
// they are where no two have the same white space.
func TestRepeatsReadTheSame(t *testing.T) {
	streams, err := filepath.Glob("testdata/*/stream.txt")
	if err != nil || len(streams) == 0 {
		t.Fatal("got no streams, want fixtures", err)
	}
	d := New()
	for _, path := range streams {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list := dialecttest.Frames(t, text)
		spaced := make([]dialect.Frame, len(list))
		for i, f := range list {
			spaced[i] = dialect.Frame{Event: f.Event, Data: append(bytes.Repeat([]byte(" "), i%2), f.Data...)}
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
