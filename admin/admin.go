// Package admin is the operator's HTTP API, on a listener of its own that clients
// do not reach. Today it says whether the gateway lives and takes requests. It
// names no provider and changes nothing.
package admin

import (
	"io"
	"net/http"
)

// Handler serves /healthz, which answers 200 while the process lives, and /readyz,
// which answers 503 when isReady says that the gateway takes no more requests. The
// answers are constant, so that they tell nothing about what is configured.
func Handler(isReady func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !isReady() {
			answer(w, http.StatusServiceUnavailable, "stopping\n")
			return
		}
		answer(w, http.StatusOK, "ready\n")
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
