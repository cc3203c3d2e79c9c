package provider

import (
	"slices"
	"strings"
)

// Words for tiers that vendors have: those that are the usual one or leave it to the account; those that are cheaper, or
// bought beforehand; and those that may be dearer.
var (
	usualTiers = []string{"auto", "default", "standard", "standard_only", "on_demand", "unspecified"}
	cheapTiers = []string{"flex", "batch", "scale", "reserved", "performance"}
	dearTiers  = []string{"priority", "fast", "ultrafast"}
)

// TierOther is what a tier is called whose word nobody knows: clients make up as many as they like.
const TierOther = "other"

// UnknownTier is how many times the price a tier costs that is not known: as much as the dearest of those of which a price
// was known when this was written (docs/decisions/0060).
const UnknownTier = 2.5

// IsTier reports whether a word may name a tier that costs something else than usual.
func IsTier(word string) bool {
	return tierWord.MatchString(word) && !slices.Contains(usualTiers, word)
}

// TierName is the one name of a service's tier, by any word that it or its clients have for it; empty for the usual one.
func (f *Facts) TierName(p *Price, word string) string {
	if word == "" {
		return ""
	}
	word = strings.ToLower(word)
	switch {
	case slices.Contains(usualTiers, word):
		return ""
	case slices.Contains(cheapTiers, word), slices.Contains(dearTiers, word):
		return word
	}
	if _, known := f.tier(p, word); known {
		return word
	}
	return TierOther
}

// TierPrice is what calls at a tier cost by a price. It is not known what those of a tier cost that neither the model nor the
// service has a price for: they are taken to cost no less than usual, and those that may be dear much more.
func (f *Facts) TierPrice(p *Price, name string) (t ServiceTier, known bool) {
	same := map[string]string{"fast": "priority", "priority": "fast"} // one vendor's two words for one tier
	for _, n := range []string{name, same[name]} {
		if t, known = f.tier(p, n); known {
			return t, true
		}
	}
	if slices.Contains(cheapTiers, name) {
		return ServiceTier{Name: name, Times: 1}, false
	}
	return ServiceTier{Name: name, Times: UnknownTier}, false
}

// tier looks a tier up as it is called, first in the price.
func (f *Facts) tier(p *Price, name string) (ServiceTier, bool) {
	if p != nil {
		if i := slices.IndexFunc(p.ServiceTiers, func(t ServiceTier) bool { return t.Name == name }); i >= 0 {
			return p.ServiceTiers[i], true
		}
	}
	times, ok := f.ServiceTiers[name]
	return ServiceTier{Name: name, Times: times}, ok
}
