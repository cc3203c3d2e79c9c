package route

import "maps"

// Forget drops what is known of a provider's failures, so that it is tried again at once:
// whoever mended it need not wait until the next probe finds out. Its posture stays, and
// attempts that run tell nothing any more. It reports whether anything was known.
func (h *Health) Forget(provider string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	sites := maps.Clone(*h.sites.Load())
	known := false
	maps.DeleteFunc(sites, func(k siteKey, _ *site) bool {
		known = known || k.provider == provider
		return k.provider == provider
	})
	h.sites.Store(&sites)
	return known
}
