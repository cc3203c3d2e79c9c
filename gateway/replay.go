package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Headers of requests that must not be made twice.
const (
	HeaderIdempotency = "Idempotency-Key"
	// HeaderReplayed is in an answer that was given before, and has the id of the call that it was given to.
	HeaderReplayed = "X-Understudy-Replayed"
)

// Replays remembers requests that clients may send again, and what they were answered, for a day. It may be used
// concurrently.
type Replays interface {
	// Claim remembers a request that is about to be made. If there is one of its id, that is returned, and nothing has
	// changed.
	Claim(ctx context.Context, r *Replay) (*Replay, error)
	// Keep remembers what a request was answered that the call has claimed, or that its answer is not kept. The first holds.
	Keep(ctx context.Context, r *Replay) error
	// Forget lets a request be made again that the call has claimed.
	Forget(ctx context.Context, r *Replay) error
}

// ReplayTime is how long a request is remembered.
const ReplayTime = 24 * time.Hour

// ReplayState is how far a request is.
type ReplayState int64

// The states.
const (
	ReplayRuns ReplayState = iota // it is being answered
	ReplayKept                    // its answer is there
	ReplayLost                    // it was made, and its answer is not there
)

// Replay is a request that a client may send again.
type Replay struct {
	ID      [sha256.Size]byte // of the caller and the key that the client chose
	Request [sha256.Size]byte // of all that the client asked
	Call    string
	At      time.Time
	State   ReplayState
	Status  int
	Header  []byte // in JSON
	Body    []byte
}

// ReplaysAtOnce is how many old requests are forgotten when one is claimed: more than come, and so few that nobody waits.
const ReplaysAtOnce = 8

// maxReplay bounds an answer that is kept.
const maxReplay = 1 << 20

// replayTime bounds the time for remembering.
const replayTime = 5 * time.Second

// maxIdempotency bounds the key that a client chooses.
const maxIdempotency = 255

// claim takes the request's Idempotency-Key, if it has one. answered says that the client has had the answer that it was
// given before.
func (c *call) claim() (answered bool, _ *llm.Error) {
	values := c.r.Header[HeaderIdempotency]
	if len(values) == 0 || c.r.Method != http.MethodPost {
		return false, nil
	}
	key := values[0]
	isPlain := !slices.ContainsFunc([]byte(key), func(b byte) bool { return b < ' ' || b > '~' })
	if len(values) > 1 || key == "" || len(key) > maxIdempotency || !isPlain {
		return false, llm.Invalid(HeaderIdempotency, "The header %s must be sent once, and be of 1 to %d printable ASCII characters.", HeaderIdempotency, maxIdempotency)
	}
	if c.g.opts.Replays == nil {
		return false, &llm.Error{
			Code: llm.CodeNotImplemented, Origin: llm.OriginGateway, Param: HeaderIdempotency,
			Message: "This gateway keeps nothing, and so no answers that it could give again. Send the request without " + HeaderIdempotency + ".",
		}
	}
	mine := &Replay{ID: sumOf(c.caller.Key, key), Request: c.fingerprint(), Call: c.id, At: c.g.opts.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), replayTime)
	defer cancel()
	before, err := c.g.claims.claim(ctx, c.g.opts.Replays, mine)
	switch {
	case err != nil:
		return false, &llm.Error{Code: llm.CodeLedger, Origin: llm.OriginGateway, Message: "The gateway cannot remember the request, so that it would not be made twice.", Err: err}
	case before == nil:
		c.claimed = mine
		c.reply.keep = &bytes.Buffer{}
		return false, nil
	case before.Request != mine.Request:
		return false, &llm.Error{
			Code: llm.CodeKeyReused, Origin: llm.OriginClient, Param: HeaderIdempotency,
			Message: "The " + HeaderIdempotency + " was sent before with another request. Choose another one for this request.",
		}
	}
	return c.replay(before)
}

