package dialecttest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Repeats holds that a stream reads the same whether its frames are recognised as repeats of one another or parsed one
// by one, as they are where no two have the same white space; and whatever becomes of a frame's bytes afterwards.
func Repeats(t *testing.T, d *dialect.Dialect, list []dialect.Frame) {
	t.Helper()
	var got, want []llm.Event
	var buffer []byte
	a, b := d.Provider.NewStreamReader(), d.Provider.NewStreamReader()
	tapA, tapB := d.Relay.NewTap(dialect.Ask{}), d.Relay.NewTap(dialect.Ask{})
	for i, f := range list {
		spaced := f
		spaced.Data = append(bytes.Repeat([]byte(" "), i%2), f.Data...)
		buffer = append(buffer[:0], f.Data...)
		f.Data = buffer
		var errA, errB error
		got, errA = a.Read(got, f)
		want, errB = b.Read(want, spaced)
		seen, _ := tapA.Frame(f)
		wantSeen, _ := tapB.Frame(spaced)
		if !reflect.DeepEqual(errA, errB) || !reflect.DeepEqual(seen, wantSeen) || tapA.Usage() != tapB.Usage() {
			t.Fatalf("repeats: frame %d: got %v, %+v want %v, %+v", i, errA, seen, errB, wantSeen)
		}
	}
	got, errA := a.Close(got)
	want, errB := b.Close(want)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(errA, errB) || tapA.Usage() != tapB.Usage() {
		t.Errorf("repeats: got\n%+v %v\nwant\n%+v %v", got, errA, want, errB)
	}
}
