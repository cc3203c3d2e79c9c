package gateway_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestHeartbeatBesideEvents: heartbeats that fall between the events of a stream
// that is being written disturb nothing, and none comes before the start.
func TestHeartbeatBesideEvents(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Heartbeat = 100 * time.Microsecond
	w := newWorld(t, withLimits(limits))
	text := strings.Repeat("wave ", 2000)
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			w.vendors[lead].Enqueue(fakeprovider.Reply{Text: text, FirstDelay: 5 * time.Millisecond})
			got := w.post(a, body(lead, "Hello", true, map[string]any{"max_tokens": 8000}), nil)
			if !got.whole() || got.text != text {
				t.Errorf("%s from %s: got %d bytes of text, ended %q; want %d", a.name, lead, len(got.text), got.ended, len(text))
			}
			start := bytes.Index(got.body, []byte("event: message_start"))
			if ping := bytes.Index(got.body, []byte("event: ping")); start >= 0 && ping >= 0 && ping < start {
				t.Errorf("%s from %s: got a ping before the start: %.200s", a.name, lead, got.body)
			}
		}
	}
}
