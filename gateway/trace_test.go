package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestTraceOf(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, test := range []struct {
		name    string
		headers []string
		want    bool
		sampled bool
	}{
		{"sampled", []string{"00-" + id + "-" + span + "-01"}, true, true},
		{"not sampled", []string{"00-" + id + "-" + span + "-00"}, true, false},
		{"a later version with more", []string{"cc-" + id + "-" + span + "-01-what"}, true, true},
		{"version 00 with more", []string{"00-" + id + "-" + span + "-01-what"}, false, false},
		{"a version that is none", []string{"ff-" + id + "-" + span + "-01"}, false, false},
		{"capitals", []string{"00-" + strings.ToUpper(id) + "-" + span + "-01"}, false, false},
		{"no trace", []string{"00-" + strings.Repeat("0", 32) + "-" + span + "-01"}, false, false},
		{"no span", []string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, false, false},
		{"two", []string{"00-" + id + "-" + span + "-01", "00-" + id + "-" + span + "-01"}, false, false},
		{"short", []string{"00-" + id}, false, false},
		{"none", nil, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{headerTraceState: {"k=v"}}
			if test.headers != nil {
				h[headerTraceParent] = test.headers
			}
			got := traceOf(h, 0)
			if got.ID == [16]byte{} || got.Span == [8]byte{} {
				t.Errorf("got ids %x and %x, want some", got.ID, got.Span)
			}
			if isClients := got.Parent != [8]byte{}; isClients != test.want || got.Sampled != test.sampled || (got.State != "") != test.want {
				t.Errorf("got %+v, want the client's trace: %v, sampled: %v", got, test.want, test.sampled)
			}
		})
	}
}
