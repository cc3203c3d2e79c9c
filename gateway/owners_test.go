package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A file is asked for where it was put; a batch goes where its file is; and when nobody remembers, everybody is asked.
func TestObjectsGoBackToTheirOwner(t *testing.T) {
	t.Parallel()
	down := false
	var mu sync.Mutex
	a := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			fails(500)(w, r)
			return
		}
		fails(404)(w, r)
	}
	b := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST" && r.URL.Path == "/v1/files":
			tells("application/json", `{"id":"file-1","object":"file"}`)(w, r)
		case r.URL.Path == "/v1/files":
			tells("application/json", `{"object":"list","data":[{"id":"file-1"},{"id":"file-2"}]}`)(w, r)
		case r.URL.Path == "/v1/batches":
			tells("application/json", `{"id":"batch_1","output_file_id":"file-3"}`)(w, r)
		default:
			tells("application/json", `{"id":"`+r.URL.Path+`"}`)(w, r)
		}
	}
	w := newRelayWorld(t, a, b)
	// Nobody knows it: the first says it has no such file, the second has it.
	if resp, _ := w.do(t, "GET", "/v1/files/file-9", "", ""); resp.StatusCode != 200 {
		t.Errorf("an unknown file: got %d, want it found", resp.StatusCode)
	}
	w.saw(t, "a GET /v1/files/file-9", "b GET /v1/files/file-9")
	mu.Lock()
	down = true
	mu.Unlock()
	w.do(t, "POST", "/v1/files", "application/json", `{"purpose":"batch"}`)
	w.saw(t, "a POST /v1/files", "b POST /v1/files")
	w.do(t, "GET", "/v1/files/file-1", "", "")
	w.do(t, "GET", "/v1/files/file-1/content?after=2", "", "")
	w.do(t, "POST", "/v1/batches", "application/json", `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`)
	w.do(t, "GET", "/v1/batches/batch_1", "", "")
	w.do(t, "DELETE", "/v1/files/file-3", "", "")
	w.saw(t, "b GET /v1/files/file-1", "b GET /v1/files/file-1/content?after=2", "b POST /v1/batches", "b GET /v1/batches/batch_1", "b DELETE /v1/files/file-3")
}

// An answer that a vendor keeps is gone on with there, and looked up there (F31).
func TestAnswersAreGoneOnWithWhereTheyAre(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	down := true
	a := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			fails(503)(w, r)
			return
		}
		tells("application/json", responseOf("resp_a"))(w, r)
	}
	w := newRelayWorld(t, a, func(rw http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), `"stream":true`) {
			tells("text/event-stream", "event: response.created\ndata: {\"type\":\"response.created\",\"response\":"+responseOf("resp_c")+"}\n\n"+
				"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"+responseOf("resp_c")+"}\n\n")(rw, r)
			return
		}
		tells("application/json", responseOf("resp_b"))(rw, r)
	})
	ask := func(more string) {
		t.Helper()
		if resp, got := w.do(t, "POST", "/v1/responses", "application/json", `{"model":"both","input":"hi"`+more+`}`); resp.StatusCode != 200 {
			t.Fatalf("got %d %s, want an answer", resp.StatusCode, got)
		}
	}
	ask("")
	ask(`,"stream":true`)
	w.saw(t, "a POST /v1/responses", "b POST /v1/responses", "a POST /v1/responses", "b POST /v1/responses")
	mu.Lock()
	down = false
	mu.Unlock()
	ask(`,"previous_response_id":"resp_b"`)
	ask(`,"previous_response_id":"resp_c"`)
	ask(`,"previous_response_id":"resp_unknown"`)
	ask(`,"conversation":{"id":"resp_b"}`)
	w.do(t, "GET", "/v1/responses/resp_c", "", "")
	w.saw(t, "b POST /v1/responses", "b POST /v1/responses", "a POST /v1/responses", "b POST /v1/responses", "b GET /v1/responses/resp_c")
}

func responseOf(id string) string {
	return `{"id":"` + id + `","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"msg_1",` +
		`"status":"completed","role":"assistant","content":[{"type":"output_text","text":"ahoj","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`
}
