package fakeprovider

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// judge says which outcome the client's experience amounts to, with the tolerance a good gateway has.
func judge(vendor string, stream bool, h heard) (got Outcome, why string) {
	switch {
	case h.status == 0:
		return Failover, "no answer"
	case h.status >= 400:
		return Surface, "an error status"
	case h.status != http.StatusOK:
		return Failover, "a status that is not 200"
	}
	body := h.body
	if h.header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			return Failover, "gzip"
		}
		b, err := io.ReadAll(io.LimitReader(z, 4<<20))
		if err != nil || len(b) == 4<<20 {
			return Failover, "gzip"
		}
		body = string(b)
	}
	if !strings.HasPrefix(strings.TrimSpace(body), "{") && len(events(body)) > 0 && (stream || strings.Contains(body, "data:")) {
		r := readStream(vendor, body)
		switch {
		case r.stop != "" && r.bad == "" && (r.content > 0 || r.out == 0):
			return Serve, ""
		case r.content > 0:
			return Broken, r.bad
		}
		return Failover, "no content: " + r.bad
	}
	r := readUnary(vendor, body)
	if r.bad != "" || h.err != nil || r.stop == "" || strings.Count(body, "[[") > 100 {
		return Failover, r.bad
	}
	return Serve, ""
}

// Every fault must leave a client where the table says. A status is the same for Surface and
// Failover: which of the two it is, is the gateway's to know.
func TestEveryFaultIsWhatItSays(t *testing.T) {
	for _, f := range Faults() {
		for vendor := range paths {
			for _, stream := range []bool{false, true} {
				if f.Dialect != "" && f.Dialect != vendor || stream && !f.Stream || !stream && !f.Unary || f.ServerWide || f.Kind == "keepalive-race" || f.Kind == "deaf" {
					continue
				}
				t.Run(f.Kind+"/"+vendor+"/"+map[bool]string{true: "stream", false: "unary"}[stream], func(t *testing.T) {
					t.Parallel()
					s := start(t, Options{})
					want := f.Want
					if want == Rescue {
						want = Broken // the vendor's part of it
					}
					waits := []time.Duration{patience}
					if f.Slow { // longer where a busy machine needs that
						waits = []time.Duration{150 * time.Millisecond, 2 * time.Second, 10 * time.Second}
					}
					var h heard
					var got Outcome
					var why string
					for _, wait := range waits {
						h = send(t, client(t), s, vendor, bodyFor(vendor, "fake+x-fault-"+f.Kind, stream), wait, func(r *http.Request) {
							if k := findKind(f.Kind); k.early {
								r.Header.Set(FaultHeader, f.Kind)
							}
						})
						if got, why = judge(vendor, stream, h); got == want && s.Last().Fault == f.Kind {
							break // else the request may not even have come
						}
					}
					if h.status >= 400 && (want == Failover || want == Surface) {
						got = want
						if n := f.Kind[max(0, len(f.Kind)-3):]; n >= "400" && n <= "599" && n != strconv.Itoa(h.status) {
							t.Errorf("status: got %d", h.status)
						}
					}
					if f.Kind == "partial-206" && h.status == 206 {
						got = want
					}
					if got != want {
						t.Errorf("got %s (%s) want %s; status %d, error %v, body %.600q", got, why, want, h.status, h.err, h.body)
					}
					if f.Slow && !h.timedOut() && f.Kind != "endless-1xx" {
						t.Errorf("got an end (%v) want to wait", h.err)
					}
					if seen := s.Last(); seen.Fault != f.Kind {
						t.Errorf("journal: got fault %q want %q", seen.Fault, f.Kind)
					}
				})
			}
		}
	}
}

func TestFaultsHaveNamesAndRows(t *testing.T) {
	seen := map[string]bool{}
	rows := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Kind] || f.Kind == "" || f.What == "" || f.Want == "" || !f.Unary && !f.Stream {
			t.Errorf("%+v: repeated or incomplete", f)
		}
		seen[f.Kind] = true
		for _, r := range f.Rows {
			rows[r] = true
		}
	}
	for _, r := range strings.Fields("A4 A8 A11 A12 A14 A15 B1 B2 B3 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B18 B19 B20 B21 B22 B23 B24 B25 B26 B27 B28 B29 B30 B31 B32 " +
		"C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 D16 D17 D18 D19 D20 D21 D22 D24 D25 D26 D27 D28 D29 D30 D31 D33 D34") {
		if !rows[r] {
			t.Errorf("row %s has no fault", r)
		}
	}
}

