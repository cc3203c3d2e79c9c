package admin

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/continuity/drill"
	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// world is an API whose gateway is simulated.
type world struct {
	handler     http.Handler
	token       string
	log         bytes.Buffer
	now         time.Time
	drills      *drill.Drills
	evacuations *evacuate.Evacuations
	keys        *access.Registry
	budgets     purse
	audit       *faulty
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}
	token, text := newToken()
	w.token = text
	log := slog.New(slog.NewJSONHandler(&w.log, nil))
	w.drills = drill.New(drill.Options{
		Sender: nobody{}, Files: &memory{}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Providers: func() []*provider.Provider { return []*provider.Provider{{ID: "acme"}} },
		Pick:      func(string) (route.Route, bool) { return route.Route{}, false },
	})
	t.Cleanup(w.drills.Close)
	acme := &provider.Provider{ID: "acme", Facts: provider.Facts{Relays: map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: {dialect.Files}}}}
	lead := route.Target{Provider: acme, Model: "large"}
	routes := []route.Route{{Model: "assistant", Targets: []route.Target{lead, {Provider: &provider.Provider{ID: "other"}, Model: "big"}}}}
	health := route.NewHealth(route.HealthOptions{})
	if pass, refusal := health.Enter(lead, route.Entry{}); refusal.Reason == "" {
		pass.Leave(route.Result{Err: &llm.Error{Code: llm.CodeOverloaded, Origin: llm.OriginProvider, RetryAfter: time.Hour}})
	}
	providers := func() []*provider.Provider { return []*provider.Provider{acme, routes[0].Targets[1].Provider} }
	w.evacuations = evacuate.New(evacuate.Options{
		Postures: health, Files: &memory{}, Routes: func() []route.Route { return routes }, Providers: providers,
		Pick: func(string) (route.Route, bool) { return routes[0], true },
		Losses: func(_ dialect.Name, at route.Target) ([]llm.Loss, bool) {
			return []llm.Loss{{Feature: "seed", Path: at.Model, Action: llm.ActionDropped, Severity: llm.Tuning}}, true
		},
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	t.Cleanup(w.evacuations.Close)
	w.keys = access.NewRegistry(access.Options{Now: func() time.Time { return w.now }})
	kept := &access.Memory{}
	w.audit = &faulty{Memory: kept}
	if err := w.keys.Open(t.Context(), access.NewSecret(), w.audit, false, access.Declared{}); err != nil {
		t.Fatal(err)
	}
	w.handler = Handler(Options{
		Keys: w.keys, Administrators: w.keys, Audit: w.audit, Ledger: books{w.audit},
		Metrics: http.NotFoundHandler(),
		IsReady: func() bool { return true }, Token: token, Log: log, Now: func() time.Time { return w.now }, Version: "1.2.3",
		Providers: providers, Health: health, Drills: w.drills, Evacuations: w.evacuations,
		Budgets: &w.budgets,
	})
	return w
}

// books are a ledger with three rows, the first of them without names.
type books struct{ store *faulty }

func (b books) Usage(ctx context.Context, _, _ time.Time, by []string) ([]*budget.Usage, error) {
	if err := b.store.answers(ctx); err != nil {
		return nil, err
	}
	return []*budget.Usage{{Names: make([]string, len(by))}, {Names: by, Attempts: 3, Cost: budget.USD}, {Names: slices.Repeat([]string{"z"}, len(by))}}, nil
}

func (books) Verify(context.Context) (*budget.Report, error) { return &budget.Report{Entries: 3}, nil }

// nobody sends nothing.
type nobody struct{}

func (nobody) Send(context.Context, transport.Request) (*transport.Response, error) {
	return nil, context.Canceled
}

func (nobody) Upgrade(context.Context, transport.Request, []string) (*websocket.Conn, *transport.Response, error) {
	return nil, nil, context.Canceled
}

// memory is a data folder.
type memory struct {
	mu   sync.Mutex
	text map[string][]byte
}

func (m *memory) Read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.text[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return content, nil
}

func (m *memory) Write(name string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.text == nil {
		m.text = map[string][]byte{}
	}
	m.text[name] = content
	return nil
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.text, name)
	return nil
}

func (m *memory) Names(prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.text)), func(name string) bool { return !strings.HasPrefix(name, prefix) }), nil
}

// ask sends a request with the token, or with the headers that are given as names and values in turn.
func (w *world) ask(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8081"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if len(header) == 0 {
		header = []string{"Authorization", "Bearer " + w.token}
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		if header[i] == "Content-Type" {
			r.Header.Del(header[i])
		}
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func TestOpenPaths(t *testing.T) {
	ready, broken := true, false
	h := Handler(Options{IsReady: func() bool { return ready }, IsBroken: func() bool { return broken }, Metrics: http.NotFoundHandler()})
	check := func(method, path string, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		if w.Code != status || (body != "" && w.Body.String() != body) {
			t.Errorf("%s %s: got %d %q, want %d %q", method, path, w.Code, w.Body, status, body)
		}
	}
	check("GET", "/healthz", 200, "ok\n")
	check("GET", "/readyz", 200, "ready\n")
	ready = false
	check("GET", "/readyz", 503, "stopping\n")
	check("GET", "/healthz", 200, "ok\n")
	broken = true
	check("GET", "/healthz", 503, "broken\n")
	check("GET", "/readyz", 503, "broken\n")
	// What operators of other programs expose by mistake.
	for _, path := range []string{"/", "/debug/pprof/", "/v1", "/v2/drills", "/console"} {
		check("GET", path, 404, "")
	}
	check("POST", "/healthz", 405, "")
	check("GET", "/", 404, rootText)
}

func TestOpenToken(t *testing.T) {
	files := &memory{}
	first, text, err := OpenToken(files)
	if err != nil || len(text) < 40 {
		t.Fatalf("got token %q and error %v, want a new token", text, err)
	}
	if kept := string(files.text[tokenName]); strings.Contains(kept, text) || strings.Contains(kept, strings.TrimPrefix(text, tokenPrefix)) {
		t.Errorf("got %q kept, want nothing of the token itself", kept)
	}
	again, made, err := OpenToken(files)
	if err != nil || made != "" || again != first {
		t.Errorf("got %q made and error %v, want the token that there was", made, err)
	}
	if !again.matches(text) || again.matches(text+" ") || again.matches("") || (Token{}).matches("") {
		t.Error("got a token that is not known by its text alone")
	}
	files.text[tokenName] = []byte(`{"sha256":"00"}`)
	if _, _, err := OpenToken(files); err == nil {
		t.Error("got a token of half a hash, want an error")
	}
}
