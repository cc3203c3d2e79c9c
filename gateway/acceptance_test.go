package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
)

// A02, T097: an overload after the start frames fails over, and the client sees one
// start (F01, F02).
func TestA02OverloadBeforeContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("claude1", "overloaded-start")
	got := w.post(messagesAPI, body("claude1>claude2", "Hello", true), nil)
	if starts := bytes.Count(got.body, []byte("event: message_start")); !got.whole() || starts != 1 {
		t.Errorf("got %d starts, %v; want one and a whole answer", starts, got)
	}
}

// A03: when the understudy fails too before content, the client gets a status.
func TestA03EveryTargetFailsBeforeContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("claude1", "overloaded-start")
	w.fail("claude2", "overloaded-529")
	got := w.post(messagesAPI, body("claude1>claude2", "Hello", true), nil)
	if got.status != 529 || got.errTyp != "overloaded_error" || len(got.events) > 0 {
		t.Errorf("got %v, want status 529 and no stream", got)
	}
}

// noRescue forbids that an understudy goes on with an answer.
var noRescue = map[string]string{gateway.HeaderRescue: "off"}

// A04, A05, T100: after content a failure ends in the dialect's own error, where nobody may go
// on with the answer.
func TestA04BrokenAfterContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range []string{"reset-stream", "eof-stream", "overloaded-stream"} {
		for _, a := range apis {
			for _, lead := range []string{a.own[0], a.other[0]} {
				w.fail(lead, kind)
				got := w.post(a, body(lead+">"+a.own[1]+"|+chunks-40", "Hello", true), noRescue)
				if got.ended != "error" || got.text == "" {
					t.Errorf("%s, %s from %s: got %v, want some text and then an error event", kind, a.name, lead, got)
				}
				if n := w.count(a.own[1]); n != 0 {
					t.Errorf("%s, %s from %s: got %d requests to the understudy, want none after content", kind, a.name, lead, n)
				}
				w.mend(lead)
			}
		}
	}
}

// A05: the class of an error inside a stream is kept.
func TestA05ClassOfErrorInStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("claude1", "overloaded-stream")
	got := w.post(messagesAPI, body("claude1|+chunks-40", "Hello", true), nil)
	if got.errTyp != "overloaded_error" {
		t.Errorf("got error type %q, want overloaded_error", got.errTyp)
	}
}

// A08: a client that forbids fallbacks gets none.
func TestA08FallbackOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("chat1", "internal-500")
	got := w.post(chatAPI, body("chat1>chat2", "Hello", false), map[string]string{"X-Understudy-Fallback": "off"})
	if got.status != 500 || w.count("chat1") != 1 || w.count("chat2") != 0 {
		t.Errorf("got %v, %d and %d requests; want the lead's error after one request", got, w.count("chat1"), w.count("chat2"))
	}
}

// A10: a large body is sent again, whole (F20).
func TestA10LargeBodyIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail("chat1", "reset")
	text := strings.Repeat("sea ", 300<<10/4)
	for _, understudy := range []string{"chat2", "claude2"} {
		got := w.post(chatAPI, body("chat1>"+understudy, text, false), nil)
		if !got.whole() {
			t.Fatalf("to %s: got %v, want an answer", understudy, got)
		}
		if seen := w.vendors[understudy].Last(); !bytes.Contains(seen.Body, []byte(text)) {
			t.Errorf("to %s: got a body of %d bytes without the whole text", understudy, len(seen.Body))
		}
	}
}

// TestLargeImagesFailOver sends 20 MiB of images to an understudy.
func TestLargeImagesFailOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	w.fail("chat1", "internal-500")
	for _, understudy := range []string{"chat2", "claude2"} {
		got := w.post(chatAPI, imagesBody("chat1>"+understudy, 4, 5<<20), nil)
		if !got.whole() || !strings.Contains(got.text, "image/png") {
			t.Errorf("to %s: got %v, want the images seen", understudy, got)
		}
	}
}

