package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// proxy is the yardstick: what any gateway written with net/http must do, and
// nothing else. It sends a request on, copies the answer, and flushes after each
// read of a stream.
func proxy(target *url.URL) http.Handler {
	transport := &http.Transport{
		MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	buffers := sync.Pool{New: func() any { return new([32 << 10]byte) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flusher := http.NewResponseController(w)
		// Otherwise the server closes the request's body when the answer begins, while the
		// transport may still look for its end, and the answer is cut off.
		if err := flusher.EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		to := *target
		to.Path, to.RawQuery = r.URL.Path, r.URL.RawQuery
		out := &http.Request{Method: r.Method, URL: &to, Header: r.Header, Body: r.Body, ContentLength: r.ContentLength}
		answer, err := transport.RoundTrip(out.WithContext(r.Context()))
		if err != nil {
			http.Error(w, "send: "+err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		isStream := answer.ContentLength < 0
		buffer := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(buffer)
		for {
			n, err := answer.Body.Read(buffer[:])
			if n > 0 {
				if _, writeErr := w.Write(buffer[:n]); writeErr != nil {
					panic(http.ErrAbortHandler)
				}
				if isStream {
					_ = flusher.Flush()
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				panic(http.ErrAbortHandler)
			}
		}
	})
}
