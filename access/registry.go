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
	stored  atomic.Pointer[table] // the keys of the store
	synced  atomic.Int64          // when memory was last known to be what the store has, in milliseconds since 1970

	mu       sync.Mutex // over what snapshots are made of
	secret   Secret
	store    Store
	shared   bool
	version  int64          // of what the store has
	admins   map[string]Key // administrators' tokens of the store, by id
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

// snapshot is what the config declares, and who the administrators are. It is never changed.
type snapshot struct {
	anonymous bool
	shared    bool // others may make keys
	byHash    map[Hash]*entry
	keys      []Key // by id
	teams     map[string]Team
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
	r := &Registry{log: o.Log, now: o.Now, admins: map[string]Key{}}
	r.stored.Store(&table{})
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
	if !shared {
		return r.Refresh(ctx)
	}
	reading, end := context.WithTimeout(ctx, readTime) // a store that says nothing keeps nobody from serving
	defer end()
	asking, cancel := context.WithTimeout(reading, openTime)
	defer cancel()
	if err := r.refresh(reading, asking); err != nil {
		r.log.Error("the keys cannot be read; only declared ones are known", "error", err.Error())
	}
	return nil
}

// Declare replaces what the config says.
func (r *Registry) Declare(d Declared) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declared = d
	r.build()
}

// Refresh reads the keys if they are others than those in memory.
func (r *Registry) Refresh(ctx context.Context) error { return r.refresh(ctx, ctx) }

