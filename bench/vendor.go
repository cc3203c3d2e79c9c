package main

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// startFrames is how many chunks come at once, since the answer begins with them.
const startFrames = 4

// vendor is the simulated vendor: static answers in all formats on one port, as
// cheap as net/http allows. Each chunk of a stream is written and flushed by
// itself, with a pause before the next: models write one token after the other, so
// that a gateway has to read and write each by itself. A request for heldModel gets the first half
// of a stream and nothing more until its client leaves, one for failingModel a 503.
func vendor(pause time.Duration) http.Handler {
	all := formats()
	buffers := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(body)
		body.Reset()
		if _, err := io.Copy(body, http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
			http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		if bytes.Contains(body.Bytes(), []byte(failingModel)) {
			http.Error(w, `{"error":{"message":"No capacity.","type":"server_error"}}`, http.StatusServiceUnavailable)
			return
		}
		for _, f := range all {
			if stream, ok := f.serves(r.RequestURI); !ok {
				continue
			} else if stream || bytes.Contains(body.Bytes(), []byte(`"stream":true`)) {
				f.writeStream(w, r, pause, bytes.Contains(body.Bytes(), []byte(heldModel)))
			} else {
				w.Header()["Content-Type"] = []string{"application/json"}
				w.Header()["Content-Length"] = []string{strconv.Itoa(len(f.answer))}
				_, _ = w.Write(f.answer)
			}
			return
		}
		http.NotFound(w, r)
	})
}

func (f *format) writeStream(w http.ResponseWriter, r *http.Request, pause time.Duration, held bool) {
	w.Header()["Content-Type"] = []string{f.framing.ContentType()}
	flusher := http.NewResponseController(w)
	for i, chunk := range f.chunks {
		if held && i == len(f.chunks)/2 {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write(chunk)
		_ = flusher.Flush()
		if pause > 0 && i >= startFrames {
			time.Sleep(pause)
		}
	}
}
