package demo

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// direct serves the applications from the vendors themselves, each under its own name, so that they can be seen to
// notice what a gateway would let through.
func direct(t *testing.T) ([]*clientApp, []*vendor) {
	t.Helper()
	openAI, anthropic := newVendors()
	vendors := map[bool]*vendor{true: openAI, false: anthropic}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := vendors[r.URL.Path == chat{}.path()]
		r.Header.Set("Authorization", "Bearer "+vendorKey)
		r.Header.Set("X-Api-Key", vendorKey)
		w.Header().Set(targetHeader, v.name+"/"+largeModel)
		v.server.ServeHTTP(w, r)
	}))
	apps := newApps(gateway.URL, openAI, anthropic)
	for _, a := range apps {
		a.model = largeModel
	}
	t.Cleanup(func() {
		for _, a := range apps {
			a.close()
		}
		openAI.server.Close()
		anthropic.server.Close()
		gateway.Close()
	})
	return apps, []*vendor{openAI, anthropic}
}

// TestAppsAreContentWithAHealthyVendor shows that the applications' checks are no stricter than the vendors.
func TestAppsAreContentWithAHealthyVendor(t *testing.T) {
	apps, _ := direct(t)
	for _, a := range apps {
		got, err := a.ask(t.Context(), "cue 1")
		if err != nil || got.vendor != a.lead || got.waited < thinkingTime {
			t.Errorf("%s: got %+v and error %v, want an answer of %s after %v", a.title, got, err, a.lead, thinkingTime)
		}
	}
}

// TestAppsNoticeFaults breaks the vendors with nothing between them and the applications. Whatever is no whole answer
// must be noticed; otherwise the demo could not tell a gateway that hides faults from one that hands them on.
func TestAppsNoticeFaults(t *testing.T) {
	t.Parallel()
	apps, _ := direct(t)
	for _, info := range fakeprovider.Faults() {
		if info.Want == fakeprovider.Serve || info.Slow || info.ServerWide || info.Kind == "keepalive-race" {
			continue // not broken, or not to be had for one request
		}
		t.Run(info.Kind, func(t *testing.T) {
			for _, a := range apps {
				f := fault{unary: info.Unary, stream: info.Stream}
				if !f.strikes(a) || info.Dialect != "" && (info.Dialect == fakeprovider.Chat) != (a.api == chat{}) {
					continue
				}
				broken := *a
				broken.http = &http.Client{Transport: faulty{a.http.Transport, info.Kind}}
				if got, err := broken.ask(t.Context(), "cue 1"); err == nil {
					t.Errorf("%s: got %+v, want an error", a.title, got)
				}
			}
		})
	}
}

// faulty asks the vendor for a fault.
type faulty struct {
	http.RoundTripper
	kind string
}

func (f faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set(fakeprovider.FaultHeader, f.kind)
	return f.RoundTripper.RoundTrip(r)
}

// TestAppsNoticeEveryEvent takes each event of a whole stream away, and then doubles each.
func TestAppsNoticeEveryEvent(t *testing.T) {
	apps, _ := direct(t)
	for _, a := range apps {
		if !a.stream {
			continue
		}
		events := recorded(t, a)
		whole, err := a.readEvents(events)
		if err != nil || whole != says(a.lead, "cue 1") {
			t.Fatalf("%s: got %q and error %v for the whole stream, want what %s says", a.title, whole, err, a.lead)
		}
		if len(events) < 10 {
			t.Fatalf("%s: got %d events, want a stream of many", a.title, len(events))
		}
		for i, e := range events {
			if strings.Contains(e, "event: ping") {
				continue // may stand anywhere
			}
			for what, changed := range map[string][]string{
				"without": slices.Concat(events[:i], events[i+1:]),
				"twice":   slices.Concat(events[:i+1], events[i:]),
			} {
				if text, err := a.readEvents(changed); err == nil && text == whole {
					t.Errorf("%s, %s %q: got a whole answer, want it noticed", a.title, what, e)
				}
			}
		}
	}
}

// readEvents reads a stream made of events.
func (a *clientApp) readEvents(events []string) (string, error) {
	text, _, err := a.readStream(&http.Response{
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body:   io.NopCloser(strings.NewReader(strings.Join(events, ""))),
	})
	return text, err
}

// recorded returns the events of a healthy answer.
func recorded(t *testing.T, a *clientApp) []string {
	t.Helper()
	body, err := a.api.request(a.model, "cue 1", true)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.root+a.api.path(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a.api.header(req.Header)
	resp, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		t.Fatal(err)
	}
	events := strings.SplitAfter(string(all), "\n\n")
	return events[:len(events)-1]
}