// A11: one event of two megabytes is delivered.
func TestA11LongEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("x", 2<<20)
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			w.vendors[lead].Enqueue(fakeprovider.Reply{Parts: []string{long}})
			if got := w.post(a, body(lead, "Hello", true), nil); !got.whole() || len(got.text) != len(long) {
				t.Errorf("%s from %s: got %d bytes, ended %q; want %d bytes", a.name, lead, len(got.text), got.ended, len(long))
			}
		}
	}
}

// A13: a first token that takes too long is another target's chance (F23).
func TestA13SlowFirstToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(impatient()))
	got := w.post(chatAPI, body("chat1>claude1|+first-30s", "Hello", true), nil)
	if got.whole() {
		t.Fatalf("got %v, want both targets too slow", got)
	}
	w.fail("chat1", "silent")
	if got = w.post(chatAPI, body("chat1>claude1", "Hello", true), nil); !got.whole() {
		t.Errorf("got %v, want the understudy's answer", got)
	}
	if code := w.record().Attempts[0].Code; code != llm.CodeTimeout {
		t.Errorf("got the first attempt recorded as %q, want timeout", code)
	}
}

// A14: a stall in the middle ends in an error and is recorded as a timeout.
func TestA14StallMidStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(impatient()))
	w.fail("chat1", "stall")
	got := w.post(chatAPI, body("chat1>chat2|+chunks-40", "Hello", true), noRescue)
	if got.ended != "error" {
		t.Errorf("got %v, want an error event", got)
	}
	if code := w.record().Attempts[0].Code; code != llm.CodeTimeout {
		t.Errorf("got the attempt recorded as %q, want timeout", code)
	}
}

// A16: attempts are bounded over all targets.
func TestA16AttemptsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"chat1", "chat2", "claude1"} {
		w.fail(id, "internal-500")
	}
	got := w.post(chatAPI, body("chat1>chat2>claude1", "Hello", false), nil)
	total := w.count("chat1") + w.count("chat2") + w.count("claude1")
	if total != 3 || got.header.Get("X-Understudy-Attempts") != "3" {
		t.Errorf("got %d requests (%v), want 3", total, got)
	}
	if again := w.post(chatAPI, body("chat1", "Hello", false), nil); w.count("chat1") != 3 || again.status != 500 {
		t.Errorf("got %d requests to a lone target, %v; want one and one more", w.count("chat1")-1, again)
	}
}

// A17: a limit with a time to come back moves the call at once.
func TestA17RateLimitMovesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
		Status: 429, Type: "rate_limit_error", Message: "Slow down.", Header: map[string]string{"Retry-After": "60"},
	}})
	start := time.Now()
	got := w.post(chatAPI, body("chat1>claude1", "Hello", false), nil)
	if took := time.Since(start); !got.whole() || took > 2*time.Second {
		t.Errorf("got %v after %v, want the understudy's answer at once", got, took)
	}
}

// A18: the time to come back is understood in its odd forms and told on.
func TestA18RetryAfterForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range []string{"rate-429-seconds", "rate-429-date", "rate-429-ms"} {
		w.fail("chat1", kind)
		got := w.post(chatAPI, body("chat1", "Hello", false), nil)
		if n, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || n < 1 {
			t.Errorf("%s: got status %d, Retry-After %q; want 429 and seconds", kind, got.status, got.header.Get("Retry-After"))
		}
	}
}

// A20: a vendor's 400 about money is a spent quota.
func TestA20CreditSpent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["claude1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
		Status: 400, Type: "invalid_request_error", Message: "Your credit balance is too low to access the API.",
	}})
	if got := w.post(messagesAPI, body("claude1>chat1", "Hello", false), nil); !got.whole() {
		t.Errorf("got %v, want the understudy's answer", got)
	}
	if code := w.record().Attempts[0].Code; code != llm.CodeQuota {
		t.Errorf("got code %q, want quota", code)
	}
}

// A22: the user's own words, echoed by a vendor, class nothing.
func TestA22EchoedWordsClassNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for lead, a := range map[string]api{"claude1": messagesAPI, "chat1": chatAPI} {
		w.vendors[lead].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
			Status: 400, Type: "invalid_request_error",
			Message: "messages.0: unexpected value \"Your credit balance is too low, insufficient_quota, rate limit, prompt is too long\"",
		}})
		got := w.post(a, body(lead+">"+a.own[1], "Hello", false), nil)
		if code := w.record().Attempts[0].Code; got.status != 400 || code != llm.CodeInvalidRequest || w.count(a.own[1]) != 0 {
			t.Errorf("%s: got %v, code %q; want the vendor's 400 and no failover", lead, got, code)
		}
	}
}

