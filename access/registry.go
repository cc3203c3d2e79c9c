package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Options is what a Registry is built from; all of it has a default.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
}

// Registry knows the keys. A nil one lets everybody call, without a name.
type Registry struct {
	log     *slog.Logger
	now     func() time.Time
	state   atomic.Pointer[snapshot]
	hashers sync.Pool
	wrong   Tries
	synced  atomic.Int64 // when memory was last known to be what the store has, in milliseconds since 1970

	mu       sync.Mutex // over what snapshots are made of
	secret   Secret
	store    Store
	shared   bool
	version  int64 // of what the store has
	stored   []Key
	declared Declared
}

// Declared is what the config file says.
type Declared struct {
	Anonymous bool // whoever shows no key may call, too
	Keys      []DeclaredKey
	Teams     map[string]Team
	// Administrators are those that stand in the config file.
	Administrators []DeclaredAdministrator
}

// DeclaredKey is a key that stands in the config file, and its text.
type DeclaredKey struct {
	ID   string
	Text string
	Spec Spec
}

// snapshot is what a check needs. It is never changed.
type snapshot struct {
	anonymous bool
	shared    bool // others may make keys
	byHash    map[Hash]*entry
	keys      []Key // all, by id
	byToken   map[Hash]*entry
	admins    []Key // administrators' tokens, by id
}

// entry is a text that is taken for a key, until a time.
type entry struct {
	hash  Hash
	until time.Time // zero for ever
	grant *Grant
	admin *Administrator // whose token it is, in the place of a grant
}

// NewRegistry makes a registry that refuses everybody until Open.
func NewRegistry(o Options) *Registry {
	r := &Registry{log: o.Log, now: o.Now}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Open takes the secret and the store, and reads what that has. shared says that others write
// there, too: then it need not be within reach yet, and Follow is to be run.
func (r *Registry) Open(ctx context.Context, secret Secret, store Store, shared bool, d Declared) error {
	r.mu.Lock()
	r.secret, r.store, r.shared, r.declared = secret, store, shared, d
	r.hashers.New = func() any { return &hasher{mac: hmac.New(sha256.New, secret.text)} }
	r.build()
	r.mu.Unlock()
	err := r.Refresh(ctx)
	if err != nil && shared {
		r.log.Error("the keys cannot be read; only declared ones are known", "error", err.Error())
		return nil
	}
	return err
}

// Declare replaces what the config says.
func (r *Registry) Declare(d Declared) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declared = d
	r.build()
}

// Refresh reads the keys if they are others than those in memory.
func (r *Registry) Refresh(ctx context.Context) error {
	at := r.now()
	version, err := r.store.KeysVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the keys: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if version != r.version || r.synced.Load() == 0 {
		keys, version, err := r.store.Keys(ctx)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		if version >= r.version { // an answer that was overtaken is old
			r.stored, r.version = keys, version
			r.build()
		}
	}
	r.synced.Store(at.UnixMilli())
	return nil
}

// How soon a change at one gateway is seen at another that has the same store: within
// followEvery and the time that the store takes to answer, which followTime bounds.
const (
	followEvery = 250 * time.Millisecond
	followTime  = 500 * time.Millisecond
	// staleAfter is after how long without an answer an unknown key may be one that was made meanwhile.
	staleAfter = 2 * time.Second
)

// Follow refreshes until ctx ends. While the store cannot be reached, the known keys keep working.
func (r *Registry) Follow(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		bounded, cancel := context.WithTimeout(ctx, followTime)
		err := r.Refresh(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			r.log.Error("the keys cannot be read; those in memory keep working, and no other", "error", err.Error())
		case err == nil && failing:
			r.log.Info("the keys can be read again")
		}
		failing = err != nil
	}
}

// build makes the snapshot; the lock is held.
func (r *Registry) build() {
	s := &snapshot{anonymous: r.declared.Anonymous, shared: r.shared, byHash: map[Hash]*entry{}, byToken: map[Hash]*entry{}}
	taken := map[string]bool{}
	for _, d := range r.declared.Keys {
		k := Key{ID: d.ID, Spec: d.Spec, Declared: true, Ending: endingOf(d.Text), hash: r.secret.Sum(d.Text)}
		taken[k.ID] = true
		s.add(&k, r.declared.Teams)
	}
	for _, d := range r.declared.Administrators {
		k := Key{ID: tokenID(d.Name), Spec: Spec{Expires: d.Expires}, Declared: true, Ending: endingOf(d.Text), hash: r.secret.Sum(d.Text), role: d.Role}
		taken[k.ID] = true
		s.addAdministrator(&k)
	}
	for i := range r.stored {
		switch k := r.stored[i]; {
		case taken[k.ID]: // the file goes before the store
		case k.role != "":
			s.addAdministrator(&k)
		default:
			s.add(&k, r.declared.Teams)
		}
	}
	for _, list := range [][]Key{s.keys, s.admins} {
		slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	}
	r.state.Store(s)
}

// add takes in a key, and what it is known by if it can be used.
func (s *snapshot) add(k *Key, teams map[string]Team) {
	team, known := teams[k.Team]
	if k.Team != "" && known && k.Organisation == "" {
		k.Organisation = team.Organisation
	}
	s.keys = append(s.keys, *k)
	isOrphan := k.Team != "" && len(teams) > 0 && !known // its team was taken out of the file
	if !k.Revoked.IsZero() || k.Disabled || team.Disabled || isOrphan {
		return
	}
	g := &Grant{
		Caller: Caller{Key: k.ID, Name: k.Name, User: k.User, Team: k.Team, Organisation: k.Organisation, Tags: slices.Clone(k.Tags)},
		Limits: k.Limits,
		own:    narrow{k.Models, k.Providers, k.Regions},
		team:   narrow{team.Models, team.Providers, team.Regions},
	}
	if g.Name == "" {
		g.Name = k.ID
	}
	k.enter(s.byHash, entry{grant: g})
}