// refresh is Refresh where asking whether there is anything to read has a context of its own.
func (r *Registry) refresh(ctx, asking context.Context) error {
	at := r.now()
	version, err := r.store.KeysVersion(asking)
	if err != nil {
		return fmt.Errorf("read the version of the keys: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if version != r.version || r.synced.Load() == 0 {
		if err := r.read(ctx); err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
	}
	r.synced.Store(at.UnixMilli())
	return nil
}

// read takes in what has changed in the store, or all of it if that is older than what is known: it has gone back. The lock
// is held.
func (r *Registry) read(ctx context.Context) error {
	version, changed, admins, err := r.changedSince(ctx, r.version)
	if err != nil {
		return err
	}
	keys := r.stored.Load()
	if version < r.version {
		if version, changed, admins, err = r.changedSince(ctx, 0); err != nil {
			return err
		}
		keys = &table{}
		clear(r.admins)
	}
	keys.apply(changed)
	r.stored.Store(keys) // when it has them all: nobody's key is unknown meanwhile
	for i := range admins {
		r.admins[admins[i].ID] = admins[i]
	}
	r.version = version
	r.build()
	return nil
}

// changedSince reads the keys that have changed since a version of the store.
func (r *Registry) changedSince(ctx context.Context, since int64) (version int64, keys []*record, admins []Key, err error) {
	version, err = r.store.Keys(ctx, since, func(text []byte) error {
		k, err := ParseKey(text)
		if err != nil {
			return err
		}
		if k.role != "" {
			admins = append(admins, k)
			return nil
		}
		one, err := newRecord(&k, text)
		keys = append(keys, one)
		return err
	})
	return version, keys, admins, err //nolint:wrapcheck // the caller says what it is about
}

// How soon a change at one gateway is seen at another that has the same store: within
// followEvery and the time that the store takes to answer, which followTime bounds.
const (
	followEvery = 250 * time.Millisecond
	followTime  = 500 * time.Millisecond
	openTime    = 5 * time.Second // the schema may be made first
	readTime    = time.Minute     // there may be a million to read
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
		reading, end := context.WithTimeout(ctx, readTime)
		asking, cancel := context.WithTimeout(reading, followTime)
		err := r.refresh(reading, asking)
		cancel()
		end()
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
	s := &snapshot{anonymous: r.declared.Anonymous, shared: r.shared, teams: r.declared.Teams, byHash: map[Hash]*entry{}, byToken: map[Hash]*entry{}}
	taken := map[string]bool{}
	for _, d := range r.declared.Keys {
		k := Key{ID: d.ID, Spec: d.Spec, Declared: true, Ending: endingOf(d.Text), hash: r.secret.Sum(d.Text)}
		taken[k.ID] = true
		s.add(&k)
	}
	for _, d := range r.declared.Administrators {
		k := Key{ID: tokenID(d.Name), Spec: Spec{Expires: d.Expires}, Declared: true, Ending: endingOf(d.Text), hash: r.secret.Sum(d.Text), role: d.Role}
		taken[k.ID] = true
		s.addAdministrator(&k)
	}
	for _, k := range r.admins {
		if !taken[k.ID] { // the file goes before the store
			s.addAdministrator(&k)
		}
	}
	for _, list := range [][]Key{s.keys, s.admins} {
		slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	}
	r.state.Store(s)
}

// add takes in a key that is declared, and what it is known by if it can be used.
func (s *snapshot) add(k *Key) {
	s.complete(k)
	s.keys = append(s.keys, *k)
	if g := s.grant(k); g != nil {
		k.enter(s.byHash, entry{grant: g})
	}
}

// complete gives a key what it has of its team.
func (s *snapshot) complete(k *Key) {
	if team, known := s.teams[k.Team]; k.Team != "" && known && k.Organisation == "" {
		k.Organisation = team.Organisation
	}
}

// declares reports whether the file declares a key of an id: then it goes before the store's.
func (s *snapshot) declares(id string) bool {
	_, found := ofID(s.keys, id)
	return found
}

// grantOf is what a key of the store may do; nil if nothing. It is made once under each snapshot.
func (s *snapshot) grantOf(r *record) *Grant {
	if m := r.made.Load(); m != nil && m.under == s {
		return m.grant
	}
	k := r.key()
	s.complete(&k)
	m := &made{under: s}
	if !s.declares(k.ID) {
		m.grant = s.grant(&k)
	}
	r.made.Store(m)
	return m.grant
}

// grant is what a key may do; nil if nothing.
func (s *snapshot) grant(k *Key) *Grant {
	team, known := s.teams[k.Team]
	isOrphan := k.Team != "" && len(s.teams) > 0 && !known // its team was taken out of the file
	if !k.Revoked.IsZero() || k.Disabled || team.Disabled || isOrphan {
		return nil
	}
	g := &Grant{
		Caller: Caller{Key: k.ID, Name: k.Name, User: k.User, Team: k.Team, Organisation: k.Organisation, Tag: tagOf(k.Tags)},
		Limits: k.Limits,
		own:    narrow{k.Models, k.Providers, k.Regions},
		team:   narrow{team.Models, team.Providers, team.Regions},
	}
	if g.Name == "" {
		g.Name = k.ID
	}
	return g
}

// maxTag is how much of a key's tags is in the ledger, as of what a call says itself.
const maxTag = 64

// tagOf is the first of some words, as many as there is room for.
func tagOf(words []string) (tag string) {
	for _, w := range words {
		longer := strings.TrimPrefix(tag+" "+w, " ")
		if len(longer) > maxTag {
			break
		}
		tag = longer
	}
	return tag
}

// enter makes a key known by its text, and for a while by those before.
func (k *Key) enter(known map[Hash]*entry, e entry) {
	for _, f := range k.formers() {
		until := time.UnixMilli(f.until)
		if !k.Expires.IsZero() && k.Expires.Before(until) {
			until = k.Expires
		}
		known[f.hash] = &entry{hash: f.hash, until: until, grant: e.grant, admin: e.admin}
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

// knowsAny reports whether there are keys at all: where there are none, nothing need be hashed.
func (r *Registry) knowsAny(s *snapshot) bool {
	return len(s.byHash) > 0 || r != nil && len(r.stored.Load().all()) > 0
}

// grantFor is what may be done by whoever shows a text; nil if it is no key's.
func (r *Registry) grantFor(s *snapshot, shown string) *Grant {
	sum := r.sum(shown)
	if e := r.find(s.byHash, &sum); e != nil {
		return e.grant
	}
	if one := r.stored.Load().find(&sum); one != nil && one.isTaken(&sum, r.now()) {
		return s.grantOf(one)
	}
	return nil
}

// find returns what a sum is taken for; nil if for nothing.
func (r *Registry) find(known map[Hash]*entry, sum *Hash) *entry {
	e := known[*sum]
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
	if shown != "" && r.knowsAny(s) {
		if g := r.grantFor(s, shown); g != nil {
			if slices.ContainsFunc(inQuery, func(v string) bool { return v != "" }) {
				return nil, &llm.Error{
					Code: llm.CodeAuthentication, Origin: llm.OriginClient,
					Message: "A key in the address ends up in logs, and is not taken. Send it in a header, such as x-goog-api-key.",
				}
			}
			return g, nil
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