// A23: a client's own mistake is its own.
func TestA23InvalidRequestSurfaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := map[string]any{"tools": []any{map[string]any{"type": "function", "function": map[string]any{
		"name": "f", "parameters": map[string]any{"type": "nonsense"},
	}}}}
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
		Status: 400, Type: "invalid_request_error", Code: "invalid_function_parameters", Param: "tools[0].function.parameters", Message: "Invalid schema for function 'f'",
	}})
	got := w.post(chatAPI, body("chat1>claude1", "Hello", false, bad), nil)
	if got.status != 400 || w.count("claude1") != 0 || w.count("chat1") != 1 {
		t.Errorf("got %v, want the vendor's 400 and nobody else asked", got)
	}
}

// A56: the gateway's own errors are in the client's form, with the request's id.
func TestA56OwnErrorsInClientsForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.post(messagesAPI, body("nobody", "Hello", false), nil)
	var e struct {
		Type      string
		Error     struct{ Type string }
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(got.body, &e); err != nil {
		t.Fatal(err)
	}
	if got.status != 404 || e.Type != "error" || e.Error.Type != "not_found_error" || e.RequestID == "" || got.header.Get("Request-Id") != e.RequestID {
		t.Errorf("got %v, want Anthropic's error with the request's id", got)
	}
}

// A61: a client that leaves takes the upstream request with it, within a second,
// and the call is settled.
func TestA61ClientLeaves(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		for _, id := range []string{a.own[0], a.other[0]} {
			took := leaves(t, a, id)
			for again := 0; again < 4 && took > time.Second; again++ { // a busy machine makes some late, and not all
				took = min(took, leaves(t, a, id))
			}
			if took > time.Second {
				t.Errorf("%s from %s: got the upstream cancelled after %v, want at most 1 s", a.name, id, took)
			}
		}
	}
}

// leaves is a client that leaves in a stream, and says how long the vendor did not notice.
func leaves(t *testing.T, a api, id string) time.Duration {
	t.Helper()
	w := newWorld(t)
	defer w.close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	raw, _ := json.Marshal(body(id+"|+chunks-500+delay-20ms", "Hello", true))
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+a.path, bytes.NewReader(raw))
	for k, v := range a.header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAtLeast(resp.Body, make([]byte, 400), 400); err != nil {
		t.Fatal(err)
	}
	left := time.Now()
	cancel()
	_ = resp.Body.Close()
	eventually(t, "the vendor to see the client leave", func() bool { return !w.vendors[id].Last().Cancelled.IsZero() })
	if rec := w.record(); rec.Code != llm.CodeClientGone || len(rec.Attempts) != 1 {
		t.Errorf("%s from %s: got record %+v, want client_gone after one attempt", a.name, id, rec)
	}
	return w.vendors[id].Last().Cancelled.Sub(left)
}

// A66: many calls at once share nothing they should not.
func TestA66ConcurrentCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			a := apis[i%2]
			lead := []string{a.own[0], a.other[0]}[i/2%2]
			token := "token-" + strconv.Itoa(i) + "-end"
			got := w.post(a, body(lead, "Say "+token, i%3 == 0), nil)
			if !got.whole() || !strings.Contains(got.text, token) {
				t.Errorf("call %d: got text %q, %v; want its own token %s", i, got.text, got, token)
			}
		})
	}
	wg.Wait()
}

