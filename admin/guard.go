package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// guard decides who may call the API.
type guard struct {
	token Token
	now   func() time.Time
	wrong tries
}

// admit returns nil for whoever shows the token, and is not a page in a browser.
func (g *guard) admit(r *http.Request) *llm.Error {
	if err := sameSite(r); err != nil {
		return err
	}
	shown, err := access.Credential(r.Header)
	if err != nil {
		return err
	}
	if shown != "" && g.token.matches(shown) {
		return nil
	}
	if !g.wrong.allow(r.RemoteAddr, g.now()) {
		return &llm.Error{
			Code: llm.CodeRateLimit, Origin: llm.OriginGateway, RetryAfter: tryEvery,
			Message: "Too many requests without the right token came from this address.",
		}
	}
	return &llm.Error{
		Code: llm.CodeAuthentication, Origin: llm.OriginClient,
		Message: "The admin API wants the admin token: Authorization: Bearer TOKEN.",
	}
}

// sameSite refuses what a browser sends on behalf of a page of another site. That page may
// have made the gateway's address its own name's, so the name counts, too.
func sameSite(r *http.Request) *llm.Error {
	refused := &llm.Error{
		Code: llm.CodePermission, Origin: llm.OriginClient,
		Message: "The request comes from a web page of another site, or by a name that is not this machine's.",
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return refused
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return refused
		}
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil && !strings.EqualFold(host, "localhost") {
		return refused
	}
	return nil
}

// Bounds of wrong tokens: so many at once from one address, then one every tryEvery. The
// right one is never refused.
const (
	tryBurst = 20
	tryEvery = time.Second
	tryFrom  = 1024 // addresses that are remembered
)

// tries counts wrong tokens by address. Its memory is bounded: when it is full, all is
// forgotten, and everybody has a burst again.
type tries struct {
	mu   sync.Mutex
	full map[string]time.Time // when the address will have used up nothing
}

func (t *tries) allow(address string, now time.Time) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full == nil || len(t.full) >= tryFrom {
		t.full = map[string]time.Time{}
	}
	from := t.full[host]
	if from.Before(now) {
		from = now
	}
	if from.Sub(now) > (tryBurst-1)*tryEvery {
		return false
	}
	t.full[host] = from.Add(tryEvery)
	return true
}
