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
	token          Token
	administrators Administrators
	now            func() time.Time
	wrong          access.Tries
}

// caller is who asks, and what they may do.
type caller struct {
	name string
	role access.Role
}

// tokenCaller is whoever has the gateway's own token. No administrator can have the name.
const tokenCaller = "admin token"

// admit returns who shows a token, and is not a page in a browser.
func (g *guard) admit(r *http.Request) (caller, *llm.Error) {
	if err := sameSite(r); err != nil {
		return caller{}, err
	}
	shown, err := access.Credential(r.Header)
	if err != nil {
		return caller{}, err
	}
	err = &llm.Error{
		Code: llm.CodeAuthentication, Origin: llm.OriginClient,
		Message: "The admin API wants the admin token, or an administrator's: Authorization: Bearer TOKEN.",
	}
	switch {
	case shown == "":
	case g.token.matches(shown):
		return caller{tokenCaller, access.Admin}, nil
	case g.administrators != nil:
		var c caller
		if c.name, c.role, err = g.administrators.Identify(shown); err == nil {
			return c, nil
		}
	}
	if err.Code == llm.CodeAuthentication && !g.wrong.Allow(r.RemoteAddr, g.now()) {
		return caller{}, &llm.Error{
			Code: llm.CodeRateLimit, Origin: llm.OriginGateway, RetryAfter: access.TryEvery,
			Message: "Too many requests without the right token came from this address.",
		}
	}
	return caller{}, err
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
