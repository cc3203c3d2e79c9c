package dialecttest

import (
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// untrueCounts holds that a vendor which counts less than nothing, or nothing throughout beside text, has told no usage,
// and that this is told of: by the readers and by the taps alike.
func untrueCounts(t *testing.T, d *dialect.Dialect) {
	said := &llm.Response{
		ID: "resp_1", Model: model, Created: 1767225600, Usage: llm.Usage{Known: true, InFresh: 70007, OutVisible: 800008},
		Choices: []llm.Choice{{Parts: []llm.Part{llm.Text("Free?")}, Stop: llm.Stop{Reason: llm.StopEnd}}},
	}
	body, _, err := d.Client.EncodeResponse(said)
	if err != nil {
		t.Fatal(err)
	}
	r := runner{d: d}
	stream, _ := r.write(Events(said))
	for name, counts := range map[string]*strings.Replacer{
		"all negative":      strings.NewReplacer("70007", "-5", "800008", "-5", "870015", "-10"),
		"a negative prompt": strings.NewReplacer("70007", "-5"),
		"a negative answer": strings.NewReplacer("800008", "-5"),
		"zeros":             strings.NewReplacer("70007", "0", "800008", "0", "870015", "0"),
	} {
		body := []byte(counts.Replace(string(body)))
		list := FramesOf(t, d.Framing, stream)
		for i := range list {
			list[i].Data = []byte(counts.Replace(string(list[i].Data)))
		}
		whole, err := d.Provider.DecodeResponse(body)
		if err != nil {
			t.Fatalf("%s: DecodeResponse: %v", name, err)
		}
		read, closed, err := ReadStream(d.Provider.NewStreamReader(), list)
		if err != nil {
			t.Fatalf("%s: read a stream: %v", name, err)
		}
		onBody, onStream := d.Relay.NewTap(dialect.Ask{}), d.Relay.NewTap(dialect.Ask{})
		if _, err := onBody.Body(body); err != nil {
			t.Fatalf("%s: Body: %v", name, err)
		}
		for _, f := range list {
			if _, err := onStream.Frame(f); err != nil {
				t.Fatalf("%s: Frame: %v", name, err)
			}
		}
		for where, got := range map[string]llm.Usage{
			"answer": whole.Usage, "stream": llm.Collect(slices.Concat(read, closed)).Usage, "answer's tap": onBody.Usage(), "stream's tap": onStream.Usage(),
		} {
			if want := (llm.Usage{Absurd: true}); got != want {
				t.Errorf("%s, %s: got %+v, want %+v", name, where, got, want)
			}
		}
	}
}
