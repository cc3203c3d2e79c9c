package route

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// HealthOptions is what a Health is built from. The zero value works.
type HealthOptions struct {
	Now func() time.Time // time.Now if nil
	Log *slog.Logger     // of changes; discarded if nil
	// Changed is told of each change of a breaker or a posture, after the log. It must not take
	// long, and may be called concurrently.
	Changed func(Change)
	// Random is from 0 to 1, without it; math/rand's if nil.
	Random func() float64
}

// Health remembers how targets fared: per endpoint (a provider), model there and credential. It
// outlives routes, since its states go by names. It may be used concurrently.
type Health struct {
	opts     HealthOptions
	base     time.Time
	local    atomic.Int64
	mu       sync.Mutex // of replacing the sites
	sites    atomic.Pointer[map[siteKey]*site]
	postures atomic.Pointer[map[string]standing] // those that are not the usual one
	affinity affinity
	hedges   hedges
}

// NewHealth returns a Health that knows of no failure.
func NewHealth(o HealthOptions) *Health {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = jitter
	}
	h := &Health{opts: o, base: o.Now()}
	h.sites.Store(&map[siteKey]*site{})
	h.postures.Store(&map[string]standing{})
	return h
}

// host is a provider's endpoint, whichever of its keys it is asked with. One lock is enough for all
// of it: what is done under it is short.
type host struct {
	mu       sync.Mutex
	running  int
	endpoint breaker
	shared   [8]any // connections whose end was counted, the latest last
}

// site is a provider's endpoint, with one of its credentials and its models as they are with that.
type site struct {
	*host
	id         string
	slot       int // of the credential among the provider's
	several    bool
	address    string
	key        provider.Secret
	credential breaker
	models     map[string]*model
}

// siteKey names a site.
type siteKey struct {
	provider string
	slot     int
}

func keyOf(p *provider.Provider) siteKey { return siteKey{p.ID, p.Slot} }

// model is a model at a site, asked with its credential.
type model struct {
	name    string
	running int
	last    int // attempts made as a last resort that run
	used    instant
	breaker breaker
	limit   limit
	retries retries
	// whole and first are how long answers took, and in streams the first content.
	whole, first average
	// wholes and firsts are the latest of them.
	wholes, firsts recent
}

// newSite makes a site, which shares its host with those of the provider's other keys.
func newSite(p *provider.Provider, sites map[siteKey]*site) *site {
	s := &site{id: p.ID, slot: p.Slot, several: len(p.Keys) > 1, address: p.Facts.BaseURL, key: p.Key, models: map[string]*model{}}
	for _, other := range p.Keys {
		if at := sites[keyOf(other)]; at != nil {
			s.host = at.host
			return s
		}
	}
	s.host = &host{}
	return s
}

func (h *Health) now() instant { return instant(h.opts.Now().Sub(h.base)) }

// site finds or makes the state of a provider.
func (h *Health) site(p *provider.Provider) *site {
	if s := (*h.sites.Load())[keyOf(p)]; s != nil {
		return s
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sites := *h.sites.Load()
	if s := sites[keyOf(p)]; s != nil {
		return s
	}
	s := newSite(p, sites)
	sites = maps.Clone(sites)
	sites[keyOf(p)] = s
	h.sites.Store(&sites)
	return s
}

// maxModels bounds the models of a site that are remembered: clients may ask for any name.
const maxModels = 1024

// model finds or makes the state of a model. The site's lock is held.
func (s *site) model(name string, now instant) *model {
	if m := s.models[name]; m != nil {
		return m
	}
	if len(s.models) >= maxModels {
		s.forget()
	}
	m := &model{name: name, retries: retries{left: maxRetries, at: now}}
	s.models[name] = m
	return m
}

// forget drops a model of which nothing is to be remembered, or else the one that was used least
// recently.
func (s *site) forget() {
	oldest := ""
	for name, m := range s.models {
		if m.running == 0 && !m.breaker.open && !m.breaker.cooling {
			delete(s.models, name)
			return
		}
		if oldest == "" || m.used < s.models[oldest].used {
			oldest = name
		}
	}
	delete(s.models, oldest)
}

// Keep drops what is known of providers that are not among these, and begins anew with those whose
// address or key has changed: whoever changed it wants to know.
func (h *Health) Keep(providers []*provider.Provider) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := *h.sites.Load()
	sites := make(map[siteKey]*site, len(providers))
	known := make(map[string]int, len(providers)) // how many keys there were, by provider
	for k := range old {
		known[k.provider] = max(known[k.provider], k.slot+1)
	}
	for _, p := range providers {
		keys := p.Keys
		if len(keys) == 0 {
			keys = []*provider.Provider{p}
		}
		if known[p.ID] > len(keys) || slices.ContainsFunc(keys, func(p *provider.Provider) bool { return !old[keyOf(p)].isOf(p) }) {
			continue // it is anew when it is asked
		}
		for _, p := range keys {
			if s := old[keyOf(p)]; s != nil {
				sites[keyOf(p)] = s
			}
		}
	}
	h.sites.Store(&sites)
}

