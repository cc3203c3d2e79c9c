package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// roleTicker is the vendor of the figures under load: its streams say in each event when it was sent, and which it is.
const roleTicker = "ticker"

var (
	tickModel = regexp.MustCompile(`"model":"tick-(\d+)-(\d+)"`) // milliseconds between events, and how many
	waitModel = regexp.MustCompile(`"model":"wait-(\d+)"`)       // milliseconds before a whole answer
)

// floodModel streams as fast as it is read, without end.
const floodModel = "flood"

const floodBuffer = 16 << 10 // bytes

// connKey is the context's key of the connection that a request came on.
type connKey struct{}

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
			flood(w, r)
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
		for i := range n {
			if _, err := fmt.Fprintf(w, tick, fmt.Sprintf(`"content":"%d %d"`, time.Now().UnixNano(), i), "null"); err != nil {
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

// flood ends when nobody reads it any more. The vendor's own side holds little of what is not read: a thousand such streams
// would otherwise take all memory that the system has for TCP, which is the others' as well.
func flood(w http.ResponseWriter, r *http.Request) {
	if conn, ok := r.Context().Value(connKey{}).(*net.TCPConn); ok {
		_ = conn.SetWriteBuffer(floodBuffer) // without it, only more is kept
	}
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
