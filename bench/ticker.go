package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// roleTicker is the vendor of the figures under load: its streams say in each event when it was sent.
const roleTicker = "ticker"

var (
	tickModel = regexp.MustCompile(`"model":"tick-(\d+)-(\d+)"`) // milliseconds between events, and how many
	waitModel = regexp.MustCompile(`"model":"wait-(\d+)"`)       // milliseconds before a whole answer
)

// floodModel streams as fast as it is read, without end.
const floodModel = "flood"

// ticker answers in the format of openai-chat.
func ticker() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		if m := waitModel.FindSubmatch(body); m != nil {
			ms, _ := strconv.Atoi(string(m[1]))
			time.Sleep(time.Duration(ms) * time.Millisecond)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":"x","object":"chat.completion","created":1,"model":"wait","choices":[{"index":0,"message":{"role":"assistant","content":"Here."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
			return
		}
		if bytes.Contains(body, []byte(`"model":"`+floodModel+`"`)) {
			flood(w)
			return
		}
		m := tickModel.FindSubmatch(body)
		if m == nil {
			http.NotFound(w, r)
			return
		}
		ms, _ := strconv.Atoi(string(m[1]))
		n, _ := strconv.Atoi(string(m[2]))
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := http.NewResponseController(w)
		pause := time.NewTicker(time.Duration(ms) * time.Millisecond)
		defer pause.Stop()
		for range n {
			if _, err := fmt.Fprintf(w, tick, `"content":"`+strconv.FormatInt(time.Now().UnixNano(), 10)+` "`, "null"); err != nil {
				return
			}
			_ = flusher.Flush()
			select {
			case <-pause.C:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = fmt.Fprintf(w, tick+"data: [DONE]\n\n", "", `"stop"`)
	})
}

const tick = `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"tick","choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}` + "\n\n"

// flood ends when nobody reads it any more.
func flood(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	for text := fmt.Sprintf(tick, `"content":"`+strings.Repeat("word ", 800)+`"`, "null"); ; {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		if flusher.Flush() != nil {
			return
		}
	}
}
