package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

// Cases of translation that only the whole gateway shows.

// TestT093WholeAnswerAsAStream gets a whole answer, with its length, from a vendor that was asked for a stream.
func TestT093WholeAnswerAsAStream(t *testing.T) {
	t.Parallel()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, chatAnswer)
	}))
	t.Cleanup(vendor.Close)
	w := newWorld(t, withTimeouts(patient()), withFacts(func(f *provider.Facts) { f.BaseURL = vendor.URL }, "chat1"))
	for _, a := range apis {
		if got := w.post(a, body("chat1", "Hello", true), nil); !got.whole() || got.text != "lead" || got.header.Get("Content-Length") != "" {
			t.Errorf("%s: got %v, %v want a whole stream without a length", a.name, got, got.header)
		}
	}
}

// TestT101OddEvents ends a stream whose event nobody understands at once, and takes one without its terminator for
// whole, with what it counted.
func TestT101OddEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	for _, a := range apis {
		w.fail("chat1", "not-json")
		if got := w.post(a, body("chat1|+chunks-40", "Hello", true), noRescue); got.ended != "error" || got.text == "" {
			t.Errorf("%s: got %v want what was understood and an error", a.name, got)
		}
		w.fail("chat1", "no-done")
		if got := w.post(a, body("chat1|+chunks-40", "Hello", true), nil); !got.whole() {
			t.Errorf("%s: got %v want a whole answer", a.name, got)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.Output() == 0 {
			t.Errorf("%s: got usage %+v want it counted", a.name, u)
		}
	}
}

// TestT143OwnErrorsAreOwn answers a request that no vendor is asked about in the gateway's words, once.
func TestT143OwnErrorsAreOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, stream := range []bool{false, true} {
		got := w.post(messagesAPI, body("chat1>chat2", "Hello", stream, map[string]any{"messages": 7}), nil)
		if got.status != 400 || got.errTyp != "invalid_request_error" || !bytes.Contains(got.body, []byte("messages")) {
			t.Errorf("got %v want an error about messages", got)
		}
		if n := len(w.record().Attempts); n != 0 || w.count("chat1")+w.count("chat2") != 0 {
			t.Errorf("got %d attempts want none", n)
		}
	}
}

// TestT145HeadersOfTheGatewaysOwn keeps from vendors, and from what a client is told, what the client itself claims in
// the gateway's headers.
func TestT145HeadersOfTheGatewaysOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, lead := range []string{"chat1", "claude1"} {
		got := w.post(chatAPI, body(lead, "Hello", false), map[string]string{
			"X-Understudy-Target": "other/model", "X-Understudy-Mode": "other", "X-Understudy-Attempts": "9", "X-Understudy-Caller": "boss", "X-Forwarded-User": "boss",
		})
		if values := got.header.Values("X-Understudy-Target"); !got.whole() || len(values) != 1 || !strings.HasPrefix(values[0], lead) || got.header.Get("X-Understudy-Attempts") != "1" {
			t.Errorf("got %v, %v want the gateway's own words", got, got.header)
		}
		for name := range w.vendors[lead].Last().Header {
			if strings.HasPrefix(name, "X-Understudy") || strings.HasPrefix(name, "X-Forwarded") {
				t.Errorf("got %s at the vendor", name)
			}
		}
	}
}
