package gateway_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/llm"
)

// TestUsageInRelayedStreams: what a relayed stream says was used is in the settlement, and the stream is as it was.
func TestUsageInRelayedStreams(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, stream string
		want         llm.Usage
	}{
		"images": {
			"/v1/images/generations", `event: image_generation.partial_image
data: {"type":"image_generation.partial_image","b64_json":"aGk=","partial_image_index":0}

event: image_generation.completed
data: {"type":"image_generation.completed","b64_json":"aGk=","usage":{"total_tokens":100,"input_tokens":40,"output_tokens":60,"input_tokens_details":{"text_tokens":10,"image_tokens":30}}}

`, llm.Usage{Known: true, InFresh: 40, OutVisible: 60},
		},
		"transcription": {
			"/v1/audio/transcriptions", `data: {"type":"transcript.text.delta","delta":"ahoj"}

data: {"type":"transcript.text.done","text":"ahoj","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5,"total_tokens":19}}

`, llm.Usage{Known: true, InFresh: 14, InAudio: 10, OutVisible: 5},
		},
		"transcription by the minute": {
			"/v1/audio/transcriptions", `data: {"type":"transcript.text.done","text":"ahoj","usage":{"type":"duration","seconds":3}}

`, llm.Usage{},
		},
		"speech": {
			"/v1/audio/speech", `data: {"type":"speech.audio.delta","audio":"aGk="}

data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}

`, llm.Usage{Known: true, InFresh: 14, OutVisible: 101},
		},
		"completions": {
			"/v1/completions", `data: {"choices":[{"text":"ahoj"}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}

data: [DONE]

`, llm.Usage{Known: true, InFresh: 5, InCacheRead: 4, OutVisible: 5, OutReasoning: 2},
		},
	} {
		w := newRelayWorld(t, tells("text/event-stream", tc.stream), fails(500))
		resp, got := w.do(t, "POST", tc.path, "application/json", `{"model":"both","stream":true}`)
		if resp.StatusCode != 200 || got != tc.stream {
			t.Errorf("%s: got %d %q want the stream as it was", name, resp.StatusCode, got)
		}
		if rec := <-w.settle; rec.Code != "" || len(rec.Attempts) != 1 || rec.Attempts[0].Usage != tc.want {
			t.Errorf("%s: got %+v want usage %+v", name, rec, tc.want)
		}
	}
}

// TestUsageOfWhatIsKept: an answer in the background and a batch say what they used when they are looked up. It is counted
// once, and not at all where the answer said it itself or somebody else has made it.
func TestUsageOfWhatIsKept(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	const usage = `"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}`
	w := newRelayWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		status, counted := "completed", ","+usage
		switch {
		case r.Method == "POST" && r.URL.Path == "/v1/responses":
			tells("application/json", strings.Replace(responseOf("resp_2"), `"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}`, usage, 1))(rw, r)
			return
		case r.Method == "POST":
			id, status, counted = "batch_1", "validating", ""
		case id == "batch_1" && looks.Add(1) == 1:
			status = "in_progress" // with a sum so far
		case r.URL.RawQuery == "stream=true":
			tells("text/event-stream", "data: {\"type\":\"response.completed\",\"response\":{\"id\":\""+id+"\",\"status\":\"completed\","+usage+"}}\n\n")(rw, r)
			return
		}
		tells("application/json", `{"id":"`+id+`","status":"`+status+`"`+counted+`}`)(rw, r)
	}, fails(500))
	for _, tc := range []struct {
		method, path, body string
		want               int64
	}{
		{"POST", "/v1/batches", `{"input_file_id":"f"}`, 0},
		{"GET", "/v1/batches/batch_1", "", 0}, // it runs
		{"GET", "/v1/batches/batch_1", "", 7},
		{"GET", "/v1/batches/batch_1", "", 0},
		{"POST", "/v1/responses", `{"model":"both","input":"hi"}`, 7},
		{"GET", "/v1/responses/resp_2", "", 0},
		{"GET", "/v1/responses/resp_2?stream=true", "", 0},
		{"GET", "/v1/responses/resp_9", "", 0},
		{"GET", "/v1/responses/resp_9", "", 0},
	} {
		contentType := ""
		if tc.body != "" {
			contentType = "application/json"
		}
		w.do(t, tc.method, tc.path, contentType, tc.body)
		rec := <-w.settle
		if rec.Code != "" || rec.Attempts[0].Usage.Total() != tc.want {
			t.Errorf("%s %s: got %+v want %d tokens", tc.method, tc.path, rec, tc.want)
		}
	}
}

// TestUsageInTheBackground: the answer to a request in the background comes when it is looked up, as events here.
func TestUsageInTheBackground(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			tells("application/json", `{"id":"resp_1","object":"response","created_at":1,"status":"queued","background":true,"model":"m","output":[],"usage":null}`)(rw, r)
			return
		}
		tells("text/event-stream", "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"usage\":null}}\n\n"+
			"data: {\"type\":\"response.completed\",\"response\":"+responseOf("resp_1")+"}\n\n")(rw, r)
	}, fails(500))
	if resp, got := w.do(t, "POST", "/v1/responses", "application/json", `{"model":"both","input":"hi","background":true}`); resp.StatusCode != 200 {
		t.Fatalf("got %d %s, want it queued", resp.StatusCode, got)
	}
	<-w.settle
	for _, want := range []int64{2, 0} {
		w.do(t, "GET", "/v1/responses/resp_1?stream=true", "", "")
		if rec := <-w.settle; rec.Code != "" || rec.Attempts[0].Usage.Total() != want {
			t.Errorf("got %+v want %d tokens", rec, want)
		}
	}
}

// TestUsageInSession: a session's answers are added up, with what of them was sound or cached.
func TestUsageInSession(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		const done = `{"type":"response.done","response":{"usage":{"input_tokens":100,"output_tokens":50,"input_token_details":{"cached_tokens":60,` +
			`"text_tokens":20,"audio_tokens":80,"cached_tokens_details":{"text_tokens":10,"audio_tokens":50}},"output_token_details":{"text_tokens":10,"audio_tokens":40}}}}`
		for _, message := range []string{done, `{"type":"response.created","response":{"usage":null},"x":"response.done"}`, done} {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(message))
		}
		conn.Close(websocket.StatusNormalClosure, "")
	}, fails(500))
	conn, _, err := websocket.Dial(t.Context(), w.url+"/v1/realtime?model=both", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	want := llm.Usage{Known: true, InFresh: 80, InCacheRead: 120, InAudio: 60, OutVisible: 100, OutAudio: 80}
	if rec := <-w.settle; rec.Code != "" || rec.Attempts[0].Usage != want {
		t.Errorf("got %+v want usage %+v", rec, want)
	}
}
