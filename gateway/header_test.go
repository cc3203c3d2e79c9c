package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestAttemptsAreTold: every answer that has asked a vendor says how many requests
// went out: in headers, or in trailers when a heartbeat has put the headers out (F24).
func TestAttemptsAreTold(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Heartbeat = 20 * time.Millisecond
	w := newWorld(t, withLimits(limits), withTimeouts(impatient()))
	for _, test := range []struct {
		lead, understudy string // faults
		stream           bool
		want             string
	}{
		{"", "", false, "1"},
		{"internal-500", "", false, "2"},
		{"internal-500", "internal-500", false, "2"},
		{"silent", "", true, "2"},
		{"silent", "internal-500", true, "2"},
		{"silent", "reset-stream", true, "2"},
		{"reset-stream", "", true, "2"},
		{"reset-stream", "internal-500", true, "2"},
	} {
		for id, kind := range map[string]string{"chat1": test.lead, "claude1": test.understudy} {
			w.mend(id)
			if kind != "" {
				w.fail(id, kind)
			}
		}
		raw := body("chat1>claude1|+chunks-40", "Hello", test.stream)
		got := w.post(chatAPI, raw, nil)
		values := append(got.header.Values(gateway.HeaderAttempts), got.trailer.Values(gateway.HeaderAttempts)...)
		if len(values) == 0 || values[len(values)-1] != test.want {
			t.Errorf("%+v: got attempts %q, want %s; %v", test, values, test.want, got)
		}
		if n := len(w.record().Attempts); n != len(test.want)+int(test.want[0]-'1') {
			t.Errorf("%+v: got %d attempts in the record, want %s", test, n, test.want)
		}
	}
	refused := w.post(chatAPI, body("claude1", "Hello", false, map[string]any{"n": 2}), nil)
	if n := refused.header.Get(gateway.HeaderAttempts); n != "0" || refused.status != 400 {
		t.Errorf("got %v, want no attempt when the target is unfit", refused)
	}
}

// TestMethods: what a path takes is named once, however many dialects share it.
func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{http.MethodPost, http.MethodOptions, http.MethodHead} {
		req, _ := http.NewRequestWithContext(t.Context(), method, w.url+"/v1/models", nil)
		req.Header.Set("Anthropic-Version", "2023-06-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if allow := resp.Header.Get("Allow"); resp.StatusCode != http.StatusMethodNotAllowed || allow != "GET" {
			t.Errorf("%s: got status %d, Allow %q; want 405, GET", method, resp.StatusCode, allow)
		}
	}
}

// TestLossesOfAStream: what of a streamed answer the client's dialect cannot show
// is known when the headers are out, and told in a trailer.
func TestLossesOfAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Text: "See there.", Citations: []fakeprovider.Citation{{URL: "https://example.com", Title: "There", Quote: "See."}}})
	got := w.post(messagesAPI, body("chat1", "Hello", true), nil)
	if loss := got.trailer.Get(gateway.HeaderLoss); !got.whole() || !strings.Contains(loss, "dropped") {
		t.Errorf("got loss %q in the trailer, %v; want the citation", loss, got)
	}
	if rec := w.record(); len(rec.Attempts[0].Losses) == 0 {
		t.Errorf("got record %+v, want the loss in it", rec)
	}
}

// TestTrialsAreReportedLost has clients name features in trial in a header, which no vendor of another API is sent.
func TestTrialsAreReportedLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		api    api
		header string
		loss   string
	}{
		{chatAPI, "OpenAI-Beta", "openai-beta=dropped(harmless)"},
		{messagesAPI, "anthropic-beta", "anthropic-beta=dropped(harmless)"},
	} {
		header := map[string]string{tc.header: "some-2025-01-01"}
		if got := w.post(tc.api, body(tc.api.own[0], "Hello", false, nil), header); !got.whole() || strings.Contains(got.header.Get("X-Understudy-Loss"), "beta") {
			t.Errorf("%s, its own vendor: got loss %q, want none of the header", tc.api.name, got.header.Get("X-Understudy-Loss"))
		}
		for value, want := range map[string]bool{"some-2025-01-01": true, "": false} {
			got := w.post(tc.api, body(tc.api.other[0], "Hello", false, nil), map[string]string{tc.header: value})
			if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || strings.Contains(loss, tc.loss) != want {
				t.Errorf("%s with %s: %q: got loss %q, want %s: %t", tc.api.name, tc.header, value, loss, tc.loss, want)
			}
		}
	}
}