func TestConnectionFaultsOnTheWire(t *testing.T) {
	for _, tc := range []struct {
		kind string
		want func(h heard) bool
		say  string
	}{
		{"reset", func(h heard) bool { return errors.Is(h.err, syscall.ECONNRESET) }, "ECONNRESET"},
		{"close", func(h heard) bool { return errors.Is(h.err, io.EOF) }, "EOF before any byte"},
		{"reset-stream", func(h heard) bool {
			return errors.Is(h.err, syscall.ECONNRESET) && strings.Count(h.body, `"content":"`) == 4
		}, "role, 3 chunks, then ECONNRESET"},
		{"reset-stream=1", func(h heard) bool {
			return errors.Is(h.err, syscall.ECONNRESET) && strings.Count(h.body, `"content":"`) == 2
		}, "role, 1 chunk, then ECONNRESET"},
		{"drop-stream", func(h heard) bool { return errors.Is(h.err, io.ErrUnexpectedEOF) }, "a cut chunked body"},
		{"eof-stream", func(h heard) bool { return h.err == nil && !strings.Contains(h.body, "finish_reason\":\"") }, "a clean end without finish"},
		{"eof-bytes=100", func(h heard) bool { return h.err == nil && len(h.body) == 100 }, "100 bytes and a clean end"},
		{"reset-bytes=77", func(h heard) bool { return errors.Is(h.err, syscall.ECONNRESET) && len(h.body) == 77 }, "77 bytes and ECONNRESET"},
		{"eof-utf8", func(h heard) bool { return strings.HasSuffix(h.body, "\xc3") }, "half of a two-byte sequence at the end"},
		{"eof-escape", func(h heard) bool { return strings.HasSuffix(h.body, `\`) }, "a lone backslash at the end"},
		{"huge-headers", func(h heard) bool { return h.err != nil && strings.Contains(h.err.Error(), "exceeded") }, "too large headers"},
		{"surrogate", func(h heard) bool {
			return strings.Contains(h.body, `"content":"\ud83d"`) && strings.Contains(h.body, `"content":"\ude00 "`)
		}, "two halves of a surrogate pair"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			s := start(t, Options{})
			h := send(t, client(t), s, Chat, bodyFor(Chat, "m+fault-"+tc.kind, true), patience, nil)
			if !tc.want(h) {
				t.Errorf("got %v, %q want %s", h.err, h.body, tc.say)
			}
		})
	}
}

// Short answers must not turn a fault after content into one before it.
func TestBrokenStreamsHaveContentWhateverTheLength(t *testing.T) {
	s := start(t, Options{})
	for _, f := range Faults() {
		if f.Want != Broken && f.Want != Rescue || f.Slow {
			continue
		}
		for vendor := range paths {
			for _, model := range []string{"m", "m+chunks-1", "m+chunks-2", "m+chunks-50"} {
				if f.Dialect != "" && f.Dialect != vendor {
					continue
				}
				h := send(t, client(t), s, vendor, bodyFor(vendor, model+"+fault-"+f.Kind, true), patience, nil)
				if got, why := judge(vendor, true, h); got != Broken {
					t.Errorf("%s %s %s: got %s (%s) want broken", f.Kind, vendor, model, got, why)
				}
			}
		}
	}
}

func TestKeepAliveRaceStrikesTheSecondRequest(t *testing.T) {
	s := start(t, Options{})
	if err := s.SetFault(&Fault{Kind: "keepalive-race"}); err != nil {
		t.Fatal(err)
	}
	c := client(t)
	body := bodyFor(Chat, "m", false)
	if h := send(t, c, s, Chat, body, patience, nil); h.status != 200 {
		t.Fatalf("first: got %v want 200", h)
	}
	second := send(t, c, s, Chat, body, patience, func(r *http.Request) { r.GetBody = nil })
	if second.err == nil {
		t.Fatalf("second: got %d want a broken connection", second.status)
	}
	seen := s.Requests()
	if len(seen) != 2 || seen[0].Fault != "" || seen[1].Fault != "keepalive-race" || seen[1].ConnTurn != 2 || seen[0].Conn != seen[1].Conn {
		t.Errorf("journal: got %+v", seen)
	}
}

func TestRefusedClosesTheListenerAndMends(t *testing.T) {
	s := start(t, Options{})
	body := bodyFor(Chat, "m", false)
	if err := s.SetFault(&Fault{Kind: "refused"}); err != nil {
		t.Fatal(err)
	}
	if h := send(t, client(t), s, Chat, body, patience, nil); !errors.Is(h.err, syscall.ECONNREFUSED) {
		t.Fatalf("got %v want ECONNREFUSED", h.err)
	}
	if err := s.SetFault(nil); err != nil {
		t.Fatal(err)
	}
	if h := send(t, client(t), s, Chat, body, patience, nil); h.status != 200 {
		t.Errorf("after mending: got %d %v want 200", h.status, h.err)
	}
}

func TestDeafNeverReadsTheBody(t *testing.T) {
	s := start(t, Options{})
	s.Queue(Fault{Kind: "deaf"})
	sent := &counting{left: 64 << 20}
	ctx, leave := context.WithCancel(t.Context())
	var leaving sync.WaitGroup
	leaving.Go(func() {
		defer leave()
		for until := time.Now().Add(patience); s.Last().Fault != "deaf" && time.Now().Before(until); {
			time.Sleep(2 * time.Millisecond) // until the request is there
		}
		time.Sleep(400 * time.Millisecond)
	})
	h := send(t, client(t), s, Chat, "", 2*patience, func(r *http.Request) {
		*r = *r.WithContext(ctx)
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(sent), sent.left, nil
	})
	leaving.Wait()
	if !errors.Is(h.err, context.Canceled) {
		t.Errorf("got %v want no answer until the client leaves", h.err)
	}
	s.Close() // the transport still writes until then
	if got := s.Last(); got.Body != nil || got.Fault != "deaf" {
		t.Errorf("journal: got %d bytes, fault %q want none read", len(got.Body), got.Fault)
	}
}

// counting is a body of spaces.
type counting struct{ left int64 }

func (c *counting) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := int(min(c.left, int64(len(p))))
	copy(p, bytes.Repeat([]byte(" "), n))
	c.left -= int64(n)
	return n, nil
}

func TestFaultsAreChosenByHeaderThenQueueThenModelThenStanding(t *testing.T) {
	s := start(t, Options{})
	if err := s.SetFault(&Fault{Kind: "internal-500"}); err != nil {
		t.Fatal(err)
	}
	s.Queue(Fault{Kind: "unavailable-503"}, Fault{})
	c := client(t)
	try := func(model, header string) int {
		return send(t, c, s, Chat, bodyFor(Chat, model, false), patience, func(r *http.Request) {
			if header != "" {
				r.Header.Set(FaultHeader, header)
			}
		}).status
	}
	for i, tc := range []struct {
		model, header string
		want          int
	}{
		{"m", "conflict-409", 409},
		{"m+fault-timeout-408", "", 503},
		{"m", "", 200},
		{"m+fault-timeout-408", "", 408},
		{"m", "", 500},
	} {
		if got := try(tc.model, tc.header); got != tc.want {
			t.Errorf("request %d: got %d want %d", i, got, tc.want)
		}
	}
}

func TestRetryFormsSayWhenToComeBack(t *testing.T) {
	s := start(t, Options{})
	for kind, want := range map[string][2]string{
		"rate-429-seconds":       {"Retry-After", "7"},
		"rate-429-fraction":      {"Retry-After", "0.5"},
		"rate-429-ms":            {"Retry-After-Ms", "300"},
		"rate-429-reset-tokens":  {"X-Ratelimit-Reset-Tokens", "6m0s"},
		"rate-429-day":           {"Retry-After", "86400"},
		"rate-429-list":          {"Retry-After", "7, 9"},
		"unavailable-retry-503":  {"Retry-After", "3"},
		"no-retry-500":           {"X-Should-Retry", "false"},
		"redirect-307":           {"Location", strings.Replace(s.RootURL(), "127.0.0.1", "localhost", 1) + paths[Chat]},
		"bad-gateway-502":        {"Content-Type", "text/html; charset=UTF-8"},
		"rate-429-reset-rfc3339": {"Content-Type", "application/json"},
	} {
		h := send(t, client(t), s, Chat, bodyFor(Chat, "m+fault-"+kind, false), patience, nil)
		if got := h.header.Get(want[0]); got != want[1] {
			t.Errorf("%s: got %s %q want %q", kind, want[0], got, want[1])
		}
	}
	for vendor := range paths {
		h := send(t, client(t), s, vendor, bodyFor(vendor, "m+fault-rate-429-none", false), patience, nil)
		for name := range h.header {
			if strings.Contains(name, "Ratelimit") || strings.Contains(name, "Retry") {
				t.Errorf("rate-429-none: got %s: %s", name, h.header.Get(name))
			}
		}
	}
	h := send(t, client(t), s, Chat, bodyFor(Chat, "m+fault-rate-429-skewed-date", false), patience, nil)
	date, _ := http.ParseTime(h.header.Get("Date"))
	retry, _ := http.ParseTime(h.header.Get("Retry-After"))
	if d := retry.Sub(date); d < 6*time.Second || d > 8*time.Second || time.Until(date) < 9*time.Minute {
		t.Errorf("skewed date: got %v after %v want 7s, ten minutes ahead", d, date)
	}
}

func TestHoldEndsAFaultThatWaits(t *testing.T) {
	s := start(t, Options{})
	for _, kind := range []string{"stall", "pings-only", "endless-stream"} {
		s.Queue(Fault{Kind: kind, Hold: 50 * time.Millisecond})
		h := send(t, client(t), s, Messages, bodyFor(Messages, "m", true), patience, nil)
		if h.err != nil || h.status != 200 {
			t.Errorf("%s: got %d %v want an end after the hold", kind, h.status, h.err)
		}
	}
}

func TestMarkersWorkForEarlyFaults(t *testing.T) {
	s := start(t, Options{})
	for _, kind := range []string{"reset-early", "close-early", "refused"} {
		if h := send(t, client(t), s, Chat, bodyFor(Chat, "x-fault-"+kind, false), patience, nil); h.err == nil {
			t.Errorf("%s: got %d want no answer", kind, h.status)
		}
	}
}

func TestTooLargeARequestIsRefused(t *testing.T) {
	s := start(t, Options{})
	for vendor := range paths {
		h := send(t, client(t), s, vendor, strings.Repeat(" ", maxBody+1), patience, nil)
		if h.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: got %d %v want 413", vendor, h.status, h.err)
		}
	}
}
