package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

// TestWhatOnlyTheVendorHasIsReported: what an answer holds that no other API has a place for is lost to clients of those,
// and said to be: in a header, or after a stream. A client of the same API has it, unless a vendor streams what it was asked
// for whole, or the reverse.
func TestWhatOnlyTheVendorHasIsReported(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	const sources = `"citations":["https://a.example"],"search_results":null,"system_fingerprint":"fp",`
	whole := strings.Replace(chatAnswer, `"model"`, sources+`"model"`, 1)
	stream := strings.Replace(endChunks, `{"choices"`, `{`+sources+`"choices"`, 1)
	const reported = "answer.citations=dropped(tuning)"
	for _, tc := range []struct {
		name, more, said string
		rewritten        bool // even for a client of the same API
	}{
		{"whole", "", whole, false},
		{"stream", `"stream":true,`, filterChunk + contentChunk + stream, false},
		{"a stream for a whole answer", "", filterChunk + contentChunk + stream, true},
		{"a whole answer for a stream", `"stream":true,`, whole, true},
	} {
		vendor := vendorSays(200, nil, tc.said)
		if strings.HasPrefix(tc.said, "data:") {
			vendor = vendorStreams(tc.said)
		}
		status, header, text := c.ask("/v1/messages", `{"model":"m","max_tokens":9,`+tc.more+hi+`}`, vendor)
		lost := header.Get("X-Understudy-Loss")
		if status != 200 || !strings.Contains(lost, reported) || strings.Count(lost, "answer.") != 1 || strings.Contains(text, "a.example") {
			t.Errorf("%s: got %d with the loss %q want %s\n%s", tc.name, status, lost, reported, text)
		}
		status, header, text = c.ask("/v1/chat/completions", `{"model":"m",`+tc.more+hi+`}`, vendor)
		isLost := header.Get("X-Understudy-Loss") == reported
		if has := strings.Contains(text, "a.example"); status != 200 || has == tc.rewritten || isLost != tc.rewritten {
			t.Errorf("%s: got %d, the citations in it: %v, reported lost: %v, want them unless it was written anew\n%s", tc.name, status, has, isLost, text)
		}
	}
}
