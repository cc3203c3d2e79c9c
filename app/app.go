// Package app builds the program from a config: it resolves keys, makes routes,
// wires dialects, transport, gateway and admin API together, and starts, reloads
// and stops them. It is the only package that names concrete dialects. It decides
// nothing about a request and prints nothing.
package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/continuity/drill"
	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fastlane"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/store/redis"
	"github.com/understudy-ai/understudy/telemetry"
	"github.com/understudy-ai/understudy/transport"
)

// dialects lists the wire formats that are spoken; clients that cannot be told
// apart are answered in the first.
func dialects() []*dialect.Dialect {
	return []*dialect.Dialect{
		openaichat.New(), anthropic.New(), openairesponses.New(), bedrock.New(), cohere.New(), gemini.New(), ollama.New(),
		openaichat.NewEmbeddings(), cohere.NewEmbed(), gemini.NewEmbedBatch(), gemini.NewEmbed(), ollama.NewEmbed(), bedrock.NewTitanEmbed(), gemini.NewPredict(), openaichat.NewVoyageEmbed(), openaichat.NewJinaEmbed(),
		cohere.NewRerank(), openaichat.NewRerank(), openaichat.NewVoyageRerank(), anthropic.NewCount(), gemini.NewCount(), bedrock.NewCount(), gemini.NewVertexCount(),
	}
}

// framed lists the dialects in other frames than their own: more endpoints for clients.
func framed() []*dialect.Dialect {
	return []*dialect.Dialect{anthropic.NewInvoke(), anthropic.NewVertexCount(), anthropic.NewVertex()}
}

// Options is what an App is built from.
type Options struct {
	Config *config.Config
	Log    *slog.Logger // discarded if nil
	// Version is sent to providers as understudy/Version.
	Version string
	// Env finds environment variables; os.LookupEnv if nil.
	Env func(name string) (string, bool)
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
}

// App is the program: two listeners and what serves them. Its methods may be
// called concurrently.
type App struct {
	opts      Options
	transport *transport.Transport
	gateway   *gateway.Gateway
	routes    atomic.Pointer[routes] // those in force
	drills    *drill.Drills
	health    *route.Health // outlives routes
	ready     atomic.Bool

	evacuations *evacuate.Evacuations
	metrics     *telemetry.Metrics
	traces      *telemetry.Traces // nil if nothing is traced

	access        *access.Registry
	audit         admin.Audit
	stopFollowing context.CancelFunc // ends looking for keys that other gateways make; nil where there are none

	clients, operators *server
	data               *folder // of what is kept; nil if nothing is
	files              files
	token              string // the admin token, if it was made now
	books              *books // likewise
	rates              *redis.Rates
	closing            sync.Once // of both

	keysRead [sha256.Size]byte // of the files with keys, when New read them

	mu      sync.Mutex
	config  *config.Config         // the one in force
	printed map[config.Key]printed // by its commands
}

// New builds an App. The error names everything in the config that cannot be
// used, as config.Problems; a key is never in it. No command is run.
func New(o Options) (*App, error) {
	o.complete()
	keysRead := sumOfKeys(o.Config)
	r, err := buildRoutes(o.Config, sources{env: o.Env})
	if err != nil {
		return nil, err
	}
	if _, err := declared(o.Config, o.Env); err != nil {
		return nil, err
	}
	a := &App{opts: o, config: o.Config, keysRead: keysRead}
	a.access = access.NewRegistry(access.Options{Log: o.Log})
	a.transport = transport.New(transport.Options{
		Log: o.Log, UserAgent: "understudy/" + o.Version, MakeRoom: func() bool { return a.clients.fast.CloseIdle() },
	})
	l := o.Config.Limits
	a.routes.Store(r)
	a.drills = a.newDrills()
	a.health = route.NewHealth(route.HealthOptions{Log: o.Log, Changed: a.changed})
	a.evacuations = a.newEvacuations()
	var ledger gateway.Ledger
	var replays gateway.Replays
	var kept gateway.Objects
	if o.Config.DataFolder() != "" {
		a.books = &books{}
		ledger, kept, replays = a.books, a.books, a.books
	}
	if endpoint := o.Config.Telemetry.OTLP; endpoint != "" {
		headers, _ := o.Env("OTEL_EXPORTER_OTLP_HEADERS")
		if a.traces, err = telemetry.NewTraces(telemetry.TraceOptions{Endpoint: endpoint, Headers: headers, Version: o.Version, Log: o.Log}); err != nil {
			return nil, err //nolint:wrapcheck // it says what it is about
		}
	}
	rates, err := a.openRates(o.Config)
	if err != nil {
		return nil, err
	}
	a.gateway = gateway.New(gateway.Options{
		Rates: rates,
		Trace: a.traces != nil, Sampled: float64(o.Config.Telemetry.Share),
		Dialects: append(dialects(), framed()...), Routes: r, Sender: faulty(a.drills), Health: a.health, Ledger: ledger, Objects: kept, Replays: replays, Access: a.access, Settle: a.settled, Log: o.Log,
		Limits: gateway.Limits{
			Body: int64(l.Body), BodyTimeout: l.BodyTimeout, Heartbeat: l.Heartbeat, WriteTimeout: l.WriteTimeout,
			Calls: int64(l.Calls), Memory: memoryOfCalls(MemoryLimit(o.Config)), Text: int64(l.Rescue),
		},
		Now: time.Now, NewID: new(ids).next,
	})
	var spans func() (sent, failed, dropped int64)
	if a.traces != nil {
		spans = a.traces.Spans
	}
	a.metrics = telemetry.New(telemetry.Options{
		Spans:   spans,
		Version: o.Version, Load: a.gateway.Load, LocalFaults: a.health.LocalFaults, TurnedAway: func() int64 { return a.clients.turned.Load() }, Targets: a.targets,
		Budgets: a.budgets,
		Drill:   a.drill, Evacuations: a.evacuated,
	})
	a.clients = newServer(a.gateway, o.Log, l.WriteTimeout)
	a.clients.fast = fastlane.New(&a.clients.http)
	a.clients.fast.Handed, a.clients.fast.Malformed = countResets, a.gateway.Malformed
	a.clients.porter = newPorter(a.gateway.Shed, o.Log, l.WriteTimeout)
	a.operators = newServer(nil, o.Log, l.WriteTimeout) // its handler needs what Start opens
	a.operators.http.ReadTimeout = readHeaderTimeout    // bodies there are short
	a.clients.makeRoom, a.operators.makeRoom = a.transport.MakeRoom, a.transport.MakeRoom
	return a, nil
}