// claims keeps calls from waiting for a store that does not answer: one after the other tries it, and all others are refused.
type claims struct {
	failed atomic.Pointer[error] // of a store that did not answer in time
	trying sync.Mutex

	mu   sync.Mutex
	owed []*Replay // what became of requests that the store could not be told of; of those that run, that they do not
}

// maxOwed bounds what the store is told later. What is more is over for it when the gateway starts again.
const maxOwed = 10_000

func (s *claims) owe(all ...*Replay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed = append(s.owed, all[:min(len(all), maxOwed-len(s.owed))]...)
}

// pay tells a store what it could not be told before: of a request above all, and of some others.
func (s *claims) pay(ctx context.Context, store Replays, id [sha256.Size]byte) error {
	s.mu.Lock()
	var now []*Replay
	s.owed = slices.DeleteFunc(s.owed, func(r *Replay) bool {
		isNow := r.ID == id || len(now) < ReplaysAtOnce
		if isNow {
			now = append(now, r)
		}
		return isNow
	})
	s.mu.Unlock()
	for i, r := range now {
		if err := tell(ctx, store, r); err != nil {
			s.owe(now[i:]...)
			return err
		}
	}
	return nil
}

// tell tells a store what became of a request.
func tell(ctx context.Context, store Replays, r *Replay) error {
	if r.State == ReplayRuns { // and does so no more, or never did
		return store.Forget(ctx, r) //nolint:wrapcheck // the caller says what it is about
	}
	return store.Keep(ctx, r) //nolint:wrapcheck // likewise
}

func (s *claims) claim(ctx context.Context, store Replays, r *Replay) (before *Replay, err error) {
	if failed := s.failed.Load(); failed != nil {
		if !s.trying.TryLock() {
			return nil, *failed
		}
		defer s.trying.Unlock()
	}
	if err = s.pay(ctx, store, r.ID); err == nil {
		if before, err = store.Claim(ctx, r); err != nil {
			s.owe(r) // the store may have it all the same
		}
	}
	if ctx.Err() != nil && err != nil {
		s.failed.Store(&err)
	} else {
		s.failed.Store(nil)
	}
	return before, err //nolint:wrapcheck // the caller says what it is about
}

func sumOf(parts ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range parts {
		part := sha256.Sum256([]byte(p))
		h.Write(part[:])
	}
	h.Sum(sum[:0])
	return sum
}

// fingerprint is that of all that the client asked. What narrows the route is part of it.
func (c *call) fingerprint() [sha256.Size]byte {
	parts := []string{c.r.URL.Path, c.r.URL.RawQuery, string(c.body)}
	for _, name := range []string{HeaderLoss, HeaderFallback, HeaderRescue, HeaderRequire} {
		parts = append(parts, c.r.Header.Get(name))
	}
	return sumOf(parts...)
}

// replay gives the answer that a request had, or says why it is not there.
func (c *call) replay(r *Replay) (answered bool, _ *llm.Error) {
	switch r.State {
	case ReplayKept:
		header := http.Header{}
		if err := json.Unmarshal(r.Header, &header); err != nil {
			return false, &llm.Error{Code: llm.CodeInternal, Origin: llm.OriginGateway, Message: llm.CodeInternal.Info().Doc, Err: err}
		}
		if err := c.permitAgain(append(header[keptTargets], header.Get(HeaderTarget))); err != nil {
			return false, err
		}
		delete(header, keptTargets)
		header.Set(HeaderReplayed, r.Call)
		c.reply.sendAs(r.Status, header, r.Body)
		return true, nil
	case ReplayRuns:
		return false, &llm.Error{
			Code: llm.CodeConflict, Origin: llm.OriginClient, Param: HeaderIdempotency, RetryAfter: time.Second,
			Message: "The request with this " + HeaderIdempotency + " is being answered, as call " + r.Call + ". Send it again in a moment for the answer.",
		}
	default:
		c.reply.header().Set("X-Should-Retry", "false")
		return false, &llm.Error{
			Code: llm.CodeConflict, Origin: llm.OriginClient, Param: HeaderIdempotency,
			Message: "The request with this " + HeaderIdempotency + " was made, as call " + r.Call + ", and its answer is not kept: it broke off, or was too large, or the gateway ended. It is not made again. Choose another key to make it anew.",
		}
	}
}

