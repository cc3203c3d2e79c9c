package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// guard decides who may call the API.
type guard struct {
	token Token
	now   func() time.Time
	wrong access.Tries
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
	if !g.wrong.Allow(r.RemoteAddr, g.now()) {
		return &llm.Error{
			Code: llm.CodeRateLimit, Origin: llm.OriginGateway, RetryAfter: access.TryEvery,
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
