package gateway

import (
	"encoding/base64"
	"math"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/llm"
)

// TestCorpusEstimate measures estimates of tokens against what vendors counted in recorded calls, and holds them to
// what README and the decision note say of them.
func TestCorpusEstimate(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("thousands of calls")
	}
	for _, tc := range []struct {
		api     string
		dialect *dialect.Dialect
		vendor  string
		// The most that half, and nine in ten, of the estimates may be off, as a part of the count.
		half, most float64
	}{
		{"openai.chat", openaichat.New(), "openai", 0.06, 0.35},
		{"openai.chat", openaichat.New(), "mistral", 0.25, 1.8},
		{"anthropic.messages", anthropic.New(), "anthropic", 0.8, 0.95},
		{"gemini.generate", gemini.New(), "google", 0.25, 1},
	} {
		offs, texts, long, signed := measure(t, tc.api, tc.dialect, tc.vendor)
		if len(offs) < 100 {
			t.Fatalf("%s: got %d calls with counts", tc.vendor, len(offs))
		}
		t.Logf("%-9s %4d calls: half within %3.0f %%, nine in ten within %3.0f %%, mean %+3.0f %%; %4d of text alone: %3.0f %%, %3.0f %%; %4d of 1000 tokens or more: %3.0f %%, %3.0f %%",
			tc.vendor, len(offs), 100*quantile(offs, 0.5), 100*quantile(offs, 0.9), 100*signed, len(texts), 100*quantile(texts, 0.5), 100*quantile(texts, 0.9),
			len(long), 100*quantile(long, 0.5), 100*quantile(long, 0.9))
		if half, most := quantile(offs, 0.5), quantile(offs, 0.9); half > tc.half || most > tc.most {
			t.Errorf("%s: got estimates off by %.2f and %.2f, want at most %.2f and %.2f", tc.vendor, half, most, tc.half, tc.most)
		}
	}
}

// measure returns by how much estimates are off, for all prompts and for those of text alone; and on average, with
// their sign. Prompts of less than 50 tokens are left out: there the vendors' own additions are most of it.
func measure(t *testing.T, api string, d *dialect.Dialect, vendor string) (all, texts, long []float64, mean float64) {
	t.Helper()
	dialecttest.Recorded(t, 1, func(x *dialecttest.Exchange) {
		if x.Vendor != vendor || x.Status != 200 || x.ResponseKind != "json" || slices.Contains(x.Flags, "elided") || slices.Contains(x.Flags, "server_tools") {
			return
		}
		req, err := d.Client.DecodeRequest(x.RequestBody)
		if err != nil {
			return
		}
		resp, err := d.Provider.DecodeResponse(x.ResponseBody)
		if err != nil || !resp.Usage.Known || resp.Usage.Input() < 50 {
			return
		}
		off := float64(estimateTokens(req.Prompt()))/float64(resp.Usage.Input()) - 1
		mean += off
		all = append(all, math.Abs(off))
		if resp.Usage.Input() >= 1000 {
			long = append(long, math.Abs(off))
		}
		if len(req.Tools) == 0 && !hasMedia(req) && req.Format == nil {
			texts = append(texts, math.Abs(off))
		}
	}, api)
	return all, texts, long, mean / float64(max(len(all), 1))
}

func hasMedia(r *llm.Request) bool {
	for _, m := range r.Messages {
		for _, p := range m.Parts {
			if p.Media != nil || p.Kind == llm.PartOpaque {
				return true
			}
		}
	}
	return false
}

func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1))]
}

// TestImageSize reads the sizes of images from their beginnings.
func TestImageSize(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		data string
		w, h uint32
	}{
		"png":   {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x00\x00\x00\x01\x00", 512, 256},
		"gif":   {"GIF89a\x0a\x00\x14\x00", 10, 20},
		"jpeg":  {"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x40\x00\x80\x03", 128, 64},
		"other": {"RIFF....WEBP", 0, 0},
		"short": {"\x89PNG", 0, 0},
		"none":  {"", 0, 0},
	} {
		w, h := imageSize(&llm.Media{Data: base64.StdEncoding.EncodeToString([]byte(tc.data))})
		if w != tc.w || h != tc.h {
			t.Errorf("%s: got %d x %d want %d x %d", name, w, h, tc.w, tc.h)
		}
	}
}