// isOf reports whether a site, if there is one, is what the config says now.
func (s *site) isOf(p *provider.Provider) bool {
	return s == nil || s.address == p.Facts.BaseURL && s.key.Reveal() == p.Key.Reveal() && s.several == (len(p.Keys) > 1)
}

// LocalFaults is how many attempts failed for want of something on the gateway's own machine.
func (h *Health) LocalFaults() int64 { return h.local.Load() }

// Entry is how an attempt comes about.
type Entry struct {
	// Retry says that the call asks the same target again.
	Retry bool
	// Last says that no other target is left, so that this one is tried although its breaker is
	// open.
	Last bool
}

// Refusal is why a target may not be tried. It is none if Reason is empty.
type Refusal struct {
	Reason Reason
	Wait   time.Duration // until it is worth asking again
}

// Pass is the leave to make one attempt. Leave is to be called once.
type Pass struct {
	h      *Health
	site   *site
	model  *model
	began  instant
	probes [3]bool // of endpoint, model and credential
	last   bool
	begun  bool // the first content has come
}

// maxLast is how many attempts run at a time at a target that is tried as a last resort: one that
// hangs holds no more calls than these.
const maxLast = 8

// breakers are those that an attempt is under, in the order of Pass.probes.
func (s *site) breakers(m *model) [3]*breaker {
	return [3]*breaker{&s.endpoint, &m.breaker, &s.credential}
}

// blocked says why a target may not be tried now. The site's lock is held.
func (s *site) blocked(m *model, now instant, most int, lone bool) Refusal {
	var worst Refusal
	for _, b := range s.breakers(m) {
		if reason, wait := b.blocked(now, lone); reason != "" && wait > worst.Wait {
			worst = Refusal{reason, wait}
		}
	}
	isFull := m.limit.isFull(now, m.running) || most > 0 && s.running >= most || lone && s.isOut(m) && m.last >= maxLast
	if worst.Reason == "" && isFull {
		return Refusal{ReasonFull, minCool}
	}
	return worst
}

func (s *site) isOut(m *model) bool { return s.endpoint.open || m.breaker.open || s.credential.open }

// isHopeless reports whether the target is out for what asking again does not mend.
func (s *site) isHopeless(m *model) bool {
	for _, b := range s.breakers(m) {
		if b.open && b.broken > 0 {
			return true
		}
	}
	return false
}

// Enter asks for the leave to make an attempt.
func (h *Health) Enter(t Target, e Entry) (Pass, Refusal) {
	s, now := h.site(t.Provider), h.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.model(t.Model, now)
	if r := s.blocked(m, now, t.Provider.Concurrency, e.Last); r.Reason != "" {
		return Pass{}, r
	}
	p := Pass{h: h, site: s, model: m, began: now}
	if e.Last && s.isOut(m) {
		p.last = true
		m.last++
	}
	for i, b := range s.breakers(m) {
		p.probes[i] = b.enter(now)
	}
	if !e.Retry {
		m.retries.earn()
	}
	m.used = now
	s.running++
	m.running++
	return p, Refusal{}
}

// MayRetry spends from the target's budget of retries; when it is used up, the target is not to be
// asked again by a call that has asked it.
func (h *Health) MayRetry(t Target) bool {
	s, now := h.site(t.Provider), h.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model(t.Model, now).retries.spend(now)
}

// Begun says that the first content of a stream has come. The attempt is judged at its end, but
// whether the target is back is known by now: a stream may take very long.
func (p *Pass) Begun() {
	if p.begun || p.h == nil {
		return
	}
	p.begun = true
	now := p.h.now()
	var changes [3]Change
	p.site.mu.Lock()
	p.model.first.add(now, p.began.until(now))
	p.model.firsts.add(p.began.until(now))
	for i, b := range p.site.breakers(p.model) {
		if b.open && (p.probes[i] || p.last) {
			b.close(now)
			changes[i] = p.change(i, b)
		}
		p.endProbe(i, b)
	}
	p.site.mu.Unlock()
	p.h.tell(changes[:])
}

func (p *Pass) endProbe(i int, b *breaker) {
	if p.probes[i] {
		p.probes[i], b.probing = false, false
	}
}

