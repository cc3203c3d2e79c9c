package frames

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// TestBareJSON takes JSON among server-sent events for an event, and nothing else that has no data.
func TestBareJSON(t *testing.T) {
	const fault = "{\n  \"error\": {\n    \"code\": 503\n  }\n}"
	for _, end := range []string{"\n\n", "\r\n\r\n", "\n", ""} {
		r := NewReader(SSE, strings.NewReader("data: {}\n\n: ping\n\nid: 7\n\n"+fault+end))
		var got []string
		var raw string
		var err error
		for err == nil {
			var f Frame
			f, err = r.Next()
			raw += string(f.Raw)
			if f.HasData {
				got = append(got, string(f.Data))
			}
		}
		var partial *PartialError
		if strings.Join(got, "|") != "{}|"+fault || !errors.Is(err, io.EOF) && !errors.As(err, &partial) || !strings.HasSuffix(raw, fault+end) {
			t.Errorf("%q: got %q, %v want the error as it stands", end, got, err)
		}
	}
}