// permitAgain refuses an answer that the caller may no longer have: they might be somebody who may do less since it was given.
// targets are those that gave it, or a part of it.
func (c *call) permitAgain(targets []string) *llm.Error {
	if c.grant == nil {
		return nil
	}
	c.peeked.Model = cmp.Or(c.path.model, c.peeked.Model) // what is only relayed has had no look at its path yet
	routes := *c.g.routes.Load()
	r, ok := routes.Pick(c.peeked.Model)
	if !ok && c.peeked.Model != "" { // it is no model any more, and its answer is still there
		if !c.grant.MayAsk(c.peeked.Model) {
			return forbidden(c.peeked.Model)
		}
	} else if err := c.permit(&r); err != nil {
		return err
	}
	for _, name := range targets {
		id, _, isTarget := strings.Cut(name, "/")
		region := "" // of a provider that is gone
		if r, ok := routes.Pick(name); ok {
			region = r.Targets[0].Provider.Facts.Region
		}
		if isTarget && !c.grant.MayUse(id, region) {
			return &llm.Error{
				Code: llm.CodePermission, Origin: llm.OriginClient,
				Message: "The answer to this request is there, and the key may no longer use the provider that gave it. Choose another " + HeaderIdempotency + " to make the request anew.",
			}
		}
	}
	return nil
}

// settleClaim remembers what the client was answered. A request of which no vendor can have had anything may be made again.
func (c *call) settleClaim() {
	r := c.claimed
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), replayTime)
	defer cancel()
	if slices.ContainsFunc(c.attempts, func(a *attempt) bool { return !a.unsent }) {
		r.State = ReplayLost
		brokeOff := c.failure != nil && (c.failure.Code == llm.CodeClientGone || c.failure.Code == llm.CodeUnavailable)
		if p := &c.reply; !brokeOff && p.err == nil && !p.cut && p.keep != nil && p.begun {
			r.State, r.Status, r.Header, r.Body = ReplayKept, p.status, c.keptHeader(), p.keep.Bytes()
		}
	}
	if err := tell(ctx, c.g.opts.Replays, r); err != nil {
		if r.State == ReplayKept { // the answer would take memory as long as the store does not answer
			r = &Replay{ID: r.ID, Call: r.Call, State: ReplayLost}
		}
		c.g.claims.owe(r)
		c.g.opts.Log.Warn("an answer to a request with an Idempotency-Key is not kept", "call", c.id, "error", err.Error())
	}
}

// keptTargets is where the header that is kept lists the targets that gave the answer, of which a header names only one.
const keptTargets = "Targets"

// keptHeader is an answer's header as it is given again, but for what is about the connection and the call.
func (c *call) keptHeader() []byte {
	kept := maps.Clone(c.reply.header())
	for _, name := range []string{"Connection", "Content-Length", "Date", HeaderCall} {
		delete(kept, name)
	}
	maps.DeleteFunc(kept, func(name string, _ []string) bool { return strings.HasPrefix(name, http.TrailerPrefix) })
	delete(kept, keptTargets) // a vendor's own
	for _, a := range c.attempts {
		if a.committed {
			kept[keptTargets] = append(kept[keptTargets], a.target.Name())
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		panic("BUG: gateway: a header cannot be written: " + err.Error())
	}
	return text
}

// remember takes in a part of the answer, as far as it is to be kept.
func (p *reply) remember(b []byte) {
	if p.keep == nil {
		return
	}
	if p.keep.Len()+len(b) > maxReplay {
		p.keep = nil
		return
	}
	p.keep.Write(b)
}
