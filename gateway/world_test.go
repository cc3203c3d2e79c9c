package gateway_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

func TestMain(m *testing.M) {
	// Many tests wait for a deadline most of their time, so more run at a time than there are cores; and those that
	// cut streams at every byte make more garbage than anything else.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic("BUG: " + err.Error())
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(2 << 30) // answers without end, of several vendors at a time, would leave twice as much lying about
	goleak.VerifyTestMain(m)
}

// together are tests that wait for most of their time, beside each other in the place of one. As parallel tests each would
// queue for a place again, behind all others, and they would be what is left at the end.
type together struct{ sync.WaitGroup }

func (all *together) run(t *testing.T, name string, test func(*testing.T)) {
	all.Go(func() { t.Run(name, test) })
}

// world is a gateway in front of simulated vendors: two of each dialect, so that
// both relaying and translating understudies can be tried.
type world struct {
	t         *testing.T
	url       string // empty without a network
	handler   http.Handler
	gw        *gateway.Gateway
	health    *route.Health                   // nil where each call is to be as if it were the first
	vendors   map[string]*fakeprovider.Server // by provider id
	mu        sync.Mutex
	records   []gateway.Record
	log       *lockedBuffer
	calls     atomic.Int64
	timeouts  route.Timeouts
	providers map[string]*provider.Provider
	more      []worldProvider // beside those that every world has
	pool      *transport.Transport
	direct    bool                                                    // see withoutNetwork
	edits     provider.Edits                                          // of chat2
	facts     map[string]func(*provider.Facts)                        // what else is true of a provider
	most      map[string]int                                          // requests at a time, by provider id
	adjust    func(*route.Route)                                      // changes each route; may be nil
	script    func(id string, a fakeprovider.Ask) *fakeprovider.Reply // answers for the vendors; may be nil
	closers   []func()
}

// close shuts the world down before the test ends.
func (w *world) close() {
	for _, c := range w.closers {
		c()
	}
	w.closers = nil
}

// services is what is known of vendors, read once for all tests.
var services = provider.Known()

const vendorKey = "sk-canary-4f9a1c77e2"

// worldProvider is a provider that speaks one dialect, at one path.
type worldProvider struct {
	id      string
	dialect dialect.Name
	path    string
}

// The providers of the world: two that speak each dialect.
var worldProviders = []worldProvider{
	{"chat1", dialect.OpenAIChat, "/v1/chat/completions"},
	{"chat2", dialect.OpenAIChat, "/v1/chat/completions"},
	{"claude1", dialect.AnthropicMessages, "/v1/messages"},
	{"claude2", dialect.AnthropicMessages, "/v1/messages"},
}

type worldOption func(*gateway.Options, *world)

func withLimits(l gateway.Limits) worldOption {
	return func(o *gateway.Options, _ *world) { o.Limits = l }
}

func withTimeouts(t route.Timeouts) worldOption {
	return func(_ *gateway.Options, w *world) { w.timeouts = t }
}

// withDialect adds a dialect and providers that speak it.
func withDialect(d *dialect.Dialect, path string, ids ...string) worldOption {
	return func(o *gateway.Options, w *world) {
		o.Dialects = append(o.Dialects, d)
		for _, id := range ids {
			w.more = append(w.more, worldProvider{id, d.Name, path})
		}
	}
}

// withFacts changes the facts of providers.
func withFacts(change func(*provider.Facts), ids ...string) worldOption {
	return func(_ *gateway.Options, w *world) {
		if w.facts == nil {
			w.facts = map[string]func(*provider.Facts){}
		}
		for _, id := range ids {
			w.facts[id] = change
		}
	}
}

// withoutNetwork has clients, gateway and vendors call each other, so that time can be a bubble's (testing/synctest). Vendors
// answer when all that they say is there.
func withoutNetwork(o *gateway.Options, w *world) {
	w.direct = true
	o.Sender = senderFunc(func(ctx context.Context, r transport.Request) (*transport.Response, error) {
		return askDirectly(ctx, w.vendors[r.Provider.ID], r, vendorKey), nil
	})
}

// withHealth lets the gateway remember how targets fared from one call to the next.
func withHealth(h *route.Health) worldOption {
	return func(o *gateway.Options, _ *world) { o.Health = h }
}

// forgetful builds a gateway and its handler. Unless the options have a health of the test's own,
// each call is as if it were the first: what one vendor's answer leads to is then no matter of the
// answers before.
func forgetful(o gateway.Options) (*gateway.Gateway, http.Handler) {
	if o.Health != nil {
		g := gateway.New(o)
		return g, g
	}
	o.Health = route.NewHealth(route.HealthOptions{})
	g := gateway.New(o)
	return g, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.Health.Keep(nil)
		g.ServeHTTP(w, r)
	})
}

// impatient is for tests that wait in vain. Whoever answers has this time, too, on a machine that is busy.
func impatient() route.Timeouts {
	const limit = slowdown * 2 * time.Second
	return route.Timeouts{Connect: time.Minute, FirstToken: limit, Answer: limit, Stall: limit, Total: time.Minute}
}

// patient is for tests in which nothing hangs, however busy the machine is.
func patient() route.Timeouts {
	return route.Timeouts{Connect: time.Minute, FirstToken: time.Minute, Answer: time.Minute, Stall: time.Minute, Total: 3 * time.Minute}
}

func newWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	w := &world{t: t, vendors: map[string]*fakeprovider.Server{}, log: &lockedBuffer{}, timeouts: patient()}
	t.Cleanup(w.close)
	w.pool = transport.New(transport.Options{})
	o := gateway.Options{
		Dialects: []*dialect.Dialect{openaichat.New(), anthropic.New()},
		Sender:   w.pool,
		Log:      slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:      time.Now,
		NewID:    func() string { return fmt.Sprintf("call-%d", w.calls.Add(1)) },
		Settle: func(r gateway.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}
	for _, opt := range opts {
		opt(&o, w)
	}
	routes := w.routes()
	w.providers, o.Routes = routes.providers, routes
	w.health = o.Health
	w.gw, w.handler = forgetful(o)
	if !w.direct {
		server := httptest.NewServer(w.handler)
		w.closers = append(w.closers, server.Close)
		w.url = server.URL
	}
	w.closers = append(w.closers, w.pool.Close)
	for _, v := range w.vendors {
		w.closers = append(w.closers, v.Close)
	}
	return w
}

// routes builds a route for each pair of providers, "chat1>claude1", and for each
// provider alone. The model's markers for the simulated vendor follow after "|".
func (w *world) routes() pairs {
	known, _ := services.Facts("anthropic")
	p := pairs{providers: map[string]*provider.Provider{}, timeouts: w.timeouts, adjust: w.adjust}
	for _, wp := range slices.Concat(worldProviders, w.more) {
		o := fakeprovider.Options{Key: vendorKey}
		if w.script != nil {
			o.Script = func(a fakeprovider.Ask) *fakeprovider.Reply { return w.script(wp.id, a) }
		}
		v := fakeprovider.New(o)
		w.vendors[wp.id] = v
		root := "http://127.0.0.1"
		if !w.direct {
			if _, err := v.Start(); err != nil {
				w.t.Fatal(err)
			}
			root = v.RootURL()
		}
		facts := provider.Facts{BaseURL: root, Auth: "bearer", Dialects: map[dialect.Name]string{wp.dialect: wp.path}}
		if wp.dialect == dialect.AnthropicMessages {
			facts.Auth = "x-api-key"
			facts.Headers = map[string]string{"anthropic-version": "2023-06-01"}
			facts.Errors = known.Errors
		}
		if wp.id == "chat2" {
			facts.Edits = map[dialect.Name]provider.Edits{wp.dialect: w.edits}
		}
		if change := w.facts[wp.id]; change != nil {
			change(&facts)
		}
		p.providers[wp.id] = &provider.Provider{ID: wp.id, Facts: facts, Key: provider.NewSecret(vendorKey), Private: true, Concurrency: w.most[wp.id]}
	}
	return p
}

// pairs makes routes of names: "a>b|markers" is lead a, understudy b.
type pairs struct {
	providers map[string]*provider.Provider
	timeouts  route.Timeouts
	loss      llm.LossPolicy
	adjust    func(*route.Route)
}

func (p pairs) Pick(model string) (route.Route, bool) {
	names, markers, _ := strings.Cut(model, "|")
	r := route.Route{Model: model, Timeouts: p.timeouts, Loss: p.loss, Rescue: llm.RescueText}
	if r.Loss == "" {
		r.Loss = llm.LossReport
	}
	for _, name := range strings.Split(names, ">") {
		newest := name == "sonnet46" // a model that does not continue an answer
		if newest {
			name = "claude1"
		}
		pr, ok := p.providers[name]
		if !ok {
			return route.Route{}, false
		}
		model, facts := "gpt-4o", llm.ModelFacts{MaxOutput: 8192, Thinking: llm.ThinkingNone}
		if _, claude := pr.Facts.Dialects[dialect.AnthropicMessages]; claude {
			model, facts = "claude-sonnet-4-5", llm.ModelFacts{MaxOutput: 8192, Thinking: llm.ThinkingBudget, Prefill: !newest}
			if newest {
				model = "claude-sonnet-4-6"
			}
		}
		if _, google := pr.Facts.Dialects[dialect.GeminiGenerate]; google {
			model, facts = "gemini-3.5-flash", llm.ModelFacts{MaxOutput: 8192, Thinking: llm.ThinkingEffort}
		}
		if _, titan := pr.Facts.Dialects[dialect.TitanEmbed]; titan {
			model = "amazon.titan-embed-text-v2:0"
		}
		r.Targets = append(r.Targets, route.Target{Provider: pr, Model: model + markers, Facts: facts, SameAs: sameAs(name)})
	}
	if p.adjust != nil {
		p.adjust(&r)
	}
	return r, true
}

// sameAs is the model that a provider serves: all the same one, but for those that are named "other".
func sameAs(id string) string {
	if strings.HasPrefix(id, "other") {
		return "fake/other"
	}
	return "fake/model"
}

func (p pairs) Entries() []dialect.ModelEntry {
	return []dialect.ModelEntry{{ID: "chat1>claude1", Owner: "chat1", Created: 1700000000}}
}

// speaks is the dialect that a provider speaks, as simulated vendors call it.
func (w *world) speaks(id string) string {
	for _, p := range slices.Concat(worldProviders, w.more) {
		if p.id == id {
			return string(p.dialect)
		}
	}
	return ""
}

// fail breaks a vendor until the test ends.
func (w *world) fail(id, kind string) {
	w.t.Helper()
	if err := w.vendors[id].SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mend(id string) {
	w.t.Helper()
	if err := w.vendors[id].SetFault(nil); err != nil {
		w.t.Fatal(err)
	}
}

// record waits for the settlement of the latest call: it comes after the answer.
func (w *world) record() gateway.Record {
	w.t.Helper()
	want := int(w.calls.Load())
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		n := len(w.records)
		if n == want {
			defer w.mu.Unlock()
			return w.records[n-1]
		}
		w.mu.Unlock()
	}
	w.t.Fatalf("got %d records, want %d: a call was not settled", len(w.records), want)
	return gateway.Record{}
}

// count is the requests that a vendor saw.
func (w *world) count(id string) int { return w.vendors[id].Count() }

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got no end of waiting, want %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
