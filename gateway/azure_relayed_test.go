package gateway_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/provider"
)

// older are the facts of a service that has the older form of Azure's API.
func older(f *provider.Facts) {
	f.BaseURL = strings.TrimSuffix(f.BaseURL, "/v1")
	f.Dialects = map[dialect.Name]string{
		dialect.OpenAIChat:      "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
		dialect.OpenAIResponses: "/openai/responses?api-version=2025-03-01-preview",
	}
}

// TestRelayedAtAzure: what nobody translates is asked for and served in either form of Azure's API, and in OpenAI's own.
func TestRelayedAtAzure(t *testing.T) {
	t.Parallel()
	known, _ := provider.Known().Facts("azure")
	current := func(f *provider.Facts) {
		f.BaseURL = strings.TrimSuffix(f.BaseURL, "/v1")
		f.Dialects, f.Relays = known.Dialects, known.Relays
	}
	const deployed, version = "/openai/deployments/both", "?api-version=2024-10-21"
	for _, tc := range []struct {
		method, path, body    string
		openai, newest, older string // where it is asked for, at a
	}{
		{"POST", "/v1/images/generations", `{"model":"both","prompt":"x"}`, "/v1/images/generations", "/openai/v1/images/generations", "/openai/deployments/model-a/images/generations" + version},
		{"POST", "/openai/v1/images/edits?api-version=preview", `{"model":"both","prompt":"x"}`, "/v1/images/edits", "/openai/v1/images/edits", "/openai/deployments/model-a/images/edits" + version},
		{"POST", deployed + "/images/generations" + version, `{"prompt":"x"}`, "/v1/images/generations", "/openai/v1/images/generations", "/openai/deployments/model-a/images/generations" + version},
		{"POST", deployed + "/audio/speech" + version, `{"model":"gpt-other","input":"x"}`, "/v1/audio/speech", "/openai/v1/audio/speech", "/openai/deployments/model-a/audio/speech" + version},
		{"POST", deployed + "/completions" + version, `{"prompt":"x"}`, "/v1/completions", "/openai/v1/completions", "/openai/deployments/model-a/completions" + version},
		{"GET", "/openai/files/file-1/content" + version, "", "/v1/files/file-1/content", "/openai/v1/files/file-1/content", "/openai/files/file-1/content" + version},
		{"GET", "/openai/v1/files?limit=2", "", "/v1/files?limit=2", "/openai/v1/files?limit=2", "/openai/files" + version + "&limit=2"},
		{"GET", "/v1/files/a%20b", "", "/v1/files/a%20b", "/openai/v1/files/a%20b", "/openai/files/a%20b" + version},
		{"GET", "/openai/files/a%20b", "", "/v1/files/a%20b", "/openai/v1/files/a%20b", "/openai/files/a%20b" + version},
		{"POST", "/openai/batches" + version, `{"input_file_id":"f"}`, "/v1/batches", "/openai/v1/batches", "/openai/batches" + version},
		{"GET", "/openai/v1/responses/resp_1", "", "/v1/responses/resp_1", "/openai/v1/responses/resp_1", "/openai/responses/resp_1?api-version=2025-03-01-preview"},
	} {
		for form, change := range map[string]func(*provider.Facts){"openai": func(*provider.Facts) {}, "newest": current, "older": older} {
			want := map[string]string{"openai": tc.openai, "newest": tc.newest, "older": tc.older}[form]
			w := newRelayWorld(t, tells("application/json", `{"ok":true}`), fails(500), change)
			contentType := ""
			if tc.body != "" {
				contentType = "application/json"
			}
			resp, got := w.do(t, tc.method, tc.path, contentType, tc.body)
			if resp.StatusCode != 200 || got != `{"ok":true}` {
				t.Errorf("%s %s, %s: got %d %s want the answer", tc.method, tc.path, form, resp.StatusCode, got)
			}
			w.mu.Lock()
			if body := w.bodies[0]; tc.body != "" && !strings.Contains(tc.path, "batches") && !strings.Contains(body, `"model":"model-a"`) || strings.Contains(body, "gpt-other") {
				t.Errorf("%s %s, %s: got body %s want the target's model in it", tc.method, tc.path, form, body)
			}
			w.mu.Unlock()
			w.saw(t, "a "+tc.method+" "+want)
		}
	}
}

// TestFormsAtAzure: a deployment is named in the path, so that the form may have no field for it; others want one.
func TestFormsAtAzure(t *testing.T) {
	t.Parallel()
	for _, has := range []bool{false, true} {
		w := newRelayWorld(t, tells("application/json", `{"text":"ahoj"}`), fails(500))
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		file, _ := form.CreateFormFile("file", "a.wav")
		file.Write([]byte("RIFF\x00\xff\r\n--"))
		if has {
			form.WriteField("model", "both")
		}
		form.Close()
		resp, got := w.do(t, "POST", "/openai/deployments/both/audio/transcriptions?api-version=2024-10-21", form.FormDataContentType(), b.String())
		if resp.StatusCode != 200 {
			t.Fatalf("got %d %s want the answer", resp.StatusCode, got)
		}
		w.mu.Lock()
		read, err := multipart.NewReader(strings.NewReader(w.bodies[0]), form.Boundary()).ReadForm(1 << 20)
		if err != nil || len(read.Value["model"]) != 1 || read.Value["model"][0] != "model-a" || len(read.File["file"]) != 1 {
			t.Errorf("field %v: got %+v %v want one model, the target's, and the file", has, read, err)
		}
		w.mu.Unlock()
	}
}

// TestRealtimeAtAzure: a session's model is a deployment in the older form of the address.
func TestRealtimeAtAzure(t *testing.T) {
	t.Parallel()
	hangsUp := func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			conn.Close(websocket.StatusNormalClosure, "")
		}
	}
	known, _ := provider.Known().Facts("azure")
	for _, path := range []string{"/openai/realtime?api-version=2025-04-01-preview&deployment=both", "/openai/v1/realtime?model=both", "/v1/realtime?model=both"} {
		w := newRelayWorld(t, hangsUp, fails(500), func(f *provider.Facts) {
			f.BaseURL = strings.TrimSuffix(f.BaseURL, "/v1")
			f.Dialects, f.Relays = known.Dialects, known.Relays
		})
		conn, _, err := websocket.Dial(t.Context(), w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = conn.Read(t.Context())
		_ = conn.CloseNow()
		<-w.settle
		w.saw(t, "a GET /openai/v1/realtime?model=model-a")
	}
}

// TestRelayedStaysInPlaceAtAzure: a deployment's name leads nowhere else.
func TestRelayedStaysInPlaceAtAzure(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, tells("application/json", "{}"), tells("application/json", "{}"), older)
	for _, path := range []string{"/openai/deployments/a%2F..%2Fb/images/generations", "/openai/deployments/../images/generations", "/openai/files/..%2Fadmin"} {
		if resp, got := w.do(t, "POST", path, "application/json", `{}`); resp.StatusCode < 400 {
			t.Errorf("%s: got %d %s want it refused", path, resp.StatusCode, got)
		}
	}
	if resp, got := w.do(t, "POST", "/v1/images/generations", "application/json", `{"model":"a/../../b","prompt":"x"}`); resp.StatusCode < 400 {
		t.Errorf("got %d %s want it refused", resp.StatusCode, got)
	}
	w.saw(t)
}
