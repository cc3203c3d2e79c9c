package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

var cohereAPI = api{
	name: "cohere", path: "/v2/chat", header: map[string]string{"X-Client-Name": "app"},
	own: []string{"cohere1", "cohere2"}, other: []string{"chat1", "chat2"}, read: readCohere,
}

// readCohere finds the text of an answer, and how a stream ended.
func readCohere(o *answer) {
	var whole struct {
		Message struct{ Content []struct{ Text string } }
	}
	if o.status == http.StatusOK && json.Unmarshal(o.body, &whole) == nil {
		for _, b := range whole.Message.Content {
			o.text += b.Text
		}
	}
	for _, e := range o.events {
		var v struct {
			Type  string
			Delta struct {
				Message struct{ Content struct{ Text string } }
				Error   string
			}
		}
		_ = json.Unmarshal([]byte(e.data), &v) // the first event has lists where the others have objects
		o.text += v.Delta.Message.Content.Text
		switch {
		case v.Delta.Error != "":
			o.ended = "error"
		case v.Type == "message-end":
			o.ended = "clean"
		}
	}
}

func cohereWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	return newWorld(t, append(opts, withDialect(cohere.New(), cohereAPI.path, cohereAPI.own...))...)
}

// TestCohereIsRelayed holds that bytes are the client's and the vendor's.
func TestCohereIsRelayed(t *testing.T) {
	t.Parallel()
	w := cohereWorld(t, withTimeouts(patient()))
	for _, stream := range []string{"false", "true"} {
		sent := `{ "model" : "cohere1", "messages":[ {"role":"user","content":"sea  "} ],"stream":` + stream + `, "priority": 3, "k":4 }`
		got := w.post(cohereAPI, []byte(sent), nil)
		if !got.whole() || got.text != "You said: sea  " || got.header.Get("X-Understudy-Mode") != "relay" {
			t.Fatalf("got %v want it relayed", got)
		}
		seen := w.vendors["cohere1"].Requests()
		last := seen[len(seen)-1]
		if want := strings.Replace(sent, `"cohere1"`, `"gpt-4o"`, 1); string(last.Body) != want || last.Header.Get("X-Client-Name") != "app" {
			t.Errorf("got %s sent want %s", last.Body, want)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.OutVisible == 0 {
			t.Errorf("got usage %+v counted", u)
		}
	}
}

// TestCohereIsTranslated asks each vendor in each client's dialect, whole and streamed, for a text and for calls.
func TestCohereIsTranslated(t *testing.T) {
	t.Parallel()
	w := cohereWorld(t, withTimeouts(patient()))
	for _, c := range []struct {
		from api
		to   string
	}{{chatAPI, "cohere1"}, {messagesAPI, "cohere1"}, {cohereAPI, "chat1"}, {cohereAPI, "claude1"}} {
		for _, stream := range []bool{false, true} {
			got := w.post(c.from, body(c.to, "the sea", stream), nil)
			if !got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Mode") != "translate" {
				t.Errorf("%s to %s: got %v want a translated echo", c.from.name, c.to, got)
			}
			got = w.post(c.from, body(c.to, "Weather?", stream, map[string]any{"tools": []any{weatherTool(c.from)}}), nil)
			if !got.whole() || !bytes.Contains(got.body, []byte("get_weather")) {
				t.Errorf("%s to %s: got %v want a call", c.from.name, c.to, got)
			}
		}
		bad := w.post(c.from, body("nobody", "x", false), nil)
		if bad.status != 404 {
			t.Errorf("%s: got %v want 404", c.from.name, bad)
		}
	}
	if got := w.post(cohereAPI, body("nobody", "x", false), nil); !bytes.HasPrefix(got.body, []byte(`{"id":"call-`)) {
		t.Errorf("got %s want the dialect's own error", got.body)
	}
}

// TestCohereDocumentsReachOthers sends documents to a vendor that has a place for them.
func TestCohereDocumentsReachOthers(t *testing.T) {
	t.Parallel()
	w := cohereWorld(t, withTimeouts(patient()))
	got := w.post(cohereAPI, body("claude1|+cite", "When?", false, map[string]any{
		"documents": []any{map[string]any{"id": "d1", "data": map[string]any{"title": "Log", "text": "The lamp went out at two."}}},
	}), nil)
	if !got.whole() || !bytes.Contains(got.body, []byte(`"citations":[{"start":0`)) {
		t.Errorf("got %v want an answer with citations", got)
	}
	seen := w.vendors["claude1"].Requests()
	if sent := string(seen[len(seen)-1].Body); !strings.Contains(sent, `text: The lamp went out at two.`) || !strings.Contains(sent, `"citations":{"enabled":true}`) {
		t.Errorf("got %s sent want the document, to be cited", sent)
	}
}

// TestCohereFaults breaks a lead that speaks the dialect by every fault that it has a form for.
func TestCohereFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		if isAlikeInAll(f) {
			continue
		}
		for _, a := range []api{cohereAPI, chatAPI} {
			busy <- struct{}{}
			wg.Go(func() {
				defer func() { <-busy }()
				w := cohereWorld(t, withTimeouts(patient()))
				defer w.close()
				for _, stream := range []bool{false, true} {
					if stream && f.Stream || !stream && f.Unary {
						w.holdFault(f, a, "cohere1", "chat2", stream)
					}
				}
			})
		}
	}
	wg.Wait()
}