// ids makes the ids of calls, which nobody can guess.
type ids struct {
	mu   sync.Mutex
	left []byte // random bytes, of which many cost as much as few
	room [32 * idLength]byte
}

const idLength = 26 // letters, of 5 bits each

// next makes an id.
func (s *ids) next() string {
	const prefix, letters = "call_", "abcdefghijklmnopqrstuvwxyz234567"
	var id [len(prefix) + idLength]byte
	s.mu.Lock()
	if len(s.left) == 0 {
		s.left = s.room[:]
		_, _ = rand.Read(s.left) // never fails
	}
	s.left = s.left[copy(id[copy(id[:], prefix):], s.left):]
	s.mu.Unlock()
	for i := len(prefix); i < len(id); i++ {
		id[i] = letters[id[i]%32]
	}
	return string(id[:])
}

// Start runs the commands of the config, opens the listeners and serves. The App is then to be stopped. When ctx ends
// while commands run, the error is that of ctx.
func (a *App) Start(ctx context.Context) error {
	c := a.current()
	given, err := takeSockets(a.opts.Env) // before something runs that would have them, too
	if err != nil {
		return err
	}
	defer func() { given.close() }()
	if err := a.startCommands(ctx, c); err != nil {
		return err
	}
	if err := a.openData(c); err != nil {
		return err
	}
	if a.data != nil {
		a.files.use(a.data.path)
	}
	err = a.openAccess(c)
	if err == nil {
		err = a.openAdmin(c)
	}
	if err == nil {
		err = a.listen(c, &given)
	}
	if err != nil {
		a.evacuations.Close()
		if a.token != "" { // nobody has seen it
			err = errors.Join(err, admin.DropToken(&a.files))
		}
		a.closeData()
		return err
	}
	a.tellProxies(c)
	if a.traces != nil {
		a.traces.Start()
	}
	a.ready.Store(true)
	a.opts.Log.Info("serving", "listen", a.Addr(), "admin", a.AdminAddr(), "version", a.opts.Version)
	return nil
}

// openAdmin makes the admin API, with the token in the data folder or a new one.
func (a *App) openAdmin(c *config.Config) error {
	token, made, err := admin.OpenToken(&a.files)
	if err != nil {
		return fmt.Errorf("open the admin API: %w", err)
	}
	a.token = made
	a.operators.http.Handler = admin.Handler(admin.Options{
		IsReady: a.ready.Load, IsBroken: a.isBroken, Token: token, Log: a.opts.Log, Version: a.opts.Version,
		Providers: a.providers, Health: a.health, Drills: a.drills, Evacuations: a.evacuations,
		Metrics: a.metrics, GuardMetrics: !c.IsAdminLocal(), Keys: a.access, Administrators: a.access, Audit: a.audit, Ledger: ledgerView{c, a.SyncLedger}, Budgets: a.budgetsOf(),
	})
	return a.evacuations.Load()
}

