package app

import (
	"net/http"
	"net/url"

	"github.com/understudy-ai/understudy/config"
)

// tellProxies logs what the environment puts between the gateway and its providers: a proxy sees what goes through it,
// and where that goes from there is not for the egress guard to see. What is no address is not used by net/http, which
// does not say so.
func (a *App) tellProxies(c *config.Config) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if text, ok := a.opts.Env(name); ok && text != "" && !isProxy(text) {
			a.opts.Log.Warn("the proxy in the environment is not an address, and is not used", "variable", name) // it may hold a password
		}
	}
	for _, p := range c.Providers {
		u, err := url.Parse(p.Facts.BaseURL)
		if err != nil {
			continue // it was found to be good
		}
		if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
			a.opts.Log.Info("a provider is asked through a proxy", "provider", p.Name, "proxy", proxy.Host)
		}
	}
}

// isProxy reports whether net/http can read a proxy's address, which may lack its scheme.
func isProxy(text string) bool {
	for _, form := range []string{text, "http://" + text} {
		if u, err := url.Parse(form); err == nil && u.Scheme != "" && u.Host != "" {
			return true
		}
	}
	return false
}