// enter makes a key known by its text, and for a while by that before.
func (k *Key) enter(known map[Hash]*entry, e entry) {
	if k.old != (Hash{}) {
		until := k.OldUntil
		if !k.Expires.IsZero() && k.Expires.Before(until) {
			until = k.Expires
		}
		known[k.old] = &entry{hash: k.old, until: until, grant: e.grant, admin: e.admin}
	}
	e.hash, e.until = k.hash, k.Expires
	known[k.hash] = &e
}

// hasher hashes what clients show, again and again in the same memory.
type hasher struct {
	mac   hash.Hash
	shown []byte
	sum   Hash
}

func (r *Registry) sum(shown string) Hash {
	h := r.hashers.Get().(*hasher)
	h.shown = append(h.shown[:0], shown...)
	h.mac.Reset()
	_, _ = h.mac.Write(h.shown) // never fails
	h.mac.Sum(h.sum[:0])
	sum := h.sum
	clear(h.shown)
	r.hashers.Put(h)
	return sum
}

// find returns what a text is taken for; nil if for nothing. An HMAC says nothing about how near
// a guess is; that the comparison takes the same time whatever is shown is a second lock.
func (r *Registry) find(known map[Hash]*entry, shown string) *entry {
	sum := r.sum(shown)
	e := known[sum]
	if e == nil || subtle.ConstantTimeCompare(e.hash[:], sum[:]) != 1 || !e.until.IsZero() && !r.now().Before(e.until) {
		return nil
	}
	return e
}

// Check returns what the caller of a request may do, or why it is refused: credentials that
// differ are ambiguous, and ambiguity is never resolved to the stronger one. from is the
// client's address. inQuery are the credentials in the request's address, where the SDKs of its
// dialect put them there.
func (r *Registry) Check(h http.Header, from string, inQuery ...string) (*Grant, *llm.Error) {
	s := r.snapshot()
	// A signature shows nothing to whoever has not the secret that it was made with. While
	// nobody needs a key, nothing depends on it, and AWS SDKs sign if they are not told
	// otherwise.
	if s.anonymous && isSignature(h["Authorization"]) {
		h = maps.Clone(h)
		delete(h, "Authorization")
	}
	shown, err := Credential(h, inQuery...)
	if err != nil {
		return nil, r.refused(err, from)
	}
	if shown != "" && len(s.byHash) > 0 {
		if e := r.find(s.byHash, shown); e != nil {
			if slices.ContainsFunc(inQuery, func(v string) bool { return v != "" }) {
				return nil, &llm.Error{
					Code: llm.CodeAuthentication, Origin: llm.OriginClient,
					Message: "A key in the address ends up in logs, and is not taken. Send it in a header, such as x-goog-api-key.",
				}
			}
			return e.grant, nil
		}
	}
	if s.anonymous && !strings.HasPrefix(shown, keyPrefix) {
		return anonymous(h)
	}
	return nil, r.unknown(s, shown, from)
}

func (r *Registry) snapshot() *snapshot {
	if r == nil {
		return &snapshot{anonymous: true}
	}
	if s := r.state.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// anonymous lets everybody call, but for a page of another site that a browser has open: while
// nobody needs a key, it could spend the operator's money. Programs send no Sec-Fetch-Site.
func anonymous(h http.Header) (*Grant, *llm.Error) {
	if h.Get("Sec-Fetch-Site") == "cross-site" {
		return nil, &llm.Error{
			Code: llm.CodePermission, Origin: llm.OriginClient,
			Message: "The request comes from a web page of another site. Call the gateway from a program, or from a page of the same site.",
		}
	}
	return nil, nil //nolint:nilnil // nothing narrows what such a caller may do
}

// unknown refuses a text that is no key's, always in the same words.
func (r *Registry) unknown(s *snapshot, shown, from string) *llm.Error {
	switch {
	case shown == "":
		return &llm.Error{
			Code: llm.CodeAuthentication, Origin: llm.OriginClient,
			Message: "This gateway wants a key. Set the one that you were given as your SDK's API key.",
		}
	case r != nil && r.isStale(s):
		return &llm.Error{
			Code: llm.CodeUnavailable, Origin: llm.OriginGateway, RetryAfter: time.Second,
			Message: "The gateway does not know the key, and cannot find out now whether it is a new one. Try again.",
		}
	}
	return r.refused(&llm.Error{
		Code: llm.CodeAuthentication, Origin: llm.OriginClient,
		Message: "The gateway does not take this key: it is unknown, or has expired, or was disabled or revoked.",
	}, from)
}

// isStale reports whether keys may have been made that are not in memory.
func (r *Registry) isStale(s *snapshot) bool {
	return s.shared && r.now().Sub(time.UnixMilli(r.synced.Load())) > staleAfter
}

// refused counts a credential that is refused, and turns away an address that guesses.
func (r *Registry) refused(err *llm.Error, from string) *llm.Error {
	if r == nil || err.Code != llm.CodeAuthentication || r.wrong.Allow(from, r.now()) {
		return err
	}
	return &llm.Error{
		Code: llm.CodeRateLimit, Origin: llm.OriginGateway, RetryAfter: TryEvery,
		Message: "Too many requests with keys that are not known came from this address.",
	}
}
