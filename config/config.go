// Package config is the shape of the config file: plain structs whose comments
// are the reference, their defaults, and the checks that need nothing but the
// file. Every problem of a file is reported at once, each with its line and what
// is wanted instead. The package holds data only: it reads no key, opens no
// connection and builds nothing.
package config

import (
	"crypto/sha256"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// NoData is the value of the key data with which nothing is kept.
const NoData = "none"

// DefaultPath is where the config file is looked for when none is named.
const DefaultPath = "understudy.yaml"

// Config is the whole file.
type Config struct {
	// Listen is the address of the client APIs: an address and a port, such as 0.0.0.0:8080.
	// 127.0.0.1:8080 if not given; port 0 takes a free one. What is no loopback address
	// is for clients with a key.
	Listen string `yaml:"listen"`
	// Admin is the address of the admin API, /metrics, /healthz and /readyz, never the same as Listen.
	// 127.0.0.1:8081 if not given. Where it is no loopback address, /metrics wants a token, too.
	Admin string `yaml:"admin"`
	// Data is the folder of what must outlive the gateway: the ledger above all. It is
	// made when it is first needed, and refused when others than its owner can read it.
	// A relative path begins at the file's folder. ./data if not given; with none,
	// nothing is kept.
	Data string `yaml:"data"`
	// Store is the PostgreSQL database in which several gateways keep one ledger: its URL
	// without a password, or where the URL is: env:NAME or file:/path. If not given, the
	// ledger is a file in the data folder. It needs a data folder all the same, for what is
	// not yet in the database.
	Store string `yaml:"store"`
	// Redis is the server by which several gateways count together what keys have by the minute and at once: its URL
	// without a password, or where the URL is: env:NAME or file:/path. If not given, or while it does not answer, each gateway
	// counts for itself.
	Redis string `yaml:"redis"`
	// Providers are the services that run models, by a name of your choice (letters,
	// digits, ".", "_" and "-"). At least one is wanted.
	Providers []Provider `yaml:"providers"`
	// Models are the names that clients ask for, each with what serves it. A model
	// not named here can still be asked for as provider/model.
	Models []Model `yaml:"models"`
	Access Access  `yaml:"access"`
	// Budgets bound what may be spent. They need a data folder. More can be set while the gateway runs, by
	// understudy budgets set; those of the file go before.
	Budgets []Budget `yaml:"budgets"`
	// Drain is how long running calls may take to finish when the gateway is
	// stopped: 0s to 24h, 15m if not given.
	Drain  time.Duration `yaml:"drain"`
	Limits Limits        `yaml:"limits"`
	// Telemetry says where traces go. /metrics is at the admin address in any case.
	Telemetry Telemetry `yaml:"telemetry"`

	file string              // as it was named; empty without a file
	at   map[string]position // of keys and list items, by their path
	sum  [sha256.Size]byte   // of the file's text
}

// Provider is a service and how it is used.
type Provider struct {
	Name string `yaml:",name"`
	// Use names the known service whose facts apply; if not given, the one of the
	// provider's own name, if there is one.
	Use string `yaml:"use"`
	// Key says where the service's key is: env:NAME, file:/path, {command: [PROGRAM, ARGUMENT, ...]}, or none. A command is
	// run for the key that it prints, as it stands: no shell reads it, and the program is on PATH or named by an absolute path.
	// It is run at the start, at each reload and, with every: 45m (1s to 24h), again and again; it may take 10s, or as long as
	// timeout says (100ms to 2m). See docs/keys.md. If not given, it is in the variable the service's documentation uses. With auth aws it
	// may be missing: the AWS SDKs' credentials are used then. With auth google it is a
	// file of credentials, or missing: the default credentials are used then. With auth
	// entra there is none: the identity is the environment's.
	Key Key `yaml:"key"`
	// Keys are several keys, in the place of Key: of those that work, each is used as often as its
	// weight says, and another at once when one is refused or has used up what it may.
	Keys []ProviderKey `yaml:"keys"`
	// PrivateNet lets the service be at a private address although its name is a public
	// one, as where a cloud has an endpoint in one's own network. Not if not given.
	PrivateNet bool `yaml:"private"`
	// Concurrency is how many requests may run at the service at a time, 1 to 100000; what is
	// more goes to the next target, or is refused. No limit if not given: what the service itself
	// refuses as too much is learned.
	Concurrency int `yaml:"concurrency"`
	// Traceparent tells the service which distributed trace a request belongs to, by the W3C's headers.
	// Not if not given: nobody but its vendor reads them there.
	Traceparent bool `yaml:"traceparent"`
	// Tags are words of your choice for what the service is (eu, no-training), by which a model or
	// a request can require it. Its region is one, too.
	Tags []string `yaml:"tags"`
	// ServiceTier is the tier at which the service answers your account where a request asks for none, or for auto: fast,
	// as of a project that is set so. The usual one if not given.
	ServiceTier string `yaml:"service_tier"`
	// Facts are the keys of a provider.yaml. What is given here replaces what is
	// known of the service; maps are merged key by key, models by id.
	Facts provider.Facts `yaml:",inline"`
}

// ProviderKey is one of several keys of a service.
type ProviderKey struct {
	// Key says where the key is: env:NAME, file:/path or a command, as in the provider's key.
	Key Key `yaml:"key"`
	// Weight is how often it is used, compared to the others: 0 to 1000, 1 if not given. One
	// with 0 is used when the others are out.
	Weight *float64 `yaml:"weight"`
}

// Model is a name that clients ask for and what serves it.
type Model struct {
	// Name is 1 to 256 printable ASCII characters without spaces.
	Name string `yaml:",name"`
	// Lead is the target that normally serves the model, as provider/model.
	Lead Target `yaml:"lead"`
	// Understudies are the standbys in the order in which they are tried, none twice.
	Understudies []Target `yaml:"understudies"`
	// Order says which of the targets that are well is tried first: ordered (if not given), the
	// lead; weighted, each as often as Weights says; fastest, the one that answers soonest;
	// cheapest, the one at which the request costs least.
	Order string `yaml:"order"`
	// Weights are those of the lead and of the understudies, in order, 0 to 1000, one of them not
	// 0; alike if not given. A target with 0 is tried last.
	Weights []float64 `yaml:"weights"`
	// Affinity is how long a session stays with the target that answered it last, so that the
	// vendor's cache of its prompt stays warm: 1s to 24h, or 0s for not at all. 5m if not given,
	// and 0s where the order is ordered. A session is what the header X-Understudy-Session, the
	// request's own session_id, prompt_cache_key, user or metadata.user_id, or else the beginning
	// of its prompt names.
	Affinity *time.Duration `yaml:"affinity"`
	// Require lists tags that every target's provider must have.
	Require  []string `yaml:"require"`
	Timeouts Timeouts `yaml:"timeouts"`
	// Loss says what a translation may lose: strict refuses what may change the
	// answer, report (if not given) reports it and refuses what code depends on,
	// lenient reports that too.
	Loss llm.LossPolicy `yaml:"loss"`
	// Identity says what becomes of an answer whose vendor names another model than the one that was
	// asked: report (if not given) gives it to the client with the header X-Understudy-Answered;
	// strict counts it as a failure, and the next target is asked. Versions and dates of one model
	// are no other, nor is what same_as in the provider's models says that a model is.
	Identity string `yaml:"identity"`
	// Hedge asks the next target beside one that takes long, and gives the client the answer of the
	// one that is faster. If not given, nothing is hedged: a hedge is paid for twice.
	Hedge *Hedge `yaml:"hedge"`
	// Most is what a call may cost, all its attempts together: 0.50 USD. If not given, that is not bounded. What could cost
	// more than is left is not tried: one more attempt, a hedge or a rescue, and at last the request itself, if it may
	// cost too much at every target; see docs/budgets.md.
	Most *Amount `yaml:"most"`
	// Rescue says what becomes of a streamed answer whose vendor fails after its first
	// content: text (if not given) goes on with it on the next understudy, if it is plain
	// text: no tools, no JSON mode, no thinking; off ends it in an error.
	Rescue llm.RescuePolicy `yaml:"rescue"`
}

// Hedge says when the next target is asked too, before there is any content. It is asked only if it
// is well, once a call, and never for what depends on a vendor's store or has the vendor run tools.
type Hedge struct {
	// After is how long a target may take to its first content, or to an answer that is not
	// streamed: 1ms to 10m, or a percentile of what it took of late, p50 to p99.
	After After `yaml:"after"`
	// Most is what all hedges of the model may cost, as a share of what its calls cost without
	// them, 0.1% to 50%: 5% if not given. Where a price is not known, calls are counted.
	Most Share `yaml:"most"`
}

// Timeouts bound a call phase by phase, each from 1ms to 24h and none longer than
// Total. What is not given is as in the comment.
type Timeouts struct {
	// Connect bounds dialling and the TLS handshake of an attempt: 2s.
	Connect time.Duration `yaml:"connect"`
	// FirstToken bounds a streaming attempt until its first content: 60s. Where that is no less than
	// what is left of Total, each attempt has an equal share of it; so it is with Answer.
	FirstToken time.Duration `yaml:"first_token"`
	// Answer bounds an attempt that is not streamed; if not given, each attempt has
	// an equal share of what is left of Total.
	Answer time.Duration `yaml:"answer"`
	// Stall bounds the time without progress in a stream: 30s.
	Stall time.Duration `yaml:"stall"`
	// MinRate is the least number of tokens a second that a stream must bring, 0.01 to
	// 1000: 0, which is none. A stream that is slower over a RateWindow is treated as one
	// that stalled. Its first content is held until it has brought what a window must
	// hold, or has ended, so that a trickle can still be replaced unseen.
	MinRate float64 `yaml:"min_rate"`
	// RateWindow is the time over which MinRate is counted, longer than the model's
	// longest pause: 10s.
	RateWindow time.Duration `yaml:"rate_window"`
	// Total bounds the call, all attempts together: 10m.
	Total time.Duration `yaml:"total"`
}

// Access says who may call.
type Access struct {
	// Anonymous lets everybody call who reaches the listener, with no key or one that is none
	// of the gateway's. If not given, it is true where every listener is on loopback and no key
	// is declared here; elsewhere it cannot be true.
	Anonymous bool `yaml:"anonymous"`
	// Secret says where the secret is that keys are hashed with: env:NAME or file:/path, of 32
	// characters or more, which openssl rand -hex 32 makes. Gateways that share a store must
	// share it, too. If not given, one is made and kept in the data folder. With another secret no
	// key that was made before is known.
	Secret Key `yaml:"secret"`
	// Teams are what keys belong to, by name. Where there are any, a key of another team is refused.
	Teams []Team `yaml:"teams"`
	// Keys are those that clients may show, beside those made with understudy keys create, each
	// under its id.
	Keys []ClientKey `yaml:"keys"`
	// Administrators are those who may use the admin API by a token of their own, beside those made with
	// understudy admins add, each under their name.
	Administrators []Administrator `yaml:"administrators"`
}

// Administrator is somebody who may use the admin API.
type Administrator struct {
	Name string `yaml:",name"`
	// Token says where the token is: env:NAME or file:/path, of 32 characters or more.
	Token Key `yaml:"token"`
	// Role says what it is good for: viewer looks; operator changes keys and budgets, drills and evacuates, too;
	// admin says who the administrators are, too.
	Role string `yaml:"role"`
	// Expires is when the token ends; never if not given.
	Expires Time `yaml:"expires"`
}

// Team is what none of its keys may go beyond.
type Team struct {
	Name string `yaml:",name"`
	// Organisation is what the team is of; its keys are, too, if they do not say otherwise.
	Organisation string `yaml:"organisation"`
	// Models, Providers and Regions are those that its keys may use, as in a key; any if not given.
	Models    []string `yaml:"models"`
	Providers []string `yaml:"providers"`
	Regions   []string `yaml:"regions"`
	// Disabled refuses all its keys.
	Disabled bool `yaml:"disabled"`
}

// ClientKey is a key that clients show to the gateway.
type ClientKey struct {
	ID string `yaml:",name"`
	// Key says where the key is: env:NAME or file:/path, of 32 characters or more.
	Key Key `yaml:"key"`
	// Name is what logs and the ledger call it; its id if not given.
	Name string `yaml:"name"`
	// User, Team and Organisation say whose it is.
	User         string `yaml:"user"`
	Team         string `yaml:"team"`
	Organisation string `yaml:"organisation"`
	// Models are those that it may ask for, as clients name them. One that ends in * stands for all
	// that begin so: openai/* for all of a provider, * for all there are. At least one is wanted.
	Models []string `yaml:"models"`
	// Providers and Regions are those that it may be served by and in; any if not given.
	Providers []string `yaml:"providers"`
	Regions   []string `yaml:"regions"`
	// Tags are words of your choice: what its calls are for, in the ledger, where they do not say so themselves.
	Tags []string `yaml:"tags"`
	// Expires is its end: a day, as 2027-01-31, at whose beginning in UTC it is refused, or a time,
	// as 2027-01-31T12:00:00Z.
	Expires Time `yaml:"expires"`
	// Disabled refuses it for the time being.
	Disabled bool      `yaml:"disabled"`
	Limits   KeyLimits `yaml:"limits"`
}

// KeyLimits bound how much a key may have; 0 is no limit.
type KeyLimits struct {
	// RequestsPerMinute bounds requests that begin.
	RequestsPerMinute int `yaml:"requests_per_minute"`
	// TokensPerMinute bounds tokens, of prompts and answers together.
	TokensPerMinute int `yaml:"tokens_per_minute"`
	// Concurrent bounds requests at once.
	Concurrent int `yaml:"concurrent"`
}

// Budget is how much an account may spend in a period.
type Budget struct {
	// Account is who pays: provider:NAME, key:ID, user:ID, team:ID or organisation:ID. key:anonymous is whoever
	// has no key.
	Account string `yaml:"account"`
	// Period is how long it holds until it begins anew, in UTC: day, week (from Monday), month or ever.
	Period budget.Period `yaml:"period"`
	// Most is the amount, exactly, with up to twelve decimals: 500 USD.
	Most Amount `yaml:"most"`
	// Soft says that it is only watched: what is over it is served, told of in the log and shown by the metrics.
	Soft bool `yaml:"soft"`
	// Strict says that each call asks the database, where several gateways share one: see
	// docs/running-several-nodes.md. If not given, each gateway leases parts of what is left.
	Strict bool `yaml:"strict"`
}

// Telemetry says where traces go: a span for each call and one for each attempt, without a word of
// what was asked and answered. It is read at the start; a reload that would change it is refused.
type Telemetry struct {
	// OTLP is the address of a collector that takes OpenTelemetry's protocol over HTTP, such as
	// http://127.0.0.1:4318; /v1/traces is added where there is no path. Headers that it wants are in the
	// variable OTEL_EXPORTER_OTLP_HEADERS. If not given, nothing is traced.
	OTLP string `yaml:"otlp"`
	// Share is how many of the calls are traced that belong to no trace of their client's: 100%.
	Share Share `yaml:"share"`
}

// Limits bound what one client may cost. They are read at the start; a reload that
// would change them is refused, as it is for a listener's address.
type Limits struct {
	// Body is the size of a request's body, as a number with KiB, MiB or GiB: 64MiB,
	// at most 1GiB.
	Body Size `yaml:"body"`
	// BodyTimeout is how long a body may take to arrive: 60s.
	BodyTimeout time.Duration `yaml:"body_timeout"`
	// Heartbeat is the silence after which a streaming client is sent a sign of
	// life: 10s.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// WriteTimeout is how long a client may refuse to read: 3m.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// Memory is how much the gateway may take, 128MiB to 1024GiB. What finds none left is
	// refused at once, before its body is read. If not given, what GOMEMLIMIT says, else three
	// quarters of what the machine or the cgroup has.
	Memory Size `yaml:"memory"`
	// Calls is how many calls may run at a time, 1 to 1000000; what is more is refused at once. If
	// not given, as many as there is memory for.
	Calls int `yaml:"calls"`
	// Rescue is how much of the text of running streams may be kept so that understudies can go on
	// with them, 1MiB to 1024GiB together, of which one stream takes at most 256KiB: 256MiB. A stream
	// that finds no room goes on without rescue, and is counted.
	Rescue Size `yaml:"rescue"`
}

// Default is the configuration without a file: every service of catalog is
// enabled whose usual key variable is set to something, and whose address is the same
// for everybody.
func Default(catalog Catalog, lookup func(string) (string, bool)) *Config {
	c := defaults()
	for _, id := range catalog.IDs() {
		keyEnv := catalog.KeyEnv(id)
		if keyEnv == "" {
			continue
		}
		if v, ok := lookup(keyEnv); ok && strings.TrimSpace(v) != "" {
			facts, _ := catalog.Facts(id)
			facts.Complete()
			if facts.Hole() == "" {
				c.Providers = append(c.Providers, Provider{Name: id, Use: id, Key: Key{Env: keyEnv}, Facts: facts})
			}
		}
	}
	return c
}

// Private reports whether connections to private addresses are meant: the file says so,
// or base_url names a place that is not on the internet.
func (p *Provider) Private() bool {
	if p.PrivateNet {
		return true
	}
	u, err := url.Parse(p.Facts.BaseURL)
	return err == nil && provider.IsPrivateHost(u.Hostname())
}

// defaults is the configuration of an empty file, not yet checked.
func defaults() *Config {
	return &Config{
		Listen: "127.0.0.1:8080",
		Admin:  "127.0.0.1:8081",
		Data:   "data",
		Access: Access{Anonymous: true},
		Drain:  15 * time.Minute,
		Limits: Limits{
			Body: 64 << 20, BodyTimeout: 60 * time.Second,
			Heartbeat: 10 * time.Second, WriteTimeout: 3 * time.Minute, Rescue: 256 << 20,
		},
		Telemetry: Telemetry{Share: 1},
		at:        map[string]position{},
	}
}

// DataFolder is the folder of what is kept; empty if nothing is.
func (c *Config) DataFolder() string {
	switch {
	case c.Data == NoData:
		return ""
	case filepath.IsAbs(c.Data) || c.file == "":
		return filepath.Clean(c.Data)
	default:
		return filepath.Join(filepath.Dir(c.file), c.Data)
	}
}

// File is the file's name as it was given; empty without a file.
func (c *Config) File() string { return c.file }

// Sum is the SHA-256 of the file's text, by which a change is noticed.
func (c *Config) Sum() [sha256.Size]byte { return c.sum }

// Provider finds a provider by its name.
func (c *Config) Provider(name string) (*Provider, bool) {
	i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return nil, false
	}
	return &c.Providers[i], true
}

// Problem says something about the place in the file where path stands
// ("providers.acme.key"), or its nearest parent.
func (c *Config) Problem(path, message, hint string) Problem {
	at, ok := c.at[path]
	for !ok && path != "" {
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
		at, ok = c.at[path]
	}
	return Problem{File: c.file, Line: at.line, Column: at.column, Message: message, Hint: hint}
}