// Leave says how the attempt ended.
func (p *Pass) Leave(r Result) {
	if p.h == nil {
		return
	}
	h, s, m := p.h, p.site, p.model
	e := EffectOf(r)
	if e.Local {
		h.local.Add(1)
	}
	now := h.now()
	var changes [3]Change
	s.mu.Lock()
	s.running--
	m.running--
	if p.last {
		m.last--
	}
	if r.Err != nil && r.Conn != nil && e.Endpoint == Failed && !s.isFirst(r.Conn) {
		e.Endpoint = Uncounted
	}
	o := outcome{stated: e.Stated}
	if r.Err != nil {
		o.code, o.random = r.Err.Code, h.opts.Random()
		o.cool = e.Cool[0] + time.Duration(h.opts.Random()*float64(e.Cool[1]-e.Cool[0]))
	}
	verdicts := [3]Verdict{e.Endpoint, e.Model, e.Credential}
	for i, b := range s.breakers(m) {
		o.verdict, o.decides = verdicts[i], p.probes[i] || p.last
		p.endProbe(i, b)
		if b.leave(now, o) {
			changes[i] = p.change(i, b)
		}
	}
	switch {
	case e.Shrink:
		m.limit.shrink(now, p.began, m.running+1)
	case r.Err == nil:
		m.limit.grow()
		if !r.Stream {
			m.whole.add(now, p.began.until(now))
			m.wholes.add(p.began.until(now))
		}
	case r.Err.Code == llm.CodeOutrun && r.Cause != CauseUnseen: // it would have taken longer still
		if !r.Stream {
			m.wholes.add(p.began.until(now))
		} else if !p.begun {
			m.firsts.add(p.began.until(now))
		}
	}
	s.mu.Unlock()
	p.h = nil
	h.tell(changes[:])
}

// isFirst notes a connection that failed and reports whether it is new.
func (s *site) isFirst(conn any) bool {
	for _, c := range s.shared {
		if c == conn {
			return false
		}
	}
	copy(s.shared[:], s.shared[1:])
	s.shared[len(s.shared)-1] = conn
	return true
}

// Scope is what a breaker is about.
type Scope string

// The scopes.
const (
	ScopeEndpoint   Scope = "endpoint"
	ScopeModel      Scope = "model"
	ScopeCredential Scope = "credential"
)

// scopes are in the order of Pass.probes.
var scopes = [3]Scope{ScopeEndpoint, ScopeModel, ScopeCredential}

// Change is what became of a breaker, or of a provider's posture.
type Change struct {
	Provider string
	Key      int    // which of the provider's keys it is about, from 1; 0 if it has one
	Model    string // of ScopeModel
	Scope    Scope  // empty if it is the posture that changed
	Reason   Reason // why it is out; empty if it is back
	Code     llm.Code
	For      time.Duration // how long it stays out before it is tried again
	Posture  Posture
	Share    float64 // of its traffic that the provider gets in the posture
	IsStep   bool    // the share alone has changed, as it does step by step
}

// change describes what has just become of a breaker.
func (p *Pass) change(i int, b *breaker) Change {
	now := p.h.now()
	c := Change{Provider: p.site.id, Scope: scopes[i], Code: b.code}
	if c.Scope == ScopeModel {
		c.Model = p.model.name
	}
	if p.site.several && c.Scope != ScopeEndpoint {
		c.Key = p.site.slot + 1
	}
	switch {
	case b.open:
		c.Reason, c.For = ReasonOpen, now.until(b.until)
	case b.cooling && now < b.coolUntil:
		c.Reason, c.For = ReasonCooling, now.until(b.coolUntil)
	}
	return c
}

// tell logs changes and passes them on.
func (h *Health) tell(changes []Change) {
	for i := range changes {
		if c := &changes[i]; c.Provider != "" {
			h.log(c)
			if h.opts.Changed != nil {
				h.opts.Changed(*c)
			}
		}
	}
}

func (h *Health) log(c *Change) {
	attrs := append(make([]slog.Attr, 0, 7), slog.String("provider", c.Provider))
	if c.Scope == "" {
		level := slog.LevelInfo
		if c.IsStep {
			level = slog.LevelDebug
		}
		attrs = append(attrs, slog.String("posture", string(c.Posture)), slog.Float64("share", math.Round(c.Share*1e3)/1e3))
		h.opts.Log.LogAttrs(context.Background(), level, "posture", attrs...)
		return
	}
	attrs = append(attrs, slog.String("scope", string(c.Scope)))
	if c.Model != "" {
		attrs = append(attrs, slog.String("model", c.Model))
	}
	if c.Key > 0 {
		attrs = append(attrs, slog.Int("key", c.Key))
	}
	if c.Reason == "" {
		h.opts.Log.LogAttrs(context.Background(), slog.LevelInfo, "target is back", attrs...)
		return
	}
	level := slog.LevelInfo
	if c.Reason == ReasonOpen {
		level = slog.LevelWarn
	}
	attrs = append(attrs, slog.String("reason", string(c.Reason)), slog.String("code", string(c.Code)),
		slog.Int64("ms", c.For.Milliseconds()))
	h.opts.Log.LogAttrs(context.Background(), level, "target is out", attrs...)
}
