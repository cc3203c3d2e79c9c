package openairesponses

import (
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestEventsThatComeTwice drops what a stream says twice under one number, and nothing else (D14): neither the same
// piece under another number, nor anything where numbers mean nothing.
func TestEventsThatComeTwice(t *testing.T) {
	t.Parallel()
	head := func(number int) []string {
		return []string{
			fmt.Sprintf(`{"type":"response.created","sequence_number":%d,"response":{"id":"resp_1","model":"m"}}`, 0),
			fmt.Sprintf(`{"type":"response.output_item.added","sequence_number":%d,"output_index":0,"item":{"type":"message","id":"msg_1","content":[]}}`, number),
		}
	}
	piece := func(number int, text string) string {
		return fmt.Sprintf(`{"type":"response.output_text.delta","sequence_number":%d,"output_index":0,"content_index":0,"delta":%q}`, number, text)
	}
	bare := strings.Replace(piece(0, "ha"), `"sequence_number":0,`, "", 1)
	for _, tc := range []struct {
		name   string
		frames []string
		want   string
	}{
		{"once each", append(head(1), piece(2, "ha"), piece(3, "ha")), "haha"},
		{"one twice", append(head(1), piece(2, "ha"), piece(2, "ha"), piece(3, "ha")), "haha"},
		{"several again", append(head(1), piece(2, "a"), piece(3, "b"), piece(4, "c"), piece(3, "b"), piece(4, "c"), piece(5, "d")), "abcd"},
		{"from the beginning", append(append(append(head(1), piece(2, "a")), head(1)...), piece(2, "a"), piece(3, "b")), "ab"},
		{"one number, another piece", append(head(1), piece(2, "ha"), piece(2, "ho")), "haho"},
		{"all of one number", append(head(0), piece(0, "ha"), piece(0, "ha")), "haha"},
		{"numbers that begin anew", append(head(1), piece(2, "a"), piece(0, "b"), piece(0, "b")), "abb"},
		{"no numbers", append(head(1), bare, bare), "haha"},
	} {
		r, tapped := &streamReader{}, &tap{}
		read, passed := "", ""
		for _, data := range tc.frames {
			f := dialect.Frame{Data: []byte(data)}
			events, err := r.Read(nil, f)
			seen, tapErr := tapped.Frame(f)
			if err != nil || tapErr != nil {
				t.Fatalf("%s: %s: got %v and %v", tc.name, data, err, tapErr)
			}
			for i := range events {
				if events[i].Kind == llm.EventPartDelta {
					read += events[i].Delta.Text
				}
			}
			passed += string(seen.Text)
			if seen.Hide && (seen.Content || seen.Text != nil) {
				t.Errorf("%s: %s: got content %q of what is hidden", tc.name, data, seen.Text)
			}
		}
		if read != tc.want || passed != tc.want {
			t.Errorf("%s: got %q read and %q passed on want %q", tc.name, read, passed, tc.want)
		}
	}
}
