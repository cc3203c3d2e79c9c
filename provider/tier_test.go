package provider

import "testing"

// TestTierName gives each tier one name, by whatever word, and all that clients make up one, too.
func TestTierName(t *testing.T) {
	f := &Facts{ServiceTiers: map[string]float64{"us": 1.1}}
	p := &Price{ServiceTiers: []ServiceTier{{Name: "fast-us", Times: 2}}}
	for word, want := range map[string]string{
		"": "", "auto": "", "default": "", "standard": "", "standard_only": "", "on_demand": "", "unspecified": "", "DEFAULT": "",
		"flex": "flex", "FLEX": "flex", "priority": "priority", "fast": "fast", "scale": "scale", "reserved": "reserved",
		"us": "us", "fast-us": "fast-us", "us ": TierOther, "gold": TierOther, "\x00": TierOther,
	} {
		if got := f.TierName(p, word); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got := f.TierName(nil, "fast-us"); got != TierOther {
		t.Errorf("of a model without a price: got %q, want %q", got, TierOther)
	}
}

// TestKnownTiers holds what is known of tiers to what their vendors say: docs/decisions/0060.
func TestKnownTiers(t *testing.T) {
	for _, tc := range []struct {
		service, model, tier string
		want                 ServiceTier
	}{
		{"openai", "gpt-5.1", "flex", ServiceTier{Name: "flex", Times: 0.5}},
		{"openai", "gpt-5", "priority", ServiceTier{Name: "priority", Input: 2.5, Output: 20, CacheRead: 0.25}},
		{"openai", "gpt-5.5", "fast", ServiceTier{Name: "priority", Input: 12.5, Output: 75, CacheRead: 1.25}},
		{"openai", "gpt-4o-2024-05-13", "priority", ServiceTier{Name: "priority", Input: 8.75, Output: 26.25}},
		{"anthropic", "claude-opus-4-6", "fast", ServiceTier{Name: "fast", Input: 30, Output: 150, CacheRead: 3, CacheWrite: 37.5, CacheWrite1h: 60}},
		{"anthropic", "claude-opus-4-6", "priority", ServiceTier{Name: "priority", Times: 1}},
		{"anthropic", "claude-sonnet-5", "us", ServiceTier{Name: "us", Times: 1.1}},
		{"gemini", "gemini-3.5-flash", "flex", ServiceTier{Name: "flex", Times: 0.5}},
		{"groq", "openai/gpt-oss-120b", "flex", ServiceTier{Name: "flex", Times: 1}},
	} {
		f, _ := Known().Facts(tc.service)
		for _, m := range f.Models {
			if m.ID != tc.model {
				continue
			}
			if got, known := f.TierPrice(m.Price, tc.tier); !known || got != tc.want {
				t.Errorf("%s/%s at %s: got %+v, %v, want %+v", tc.service, tc.model, tc.tier, got, known, tc.want)
			}
			tc.model = ""
		}
		if tc.model != "" {
			t.Errorf("%s: got no model %s", tc.service, tc.model)
		}
	}
}
