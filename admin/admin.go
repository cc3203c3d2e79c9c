// Package admin is the operator's HTTP API, on a listener of its own that clients
// do not reach. /healthz, /readyz and /metrics answer everybody who reaches it; everything
// under /v1/ wants a token, whose role says what it is good for, speaks JSON, is described by the OpenAPI
// document at /v1/openapi.json, and leaves a line in the log for every change. A
// resource is a file and a line in endpoints. The package decides nothing: what it
// shows and changes belongs to the packages behind it.
package admin

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// Options is what the API is built from; it must be complete, but for what has a default.
type Options struct {
	// IsReady says whether the gateway takes requests, and IsBroken whether it will take none any more until it is
	// started again; nil is never.
	IsReady, IsBroken func() bool
	// Token is the gateway's own, which is good for everything under /v1/; the zero Token is nobody's.
	Token Token
	// Administrators have tokens of their own.
	Administrators Administrators
	// Providers lists those that are configured.
	Providers func() []*provider.Provider
	// Metrics answers /metrics.
	Metrics     http.Handler
	Health      Health
	Drills      Drills
	Evacuations Evacuations
	Keys        Keys
	Ledger      Ledger
	Audit       Audit
	// GuardMetrics says that /metrics wants the token, too: others than this machine reach the listener.
	GuardMetrics bool
	Budgets      Budgets
	// Log gets a line for every change, and for every caller that was turned away.
	Log *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Version is that of the program.
	Version string
}

// Handler serves /healthz, which answers 200 while the process lives, and 503 when only a new start
// can help it, /readyz, which answers 503 when the gateway takes no more requests, and the API. The answers of the
// first two are constant, so that they tell nothing about what is configured.
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	mux := http.NewServeMux()
	probe := func(path, good string, isReady func() bool) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			switch {
			case o.IsBroken != nil && o.IsBroken():
				answer(w, http.StatusServiceUnavailable, "broken\n")
			case !isReady():
				answer(w, http.StatusServiceUnavailable, "stopping\n")
			default:
				answer(w, http.StatusOK, good)
			}
		})
	}
	probe("/healthz", "ok\n", func() bool { return true })
	probe("/readyz", "ready\n", o.IsReady)
	api := newAPI(o)
	metrics := o.Metrics
	if o.GuardMetrics {
		metrics = api.guarded(metrics)
	}
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, rootText) })
	mux.Handle("/v1", http.NotFoundHandler())
	mux.Handle("/v1/", api.guarded(api.mux))
	return mux
}

// rootText is for who looks at the address with a browser.
const rootText = "There is no page here. There are /healthz, /readyz and /metrics, and the admin API: " +
	"with the admin token, /v1/openapi.json describes it, and the understudy commands ask it.\n"

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
