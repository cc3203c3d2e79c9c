package transport

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// PhaseCredential is that of a request for which there was no credential: nothing was
// sent.
const PhaseCredential Phase = "credential"

// CredentialError is why there was no credential. Its words are safe to log: they are
// ours, and never what somebody answered.
type CredentialError struct {
	// Refused is set when who gives out credentials said no, or when there is nothing to
	// show to them. Otherwise they could not be reached, or failed.
	Refused bool
	Reason  string
}

// Error returns the reason.
func (e *CredentialError) Error() string { return e.Reason }

// authenticate shows the provider's key, or a token or signature made of its
// credentials, in the way its facts name. It returns what an answer could give away of
// them; its error is a *SendError.
func (t *Transport) authenticate(ctx context.Context, req *http.Request, r Request) (shown provider.Secret, err error) {
	p := r.Provider
	auth := p.Facts.Auth
	switch {
	case auth == provider.AuthEntra, auth == provider.AuthGoogle:
		shown, err = t.showToken(ctx, req, r)
	case auth == provider.AuthAWS && p.Key.IsZero():
		shown, err = t.sign(ctx, req, r)
	default:
		showKey(req.Header, p)
		return p.Key, nil
	}
	if err != nil {
		return shown, &SendError{Phase: PhaseCredential, Err: err}
	}
	return shown, nil
}

// showKey shows the key itself.
func showKey(h http.Header, p *provider.Provider) {
	if p.Key.IsZero() {
		return
	}
	key := p.Key.Reveal()
	switch p.Facts.Auth {
	case provider.AuthBearer, provider.AuthAWS:
		h["Authorization"] = []string{p.Key.Bearer()}
	case provider.AuthXAPIKey:
		h["X-Api-Key"] = []string{key}
	case provider.AuthXGoogKey:
		h["X-Goog-Api-Key"] = []string{key}
	case provider.AuthAPIKey:
		h["Api-Key"] = []string{key}
	}
}

// showToken shows a token that an identity service has made out.
func (t *Transport) showToken(ctx context.Context, req *http.Request, r Request) (provider.Secret, error) {
	token, err := t.credentials.of(r.Provider).token.get(ctx, r.Connect)
	if err != nil {
		return token, err
	}
	req.Header["Authorization"] = []string{token.Bearer()}
	return token, nil
}

// heed notes it if the provider did not accept what it was shown.
func (t *Transport) heed(status int, p *provider.Provider) {
	switch {
	case status != http.StatusUnauthorized && status != http.StatusForbidden:
	case p.Facts.Auth == provider.AuthEntra, p.Facts.Auth == provider.AuthGoogle:
		t.credentials.of(p).token.doubt()
	case p.Facts.Auth == provider.AuthAWS && p.Key.IsZero():
		t.credentials.of(p).signer.doubt()
	}
}

// credentials are those that are not in the config: tokens and temporary keys. They
// are fetched when they are first needed, and again before they run out.
type credentials struct {
	issuers *http.Client // for whoever gives out credentials
	now     func() time.Time

	life    context.Context // of what is fetched on nobody's behalf
	end     context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	held   map[string]*held // by the name of the provider, and of which of its keys it is about
}

// held is what one provider has. It belongs to what the config says about it: a reload
// that changes this leaves the old ones behind.
type held struct {
	auth, scope, region string
	key                 provider.Secret

	token  renewed[provider.Secret]
	signer renewed[signer]
}

func newCredentials(o *Options, n *names) *credentials {
	c := &credentials{issuers: newIssuers(o, n), now: o.Now, held: make(map[string]*held)}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// fetch runs f beside the caller, unless it is too late for that.
func (c *credentials) fetch(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Go(f)
	}
	return !c.closed
}

// close ends what is being fetched.
func (c *credentials) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.running.Wait()
	c.issuers.CloseIdleConnections()
}

// of returns what a provider has.
func (c *credentials) of(p *provider.Provider) *held {
	f := &p.Facts
	c.mu.Lock()
	defer c.mu.Unlock()
	name := p.ID
	if p.Slot > 0 {
		name += "#" + strconv.Itoa(p.Slot)
	}
	if h := c.held[name]; h != nil && h.auth == f.Auth && h.scope == f.Scope && h.region == f.Region && h.key.Reveal() == p.Key.Reveal() {
		return h
	}
	h := &held{auth: f.Auth, scope: f.Scope, region: f.Region, key: p.Key}
	h.token.owner, h.signer.owner = c, c
	switch f.Auth {
	case provider.AuthAWS:
		h.signer.fetch = func(ctx context.Context) (signer, time.Time, error) { return awsSigner(ctx, c.issuers, h) }
	case provider.AuthEntra:
		h.token.fetch = func(ctx context.Context) (provider.Secret, time.Time, error) {
			return entraToken(ctx, c.issuers, h.scope)
		}
	case provider.AuthGoogle:
		h.token.fetch = func(ctx context.Context) (provider.Secret, time.Time, error) {
			return googleToken(ctx, c.issuers, h.scope, h.key)
		}
	}
	c.held[name] = h
	return h
}
