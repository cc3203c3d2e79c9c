package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// checkOrigin refuses what pages on the internet send to a gateway that asks this caller for no key. A browser lets any
// page send a plain POST or open a WebSocket anywhere, to its user's own machine and network too, and a page whose
// name is bound to the gateway's address in the meantime may read the answers as well. Pages of one's own network, those
// that the gateway's own name serves by TLS, and applications that are no pages may call.
func (c *call) checkOrigin() *llm.Error {
	origins := c.r.Header["Origin"]
	if len(origins) == 0 || c.caller.Key != "" || isOwnOrigin(c.r, origins) {
		return nil
	}
	return &llm.Error{
		Code: llm.CodePermission, Origin: llm.OriginClient,
		Message: "Web pages of other sites may not use this gateway without a key.",
	}
}

func isOwnOrigin(r *http.Request, origins []string) bool {
	u, err := url.Parse(origins[0])
	switch {
	case len(origins) > 1 || err != nil || u.Scheme == "": // "null" is a page that hides where it is from
		return false
	case u.Scheme == "https" && strings.EqualFold(u.Host, r.Host): // a name that was bound anew has no certificate here
		return true
	case u.Scheme == "http" || u.Scheme == "https":
		return provider.IsPrivateHost(u.Hostname())
	}
	return true // of a browser's extension, or of a window of an application
}
