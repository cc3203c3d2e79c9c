package transport

import (
	"context"
	"net/http"
	"strings"

	"github.com/understudy-ai/understudy/provider"
)

// setHeader writes all headers of a request: ours, the dialect's from the client,
// those of the provider's facts, and last the credential, which may be a signature of
// the others. It returns what an answer could give away.
func (t *Transport) setHeader(ctx context.Context, req *http.Request, r Request) (provider.Secret, error) {
	h := make(http.Header, len(r.Header)+len(r.Provider.Facts.Headers)+5)
	for name, values := range r.Header {
		if relayed(name) {
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	for name, value := range r.Provider.Facts.Headers {
		name = http.CanonicalHeaderKey(name)
		if _, given := h[name]; !given {
			h[name] = []string{value}
		}
	}
	if _, given := h["Content-Type"]; !given && len(r.Body) > 0 {
		h["Content-Type"] = t.fixed.json
	}
	h["Accept"] = t.fixed.json
	if r.Accept != "" {
		h["Accept"] = []string{r.Accept}
	}
	// Without it, any encoding would be welcome (RFC 9110 section 12.5.3).
	h["Accept-Encoding"] = t.fixed.identity
	h["User-Agent"] = t.fixed.userAgent
	req.Header = h
	return t.authenticate(ctx, req, r)
}

// fixedHeaders are the values that every request has. Nobody writes to them.
type fixedHeaders struct{ json, identity, userAgent []string }

// relayed reports whether a client's header may go to a provider at all.
// Credentials would be the client's own; an idempotency key makes proxies and
// net/http send a request twice; the rest belongs to one connection or is set here.
func relayed(name string) bool {
	switch name := http.CanonicalHeaderKey(name); name {
	case "Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie",
		"X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256",
		"Idempotency-Key", "X-Idempotency-Key",
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
		"Host", "Content-Length", "Content-Encoding", "Accept", "Accept-Encoding", "User-Agent", "Forwarded":
		return false
	default:
		return !strings.HasPrefix(name, "Proxy-") && !strings.HasPrefix(name, "X-Forwarded-")
	}
}