// AdminToken is the admin token if Start has made it, and nothing but its hash is kept;
// empty if there was one. It is to be shown to whoever started the program, and to nobody
// else.
func (a *App) AdminToken() string { return a.token }

// tokenFile has the admin token, where it was not to be printed, until somebody removes it.
const tokenFile = "admin-token.txt"

// KeepToken puts the admin token into a file of the data folder, which only its owner may read, and returns the path; empty if
// nothing is kept.
func (a *App) KeepToken() (path string, err error) {
	if a.data == nil {
		return "", nil
	}
	if err := a.files.Write(tokenFile, []byte(a.token+"\n")); err != nil {
		return "", fmt.Errorf("keep the admin token: %w", err)
	}
	return a.files.path(tokenFile), nil
}

// DropToken takes back an admin token that could not be shown: the next start makes another.
func (a *App) DropToken() error { return admin.DropToken(&a.files) }

// isBroken reports whether the ledger's disk has failed.
func (a *App) isBroken() bool { return a.data != nil && a.books.journal.IsBroken() }

// openData opens what outlives the program, if anything is to.
func (a *App) openData(c *config.Config) error {
	path := c.DataFolder()
	if path == "" {
		return nil
	}
	var err error
	if a.data, err = openFolder(path); err != nil {
		hint := "with data: " + config.NoData + " in the config nothing is kept"
		if errors.Is(err, errInUse) {
			hint = "each gateway has a data folder of its own: stop the other one, or name another folder with data: in the config"
		}
		return fmt.Errorf("open the data folder %s: %w\nhint: %s", path, err, hint)
	}
	if err := a.books.open(c, &a.opts); err != nil {
		a.data.close()
		return err
	}
	return nil
}

// SyncLedger returns when what attempts that are over have cost is where ReadLedger finds it.
func (a *App) SyncLedger(ctx context.Context) error {
	if a.data == nil {
		return nil
	}
	return a.books.journal.Sync(ctx) //nolint:wrapcheck // it says what it is about
}

func (a *App) closeData() {
	if a.data == nil {
		return
	}
	a.closing.Do(func() {
		if a.stopFollowing != nil {
			a.stopFollowing()
		}
		if err := a.books.close(); err != nil {
			a.opts.Log.Error("the ledger was not closed in order", "error", err.Error())
		}
		a.data.close()
	})
}

// listen opens the listeners, by the sockets that were given where they are for its addresses.
func (a *App) listen(c *config.Config, given *sockets) error {
	admin, clients := given.at(c.Admin), given.at(c.Listen)
	if err := given.wanted(); err != nil {
		sockets{admin, clients}.close()
		return err
	}
	if err := a.operators.start(c.Admin, admin); err != nil {
		return fmt.Errorf("listen on the admin address %s: %w", c.Admin, err)
	}
	if err := a.clients.start(c.Listen, clients); err != nil {
		a.operators.close()
		return fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return nil
}

// Addr is the address of the client APIs, once started.
func (a *App) Addr() string { return a.clients.addr() }

// AdminAddr is the address of the admin API, once started.
func (a *App) AdminAddr() string { return a.operators.addr() }

// abortTime is how long calls have to write their error events once they are
// aborted, and then the connections to close.
const abortTime = 4 * time.Second

// tracesTime is how long the collector of traces has to take the last of them.
const tracesTime = 500 * time.Millisecond

// Stop takes no more connections and returns when the running calls have ended.
// Those that still run when the config's drain time is over, or ctx ends, are ended
// with an error in their own dialect.
func (a *App) Stop(ctx context.Context) error {
	a.ready.Store(false)
	a.drills.End()
	a.evacuations.Close()
	drain := a.current().Drain
	a.opts.Log.Info("stopping", "drain", drain.String())
	draining, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	err := a.drain(draining)
	if err != nil {
		a.opts.Log.Warn("ending the calls that still run")
		a.gateway.Abort()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		err = a.drain(last)
	}
	a.drills.Close()
	a.clients.close()
	a.operators.close()
	a.transport.Close()
	a.closeTraces()
	if a.rates != nil {
		a.rates.Close()
	}
	a.closeData()
	if err != nil {
		return errors.New("stop: some calls did not end in time and were cut")
	}
	a.opts.Log.Info("stopped")
	return nil
}

// closeTraces sends the last traces, if there is a collector that takes them.
func (a *App) closeTraces() {
	if a.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracesTime)
	defer cancel()
	a.traces.Close(ctx)
}

// drain waits for the calls that run: net/http for the answers, and we for the sessions, which it
// has let go of.
func (a *App) drain(ctx context.Context) error {
	if err := a.clients.drain(ctx); err != nil {
		return err
	}
	const look = 20 * time.Millisecond
	for a.gateway.Running() > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(look):
		}
	}
	return nil
}

func (a *App) current() *config.Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config
}