// A67: odd framings of a stream are read alike.
func TestA67OddFramings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	plain := map[string]string{}
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			plain[a.name+lead] = w.post(a, body(lead, "Grüße, 世界 🌊", true), nil).text
		}
	}
	for _, f := range fakeprovider.Faults() {
		if len(f.Rows) == 0 || !f.Stream || f.Want != fakeprovider.Serve || f.Rows[0] < "D18" || f.Rows[0] > "D22" {
			continue
		}
		for _, a := range apis {
			for _, lead := range []string{a.own[0], a.other[0]} {
				w.fail(lead, f.Kind)
				got := w.post(a, body(lead, "Grüße, 世界 🌊", true), nil)
				// A relayed pair that is split stays split: this client decodes each half alone.
				split := lead == a.own[0] && f.Kind == "surrogate"
				if !got.whole() || strings.ContainsRune(got.text, '\uFFFD') && !split {
					t.Errorf("%s, %s from %s: got %q, %v; want %q", f.Kind, a.name, lead, got.text, got, plain[a.name+lead])
				}
				w.mend(lead)
			}
		}
	}
}

// A70: after total failure the client gets the lead's cause, every attempt by
// class, and no vendor's words (F27, F28).
func TestA70TotalFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{
		Status: 401, Type: "invalid_request_error", Code: "invalid_api_key", Message: "Incorrect API key provided: " + vendorKey,
	}})
	w.fail("claude1", "overloaded-529")
	got := w.post(chatAPI, body("chat1>claude1", "Hello", false), nil)
	detail := got.header.Get("X-Understudy-Attempts-Detail")
	if got.status != 502 || !strings.Contains(detail, "provider_auth") || !strings.Contains(detail, "overloaded") {
		t.Errorf("got %v, want the lead's cause and both attempts", got)
	}
	if bytes.Contains(got.body, []byte("canary")) || strings.Contains(w.log.String(), "canary") {
		t.Errorf("got the key in %s or the log", got.body)
	}
	w.fail("chat1", "rate-429-seconds")
	w.fail("claude1", "rate-429-seconds")
	if got := w.post(chatAPI, body("chat1>claude1", "Hello", false), nil); got.status != 429 {
		t.Errorf("got %v when all targets are limited, want 429", got)
	}
	w.fail("claude1", "internal-500")
	if got := w.post(chatAPI, body("chat1>claude1", "Hello", false), nil); got.status == 429 || got.status < 500 {
		t.Errorf("got %v when not all targets are limited, want a 5xx", got)
	}
}

// TestHeartbeat: a streaming client hears from the gateway while the target is
// silent, and the target can still be replaced unseen (T086).
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	limits := gateway.DefaultLimits()
	limits.Heartbeat = 50 * time.Millisecond
	for _, a := range apis {
		beside.run(t, a.name, func(t *testing.T) {
			w := newWorld(t, withLimits(limits), withTimeouts(impatient()))
			w.fail(a.own[0], "silent")
			got := w.post(a, body(a.own[0]+">"+a.other[0], "Hello", true), nil)
			if !got.whole() {
				t.Errorf("got %v, want the understudy's answer", got)
			}
			if beat := bytes.Contains(got.body, []byte(": ")) || bytes.Contains(got.body, []byte("event: ping")); !beat {
				t.Errorf("got no sign of life in %.300s", got.body)
			}
			w.fail(a.other[0], "silent")
			if got := w.post(a, body(a.own[0]+">"+a.other[0], "Hello", true), nil); got.status != 200 || got.ended != "error" {
				t.Errorf("got %v, want an error event, since the stream has begun", got)
			}
		})
	}
}

// TestAbort: what still runs when the time to drain is over ends in an error.
func TestAbort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := make(chan *answer, 1)
	go func() { done <- w.post(chatAPI, body("chat1|+chunks-500+delay-20ms", "Hello", true), nil) }()
	eventually(t, "the stream to be open", func() bool { return w.vendors["chat1"].OpenStreams() == 1 })
	w.gw.Abort()
	if got := <-done; got.ended != "error" && got.status != http.StatusServiceUnavailable {
		t.Errorf("got %v, want an error", got)
	}
}

// imagesBody holds count PNG images of size bytes each.
func imagesBody(model string, count, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"` + model + `","max_tokens":64,"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"}`)
	png := "iVBORw0KGgo" // a PNG's signature; what follows need not be one
	data := png + strings.Repeat("A", (size*4/3-len(png))/4*4+1)
	for range count {
		b.WriteString(`,{"type":"image_url","image_url":{"url":"data:image/png;base64,` + data + `"}}`)
	}
	b.WriteString(`]}]}`)
	return b.Bytes()
}
