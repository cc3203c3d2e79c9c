package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// sound is what the simulated vendor says, whatever the text.
const sound = "RIFF....WAVEfmt "

// files are what OpenAI keeps, by id. A batch is done at once: its output are the lines of its input.
type files struct {
	mu      sync.Mutex
	kept    map[string]file
	batches map[string]map[string]any
}

type file struct {
	Name, Purpose string
	Content       []byte
}

// relayed serves what nobody translates as OpenAI does, in the least way that its SDKs accept; all
// other requests go to the simulated vendor. A model's name that the gateway would not send is refused.
func relayed(v *vendor) http.Handler {
	f := &files{kept: map[string]file{}, batches: map[string]map[string]any{}}
	mux := http.NewServeMux()
	handle := func(pattern string, do http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+v.key {
				refuse(w, http.StatusUnauthorized, "invalid_api_key")
				return
			}
			do(w, r)
		})
	}
	handle("POST /v1/audio/speech", speak)
	handle("POST /v1/audio/transcriptions", transcribe)
	handle("POST /v1/images/generations", draw)
	handle("POST /v1/moderations", moderate)
	handle("POST /v1/files", f.upload)
	handle("GET /v1/files/{id}", f.describe)
	handle("DELETE /v1/files/{id}", f.remove)
	handle("GET /v1/files/{id}/content", f.content)
	handle("POST /v1/batches", f.createBatch)
	handle("GET /v1/batches/{id}", f.batch)
	handle("GET /v1/realtime", converse)
	mux.Handle("/", v)
	return mux
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": "Refused: " + code, "type": "invalid_request_error", "param": nil, "code": code,
	}})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// read takes in a JSON request for one of the models.
func read(w http.ResponseWriter, r *http.Request, models ...string) (body map[string]any, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_json")
		return nil, false
	}
	for _, m := range models {
		ok = ok || body["model"] == m
	}
	if !ok && len(models) > 0 {
		refuse(w, http.StatusNotFound, "model_not_found")
		return nil, false
	}
	return body, true
}

func speak(w http.ResponseWriter, r *http.Request) {
	if body, ok := read(w, r, "tts-1"); ok {
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = io.WriteString(w, sound+body["input"].(string))
	}
}

func transcribe(w http.ResponseWriter, r *http.Request) {
	sent, _, err := r.FormFile("file")
	if err != nil || r.FormValue("model") != "whisper-1" {
		refuse(w, http.StatusBadRequest, "invalid_form")
		return
	}
	heard, _ := io.ReadAll(io.LimitReader(sent, 1<<20))
	answer(w, map[string]any{"text": strings.TrimPrefix(string(heard), sound)})
}

func draw(w http.ResponseWriter, r *http.Request) {
	if body, ok := read(w, r, "gpt-image-1"); ok {
		answer(w, map[string]any{"created": 1700000000, "data": []any{map[string]any{"b64_json": "iVBORw==", "revised_prompt": body["prompt"]}}})
	}
}

func moderate(w http.ResponseWriter, r *http.Request) {
	if body, ok := read(w, r, "omni-moderation-latest"); ok {
		flagged := strings.Contains(body["input"].(string), "violence")
		answer(w, map[string]any{"id": "modr-1", "model": body["model"], "results": []any{map[string]any{
			"flagged": flagged, "categories": map[string]any{"violence": flagged}, "category_scores": map[string]any{"violence": 0.5},
			"category_applied_input_types": map[string]any{"violence": []string{"text"}},
		}}})
	}
}

func (f *files) upload(w http.ResponseWriter, r *http.Request) {
	sent, header, err := r.FormFile("file")
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_form")
		return
	}
	content, _ := io.ReadAll(io.LimitReader(sent, 1<<20))
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.keep(file{header.Filename, r.FormValue("purpose"), content})
	answer(w, f.object(id))
}

// keep stores a file. f.mu is held, as it is for object.
func (f *files) keep(added file) (id string) {
	id = "file-" + strings.Repeat("x", len(f.kept)+1)
	f.kept[id] = added
	return id
}

func (f *files) object(id string) map[string]any {
	kept := f.kept[id]
	return map[string]any{
		"id": id, "object": "file", "bytes": len(kept.Content), "created_at": 1700000000, "filename": kept.Name,
		"purpose": kept.Purpose, "status": "processed",
	}
}

// found is the file that a request is about.
func (f *files) found(w http.ResponseWriter, id string) (file, bool) {
	kept, ok := f.kept[id]
	if !ok {
		refuse(w, http.StatusNotFound, "file_not_found")
	}
	return kept, ok
}

func (f *files) describe(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.found(w, r.PathValue("id")); ok {
		answer(w, f.object(r.PathValue("id")))
	}
}

func (f *files) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	if _, ok := f.found(w, id); ok {
		f.kept[id] = file{}
		answer(w, map[string]any{"id": id, "object": "file", "deleted": true})
	}
}

func (f *files) content(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept, ok := f.found(w, r.PathValue("id")); ok {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(kept.Content)
	}
}

func (f *files) createBatch(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id, _ := body["input_file_id"].(string)
	input, ok := f.found(w, id)
	if !ok {
		return
	}
	b := map[string]any{
		"id": "batch_" + id, "object": "batch", "endpoint": body["endpoint"], "input_file_id": id, "completion_window": body["completion_window"],
		"status": "completed", "created_at": 1700000000, "output_file_id": f.keep(file{"output.jsonl", "batch_output", input.Content}),
	}
	f.batches["batch_"+id] = b
	answer(w, b)
}

func (f *files) batch(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.batches[r.PathValue("id")]
	if !ok {
		refuse(w, http.StatusNotFound, "batch_not_found")
		return
	}
	answer(w, b)
}

// converse is a realtime session: every item that is sent comes back, and a response says its text.
func converse(w http.ResponseWriter, r *http.Request) {
	model := r.URL.Query().Get("model")
	if model != "gpt-realtime" {
		refuse(w, http.StatusNotFound, "model_not_found")
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	send := func(event map[string]any) bool {
		event["event_id"] = "event_1"
		text, err := json.Marshal(event)
		return err == nil && conn.Write(r.Context(), websocket.MessageText, text) == nil
	}
	said := ""
	for ok := send(map[string]any{"type": "session.created", "session": map[string]any{"type": "realtime", "model": model}}); ok; {
		_, message, err := conn.Read(r.Context())
		var event struct {
			Type string
			Item struct{ Content []struct{ Text string } }
		}
		if err != nil || json.Unmarshal(message, &event) != nil {
			return
		}
		switch event.Type {
		case "conversation.item.create":
			for _, part := range event.Item.Content {
				said = part.Text
			}
		case "response.create":
			ok = send(map[string]any{
				"type": "response.output_text.done", "text": "You said: " + said, "response_id": "resp_1", "item_id": "item_1",
				"output_index": 0, "content_index": 0,
			}) && send(map[string]any{"type": "response.done", "response": map[string]any{"id": "resp_1", "status": "completed"}})
		}
	}
}
